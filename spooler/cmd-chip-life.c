/*
 * cmd-chip-life.c - the commands `chip init`, `chip personalise` and `chip void`.
 *
 * Owns one card's way from blank to void at a desk reader, for MIFARE Classic at a station and for
 * SLE4442 memory cards ("sle4442:READER"). Guarantees: keys are at hand before anything is
 * presented or written; a chip that the ledger knows as somebody's is not personalised again; what
 * was done stands in the ledger with the chip's number and no personal data. On failure the error
 * says what the card is good for.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/logicmap.h"
#include "spooler/chip-desk.h"
#include "spooler/keys.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATH_LEN = 4096 };

#define LOGIC_PREFIX "sle4442:"

struct life {
	const char *station_word, *template_word, *roster;
	bool burn, code;
	struct config *config;
	struct ledger *ledger;
	pid_t keyd;
	int keyd_fd;
	struct key_source source;
	struct logic_source logic;
	/* one of the two */
	struct station *station;
	struct chip_id id;
	struct sle4442 memory_card;
	bool is_logic;
	struct logic_card card;
	char number[2 * LOGIC_SERIAL_LEN + 8]; /* UID or serial, hexadecimal */
	struct schema *schema;
	struct roster *records;
};

/* ---- the call ---- */

static int
life_words(
	struct life *l, const char *verb, int argc, char **argv, const char *allowed, struct err *e)
{
	static const struct option options[] = {{"station", required_argument, NULL, 's'},
		{"template", required_argument, NULL, 't'}, {"burn", no_argument, NULL, 'b'},
		{"code", no_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
	int c;

	*l = (struct life){.keyd = -1, .keyd_fd = -1};
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		const int n = c == 't' && !strchr(allowed, c) && argv[optind - 1] == optarg ? 2 : 1;
		if (c == '?' || c == ':' || !strchr(allowed, c))
			return desk_option_refuse(verb, c, argv[optind - n], e);
		if (c == 's')
			l->station_word = optarg;
		else if (c == 't')
			l->template_word = optarg;
		l->burn |= c == 'b';
		l->code |= c == 'c';
	}
	const int names = strchr(allowed, 't') ? 1 : 0;
	if (argc - optind != names)
		return err_set(e, ERR_USAGE,
			names ? _("chip %s needs one roster file with one record.")
			      : _("chip %s takes options only."),
			verb);
	l->roster = names ? argv[optind] : NULL;
	return config_load(&l->config, e);
}

static int
keys_open(struct life *l, struct err *e)
{
	int rc = keyd_start_config(l->config, NULL, &l->keyd, &l->keyd_fd, e);

	l->source = keyd_key_source_ops;
	l->source.ctx = KEYD_CTX(l->keyd_fd, 0);
	l->logic = (struct logic_source){keyd_logic_keys, KEYD_CTX(l->keyd_fd, 0)};
	return rc;
}

static int
reader_open(struct life *l, struct err *e)
{
	const char *address = l->station_word ? l->station_word : config_station(l->config, NULL);

	if (!address)
		return err_set(e, ERR_USAGE,
			_("No chip reader is set; name one with --station or in cardspool.conf."));
	l->is_logic = strncmp(address, LOGIC_PREFIX, strlen(LOGIC_PREFIX)) == 0;
	if (l->is_logic)
		return sle4442_open(&l->memory_card, address + strlen(LOGIC_PREFIX), e);
	int rc = desk_station(&l->station, address, e);
	if (rc == 0)
		rc = chip_select(l->station, config_chip_wait_ms(l->config), &l->id, e);
	if (rc == 0)
		hex_build(l->number, l->id.uid, l->id.uid_len);
	return rc;
}

/* Ledger, keys, reader, in this order: what is missing is found before a card is touched. */
static int
life_open(struct life *l, struct err *e)
{
	int rc = ledger_open(&l->ledger, config_ledger(l->config), LEDGER_WRITE, e);

	if (rc == 0)
		rc = keys_open(l, e);
	return rc ? rc : reader_open(l, e);
}

static void
life_close(struct life *l)
{
	sle4442_close(&l->memory_card);
	station_close(l->station);
	if (l->keyd_fd >= 0)
		close(l->keyd_fd);
	while (l->keyd > 0 && waitpid(l->keyd, NULL, 0) < 0 && errno == EINTR)
		continue;
	if (l->ledger)
		ledger_close(l->ledger);
	if (l->records)
		roster_destroy(l->records);
	if (l->schema)
		schema_destroy(l->schema);
	if (l->config)
		config_destroy(l->config);
}

/* ---- the ledger ---- */

static int
event_write(struct life *l, const char *verb, const char *phase, struct err *e)
{
	json_t *data = json_pack("{s:s, s:s, s:s, s:s}", "verb", verb, "phase", phase, "chip",
		l->is_logic ? "sle4442" : "mf1", "number", l->number);

	if (!data)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	int rc = ledger_event(l->ledger, "chip-life", NULL, data, e);
	json_decref(data);
	return rc;
}

static const struct {
	const char *verb, *text;
} done_words[] = {
	{"init", N_("chip %s: initialised; only keys of this site open it now.\n")},
	{"personalise",
		N_("chip %s: personalised; the record is written, read back and proved.\n")},
	{"void", N_("chip %s: void; nothing is left on it.\n")},
};

/* A cleared chip may still be a good card of the ledger, which inspectors' files list. */
static void
done_print(struct life *l, const char *verb)
{
	struct card_row row = {0};

	for (size_t i = 0; i < ARRAY_LEN(done_words); i++)
		if (strcmp(done_words[i].verb, verb) == 0)
			printf(_(done_words[i].text), l->number);
	if (strcmp(verb, "void") == 0 && ledger_uid_find(l->ledger, l->number, &row, NULL) == 0 &&
		row.id && row.state == CARD_DONE)
		printf(_("The ledger still has its card as good: cardspool card void %" PRId64
			 " --reason TEXT\n"),
			row.id);
}

/* The outcome is told whatever it was; a ledger that fails now does not hide what the card said. */
static int
life_end(struct life *l, const char *verb, int rc, struct err *e)
{
	struct err other = {0};

	if (l->is_logic && l->card.state != LOGIC_BLANK)
		hex_build(l->number, l->card.serial, LOGIC_SERIAL_LEN);
	int told = event_write(l, verb, rc ? "failed" : "done", rc ? &other : e);
	if (rc == 0 && told == 0)
		done_print(l, verb);
	return rc ? rc : told;
}

/* ---- init ---- */

/* Three bytes from standard input, never from the words of a call. */
static int
transport_read(uint8_t out[SLE4442_PSC_LEN], bool asked, struct err *e)
{
	char line[64] = "";

	memset(out, 0xff, SLE4442_PSC_LEN);
	if (!asked)
		return 0;
	if (!fgets(line, sizeof line, stdin))
		line[0] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	int rc = strlen(line) == 2 * SLE4442_PSC_LEN ? hex_parse(out, SLE4442_PSC_LEN, line) : -1;
	explicit_bzero(line, sizeof line);
	return rc ? err_set(e, ERR_INPUT, "%s",
			    _("The transport code has 6 hexadecimal digits, on standard input."))
		  : 0;
}

static struct chip_stage
stage_of(struct life *l)
{
	return (struct chip_stage){
		.station = l->station, .id = &l->id, .keyd_fd = l->keyd_fd, .source = &l->source};
}

static uint64_t
data_blocks(unsigned first)
{
	uint64_t blocks = 0;

	for (unsigned b = first; b < CHIP_BLOCKS; b++)
		if (b % CHIP_SECTOR_BLOCKS != CHIP_SECTOR_BLOCKS - 1)
			blocks |= UINT64_C(1) << b;
	return blocks;
}

/* What a broken-off encoding left is cleared before its sector is closed. */
static int
mifare_init(struct life *l, struct err *e)
{
	const struct chip_image empty = {.data = data_blocks(1)};
	struct chip_stage stage = stage_of(l);

	if (l->burn)
		return err_set(e, ERR_USAGE, "%s",
			_("--burn is for memory cards; this chip has nothing to burn."));
	if (l->code)
		return err_set(e, ERR_USAGE, "%s",
			_("--code is for memory cards; this chip is opened with its transport "
			  "keys."));
	int rc = chip_stage_look(&stage, e);
	if (rc == 0 && stage.own == CHIP_SECTORS)
		rc = fault_set(e, FAULT_CHIP_USED, "has keys of its own already");
	return rc ? rc : chip_encode(l->station, &l->id, &empty, &l->source, true, NULL, e);
}

static int
logic_begin(struct life *l, struct err *e)
{
	uint8_t transport[SLE4442_PSC_LEN], serial[LOGIC_SERIAL_LEN];
	int rc = transport_read(transport, l->code, e);

	if (rc == 0 && RAND_bytes(serial, sizeof serial) != 1)
		rc = err_set(e, ERR_SYSTEM, _("No random numbers are to be had."));
	if (rc == 0)
		rc = logic_init(
			&l->memory_card, transport, serial, &l->logic, l->burn, &l->card, e);
	explicit_bzero(transport, sizeof transport);
	return rc;
}

static int
chip_init_run(int argc, char **argv, struct err *e)
{
	struct life l;
	int rc = life_words(&l, "init", argc, argv, "sbc", e);

	if (rc == 0)
		rc = life_open(&l, e);
	if (rc == 0)
		rc = event_write(&l, "init", "begun", e);
	if (rc == 0)
		rc = life_end(&l, "init", l.is_logic ? logic_begin(&l, e) : mifare_init(&l, e), e);
	life_close(&l);
	return desk_words(rc, e);
}

/* ---- personalise ---- */

/* A file of the template's folder. */
static int
template_file(char out[PATH_LEN], const struct life *l, const char *name, struct err *e)
{
	char dir[PATH_LEN];
	int n = 0;

	if (!l->template_word)
		return err_set(e, ERR_USAGE, "%s",
			_("Say which kind of card it is with --template NAME."));
	int rc = desk_template(dir, sizeof dir, l->config, l->template_word, e);
	if (rc == 0)
		n = snprintf(out, PATH_LEN, "%s/%s", dir, name);
	return rc || n < PATH_LEN ? rc : err_set(e, ERR_USAGE, _("%s: the path is too long."), dir);
}

static int
record_load(struct life *l, struct err *e)
{
	char file[PATH_LEN];
	struct buf bytes;
	int rc = template_file(file, l, "record.schema", e);

	if (rc == 0)
		rc = schema_load(&l->schema, file, e);
	if (rc)
		return rc;
	buf_init(&bytes, ROSTER_FILE_MAX);
	rc = file_read(&bytes, l->roster, ROSTER_FILE_MAX, e);
	if (rc == 0)
		rc = roster_parse(
			&l->records, l->schema, bytes.data, bytes.len, l->roster, NULL, NULL, e);
	explicit_bzero(bytes.data, bytes.data ? bytes.len : 0);
	buf_done(&bytes);
	if (rc == 0 && l->records->n_records != 1)
		rc = err_set(e, ERR_INPUT, _("%s: holds %zu records; one card takes one."),
			l->roster, l->records->n_records);
	return rc;
}

/* Not a printed card's; and not that of a card made at the desk, of which a blank chip is a twin.
 */
static int
uid_free(struct life *l, const struct chip_stage *stage, struct err *e)
{
	struct card_row row = {0};
	bool issued = false;
	int rc = ledger_uid_find(l->ledger, l->number, &row, e);

	if (rc == 0 && !row.id && !stage->own)
		rc = ledger_chip_issued(l->ledger, l->number, &issued, e);
	return rc == 0 && (row.id || issued) ? fault_set(e, FAULT_UID_ISSUED, l->number) : rc;
}

/* A blank chip is encoded whole; one that was initialised gets its data, one that was begun its
 * last keys first. */
static int
mifare_issue(struct life *l, struct err *e)
{
	char file[PATH_LEN];
	struct chip_map *map = NULL;
	struct chip_image image = {0};
	struct chip_stage stage = stage_of(l);
	int rc = template_file(file, l, "chip.map", e);

	if (rc == 0)
		rc = chip_map_load(&map, file, l->schema, e);
	if (rc == 0)
		rc = chip_image_build(&image, map, l->schema, l->records->records, e);
	if (rc == 0)
		rc = chip_stage_look(&stage, e);
	if (rc == 0)
		rc = uid_free(l, &stage, e);
	if (rc == 0 && stage.own == CHIP_SECTORS)
		rc = chip_stage_free(&stage, &image, e);
	if (rc == 0)
		rc = chip_stage_close(&stage, e);
	if (rc == 0)
		rc = stage.own
			     ? chip_update(l->station, &l->id, &image, &l->source, NULL, e)
			     : chip_encode(l->station, &l->id, &image, &l->source, false, NULL, e);
	chip_map_destroy(map);
	explicit_bzero(&image, sizeof image);
	return rc;
}

static int
memory_issue(struct life *l, struct err *e)
{
	char file[PATH_LEN];
	struct logic_map map;
	uint8_t data[LOGIC_DATA_LEN];
	int rc = template_file(file, l, "logic.map", e);

	_Static_assert(
		(int)LOGIC_DATA_LEN == (int)LOGIC_MAP_BYTES, "a card's data is what the map fills");
	if (rc == 0)
		rc = logic_map_load(&map, file, l->schema, e);
	if (rc == 0)
		rc = logic_data_build(data, &map, l->schema, l->records->records, e);
	if (rc == 0)
		rc = logic_issue(&l->memory_card, data, &l->logic, &l->card, e);
	explicit_bzero(data, sizeof data);
	return rc;
}

static int
chip_personalise_run(int argc, char **argv, struct err *e)
{
	struct life l;
	int rc = life_words(&l, "personalise", argc, argv, "st", e);

	if (rc == 0)
		rc = record_load(&l, e);
	if (rc == 0)
		rc = life_open(&l, e);
	if (rc == 0)
		rc = event_write(&l, "personalise", "begun", e);
	if (rc == 0)
		rc = life_end(&l, "personalise",
			l.is_logic ? memory_issue(&l, e) : mifare_issue(&l, e), e);
	life_close(&l);
	return desk_words(rc, e);
}

/* ---- void ---- */

/* The card's keys with a MAC that no data has. */
static int
void_keys(void *ctx, const struct chip_id *id, const struct chip_image *image,
	struct chip_keys *out, struct err *e)
{
	const struct key_source *source = ctx;
	int rc = source->card_keys(source->ctx, id, image, out, e);

