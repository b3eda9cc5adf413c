/*
 * build.c - the printers of a run: made as the command line says, plugged into one bus.
 *
 * Owns where each one's cards go: OUT itself for one printer, OUT/SERIAL/ for each of several.
 * Two with one serial number are allowed; the second one's folder is OUT/SERIAL.2/.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* With --timing a plane takes its time on the line, too. */
#define FULL_SPEED_BPS 1000000u
#define HIGH_SPEED_BPS 30000000u

static int
folder_choose(struct emu *emu, struct printer *p, unsigned n_all)
{
	unsigned twins = 1;
	if (!emu->out_dir)
		return 0;
	for (unsigned i = 0; i < emu->n_printers; i++)
		twins += !strcmp(emu->printer[i]->serial, p->serial);
	int n = snprintf(
		p->out_dir, sizeof p->out_dir, n_all > 1 ? "%s/%s" : "%s", emu->out_dir, p->serial);
	if (twins > 1 && n > 0 && (size_t)n < sizeof p->out_dir)
		n += snprintf(p->out_dir + n, sizeof p->out_dir - (size_t)n, ".%u", twins);
	if (n < 0 || (size_t)n >= sizeof p->out_dir - 64) {
		fprintf(stderr, "cardspool-emulator: --out: the name is too long\n");
		return -1;
	}
	if (mkdir(p->out_dir, 0777) && errno != EEXIST) {
		fprintf(stderr, "cardspool-emulator: %s: %s\n", p->out_dir, strerror(errno));
		return -1;
	}
	return 0;
}

/* "1-2", "1-2.4": of bus 1, one digit or two a port. */
static bool
port_good(const char *port)
{
	size_t n = strlen(port);
	return n > 2 && n < sizeof((struct usb_device *)0)->port && !strncmp(port, "1-", 2) &&
	       strspn(port + 2, "0123456789.") == n - 2 && !strstr(port, "..") && port[2] != '.' &&
	       port[n - 1] != '.';
}

static bool
port_taken(const struct emu *emu, const char *port)
{
	bool taken = false;
	for (unsigned i = 0; i < emu->n_printers; i++)
		taken |= !strcmp(emu->device[i].port, port);
	for (unsigned i = 0; i < emu->n_others; i++)
		taken |= !strcmp(emu->other[i].port, port);
	return taken;
}

static struct usb_device *
other_build(struct emu *emu, const struct usb_other *what, const char *port, size_t n)
{
	char name[sizeof emu->hub.port];
	snprintf(name, sizeof name, "%.*s", (int)n, port);
	if (emu->n_others == OTHERS_MAX || port_taken(emu, name))
		return NULL;
	struct usb_device *d = &emu->other[emu->n_others++];
	d->emu = emu;
	d->other = what;
	d->bus = emu->hub.bus;
	d->unplug_after = -1;
	snprintf(d->port, sizeof d->port, "%s", name);
	usb_describe(d, "0");
	return d;
}

/* The hubs on the way to a port, where they are not there yet. */
static void
hubs_build(struct emu *emu, const char *port)
{
	for (const char *dot = port; (dot = strchr(dot, '.')); dot++)
		other_build(emu, &usb_hub, port, (size_t)(dot - port));
}

/* The printer's place on the bus and its reader's. */
static int
ports_build(struct emu *emu, struct usb_device *d, const struct printer_spec *s, unsigned number)
{
	snprintf(d->port, sizeof d->port, "1-%u", number);
	if (*s->port && port_good(s->port) && !port_taken(emu, s->port))
		snprintf(d->port, sizeof d->port, "%s", s->port);
	else if (*s->port || port_taken(emu, d->port))
		return fprintf(stderr, "cardspool-emulator: no port %s\n",
			       *s->port ? s->port : d->port),
		       -1;
	hubs_build(emu, d->port);
	if (!*s->reader_port)
		return 0;
	if (port_good(s->reader_port) && strcmp(s->reader_port, d->port)) {
		hubs_build(emu, s->reader_port);
		d->printer->reader_usb =
			other_build(emu, &usb_reader, s->reader_port, strlen(s->reader_port));
	}
	if (!d->printer->reader_usb)
		fprintf(stderr, "cardspool-emulator: no port %s\n", s->reader_port);
	return d->printer->reader_usb ? 0 : -1;
}

static int
device_build(struct emu *emu, struct usb_device *d, struct printer *p, const struct printer_spec *s,
	unsigned number)
{
	p->usb = d;
	d->emu = emu;
	d->printer = p;
	d->bus = emu->hub.bus;
	d->fifo_max = p->model->buffer_bytes;
	d->fifo = malloc(d->fifo_max);
	d->unplug_after = -1;
	if (emu->timing)
		d->line_bps = p->model->full_speed ? FULL_SPEED_BPS : HIGH_SPEED_BPS;
	d->slow_bps = d->line_bps;
	d->slow_since_ms = now_ms();
	if (ports_build(emu, d, s, number))
		return -1;
	usb_describe(d, p->serial);
	return d->fifo ? 0 : -1;
}

static int
printer_build(struct emu *emu, const struct printer_spec *s, unsigned n_all)
{
	const struct model *m = model_find(s->model);
	if (!m) {
		fprintf(stderr, "cardspool-emulator: no model called %s\n", s->model);
		return -1;
	}
	if (strchr(s->serial, '/') || s->serial[0] == '.') {
		fprintf(stderr, "cardspool-emulator: not a serial number: %s\n", s->serial);
		return -1;
	}
	struct printer *p = printer_create(emu, m, s->serial, s->hopper, s->ribbon);
	if (!p) {
		fprintf(stderr, "cardspool-emulator: no ribbon called %s\n", s->ribbon);
		return -1;
	}
	p->output_capacity = s->output;
	p->reject_capacity = s->reject;
	p->tcp_port = s->tcp;
	p->station_path = *s->station ? s->station : NULL;
	p->usbredir_path = *s->usbredir ? s->usbredir : NULL;
	struct usb_device *d = &emu->device[emu->n_printers];
	if (folder_choose(emu, p, n_all) || device_build(emu, d, p, s, emu->n_printers + 1)) {
		printer_destroy(p);
		return -1;
	}
	emu->printer[emu->n_printers++] = p;
	if (*s->chip && !printer_chips(p, s->chip)) {
		fprintf(stderr, "cardspool-emulator: no chip called %s\n", s->chip);
		return -1;
	}
	if (*s->lie && !usb_lie(d, s->lie)) {
		fprintf(stderr, "cardspool-emulator: descriptors cannot be \"%s\"\n", s->lie);
		return -1;
	}
	return 0;
}

int
emu_build(struct emu *emu, const struct options *o)
{
	emu->random_state = o->seed;
	emu->hub.emu = emu;
	emu->hub.bus = 1;
	snprintf(emu->hub.port, sizeof emu->hub.port, "usb1");
	usb_describe(&emu->hub, "0000:00:00.0");
	for (unsigned i = 0; i < o->n_printers; i++)
		if (printer_build(emu, &o->printer[i], o->n_printers))
			return -1;
	if (emu->state_path && state_read(emu, emu->state_path))
		return -1;
	if (emu->sandboxed && tree_create(emu))
		return -1;
	emu->next_devnum = 1;
	usb_plug(&emu->hub, true);
	for (unsigned i = 0; i < emu->n_others; i++)
		usb_plug(&emu->other[i], true);
	for (unsigned i = 0; i < emu->n_printers; i++)
		usb_plug(&emu->device[i], true);
	return 0;
}
