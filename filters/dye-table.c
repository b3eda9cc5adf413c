/*
 * dye-table.c - filling the table from light to dye: a queue's tone, then a profile.
 *
 * Owns the text of tone curves and the sampling of ICC profiles. Guarantees: every node lies within
 * 0 ... 255 levels, so a colour that the printer cannot reach is clipped at its nearest dye, never
 * wrapped; without a profile gray takes the same of each dye. On failure nothing is handed out.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/dye.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_LCMS2
#include <lcms2.h>
#endif

enum { LEVEL_TOP = 255, CURVE_POINTS_MAX = 32, TONE_MAX = 10 };

/* Ten steps double or halve the exponent of a curve. */
static const double steps_doubling = 10;

static double
level_clip(double level)
{
	return level < 0 ? 0 : level > LEVEL_TOP ? LEVEL_TOP : level;
}

/* Both keep white bare card and black full dye: a card has no paper white to give away. Brightness
 * bends the curve of light as a whole, contrast bends it both ways from the middle. */
static double
tone_apply(const struct dye_tone *tone, double light)
{
	double x = light / LEVEL_TOP, bend = pow(2, tone->contrast / steps_doubling);

	if (tone->brightness)
		x = pow(x, pow(2, -tone->brightness / steps_doubling));
	if (tone->contrast)
		x = x < 0.5 ? pow(2 * x, bend) / 2 : 1 - pow(2 - 2 * x, bend) / 2;
	return level_clip(x * LEVEL_TOP);
}

static uint64_t
node_pack(const double dye[3])
{
	static const int lanes[3] = {DYE_LANE_Y, DYE_LANE_M, DYE_LANE_C};
	uint64_t node = 0;

	for (int i = 0; i < 3; i++)
		node |= (uint64_t)(llrint(level_clip(dye[i]) * DYE_UNIT) + DYE_UNIT / 2)
			<< lanes[i];
	return node;
}

/* ---- tone curves ----
 *
 * One line a dye: its letter, then points WANTED=GIVEN in rising order, both in levels 0 ... 255 of
 * dye. Y 0=0 64=58 128=120 255=240
 */
struct curve {
	size_t n;
	double from[CURVE_POINTS_MAX], to[CURVE_POINTS_MAX];
};

static double
curve_at(const struct curve *c, double level)
{
	size_t i = 1;

	if (!c->n || level <= c->from[0])
		return c->n ? c->to[0] : level;
	while (i < c->n && c->from[i] < level)
		i++;
	if (i == c->n)
		return c->to[c->n - 1];
	double share = (level - c->from[i - 1]) / (c->from[i] - c->from[i - 1]);
	return c->to[i - 1] + share * (c->to[i] - c->to[i - 1]);
}

static bool
level_parse(const char **text, double *out)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	unsigned long n = strtoul(*text, &end, 10);
	*text = end;
	*out = (double)n;
	return n <= LEVEL_TOP;
}

static bool
point_parse(struct curve *c, const char *word)
{
	double from, to;

	if (c->n == CURVE_POINTS_MAX || !level_parse(&word, &from) || *word++ != '=' ||
		!level_parse(&word, &to) || *word || (c->n && from <= c->from[c->n - 1]))
		return false;
	c->from[c->n] = from;
	c->to[c->n++] = to;
	return true;
}

static int
curves_parse(
	struct curve curves[3], const uint8_t *bytes, size_t len, const char *name, struct err *e)
{
	static const char letters[] = "YMC";
	struct lines lines;
	int rc;

	lines_init(&lines, bytes, len, name);
	while ((rc = lines_next(&lines, e)) > 0) {
		char *rest = lines.text, *word = lines_word(&rest);
		const char *dye = word[1] ? NULL : strchr(letters, word[0]);
		struct curve *c = dye ? &curves[dye - letters] : NULL;
		bool good = c && !c->n;
		while (good && (word = lines_word(&rest)))
			good = point_parse(c, word);
		if (!good || c->n < 2)
			return err_set(e, ERR_INPUT,
				_("%s: line %u: a tone curve is Y, M or C and two or more points "
				  "in rising "
				  "order, as: Y 0=0 128=120 255=240"),
				name, lines.number);
	}
	return rc;
}

/* ---- the ways to fill ---- */

struct source {
	const struct dye_tone *tone;
	struct curve curves[3];
	void *transform; /* of lcms2; NULL: the complement and the curves */
	bool gives_rgb;  /* the profile's device takes light, not dye */
};

