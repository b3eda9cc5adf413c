/*
 * evolis.h - what the parts of the Evolis family share.
 *
 * Owns the columns of a model, the dialogue tables and the codec's contract. evolis-wire.c,
 * evolis-pack.c and evolis-reply.c are pure (bytes in, bytes out); evolis-table.c is data; the
 * others talk to the printer. Nobody else includes this.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_EVOLIS_H
#define CARDSPOOL_EVOLIS_H

#include "drivers/driver.h"

extern const struct printer_driver printer_evolis;

/* ---- wire ------------------------------------------------------------------ */

#define WIRE_REPLY_MAX 1024 /* the vendor's own programs read into 512 or 1024 bytes */

/* How one plane goes out. Levels 2, 32, 64, 128, 256: 1, 5, 6, 7, 8 bits a dot. */
struct wire_plane_format {
	unsigned levels;
	bool compressed;  /* one-bit planes may go as Dbc when that is shorter */
	bool short_lines; /* Dbc may use 00 and FF for empty and full lines */
	bool turned;      /* turn the picture by 180 degrees */
	unsigned pad; /* after Dbc fill up with 00 to a multiple of this, from its ESC; 0 = never */
	unsigned first, lines; /* lines > 0: this part of the plane only, as Dbp */
};

/* Bits a dot of a level count, 0 if the printers know no such count. */
unsigned wire_bits(unsigned levels);
/* Packs n values of 8 bits, most significant bits first and without gaps, into bits (5 to 8) a
 * value. Writes (n * bits + 7) / 8 bytes. turned: the last value comes first. */
void wire_pack(uint8_t *out, const uint8_t *in, size_t n, unsigned bits, bool turned);
/* The same without the processor's wide registers; wire_pack gives the same bytes. */
void wire_pack_portable(uint8_t *out, const uint8_t *in, size_t n, unsigned bits, bool turned);
/* The run form of a one-bit plane (see the drawing in evolis-wire.c). Returns its length, at most
 * lines * (1 + line_len); out may be NULL to measure. line_len is 1 to 81 bytes. */
size_t wire_squeeze(
	uint8_t *out, const uint8_t *in, size_t line_len, unsigned lines, bool short_lines);
/* Appends ESC text CR. ERR_INTERNAL if text carries a control byte. */
int wire_command(struct buf *out, const char *text, struct err *e);
/* Appends the download of a plane that is FULL or DATA. letter: the panel's letter on the wire. */
int wire_plane(struct buf *out, char letter, const struct plane *p,
	const struct wire_plane_format *format, struct err *e);

/* The same plane as every firmware takes it: Dbc becomes Db, 256 levels become 128. out may not be
 * in. ERR_MISSING when there is no plainer form; ERR_INTERNAL when in is no plane of wire_plane. */
int wire_plane_plainer(struct buf *out, const struct buf *in, struct err *e);

/* What the host knows of a reply while it comes in. */
enum wire_end { WIRE_MORE, WIRE_WHOLE, WIRE_TOO_LONG };
struct wire_reply {
	char text[WIRE_REPLY_MAX + 1]; /* trimmed once whole */
	size_t len;
	bool odd; /* carries bytes no reply has */
};
void wire_reply_init(struct wire_reply *r);
/* Takes one transfer's bytes. WIRE_WHOLE at 00, CR, LF (after at least one other byte) or a
 * zero-length transfer after text. *used: bytes taken; the rest belongs to the next reply. */
enum wire_end wire_reply_feed(struct wire_reply *r, const uint8_t *bytes, size_t len, size_t *used);
void wire_reply_trim(struct wire_reply *r);

/* What a known text stands for. */
enum wire_class {
	WIRE_OK,
	WIRE_FAULT,
	WIRE_JAM,     /* which jam depends on the act under way */
	WIRE_FULL,    /* which box depends on the act under way */
	WIRE_REFUSED, /* command, parameter or option not known */
	WIRE_UNKNOWN  /* none of the documented texts */
};
struct wire_text {
	const char *text;
	enum wire_class class;
	enum fault fault; /* FAULT_NONE for WIRE_OK and WIRE_UNKNOWN */
};
/* Never NULL. A known text may be followed by a blank, ';' or '(' and more. */
const struct wire_text *wire_text_find(const struct wire_reply *r);
/* "0,00 Volts" with comma or point. ERR_PROTOCOL otherwise. */
int wire_volts(const struct wire_reply *r, unsigned *millivolts);
/* A plain decimal number, nothing else. ERR_PROTOCOL otherwise. */
int wire_number(const struct wire_reply *r, int64_t *value);
/* Answer to the card position query. ERR_PROTOCOL otherwise. */
int wire_place(const struct wire_reply *r, enum card_place *place);
/* Status words: CFG, INF, WAR, ERR as eight hexadecimal digits each, anything between them. How
 * many were found; those missing are 0. */
unsigned wire_words(const struct wire_reply *r, uint32_t word[4]);
/* What stops the printer by its WAR and ERR words; FAULT_NONE = nothing. */
enum fault wire_words_fault(const uint32_t word[4]);

