/*
 * evolis-load.c - the planes of a card as commands.
 *
 * Owns the verb load: which panels go out in which form, the half panel's place, and the image's
 * statistics. Nothing is sent here. On failure no plane is kept and err says what does not fit.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/evolis.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LINE_DOTS_MAX 648

/* The lines of a half panel that are sent as such; lines 0: whole planes. */
struct part {
	unsigned first, lines;
};

/* One panel of one side as a command, or nothing when it is blank. */
static int
panel_load(struct printer *p, enum side side, size_t slot, int panel, const struct plane *in,
	const struct part *part, struct err *e)
{
	bool colour = panel <= PANEL_C;
	struct wire_plane_format format = {.levels = colour ? p->m->colour_levels : 2,
		.compressed = p->m->compressed,
		.short_lines = p->m->short_lines,
		.turned = p->m->turned[side],
		.pad = p->m->pad,
		.first = colour ? part->first : 0,
		.lines = colour ? part->lines : 0};
	char letter = panel == PANEL_UV ? p->m->uv_letter[0] : (char)tolower(panel_letters[panel]);
	struct plane plane = *in;

	if (in->fill != PLANE_DATA && in->fill != PLANE_FULL)
		return 0;
	if (in->fill == PLANE_FULL) {
		plane.bits = colour ? 8 : 1;
		plane.dots = p->model->head_dots;
		plane.lines = p->model->head_lines;
	}
	if (!letter)
		return err_set(e, ERR_INPUT, _("The %s cannot print the panel %c."), p->model->name,
			panel_letters[panel]);
	if (plane.dots != p->model->head_dots || plane.lines != p->model->head_lines)
		return err_set(e, ERR_INPUT,
			_("The card was drawn for another print head (%u x %u dots) than the %s "
			  "has (%u x %u)."),
			plane.dots, plane.lines, p->model->name, p->model->head_dots,
			p->model->head_lines);
	return wire_plane(&p->planes[side][slot], letter, &plane, &format, e);
}

static bool
line_blank(const struct plane *p, unsigned line)
{
	const uint8_t *dots = p->data + (size_t)line * p->stride;

	return dots[0] == 0 && memcmp(dots, dots + 1, p->dots - 1) == 0;
}

/* First line with colour on the wire, and how many lines up to the last one; 0 = no colour. */
static struct part
colour_span(const struct face *face, unsigned head_lines, bool turned)
{
	unsigned first = head_lines, end = 0;

	for (int i = PANEL_Y; i <= PANEL_C; i++) {
		const struct plane *p = &face->plane[i];
		unsigned a = 0, b = p->lines;
		if (p->fill == PLANE_FULL)
			return (struct part){0, head_lines};
		if (p->fill != PLANE_DATA)
			continue;
		while (a < b && line_blank(p, a))
			a++;
		while (b > a && line_blank(p, b - 1))
			b--;
		if (a == b)
			continue;
		first = a < first ? a : first;
		end = b > end ? b : end;
	}
	if (first >= end)
		return (struct part){0, 0};
	return (struct part){turned ? head_lines - end : first, end - first};
}

/* Where the half panel lies on the card. *part: what is sent of the colour planes. */
static int
half_load(struct printer *p, enum side side, const struct face *face, struct part *part,
	struct err *e)
{
	unsigned reach = p->job.ribbon->dye_lines, lines = p->model->head_lines;
	struct part span;
	char *text = p->before[side][0];

	*part = (struct part){0, 0};
	if (!reach || side != SIDE_FRONT)
		return 0;
	span = colour_span(face, lines, p->m->turned[side]);
	if (span.lines > reach)
		return err_set(e, ERR_INPUT,
			_("The colours of the card reach over %u lines, but the half panel of the "
			  "ribbon %s has %u."),
			span.lines, p->job.ribbon->name, reach);
	if (span.first > lines - reach)
		span.first = lines - reach;
	if (p->dialect->numbered && !span.lines) /* a line beyond the card: no colour */
		snprintf(text, sizeof p->before[side][0], "Psp;%u", p->model->head_dots * lines);
	else if (span.lines)
		snprintf(text, sizeof p->before[side][0], "Psp;%u", span.first);
	if (!p->dialect->numbered && span.lines)
		*part = (struct part){span.first, reach};
	return 0;
}

