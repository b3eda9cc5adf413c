/*
 * driver.h - floor 2: devices.
 *
 * Owns what a printer family and a chip station must offer, the USB transport, the table of faults, and
 * the writing of a chip. Knows nothing of ledgers, CUPS or master keys. Only usb.c and the station files
 * touch hardware; codecs are pure.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_DRIVER_H
#define CARDSPOOL_DRIVER_H

#include "filters/card.h"

/* ---- faults (fault.c) ------------------------------------------------------------------------- */

/* Every way a machine or a chip can fail. One row each in faults[]. */
enum fault {
	FAULT_NONE,
	/* the printer */
	FAULT_HOPPER_EMPTY,
	FAULT_JAM_FEED,
	FAULT_JAM_STATION,
	FAULT_JAM_PRINT,
	FAULT_JAM_FLIP,
	FAULT_JAM_EJECT,
	FAULT_JAM_REJECT,
	FAULT_COVER_OPEN,
	FAULT_RIBBON_END,
	FAULT_RIBBON_WRONG,
	FAULT_RIBBON_NONE,
	FAULT_OUTPUT_FULL,
	FAULT_REJECT_FULL,
	FAULT_HEAD_HOT,
	FAULT_CLEANING_DUE,
	FAULT_NO_REPLY,
	FAULT_GARBLED_REPLY,
	FAULT_REFUSED, /* the printer does not know a command or option it should */
	FAULT_STALL,
	FAULT_UNPLUGGED,
	FAULT_PRINTER_ABSENT,
	FAULT_MECHANICAL,
	FAULT_CARD_MARKED, /* printing was broken off part-way: never print on that card again */
	FAULT_MAGNETIC,    /* the card's magnetic stripe refuses what shall be written */
	/* the chip and its reader */
	FAULT_READER_ABSENT,
	FAULT_READER_GONE,
	FAULT_NO_CHIP,
	FAULT_CHIP_TYPE,
	FAULT_CHIP_USED,
	FAULT_CHIP_REMOVED,
	FAULT_CHIP_WRITE,
	FAULT_CHIP_VERIFY,
	FAULT_CHIP_TRAILER,
	FAULT_CHIP_TWO,
	FAULT_UID_ISSUED,
	FAULT_KEYS,
	/* the station host */
	FAULT_LEDGER,
	FAULT_WORKER_DIED,
	FAULT_COUNT
};

/* What the pass does with the card that was in the machine. */
enum fault_action {
	FAULT_WAIT,   /* nothing happened to a card: wait until the cause is gone, then do the act again */
	FAULT_REJECT, /* this card is bad: to the reject box, a fresh one takes its place */
	FAULT_SPOIL,  /* the card must be taken out by hand: wait until it is seen gone, then a fresh one */
	FAULT_SETTLE, /* outcome unknown: observe, and if that does not settle it, doubt */
	FAULT_HALT    /* nothing can go on: stop the queue with the message */
};

struct fault_row {
	enum fault fault;
	const char *code;   /* stable word for logs and JSON: "jam-printing" */
	const char *reason; /* IPP printer-state-reasons keyword: "media-jam-error" */
	enum fault_action action;
	const char *cause;  /* for the operator, in plain words (N_) */
	const char *remedy; /* one next step (N_) */
};
extern const struct fault_row faults[FAULT_COUNT];
const struct fault_row *fault_row(int fault);        /* never NULL: unknown numbers give FAULT_NONE's */
const struct fault_row *fault_by_code(const char *code); /* NULL if none */
/* err_set with ERR_FAULT (ERR_DOUBT for FAULT_SETTLE rows) and the fault's own words. Returns the code. */
int fault_set(struct err *e, enum fault fault, const char *raw);
/* The same with a sentence of its own in place of the table's. */
int fault_say(struct err *e, enum fault fault, const char *raw, const char *text);

/* ---- transport (usb.c; tests bring their own) ---------------------------------------------------- */

