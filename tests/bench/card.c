/*
 * card.c - the benchmark's clockwork: makes cards in one warm process and tells how long it took.
 *
 *   card BATCH TEMPLATE-FOLDER RIBBON        commands on stdin, one answer line each
 *     ours N | naive N | limit N             microseconds of CPU for N cards, bytes of stream
 *     pdf N FILE                             writes a PDF of N cards for other programs
 *   card BATCH TEMPLATE-FOLDER RIBBON count N
 *     our way through N cards twice, the second time in way_count() for a tool that counts
 * instructions
 *
 * Guarantees: every way gets the same records, photos and ribbon, and its stream goes to /dev/null.
 * On failure one line on stderr and exit status 1.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jpeglib.h>

enum { PHOTO_MAX = 1 << 20, CARDS_MAX = 100000 };

struct bench {
	struct deck deck;
	struct renderer *renderer;
	struct naive *naive;
	int null_fd;
	size_t card_bytes; /* of one card in the stream */
	uint8_t *from, *to;
};

/* ---- the batch ---- */

static void
deck_done(struct deck *d)
{
	for (size_t i = 0; i < d->n; i++) {
		record_done(&d->records[i], template_schema(d->template));
		buf_done(&d->photos[i]);
	}
	free(d->records);
	free(d->photos);
	template_close(d->template);
}

static int
deck_load(struct deck *d, const char *batch_path, struct err *e)
{
	struct batch *batch = NULL;
	int rc = batch_open(&batch, batch_path, e);

	if (rc || (rc = template_open(&d->template, d->template_dir, e)))
		goto out;
	unsigned n = batch_info(batch)->n_records;
	d->records = calloc(n, sizeof *d->records);
	d->photos = calloc(n, sizeof *d->photos);
	if (!d->records || !d->photos) {
		rc = err_set(e, ERR_SYSTEM, "out of memory");
		goto out;
	}
	while (!rc && d->n < n) {
		size_t i = d->n;
		buf_init(&d->photos[i], PHOTO_MAX);
		rc = batch_record(
			batch, template_schema(d->template), (unsigned)i + 1, &d->records[i], e);
		if (rc)
			break;
		d->n++;
		if (d->records[i].photo[0])
			rc = batch_entry(batch, d->records[i].photo, &d->photos[i], PHOTO_MAX, e);
	}
out:
	if (batch)
		batch_close(batch);
	return rc;
}

/* ---- the ways ---- */

/* What the filter does for a card whose record and photo it has, hashes and chip image included. */
static int
ours_card(struct bench *b, size_t index, struct err *e)
{
	const struct deck *d = &b->deck;
	const struct schema *schema = template_schema(d->template);
	const struct chip_map *map = template_chip_map(d->template);
	const struct record *rec = &d->records[index % d->n];
	const struct buf *photo = &d->photos[index % d->n];
	struct stream_card card = {.card = (unsigned)index + 1, .copy = 1, .has_chip = map != NULL};
	uint8_t hash[HASH_LEN];
	int rc = 0;

	record_hash(hash, schema, rec);
	hex_build(card.record_hash, hash, HASH_LEN);
	record_mask(
		card.number_masked, sizeof card.number_masked, schema, rec, schema->number_field);
	record_mask(card.name_masked, sizeof card.name_masked, schema, rec, schema->name_field);
	if (map)
		rc = chip_image_build(&card.chip, map, schema, rec, e);
	for (int side = 0; !rc && side < SIDE_COUNT; side++)
		rc = face_render(b->renderer, rec, photo->data, photo->len, (enum side)side,
			d->ribbon, &card.face[side], e);
	if (!rc)
		rc = stream_write_card(b->null_fd, &card, e);
	stream_card_done(&card);
	return rc;
}

static int
peer_card(struct bench *b, size_t index, struct err *e)
{
	struct stream_card card = {0};
	int rc = naive_card(b->naive, &b->deck, index % b->deck.n, &card, e);

	if (!rc)
		rc = stream_write_card(b->null_fd, &card, e);
	stream_card_done(&card);
	return rc;
}

/* The smallest of libjpeg's own sizes that still fills the photo's box. */
static unsigned
jpeg_eighths(const struct bench *b, unsigned width, unsigned height)
{
	for (size_t i = 0; i < b->deck.template->n_boxes; i++) {
		const struct box *box = &b->deck.template->boxes[i];
		for (unsigned m = 1; box->kind == BOX_PHOTO && m < 8; m++)
			if (width * m / 8 >= box->w && height * m / 8 >= box->h)
				return m;
	}
	return 8;
}

