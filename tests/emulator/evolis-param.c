/*
 * evolis-param.c - the settings an Evolis printer keeps: P... sets, R... reads.
 *
 * Owns their values, and which values the document allows. One row a command.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/device.h"

#include <stdlib.h>
#include <string.h>

enum param_kind {
	WORDS,  /* one of the words in `allowed` ("" = anything) */
	ADJUST, /* +, - or = and a number */
};

/* keys: the first parameter names one of these and each has a value of its own; NULL: one value. */
static const struct param {
	const char *set, *get;
	enum param_kind kind;
	const char *keys;
	const char *allowed;
	const char *initial;
} param_table[] = {
	{"Pc", "Rc", ADJUST, " y m c k o a kb kw kr kbl kgr kgo ksi ksc ", NULL, "10"},
	{"Pl", "Rl", ADJUST, " y m c a ", NULL, "10"},
	{"Ps", "Rs", ADJUST, " y m c k o ", NULL, "10"},
	{"Pmk", "Rmk", WORDS, NULL, " s f ", "s"},
	{"Ppk", "Rpk", WORDS, NULL, " s f ", "s"},
	{"Pmi", "Rmi", WORDS, NULL, " F M B ", "F"},
	{"Psp", "Rsp", WORDS, NULL, "", "0"},
	{"Pdt", NULL, WORDS, NULL, "", ""},
	{"Ppws", NULL, WORDS, NULL, "", ""},
	{"Prm", "Rrm", WORDS, NULL, " 0 1 2 3 ", "0"},
	{"Pro", "Rro", WORDS, NULL, "", "552"},
	{"Pkn", NULL, WORDS, NULL, "", ""},
	{"Px", "Rx", ADJUST, NULL, NULL, "0"},
	{"Py", "Ry", ADJUST, NULL, NULL, "0"},
	{"Pms", "Rms", ADJUST, NULL, NULL, "0"},
	{"Pnl", "Rnl", ADJUST, NULL, NULL, "1016"},
	{"Pnw", "Rnw", WORDS, NULL, "", "648"},
	{"Ppn", "Rpn", WORDS, NULL, " 0 1 2 ", "0"},
	{"Pbm", "Rbm", WORDS, NULL, " p p2 b ", "p"},
	{"Pwb", NULL, WORDS, NULL, " k o ", "k"},
	{"Pwcs", NULL, WORDS, NULL, " 0 1 ", "0"},
	{"Pwj", NULL, WORDS, NULL, " r l c ", "l"},
	{"Pwm", NULL, WORDS, NULL, " s n ", "s"},
	{"Pwr", NULL, WORDS, NULL, " 0 90 180 270 ", "0"},
	{"Pos", "Ros", ADJUST, NULL, NULL, "1158"},
	{"Poc", "Roc", ADJUST, NULL, NULL, "0"},
	{"Psm", "Rsm", WORDS, NULL, " 0 1 ", "0"},
	{"Pcom", "Rcom", WORDS, " 1 2 ", "", "D"},
	{"Pmc", "Rmc", WORDS, NULL, " h l ", "h"},
	{"Pmt", "Rmt", WORDS, " 1 2 3 ", " 1 2 3 4 C1 5 C2 6 C4 ", "1"},
	{"Pmd", "Rmd", WORDS, NULL, "", "210"},
	{"Pmbs", "Rmbs", WORDS, NULL, "", "512"},
	{"Pml", "Rml", WORDS, NULL, "", "1032"},
	{"Pmts", "Rmts", WORDS, " 1 2 3 ", "", "24"},
	{"Pmtc", "Rmtc", WORDS, " 1 2 3 ", "", "ON"},
	/* Quantum and Kiosk */
	{"Piem", "Riem", WORDS, NULL, " 0 1 2 3 ", "0"},
	{"Prs", "Rrs", WORDS, NULL, " L S ", "S"},
	{"Pfm", "Rfm", WORDS, NULL, " K S2 S3 ", "K"},
	/* the newer generation */
	{"Psk", NULL, WORDS, NULL, " 1 2 3 4 5 6 7 8 9 10 ", "10"},
	{"Pcim", NULL, WORDS, NULL, " F M B I ", "F"},
	{"Pcem", NULL, WORDS, NULL, " D M I R K N ", "D"},
	{"Pcrm", NULL, WORDS, NULL, " D R M K I ", "D"},
	{"Pneab", NULL, WORDS, NULL, " E A ", "A"},
	{"Pbc", NULL, WORDS, " A D ", "", ""},
	{"Pkc", NULL, WORDS, " m ", " 0 1 2 3 4 a ", "0"},
	{"Peoic", NULL, WORDS, " k ", " D E ", "E"},
	{"Piqla", NULL, WORDS, NULL, "", ""},
	{"Pida", NULL, WORDS, NULL, "", ""},
	{"Pwres", NULL, WORDS, NULL, " 300 600 1200 ", "300"},
	{"Pps", NULL, WORDS, NULL, " 0 ", "0"},
	{"Pcla", NULL, WORDS, NULL, " 0 1 ", "0"},
	{"Psid", NULL, WORDS, NULL, " 0 1 2 3 ", "0"},
	{"Psmgr", NULL, WORDS, NULL, " 1 2 ", "1"},
	{"Psync", NULL, WORDS, NULL, " 1 2 3 4 5 6 7 8 9 10 11 12 13 ", ""},
	{NULL, "Rmms", WORDS, NULL, "", "0"},
	{NULL, "Rks", WORDS, NULL, "", "0"},
	{NULL, "Rfn", WORDS, " 0 1 2 100 ", "", ""},
};