struct transport;
struct transport_ops {
	/* Writes all of len in pieces of 64 KiB to 1 MiB; *done tells how much went out, also on failure. */
	int (*write)(struct transport *t, const void *bytes, size_t len, size_t *done,
		unsigned timeout_ms, struct err *e);
	/* Reads what one transfer brings, at most max. 0 bytes = a zero-length packet. FAULT_NO_REPLY on time-out. */
	int (*read)(struct transport *t, void *bytes, size_t max, size_t *len, unsigned timeout_ms,
		struct err *e);
	/* The printer class' GET_PORT_STATUS byte. */
	int (*port_status)(struct transport *t, uint8_t *status, struct err *e);
	void (*close)(struct transport *t);
};
/* How long the printer is waited for, ms; 0 = what its model's row says. Set after usb_open, before the family's open. */
struct printer_limits {
	unsigned reply_ms; /* a question or a setting */
	unsigned move_ms;  /* a card on its way */
	unsigned plane_ms; /* one panel's dots taken and answered */
	unsigned print_ms; /* printing, turning, putting out */
};
struct printer_override;
struct transport {
	const struct transport_ops *ops;
	struct printer_limits limits;
	/* Settings of this installation, set like limits; the owner is who opened the transport. */
	const struct printer_override *overrides;
	size_t n_overrides;
};

/* One printer-class USB interface as found on the bus. Strings are trimmed and printable. */
struct usb_printer {
	uint16_t vendor, product;
	uint8_t bus, address;
	char serial[64];
	char device_id[256]; /* IEEE 1284 id */
	char make[64], model[64];
	char path[32]; /* bus-port.port: pairs a reader with its printer */
	char host[64]; /* on the network: its address, and path is empty */
	uint16_t port;
	/* Who it is for lock, ledger and configuration: the serial number, "SERIAL@PATH" where the
	 * device URI tells twins apart by their plug. Set by uri.c. */
	char name[96];
};
/* Lists printers whose vendor id some family claims, without claiming an interface. The caller frees *list. */
int usb_list(struct usb_printer **list, size_t *n, struct err *e);
/* The plug ("1-2.4") of what has that address now. ERR_MISSING: nothing. */
int usb_plug_find(char *out, size_t max, uint8_t bus, uint8_t address, struct err *e);
/* Claims the printer with that serial number (NULL: the only one; several = ERR_USAGE naming them). */
int usb_open(struct transport **out, const struct usb_printer *which, struct err *e);
/* A raw TCP connection to host and port (net.c). port_status is NULL there. ERR_BUSY: in use on this
 * computer; FAULT_PRINTER_ABSENT: nobody answers. */
int net_open(struct transport **out, const struct usb_printer *which, struct err *e);
int device_id_get(const char *device_id, const char *key, char *out, size_t max);

/* ---- printers ---------------------------------------------------------------------------------------- */

/* proven: on a real printer; sourced: two or more independent sources; one source; inferred: by us. */
enum confidence {
	CONFIDENCE_PROVEN,
	CONFIDENCE_SOURCED,
	CONFIDENCE_ONE_SOURCE,
	CONFIDENCE_INFERRED
};
const char *confidence_name(enum confidence c); /* "one source" */

/* One command a family's codec can emit. doc/PRINTERS.md is made of these rows. */
struct printer_command {
	const char *name;    /* as it is sent: "Pem;2", "$F" */
	const char *when;    /* "begin", "feed", "print", "status" */
	const char *purpose;
	const char *source;  /* where the fact comes from, a few words */
	enum confidence confidence;
};

/* What no source proves, or what differs between sources: a value of the model, not of the code. An
 * installation may override it by name ([printer NAME] of cardspool.conf). */
struct printer_setting {
	const char *name, *value; /* value: the safe default */
	const char *purpose;
	enum confidence confidence;
};
struct printer_override {
	const char *name, *value;
};

struct printer_model {
	const char *name;     /* "Evolis Dualys 3" */
	const char *mdl;      /* MDL of the 1284 id, also matched as prefix of the answer to its name query */
	unsigned head_dots, head_lines, dpi;
	bool duplex, contact, contactless, magnetic;
	const char *ribbons;  /* names that fit, blank separated; the first is the default */
	const void *family;   /* the family's own columns */
	enum confidence confidence;
	uint16_t product;      /* USB product id, 0: unknown, the 1284 id or the printer's answer decides */
	unsigned hopper_cards; /* cards the input hopper holds, 0: unknown */
	unsigned ribbon_cards; /* prints on a full colour ribbon, 0: unknown */
	unsigned head_life_cards; /* prints the head is rated for, 0: unknown */
	const char *levels;    /* levels a dot the codec may send, blank separated: "2 64 128" */
	const struct printer_setting *settings; /* ends with a NULL name; NULL: none */
	const char *lacks; /* commands this model is documented not to know, blank separated; NULL: none */
	bool network; /* may be driven over a raw TCP port too */
	const char *speeds; /* what print_job.speed may be, blank separated; NULL: cannot be set */
	bool coercivity;    /* print_job.coercivity can be set */
};
/* The override of that name, else the model's value, else NULL. */
const char *printer_setting_value(
	const struct printer_model *m, const struct transport *t, const char *name);
