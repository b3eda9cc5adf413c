/*
 * reader.c - the chip reader of a printer: a PN532 on a serial port, or a PC/SC reader.
 *
 * Owns the choice between the two and their life. "--station LINK" is a PN532; "--station
 * pcsc:SOCKET:NAME" is a PC/SC reader of a known model, for a pcscd with our handler at SOCKET.
 * Both stand before the same antenna. A name that no model has is refused, with the names.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"
#include "tests/emulator/pcsc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char pcsc_word[] = "pcsc:";

static void
models_print(const char *name)
{
	fprintf(stderr, "cardspool-emulator: no contactless reader is called %s; there are:\n",
		name);
	for (const struct reader_model *m = reader_models; m->name; m++)
		if (m->contactless)
			fprintf(stderr, "  %s\n", m->name);
}

/* "SOCKET:NAME" */
static int
pcsc_begin(struct printer *p, const char *spec)
{
	const char *name = strchr(spec, ':');
	const struct reader_model *m = name ? reader_model_find(name + 1) : NULL;
	char path[256];

	if (!m || !m->contactless || (size_t)(name - spec) >= sizeof path) {
		models_print(name ? name + 1 : spec);
		return -1;
	}
	snprintf(path, sizeof path, "%.*s", (int)(name - spec), spec);
	p->pcsc = pcsc_reader_start(&slot_field, slot_field_create(&p->field, m), name + 1, path);
	if (p->pcsc && p->reader_usb)
		pcsc_reader_place(p->pcsc, p->reader_usb->bus, p->reader_usb->devnum);
	if (p->pcsc)
		return 0;
	fprintf(stderr, "cardspool-emulator: no reader at %s: %s\n", path, strerror(errno));
	return -1;
}

int
station_start(struct printer *p, bool timing)
{
	if (!p->station_path)
		return 0;
	if (strncmp(p->station_path, pcsc_word, sizeof pcsc_word - 1) == 0)
		return pcsc_begin(p, p->station_path + sizeof pcsc_word - 1);
	p->station = pn532_start(&p->field, p->station_path, timing);
	if (p->station)
		return 0;
	fprintf(stderr, "cardspool-emulator: no station at %s\n", p->station_path);
	return -1;
}

char *
station_control(struct printer *p, const char *line)
{
	if (p->pcsc)
		return pcsc_reader_control(p->pcsc, line);
	return p->station ? pn532_control(p->station, line) : NULL;
}

void
station_stop(struct printer *p)
{
	pn532_stop(p->station);
	pcsc_reader_stop(p->pcsc);
	p->station = NULL;
	p->pcsc = NULL;
}