#define VALUE_MAX  32
#define VALUES_MAX 128

struct value {
	char key[VALUE_MAX], text[VALUE_MAX];
};

struct params {
	struct value values[VALUES_MAX];
	unsigned n;
};

struct params *
params_create(void)
{
	return calloc(1, sizeof(struct params));
}

void
params_destroy(struct params *p)
{
	free(p);
}

const char *
params_value(const struct params *ps, const char *key)
{
	for (unsigned i = 0; i < ps->n; i++)
		if (!strcmp(ps->values[i].key, key))
			return ps->values[i].text;
	return NULL;
}

static void
value_store(struct params *ps, const char *key, const char *text)
{
	unsigned i = 0;
	while (i < ps->n && strcmp(ps->values[i].key, key))
		i++;
	if (i == VALUES_MAX)
		return;
	if (i == ps->n)
		snprintf(ps->values[ps->n++].key, VALUE_MAX, "%s", key);
	snprintf(ps->values[i].text, VALUE_MAX, "%s", text);
}

static bool
word_in(const char *list, const char *word)
{
	char padded[VALUE_MAX + 2];
	if (strlen(word) >= VALUE_MAX || strchr(word, ' '))
		return false;
	snprintf(padded, sizeof padded, " %s ", word);
	return strstr(list, padded) != NULL;
}

static const struct param *
param_find(const char *name, bool set)
{
	for (size_t i = 0; i < EMU_LEN(param_table); i++) {
		const char *n = set ? param_table[i].set : param_table[i].get;
		if (n && !strcmp(n, name))
			return &param_table[i];
	}
	return NULL;
}

/* "Pc;k": the name under which the value is kept. NULL: the key is missing or wrong. */
static const char *
param_key(char out[VALUE_MAX], const struct param *d, unsigned *argc, char *const **argv)
{
	const char *name = d->set ? d->set : d->get;
	if (!d->keys) {
		snprintf(out, VALUE_MAX, "%s", name);
		return out;
	}
	if (*argc < 1 || !word_in(d->keys, **argv))
		return NULL;
	snprintf(out, VALUE_MAX, "%s;%s", name, **argv);
	--*argc;
	++*argv;
	return out;
}

const char *
params_set(struct params *ps, const char *name, unsigned argc, char *const *argv)
{
	const struct param *d = param_find(name, true);
	char key[VALUE_MAX], text[VALUE_MAX];
	if (!d)
		return NULL;
	if (!param_key(key, d, &argc, &argv) || argc < 1)
		return "ERROR PARAMETRES";
	if (d->kind == WORDS) {
		if (*d->allowed && !word_in(d->allowed, argv[0]))
			return "ERROR PARAMETRES";
		value_store(ps, key, argv[0]);
		return "OK";
	}
	const char *now = params_value(ps, key);
	long value = strtol(now ? now : d->initial, NULL, 10);
	char *rest = NULL;
	long by = argc > 1 ? strtol(argv[1], &rest, 10) : 1;
	if (strlen(argv[0]) != 1 || !strchr("+-=", argv[0][0]) ||
		(rest && (*rest || rest == argv[1])))
		return "ERROR PARAMETRES";
	if (argv[0][0] == '=')
		value = argc > 1 ? by : strtol(d->initial, NULL, 10);
	else
		value += argv[0][0] == '+' ? by : -by;
	snprintf(text, sizeof text, "%ld", value);
	value_store(ps, key, text);
	return "OK";
}

const char *
params_get(struct params *ps, const char *name, unsigned argc, char *const *argv)
{
	const struct param *d = param_find(name, false);
	char key[VALUE_MAX];
	if (!d)
		return NULL;
	if (!param_key(key, d, &argc, &argv))
		return "ERROR PARAMETRES";
	const char *value = params_value(ps, key);
	return value ? value : d->initial;
}