/* ERR_USAGE naming an override that the model has no setting for. For a family's open. */
int printer_overrides_check(const struct printer_model *m, const struct transport *t, struct err *e);

enum card_place {
	PLACE_UNKNOWN,
	PLACE_NONE, /* no card in the transport */
	PLACE_PRINT,
	PLACE_CONTACT,
	PLACE_CONTACTLESS,
	PLACE_SOMEWHERE /* a card is inside, not at a known position */
};

enum supply_kind {
	SUPPLY_RIBBON,   /* prints left */
	SUPPLY_CLEANING, /* cards until it is due */
	SUPPLY_HEAD,     /* prints until the head's rated life is over */
	SUPPLY_READER    /* station operations done; capacity: rated */
};
struct supply {
	enum supply_kind kind;
	char name[32];
	int level, capacity; /* -1: unknown */
};
#define SUPPLIES_MAX 8

/* One of the machine's own counters: "panels", "cleanings". */
struct printer_counter {
	char name[32];
	int64_t value;
};
#define COUNTERS_MAX 8

/* What can be seen without moving anything. */
struct printer_status {
	char model[64], serial[64], firmware[64];
	enum card_place place;
	bool blind;          /* no sensor tells where a card is: PLACE_UNKNOWN is no fault, feed clears the path */
	bool unfed;          /* the feed that failed last took no card from the hopper, wherever an older one is */
	enum fault fault;    /* what stops it now; FAULT_NONE = ready */
	char raw[ERR_RAW_MAX];
	int64_t cards;       /* life counter of cards printed, -1: not reported */
	int cleaning_left;   /* cards until cleaning, -1: not reported */
	struct supply ribbon; /* prints left on the ribbon */
	/* Everything that wears or runs out, the ribbon again among them. */
	struct supply supply[SUPPLIES_MAX];
	unsigned n_supplies;
	char supply_note[ERR_TEXT_MAX]; /* a sentence for a person beside the figures; floor 3's */
	char status_words[64]; /* the family's own status words as reported, "" = none */
	struct printer_counter counter[COUNTERS_MAX];
	unsigned n_counters;
};

/* Work on the machine itself, without an order. */
enum printer_service { SERVICE_CLEAN, SERVICE_TEST_CARD };
/* One answer of a probe: what was asked, in plain words, the bytes sent and the reply, made printable;
 * reply NULL: none came. */
typedef void probe_sink(void *ctx, const char *what, const char *sent, const char *reply);

struct print_job {
	const struct ribbon *ribbon;
	bool duplex;
	int brightness, contrast, darkness; /* -10 … 10, 0 = as made */
	unsigned speed;  /* of black resin: 0 = as the printer is set, 1 (slow) … 10 */
	char coercivity; /* of the magnetic stripe: 'h', 'l'; 0 = as the model's setting says */
};
/* ERR_USAGE when the model cannot do what the job asks beside its planes. For a family's begin. */
int print_job_check(const struct printer_model *m, const struct print_job *job, struct err *e);

enum card_exit { EXIT_HOPPER, EXIT_REJECT };

/*
 * A printer family. An act returns 0 when the printer confirmed it; ERR_FAULT when it is known not to have
 * succeeded (err.fault says why); ERR_DOUBT when it may or may not have happened (no reply, garbled reply,
 * unplugged, worker asked to stop). No verb ever repeats an act by itself.
 */
