/*
 * main.c - cardspool-emulator: an emulated card printer and reader around a program under test.
 *
 * Owns the options, the threads and their end. Exit status: that of the program run; 64 wrong
 * usage, 77 when the kernel refuses what is needed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EXIT_USAGE   64
#define EXIT_REFUSED 77
#define CLOCK_MAX_MS 60000u

static const char usage[] = "usage: cardspool-emulator [option...] --run CMD [ARG...]\n"
			    "       cardspool-emulator --tell SOCKET WORD...\n"
			    "  --model NAME       printer model (dualys3)\n"
			    "  --serial TEXT      its serial number\n"
			    "  --hopper N         blank cards in the hopper (100)\n"
			    "  --ribbon NAME:N    ribbon and how many sets of panels (ymcko:200)\n"
			    "  --output N         what the output hopper holds (100)\n"
			    "  --reject N         what the reject box holds (30)\n"
			    "  --out DIR          finished cards and printer.json go there\n"
			    "  --control SOCKET   fault console\n"
			    "  --station LINK     chip reader (PN532) under this name\n"
			    "  --script FILE      console lines to begin with\n"
			    "  --seed N           seed of the card UIDs\n"
			    "  --watch-sync DIR   count syncs of files in DIR\n"
			    "  --timing           take the time a machine takes\n"
			    "  --log FILE         every command and answer; \"strict:\" lines\n"
			    "  -n, --private-net  own network, so that plug events stay here\n"
			    "  --run CMD...       run CMD with the printer plugged in\n";

uint64_t
now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void
emu_log(struct emu *emu, const char *format, ...)
{
	if (!emu->log)
		return;
	va_list ap;
	char text[1024];
	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || (unsigned char)*c > 0x7e)
			*c = '.';
	/* strict lines begin with the word, for grep; the others with the time */
	if (!strncmp(text, "strict:", 7))
		fprintf(emu->log, "%s\n", text);
	else
		fprintf(emu->log, "%7llu %s\n", (unsigned long long)(now_ms() - emu->start_ms),
			text);
}

static void
cond_wait_ms(pthread_cond_t *c, pthread_mutex_t *m, uint64_t ms)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += (time_t)(ms / 1000);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(c, m, &t);
}

void
emu_pause(struct emu *emu, unsigned ms)
{
	cond_wait_ms(&emu->work, &emu->lock, ms);
}

void
emu_wait(struct emu *emu, unsigned ms)
{
	uint64_t until = now_ms() + ms, now;
	while (emu->timing && !emu->stopping && (now = now_ms()) < until)
		cond_wait_ms(&emu->work, &emu->lock, until - now);
}

/* ---- threads ---- */

/* Takes what the line has received and lets the dialect act on it. */
static void *
engine_run(void *arg)
{
	struct printer *p = arg;
	struct emu *emu = p->emu;
	struct usb_device *d = p->usb;
	uint8_t *bytes = malloc(d->fifo_max);
	pthread_mutex_lock(&emu->lock);
	while (bytes && !emu->stopping) {
		if (p->power_lost)
			p->model->dialect->power(p->dialect);
		else if (d->link_was_reset)
			p->model->dialect->link_reset(p->dialect);
		p->power_lost = d->link_was_reset = false;
		if (d->fifo_len == 0) {
			p->busy = false;
			pthread_cond_wait(&emu->work, &emu->lock);
			continue;
		}
		uint8_t *full = d->fifo;
		size_t n = d->fifo_len;
		d->fifo = bytes;
		d->fifo_len = 0;
		bytes = full;
		p->busy = true;
		usb_pump(d);
		p->model->dialect->feed(p->dialect, bytes, n);
		status_write(emu);
	}
	pthread_mutex_unlock(&emu->lock);
	free(bytes);
	return NULL;
}

static void *
clock_run(void *arg)
{
	struct emu *emu = arg;
	pthread_mutex_lock(&emu->lock);
	while (!emu->stopping) {
		console_tick(emu);
		uint64_t due = console_next_due(emu), now = now_ms();
		for (unsigned i = 0; i < emu->n_printers; i++) {
			usb_expire(&emu->device[i]);
			usb_pump(&emu->device[i]);
			uint64_t next = usb_next_due(&emu->device[i]);
			due = next < due ? next : due;
		}
		uint64_t ms = due <= now ? 1 : due - now < CLOCK_MAX_MS ? due - now : CLOCK_MAX_MS;
		cond_wait_ms(&emu->clock, &emu->lock, ms);
	}
	pthread_mutex_unlock(&emu->lock);
	return NULL;
}

/* Clients that close, or die, hang up their handles. */
static void *
watch_run(void *arg)
{
	struct emu *emu = arg;
	struct epoll_event e;
	while (!emu->stopping) {
		int n = epoll_wait(emu->watch, &e, 1, 500);
		if (n < 0 && errno != EINTR)
			break;
		if (n <= 0)
			continue;
		pthread_mutex_lock(&emu->lock);
		handles_sweep(emu);
		pthread_mutex_unlock(&emu->lock);
	}
	return NULL;
}

