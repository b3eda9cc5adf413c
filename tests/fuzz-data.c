/*
 * fuzz-data.c - random damage to everything floor 1 reads: schema, chip.map, roster, photo, batch.
 *
 * LLVMFuzzerTestOneInput takes the first byte as the choice of the reader. With libFuzzer, build
 * this file with -fsanitize=fuzzer -DFUZZ_NO_MAIN; without it, main mutates good inputs a few
 * thousand times with a fixed seed, so that a failure can be repeated. What is proved: no crash, no
 * leak under the sanitizers, an error always has a text, and a success always has a result.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/card.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FUZZ_INPUT_MAX (256 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
demand(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "fuzz-data: %s\n", what);
	abort();
}

static void
verdict(int rc, const void *result, const struct err *e)
{
	demand(rc <= 0, "a code above zero");
	demand((rc == 0) == (result != NULL), "success and result differ");
	demand(rc == 0 || (e->code == rc && e->text[0]), "an error without words");
}

static struct schema *
schema_small(void)
{
	static const char text[] = "template t\nnumber 证号\nfield 证号 20 certno required unique\n"
				   "field 姓名 26 text required mask=name\nfield 日 8 date\n"
				   "kinds 军官证\n";
	struct schema *s = NULL;

	demand(!schema_parse(&s, (const uint8_t *)text, sizeof text - 1, "s", NULL),
		"the small schema");
	return s;
}

static void
schema_try(const uint8_t *data, size_t len)
{
	struct schema *s;
	struct err e = {0};
	int rc = schema_parse(&s, data, len, "fuzz", &e);

	verdict(rc, s, &e);
	schema_destroy(s);
}

static void
chip_map_try(const uint8_t *data, size_t len)
{
	struct schema *s = schema_small();
	struct chip_map *m;
	struct err e = {0};
	int rc = chip_map_parse(&m, data, len, "fuzz", s, &e);

	verdict(rc, m, &e);
	if (!rc) {
		struct chip_image image;
		struct record r, back;
		demand(!record_create(&r, s, NULL), "record_create");
		demand(!chip_image_build(&image, m, s, &r, &e), "an empty record fits every map");
		demand(!(image.data & image.mac), "data and MAC share a block");
		demand(!((image.data | image.mac) & 0x8888888888888889u), "a trailer or block 0");
		demand(!chip_image_parse(&image, m, s, &back, &e), "what was built can be read");
		record_done(&back, s);
		record_done(&r, s);
	}
	chip_map_destroy(m);
	schema_destroy(s);
}

static void
roster_try(const uint8_t *data, size_t len)
{
	struct schema *s = schema_small();
	struct roster *r;
	struct err e = {0};
	int rc = roster_parse(&r, s, data, len, "fuzz", NULL, NULL, &e);

	verdict(rc, r, &e);
	for (size_t i = 0; r && i < r->n_records; i++)
		for (size_t f = 0; f < s->n_fields; f++) {
			size_t need;
			demand(!charset_to_gbk(NULL, 0, &need, r->records[i].values[f], NULL) &&
					need <= s->fields[f].max_bytes,
				"an accepted value does not fit");
		}
	roster_destroy(r);
	schema_destroy(s);
}

static void
photo_try(const uint8_t *data, size_t len)
{
	struct photo p;
	unsigned w, h;
	struct err e = {0};
	int probe = photo_probe(data, len, &w, &h, &e);

	demand(!probe || e.text[0], "an error without words");
	/* The limits allow pictures that take too long for a loop of thousands. */
	if (!probe && (uint64_t)w * h > 1000 * 1000)
		return;
	int rc = photo_decode(&p, data, len, 60, 75, &e);
	verdict(rc, p.pixels, &e);
	photo_done(&p);
}

static void
batch_try(const uint8_t *data, size_t len)
{
	struct schema *s = schema_small();
	struct batch *b;
	struct record r;
	struct err e = {0};
	int rc = batch_parse(&b, data, len, "fuzz", &e);

	verdict(rc, b, &e);
	if (b && !batch_record(b, s, 1, &r, &e))
		record_done(&r, s);
	batch_close(b);
	schema_destroy(s);
}

