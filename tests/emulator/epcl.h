/*
 * epcl.h - the dialect of the Zebra card printers: framing, image buffers, ribbon and rows of
 * commands.
 *
 * Written from the protocol document alone. A fault is the number that the printer sends behind
 * NACK; 0 is none.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_EMULATOR_EPCL_H
#define CARDSPOOL_EMULATOR_EPCL_H

#include "tests/emulator/device.h"

/* Behind NACK (section 5); CODE_CARD_IN and CODE_CARD_OUT are answers, not faults. */
enum epcl_code {
	CODE_MACHINE = -1,
	CODE_OK = 0,
	CODE_RIBBON = 1,
	CODE_TEMPERATURE = 2,
	CODE_JAM = 3,
	CODE_EMPTY = 4,
	CODE_CARD_IN = 5,
	CODE_CARD_OUT = 6,
	CODE_RIBBON_END = 8,
	CODE_PARAMETER = 10,
	CODE_COORDINATES = 11,
	CODE_BARCODE = 12,
	CODE_FONT = 13,
	CODE_UNKNOWN = 14,
	CODE_BARCODE_DATA = 20,
	CODE_GRAPHIC = 22,
	CODE_GRAPHIC_START = 30,
	CODE_WIDTH = 31,
	CODE_HEIGHT = 32,
	CODE_CHECKSUM = 33,
	CODE_TIMEOUT = 34,
	CODE_RIBBON_CHECK = 35,
	CODE_MAG_DATA = 40,
	CODE_MAG_WRITE = 41,
	CODE_MAG_READ = 42,
	CODE_ENCODER_MISSING = 45,
	CODE_FLIP = 47,
	CODE_COVER = 48,
	CODE_BLANK_TRACK = 51,
	CODE_SEQUENCE = 54,
};

/* ---- framing (epcl-parse.c), pure ---- */

#define EPCL_TEXT_MAX 2048
#define EPCL_SIDE_MAX 4096u /* of a declared area; more is not even counted */

enum epcl_remark {
	REMARK_STRAY,     /* bytes outside of any command */
	REMARK_PREFIX,    /* a record length of the Windows driver, skipped */
	REMARK_RESTART,   /* an initiator inside a command */
	REMARK_FIRST_RUN, /* compressed data that do not begin with a run */
	REMARK_ZERO,      /* a run or a literal count of 0 */
	REMARK_LEVEL,     /* a colour level above 31 */
	REMARK_CONTROL,   /* 0D or 1B inside an image: safe only if the printer counts */
	REMARK_COUNT
};
extern const char *const epcl_remarks[REMARK_COUNT];

struct epcl_area {
	size_t line_bytes, lines; /* 0: nothing declared */
	unsigned mode;            /* G p3: 0-3, 10-13 */
};

struct epcl_parser {
	/* settings */
	int alternate; /* second initiator, -1: none */
	bool takes_prefix, escapes_image;
	size_t plane_dots, plane_lines; /* what PS counts by */
	/* state */
	int state;
	bool after_end, escaped;
	unsigned zeros;
	char text[EPCL_TEXT_MAX];
	size_t len;
	struct epcl_area area[2]; /* of G and of vG */
	int format;
	size_t need;
	unsigned run, literals;
	bool begun;
	uint8_t sum;
	bool sum_follows;
	unsigned remarked; /* bits: once for each command */
	uint64_t at;       /* offset of the next byte */
	/* a finished command: text, len; data for GS, PS, Z, vZ */
	uint8_t *data; /* one byte a dot (GS, PS), packed lines (Z) */
	size_t have;
	int code; /* its form is wrong: what to answer */
	void (*remark)(void *ctx, enum epcl_remark what, uint64_t at);
	void *ctx;
};

void epcl_parser_init(struct epcl_parser *p);
void epcl_parser_done(struct epcl_parser *p);
void epcl_parser_reset(struct epcl_parser *p); /* forgets half a command, keeps the settings */
/* In the middle of a command? */
bool epcl_parser_inside(const struct epcl_parser *p);
/* Consumes until a command is whole: true. *data and *len advance. */
bool epcl_parser_next(struct epcl_parser *p, const uint8_t **data, size_t *len);
/* Numbers separated by spaces at the start of text; *rest: the first byte behind them and one
 * space. Returns how many, at most max. */
unsigned epcl_numbers(const char *text, long *out, unsigned max, const char **rest);
/* One line of O from its (unescaped) bytes: raw or run-length, exactly `need`. 0 or a code. */
int epcl_line_expand(
	uint8_t *out, size_t need, const uint8_t *in, size_t len, bool packed, bool sum);

/* ---- image buffers (epcl-raster.c), pure ---- */

