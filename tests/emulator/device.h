/*
 * device.h - what the emulator's printer side is made of.
 *
 * Three layers, each knowing only the one below: the machine (cards, ribbon, positions, faults),
 * the dialect that drives it (Evolis), and the USB device in front, served to clients as usbfs. One
 * mutex, emu->lock, covers all of it; only the engine thread drops it, while it waits or writes
 * files.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_EMULATOR_DEVICE_H
#define CARDSPOOL_EMULATOR_DEVICE_H

#include "tests/emulator/emulator.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/types.h>

#define DOTS        648u  /* a line runs across the short edge */
#define LINES       1016u /* lines advance along the long edge */
#define LINE_BYTES  (DOTS / 8)
#define PLANE_BYTES (LINE_BYTES * LINES)
#define EMU_LEN(a)  (sizeof(a) / sizeof((a)[0]))

/* ---- models and ribbons (model.c) ---- */

enum step { STEP_FEED, STEP_STATION, STEP_PRINT, STEP_FLIP, STEP_EJECT, STEP_REJECT, STEP_COUNT };
extern const char *const step_names[STEP_COUNT];

enum panel_index { P_Y, P_M, P_C, P_K, P_O, P_COUNT };
extern const char panel_names[P_COUNT + 1]; /* "ymcko" */

/* Everything a document leaves open stands here as a column, never in code. */
struct dialect;
struct model {
	const char *name, *title;
	const struct dialect *dialect;
	const char *id1284;
	const char *manufacturer, *product;
	uint16_t vid, pid;
	const char *firmware, *head_kit;
	bool duplex;
	bool levels_256; /* newer generation only */
	bool numbered;   /* Evolis: the ribbon is declared by number (Pr;n;t) */
	bool tags;       /* XML-like text between commands is nothing unusual */
	bool fine;       /* Dbx: 600 and 1200 dots per inch along the feed */
	bool magnetic, contact, contactless;
	const char *lacks;         /* " Dbp Dbpc ": commands this model does not know */
	uint32_t cfg, ex1;         /* its bits in the status words */
	bool ribbon_tag;           /* answers Rrt */
	unsigned stray_ok;         /* every n-th Rrt is answered "OK" and nothing else; 0 never */
	bool ribbon_check;         /* a declared ribbon other than the fitted one is refused */
	bool pem_answers;          /* Pem itself is answered when it enters or leaves host mode */
	const char *cleaning_stop; /* answer to Ss when cleaning is due; NULL: goes on */
	const char *reject_full;   /* answer to an ejection into a full reject box */
	unsigned cleaning_cards;
	/* Received ahead of execution: the next job where the printer holds two, else a little. */
	size_t buffer_bytes;
	bool full_speed; /* USB at 12 Mbit/s */
	unsigned step_ms[STEP_COUNT], panel_ms[P_COUNT];
	const struct epcl_model *epcl; /* the Zebra family's own columns */
};
extern const struct model models[]; /* ends with a NULL name */
const struct model *model_find(const char *name);

struct epcl_model {
	unsigned dots, lines;             /* an image buffer */
	unsigned image_dots, image_lines; /* what an image may declare; the rest is cut */
	bool extended_memory;             /* one buffer for each panel */
	bool reject_box;                  /* knows +RB */
	uint8_t terminator;               /* behind a report */
	const uint8_t *configs;           /* what V n answers with ACK, ends with 0 */
	const char *alias[4]; /* whole commands: dock contact, dock contactless, to ready, out */
};

struct ribbon_kind {
	const char *name;
	const char *front, *back; /* panels of one set */
	uint8_t rgb[3];           /* colour of a resin panel */
	int number;               /* of the newer Evolis printers, -1 none */
	bool half;                /* Y, M and C cover a part of the card */
};
const struct ribbon_kind *ribbon_kind_numbered(int number);
const struct ribbon_kind *ribbon_kind_find(const char *name);

/* ---- framing (evolis-parse.c), pure ---- */

#define COMMAND_TEXT_MAX 512
#define COMMAND_ARGS_MAX 16
#define COMMAND_BIN_MAX  (4u << 20)