struct printer;
struct printer_driver {
	const char *family; /* "evolis" */
	const uint16_t *vendors; /* USB vendor ids, 0-terminated */
	bool vendor_shared; /* machines of other kinds carry the same vendor id */
	const struct printer_model *models;
	size_t n_models;
	/* Asks the printer what it is; takes the transport (closes it on failure too). */
	int (*open)(struct printer **out, struct transport *t, const struct usb_printer *id, struct err *e);
	void (*close)(struct printer *p);
	const struct printer_model *(*model)(const struct printer *p);
	/* Observing. Never moves a card. */
	int (*status)(struct printer *p, struct printer_status *out, struct err *e);
	/* Host mode, ribbon, contrast: before the first card and after a reset. No motion. */
	int (*begin)(struct printer *p, const struct print_job *job, struct err *e);
	/* 0 when feed could bring a card there; else ERR_USAGE says what is missing. NULL: as the model says. */
	int (*reach)(const struct printer *p, enum card_place place, struct err *e);
	/* Act: takes a card from the hopper (or moves the one inside) to place. */
	int (*feed)(struct printer *p, enum card_place place, struct err *e);
	/* Loads the planes of both sides into the printer. No motion; a failure spoils nothing. */
	int (*load)(struct printer *p, const struct face faces[SIDE_COUNT], struct err *e);
	/* Keeps what print() writes on the magnetic stripe ("" = nothing), until the next load. NULL: the family
	 * cannot; see the model's magnetic column too. No motion. */
	int (*tracks)(struct printer *p, const char track[MAGNETIC_TRACKS][MAGNETIC_TRACK_MAX + 1],
		struct err *e);
	/* Act: prints what is loaded and ejects to the output hopper. */
	int (*print)(struct printer *p, struct err *e);
	/* Act: ejects the card unprinted. */
	int (*eject)(struct printer *p, enum card_exit where, struct err *e);
	int (*end)(struct printer *p, struct err *e);
	/* Act: a cleaning run or a test card. NULL: the family cannot. */
	int (*service)(struct printer *p, enum printer_service what, struct err *e);
	/* Asks what it may without moving a card or changing a setting, and reports; never concludes. */
	int (*probe)(struct printer *p, probe_sink *tell, void *ctx, struct err *e);
	const struct printer_command *commands; /* ends with a NULL name */
	/* What this connection does in another way than its model's row says, once, as a sentence for a
	 * person; NULL: nothing new. Valid until the next call. NULL verb: the family never does. */
	const char *(*note)(struct printer *p);
};

/* What an installation says of a printer; overrides must outlive it. */
struct printer_setup {
	struct printer_limits limits;
	const struct printer_override *overrides;
	size_t n_overrides;
};
/* Opens the printer on USB or the network (connect.c). On the network model and serial number that it
 * tells must be those that were meant: else ERR_USAGE, ERR_DEVICE. */
int printer_connect(struct printer **out, const struct printer_driver **driver,
	const struct usb_printer *which, const struct printer_setup *setup, struct err *e);

extern const struct printer_driver *const printer_drivers[]; /* generated; ends with NULL */
const struct printer_driver *printer_driver_by_vendor(uint16_t vendor);
/* Model row by the MDL of a 1284 id; NULL if unknown. */
const struct printer_model *printer_model_find(const struct printer_driver *d, const char *mdl);
/* Its name as a file's: "Dualys 3" -> "dualys3". What its PPD is called. */
void printer_model_file(char *out, size_t max, const struct printer_model *m);
const char *card_place_name(enum card_place place);

/* ---- stations (chip readers) ---------------------------------------------------------------------------- */

enum key_kind { KEY_A, KEY_B };
#define MIFARE_KEY_LEN 6

struct chip_id {
	uint8_t uid[10];
	size_t uid_len; /* 4, 7 or 10; 0 = nothing in the field */
	uint8_t atqa[2], sak;
	unsigned cards_in_field;
};

struct station;
struct station_driver {
	const char *name; /* "nfc": the address is "nfc:" + a libnfc connection string */
	/* The environment variable that leads its library to other readers of the same names; or NULL. */
	const char *realm;
	int (*open)(struct station **out, const char *address, struct err *e);
	void (*close)(struct station *s);
	int (*field_reset)(struct station *s, struct err *e);
	/* Selects; want (may be NULL) selects that UID only. An empty field is 0 with uid_len 0, not an error. */
	int (*select)(struct station *s, const struct chip_id *want, struct chip_id *out, struct err *e);
	/* ERR_FAULT with FAULT_CHIP_USED when the key is refused. */
	int (*authenticate)(struct station *s, const struct chip_id *id, unsigned block,
		enum key_kind kind, const uint8_t key[MIFARE_KEY_LEN], struct err *e);
	int (*read)(struct station *s, unsigned block, uint8_t out[CHIP_BLOCK_LEN], struct err *e);
	int (*write)(struct station *s, unsigned block, const uint8_t in[CHIP_BLOCK_LEN], struct err *e);
	/* Tags of type 2 (NTAG, Ultralight): read() gives four pages from page on. NULL: cannot write them. */
	int (*write_page)(struct station *s, unsigned page, const uint8_t in[4], struct err *e);
	/* The work on a chip is over: none of its keys stays here or in the reader. NULL: none ever does. */
	void (*forget)(struct station *s);
};
struct station {
	const struct station_driver *driver;
	int lock; /* station.c's: descriptor + 1 of the exclusive lock, 0 = none */
};
extern const struct station_driver *const station_drivers[]; /* ends with NULL */
/* Opens by address: "nfc:pn532_uart:/dev/ttyUSB0:115200". Takes the exclusive lock of that address. */
int station_open(struct station **out, const char *address, struct err *e);
void station_close(struct station *s);