enum epcl_buffer { B_Y, B_M, B_C, B_KS, B_K, B_V, B_COUNT };

/* One byte a dot, 0 none to 255 full; line after line from the right edge of the card, the dots of
 * a line from the top. */
struct epcl_raster {
	unsigned dots, lines;         /* what the buffer holds */
	unsigned max_dots, max_lines; /* what an image may declare; beyond the buffer is cut */
	uint8_t *plane[B_COUNT];      /* NULL: blank */
	struct epcl_target {
		unsigned x, y, height, lines, mode, next_line;
		bool declared, invert;
	} target[2];  /* of G and vG */
	bool clipped; /* something was cut since the caller looked */
};

void raster_clear(struct epcl_raster *r, enum epcl_buffer b);
void raster_done(struct epcl_raster *r);
/* Each returns 0 or a code. v: 0 mono, 1 varnish. */
int raster_colour(struct epcl_raster *r, enum epcl_buffer b, const long area[4], unsigned mode,
	const uint8_t *levels, size_t n);
int raster_declare(struct epcl_raster *r, int v, const long p[6]);
int raster_line(struct epcl_raster *r, int v, const uint8_t *packed);
/* Drawing, upper left origin; value 0 or 255. Dots off the card are cut. */
int raster_box(struct epcl_raster *r, enum epcl_buffer b, const long p[4], long thick, int value);
int raster_dot(struct epcl_raster *r, enum epcl_buffer b, long x, long y, int value);
int raster_diagonal(struct epcl_raster *r, enum epcl_buffer b, const long p[4], int value);
/* p: x y rot bold w h mode (epcl-text.c). */
int raster_text(struct epcl_raster *r, enum epcl_buffer b, const long p[7], const char *text);
/* Burns one panel onto the picture, RGB, lines wide and dots high. */
void raster_unprint(
	const struct epcl_raster *r, enum epcl_buffer b, const uint8_t resin[3], uint8_t *rgb);

/* ---- the dialect ---- */

#define EPCL_ALIAS_MAX 16
#define EPCL_REPLY_MAX 1024
#define MAG_TRACK_MAX  256

enum epcl_alias { DOCK_CONTACT, DOCK_CONTACTLESS, UNDOCK_READY, UNDOCK_EJECT, ALIAS_COUNT };

struct epcl {
	struct printer *printer;
	struct epcl_parser parser;
	struct epcl_raster raster;
	/* switches for what the document leaves open */
	bool replies, port_lines, extended_memory, oversize_refused;
	uint8_t terminator;
	char alias[ALIAS_COUNT][EPCL_ALIAS_MAX];
	/* state */
	int latched; /* a code: everything but . and e is refused */
	bool encode_failed, print_failed;
	bool encode_rejects, print_rejects; /* +RB: which go to the reject box */
	const struct ribbon_kind *reel_kind;
	unsigned panel_next; /* place in the ribbon's set of panels */
	unsigned long panels, cleaned_at;
	char track[TRACKS][MAG_TRACK_MAX]; /* the encoder's write buffer */
	int mag_fault;                     /* the next write or read ends so */
	json_t *settings;
	uint8_t last[EPCL_REPLY_MAX];
	size_t last_len;
	uint64_t heard_ms; /* the last byte */
	unsigned long commands, errors, unsafe;
	json_t *seen;
};

struct epcl_call {
	struct epcl *e;
	const struct epcl_verb *verb;
	const char *text; /* the command, without initiator and end */
	const char *rest; /* behind name and numbers */
	size_t rest_len;
	long n[8];
	unsigned count;
	bool passing;               /* the code is an answer and is not latched */
	bool silent;                /* nobody is there to be told */
	bool answers;               /* reply holds an answer, perhaps an empty one */
	char reply[EPCL_REPLY_MAX]; /* appended to; joined over a list */
};

enum epcl_rest { REST_NONE, REST_TEXT };

/* A command: its name, how many numbers it takes and their range, what carries it out. */
struct epcl_verb {
	const char *name;
	unsigned min, max;
	long low, high; /* of each number; both 0: the command looks itself */
	enum epcl_rest rest;
	int (*run)(struct epcl_call *c);
};
extern const struct epcl_verb epcl_print_verbs[], epcl_store_verbs[], epcl_magnetic_verbs[];
extern const size_t n_epcl_print_verbs, n_epcl_store_verbs, n_epcl_magnetic_verbs;

void epcl_strict(struct epcl *e, const char *what, const char *text);
void epcl_say(struct epcl_call *c, const char *text);
/* The machine's word as a code. */
int epcl_fault(const struct printer *p, const char *word);
int epcl_alias_run(struct epcl_call *c, enum epcl_alias a);
uint8_t epcl_port_status(const void *state);

#endif
