/*
 * template.c - opening a compiled template (the format is drawn in template.h).
 *
 * Owns the mapped file and what was read beside it: the record's schema, the chip map and the
 * tag's. Guarantees: every offset, length and enumeration was checked before it is used; a template
 * whose sources changed since it was compiled is refused. On failure nothing stays mapped.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/face.h"
#include "filters/le.h"
#include "filters/ndef.h"
#include "filters/template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const template_sources[TEMPLATE_SOURCES] = {
	"front.svg", "back.svg", "seal.svg", "seal.png", "record.schema", "chip.map", "ndef.map"};

enum { PATH_LEN = 4096 };

static int
path_build(char out[PATH_LEN], const char *dir, const char *name, struct err *e)
{
	int n = snprintf(out, PATH_LEN, "%s/%s", dir, name);

	return n > 0 && n < PATH_LEN ? 0
				     : err_set(e, ERR_USAGE, _("%s: the path is too long."), dir);
}

int
template_source_hash(
	const char *dir, int source, uint8_t out[HASH_LEN], bool *present, struct err *e)
{
	char path[PATH_LEN];
	struct buf b;

	*present = false;
	memset(out, 0, HASH_LEN);
	int rc = path_build(path, dir, template_sources[source], e);
	if (rc || (access(path, F_OK) && errno == ENOENT))
		return rc;
	buf_init(&b, TEMPLATE_SOURCE_MAX);
	rc = file_read(&b, path, TEMPLATE_SOURCE_MAX, e);
	if (!rc) {
		hash_bytes(out, b.data, b.len);
		*present = true;
	}
	buf_done(&b);
	return rc;
}

static int
damaged(const char *path, struct err *e)
{
	return err_set(e, ERR_INPUT,
		_("%s: the compiled template is damaged. Run: cardspool template build FOLDER"),
		path);
}

/* A piece of len bytes at the offset that stands at *p; NULL and true for offset 0. */
static bool
piece_get(const struct template *t, const uint8_t *p, size_t len, const uint8_t **out)
{
	size_t at = le32_get(p);

	*out = at ? t->map + at : NULL;
	return !at || (at >= TEMPLATE_HEAD_LEN && at % 4 == 0 && at <= t->map_len &&
			      len <= t->map_len - at);
}

static bool
text_get(const uint8_t *in, char *out, size_t max)
{
	memcpy(out, in, max);
	return memchr(out, 0, max) != NULL;
}

static bool
art_parse(struct template *t, int side)
{
	const uint8_t *p = t->map + TEMPLATE_AT_SIDES + side * TEMPLATE_SIDE_LEN;
	struct art *a = &t->art[side];
	size_t dots = (size_t)t->width * t->height;
	size_t bits = plane_stride(1, t->height) * t->width;

	a->present = le32_get(p) == 1;
	a->colour_x0 = le32_get(p + 36) & 0xffff;
	a->colour_x1 = le32_get(p + 36) >> 16;
	a->keep_clear = le32_get(t->map + 36) >> side & 1;
	if (!piece_get(t, p + 4, dots * 4, &a->rgb) || !piece_get(t, p + 8, dots, &a->ymc[0]) ||
		!piece_get(t, p + 12, dots, &a->ymc[1]) ||
		!piece_get(t, p + 16, dots, &a->ymc[2]) || !piece_get(t, p + 20, bits, &a->k) ||
		!piece_get(t, p + 24, bits, &a->mono) || !piece_get(t, p + 28, bits, &a->uv) ||
		!piece_get(t, p + 32, bits, &a->overlay))
		return false;
	return le32_get(p) <= 1 && a->colour_x0 <= a->colour_x1 && a->colour_x1 <= t->width &&
	       (!a->present || (a->rgb && a->ymc[0] && a->ymc[1] && a->ymc[2] && a->k && a->mono));
}

static bool
box_parse(const struct template *t, const uint8_t *p, struct box *b)
{
	*b = (struct box){.side = p[0],
		.kind = p[1],
		.align = p[2],
		.fit = p[3],
		.ink = p[4],
		.lines = p[5],
		.bare = p[6] == 1,
		.x = le32_get(p + 8),
		.y = le32_get(p + 12),
		.w = le32_get(p + 16),
		.h = le32_get(p + 20),
		.size = le32_get(p + 24),
		.min_size = le32_get(p + 28),
		.colour = le32_get(p + 32),
		.symbology = p[232],
		.show = p[233],
		.module = le32_get(p + 236),
		.field = -1,
		.show_index = -1};
	if (b->side >= SIDE_COUNT || b->kind >= BOX_KIND_COUNT || b->align >= ALIGN_COUNT ||
		b->fit >= FIT_COUNT || b->ink >= INK_COUNT || !t->art[b->side].present ||
		b->symbology >= SYM_COUNT || p[6] > 1 || b->show >= SHOW_COUNT)
		return false;
	if (!b->w || !b->h || b->x > t->width || b->w > t->width - b->x || b->y > t->height ||
		b->h > t->height - b->y)
		return false;
	if (!text_get(p + 40, b->field_name, sizeof b->field_name) ||
		!text_get(p + 88, b->format, sizeof b->format) ||
		!text_get(p + 136, b->font, sizeof b->font) ||
		!text_get(p + 240, b->show_field, sizeof b->show_field) ||
		!text_get(p + 288, b->show_value, sizeof b->show_value) ||
		!text_get(p + 352, b->font_file, sizeof b->font_file))
		return false;
	if (b->kind == BOX_TEXT)
		return b->lines >= 1 && b->lines <= 16 && b->min_size >= 4 * TEMPLATE_SIZE_UNIT &&
		       b->min_size <= b->size && b->size <= 1000 * TEMPLATE_SIZE_UNIT && b->font[0];
	if (b->kind == BOX_BARCODE)
		return b->ink == INK_RESIN && b->module >= 1 && b->module <= 64;
	if (!piece_get(t, p + 36, (size_t)b->w * b->h * 4, &b->seal))
		return false;
	return b->kind == BOX_PHOTO || b->seal;
}

