/*
 * emulator-pn532.c - an emulated reader alone, with cards in its field, around one command.
 *
 *	emulator-pn532 [options] LINK COMMAND [ARGUMENT...]
 *	--uid HEX        a card with this 4- or 7-byte UID (may be given twice; 04A1B2C3 if never)
 *	--empty          no card
 *	--kind NAME      type of the last card named
 *	--fill           recognisable data in its data blocks
 *	--control LINE   a line for the reader's console before the command starts
 *	--timing         with the time model
 *	--load FILE      the last card's memory to begin with
 *	--used HEX       the last card's sectors have this key A and B instead of the transport key
 *	--tear N, --lose N, --remove N   a fault at the last card's N-th write
 *	--image FILE     the last card's memory, written when the command has ended
 *	--reader NAME    a PC/SC reader of that name: LINK is the socket for a pcscd with our
 *handler LIBNFC_DEFAULT_DEVICE points at a PN532 for the command. Ends with the command's exit
 *status.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/pcsc.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct setup {
	struct chip chips[FIELD_MAX];
	unsigned n;
	bool empty, timing;
	const char *image, *reader;
	const char *control[8];
	unsigned n_control;
};

static bool
card_add(struct setup *s, const char *hex)
{
	uint8_t uid[7];
	size_t len = strlen(hex) / 2;
	if (s->n == FIELD_MAX || (len != 4 && len != 7) || strlen(hex) != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &uid[i]) != 1)
			return false;
	chip_init(&s->chips[s->n++], uid, (unsigned)len);
	return true;
}

static void
card_fill(struct chip *c)
{
	for (unsigned block = 1; block < 64; block++)
		for (unsigned i = 0; i < 16 && block % 4 != 3; i++)
			c->mem[block * 16 + i] = (uint8_t)(block * 7 + i * 31 + 1);
}

static bool
card_used(struct chip *c, const char *hex)
{
	uint8_t key[6];
	for (size_t i = 0; i < sizeof(key); i++)
		if (strlen(hex) != 2 * sizeof(key) || sscanf(hex + 2 * i, "%2hhx", &key[i]) != 1)
			return false;
	chip_set_keys(c, key, key);
	return true;
}

static bool
image_read(const char *path, struct chip *c)
{
	FILE *f = fopen(path, "rb");
	if (!f)
		return false;
	bool good = fread(c->mem, sizeof(c->mem), 1, f) == 1;
	fclose(f);
	return good;
}

static bool
options_parse(struct setup *s, int argc, char **argv)
{
	enum {
		UID = 1,
		EMPTY,
		KIND,
		FILL,
		CONTROL,
		TIMING,
		IMAGE,
		LOAD,
		USED,
		TEAR,
		LOSE,
		REMOVE,
		READER
	};
	static const struct option options[] = {{"uid", required_argument, NULL, UID},
		{"empty", no_argument, NULL, EMPTY}, {"kind", required_argument, NULL, KIND},
		{"fill", no_argument, NULL, FILL}, {"control", required_argument, NULL, CONTROL},
		{"timing", no_argument, NULL, TIMING}, {"image", required_argument, NULL, IMAGE},
		{"load", required_argument, NULL, LOAD}, {"used", required_argument, NULL, USED},
		{"tear", required_argument, NULL, TEAR}, {"lose", required_argument, NULL, LOSE},
		{"remove", required_argument, NULL, REMOVE},
		{"reader", required_argument, NULL, READER}, {NULL, 0, NULL, 0}};
	bool good = true;
	for (int o; good && (o = getopt_long(argc, argv, "+", options, NULL)) != -1;) {
		if (s->n == 0 && (o == KIND || o == FILL || (o >= LOAD && o != READER)))
			good = card_add(s, "04A1B2C3");
		if (o == UID)
			good = card_add(s, optarg);
		else if (o == EMPTY)
			s->empty = true;
		else if (o == KIND)
			good = chip_set_kind(&s->chips[s->n - 1], optarg);
		else if (o == FILL)
			card_fill(&s->chips[s->n - 1]);
		else if (o == CONTROL && s->n_control < 8)
			s->control[s->n_control++] = optarg;
		else if (o == TIMING)
			s->timing = true;
		else if (o == IMAGE)
			s->image = optarg;
		else if (o == LOAD)
			good = image_read(optarg, &s->chips[s->n - 1]);
		else if (o == USED)
			good = card_used(&s->chips[s->n - 1], optarg);
		else if (o == TEAR)
			s->chips[s->n - 1].tear_at_write = (int)strtol(optarg, NULL, 10);
		else if (o == LOSE)
			s->chips[s->n - 1].lose_at_write = (int)strtol(optarg, NULL, 10);
		else if (o == REMOVE)
			s->chips[s->n - 1].remove_at_write = (int)strtol(optarg, NULL, 10);
		else if (o == READER)
			s->reader = optarg;
		else
			good = false;
	}
	if (good && s->n == 0 && !s->empty)
		good = card_add(s, "04A1B2C3");
	return good && argc - optind >= 2;
}

static int
command_run(const char *link_path, char **command)
{
	char device[512];
	int status;
	snprintf(device, sizeof(device), "pn532_uart:%s:115200", link_path);
	setenv("LIBNFC_DEFAULT_DEVICE", device, 1);
	pid_t child = fork();
	if (child == 0) {
		execvp(command[0], command);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return 71;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool
image_write(const char *path, const struct chip *c)
{
	FILE *f = fopen(path, "wb");
	if (!f)
		return false;
	bool good = fwrite(c->mem, sizeof(c->mem), 1, f) == 1;
	return fclose(f) == 0 && good;
}

/* One of the two. */
struct reader {
	struct pn532 *pn532;
	struct pcsc_reader *pcsc;
};

