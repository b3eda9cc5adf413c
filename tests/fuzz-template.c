/*
 * fuzz-template.c - random damage to what a designer and a photographer hand in: the attributes of
 * a drawing, template.bin as it is mapped, the headers of pictures.
 *
 * LLVMFuzzerTestOneInput takes the first byte as the choice of the reader. With libFuzzer, build
 * this file with -fsanitize=fuzzer -DFUZZ_NO_MAIN; without it, main damages good inputs with a
 * fixed seed, so that a failure can be repeated. What is proved: no crash and no read outside
 * (under the sanitizers), an error always has words, and what is accepted keeps its limits.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/template-svg.h"
#include "tests/template-fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { INPUT_MAX = 512 * 1024 };

static void
demand(bool truth, const char *what)
{
	if (truth)
		return;
	fprintf(stderr, "fuzz-template: %s\n", what);
	abort();
}

/* The drawing goes through a file, as it does in life; one name for each process. */
static void
drawing_try(const uint8_t *data, size_t len)
{
	char path[64];
	struct svg *svg;
	struct err e = {0};
	static struct box boxes[TEMPLATE_BOXES_MAX];
	unsigned w, h, dpi;
	size_t n = 0;

	snprintf(path, sizeof path, "/tmp/cardspool-fuzz-%ld.svg", (long)getpid());
	FILE *file = fopen(path, "wb");
	demand(file && fwrite(data, 1, len, file) == len && !fclose(file), "the scratch file");
	int rc = svg_load(&svg, path, &e);
	demand((rc == 0) == (svg != NULL), "success and result differ");
	if (!rc && !(rc = svg_geometry(svg, &w, &h, &dpi, &e)))
		rc = svg_boxes(svg, SIDE_FRONT, w, h, boxes, TEMPLATE_BOXES_MAX, &n, &e);
	demand(rc <= 0 && (!rc || e.text[0]), "an error without words");
	for (size_t i = 0; !rc && i < n; i++) {
		const struct box *b = &boxes[i];
		demand(b->kind < BOX_KIND_COUNT && b->ink < INK_COUNT && b->fit < FIT_COUNT &&
				b->align < ALIGN_COUNT && b->symbology < SYM_COUNT &&
				b->show < SHOW_COUNT,
			"a word that is none");
		demand(b->w && b->h && b->x + b->w <= w && b->y + b->h <= h, "a box off the card");
		if (b->kind == BOX_TEXT)
			demand(b->field_name[0] && b->font[0] && b->min_size <= b->size &&
					b->size <= 1000 * TEMPLATE_SIZE_UNIT && b->lines >= 1,
				"a text of no size");
	}
	svg_destroy(svg);
	unlink(path);
}

/* Every piece that was accepted is read to its last byte. */
static unsigned
pieces_read(const struct template *t)
{
	size_t dots = (size_t)t->width * t->height, bits = plane_stride(1, t->height) * t->width;
	unsigned sum = 0;

	for (int side = 0; side < SIDE_COUNT; side++) {
		const struct art *a = &t->art[side];
		const struct {
			const uint8_t *at;
			size_t len;
		} pieces[] = {{a->rgb, 4 * dots}, {a->ymc[0], dots}, {a->ymc[1], dots},
			{a->ymc[2], dots}, {a->k, bits}, {a->mono, bits}, {a->uv, bits},
			{a->overlay, bits}};
		for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
			if (pieces[i].at)
				sum += pieces[i].at[0] + pieces[i].at[pieces[i].len - 1];
	}
	for (size_t i = 0; i < t->n_boxes; i++)
		if (t->boxes[i].seal)
			sum += t->boxes[i].seal[(size_t)t->boxes[i].w * t->boxes[i].h * 4 - 1];
	return sum;
}

static void
compiled_try(const uint8_t *data, size_t len)
{
	struct template t = {.map = malloc(len ? len : 1), .map_len = len};
	struct err e = {0};

	demand(t.map, "memory");
	memcpy(t.map, data, len);
	int rc = template_parse(&t, "fuzz", &e);
	demand(rc <= 0 && (!rc || e.text[0]), "an error without words");
	if (!rc) {
		volatile unsigned sum = pieces_read(&t);
		(void)sum;
	}
	free(t.boxes);
	free(t.map);
}

static void
picture_try(const uint8_t *data, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1); /* a step too far is seen */
	unsigned w, h;
	struct err e = {0};

	demand(exact, "memory");
	memcpy(exact, data, len);
	int rc = photo_probe(exact, len, &w, &h, &e);
	demand(rc <= 0 && (!rc || e.text[0]), "an error without words");
	demand(rc || (w && h && w <= 10000 && h <= 10000), "a picture of absurd size");
	if (!rc && w * h <= 40000) {
		struct photo p;
		rc = photo_decode(&p, exact, len, 1, 1, &e);
		demand((rc == 0) == (p.pixels != NULL) && (!rc || e.text[0]),
			"success and result differ");
		photo_done(&p);
	}
	free(exact);
}

static void (*const readers[])(const uint8_t *data, size_t len) = {
	drawing_try, compiled_try, picture_try};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len && len <= INPUT_MAX)
		readers[data[0] % ARRAY_LEN(readers)](data + 1, len - 1);
	return 0;
}

#ifndef FUZZ_NO_MAIN
static uint32_t
dice(uint64_t *seed, uint32_t sides)
{
	*seed = *seed * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(*seed >> 33) % sides;
}

