/*
 * epcl.h - what the parts of the Zebra EPCL family share.
 *
 * Owns the codec's contract, the settings' names and the state of one printer. epcl-wire.c is pure
 * (bytes in, bytes out); the other parts talk to the printer. Nobody else includes this.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_EPCL_H
#define CARDSPOOL_EPCL_H

#include "drivers/driver.h"

extern const struct printer_driver printer_epcl;
#define EPCL_N_MODELS 5
extern const struct printer_model epcl_models[EPCL_N_MODELS];
extern const struct printer_command epcl_commands[];

/* ---- wire (epcl-wire.c) ---------------------------------------------------- */

#define EPCL_TEXT_MAX 255

enum epcl_kind {
	EPCL_NOTHING, /* not whole yet */
	EPCL_ACK,
	EPCL_NACK, /* code says why */
	EPCL_TEXT,
	EPCL_BAD /* none of these */
};
struct epcl_reply {
	enum epcl_kind kind;
	int code; /* of a NACK, -1 to 255 */
	bool begun, nack;
	char text[EPCL_TEXT_MAX + 1]; /* a NACK's digits, or the text */
	size_t len;
};
void epcl_reply_init(struct epcl_reply *r);
/* Takes one transfer's bytes; true when the reply is whole. *used: bytes taken, the rest belongs to
 * the next reply. */
bool epcl_reply_feed(struct epcl_reply *r, const uint8_t *bytes, size_t len, size_t *used);
/* Nothing more came: a text is whole then, a NACK cut short is bad. */
void epcl_reply_close(struct epcl_reply *r);
/* "ACK", "NACK 04" or the text, printable. */
void epcl_reply_describe(const struct epcl_reply *r, char *out, size_t max);

/* The answer to %CLN: head passes since new, passes until cleaning. ERR_PROTOCOL otherwise. */
int epcl_cleaning_parse(const char *text, int64_t *passes, int64_t *left);

/* What a dot's 8 bits become on the wire. levels: 32 or 256. Values that are control bytes of the
 * command language never occur. */
void epcl_levels(uint8_t table[256], unsigned levels);
/* The colour run form of n levels of 0 to 31 (see the drawing). At most n + 1 bytes; returns how
 * many. */
size_t epcl_colour_pack(uint8_t *out, const uint8_t *in, size_t n);
/* The mono run form of n bytes: at most EPCL_MONO_MAX(n) bytes; returns how many. */
#define EPCL_MONO_MAX(n) ((n) + (n) / 8 + 16)
size_t epcl_mono_pack(uint8_t *out, const uint8_t *in, size_t n);

struct epcl_format {
	unsigned dots, lines; /* of the head: what is sent has this shape */
	unsigned levels;      /* 32: run form; 256: one byte a dot */
	bool mono_raw;        /* the run form of one-bit planes is not used */
	bool escape;          /* '[' before control bytes of mono data */
};
/* Appends ESC text CR. ERR_INTERNAL if text carries a control byte. */
int epcl_command(struct buf *out, const char *text, struct err *e);
/* Appends the download of a colour plane that is DATA or FULL. index: 0 Y, 1 M, 2 C. */
int epcl_colour_plane(struct buf *out, unsigned index, const struct plane *p,
	const struct epcl_format *format, struct err *e);
/* Appends the data of a one-bit plane, Z or vZ; area gets the text of the command that has to go
 * before it. */
int epcl_mono_plane(struct buf *out, char *area, size_t area_max, bool varnish,
	const struct plane *p, const struct epcl_format *format, struct err *e);

/* ---- link (epcl-link.c) ---------------------------------------------------- */

/* One command at a time, and what an earlier one left behind. */
struct epcl_link {
	struct transport *transport;
	unsigned reply_ms, plane_ms, gap_ms;
	char version[EPCL_TEXT_MAX + 1]; /* the answer to V; "" when it is a bare ACK */
	uint8_t held[512];               /* received behind the last reply */
	size_t n_held;
	bool owed;       /* an earlier command's reply may still come */
	bool latched;    /* the printer refuses everything until "." */
	struct buf torn; /* what the printer still expects of a plane that broke off */
};
void epcl_link_init(struct epcl_link *l, struct transport *t);
void epcl_link_done(struct epcl_link *l);
/*
 * Sends one whole command and reads its reply. *sent: every byte went out, so the printer may have
 * obeyed whatever this returns. A latched error is cleared before, late replies and broken-off
 * planes are seen to. Errors are those of the transport.
 */