static void
dye_find(const struct source *s, const double light[3], double dye[3])
{
	for (int i = 0; i < 3; i++)
		dye[i] = curve_at(&s->curves[i], LEVEL_TOP - light[2 - i]);
#ifdef HAVE_LCMS2
	if (!s->transform)
		return;
	uint16_t in[3], out[3];
	for (int i = 0; i < 3; i++)
		in[i] = (uint16_t)lrint(light[i] * 257);
	cmsDoTransform(s->transform, in, out, 1);
	/* R G B or C M Y; ours is Y M C. */
	for (int i = 0; i < 3; i++)
		dye[i] = s->gives_rgb ? LEVEL_TOP - out[2 - i] / 257.0 : out[2 - i] / 257.0;
#endif
}

static void
table_fill(struct dye_table *t, const struct source *s)
{
	double axis[DYE_NODES];
	uint64_t *node = t->node;

	for (int i = 0; i < DYE_NODES; i++)
		axis[i] = tone_apply(s->tone, (double)LEVEL_TOP * i / (DYE_NODES - 1));
	for (int r = 0; r < DYE_NODES; r++)
		for (int g = 0; g < DYE_NODES; g++)
			for (int b = 0; b < DYE_NODES; b++) {
				double dye[3];
				dye_find(s, (const double[3]){axis[r], axis[g], axis[b]}, dye);
				*node++ = node_pack(dye);
			}
	/* White is the card itself, whatever a profile's white point says. */
	node[-1] = node_pack((const double[3]){0});
	dye_table_finish(t);
}

static bool
is_icc(const uint8_t *bytes, size_t len)
{
	return len >= 128 && !memcmp(bytes + 36, "acsp", 4);
}

static bool
suffix_icc(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && (!strcmp(name + n - 4, ".icc") || !strcmp(name + n - 4, ".icm"));
}

#ifdef HAVE_LCMS2
static int
icc_open(struct source *s, const uint8_t *bytes, size_t len, const char *name, struct err *e)
{
	cmsHPROFILE device = cmsOpenProfileFromMem(bytes, (cmsUInt32Number)len);
	cmsHPROFILE screen = cmsCreate_sRGBProfile();
	cmsColorSpaceSignature space = device ? cmsGetColorSpace(device) : 0;

	s->gives_rgb = space == cmsSigRgbData;
	if (screen && (s->gives_rgb || space == cmsSigCmyData))
		s->transform = cmsCreateTransform(screen, TYPE_RGB_16, device,
			s->gives_rgb ? TYPE_RGB_16 : TYPE_CMY_16, (cmsUInt32Number)s->tone->intent,
			cmsFLAGS_NOCACHE | cmsFLAGS_BLACKPOINTCOMPENSATION);
	if (screen)
		cmsCloseProfile(screen);
	if (device)
		cmsCloseProfile(device);
	if (s->transform)
		return 0;
	return err_set(e, ERR_INPUT,
		_("%s: is damaged, or not an ICC profile of an RGB or CMY printer; install another "
		  "one."),
		name);
}
#else
static int
icc_open(struct source *s, const uint8_t *bytes, size_t len, const char *name, struct err *e)
{
	(void)s, (void)bytes, (void)len;
	return err_set(e, ERR_INPUT,
		_("%s: this build reads no ICC profiles; use a file of tone curves."), name);
}
#endif

int
dye_table_build(struct dye_table **out, const struct dye_tone *tone, const uint8_t *profile,
	size_t len, const char *name, struct err *e)
{
	struct source s = {.tone = tone};
	int rc = 0;

	*out = NULL;
	if (abs(tone->brightness) > TONE_MAX || abs(tone->contrast) > TONE_MAX)
		return err_set(e, ERR_INPUT, _("Brightness and contrast go from -10 to 10."));
	if (tone->intent >= DYE_INTENT_COUNT)
		return err_set(e, ERR_INPUT, _("There is no such rendering intent."));
	if (is_icc(profile, len))
		rc = icc_open(&s, profile, len, name, e);
	else if (suffix_icc(name))
		rc = err_set(e, ERR_INPUT,
			_("%s: is damaged or not an ICC profile; install another one."), name);
	else if (len)
		rc = curves_parse(s.curves, profile, len, name, e);
	struct dye_table *t = rc ? NULL : malloc(sizeof *t);
	if (!rc && !t)
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
	if (t)
		table_fill(t, &s);
#ifdef HAVE_LCMS2
	if (s.transform)
		cmsDeleteTransform(s.transform);
#endif
	*out = t;
	return rc;
}