/* Damages up to four bytes of the first reach ones (0: all), and now and then loses the end. */
static void
rounds_run(unsigned reader, const struct buf *good, size_t reach, unsigned rounds)
{
	static const char likely[] = "\0\xff\x7f\x80 0=!<>'\"-:e9";
	uint8_t *input = malloc(good->len + 1);
	uint64_t seed = 1;

	demand(input && good->len < INPUT_MAX, "a good input");
	input[0] = (uint8_t)reader;
	for (unsigned i = 0; i <= rounds; i++) {
		size_t len = good->len, span = reach && reach < len ? reach : len;
		memcpy(input + 1, good->data, len);
		for (unsigned edits = i ? 1 + dice(&seed, 4) : 0; edits; edits--)
			input[1 + dice(&seed, (uint32_t)span)] =
				dice(&seed, 2) ? (uint8_t)likely[dice(&seed, sizeof likely - 1)]
					       : (uint8_t)dice(&seed, 256);
		if (i && !dice(&seed, 8))
			len = dice(&seed, (uint32_t)len);
		LLVMFuzzerTestOneInput(input, len + 1);
	}
	free(input);
}

#define TEXT                                                                                       \
	"<rect cs:kind='text' cs:field='姓名' " FIXTURE_FONT                                       \
	" x='10' y='10' width='90' height='40' "
static const char *const drawings[] = {
	FIXTURE_SVG(
		TEXT "cs:size='32' cs:min-size='12' cs:fit='wrap' cs:lines='2' cs:align='right'/>"),
	FIXTURE_SVG(TEXT "cs:size='9' cs:ink='dye' fill='#ff0000' cs:format='YYYY年' "
			 "cs:show-if='日期!=3'/>"),
	FIXTURE_SVG("<rect cs:kind='barcode' cs:barcode='pdf417' cs:field='证号' cs:module='2' "
		    "x='1' y='9' "
		    "width='200' height='99' cs:overlay='none'/>"),
	FIXTURE_SVG("<g transform='translate(3 4) scale(0.5)' cs:ink='uv'><rect cs:kind='photo' "
		    "cs:ink='uv' width='64' height='80'/></g>"),
	FIXTURE_SVG("<g cs:kind='art' cs:show-if='日期' cs:only='colour'><circle cx='50' cy='50' "
		    "r='20'/></g><rect cs:kind='seal' width='30' height='30'/>"),
};

static void
compiled_run(void)
{
	struct fixture f;
	struct buf b;
	struct err e = {0};
	struct template *t;
	char path[128];

	fixture_create(&f,
		FIXTURE_SVG("<rect width='90' height='50' fill='#cfc' cs:overlay='none'/><rect "
			    "cs:ink='uv' width='9' height='9'/>" TEXT
			    "cs:size='20'/><rect cs:kind='seal' x='5' y='60' width='40' "
			    "height='40'/>"),
		FIXTURE_SVG("<rect cs:kind='photo' width='40' height='50'/>"));
	demand(!template_build(f.dir, NULL, &e), e.text);
	snprintf(path, sizeof path, "%s/template.bin", f.dir);
	buf_init(&b, INPUT_MAX);
	demand(!file_read(&b, path, INPUT_MAX, &e), e.text);
	rounds_run(1, &b, TEMPLATE_HEAD_LEN, 1500);
	struct buf tail = {b.data, b.len, b.len, b.len};
	/* The table of boxes stands at the end: damage there, and at each single bit of the head.
	 */
	for (unsigned bit = 0; bit < 8 * TEMPLATE_HEAD_LEN; bit++) {
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		compiled_try(b.data, b.len);
		b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	uint64_t seed = 3;
	for (unsigned i = 0; i < 1500; i++) {
		size_t at = tail.len - 1 - dice(&seed, 3 * TEMPLATE_BOX_LEN);
		uint8_t old = b.data[at];
		b.data[at] = (uint8_t)dice(&seed, 256);
		compiled_try(b.data, b.len);
		b.data[at] = old;
	}
	/* The file itself, mapped: cut off at any page or in the middle of one. */
	for (size_t cut = 0; cut < b.len; cut += cut < 1024 ? 64 : b.len / 40) {
		demand(!truncate(path, (off_t)cut), "truncate");
		int rc = template_open(&t, f.dir, &e);
		demand(rc && !t && e.text[0], "a template cut off is opened");
		demand(!file_write(path, b.data, b.len, 0644, &e), e.text);
	}
	demand(!template_open(&t, f.dir, &e), e.text);
	template_close(t);
	buf_done(&b);
	fixture_destroy(&f);
}

int
main(void)
{
	static const char *const pictures[] = {"tests/data/photos/0004.jpg",
		"tests/data/photos/0006.bmp",
		"tests/data/golden-templates/review-label-ymckok-1.png"};
	const char *srcdir = getenv("srcdir");

	for (size_t i = 0; i < ARRAY_LEN(drawings); i++) {
		struct buf good = {(uint8_t *)(uintptr_t)drawings[i], strlen(drawings[i]), 0, 0};
		rounds_run(0, &good, 0, 250);
	}
	compiled_run();
	for (size_t i = 0; i < ARRAY_LEN(pictures); i++) {
		struct buf good;
		char path[1024];
		struct err e = {0};
		buf_init(&good, INPUT_MAX);
		snprintf(path, sizeof path, "%s/%s", srcdir ? srcdir : ".", pictures[i]);
		demand(!file_read(&good, path, INPUT_MAX, &e), e.text);
		rounds_run(2, &good, 160, 1500);
		buf_done(&good);
	}
	return 0;
}
#endif
