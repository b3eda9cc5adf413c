/*
 * face-fonts.c - which fonts a filter lets Pango know.
 *
 * Owns the choice between all installed fonts and the few that a template was compiled with.
 * Guarantees: the few are the files that the compiler found under all fonts, so that a card looks
 * the same either way; when one of them is gone, or would have to be scanned first, all fonts are
 * used. Cannot fail.
 *
 * Decision: reading fontconfig's rules and sorting every installed font costs more than drawing the
 * first card (doc/PERFORMANCE.md). A character that the few do not have is looked for in all of
 * them, when it comes.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/face.h"

#include <fontconfig/fontconfig.h>
#include <pango/pangofc-font.h>
#include <pango/pangofc-fontmap.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- when a template is compiled ---- */

/* A font that fontconfig's rules change (slanted, made bold) is another one without them. */
static const char *
pattern_plain_file(FcPattern *pattern)
{
	static const char *const changes[] = {FC_EMBOLDEN, FC_MATRIX, FC_FONT_VARIATIONS};
	FcChar8 *file = NULL;
	FcValue value;

	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		bool there = FcPatternGet(pattern, changes[i], 0, &value) == FcResultMatch;
		if (there && !(value.type == FcTypeBool && !value.u.b))
			return NULL;
	}
	if (FcPatternGetString(pattern, FC_FILE, 0, &file) != FcResultMatch)
		return NULL;
	return (const char *)file;
}

void
font_file_name(PangoFont *font, char out[TEMPLATE_FONT_FILE_MAX])
{
	out[0] = '\0';
	if (!PANGO_IS_FC_FONT(font))
		return;
	FcPattern *pattern = NULL;
	g_object_get(font, "pattern", &pattern, NULL);
	const char *file = pattern ? pattern_plain_file(pattern) : NULL;
	/* The name becomes a pattern of file names, which must mean itself. */
	if (file && file[0] == '/' && strlen(file) < TEMPLATE_FONT_FILE_MAX &&
		!strpbrk(file, "*?[]\\"))
		snprintf(out, TEMPLATE_FONT_FILE_MAX, "%s", file);
}

/* ---- when cards are made ---- */

static bool
files_there(const struct template *t)
{
	for (size_t i = 0; i < t->n_boxes; i++) {
		const struct box *b = &t->boxes[i];
		if (b->kind == BOX_TEXT && (!b->font_file[0] || access(b->font_file, R_OK)))
			return false;
	}
	return true;
}

/* Each rule once. */
static void
rule_add(GString *rules, const char *before, const char *text, const char *after)
{
	char *escaped = g_markup_escape_text(text ? text : "", -1);
	char *rule = g_strconcat(before, escaped, after, NULL);

	if (!strstr(rules->str, rule))
		g_string_append(rules, rule);
	g_free(rule);
	g_free(escaped);
}

enum rule { RULE_FOLDER, RULE_FILE, RULE_FAMILY };

static void
rules_add(GString *rules, const struct template *t, enum rule rule)
{
	for (size_t i = 0; i < t->n_boxes; i++) {
		const struct box *b = &t->boxes[i];
		if (b->kind != BOX_TEXT)
			continue;
		PangoFontDescription *font = pango_font_description_from_string(b->font);
		char *folder = g_path_get_dirname(b->font_file);
		if (rule == RULE_FOLDER)
			rule_add(rules, "<dir>", folder, "</dir>");
		else if (rule == RULE_FILE)
			rule_add(rules, "<glob>", b->font_file, "</glob>");
		else
			rule_add(rules, "<pattern><patelt name=\"family\"><string>",
				pango_font_description_get_family(font),
				"</string></patelt></pattern>");
		g_free(folder);
		pango_font_description_free(font);
	}
}

/* Rules for fontconfig: the folders of the files; of what lies there the files; and of these, which
 * may hold a dozen families, the template's. */
static char *
rules_build(const struct template *t)
{
	GString *rules = g_string_new("<fontconfig><cachedir>" FONT_CACHE_DIR "</cachedir>"
				      "<cachedir prefix=\"xdg\">fontconfig</cachedir>");

	rules_add(rules, t, RULE_FOLDER);
	g_string_append(rules,
		"<selectfont><rejectfont><glob>*</glob>"
		"<pattern><patelt name=\"scalable\"><bool>true</bool></patelt></pattern>"
		"<pattern><patelt name=\"scalable\"><bool>false</bool></patelt></pattern>"
		"</rejectfont><acceptfont>");
	rules_add(rules, t, RULE_FILE);
	rules_add(rules, t, RULE_FAMILY);
	g_string_append(rules, "</acceptfont></selectfont></fontconfig>");
	return g_string_free(rules, FALSE);
}

/* A folder without a valid cache would be scanned, which takes seconds for Chinese fonts. */
static bool
caches_there(const struct template *t, FcConfig *config)
{
	bool good = true;

	for (size_t i = 0; good && i < t->n_boxes; i++) {
		if (t->boxes[i].kind != BOX_TEXT)
			continue;
		char *folder = g_path_get_dirname(t->boxes[i].font_file);
		FcCache *cache = FcDirCacheLoad((const FcChar8 *)folder, config, NULL);
		good = cache != NULL;
		if (cache)
			FcDirCacheUnload(cache);
		g_free(folder);
	}
	return good;
}

static bool
font_known(FcConfig *config, const char *file)
{
	const FcFontSet *set = FcConfigGetFonts(config, FcSetSystem);
	FcChar8 *name;

	for (int i = 0; set && i < set->nfont; i++)
		if (FcPatternGetString(set->fonts[i], FC_FILE, 0, &name) == FcResultMatch &&
			!strcmp((const char *)name, file))
			return true;
	return false;
}

bool
fonts_few(const struct template *t)
{
	if (!files_there(t))
		return false;
	char *rules = rules_build(t);
	FcConfig *config = FcConfigCreate();
	bool good = config &&
		    FcConfigParseAndLoadFromMemory(config, (const FcChar8 *)rules, FcTrue) &&
		    caches_there(t, config) && FcConfigBuildFonts(config);

	for (size_t i = 0; good && i < t->n_boxes; i++)
		good = t->boxes[i].kind != BOX_TEXT || font_known(config, t->boxes[i].font_file);
	good = good && FcConfigSetCurrent(config);
	if (!good && config)
		FcConfigDestroy(config);
	g_free(rules);
	return good;
}

PangoFontMap *
fonts_all(void)
{
	PangoFontMap *map = pango_cairo_font_map_new();
	FcConfig *config = FcInitLoadConfigAndFonts();

	if (config) {
		pango_fc_font_map_set_config(PANGO_FC_FONT_MAP(map), config);
		FcConfigDestroy(config);
	}
	return map;
}