int
template_parse(struct template *t, const char *path, struct err *e)
{
	const uint8_t *p = t->map;

	if (t->map_len < TEMPLATE_HEAD_LEN || memcmp(p, TEMPLATE_MAGIC, 8))
		return err_set(e, ERR_INPUT,
			_("%s: is not a compiled template. Run: cardspool template build FOLDER"),
			path);
	if (le32_get(p + 8) != TEMPLATE_VERSION)
		return err_set(e, ERR_INPUT,
			_("%s: was compiled by another version. Run: cardspool template build "
			  "FOLDER"),
			path);
	t->width = le32_get(p + 16);
	t->height = le32_get(p + 20);
	t->dpi = le32_get(p + 24);
	size_t n = le32_get(p + 28);
	const uint8_t *table;
	if (le32_get(p + 12) != t->map_len || plane_shape_check(8, t->height, t->width, NULL) ||
		t->dpi < 100 || t->dpi > 2400 || n > TEMPLATE_BOXES_MAX ||
		!piece_get(t, p + 32, n * TEMPLATE_BOX_LEN, &table) || (n && !table) ||
		!text_get(p + 40, t->name, sizeof t->name) || !t->name[0])
		return damaged(path, e);
	for (int side = 0; side < SIDE_COUNT; side++)
		if (!art_parse(t, side))
			return damaged(path, e);
	t->boxes = calloc(n ? n : 1, sizeof *t->boxes);
	if (!t->boxes)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	t->n_boxes = n;
	for (size_t i = 0; i < n; i++)
		if (!box_parse(t, table + i * TEMPLATE_BOX_LEN, &t->boxes[i]))
			return damaged(path, e);
	hash_bytes(t->hash, p + TEMPLATE_AT_SOURCES, TEMPLATE_SOURCES * TEMPLATE_SOURCE_LEN);
	return 0;
}

bool
box_has_field(const struct box *b)
{
	return b->kind == BOX_TEXT || b->kind == BOX_BARCODE;
}

bool
box_is_shown(const struct box *b, char *const *values)
{
	const char *value = b->show_index < 0 ? "" : values[b->show_index];

	switch ((enum box_show)b->show) {
	case SHOW_SET:
		return value[0];
	case SHOW_EMPTY:
		return !value[0];
	case SHOW_EQUAL:
		return !strcmp(value, b->show_value);
	case SHOW_UNEQUAL:
		return strcmp(value, b->show_value) != 0;
	case SHOW_ALWAYS:
	case SHOW_COUNT:
		break;
	}
	return true;
}

static int
file_map(struct template *t, const char *path, struct err *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno == EACCES ? ERR_DENIED : ERR_MISSING,
			_("%s: cannot be read: %s. Run: cardspool template build FOLDER"), path,
			strerror(errno));
	void *map = MAP_FAILED;
	bool fits = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size >= TEMPLATE_HEAD_LEN &&
		    st.st_size <= TEMPLATE_FILE_MAX;
	if (fits)
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return damaged(path, e);
	t->map = map;
	t->map_len = (size_t)st.st_size;
	return 0;
}

/* Drawings may be missing beside template.bin; a source that is there must be the one compiled. */
static int
sources_check(const struct template *t, const char *dir, struct err *e)
{
	for (int i = 0; i < TEMPLATE_SOURCES; i++) {
		const uint8_t *told = t->map + TEMPLATE_AT_SOURCES + i * TEMPLATE_SOURCE_LEN;
		uint8_t hash[HASH_LEN];
		bool present;
		int rc = template_source_hash(dir, i, hash, &present, e);
		if (rc)
			return rc;
		if (!present && (i < SOURCE_SCHEMA || !le32_get(told)))
			continue;
		if (!present)
			return err_set(e, ERR_MISSING,
				_("%s/%s: is missing; the template was made with it."), dir,
				template_sources[i]);
		if (le32_get(told) != 1 || memcmp(told + 4, hash, HASH_LEN))
			return err_set(e, ERR_INPUT,
				_("%s: %s was changed after the template was compiled. "
				  "Run: cardspool template build %s"),
				dir, template_sources[i], dir);
	}
	return 0;
}