/* Percent of dots without dye and the mean of each colour, 0 to 255, as the vendor's driver sends
 * them. */
static void
statistics_load(struct printer *p, enum side side, const struct face *face)
{
	const struct plane *plane = &face->plane[PANEL_Y];
	size_t n = (size_t)p->model->head_dots * p->model->head_lines, blank = n;
	uint64_t sum[3] = {0};

	for (int i = 0; i < 3; i++)
		if (plane[i].fill == PLANE_FULL) {
			sum[i] = 255 * (uint64_t)n;
			blank = 0;
		}
	for (unsigned line = 0; line < p->model->head_lines; line++) {
		uint8_t any[LINE_DOTS_MAX] = {0};
		unsigned inked = 0;
		for (int i = 0; i < 3; i++) {
			if (plane[i].fill != PLANE_DATA)
				continue;
			const uint8_t *dots = plane[i].data + (size_t)line * plane[i].stride;
			unsigned line_sum = 0;
			for (unsigned d = 0; d < p->model->head_dots; d++) {
				line_sum += dots[d];
				any[d] |= dots[d];
			}
			sum[i] += line_sum;
		}
		for (unsigned d = 0; d < p->model->head_dots; d++)
			inked += any[d] != 0;
		blank -= blank ? inked : 0;
	}
	snprintf(p->before[side][1], sizeof p->before[side][1], "Pida;%u;%u;%u;%u",
		(unsigned)(100 * blank / n), (unsigned)(sum[0] / n), (unsigned)(sum[1] / n),
		(unsigned)(sum[2] / n));
}

static bool
colour_present(const struct face *face)
{
	for (int i = PANEL_Y; i <= PANEL_C; i++)
		if (face->plane[i].fill == PLANE_DATA || face->plane[i].fill == PLANE_FULL)
			return true;
	return false;
}

static int
side_load(struct printer *p, enum side side, const struct face *face, struct err *e)
{
	const struct ribbon *ribbon = p->job.ribbon;
	const char *panels = side == SIDE_FRONT ? ribbon->front : ribbon->back;
	struct part part;

	for (int i = 0; i < PANEL_COUNT; i++) {
		enum plane_fill fill = face->plane[i].fill;
		if ((fill == PLANE_DATA || fill == PLANE_FULL) && !strchr(panels, panel_letters[i]))
			return err_set(e, ERR_INPUT,
				_("The %s of the card needs panel %c, which the ribbon %s lacks "
				  "there."),
				_(side_names[side]), panel_letters[i], ribbon->name);
	}
	int rc = half_load(p, side, face, &part, e);
	for (size_t slot = 0; panels[slot] && rc == 0; slot++) {
		const char *at = strchr(panel_letters, panels[slot]);
		int panel = at ? (int)(at - panel_letters) : PANEL_COUNT;
		if (panel < PANEL_COUNT && slot < PANEL_COUNT)
			rc = panel_load(p, side, slot, panel, &face->plane[panel], &part, e);
	}
	if (rc == 0 && p->dialect->numbered && p->m->image_statistics && colour_present(face))
		statistics_load(p, side, face);
	return rc;
}

/*
 * Makes the commands and keeps them. They are sent by print(): the printer starts on a panel as
 * soon as the next one comes in, and a card may only be touched within an act.
 */
int
evolis_load(struct printer *p, const struct face faces[SIDE_COUNT], struct err *e)
{
	struct err own;
	int rc = 0;

	if (!e)
		e = &own;
	if (!p->job.ribbon)
		return err_set(e, ERR_INTERNAL, _("Planes were loaded before the job began."));
	planes_drop(p);
	for (int side = 0; side < SIDE_COUNT && rc == 0; side++)
		if (side == SIDE_FRONT || p->job.duplex)
			rc = side_load(p, side, &faces[side], e);
	if (rc)
		planes_drop(p);
	p->loaded = rc == 0;
	return rc;
}
