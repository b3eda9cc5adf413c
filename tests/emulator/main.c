/*
 * main.c - cardspool-emulator: an emulated card printer and reader around a program under test.
 *
 * Owns the options, the threads and their end. Exit status: that of the program run; 64 wrong
 * usage, 77 when the kernel refuses what is needed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/options.h"
#include "tests/emulator/remote.h"

#include <errno.h>
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
#define EXIT_STRICT  65
#define EXIT_REFUSED 77
#define CLOCK_MAX_MS 60000u

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
		status_show(p);
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

struct helper {
	struct emu *emu;
	void (*run)(struct emu *emu, void *arg);
	void *arg;
};

static void *
helper_run(void *arg)
{
	struct helper h = *(struct helper *)arg;
	free(arg);
	h.run(h.emu, h.arg);
	pthread_mutex_lock(&h.emu->lock);
	__atomic_sub_fetch(&h.emu->helpers, 1, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&h.emu->clock);
	pthread_mutex_unlock(&h.emu->lock);
	return NULL;
}

int
emu_helper(struct emu *emu, void (*run)(struct emu *emu, void *arg), void *arg)
{
	pthread_t t;
	struct helper *h = malloc(sizeof *h);
	if (!h)
		return -1;
	*h = (struct helper){emu, run, arg};
	__atomic_add_fetch(&emu->helpers, 1, __ATOMIC_SEQ_CST);
	if (pthread_create(&t, NULL, helper_run, h)) {
		__atomic_sub_fetch(&emu->helpers, 1, __ATOMIC_SEQ_CST);
		free(h);
		return -1;
	}
	pthread_detach(t);
	return 0;
}

/* Clients that close, or die, hang up their handles. */
static void
watch_run(struct emu *emu, void *arg)
{
	struct epoll_event e;
	(void)arg;
	while (!emu->stopping) {
		int n = epoll_wait(emu->watch, &e, 1, 100);
		if (n < 0 && errno != EINTR)
			break;
		if (n <= 0)
			continue;
		pthread_mutex_lock(&emu->lock);
		handles_sweep(emu);
		pthread_mutex_unlock(&emu->lock);
	}
}

int
emu_start(struct emu *emu)
{
	for (unsigned i = 0; i < emu->n_printers; i++) {
		struct printer *p = emu->printer[i];
		if (tcp_start(p)) {
			fprintf(stderr, "cardspool-emulator: no port %u: %s\n", p->tcp_port,
				strerror(errno));
			return -1;
		}
		if (station_start(p, emu->timing))
			return -1;
	}
	for (unsigned i = 0; i < emu->n_printers; i++)
		if (emu->printer[i]->usbredir_path &&
			usbredir_start(emu->printer[i], emu->printer[i]->usbredir_path))
			return -1;
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
	if (emu_helper(emu, watch_run, NULL) ||
		(emu->usbip && usbip_start(emu, emu->usbip, emu->usbip_anyone)))
		return -1;
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
	for (unsigned i = 0; i < emu->n_printers; i++)
		station_stop(emu->printer[i]);
}

/* After every thread that could look at them has ended. */
static void
emu_free(struct emu *emu)
{
	pthread_mutex_lock(&emu->lock);
	for (int n = 0; emu->helpers && n < 300; n++)
		cond_wait_ms(&emu->clock, &emu->lock, 10);
	bool alone = emu->helpers == 0;
	if (emu->state_path && emu->n_printers)
		state_write(emu);
	pthread_mutex_unlock(&emu->lock);
	if (!alone) /* whoever still runs may look at what would be freed */
		return;
	handles_close(emu);
	for (unsigned i = 0; i < emu->n_printers; i++) {
		usb_done(&emu->device[i]);
		printer_destroy(emu->printer[i]);
	}
	console_destroy(emu->console);
	killer_destroy(emu->killer);
	if (emu->watch >= 0)
		close(emu->watch);
	if (emu->listener >= 0)
		close(emu->listener);
	if (emu->log)
		fclose(emu->log);
}

/* No program inside: the printers are there for other kernels until a signal ends them. */
static int
emu_serve(struct emu *emu)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
	sigset_t set;
	int signal;
	if (emu_start(emu))
		return EXIT_FAILURE;
	sigemptyset(&set);
	for (size_t i = 0; i < EMU_LEN(ends); i++)
		sigaddset(&set, ends[i]);
	return sigwait(&set, &signal) ? EXIT_FAILURE : 0;
}

/* The status of --run: the program's own, or that it said what no printer's document allows. */
static int
emu_verdict(const struct emu *emu, int status)
{
	unsigned long strict = 0;
	for (unsigned i = 0; i < emu->n_printers; i++)
		strict += emu->printer[i]->strict_lines;
	if (!emu->strict || status || !strict)
		return status;
	fprintf(stderr, "cardspool-emulator: %lu times the protocol document was not kept%s\n",
		strict, emu->log ? "; see the log" : "; --log FILE shows where");
	return EXIT_STRICT;
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
	static struct options o = {.base = {.model = "dualys3",
					   .serial = "D3-0001",
					   .ribbon = "ymcko:200",
					   .hopper = 100,
					   .output = 100,
					   .reject = 30},
		.seed = 1};
	if (options_parse(&o, &emu, argc, argv)) {
		fputs(options_usage, stderr);
		return EXIT_USAGE;
	}
	if (o.help)
		return fputs(options_usage, stdout) < 0;
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
	emu.sandboxed = o.run != NULL;
	int refused = emu.sandboxed ? sandbox_permit() : 0;
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
		status = o.run ? sandbox_run(&emu, o.run) : emu_serve(&emu);
		emu_stop(&emu);
		status_write(&emu);
		status = emu_verdict(&emu, status);
	}
	tree_remove(&emu);
	emu_free(&emu);
	return status;
}