/* Who holds the USB readers that libnfc would drive (station-claim.c). */
enum claim_holder { CLAIM_FREE, CLAIM_KERNEL, CLAIM_PCSCD, CLAIM_PROGRAM };
#define STATION_CLAIMS_MAX 16
struct station_claim {
	const struct station_usb *usb;
	char plug[32]; /* "1-2.3" */
	enum claim_holder holder;
	char who[64]; /* the kernel's module, the program's name */
	long pid;     /* of a program */
};
/* Where sysfs, the processes and the device nodes are looked for; tests bring their own. */
struct station_roots {
	const char *sys, *proc, *dev;
};
extern const struct station_roots station_roots;
size_t station_claims(struct station_claim *out, size_t max, const struct station_roots *r);
/* True with holder, who and pid: another process has that device node open. */
bool station_claim_node(struct station_claim *c, const struct station_roots *r, const char *node);
/* 0 when it is free; ERR_BUSY with the holder and what to do, in one line. */
int station_claim_tell(const struct station_claim *c, struct err *e);
/* The same for the readers that a libnfc connection string ("acr122_usb:...") may mean. */
int station_claim_address(const char *connection, const struct station_roots *r, struct err *e);
/* A file in the system's lock folder for an address of that kind, to be flocked; -1: errno. */
int address_lock_file(const char *kind, const char *address);

/* Readers that are known by their USB ids (station-usb.c); ends with vendor 0. */
enum station_usb_kind { STATION_USB_NFC, STATION_USB_SERIAL };
struct station_usb {
	uint16_t vendor, product;
	enum station_usb_kind kind;
	const char *driver; /* libnfc's: "pn532_uart" */
	const char *name;
};
extern const struct station_usb station_usb[];
const struct station_usb *station_usb_find(uint16_t vendor, uint16_t product); /* NULL: none */
/* Do both plugs ("1-2.3") hang on one hub that is not the computer's own? */
bool usb_same_hub(const char *one, const char *two);
/* Is a plug the wanted one ("1-2.4"), or on the wanted hub ("1-2.*")? */
bool usb_plug_fits(const char *plug, const char *wanted);
/* The address of the only reader for libnfc on the hub that the plug is on; sys and dev are the roots of
 * sysfs and of the device nodes. ERR_MISSING: none, ERR_USAGE: several. */
int station_usb_beside(char *out, size_t max, const char *plug, const char *sys, const char *dev);
/* An address for the printer in that plug: "pcsc:usb=", the reader beside it, gets the printer's hub; any other
 * stays as it is. ERR_USAGE: the printer is on no hub of its own. */
int station_address_beside(char *out, size_t max, const char *address, const char *plug, struct err *e);

/* ---- writing a chip (mifare.c) ---------------------------------------------------------------------------- */

/* The keys of one card and the MAC over its data: they live on the stack of one pass and are wiped. */
struct chip_keys {
	uint8_t key[CHIP_SECTORS][2][MIFARE_KEY_LEN]; /* [sector][KEY_A|KEY_B] */
	uint8_t mac[2 * CHIP_BLOCK_LEN];              /* fills the blocks of chip_image.mac in order */
};

/* Where keys come from: keyd in production, a table in tests. Fills keys for this UID and image. */
struct key_source {
	int (*card_keys)(void *ctx, const struct chip_id *id, const struct chip_image *image,
		struct chip_keys *out, struct err *e);
	void *ctx;
};

struct chip_report {
	struct chip_id id;
	unsigned blocks_written, blocks_verified, trailers_written;
	bool proved; /* every sector opened with its new keys after a field reset */
};