/* ---- dialogues ------------------------------------------------------------- */

enum step_kind {
	STEP_END,
	STEP_MUST,   /* anything but OK ends the dialogue */
	STEP_MAY,    /* a refusal is taken quietly */
	STEP_TELL,   /* a refusal is taken and told */
	STEP_SETTING /* a refusal is taken quietly while the value is the printer's own default */
};

/*
 * One command. In it $r and $n stand for the ribbon's name and number, $c $b $d for contrast,
 * brightness and resin heat, $e $j for the settings eject-to and reject-to; $s $f $h for the speed
 * (a number, or s and f) and the coercivity that the job asks for, $S $F for the usual speed when
 * it asked for one. panel: only when the
 * ribbon has that panel ('\0' = always). older: what is sent instead from then on when the firmware
 * refuses the command; NULL: nothing.
 */
struct step {
	enum step_kind kind;
	const char *command;
	char panel;
	const char *older;
};

/* What can be asked without moving anything. */
enum question {
	ASK_MODEL,
	ASK_SERIAL,
	ASK_FIRMWARE,
	ASK_PLACE,
	ASK_LAST, /* the last act's reply once more */
	ASK_COVER,
	ASK_FEEDER,
	ASK_RIBBON_MARK, /* OK unless the ribbon stands at its end mark */
	ASK_RIBBON_NAME, /* the kind it is set to */
	ASK_RIBBON_LEFT,
	ASK_RIBBON_SIZE,
	ASK_CARDS,
	ASK_CLEANING,
	ASK_PANELS,
	ASK_CLEANINGS,
	ASK_CLEANING_MEAN,
	ASK_CLEANING_LONGEST,
	ASK_HEAD,
	ASK_COUNT
};

/* A generation of the command set. A NULL question is not asked, a NULL place not reached. */
struct dialect {
	const char *name;
	bool numbered; /* ribbons by number; half panels as whole planes */
	const struct step *begin, *end;
	const char *start, *side[SIDE_COUNT], *finish; /* the card sequence */
	const char *feed[PLACE_SOMEWHERE + 1];
	const char *eject[2]; /* by enum card_exit */
	const char *question[ASK_COUNT];
	const char *older[ASK_COUNT]; /* asked instead when the firmware refuses the question */
};
extern const struct dialect evolis_classic, evolis_numbered;

/* What a model's settings and this installation's overrides come to. Every fact that the documents
 * leave open is here, never in code. */
struct evolis_model {
	const char *dialect; /* "ask", or the name of one */
	unsigned colour_levels;
	bool compressed, short_lines;
	unsigned pad;
	bool turned[SIDE_COUNT];
	const char *uv_letter; /* "": letter of the fluorescent panel unknown, not offered */
	bool place_reported;   /* the position query tells the station from the print position */
	bool ribbon_exact;     /* 0 left means the end */
	bool job_tags, image_statistics;
	unsigned cover_open_below_mv, feeder_empty_below_mv;
	unsigned reply_gap_ms; /* silence that ends a reply without an end mark */
	const char *eject_to, *reject_to, *coercivity, *track_formats;
	const char *status_command; /* "": the status words cannot be asked for */
	unsigned param_ms, plane_ms, move_ms, print_ms;
};
/* Settings, overrides and time limits of one connection. ERR_USAGE naming a value that is none. */
int evolis_columns(struct evolis_model *out, const struct printer_model *m,
	const struct transport *t, struct err *e);
#define EVOLIS_MODELS 9
extern const struct printer_model evolis_models[EVOLIS_MODELS];
extern const struct printer_command evolis_commands[];
/* The vendor's number of a ribbon, -1: none known. */
int evolis_ribbon_number(const char *name);

/* ---- link (evolis-link.c) -------------------------------------------------- */

/* One command at a time, and what an earlier one left behind. */
struct link {
	struct transport *transport;
	const struct evolis_model *m;
	char serial[64];   /* the printer's own answer: finding it again shows that replies are in
			      step */
	uint8_t held[512]; /* received behind the last reply */
	size_t n_held;
	bool owed;   /* an earlier command's reply may still come */
	size_t torn; /* bytes the printer still expects of a plane that broke off */
};

/*
 * Sends one whole command and reads its reply. *sent: every byte of it went out, so the printer may
 * have obeyed whatever this returns. Late replies and broken-off planes of earlier commands are
 * cleared away first. Errors are those of the transport, and FAULT_GARBLED_REPLY for a reply
 * without end.
 */
int link_exchange(struct link *l, const uint8_t *bytes, size_t len, bool plane, unsigned timeout_ms,
	struct wire_reply *reply, bool *sent, struct err *e);
int link_command(struct link *l, const char *text, unsigned timeout_ms, struct wire_reply *reply,
	bool *sent, struct err *e);
/* A question. What is there already is thrown away before it, what may still come is not waited
 * for. */