int
emu_start(struct emu *emu)
{
	pthread_t watch;
	if (emu->station_path) {
		emu->station = pn532_start(&emu->printer[0]->field, emu->station_path, emu->timing);
		if (!emu->station) {
			fprintf(stderr, "cardspool-emulator: no station at %s\n",
				emu->station_path);
			return -1;
		}
	}
	if (emu->script_path && console_script(emu, emu->script_path))
		return -1;
	if (emu->control_path && console_start(emu, emu->control_path)) {
		fprintf(stderr, "cardspool-emulator: no console at %s: %s\n", emu->control_path,
			strerror(errno));
		return -1;
	}
	for (unsigned i = 0; i < emu->n_printers; i++)
		if (pthread_create(&emu->printer[i]->engine, NULL, engine_run, emu->printer[i]))
			return -1;
	if (pthread_create(&watch, NULL, watch_run, emu))
		return -1;
	pthread_detach(watch);
	return pthread_create(&emu->clock_thread, NULL, clock_run, emu) ? -1 : 0;
}

/* What was received before the client ended is still carried out. */
static void
emu_drain(struct emu *emu)
{
	for (unsigned i = 0; i < emu->n_printers; i++) {
		struct printer *p = emu->printer[i];
		for (int n = 0; n < 500 && (p->busy || p->usb->fifo_len) && !emu->timing; n++)
			cond_wait_ms(&emu->clock, &emu->lock, 2);
	}
}

static void
emu_stop(struct emu *emu)
{
	console_stop(emu);
	pthread_mutex_lock(&emu->lock);
	emu_drain(emu);
	emu->stopping = true;
	pthread_cond_broadcast(&emu->work);
	pthread_cond_broadcast(&emu->clock);
	pthread_mutex_unlock(&emu->lock);
	for (unsigned i = 0; i < emu->n_printers; i++)
		if (emu->printer[i]->engine)
			pthread_join(emu->printer[i]->engine, NULL);
	if (emu->clock_thread)
		pthread_join(emu->clock_thread, NULL);
	if (emu->station)
		pn532_stop(emu->station);
}

/* ---- options ---- */

struct options {
	const char *model, *serial, *ribbon, *out, *log, *watch;
	unsigned long hopper, output, reject, seed;
	char **run, **tell;
	int tell_n;
};

enum {
	OPT_MODEL = 256,
	OPT_SERIAL,
	OPT_HOPPER,
	OPT_RIBBON,
	OPT_OUTPUT,
	OPT_REJECT,
	OPT_OUT,
	OPT_CONTROL,
	OPT_STATION,
	OPT_SCRIPT,
	OPT_SEED,
	OPT_TIMING,
	OPT_WATCH_SYNC,
	OPT_LOG,
	OPT_RUN,
	OPT_TELL,
	OPT_HELP
};

static const struct option long_options[] = {
	{"model", required_argument, NULL, OPT_MODEL},
	{"serial", required_argument, NULL, OPT_SERIAL},
	{"hopper", required_argument, NULL, OPT_HOPPER},
	{"ribbon", required_argument, NULL, OPT_RIBBON},
	{"output", required_argument, NULL, OPT_OUTPUT},
	{"reject", required_argument, NULL, OPT_REJECT},
	{"out", required_argument, NULL, OPT_OUT},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"station", required_argument, NULL, OPT_STATION},
	{"script", required_argument, NULL, OPT_SCRIPT},
	{"seed", required_argument, NULL, OPT_SEED},
	{"watch-sync", required_argument, NULL, OPT_WATCH_SYNC},
	{"timing", no_argument, NULL, OPT_TIMING},
	{"log", required_argument, NULL, OPT_LOG},
	{"private-net", no_argument, NULL, 'n'},
	{"run", required_argument, NULL, OPT_RUN},
	{"tell", required_argument, NULL, OPT_TELL},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static int
