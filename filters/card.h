/*
 * card.h - floor 1: values and pure transforms.
 *
 * Owns the words every floor speaks: errors, buffers, records, chip images, planes, the card
 * stream. Nothing declared here touches a device, a database, a key or a global, exits, or writes
 * to stderr. A function that can fail returns 0 or a negative enum err_code and fills struct err
 * once, where the cause is known; callers pass it up.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_CARD_H
#define CARDSPOOL_CARD_H

#include <libintl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define _(text)  gettext(text)
#define N_(text) (text)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* ---- errors (err.c) ------------------------------------------------------------------------- */

enum err_code {
	ERR_NONE = 0,
	ERR_USAGE = -1,     /* the call's words are wrong                              exit 64 */
	ERR_INPUT = -2,     /* the data is wrong: roster, photo, batch, template       exit 65 */
	ERR_MISSING = -3,   /* a named file, template, field or record is not there    exit 66 */
	ERR_DEVICE = -4,    /* printer or reader absent, or answers wrongly            exit 69 */
	ERR_INTERNAL = -5,  /* a promise between modules was broken                    exit 70 */
	ERR_SYSTEM = -6,    /* memory, descriptors, fork                               exit 71 */
	ERR_STORAGE = -7,   /* cannot write: disk full, read-only                      exit 74 */
	ERR_BUSY = -8,      /* somebody else holds it; try again later                 exit 75 */
	ERR_PROTOCOL = -9,  /* a stream, a file or a peer speaks nonsense              exit 76 */
	ERR_DENIED = -10,   /* not allowed                                             exit 77 */
	ERR_FAULT = -11,    /* the machine or chip reported a fault; err.fault names it exit 69 */
	ERR_DOUBT = -12,    /* the act may or may not have happened                    exit 69 */
	ERR_CANCELLED = -13 /* asked to stop                                           exit 130 */
};

#define ERR_TEXT_MAX 640
#define ERR_RAW_MAX  96

/*
 * One line for the person who reads it: what, where (file, record, field), what to do.
 * fault: enum fault of drivers/driver.h, 0 when no device is concerned.
 * raw: the device's own words, printable ASCII only; empty when none. Never personal data, never
 * keys.
 */
struct err {
	int code;
	int fault;
	char text[ERR_TEXT_MAX];
	char raw[ERR_RAW_MAX];
};

/* Fills e (may be NULL) and returns code. The text is cut at ERR_TEXT_MAX on a character boundary.
 */