enum parse_event {
	PARSE_MORE,    /* input used up */
	PARSE_COMMAND, /* parser->text, argv, bin hold a whole command */
	PARSE_BROKEN,  /* the same, but parser->why says what is wrong with its form */
	PARSE_STRAY    /* parser->stray bytes outside of any command */
};

struct parser {
	int start, sep, end;
	int state;
	bool after_end;
	char text[COMMAND_TEXT_MAX]; /* up to the end character or the binary part */
	size_t text_len;
	unsigned seps;
	uint8_t *bin;
	size_t bin_len, bin_need;
	uint64_t at; /* offset of the next byte */
	/* results */
	const char *why;
	char name[COMMAND_TEXT_MAX];
	char *argv[COMMAND_ARGS_MAX];
	unsigned argc;
	uint64_t stray_at;
	size_t stray;
	char stray_text[33], stray_last;
};

void parser_init(struct parser *p);
void parser_reset(struct parser *p); /* forgets a half-received command, keeps Psc */
void parser_done(struct parser *p);
/* Consumes from *data until an event; *data and *len advance. */
enum parse_event parser_next(struct parser *p, const uint8_t **data, size_t *len);

/* ---- planes (evolis-plane.c), pure ---- */

/* Bytes of an uncompressed plane of this many lines; 0 for an unknown level count. */
size_t plane_size(unsigned levels, unsigned lines);
/*
 * Each writes values 0..255 (dye, scaled from the level count) into out, one byte a dot, for
 * `lines` lines. Return 0, or -1 with *why set: wrong length, bits left over, a run past the end of
 * its line.
 */
int plane_unpack(uint8_t *out, unsigned levels, unsigned lines, const uint8_t *in, size_t len,
	const char **why);
int plane_expand(uint8_t *out, unsigned levels, unsigned lines, const uint8_t *in, size_t len,
	const char **why);
/* How many whole lines a compressed part holds; 0: not a whole number of them. */
unsigned plane_lines(unsigned levels, const uint8_t *in, size_t len);
/* Turns dye planes (NULL = none) back into the upright picture: RGB, LINES wide and DOTS high,
 * white PVC underneath. resin: the colour of the K panel. */
void plane_unprint(uint8_t *rgb, const uint8_t *const dye[P_COUNT], const uint8_t resin[3]);
/* The same, width dots wide, from planes of their own numbers of lines, each a divisor of width. */
void plane_unprint_fine(uint8_t *rgb, unsigned width, const uint8_t *const dye[P_COUNT],
	const unsigned lines[P_COUNT], const uint8_t resin[3]);

/* ---- cards (card.c) ---- */

struct emu_card *card_create(
	unsigned serial, uint64_t *random_state, struct emu_card *const *others, unsigned n_others);
void card_destroy(struct emu_card *c);
/* A blank chip of another kind, with a number of the length that such chips have. */
bool card_chip(struct emu_card *c, const char *kind);
/* Makes it another card's twin, blank: 8 or 14 hexadecimal digits. False: not such a number. */
bool card_uid(struct emu_card *c, const char *hex);
/* OUT_DIR/NNNN/, complete or absent. 0 or -1. */
int card_write(const struct emu_card *c, const char *out_dir);
uint64_t random_next(uint64_t *state);

/* ---- the machine (machine.c) ---- */

enum position { POS_NONE, POS_PRINT, POS_CONTACT, POS_CONTACTLESS };
extern const char *const position_names[];

struct emu;
struct usb_device;

struct reel {
	const struct ribbon_kind *kind; /* NULL: none fitted */
	unsigned left[P_COUNT];
	unsigned sets, capacity;
	bool ended;
};

struct faults {
	bool jam[STEP_COUNT]; /* the next such step jams */
	bool cover_open, hopper_empty, output_full, reject_full, head_hot, cleaning_due;
	bool mute, deaf, garble, endless;
	bool magnet_write, magnet_read, magnet_checksum;
	char say_name[16], say_text[64];  /* this command is answered so, and not carried out */
	char lacks[128];                  /* " NAME NAME ": unknown commands, beside the model's */
	const struct ribbon_kind *unsure; /* every other answer names this ribbon */
};