/* One chip under work (mifare-session.c). Begin with station, id and keys set, the rest zero. */
#define CHIP_SECTOR_BLOCKS 4
enum chip_key_set { CHIP_KEYS_NONE, CHIP_KEYS_TRANSPORT, CHIP_KEYS_CARD };
struct chip_session {
	struct station *station;
	const struct chip_id *id;
	const struct chip_keys *keys;
	enum chip_key_set sector[CHIP_SECTORS]; /* what each sector is known to answer to */
	/* The authentication that stands; CHIP_KEYS_NONE after a failed exchange. */
	unsigned open_sector;
	enum key_kind open_kind;
	enum chip_key_set open_set;
	unsigned recoveries;
	struct chip_report report;
};
extern const uint8_t chip_transport_key[MIFARE_KEY_LEN];
unsigned chip_trailer(unsigned sector); /* block number */
/* Selects the session's UID, at need or on wish after a field reset. FAULT_CHIP_REMOVED, FAULT_READER_GONE. */
int session_select(struct chip_session *c, bool reset_first, struct err *e);
/* One authentication. FAULT_CHIP_USED: the chip is there and refused the key. */
int session_try(struct chip_session *c, unsigned sector, enum key_kind kind, enum chip_key_set set,
	struct err *e);
/* Nothing to do if it stands already; else authenticates, a refusal is asked for twice (noise). */
int session_open(struct chip_session *c, unsigned sector, enum key_kind kind, enum chip_key_set set,
	struct err *e);
int session_read(struct chip_session *c, unsigned block, enum key_kind kind, enum chip_key_set set,
	uint8_t out[CHIP_BLOCK_LEN], struct err *e);
/* After the last exchange, whatever came of it: the station forgets the keys. */
void session_end(struct chip_session *c);

/*
 * Writes and proves one MIFARE Classic 1K: type checked, transport keys tried in every sector before the
 * first write, data blocks from the high sectors down, read back and compared, MAC, trailers last with the
 * sector 0 trailer at the very end, field reset, every new key A and B authenticated, conditions and MAC read.
 * 0 only when all of that held. ERR_FAULT: the chip is not good, err.fault says why. resume: the chip may
 * already carry part of this very image (same UID, after an interruption).
 */
int chip_encode(struct station *s, const struct chip_id *id, const struct chip_image *image,
	const struct key_source *keys, bool resume, struct chip_report *out, struct err *e);
/* Reads back with key A and compares with the image and MAC: is this chip the finished card? */
int chip_verify(struct station *s, const struct chip_id *id, const struct chip_image *image,
	const struct key_source *keys, bool *same, struct err *e);
/* In mifare-update.c. Makes the data of a finished card what image says, with a new MAC, and proves the whole
 * card; writes only what differs. Interrupted, the same call finishes it. report may be NULL. */
int chip_update(struct station *s, const struct chip_id *id, const struct chip_image *image,
	const struct key_source *keys, struct chip_report *report, struct err *e);
/* In mifare-session.c. Reads the blocks whose bit is set with key A; other blocks of out stay 0. FAULT_CHIP_USED: a key is refused
 * (a blank or a foreign chip). */
int chip_read(struct station *s, const struct chip_id *id, const struct chip_keys *keys,
	uint64_t blocks, struct chip_image *out, struct err *e);
/* True if every sector answers to the transport key: a blank chip. */
int chip_blank(struct station *s, const struct chip_id *id, bool *blank, struct err *e);
/* How many sectors are as delivered, and how many open with these keys; the rest is somebody else's, or torn. */
int chip_sectors(struct station *s, const struct chip_id *id, const struct chip_keys *keys,
	unsigned *fresh, unsigned *own, struct err *e);
/* In mifare-session.c. FAULT_CHIP_TYPE: not a MIFARE Classic 1K. */
int chip_type_check(const struct chip_id *id, struct err *e);
/* Waits up to wait_ms for exactly one chip of any type; FAULT_NO_CHIP, FAULT_CHIP_TWO. */
int chip_find(struct station *s, unsigned wait_ms, struct chip_id *out, struct err *e);
/* The same with FAULT_CHIP_TYPE for all but a MIFARE Classic 1K. */
int chip_select(struct station *s, unsigned wait_ms, struct chip_id *out, struct err *e);

/* Access conditions of one sector as 3 bytes; c[i] = C1C2C3 of block i (3 = trailer) as in the data sheet. */
void access_build(uint8_t out[3], const uint8_t c[4]);
/* ERR_INPUT if the inverted copies disagree (such a trailer kills the sector). */
int access_parse(uint8_t c[4], const uint8_t in[3], struct err *e);

#endif
