/*
 * card.c - physical cards: blank stock going in, finished cards coming out.
 *
 * Owns the random UIDs (unique, the same for the same seed) and the folder written for each card
 * that has left the machine. A reader of that folder finds it complete or not at all.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOTS_PER_METRE 11811 /* 300 dpi */

/* splitmix64 */
uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static bool
uid_taken(const uint8_t uid[4], struct emu_card *const *others, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!memcmp(others[i]->chip.uid, uid, 4))
			return true;
	return false;
}

struct emu_card *
card_create(
	unsigned serial, uint64_t *random_state, struct emu_card *const *others, unsigned n_others)
{
	struct emu_card *c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	uint8_t uid[4];
	do {
		uint64_t r = random_next(random_state);
		memcpy(uid, &r, sizeof uid);
		/* first bytes with a meaning of their own: cascade tag, random and reserved ids */
	} while (uid[0] == 0x88 || uid[0] == 0x08 || (uid[0] & 0x0f) == 0x0f ||
		 uid_taken(uid, others, n_others));
	c->serial = serial;
	chip_init(&c->chip, uid, 4);
	snprintf(c->bin, sizeof c->bin, "hopper");
	c->side_width[0] = c->side_width[1] = LINES;
	c->height = DOTS;
	return c;
}

/* As new; who is told of writes stays. */
static void
chip_renew(struct chip *c, const uint8_t *uid, unsigned uid_len)
{
	const struct chip old = *c;

	chip_init(c, uid, uid_len);
	c->on_write = old.on_write;
	c->on_write_ctx = old.on_write_ctx;
}

bool
card_chip(struct emu_card *c, const char *kind)
{
	uint8_t uid[7] = {0x04}; /* NXP's; the rest is as unique as it was */

	if (!chip_has_long_uid(kind)) {
		memcpy(uid, c->chip.uid, 4);
		chip_renew(&c->chip, uid, 4);
	} else {
		memcpy(uid + 1, c->chip.uid, 4);
		uid[6] = 0x80;
		chip_renew(&c->chip, uid, 7);
	}
	return chip_set_kind(&c->chip, kind);
}

bool
card_uid(struct emu_card *c, const char *hex)
{
	uint8_t uid[7];
	const size_t len = strlen(hex) / 2;
	if ((len != 4 && len != 7) || strspn(hex, "0123456789abcdefABCDEF") != strlen(hex) ||
		strlen(hex) % 2)
		return false;
	for (size_t i = 0; i < len; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &uid[i]) != 1)
			return false;
	const char *kind = chip_kind(&c->chip);
	chip_renew(&c->chip, uid, (unsigned)len);
	return chip_set_kind(&c->chip, kind);
}

void
card_destroy(struct emu_card *c)
{
	if (!c)
		return;
	free(c->side_rgb[0]);
	free(c->side_rgb[1]);
	free(c->second);
	for (int t = 0; t < TRACKS; t++)
		free(c->track[t]);
	free(c);
}

static int
png_write(const char *path, const uint8_t *rgb, unsigned width, unsigned height)
{
	FILE *f = fopen(path, "wbe");
	if (!f)
		return -1;
	int rc = -1;
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	if (info && !setjmp(png_jmpbuf(png))) {
		png_init_io(png, f);
		png_set_compression_level(png, 1);
		png_set_filter(png, 0, PNG_FILTER_SUB);
		png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
			PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
		png_set_pHYs(png, info, DOTS_PER_METRE, DOTS_PER_METRE, PNG_RESOLUTION_METER);
		png_write_info(png, info);
		for (unsigned y = 0; y < height; y++)
			png_write_row(png, rgb + (size_t)y * width * 3);
		png_write_end(png, NULL);
		rc = 0;
	}
	png_destroy_write_struct(&png, &info);
	return fclose(f) ? -1 : rc;
}