static bool
reader_start(struct reader *r, const struct setup *s, struct field *field, const char *link_path)
{
	const struct reader_model *model = s->reader ? reader_model_find(s->reader) : NULL;

	*r = (struct reader){0};
	if (!s->reader)
		r->pn532 = pn532_start(field, link_path, s->timing);
	else if (model && model->contactless)
		r->pcsc = pcsc_reader_start(
			&slot_field, slot_field_create(field, model), s->reader, link_path);
	else
		errno = EINVAL;
	return r->pn532 || r->pcsc;
}

static void
reader_stop(struct reader *r)
{
	if (r->pn532)
		pn532_stop(r->pn532);
	pcsc_reader_stop(r->pcsc);
}

/* The reader's port must not become the command's standard input. */
static void
standard_files_fill(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close(fd);
}

int
main(int argc, char **argv)
{
	static struct setup s;
	struct field field;

	standard_files_fill();
	if (!options_parse(&s, argc, argv)) {
		fprintf(stderr, "usage: emulator-pn532 [options] LINK COMMAND...\n");
		return 64;
	}
	field_init(&field);
	for (unsigned i = 0; i < s.n; i++)
		field_enter(&field, &s.chips[i]);
	struct reader r;
	if (!reader_start(&r, &s, &field, argv[optind])) {
		perror("emulator-pn532: cannot make the reader");
		return 71;
	}
	for (unsigned i = 0; i < s.n_control; i++) {
		char *answer = r.pcsc ? pcsc_reader_control(r.pcsc, s.control[i])
				      : pn532_control(r.pn532, s.control[i]);
		if (!answer || strncmp(answer, "ok", 2) != 0)
			fprintf(stderr, "emulator-pn532: %s: %s\n", s.control[i],
				answer ? answer : "");
		free(answer);
	}
	int status = command_run(argv[optind], argv + optind + 1);
	reader_stop(&r);
	if (s.image && s.n > 0 && !image_write(s.image, &s.chips[s.n - 1]))
		status = 74;
	field_done(&field);
	return status;
}
