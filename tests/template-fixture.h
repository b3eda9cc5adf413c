/*
 * template-fixture.h - a small template folder made on the spot.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef TESTS_TEMPLATE_FIXTURE_H
#define TESTS_TEMPLATE_FIXTURE_H

#include "filters/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIXTURE_SVG(body)                                                                          \
	"<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' "      \
	"xmlns:cs='urn:cardspool:template:1' width='20mm' height='12mm' "                          \
	"viewBox='0 0 240 144' cs:dpi='300'>" body "</svg>"

#define FIXTURE_FONT "cs:font='Noto Sans CJK SC Medium'"

#define FIXTURE_SCHEMA                                                                             \
	"template fixture\ntitle Fixture\nnumber 证号\nholder 姓名\n"                          \
	"field 证号 40 text\nfield 姓名 120 text mask=name\nfield 日期 8 date\n"

#define FIXTURE_SEAL                                                                               \
	"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 40 40' width='40' height='40'>"      \
	"<rect width='40' height='20' fill='#ff0000' fill-opacity='0.5'/></svg>"

struct fixture {
	char dir[64];
};

static inline void
fixture_file(const struct fixture *f, const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", f->dir, name);
	FILE *file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file))
		abort();
}

static inline void
fixture_create(struct fixture *f, const char *front, const char *back)
{
	snprintf(f->dir, sizeof f->dir, "/tmp/cardspool-test-XXXXXX");
	if (!mkdtemp(f->dir))
		abort();
	fixture_file(f, "front.svg", front);
	if (back)
		fixture_file(f, "back.svg", back);
	fixture_file(f, "seal.svg", FIXTURE_SEAL);
	fixture_file(f, "record.schema", FIXTURE_SCHEMA);
}

static inline void
fixture_destroy(const struct fixture *f)
{
	static const char *const names[] = {"front.svg", "back.svg", "seal.svg", "seal.png",
		"record.schema", "chip.map", "template.bin"};
	char path[128];

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
		unlink(path);
	}
	rmdir(f->dir);
}

#endif