options_parse(struct options *o, struct emu *emu, int argc, char **argv)
{
	int c;
	while (!o->run && !o->tell &&
		(c = getopt_long(argc, argv, "+n", long_options, NULL)) != -1) {
		switch (c) {
		case OPT_MODEL:
			o->model = optarg;
			break;
		case OPT_SERIAL:
			o->serial = optarg;
			break;
		case OPT_HOPPER:
			o->hopper = strtoul(optarg, NULL, 10);
			break;
		case OPT_RIBBON:
			o->ribbon = optarg;
			break;
		case OPT_OUTPUT:
			o->output = strtoul(optarg, NULL, 10);
			break;
		case OPT_REJECT:
			o->reject = strtoul(optarg, NULL, 10);
			break;
		case OPT_OUT:
			emu->out_dir = optarg;
			break;
		case OPT_CONTROL:
			emu->control_path = optarg;
			break;
		case OPT_STATION:
			emu->station_path = optarg;
			break;
		case OPT_SCRIPT:
			emu->script_path = optarg;
			break;
		case OPT_SEED:
			o->seed = strtoul(optarg, NULL, 10);
			break;
		case OPT_WATCH_SYNC:
			o->watch = optarg;
			break;
		case OPT_TIMING:
			emu->timing = true;
			break;
		case OPT_LOG:
			o->log = optarg;
			break;
		case 'n':
			emu->private_net = true;
			break;
		case OPT_RUN:
			o->run = argv + optind - 1;
			break;
		case OPT_TELL:
			o->tell = argv + optind;
			o->tell_n = argc - optind;
			emu->control_path = optarg;
			break;
		case OPT_HELP:
			fputs(usage, stdout);
			exit(0);
		default:
			return -1;
		}
	}
	return o->run || o->tell ? 0 : -1;
}

static void
net_unshare(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	if (unshare(CLONE_NEWNET)) {
		fprintf(stderr, "cardspool-emulator: the kernel refuses a private network: %s\n",
			strerror(errno));
		exit(EXIT_REFUSED);
	}
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		ioctl(fd, SIOCSIFFLAGS, &lo);
		close(fd);
	}
}

static int
emu_build(struct emu *emu, const struct options *o)
{
	const struct model *m = model_find(o->model);
	struct usb_device *d = &emu->device[0];
	if (!m) {
		fprintf(stderr, "cardspool-emulator: no model called %s\n", o->model);
		return -1;
	}
	emu->random_state = o->seed;
	struct printer *p = printer_create(emu, m, o->serial, (unsigned)o->hopper, o->ribbon);
	if (!p) {
		fprintf(stderr, "cardspool-emulator: no ribbon called %s\n", o->ribbon);
		return -1;
	}
	p->output_capacity = (unsigned)o->output;
	p->reject_capacity = (unsigned)o->reject;
	p->usb = d;
	d->emu = emu->hub.emu = emu;
	d->printer = p;
	d->bus = emu->hub.bus = 1;
	d->fifo_max = m->buffer_bytes;
	d->fifo = malloc(d->fifo_max);
	snprintf(d->port, sizeof d->port, "1-1");
	snprintf(emu->hub.port, sizeof emu->hub.port, "usb1");
	usb_describe(d, p->serial);
	usb_describe(&emu->hub, "0000:00:00.0");
	emu->printer[0] = p;
	emu->n_printers = 1;
	if (!d->fifo || tree_create(emu))
		return -1;
	emu->next_devnum = 1;
	usb_plug(&emu->hub, true);
	usb_plug(d, true);
	return 0;
}

static void
emu_init(struct emu *emu)
{
	pthread_condattr_t monotonic;
	sigset_t set;
	emu->netlink = emu->listener = -1;
	emu->start_ms = now_ms();
	pthread_mutex_init(&emu->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&emu->work, &monotonic);
	pthread_cond_init(&emu->clock, &monotonic);
	emu->watch = epoll_create1(EPOLL_CLOEXEC);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int
main(int argc, char **argv)
{
	static struct emu emu;
	struct options o = {.model = "dualys3",
		.serial = "D3-0001",
		.ribbon = "ymcko:200",
		.hopper = 100,
		.output = 100,
		.reject = 30,
		.seed = 1};
	if (options_parse(&o, &emu, argc, argv)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (o.tell)
		return console_tell(emu.control_path, o.tell_n, o.tell);
	if (emu.out_dir && mkdir(emu.out_dir, 0777) && errno != EEXIST) {
		fprintf(stderr, "cardspool-emulator: %s: %s\n", emu.out_dir, strerror(errno));
		return EXIT_USAGE;
	}
	emu.log = o.log ? fopen(o.log, "ae") : NULL;
	if (o.log && !emu.log) {
		fprintf(stderr, "cardspool-emulator: %s: %s\n", o.log, strerror(errno));
		return EXIT_USAGE;
	}
	if (emu.log)
		setvbuf(emu.log, NULL, _IOLBF, 0);
	int refused = sandbox_permit();
	if (refused)
		return refused;
	emu_init(&emu);
	if (emu.private_net)
		net_unshare();
	emu.killer = killer_create(o.watch);
	if (!emu.killer) {
		fprintf(stderr, "cardspool-emulator: %s: %s\n", o.watch, strerror(errno));
		return EXIT_USAGE;
	}
	emu.console = console_create();
	int status = EXIT_USAGE;
	if (emu.console && !emu_build(&emu, &o)) {
		status_write(&emu);
		status = sandbox_run(&emu, o.run);
		emu_stop(&emu);
	}
	tree_remove(&emu);
	if (emu.log)
		fclose(emu.log);
	return status;
}