#define TRACKS 3

struct printer {
	struct emu *emu;
	struct usb_device *usb;
	const struct model *model;
	char serial[32];
	char out_dir[512]; /* "": nothing is written */
	struct pn532 *station;     /* the chip reader: one of these two, or none */
	struct pcsc_reader *pcsc;
	const char *station_path;
	struct usb_device *reader_usb; /* the reader as the bus shows it, NULL: not at all */
	unsigned tcp_port; /* 0: not on the network */
	int tcp;
	const char *usbredir_path;
	unsigned long strict_lines;
	/* mechanics */
	struct emu_card **cards;
	unsigned n_cards, next_card; /* cards[next_card] is the next to be fed */
	const char *chip_kind;       /* of the stock; NULL: MIFARE Classic 1K */
	struct emu_card *inside;
	enum position position;
	uint64_t position_ms; /* since when the card rests there */
	/* When each plane was here whole, told by the dialect; 0: when it is printed. */
	uint64_t loaded_ms[2][P_COUNT];
	bool back_up; /* the flipper has turned the card */
	bool jammed;
	enum step jam_step;
	bool output_refused, reject_refused; /* a card waits in front of a full box */
	unsigned output_capacity, reject_capacity, output_now, reject_now;
	unsigned good, rejected, by_hand;
	struct reel reel, spare; /* spare: what "ribbon new" and "clear" put in */
	unsigned long life_cards, life_panels, cleanings, since_cleaning;
	struct field field;
	struct faults faults;
	unsigned unsure_count;
	bool power_lost; /* the engine owes the dialect its power-on defaults */
	bool powered;
	/* dialect */
	void *dialect; /* the model's dialect's own state */
	pthread_t engine;
	bool busy;
};

struct printer *printer_create(struct emu *emu, const struct model *m, const char *serial,
	unsigned hopper, const char *ribbon);