/* No way can be faster than decoding the photo and copying the bytes that leave. */
static int
limit_card(struct bench *b, size_t index, struct err *e)
{
	const struct buf *photo = &b->deck.photos[index % b->deck.n];

	(void)e;
	memcpy(b->to, b->from, b->card_bytes);
	if (photo->len < 2 || photo->data[0] != 0xff)
		return 0;
	struct jpeg_decompress_struct jpeg;
	struct jpeg_error_mgr errors;
	jpeg.err = jpeg_std_error(&errors);
	jpeg_create_decompress(&jpeg);
	jpeg_mem_src(&jpeg, photo->data, photo->len);
	jpeg_read_header(&jpeg, TRUE);
	jpeg.out_color_space = JCS_EXT_BGRX;
	jpeg.scale_num = jpeg_eighths(b, jpeg.image_width, jpeg.image_height);
	jpeg.scale_denom = 8;
	jpeg_start_decompress(&jpeg);
	while (jpeg.output_scanline < jpeg.output_height) {
		JSAMPROW row = b->to + (size_t)jpeg.output_scanline * jpeg.output_width * 4;
		jpeg_read_scanlines(&jpeg, &row, 1);
	}
	jpeg_finish_decompress(&jpeg);
	jpeg_destroy_decompress(&jpeg);
	return 0;
}

/* Bytes of one card in the stream, by writing one to a file without a name. */
static int
card_measure(struct bench *b, struct err *e)
{
	FILE *file = tmpfile();
	int fd = b->null_fd, rc;

	if (!file)
		return err_set(e, ERR_STORAGE, "no temporary file: %s", strerror(errno));
	b->null_fd = fileno(file);
	rc = ours_card(b, 0, e);
	b->null_fd = fd;
	b->card_bytes = (size_t)lseek(fileno(file), 0, SEEK_END);
	fclose(file);
	/* The decoded photo lands in the same memory, so it must be no smaller. */
	size_t room = b->card_bytes > 4 << 20 ? b->card_bytes : 4 << 20;
	b->from = malloc(room);
	b->to = malloc(room);
	if (rc || !b->from || !b->to)
		return rc ? rc : err_set(e, ERR_SYSTEM, "out of memory");
	memset(b->from, 0x55, room);
	memset(b->to, 0xaa, room);
	return 0;
}

/* ---- the commands ---- */

typedef int card_way(struct bench *b, size_t index, struct err *e);

static const struct way {
	const char *name;
	card_way *card;
} ways[] = {
	{"ours", ours_card},
	{"naive", peer_card},
	{"limit", limit_card},
};

static long long
cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

static int
way_run(struct bench *b, const char *name, size_t count, struct err *e)
{
	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		if (strcmp(ways[w].name, name))
			continue;
		long long start = cpu_us();
		for (size_t i = 0; i < count; i++) {
			int rc = ways[w].card(b, i, e);
			if (rc)
				return rc;
		}
		printf("%lld %zu\n", cpu_us() - start, b->card_bytes);
		return 0;
	}
	return err_set(e, ERR_USAGE, "no way of that name: %s", name);
}

/* A function of its own, so that callgrind can count inside it alone. */
static __attribute__((noinline)) int
way_count(struct bench *b, size_t count, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < count; i++)
		rc = ours_card(b, i, e);
	return rc;
}

static int
command_run(struct bench *b, char *line, struct err *e)
{
	char *rest = line, *name = lines_word(&rest), *number = lines_word(&rest);
	char *end = NULL, *path = lines_word(&rest);
	unsigned long count = number ? strtoul(number, &end, 10) : 0;

	if (!name || !number || *end || count < 1 || count > CARDS_MAX)
		return err_set(e, ERR_USAGE, "a command is a word and a number of cards");
	if (strcmp(name, "pdf"))
		return way_run(b, name, count, e);
	if (!path)
		return err_set(e, ERR_USAGE, "pdf needs a file");
	int rc = naive_pdf(b->naive, &b->deck, count, path, e);
	if (!rc)
		printf("0 0\n");
	return rc;
}

static int
bench_run(struct bench *b, int argc, char **argv, struct err *e)
{
	char line[4096];
	int rc = deck_load(&b->deck, argv[1], e);

	if (!rc)
		rc = renderer_create(&b->renderer, b->deck.template, e);
	if (rc)
		return rc;
	if (argc == 6) {
		unsigned long count = strtoul(argv[5], NULL, 10);
		count = count > CARDS_MAX ? CARDS_MAX : count;
		rc = way_run(b, "ours", count, e);
		return rc ? rc : way_count(b, count, e);
	}
	if ((rc = naive_create(&b->naive, &b->deck, e)) || (rc = card_measure(b, e)))
		return rc;
	while (!rc && fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = '\0';
		rc = command_run(b, line, e);
		fflush(stdout);
	}
	return rc;
}

int
main(int argc, char **argv)
{
	struct bench b = {.null_fd = -1};
	struct err e = {0};

	if (argc != 4 && argc != 6) {
		fprintf(stderr, "usage: card BATCH TEMPLATE-FOLDER RIBBON [count N]\n");
		return 64;
	}
	b.deck.template_dir = argv[2];
	b.deck.ribbon = ribbon_find(argv[3]);
	b.null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int rc = b.deck.ribbon && b.null_fd >= 0 ? bench_run(&b, argc, argv, &e)
						 : err_set(&e, ERR_USAGE, "no ribbon %s", argv[3]);
	if (rc)
		fprintf(stderr, "bench: %s\n", e.text);
	naive_destroy(b.naive);
	renderer_destroy(b.renderer);
	deck_done(&b.deck);
	free(b.from);
	free(b.to);
	if (b.null_fd >= 0)
		close(b.null_fd);
	return rc ? 1 : 0;
}