int link_ask(struct link *l, const char *text, struct wire_reply *reply, struct err *e);
/* First contact: learns the serial number in a way that no stale reply can spoil. usb_serial may be
 * "". */
int link_start(struct link *l, const char *usb_serial, struct err *e);

/* ---- the printer (evolis.c) ------------------------------------------------ */

/* What is under way decides which jam a jam is and which box is full. */
enum doing {
	DOING_SETUP,
	DOING_FEED,
	DOING_MOVE,
	DOING_PRINT,
	DOING_FLIP,
	DOING_EJECT,
	DOING_REJECT
};

struct printer {
	struct link link;
	const struct printer_model *model;
	const struct dialect *dialect;
	struct evolis_model columns;
	const struct evolis_model *m; /* columns */
	char model_text[64], firmware[64];
	struct print_job job;
	struct buf planes[SIDE_COUNT][PANEL_COUNT]; /* commands ready to go, in print order */
	char before[SIDE_COUNT][2][48];             /* commands ahead of the planes, "" = none */
	char track[MAGNETIC_TRACKS][MAGNETIC_TRACK_MAX + 1];
	bool loaded;
	bool marked; /* the card inside carries part of a print */
	enum card_place place;
	enum doing doing;
	bool wants_cleaning; /* an act was refused for it */
	bool ribbon_refused; /* "ERROR RIBBON" although the ribbon is not at its end */
	int64_t ribbon_left; /* what it counted then, -1: nothing */
	/* What this firmware was found not to know: bits per question and per step of begin. */
	unsigned refused, older_question;
	uint64_t older_step; /* the begin's steps from bit 0, the end's from bit 32 */
	bool plain_planes;
	struct printer_counter counter[COUNTERS_MAX]; /* the slow ones, asked once a connection */
	unsigned n_counters;
	bool counted;
	char head[64];
	char note[512], told[512];
};

/* A failure before an act was sent is known not to be the act (ERR_FAULT); after it there is doubt.
 */
int act_failed(int rc, bool sent, struct err *e);
/* Observing changes nothing, so it never leaves doubt: ERR_DOUBT becomes ERR_DEVICE. */
int look_failed(int rc, struct err *e);
/* 0 for OK; ERR_FAULT for a documented text, whatever its row says of doubt; ERR_DOUBT for any
 * other. */
int reply_judge(struct printer *p, const struct wire_reply *r, struct err *e);
/* The same for the reply to an act: a ribbon that is refused is told from one at its end. */
int act_judge(struct printer *p, const struct wire_reply *r, struct err *e);
int reply_garbled(struct printer *p, const struct wire_reply *r, struct err *e);
/* Which fault a known text means during what is under way. */
enum fault text_fault(const struct printer *p, const struct wire_text *text);
/* One command of an act. *sent: it went out completely. */
int command_run(struct printer *p, enum doing doing, const char *text, unsigned timeout_ms,
	bool *sent, struct err *e);
void planes_drop(struct printer *p);
/* Keeps a sentence for note(). */
void note_add(struct printer *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The model is documented not to know this command, whatever its parameters. */
bool command_lacking(const struct printer *p, const char *text);
/* Text outside the commands, which the printer skips; nothing unless the model is set so. */
int tag_send(struct printer *p, const char *text, struct err *e);

/* ---- observing (evolis-status.c) ------------------------------------------- */

/* *known is false when this printer has no answer. */
int question_ask(
	struct printer *p, enum question q, struct wire_reply *reply, bool *known, struct err *e);
/* An answer that is a plain text of the printer's own, "" if none. */
int question_text(struct printer *p, enum question q, char *out, size_t max, struct err *e);
/* Prints left as the printer counts them, -1 if it has no answer. */
int64_t ribbon_count(struct printer *p);
/* Where the card is, by asking; by what this driver did last when the printer cannot tell. */
int place_observe(struct printer *p, struct err *e);
/* After an act that was answered OK: is the card where it should be now? ERR_DOUBT if not. */
int place_confirm(struct printer *p, enum card_place expected, struct err *e);
int evolis_status(struct printer *p, struct printer_status *out, struct err *e);

/* The ribbon that the printer says it is set to is another one than the job's. */
int ribbon_check(struct printer *p, struct err *e);

/* ---- planes (evolis-load.c) ------------------------------------------------ */

int evolis_load(struct printer *p, const struct face faces[SIDE_COUNT], struct err *e);

/* ---- service and probe (evolis-service.c) ---------------------------------- */

int evolis_service(struct printer *p, enum printer_service what, struct err *e);
int evolis_probe(struct printer *p, probe_sink *tell, void *ctx, struct err *e);

/* ---- acts (evolis-act.c) --------------------------------------------------- */

int evolis_feed(struct printer *p, enum card_place place, struct err *e);
int evolis_tracks(struct printer *p, const char track[MAGNETIC_TRACKS][MAGNETIC_TRACK_MAX + 1],
	struct err *e);
int evolis_print(struct printer *p, struct err *e);
int evolis_eject(struct printer *p, enum card_exit where, struct err *e);

#endif