void printer_destroy(struct printer *p);
int printer_ribbon(struct printer *p, const char *spec); /* "ymcko:200"; 0 or -1 */
/* What the printer believes is fitted; NULL: nothing. */
const struct ribbon_kind *printer_ribbon_seen(struct printer *p);
void reel_fill(struct reel *r);
void ribbon_advance(struct printer *p, int side);
void printer_add_cards(struct printer *p, unsigned n);
/* What kind of chip all its cards have, and those that are put in later. False: unknown name. */
bool printer_chips(struct printer *p, const char *kind);
unsigned printer_hopper(const struct printer *p);
bool printer_cleaning_due(const struct printer *p);
/* A byte, command or parameter that the protocol document does not allow: counted and logged. */
void printer_strict(struct printer *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* An answer of the dialect; missing, noise or without end while such a fault lasts. */
void printer_reply(struct printer *p, const void *bytes, size_t len);
/* True: the model or a fault makes this command unknown. */
bool printer_lacks(const struct printer *p, const char *name);
/* Each returns NULL or the machine's word for the fault ("CARD JAM"). */
const char *machine_ready(struct printer *p); /* anything in the way of a movement? */
const char *machine_move(struct printer *p, enum position to); /* feeds when nothing is inside */
const char *machine_ribbon(struct printer *p, const char *declared);
const char *machine_print(struct printer *p, int side, const uint8_t *const dye[P_COUNT]);
/* lines: how many lines each plane has, a multiple of LINES. */
const char *machine_print_fine(struct printer *p, int side, const uint8_t *const dye[P_COUNT],
	const unsigned lines[P_COUNT]);
const char *machine_step(struct printer *p, enum step s); /* its time, its jam */
const char *machine_flip(struct printer *p, bool back_up);
const char *machine_eject(struct printer *p);
const char *machine_reject(struct printer *p);
void machine_clear(struct printer *p); /* the operator's hand */
void machine_take(struct printer *p);  /* the same, for the card alone */
uint8_t machine_port_status(const struct printer *p);

/* ---- dialects ---- */

/* A printer family's language: bytes in, the machine moved, answers by usb_reply. */
struct dialect {
	const char *name; /* "evolis", "epcl" */
	void *(*create)(struct printer *p);
	void (*destroy)(void *state);
	void (*feed)(void *state, const uint8_t *data, size_t len); /* engine thread, lock held */
	void (*link_reset)(void *state); /* plug, SOFT_RESET: half a command is forgotten */
	void (*power)(void *state);      /* power-on defaults */
	json_t *(*status)(const void *state);
	uint8_t (*port_status)(const void *state); /* NULL: the machine's own */
	/* One of its switches from the console. NULL, or what is wrong. */
	const char *(*option)(void *state, const char *name, const char *value);
};
extern const struct dialect dialect_evolis, dialect_epcl;

/* ---- the Evolis dialect (evolis.c) ---- */

/* Settings with a stored value (evolis-param.c). NULL: not such a command; else the answer. */
struct params;
struct params *params_create(void);
void params_destroy(struct params *p);
const char *params_set(struct params *ps, const char *name, unsigned argc, char *const *argv);
const char *params_get(struct params *ps, const char *name, unsigned argc, char *const *argv);
const char *params_value(const struct params *ps, const char *key);

/* ---- USB (usbdev.c) ---- */

struct urb {
	struct urb *next;
	struct handle *handle;
	pid_t tid;
	uint64_t client_urb, client_buffer; /* addresses in the client */
	uint8_t endpoint;
	uint8_t setup[8];
	uint8_t *data;
	size_t len, actual;
	int status;
	bool sync; /* USBDEVFS_BULK: answers notification `notif` when done */
	uint64_t notif, deadline_ms;
};

struct reply {
	struct reply *next;
	uint64_t due_ms;
	size_t len, sent;
	uint8_t bytes[];
};

/* What is on the bus beside printers: it is described, and nothing can be asked of it. */
struct usb_other {
	uint16_t vid, pid;
	uint8_t device_class, interface_class;
	const char *product;
};
extern const struct usb_other usb_hub, usb_reader;

struct usb_device {
	struct emu *emu;
	struct printer *printer;        /* NULL: the root hub, or what other says */
	const struct usb_other *other;  /* NULL: the root hub */
	char port[16];                  /* "usb1", "1-1" */
	unsigned bus, devnum;
	bool plugged;
	bool kernel_driver; /* usblp is bound */
	struct handle *owner;
	uint8_t descriptors[128];
	size_t descriptors_len, device_len;
	uint8_t ep_out, ep_in; /* 0: there is none */
	char lie[16];          /* what is wrong with the descriptors from the next plug on */
	const char *strings[4];
	struct urb *out, *in; /* queues, oldest first */
	bool halt_out, halt_in;
	struct reply *replies;
	uint8_t *fifo;
	size_t fifo_len, fifo_max;
	uint64_t bytes_out, bytes_in;
	/* faults of the line */
	bool hang;
	unsigned slow_bps;
	uint64_t slow_since_ms, slow_taken;
	int64_t unplug_after; /* bytes of OUT data from now on, -1 off */
	unsigned reply_delay_ms;
	unsigned line_bps; /* the line's own pace, 0: no limit */
	bool babbles;
	bool link_was_reset;
};

/* Its port on the loopback address (tcp.c), if it has one. 0, or -1 with errno. */
int tcp_start(struct printer *p);
void usb_describe(struct usb_device *d, const char *serial);
/* From the next plug on; "ok" ends it. False: no such lie. */
bool usb_lie(struct usb_device *d, const char *word);
void usb_submit(
	struct usb_device *d, struct urb *u); /* completes now or later by handle_complete */
bool usb_cancel(
	struct usb_device *d, struct urb *u); /* true: was pending, is completed with -ENOENT */
void usb_expire(struct usb_device *d);
void usb_drop_handle(struct usb_device *d, struct handle *h);
void usb_pump(struct usb_device *d);
void usb_done(struct usb_device *d);
uint64_t usb_next_due(const struct usb_device *d); /* ms, UINT64_MAX none */
void usb_plug(struct usb_device *d, bool on);
void usb_reply(struct usb_device *d, const void *bytes, size_t len);
void usb_babble(struct usb_device *d); /* an answer without an end, until usb_clear_faults */
void usb_clear_faults(struct usb_device *d);
/* Each fills out (512 bytes) and returns the length, or -EPIPE. */
int usb_string(const struct usb_device *d, unsigned index, uint8_t *out);
int usb_device_id(const struct usb_device *d, uint8_t *out);

/* ---- usbfs (usbfs.c) ---- */

/* One open file of a client: a pty whose slave the client holds. Writable to the client's poll when
 * there is something to reap, hung up when the device is gone; our side hangs up when the client
 * has closed. */
struct handle {
	struct handle *next;
	struct usb_device *dev;
	int master;
	unsigned pts;
	bool gone; /* the device this handle was opened on has left */
	struct urb *done;
	uint64_t reap_notif; /* a blocked REAPURB, 0 none */
	pid_t reap_tid;
	uint64_t reap_arg;
	bool signalled;
	bool remote; /* no file: USB/IP or usbredir took the device (remote.c) */
	int wake;    /* its eventfd: something is done, or the device has left */
	size_t held; /* bytes of its transfers */
};

/* The slave for a new open file, or -errno. */
int handle_open(struct usb_device *d);
struct handle *handle_find(struct emu *emu, unsigned pts);
void handle_complete(struct urb *u);
/* Takes the first finished transfer; writes what the client expects. 0, or -EFAULT. */
int handle_reap(struct handle *h, pid_t tid, uint64_t arg);
void handle_gone(struct handle *h);
void handle_close(struct emu *emu, struct handle *h); /* with its transfers and its claim */
void handles_sweep(struct emu *emu);                  /* closes those whose clients have gone */
/* Sweeps before another than the owner is refused. The thread that handed a client its descriptor
 * may hold its own copy a moment longer, so a close just made may not be seen yet. */
void owner_settle(struct usb_device *d, const struct handle *asking);
void handles_close(struct emu *emu);                  /* all, at the end */
#define USBFS_PENDING INT64_MIN
/* The answer (>= 0, -errno) or USBFS_PENDING: it comes later by notify_answer(). */
int64_t usbfs_ioctl(struct emu *emu, struct handle *h, pid_t tid, uint64_t notif, unsigned request,
	uint64_t arg);

/* ---- the fake trees (tree.c) ---- */

int tree_create(struct emu *emu);
void tree_remove(struct emu *emu);
int tree_add(struct emu *emu, struct usb_device *d);
void tree_delete(struct emu *emu, struct usb_device *d);
void tree_uevent(struct emu *emu, struct usb_device *d, const char *action);

/* ---- the sandbox (sandbox.c, notify.c) ---- */

/* Before any thread: rights of its own for an ordinary user. 0, or the exit status after a line. */
int sandbox_permit(void);
int sandbox_run(struct emu *emu, char **argv);                   /* exit status of argv */
void notify_answer(struct emu *emu, uint64_t id, int64_t value); /* value: result or -errno */
void notify_root(pid_t client); /* before notify_start: where the client's tree begins */
int notify_start(struct emu *emu, int listener);
bool client_read(pid_t tid, uint64_t address, void *to, size_t len);
bool client_write(pid_t tid, uint64_t address, const void *from, size_t len);

/* ---- kills and power cuts (killer.c) ---- */

enum kill_at { KILL_AT_ONCE, KILL_AT_SYNC, KILL_AT_COMMAND, KILL_AT_CHIP_WRITE };
enum kill_when { KILL_BEFORE, KILL_AFTER };

/* folder: its files' syncs are watched, NULL: none. NULL when it is not there. */
struct killer *killer_create(const char *folder);
void killer_destroy(struct killer *k);
void killer_start(struct killer *k, pid_t child);
bool killer_watches(const struct killer *k);
/* n counts from now. NULL, or what is wrong. */
const char *killer_plan(struct emu *emu, enum kill_at at, const char *command, unsigned n,
	const char *who, const char *when);
void killer_forget(struct killer *k);
void killer_synced(struct killer *k); /* the folder as it is now survives a power cut */
/* The moments. True: whoever talked to the device is gone. */
bool killer_command(struct emu *emu, const char *name, enum kill_when when);
bool killer_chip_write(void *emu, bool after);
/* False: not a watched file. waits(ctx) tells whether the caller is still there. */
bool killer_sync(struct emu *emu, const char *path, bool (*waits)(void *), void *ctx);
json_t *killer_status(struct killer *k);

/* ---- fault console (console.c) and what it shows (status.c) ---- */

int console_script(struct emu *emu, const char *path); /* reports the first bad line on stderr */
int console_start(struct emu *emu, const char *socket_path);
struct console *console_create(void);
void console_destroy(struct console *c);
void console_stop(struct emu *emu);
/* One line; lock held. Returns a malloc'ed one-line JSON answer. */
char *console_line(struct emu *emu, const char *line);
void console_at_card(struct printer *p, unsigned serial);
void console_at_command(struct printer *p, const char *name);
void console_tick(struct emu *emu);
uint64_t console_next_due(const struct emu *emu);
int console_tell(const char *socket_path, int argc, char **argv); /* the client; exit status */
json_t *status_printer(struct printer *p);                        /* all about one */
char *status_text(struct emu *emu);                               /* malloc'ed JSON, lock held */
void status_write(struct emu *emu);  /* printer.json of every printer, lock held */
void status_show(struct printer *p); /* of this one */
/* The words CFG, INF, WAR, ERR and EX1 of the vendor's software, from the machine's state. */
#define STATUS_WORDS 5
extern const char *const status_word_names[STATUS_WORDS];
void status_words(const struct printer *p, uint32_t out[STATUS_WORDS]);

/* ---- counters that outlive a run (state.c) ---- */

int state_read(struct emu *emu, const char *path); /* 0, or -1 after a line on stderr */
void state_write(struct emu *emu);                 /* replaces the whole file, lock held */

/* ---- its chip reader (reader.c) ---- */

/* As station_path says; nothing without one. 0, or -1 after a line on stderr. */
int station_start(struct printer *p, bool timing);
/* One line of the console; a malloc'ed answer, NULL without a reader. */
char *station_control(struct printer *p, const char *line);
void station_stop(struct printer *p);

/* ---- the program (main.c) ---- */

#define PRINTERS_MAX 16
#define OTHERS_MAX   (4 * PRINTERS_MAX)

struct emu {
	pthread_mutex_t lock;
	pthread_cond_t work;  /* for engines: bytes arrived, a fault was cleared */
	pthread_cond_t clock; /* for the clock: something new is due */
	struct usb_device hub;
	struct usb_device device[PRINTERS_MAX];
	struct usb_device other[OTHERS_MAX]; /* hubs and chip readers */
	unsigned n_others;
	struct printer *printer[PRINTERS_MAX];
	unsigned n_printers;
	struct handle *handles;
	struct console *console;
	struct killer *killer;
	char root[64]; /* private folder with the fake trees */
	const char *out_dir;
	FILE *log;
	bool timing, private_net, strict;
	bool sandboxed; /* a program runs inside: fake trees and plug events are for it */
	const char *control_path, *script_path, *state_path;
	const char *usbip; /* [ADDRESS:]PORT */
	bool usbip_anyone;
	uint64_t random_state;
	uint64_t start_ms, seqnum;
	unsigned next_devnum;
	int netlink, listener, watch; /* watch: epoll over the masters of all handles */
	bool stopping;
	unsigned links;   /* connections by USB/IP */
	unsigned helpers; /* threads of emu_helper that are at work */
	pthread_t clock_thread;
};

struct options;
int emu_build(struct emu *emu, const struct options *o); /* the printers, plugged in; 0 or -1 */
/* A thread that nobody joins; the end of the emulator waits for it. 0 or -1. */
int emu_helper(struct emu *emu, void (*run)(struct emu *emu, void *arg), void *arg);
int emu_start(struct emu *emu); /* threads, after the fork; 0 or -1 */
uint64_t now_ms(void);
void emu_log(struct emu *emu, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Lets time pass (only with --timing), lock dropped meanwhile. */
void emu_wait(struct emu *emu, unsigned ms);
/* Waits for the operator, at most ms; lock dropped meanwhile. */
void emu_pause(struct emu *emu, unsigned ms);

#endif