int epcl_link_exchange(struct epcl_link *l, const uint8_t *bytes, size_t len, unsigned timeout_ms,
	struct epcl_reply *reply, bool *sent, struct err *e);
int epcl_link_command(struct epcl_link *l, const char *text, unsigned timeout_ms,
	struct epcl_reply *reply, bool *sent, struct err *e);
/* A question. What is there already is thrown away before it, what may still come is not waited
 * for. */
int epcl_link_ask(struct epcl_link *l, const char *text, struct epcl_reply *reply, struct err *e);
/* First contact: learns the printer's answer to V. A printer that waits for the rest of a plane
 * gets it. */
int epcl_link_start(struct epcl_link *l, struct err *e);

/* ---- the printer ------------------------------------------------------------ */

/* What is under way decides which jam a mechanical error is. */
enum epcl_doing {
	EPCL_SETUP,
	EPCL_FEED,
	EPCL_DOCK,
	EPCL_PRINT,
	EPCL_FLIP,
	EPCL_EJECT,
	EPCL_REJECT,
	EPCL_DOINGS
};

struct epcl_panel {
	char area[48];   /* command that goes before the data, "" = none */
	struct buf data; /* whole command, empty = none */
	bool used;
};

struct printer {
	struct epcl_link link;
	const struct printer_model *model;
	unsigned move_ms, print_ms, hold_ms;
	bool extended; /* holds all planes of a side at once */
	bool replies;
	struct print_job job;
	struct epcl_panel panels[SIDE_COUNT][PANEL_COUNT];
	char track[MAGNETIC_TRACKS][MAGNETIC_TRACK_MAX + 1];
	bool loaded, marked;
	enum card_place place;
	enum fault held_fault; /* what the last act met, shown until hold_until_ms */
	int64_t hold_until_ms;
	char held_raw[ERR_RAW_MAX];
	bool no_cleaning, no_place; /* questions the printer does not know */
	/* The card, if any, may be at a chip station, where no question reaches: no answer proves it gone. */
	bool maybe_docked;
	bool unfed; /* the last feed failed before the command that takes a card */
};

int64_t epcl_now_ms(void);
/* The setting's value, "" if there is none. */
const char *epcl_setting(const struct printer *p, const char *name);
unsigned epcl_setting_number(const struct printer *p, const char *name, unsigned otherwise);
/* Which fault a code means. FAULT_NONE: a status, not a fault. */
enum fault epcl_code_fault(int code, enum epcl_doing doing);
/* A failure before an act was sent is known not to be the act; after it there is doubt. */
int epcl_act_failed(int rc, bool sent, struct err *e);
/* Observing changes nothing, so it never leaves doubt. */
int epcl_look_failed(int rc, struct err *e);
/* 0 for ACK; ERR_FAULT for an error code; ERR_DOUBT for anything else. */
int epcl_judge(struct printer *p, enum epcl_doing doing, const struct epcl_reply *r, struct err *e);
/* One command that moves nothing. ERR_FAULT or ERR_DEVICE. */
int epcl_set(struct printer *p, const char *text, struct err *e);
/* One command that moves something, and the proof that the printer is through with it. */
int epcl_act(struct printer *p, enum epcl_doing doing, const char *text, unsigned timeout_ms,
	struct err *e);
void epcl_planes_drop(struct printer *p);

int epcl_status(struct printer *p, struct printer_status *out, struct err *e);
int epcl_probe(struct printer *p, probe_sink *tell, void *ctx, struct err *e);

/* Sends what a panel, or a whole side, needs before it is printed. Moves nothing. */
int epcl_panel_send(struct printer *p, enum side side, int panel, struct err *e);
int epcl_side_send(struct printer *p, enum side side, struct err *e);
bool epcl_docks(const struct printer *p); /* this installation knows the way to a chip station */
int epcl_reach(const struct printer *p, enum card_place place, struct err *e);
int epcl_feed(struct printer *p, enum card_place place, struct err *e);
int epcl_load(struct printer *p, const struct face faces[SIDE_COUNT], struct err *e);
int epcl_tracks(struct printer *p, const char track[MAGNETIC_TRACKS][MAGNETIC_TRACK_MAX + 1],
	struct err *e);
int epcl_print(struct printer *p, struct err *e);
int epcl_eject(struct printer *p, enum card_exit where, struct err *e);
int epcl_service(struct printer *p, enum printer_service what, struct err *e);

#endif
