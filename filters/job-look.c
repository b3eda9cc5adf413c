/*
 * job-look.c - the options of a job that say how its dots are made.
 *
 * Owns their words. Guarantees: a word that an option does not have is refused by name, never
 * taken for the default; a profile is looked for in the data folder only. On failure nothing is
 * kept.
 *
 * Decision: brightness and contrast of the dyes are worked into the table here, so that a preview
 * and the ledger's hashes show them; the printer's own settings for them stay as made. The heat of
 * the resin cannot be drawn: it goes with the stream to the printer.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/filter-job.h"

#include <glib.h>
#include <stdlib.h>
#include <strings.h>

enum { LEVEL_MAX = 10 };

struct look_word {
	const char *text;
	int value;
	unsigned areas;
};

/* The first word is what is meant when nobody asks. */
static const struct look_word overlays[] = {
	{"Full", OVERLAY_FULL, 0},
	{"None", OVERLAY_NONE, 0},
	{"Mask", OVERLAY_MASK, AREAS_ALL},
	{"Chip", OVERLAY_MASK, 1 << AREA_CHIP},
	{"Stripe", OVERLAY_MASK, 1 << AREA_STRIPE},
	{"Signature", OVERLAY_MASK, 1 << AREA_SIGNATURE},
	{NULL, 0, 0},
};
static const struct look_word intents[] = {
	{"Perceptual", DYE_PERCEPTUAL, 0},
	{"Relative", DYE_RELATIVE, 0},
	{"Saturation", DYE_SATURATION, 0},
	{"Absolute", DYE_ABSOLUTE, 0},
	{NULL, 0, 0},
};
static const struct look_word uvs[] = {{"IfPossible", 0, 0}, {"Required", 1, 0}, {NULL, 0, 0}};

static int
word_read(const struct filter_job *j, const char *option, const struct look_word *words,
	const struct look_word **out, struct err *e)
{
	const char *text = filter_job_option(j, option);

	for (*out = words; text && (*out)->text; ++*out)
		if (!strcasecmp((*out)->text, text))
			return 0;
	return text ? err_set(e, ERR_INPUT,
			      _("The option %s has no choice of that name. Choose one that the "
				"queue offers."),
			      option)
		    : 0;
}

static int
level_read(const struct filter_job *j, const char *option, int *out, struct err *e)
{
	const char *text = filter_job_option(j, option);
	char *end;

	*out = 0;
	if (!text)
		return 0;
	long n = strtol(text, &end, 10);
	if (end == text || *end || n < -LEVEL_MAX || n > LEVEL_MAX)
		return err_set(e, ERR_INPUT, _("The option %s is a whole number from -%d to %d."),
			option, LEVEL_MAX, LEVEL_MAX);
	*out = (int)n;
	return 0;
}

int
filter_job_look(struct filter_job *j, struct err *e)
{
	const struct look_word *overlay = NULL, *intent = NULL, *uv = NULL;
	const char *given = getenv("CARDSPOOL_COLOUR");
	struct dye_tone tone = {0};
	int rc = 0;

	if ((rc = level_read(j, "CardBrightness", &tone.brightness, e)) ||
		(rc = level_read(j, "CardContrast", &tone.contrast, e)) ||
		(rc = level_read(j, "CardResinHeat", &j->darkness, e)) ||
		(rc = word_read(j, "CardOverlay", overlays, &overlay, e)) ||
		(rc = word_read(j, "CardIntent", intents, &intent, e)) ||
		(rc = word_read(j, "CardUV", uvs, &uv, e)))
		return rc;
	tone.intent = (enum dye_intent)intent->value;
	/* Tests name the folder itself. */
	char *folder = given ? g_strdup(given) : filter_job_folder("colour", PKGDATADIR "/colour");
	rc = profile_load(&j->dye, folder, j->model, j->ribbon.name,
		filter_job_option(j, "CardProfile"), &tone, e);
	g_free(folder);
	j->look = (struct print_look){.dye = j->dye,
		.overlay = (enum overlay_kind)overlay->value,
		.areas = overlay->areas,
		.uv_must = uv->value};
	return rc;
}