static int
bytes_write(const char *path, const void *bytes, size_t len)
{
	FILE *f = fopen(path, "wbe");
	if (!f)
		return -1;
	bool ok = fwrite(bytes, 1, len, f) == len;
	return fclose(f) || !ok ? -1 : 0;
}

/* One line a track, blank tracks empty. */
static int
tracks_write(const char *path, const struct emu_card *c)
{
	FILE *f = fopen(path, "we");
	if (!f)
		return -1;
	bool ok = true;
	for (int t = 0; t < TRACKS; t++)
		ok = fprintf(f, "%s\n", c->track[t] ? c->track[t] : "") > 0 && ok;
	return fclose(f) || !ok ? -1 : 0;
}

static void
hex_text(char *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	out[2 * len] = 0;
}

static json_t *
file_sha256(const char *path)
{
	uint8_t block[65536], sum[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 1];
	unsigned sum_len = 0;
	FILE *f = fopen(path, "rbe");
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	if (f && md && EVP_DigestInit_ex(md, EVP_sha256(), NULL)) {
		size_t n;
		while ((n = fread(block, 1, sizeof block, f)) > 0)
			EVP_DigestUpdate(md, block, n);
		EVP_DigestFinal_ex(md, sum, &sum_len);
	}
	if (f)
		fclose(f);
	EVP_MD_CTX_free(md);
	hex_text(hex, sum, sum_len);
	return json_string(hex);
}

static json_t *
panels_text(unsigned mask)
{
	char text[P_COUNT + 1];
	size_t n = 0;
	for (int i = 0; i < P_COUNT; i++)
		if (mask & 1u << i)
			text[n++] = panel_names[i];
	text[n] = 0;
	return json_string(text);
}

static json_t *
card_describe(const struct emu_card *c)
{
	char uid[2 * sizeof c->chip.uid + 1];
	hex_text(uid, c->chip.uid, c->chip.uid_len);
	return json_pack("{s:i, s:s, s:s, s:b, s:i, s:{s:o, s:o}, s:{s:b, s:b}}", "serial",
		(int)c->serial, "bin", c->bin, "uid", uid, "chip", !c->chip.absent, "chip_writes",
		(int)c->chip.writes, "panels", "front", panels_text(c->panels_used[0]), "back",
		panels_text(c->panels_used[1]), "overlay", "front",
		!!(c->panels_used[0] & 1u << P_O), "back", !!(c->panels_used[1] & 1u << P_O));
}

int
card_write(const struct emu_card *c, const char *out_dir)
{
	static const char *const picture[2] = {"front.png", "back.png"};
	char folder[4096], path[4200], final[4096];
	snprintf(folder, sizeof folder, "%s/.%04u.part", out_dir, c->serial);
	snprintf(final, sizeof final, "%s/%04u", out_dir, c->serial);
	if (mkdir(folder, 0777) && errno != EEXIST)
		return -1;
	json_t *card = card_describe(c), *sums = json_object();
	int rc = 0;
	for (int side = 0; side < 2; side++) {
		if (!c->side_rgb[side])
			continue;
		snprintf(path, sizeof path, "%s/%s", folder, picture[side]);
		rc |= png_write(path, c->side_rgb[side], c->side_width[side], c->height);
		json_object_set_new(sums, picture[side], file_sha256(path));
	}
	snprintf(path, sizeof path, "%s/chip.mfd", folder);
	rc |= bytes_write(path, c->chip.mem, sizeof c->chip.mem);
	json_object_set_new(sums, "chip.mfd", file_sha256(path));
	if (c->track[0] || c->track[1] || c->track[2]) {
		snprintf(path, sizeof path, "%s/tracks.txt", folder);
		rc |= tracks_write(path, c);
		json_object_set_new(sums, "tracks.txt", file_sha256(path));
	}
	json_object_set_new(card, "sha256", sums);
	snprintf(path, sizeof path, "%s/card.json", folder);
	rc |= json_dump_file(card, path, JSON_INDENT(2));
	json_decref(card);
	if (rc || rename(folder, final))
		return -1;
	return 0;
}