static int
fields_resolve(struct template *t, const char *dir, struct err *e)
{
	for (size_t i = 0; i < t->n_boxes; i++) {
		struct box *b = &t->boxes[i];
		const char *missing = NULL;
		if (box_has_field(b) && (b->field = schema_field(t->schema, b->field_name)) < 0)
			missing = b->field_name;
		if (b->show && (b->show_index = schema_field(t->schema, b->show_field)) < 0)
			missing = b->show_field;
		if (missing)
			return err_set(e, ERR_INPUT,
				_("%s: the %s shows a field \"%s\" that record.schema does not "
				  "have."),
				dir, _(side_names[b->side]), missing);
	}
	return 0;
}

/* A map of the one kind that is there; nothing where there is none. */
static int
map_path(char path[PATH_LEN], const char *dir, int source, bool *present, struct err *e)
{
	int rc = path_build(path, dir, template_sources[source], e);

	*present = !rc && !access(path, F_OK);
	return rc;
}

int
chip_maps_load(struct chip_map **chip, struct ndef_map **tag, const char *dir,
	const struct schema *s, struct err *e)
{
	char path[PATH_LEN];
	bool present;
	int rc = map_path(path, dir, SOURCE_CHIP_MAP, &present, e);

	*chip = NULL;
	*tag = NULL;
	if (!rc && present)
		rc = chip_map_load(chip, path, s, e);
	if (!rc && !(rc = map_path(path, dir, SOURCE_NDEF_MAP, &present, e)) && present)
		rc = ndef_map_load(tag, path, s, e);
	if (!rc && *chip && *tag && ndef_map_pass(*tag))
		rc = err_set(e, ERR_INPUT,
			_("%s: the line \"pass\" cannot stand beside chip.map: a card in the "
			  "printer "
			  "has one chip."),
			path);
	if (!rc)
		return 0;
	chip_map_destroy(*chip);
	ndef_map_destroy(*tag);
	*chip = NULL;
	*tag = NULL;
	return rc;
}

int
template_open(struct template **out, const char *dir, struct err *e)
{
	char path[PATH_LEN];
	struct template *t = calloc(1, sizeof *t);

	*out = NULL;
	if (!t)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	int rc = path_build(path, dir, "template.bin", e);
	if (rc || (rc = file_map(t, path, e)) || (rc = template_parse(t, path, e)) ||
		(rc = sources_check(t, dir, e)))
		goto out;
	if ((rc = path_build(path, dir, template_sources[SOURCE_SCHEMA], e)) ||
		(rc = schema_load(&t->schema, path, e)) || (rc = fields_resolve(t, dir, e)))
		goto out;
	rc = chip_maps_load(&t->chip_map, &t->ndef_map, dir, t->schema, e);
out:
	if (rc)
		template_close(t);
	else
		*out = t;
	return rc;
}

void
template_close(struct template *t)
{
	if (!t)
		return;
	chip_map_destroy(t->chip_map);
	ndef_map_destroy(t->ndef_map);
	if (t->schema)
		schema_destroy(t->schema);
	if (t->map)
		munmap(t->map, t->map_len);
	free(t->boxes);
	free(t);
}

const char *
template_name(const struct template *t)
{
	return t->name;
}

const struct schema *
template_schema(const struct template *t)
{
	return t->schema;
}

bool
template_keeps_clear(const struct template *t, enum side side)
{
	return t->art[side].keep_clear;
}

const struct chip_map *
template_chip_map(const struct template *t)
{
	return t->chip_map;
}

const struct ndef_map *
template_tag_map(const struct template *t)
{
	return t->ndef_map && ndef_map_pass(t->ndef_map) ? t->ndef_map : NULL;
}

bool
template_has_side(const struct template *t, enum side side)
{
	return t->art[side].present;
}

void
template_hash(const struct template *t, uint8_t out[HASH_LEN])
{
	memcpy(out, t->hash, HASH_LEN);
}

unsigned
template_dpi(const struct template *t)
{
	return t->dpi;
}

const char *
box_name(const struct box *b)
{
	static const char *const kinds[BOX_KIND_COUNT] = {
		"text", "photo", "seal", "barcode", "art"};

	return b->field_name[0] ? b->field_name : kinds[b->kind];
}

bool
template_box_get(const struct template *t, size_t i, struct template_box *out)
{
	if (i >= t->n_boxes)
		return false;
	const struct box *b = &t->boxes[i];
	*out = (struct template_box){(enum side)b->side, b->x, b->y, b->w, b->h, box_name(b)};
	if (template_upright(t))
		rect_turn(t->height, &out->x, &out->y, &out->w, &out->h);
	return true;
}