	memset(out->mac, 0, sizeof out->mac);
	return rc;
}

/* MAC and data of every block that the ordinary map may use become 00. */
static int
mifare_void(struct life *l, struct err *e)
{
	const struct key_source source = {.card_keys = void_keys, .ctx = &l->source};
	const struct chip_image image = {.mac = 6, .data = data_blocks(4)};
	struct chip_stage stage = stage_of(l);
	int rc = chip_stage_look(&stage, e);

	if (rc == 0 && !stage.own)
		rc = err_set(
			e, ERR_MISSING, "%s", _("This chip is blank; there is nothing to void."));
	if (rc == 0)
		rc = chip_stage_close(&stage, e);
	return rc ? rc : chip_update(l->station, &l->id, &image, &source, NULL, e);
}

static int
chip_void_run(int argc, char **argv, struct err *e)
{
	struct life l;
	int rc = life_words(&l, "void", argc, argv, "s", e);

	if (rc == 0)
		rc = life_open(&l, e);
	if (rc == 0)
		rc = event_write(&l, "void", "begun", e);
	if (rc == 0)
		rc = life_end(&l, "void",
			l.is_logic ? logic_void(&l.memory_card, &l.logic, &l.card, e)
				   : mifare_void(&l, e),
			e);
	life_close(&l);
	return desk_words(rc, e);
}

const struct command commands_chip_life[] = {
	{"chip", "init", "[--station ADDRESS] [--code] [--burn]",
		N_("Check the transport code or keys of a blank chip and give it its own"),
		chip_init_run},
	{"chip", "personalise", "[--station ADDRESS] --template NAME|FOLDER ROSTER",
		N_("Write one record to a chip at a desk reader and prove it"),
		chip_personalise_run},
	{"chip", "void", "[--station ADDRESS]",
		N_("Clear a chip for good: no data, no MAC, marked void"), chip_void_run},
	{NULL, NULL, NULL, NULL, NULL},
};
