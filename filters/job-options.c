/*
 * job-options.c - a job's options as CUPS hands them to a filter, and the PPD's choices.
 *
 * Owns the reading of both. Guarantees: any text is read to its end, names are found in any case,
 * the later of two options counts; of a PPD only what was asked for is kept. A PPD that cannot be
 * read is as none: the backend tells what is wrong with a queue.
 *
 * Decision: libcups reads them as well, but it brings thirty libraries with it, and loading those
 * takes longer than everything else before the first card (doc/PERFORMANCE.md). The test compares
 * both ways.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/job-options.h"

#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PPD_LINE_MAX = 4096 };

/* ---- the options ---- */

static struct job_option *
option_find(const struct job_options *o, const char *name)
{
	for (size_t i = 0; i < o->n; i++)
		if (!strcasecmp(o->item[i].name, name))
			return &o->item[i];
	return NULL;
}

const char *
job_options_get(const struct job_options *o, const char *name)
{
	const struct job_option *found = option_find(o, name);

	return found ? found->value : NULL;
}

void
job_options_set(struct job_options *o, const char *name, const char *value)
{
	struct job_option *found = option_find(o, name);

	if (!name[0])
		return;
	if (!found) {
		o->item = g_renew(struct job_option, o->item, o->n + 1);
		found = &o->item[o->n++];
		*found = (struct job_option){.name = g_strdup(name)};
	}
	char *old = found->value;
	found->value = g_strdup(value);
	g_free(old);
}

void
job_options_done(struct job_options *o)
{
	for (size_t i = 0; i < o->n; i++) {
		g_free(o->item[i].name);
		g_free(o->item[i].value);
	}
	g_free(o->item);
	*o = (struct job_options){0};
}

static bool
is_blank(char c)
{
	return c == '\v' || g_ascii_isspace(c);
}

/* One character, or the one after a backslash. */
static void
char_take(const char **in, char **out)
{
	if (**in == '\\' && (*in)[1])
		++*in;
	*(*out)++ = *(*in)++;
}

static void
quoted_take(const char **in, char **out)
{
	char quote = *(*in)++;

	while (**in && **in != quote)
		char_take(in, out);
	if (**in)
		++*in;
}

/* A value of several members: its braces stay in it. */
static void
braces_take(const char **in, char **out)
{
	int depth = 0;

	while (**in) {
		depth += (**in == '{') - (**in == '}');
		bool last = **in == '}' && !depth;
		char_take(in, out);
		if (last)
			return;
	}
}

/* Quotation marks and braces count only where a value or a member of a list begins. */
static void
value_take(const char **in, char *out)
{
	while (**in && !is_blank(**in)) {
		if (**in == ',')
			char_take(in, &out);
		else if (**in == '\'' || **in == '"')
			quoted_take(in, &out);
		else if (**in == '{')
			braces_take(in, &out);
		else
			while (**in && !is_blank(**in))
				char_take(in, &out);
	}
	*out = '\0';
}

static const char *
blanks_skip(const char *p)
{
	while (is_blank(*p))
		p++;
	return p;
}

void
job_options_parse(struct job_options *o, const char *text)
{
	char *kept = g_strdup(text), *value = g_malloc(strlen(text) + 1);
	size_t len = strlen(kept);
	const char *p = kept;

	*o = (struct job_options){0};
	if (len > 1 && kept[0] == '{' && kept[len - 1] == '}') {
		kept[len - 1] = '\0';
		p++;
	}
	for (p = blanks_skip(p); *p; p = blanks_skip(p)) {
		char *name = g_strndup(p, strcspn(p, "\f\n\r\t\v ="));
		p = blanks_skip(p + strlen(name));
		bool off = !strncasecmp(name, "no", 2);
		if (!name[0]) {
			g_free(name);
			break;
		}
		if (*p == '=') {
			p++;
			value_take(&p, value);
			job_options_set(o, name, value);
		} else {
			job_options_set(o, off ? name + 2 : name, off ? "false" : "true");
		}
		g_free(name);
	}
	g_free(value);
	g_free(kept);
}

/* ---- the PPD ---- */

/* One line of a PPD: "*Keyword option/text: value". */
struct ppd_line {
	char *keyword, *option, *value;
};

static void
tail_cut(char *text)
{
	size_t len = strlen(text);

	while (len && g_ascii_isspace(text[len - 1]))
		text[--len] = '\0';
}