int err_set(struct err *e, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Puts "prefix: " before the text that is already there. Returns e->code. */
int err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Records the device's words; control and non-ASCII bytes become \xNN. */
void err_raw(struct err *e, const void *bytes, size_t len);
/* The exit status of enum err_code above; doc/EXIT-STATUS and every man page list the same table.
 */
int err_exit_status(int code);

/* ---- bytes (buf.c) -------------------------------------------------------------------------- */

/* A growing buffer with a ceiling set at creation. */
struct buf {
	uint8_t *data;
	size_t len, cap, max;
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);
int buf_reserve(struct buf *b, size_t more, struct err *e);
int buf_append(struct buf *b, const void *bytes, size_t len, struct err *e);
int buf_printf(struct buf *b, struct err *e, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Reads a whole file of at most max bytes. The caller frees with buf_done. */
int file_read(struct buf *b, const char *path, size_t max, struct err *e);
/* Writes a file complete or not at all: a temporary name beside it, fsync, rename, fsync of the
 * folder. */
int file_write(const char *path, const void *bytes, size_t len, unsigned mode, struct err *e);
/* Makes the name of a file that was linked or renamed survive a power cut. 0, or -1 with errno. */
int file_folder_sync(const char *path);

#define HASH_LEN 32 /* SHA-256 */
void hash_bytes(uint8_t out[HASH_LEN], const void *bytes, size_t len);
/* Lower-case hex; out has 2 * len + 1 bytes. */
void hex_build(char *out, const uint8_t *bytes, size_t len);
/* Exactly 2 * len hex digits, else ERR_INPUT. */
int hex_parse(uint8_t *out, size_t len, const char *hex);

/* ---- character sets (charset.c) ---------------------------------------------------------------
 */

/* UTF-8 (with or without BOM), else strict GB18030, else ERR_INPUT naming the line of the first
 * broken byte. Appends UTF-8 without BOM to out. name: what the file is called in messages. */
int charset_to_utf8(
	struct buf *out, const uint8_t *in, size_t len, const char *name, struct err *e);
/* CP936 as iconv's GBK writes it, two-byte characters only. Writes at most max bytes, *len tells
 * how many. ERR_INPUT names the first character GBK lacks as U+XXXX; ERR_STORAGE-free: too long is
 * the caller's check of *len, which is the full length needed. */
int charset_to_gbk(uint8_t *out, size_t max, size_t *len, const char *utf8, struct err *e);
int charset_from_gbk(char *out, size_t max, const uint8_t *gbk, size_t len, struct err *e);
/* Bytes of the UTF-8 character at text (1-4) with its code point in *cp, 0 if it is not one. */
size_t utf8_next(uint32_t *cp, const void *text, size_t len);

/* ---- plain text files people write (lines.c) ----------------------------------------------------
 */

/* Numbered lines of a UTF-8 text, comments (# outside quotation marks) and blanks at both ends
 * removed. */
struct lines {
	const uint8_t *at, *end;
	const char *name; /* of the file, for messages */
	unsigned number;
	char text[1024];
};

void lines_init(struct lines *l, const uint8_t *bytes, size_t len, const char *name);
/* 1: the next line that holds anything is in text; 0: the end; negative: a line no one can have
 * meant. */
int lines_next(struct lines *l, struct err *e);
/* Cuts the next word (between blanks) off *rest; NULL at the end. Writes into the line. */
char *lines_word(char **rest);

/* ---- record and schema (schema.c, record.c, idnumber.c) ----------------------------------------
 */

#define FIELD_NAME_MAX 48

enum field_kind {
	FIELD_TEXT,
	FIELD_DATE,   /* accepted YYYYMMDD, YYYY-MM-DD, YYYY/M/D; must exist; kept as YYYYMMDD */
	FIELD_CERTNO, /* T or TM + resident id with MOD 11-2 check digit, or the declared other kind
		       */
	FIELD_SEX,
	FIELD_DIGITS
};

/* How a value is shown to people who may not see it whole. */
enum mask_kind { MASK_HIDE, MASK_SHOW, MASK_NAME, MASK_NUMBER };

struct field_rule {
	char name[FIELD_NAME_MAX]; /* UTF-8, as the roster's header writes it */
	size_t max_bytes;          /* in the chip's character set */
	bool required;
	bool unique; /* the same value twice in one roster is refused */
	enum field_kind kind;
	enum mask_kind mask;
};

struct schema {
	char name[64];
	char title[128];
	struct field_rule *fields;
	size_t n_fields;
	int number_field; /* index of the field that identifies a holder (certificate number), or -1
			   */
	int name_field;   /* index of the holder's name, or -1 */
	bool photo_required;
	unsigned photo_max_bytes, photo_ratio_h, photo_ratio_w; /* 0: no rule */
	char **number_kinds; /* documents other than the resident id that may number a holder */
	size_t n_number_kinds;
	unsigned photo_grounds; /* enum photo_ground bits the picture may have, 0: no rule */
	unsigned photo_formats; /* enum photo_format bits the file may be, 0: any */
	bool photo_fit; /* asked for at the roster: what nearly keeps ratio and size is made to fit
			 */
	bool photo_ground_strict; /* another ground is refused; else it is a warning */
	bool unicode; /* lengths count bytes of UTF-8 and every character is allowed; else GBK's */
};

#define SCHEMA_FILE_MAX (64 * 1024)
/* The text of a record.schema; name is what messages call it. */
int schema_parse(
	struct schema **out, const uint8_t *bytes, size_t len, const char *name, struct err *e);
int schema_load(struct schema **out, const char *path, struct err *e);
void schema_destroy(struct schema *s);
int schema_field(const struct schema *s, const char *name); /* index or -1 */

struct record {
	unsigned number;   /* 1-based, the card number in its batch */
	char **values;     /* n_fields UTF-8 strings, normalised, never NULL */
	char *number_kind; /* "" = resident id; otherwise the declared kind of another document */
	char *photo;       /* path (roster) or entry name (batch) of the photo, "" = none */
	unsigned line;     /* where the roster has it, for messages; 0 = unknown */
};

/* Gets every error of a roster, one at a time. One of code ERR_NONE is a warning: it refuses
 * nothing. */
typedef void problem_sink(void *ctx, const struct err *e);

/* All values empty. */
int record_create(struct record *r, const struct schema *s, struct err *e);
int record_copy(struct record *out, const struct record *r, const struct schema *s, struct err *e);
/* "roster.csv: record 7 (line 8)", as every message about a record begins. */
void record_place(char *out, size_t max, const char *source, unsigned number, unsigned line);
/* One field of it, normalised in place; the message does not name the field. */
int record_field_check(struct record *r, const struct schema *s, int field, struct err *e);
/* record_check, but every problem goes to problem(); returns the first one's code, 0 if there is
 * none. */
int record_problems(struct record *r, const struct schema *s, const char *source, unsigned line,
	problem_sink *problem, void *ctx);
/* The three spellings to YYYYMMDD; false if it is none of them or the day does not exist. */
bool date_parse(char out[9], const char *text);
void record_done(struct record *r, const struct schema *s);
/* Normalises dates and check digits in place and applies every rule of the schema. source: the
 * file's name for messages, which read "roster.csv: record 7 (line 8): field 证号: …". */
int record_check(
	struct record *r, const struct schema *s, const char *source, unsigned line, struct err *e);
/* Writes the masked value into out (always terminated). */
void record_mask(char *out, size_t max, const struct schema *s, const struct record *r, int field);
void value_mask(char *out, size_t max, enum mask_kind kind, const char *value);
/* SHA-256 over all values with their names, so that a changed field is a changed record. */
void record_hash(uint8_t out[HASH_LEN], const struct schema *s, const struct record *r);

/* ISO 7064 MOD 11-2 over the first 17 digits; returns '0'..'9' or 'X', 0 if they are not digits. */
char idnumber_check_digit(const char *digits17);
/* True if id is 18 characters, its birth date exists and its check digit is right. */
bool idnumber_valid(const char *id18);

/* ---- roster (roster.c) and batch (batch.c) ------------------------------------------------------
 */

struct roster {
	size_t n_fields; /* of the schema it was read against */
	struct record *records;
	size_t n_records;
};

#define ROSTER_FILE_MAX    (16 * 1024 * 1024)
#define ROSTER_RECORDS_MAX 9999
#define COLUMN_PHOTO       "照片"
#define COLUMN_KIND        "证件类型"

/* Counts problems on their way to a sink (which may be NULL) and keeps the first. */
struct problems {
	problem_sink *sink;
	void *ctx;
	unsigned n;
	struct err first;
};
void problems_add(void *problems, const struct err *e);
/* Hands on a warning (e->code is ERR_NONE); it is not counted. */
void problems_warn(const struct problems *p, const struct err *e);
/* 0 if there were none; else the first one's code, and in e the first (no sink) or their count. */
int problems_verdict(const struct problems *p, const char *name, size_t n_records, struct err *e);
/* Reads on through every problem of the CSV text; *out is NULL only if no record could be read.
 * before: records of the file that the text leaves out behind its header, so that numbers and lines
 * are right. */
void roster_collect(struct roster **out, const struct schema *s, const uint8_t *bytes, size_t len,
	const char *name, unsigned before, struct problems *problems);
/* A problem for each record whose value of a field an earlier record has too. */
void roster_field_twice(const struct roster *r, const struct field_rule *rule, size_t field,
	const char *name, struct problems *problems);
/* The CSV text alone: records are checked, column 照片 is kept as it is written, no folder is
 * looked at. problem may be NULL; then e is the first problem, otherwise it is their count. */
int roster_parse(struct roster **out, const struct schema *s, const uint8_t *bytes, size_t len,
	const char *name, problem_sink *problem, void *ctx, struct err *e);
/* Some rows of a text that was proved before, below its header; see roster_collect. */
int roster_rows_parse(struct roster **out, const struct schema *s, const uint8_t *bytes, size_t len,
	const char *name, unsigned before, struct err *e);
/* Reads a CSV roster against a schema: header names in any order, unknown columns refused by name,
 * every record checked, photos found (column 照片 or photo; else <number>.jpg|jpeg|png|bmp in
 * photo_dir, named by the certificate number or by the 4-digit record number). All errors, one line
 * each, go to problem(); the return is the first one's code. */
int roster_load(struct roster **out, const struct schema *s, const char *csv_path,
	const char *photo_dir, void (*problem)(void *ctx, const struct err *e), void *ctx,
	struct err *e);
void roster_destroy(struct roster *r);
/* Appends the records as the CSV that roster_parse reads; photo(ctx, record) names the photo cell.
 */
int roster_build(struct buf *out, const struct schema *s, const struct roster *r,
	const char *(*photo)(void *ctx, size_t index), void *ctx, struct err *e);

#define BATCH_MIME "application/vnd.cardspool.batch"

/* An ordinary ZIP: mimetype (stored, first), manifest.json (template, order, count, SHA-256 of
 * every entry), records.csv (UTF-8), photos/NNNN.jpg|bmp|png. */
struct batch;
struct batch_info {
	char template_name[64];
	char order[64]; /* order number; "" = none given */
	unsigned n_records;
	uint8_t hash[HASH_LEN]; /* of manifest.json: the identity of the batch */
};

int batch_write(const char *path, const struct schema *s, const struct batch_info *info,
	const struct roster *r, struct err *e);
/* Opens the container and verifies its ends and the manifest, and all of a small batch (100 photos,
 * 4 MiB). A larger one's records are verified by batch_record, 64 at a time, its photos by
 * batch_entry, each when it is read. */
int batch_open(struct batch **out, const char *path, struct err *e);
/* The same for bytes in memory; they are copied. */
int batch_parse(
	struct batch **out, const uint8_t *bytes, size_t len, const char *name, struct err *e);
void batch_close(struct batch *b);
/* Verifies everything now: every byte belongs to an entry, every entry to the manifest. */
int batch_prove(struct batch *b, struct err *e);
const struct batch_info *batch_info(const struct batch *b);
/* Reads record number (1-based), cheapest in rising order; the caller ends it with record_done. */
int batch_record(struct batch *b, const struct schema *s, unsigned number, struct record *out,
	struct err *e);
/* Bytes of one entry (a photo), at most max, of the size and hash that the manifest names. */
int batch_entry(struct batch *b, const char *name, struct buf *out, size_t max, struct err *e);

/* ---- photo (photo.c) ----------------------------------------------------------------------------
 */

/* A decoded picture, BGRX 32 bit native words as Cairo's RGB24, stride = 4 * width. */
struct photo {
	unsigned width, height;
	uint8_t *pixels;
};

/* Size and kind from the header alone. ERR_INPUT if neither BMP nor JPEG nor PNG, or damaged, or of
 * absurd size. */
#define PHOTO_FILE_MAX (1024 * 1024)
enum photo_ground { PHOTO_WHITE = 1, PHOTO_BLUE = 2 };
enum photo_format { PHOTO_JPEG = 1, PHOTO_BMP = 2, PHOTO_PNG = 4 };
/* "jpg", "bmp" or "png" by content, NULL for anything else. */
const char *photo_suffix(const uint8_t *bytes, size_t len);
int photo_probe(const uint8_t *bytes, size_t len, unsigned *width, unsigned *height, struct err *e);
/* Checks size in bytes, ratio, kind and ground against the schema's rules. What only deserves a
 * second look is left in warning (may be NULL), whose text is empty otherwise. */
int photo_check(const struct schema *s, const uint8_t *bytes, size_t len, struct err *warning,
	struct err *e);
/* Crops to the schema's ratio and compresses to its size, as a JPEG. The same bytes give the same
 * result. */
#define PHOTO_FIT_MAX (16 * 1024 * 1024) /* of what comes in */
int photo_fit(
	const struct schema *s, const uint8_t *bytes, size_t len, struct buf *out, struct err *e);
/* photo_check; with schema.photo_fit what fails is fitted, and bytes are replaced by the result. */
int photo_fit_check(const struct schema *s, struct buf *bytes, struct err *warning, struct err *e);
/* Decodes; JPEG by DCT scaling to the smallest size that is at least want_w x want_h. */
int photo_decode(struct photo *out, const uint8_t *bytes, size_t len, unsigned want_w,
	unsigned want_h, struct err *e);
void photo_done(struct photo *p);
/* Fine detail of the head against its contrast, per mille; see photo-sharp.c. */
unsigned photo_sharpness(const struct photo *p);
/* The EXIF orientation of a JPEG, 1 to 8; 1 (upright) when it has none. */
unsigned photo_orientation(const uint8_t *bytes, size_t len);
/* Turns the pixels upright. photo_probe and photo_decode take account of it by themselves. */
int photo_turn(struct photo *p, unsigned orientation, struct err *e);

/* ---- chip image (chipmap.c)
 * ----------------------------------------------------------------------- */

#define CHIP_BLOCKS    64
#define CHIP_BLOCK_LEN 16
#define CHIP_SECTORS   16

/*
 * What the chip shall hold, without keys: MIFARE Classic 1K, block b at block[b].
 * Bit b of data: block b carries record data. Bit b of mac: block b carries the MAC (filled at the
 * station, where the UID is known). A trailer (b % 4 == 3) or block 0 is never in either.
 */
struct chip_image {
	uint8_t block[CHIP_BLOCKS][CHIP_BLOCK_LEN];
	uint64_t data, mac;
};

struct chip_map; /* block -> pieces of fields, or a literal, or the MAC */
/* A map that would write a trailer or block 0, or names an unknown field, is refused here. */
int chip_map_load(struct chip_map **out, const char *path, const struct schema *s, struct err *e);
int chip_map_parse(struct chip_map **out, const uint8_t *bytes, size_t len, const char *name,
	const struct schema *s, struct err *e);
void chip_map_destroy(struct chip_map *m);
int chip_image_build(struct chip_image *out, const struct chip_map *m, const struct schema *s,
	const struct record *r, struct err *e);
/* The blocks a map gives to data and to the MAC, without a record: what a reader has to fetch. */
void chip_map_blocks(const struct chip_map *m, uint64_t *data, uint64_t *mac);
bool chip_map_has(const struct chip_map *m, int field); /* is it on the chip? */
/* The way back: blocks as read from a chip to UTF-8 values, padding taken off. Rules of the schema
 * are not applied. ERR_INPUT if bytes are not GBK or a literal is not where the map has it. out is
 * ended with record_done. */
int chip_image_parse(const struct chip_image *c, const struct chip_map *m, const struct schema *s,
	struct record *out, struct err *e);
/* SHA-256 over the data blocks in order: what the ledger keeps. */
void chip_image_hash(uint8_t out[HASH_LEN], const struct chip_image *c);

/* ---- planes (planes.c)
 * ------------------------------------------------------------------------------ */

enum panel { PANEL_Y, PANEL_M, PANEL_C, PANEL_K, PANEL_O, PANEL_UV, PANEL_COUNT };
extern const char panel_letters[PANEL_COUNT + 1]; /* "YMCKOU" */

enum side { SIDE_FRONT, SIDE_BACK, SIDE_COUNT };
extern const char *const side_names[SIDE_COUNT];

/*
 * One ribbon panel's worth of dots, in feed orientation: a line runs across the short edge of the
 * card, lines advance along the long edge. The landscape artwork (w x h) is turned 90 degrees
 * clockwise: artwork pixel (x, y) is line x, dot h - 1 - y. Y M C: 8 bits a dot, 0 no dye, 255
 * full.  K O UV: 1 bit a dot, 1 = printed, most significant bit first, padding bits 0. fill:
 * PLANE_BLANK and PLANE_FULL carry no data (data NULL); PLANE_DATA owns data.
 */
enum plane_fill { PLANE_ABSENT, PLANE_BLANK, PLANE_FULL, PLANE_DATA };
struct plane {
	enum plane_fill fill;
	unsigned bits;        /* 8 or 1 */
	unsigned dots, lines; /* 648 x 1016 at 300 dpi */
	size_t stride;        /* bytes a line */
	uint8_t *data;
};

struct face {
	struct plane plane[PANEL_COUNT];
};

/* Bytes a line, without padding bytes. */
size_t plane_stride(unsigned bits, unsigned dots);
/* 0 if a plane may have this shape. */
int plane_shape_check(unsigned bits, unsigned dots, unsigned lines, struct err *e);
/* Zeroed PLANE_DATA. */
int plane_create(struct plane *p, unsigned bits, unsigned dots, unsigned lines, struct err *e);
/* Dots of which none is set become PLANE_BLANK without data. */
void plane_blank_find(struct plane *p);
void plane_done(struct plane *p);
void face_done(struct face *f);
/* SHA-256 over panel letter, fill, geometry and data of every panel that is not absent. */
void face_hash(uint8_t out[HASH_LEN], const struct face *f);
/* What the head will put on white PVC: upright landscape artwork, BGRX. The caller frees *pixels.
 */
int face_to_rgb(
	const struct face *f, uint8_t **pixels, unsigned *width, unsigned *height, struct err *e);

/* ---- ribbons: which panels a side may use (ribbon.c)
 * ------------------------------------------------- */

struct ribbon {
	const char *name;  /* as the PPD and Evolis' Pr write it: "ymcko" */
	const char *front; /* panel letters in print order: "YMCKO" */
	const char *back;  /* "" = the back cannot be printed with one card's worth of ribbon */
	unsigned
		dye_lines; /* half panel: Y M C reach this many lines at most; 0 = the whole card */
};
const struct ribbon *ribbon_find(const char *name); /* NULL if unknown */
extern const struct ribbon ribbons[];               /* ends with a NULL name */

/* ---- template and face (template.c, template-build.c, face.c)
 * ----------------------------------------- */

struct template;
/* Maps a compiled template folder (DIR/template.bin, record.schema, chip.map). */
int template_open(struct template **out, const char *dir, struct err *e);
void template_close(struct template *t);
const char *template_name(const struct template *t);
const struct schema *template_schema(const struct template *t);
const struct chip_map *template_chip_map(
	const struct template *t); /* NULL: the card has no chip of blocks */
bool template_has_side(const struct template *t, enum side side);
unsigned template_dpi(const struct template *t);
/* The card has chip contacts (front) or a magnetic stripe (back), as the drawing declares. */
/* ERR_INPUT: the drawing has not the size of a card, across or upright. */
int template_card_check(const struct template *t, struct err *e);
bool template_keeps_clear(const struct template *t, enum side side);
/* Where box i lies on the artwork; false behind the last one. name: of its field, the template's.
 */
struct template_box {
	enum side side;
	unsigned x, y, w, h;
	const char *name;
};
bool template_box_get(const struct template *t, size_t i, struct template_box *out);
void template_hash(const struct template *t, uint8_t out[HASH_LEN]);
/* Compiles DIR's SVG files to DIR/template.bin (or out_path). The only place where SVG is parsed.
 */
int template_build(const char *dir, const char *out_path, struct err *e);
/* Every problem of a template folder, one at a time, "front.svg: box 姓名: …"; 0 when nothing but
 * warnings (code ERR_NONE) was found. */
int template_check(const char *dir, problem_sink *problem, void *ctx, struct err *e);

struct renderer; /* the per-process drawing state: Pango context, caches; not thread-safe */
int renderer_create(struct renderer **out, const struct template *t, struct err *e);
/* The same cards, the first one sooner: for a process that draws nothing but this template, because
 * fontconfig knows its fonts only afterwards. */
int renderer_create_alone(struct renderer **out, const struct template *t, struct err *e);
void renderer_destroy(struct renderer *r);
/* Whether every value of a record can be drawn on both sides, without drawing: a problem for each
 * that does not fit its place or has a character that no font has. where begins the messages.
 * Returns the first one's code. */
int face_check(struct renderer *r, const struct record *rec, const char *where,
	problem_sink *problem, void *ctx);
/* Draws one side of a record. photo: encoded bytes as in the batch. The caller ends it with
 * face_done. */
int face_render(struct renderer *r, const struct record *rec, const uint8_t *photo,
	size_t photo_len, enum side side, const struct ribbon *ribbon, struct face *out,
	struct err *e);

/* What a tag of NFC Forum type 2 is to carry (ndef.c). */
#define NDEF_MESSAGE_MAX 868 /* user memory of an NTAG216 without its TLV */
struct tag_image {
	unsigned capacity; /* bytes of user memory of the kind of tag that was asked for */
	bool lock;         /* read only for ever, once it is proved */
	size_t len;
	uint8_t message[NDEF_MESSAGE_MAX];
};
/* SHA-256 of the message, as the ledger keeps it. */
void tag_image_hash(uint8_t out[HASH_LEN], const struct tag_image *t);

/* ---- the card stream: what the filter hands to the backend (stream.c)
 * ------------------------------- */

#define STREAM_MIME  "application/vnd.cardspool.stream"
#define STREAM_MAGIC "CARDSTRM"

struct stream_job {
	char template_name[64];
	char template_hash[2 * HASH_LEN + 1];
	char order[64];
	char batch_hash[2 * HASH_LEN + 1];
	char ribbon[16];
	unsigned n_cards; /* cards in this stream, copies counted */
	int darkness;     /* of the resin, for struct print_job: -10 ... 10 */
	unsigned speed;   /* and 0, or 1 (slow) ... 10 */
	char coercivity;  /* and 'h', 'l', or 0 */
	/* What the cards are likely to have. The machine is made ready for it while the first one
	 * is drawn; each card says itself what it has. */
	bool has_chip, has_back;
};

#define MAGNETIC_TRACKS    3
#define MAGNETIC_TRACK_MAX 104 /* characters, without sentinels */

struct stream_card {
	unsigned card; /* record number */
	unsigned copy; /* 1-based */
	bool has_chip; /* one is written at the station */
	bool has_tag;  /* it is a tag, not a chip of blocks; only with has_chip */
	char track[MAGNETIC_TRACKS][MAGNETIC_TRACK_MAX + 1]; /* magnetic stripe; "" = not written */
	char number_masked[64];
	char name_masked[64];
	char record_hash[2 * HASH_LEN + 1];
	struct chip_image chip; /* has_tag: empty */
	struct tag_image tag;
	struct face face[SIDE_COUNT];
	uint8_t chip_hash[HASH_LEN]; /* both are filled by the reader; 0 where there is nothing */
	uint8_t face_hash[SIDE_COUNT][HASH_LEN];
};

/* Chip or tag, masked texts and hash of a record (card-fill.c); card and copy are the caller's. */
int stream_card_fill(struct stream_card *card, const struct template *t, const struct record *rec,
	struct err *e);
void stream_card_done(struct stream_card *c);
/* Some track of the magnetic stripe is to be written. */
bool stream_card_magnetic(const struct stream_card *c);

/* Writing: begin, card ..., then end or error. Plain write(2) on fd; a short pipe blocks, EPIPE is
 * an error. */
int stream_write_begin(int fd, const struct stream_job *job, struct err *e);
int stream_write_card(int fd, const struct stream_card *card, struct err *e);
int stream_write_error(int fd, const struct err *cause, struct err *e);
int stream_write_end(int fd, unsigned n_cards, struct err *e);

/* Reading. Every frame is checked (length, CRC, order of frames) before it is believed; the hashes
 * of faces and chip are taken of what was read. */
enum stream_item { STREAM_CARD, STREAM_ERROR, STREAM_END };
struct stream_reader;
int stream_open(struct stream_reader **out, int fd, struct stream_job *job, struct err *e);
/* Reads end with ERR_CANCELLED once fd can be read from: for a thread that must not wait for the
 * filter. */
void stream_stop_at(struct stream_reader *r, int fd);
void stream_close(struct stream_reader *r);
/* On STREAM_CARD fills card (end it with stream_card_done); on STREAM_ERROR fills cause, which the
 * filter wrote for a person. A stream that just stops is ERR_PROTOCOL, never STREAM_END. */
int stream_next(struct stream_reader *r, enum stream_item *item, struct stream_card *card,
	struct err *cause, struct err *e);

#endif