static void (*const readers[])(const uint8_t *data, size_t len) = {
	schema_try, chip_map_try, roster_try, photo_try, batch_try};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len && len <= FUZZ_INPUT_MAX)
		readers[data[0] % ARRAY_LEN(readers)](data + 1, len - 1);
	return 0;
}

#ifndef FUZZ_NO_MAIN
static uint32_t
next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* One to eight edits: a byte set, a piece cut out, a piece doubled, the end lost. */
static size_t
mutate(uint8_t *data, size_t len, size_t max, uint32_t *seed)
{
	for (unsigned edits = 1 + next_random(seed) % 8; edits && len > 1; edits--) {
		size_t at = next_random(seed) % len, n = 1 + next_random(seed) % 32;
		n = n > len - at ? len - at : n;
		switch (next_random(seed) % 8) {
		case 0:
			memmove(data + at, data + at + n, len - at - n);
			len -= n;
			break;
		case 1:
			if (len + n <= max) {
				memmove(data + at + n, data + at, len - at);
				len += n;
			}
			break;
		case 2:
			len = at + 1;
			break;
		case 3:
			data[at] = "\0\xff,\"\n=[]0:/#"[next_random(seed) % 12];
			break;
		default:
			data[at] = (uint8_t)next_random(seed);
		}
	}
	return len;
}

static void
fuzz(unsigned reader, const struct buf *good, unsigned rounds)
{
	uint8_t *input = malloc(FUZZ_INPUT_MAX);
	uint32_t seed = 2463534242u;

	demand(input && good->len + 1 < FUZZ_INPUT_MAX, "a good input");
	for (unsigned i = 0; i <= rounds; i++) {
		input[0] = (uint8_t)reader;
		memcpy(input + 1, good->data, good->len);
		size_t len = good->len;
		if (i) /* the first round is the good input itself */
			len = mutate(input + 1, len, FUZZ_INPUT_MAX - 1, &seed);
		LLVMFuzzerTestOneInput(input, len + 1);
	}
	free(input);
}

/* A batch of two records without photos, written through the front door. */
static void
batch_good(struct buf *out)
{
	static const char csv[] = "证号,姓名,日,证件类型\nT110105199003070017,张伟,20210305,\n"
				  "T军字第2号,李娜,,军官证\n";
	struct schema *s = schema_small();
	struct batch_info info = {.template_name = "t"};
	struct roster *r = NULL;
	char path[] = "/tmp/cardspool-fuzz.XXXXXX";
	int fd = mkstemp(path);

	demand(fd >= 0, "a temporary file");
	close(fd);
	demand(!roster_parse(&r, s, (const uint8_t *)csv, sizeof csv - 1, "r", NULL, NULL, NULL),
		"roster");
	demand(!batch_write(path, s, &info, r, NULL) && !file_read(out, path, FUZZ_INPUT_MAX, NULL),
		"batch");
	unlink(path);
	roster_destroy(r);
	schema_destroy(s);
}

int
main(void)
{
	static const struct {
		unsigned reader, rounds;
		const char *path; /* below srcdir; NULL: batch_good */
	} rows[] = {
		{0, 1500, "templates/special-operation/record.schema"},
		{1, 1500, "tests/data/fuzz-chip.map"},
		{2, 1500, "tests/data/fuzz-roster.csv"},
		{2, 300, "tests/data/roster-gb18030.csv"},
		{3, 300, "tests/data/photos/0002.JPG"},
		{3, 300, "tests/data/photos/0004.jpg"},
		{3, 500, "tests/data/photos/0006.bmp"},
		{4, 1500, NULL},
	};
	const char *srcdir = getenv("srcdir");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf good;
		char path[1024];
		struct err e = {0};
		buf_init(&good, FUZZ_INPUT_MAX);
		snprintf(path, sizeof path, "%s/%s", srcdir ? srcdir : ".",
			rows[i].path ? rows[i].path : "");
		if (!rows[i].path)
			batch_good(&good);
		else
			demand(!file_read(&good, path, FUZZ_INPUT_MAX, &e), e.text);
		fuzz(rows[i].reader, &good, rows[i].rounds);
		buf_done(&good);
	}
	return 0;
}
#endif