/* False for what is no statement. A value in quotation marks may go on for lines: *open. */
static bool
ppd_line_parse(char *text, struct ppd_line *l, bool *open)
{
	char *colon = strchr(text, ':');

	if (text[0] != '*' || text[1] == '%' || !colon)
		return false;
	*colon = '\0';
	l->value = (char *)(uintptr_t)blanks_skip(colon + 1);
	tail_cut(l->value);
	if (l->value[0] == '"') {
		char *end = strchr(++l->value, '"');
		*open = !end;
		if (end)
			*end = '\0';
	}
	l->keyword = text + 1;
	l->option = l->keyword + strcspn(l->keyword, " \t");
	if (*l->option)
		*l->option++ = '\0';
	l->option = (char *)(uintptr_t)blanks_skip(l->option);
	l->option[strcspn(l->option, "/")] = '\0';
	tail_cut(l->option);
	return true;
}

/* What the job asks for of one of the PPD's options: by its name, or else by the word that programs
 * use for any printer. */
static const char *
choice_asked(const struct job_options *o, const char *name)
{
	static const char *const sides[][2] = {{"one-sided", "None"},
		{"two-sided-long-edge", "DuplexNoTumble"},
		{"two-sided-short-edge", "DuplexTumble"}};
	const char *own = job_options_get(o, name), *word = job_options_get(o, "sides");

	if (own || !word || strcmp(name, "Duplex"))
		return own;
	for (size_t i = 0; i < ARRAY_LEN(sides); i++)
		if (!strcasecmp(word, sides[i][0]))
			return sides[i][1];
	return NULL;
}

struct ppd_option {
	const char *name, *asked;
	char fallback[64], choice[64];
	bool has_fallback; /* the default is one of the choices */
};

static void
ppd_option_read(struct ppd_option *p, const struct ppd_line *l)
{
	bool is_default = !strncmp(l->keyword, "Default", 7) && !strcmp(l->keyword + 7, p->name);

	if (is_default && !l->option[0])
		snprintf(p->fallback, sizeof p->fallback, "%s", l->value);
	if (strcmp(l->keyword, p->name) || !l->option[0])
		return;
	if (p->asked && !strcasecmp(l->option, p->asked))
		snprintf(p->choice, sizeof p->choice, "%s", l->option);
	if (!strcasecmp(l->option, p->fallback)) {
		snprintf(p->fallback, sizeof p->fallback, "%s", l->option);
		p->has_fallback = true;
	}
}

/* A word that the PPD does not have stays, to be refused where it is read. */
static void
ppd_option_apply(const struct ppd_option *p, struct job_options *o)
{
	const char *own = job_options_get(o, p->name);

	if (p->choice[0])
		job_options_set(o, p->name, p->choice);
	else if (!own && p->has_fallback)
		job_options_set(o, p->name, p->fallback);
}

static void
ppd_pass(FILE *f, struct job_ppd *ppd, struct ppd_option *found, size_t n)
{
	char text[PPD_LINE_MAX];
	bool open = false;

	while (fgets(text, sizeof text, f)) {
		struct ppd_line l;
		if (open) {
			open = !strchr(text, '"');
			continue;
		}
		if (!ppd_line_parse(text, &l, &open))
			continue;
		for (size_t i = 0; i < n; i++)
			ppd_option_read(&found[i], &l);
		if (!strcmp(l.keyword, "ModelName"))
			snprintf(ppd->model, sizeof ppd->model, "%s", l.value);
		else if (!strcmp(l.keyword, "CardspoolDuplex"))
			ppd->turns = !strcasecmp(l.value, "true");
	}
}

void
job_ppd_read(struct job_ppd *ppd, const char *path, const char *const *names, size_t n,
	struct job_options *o)
{
	FILE *f = fopen(path, "re");

	*ppd = (struct job_ppd){0};
	if (!f)
		return;
	struct ppd_option *found = g_new0(struct ppd_option, n);
	for (size_t i = 0; i < n; i++) {
		found[i].name = names[i];
		found[i].asked = choice_asked(o, names[i]);
	}
	/* Twice, because the default may stand after the choices. */
	ppd_pass(f, ppd, found, n);
	rewind(f);
	ppd_pass(f, ppd, found, n);
	fclose(f);
	for (size_t i = 0; i < n; i++)
		ppd_option_apply(&found[i], o);
	g_free(found);
}
