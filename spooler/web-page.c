/*
 * web-page.c - the frame of each page of the workshop page.
 *
 * Owns head, navigation, forms, and what is the same everywhere. Guarantees: pages need nothing
 * from outside and work without the script, which only renews what lives; every form carries its
 * token.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/web.h"

#include <microhttpd.h>
#include <string.h>

const struct web_route web_routes[] = {
	{"/", false, false, false, web_machines},
	{"/batches", false, false, false, web_batches},
	{"/failures", false, false, false, web_failures},
	{"/record", false, false, false, web_record},
	{"/proof", false, false, false, web_proof},
	{"/photo", false, false, false, web_photo},
	{"/day", false, false, false, web_day},
	{"/sign", true, false, false, web_sign},
	{"/note", true, false, true, web_note},
	{"/charts", false, false, false, web_charts},
	{"/report.pdf", false, false, false, web_report_file},
	{"/sign-in", false, true, false, web_sign_in_form},
	{"/sign-in", true, true, false, web_sign_in},
	{"/sign-out", true, false, false, web_sign_out},
	{"/style.css", false, true, false, web_style_file},
	{"/live.js", false, true, false, web_script_file},
	{"/icon.svg", false, true, false, web_icon_file},
};
const size_t n_web_routes = ARRAY_LEN(web_routes);

/* What stands in the navigation. live_s: how often the page renews itself, 0: it does not. */
static const struct {
	const char *path, *title;
	unsigned live_s;
} places[] = {
	{"/", "Machines", 5},
	{"/failures", "Failures", 0},
	{"/charts", "Charts", 0},
	{"/batches", "Batches", 5},
};

static unsigned
live_s(const struct web_request *q)
{
	for (size_t i = 0; q->route && i < ARRAY_LEN(places); i++)
		if (strcmp(q->route->path, places[i].path) == 0)
			return places[i].live_s;
	return 0;
}

void
web_link_value(struct html *h, const char *value)
{
	for (const unsigned char *at = (const unsigned char *)value; *at; at++)
		if ((*at >= '0' && *at <= '9') || (*at >= 'A' && *at <= 'Z') ||
			(*at >= 'a' && *at <= 'z') || *at == '-' || *at == '.')
			html_put(h, "%c", *at);
		else
			html_put(h, "%%%02X", *at);
}

/* The same page in the other language, with what was searched for. */
static enum MHD_Result
query_repeat(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct html *h = ctx;

	(void)kind;
	if (strcmp(name, "lang") == 0 || strcmp(name, "live") == 0)
		return MHD_YES;
	html_put(h, "&amp;");
	web_link_value(h, name);
	html_put(h, "=");
	web_link_value(h, value ? value : "");
	return MHD_YES;
}

static void
language_link(struct web_request *q)
{
	struct html *h = &q->html;
	bool zh = q->lang == LANGUAGE_ZH;

	if (!q->route || q->route->post)
		return;
	html_put(h, "<a id=\"language\" hreflang=\"%s\" href=\"%s?lang=%s", zh ? "en" : "zh-CN",
		q->route->path, zh ? "en" : "zh");
	MHD_get_connection_values(q->connection, MHD_GET_ARGUMENT_KIND, query_repeat, h);
	html_put(h, "\">%s</a>", zh ? "English" : "中文");
}

static void
header_put(struct web_request *q)
{
	struct html *h = &q->html;

	html_put(h, "<header><span class=\"name\">");
	html_say(h, "Cardspool workshop");
	html_put(h, "</span><nav>");
	for (size_t i = 0; q->session && i < ARRAY_LEN(places); i++) {
		bool here = q->route && strcmp(q->route->path, places[i].path) == 0;

		html_put(h, "<a href=\"%s\"%s>", places[i].path,
			here ? " aria-current=\"page\"" : "");
		html_say(h, places[i].title);
		html_put(h, "</a>");
	}
	html_put(h, "</nav><span class=\"who\">");
	language_link(q);
	if (q->session) {
		html_put(h, "<span id=\"person\">");
		html_text(h, q->session->name);
		html_put(h, "</span>");
		web_form_open(q, "/sign-out", "", false);
		html_put(h, "<button class=\"plain\">");
		html_say(h, "Sign out");
		html_put(h, "</button></form>");
	}
	html_put(h, "</span></header>\n");
}

void
web_page_open(struct web_request *q, const char *title)
{
	struct html *h = &q->html;
	unsigned live = q->session ? live_s(q) : 0;

	html_put(h,
		"<!DOCTYPE html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\"><meta "
		"name=\"viewport\" content=\"width=device-width,initial-scale=1\"><link "
		"rel=\"stylesheet\" href=\"/style.css\"><link rel=\"icon\" href=\"/icon.svg\">",
		q->lang == LANGUAGE_ZH ? "zh-CN" : "en");
	if (live)
		html_put(h,
			"<script src=\"/live.js\" defer></script><noscript><meta "
			"http-equiv=\"refresh\" content=\"%u;url=%s?live=1\"></noscript>",
			4 * live, q->route->path);
	html_put(h, "<title>");
	html_say(h, title);
	html_put(h, " - Cardspool</title></head><body>\n");
	header_put(q);
	if (live) {
		html_put(h, "<div id=\"lost\" class=\"gone\" role=\"alert\">");
		html_say(h, "The connection is lost. What you see is old.");
		html_put(h, "</div><main data-live=\"%u\">\n", live);
	} else {
		html_put(h, "<main>\n");
	}
	html_put(h, "<h1>");
	html_say(h, title);
	html_put(h, "</h1>\n");
}

void
web_page_close(struct web_request *q)
{
	char at[32];
	struct html *h = &q->html;
	time_t now = time(NULL);

	if (q->session && live_s(q)) {
		say_time(at, sizeof at, (int64_t)now * 1000);
		html_put(h, "<p class=\"faint\"><small>");
		html_say(h, "Updated");
		html_put(
			h, " <span id=\"updated\">%s:%02d</span></small></p>", at, (int)(now % 60));
	}
	html_put(h, "</main></body></html>\n");
}

void
web_page_tell(struct web_request *q, int status, const char *english)
{
	q->status = status;
	q->html.buf.len = 0;
	web_page_open(q, "Cardspool workshop");
	html_put(&q->html, "<p class=\"notice\" role=\"alert\">");
	html_say(&q->html, english);
	html_put(&q->html, "</p><p><a href=\"/\">");
	html_say(&q->html, "Machines");
	html_put(&q->html, "</a></p>");
	web_page_close(q);
}

void
web_state(struct html *h, const char *class_name, const char *english)
{
	html_put(h, "<span class=\"state %s\">", class_name);
	html_say(h, english);
	html_put(h, "</span>");
}

void
web_form_open(struct web_request *q, const char *path, const char *class_name, bool upload)
{
	html_put(&q->html, "<form method=\"post\" action=\"%s\" class=\"%s\"%s>", path, class_name,
		upload ? " enctype=\"multipart/form-data\"" : "");
	if (q->session)
		html_put(&q->html, "<input type=\"hidden\" name=\"form\" value=\"%s\">",
			q->session->form);
}

void
web_input(struct html *h, const char *type, const char *name, const char *label, const char *value,
	const char *more)
{
	html_put(h, "<label>");
	html_say(h, label);
	html_put(h, "<input type=\"%s\" name=\"%s\" %s value=\"", type, name, more);
	html_text(h, value);
	html_put(h, "\"></label>");
}

/* ---- what stands beside the pages ---- */

void
web_style_file(struct web_request *q)
{
	web_plain(q, "text/css; charset=utf-8", report_style, strlen(report_style));
	if (q->html.rc == 0)
		q->html.rc = buf_append(&q->html.buf, web_style, strlen(web_style), &q->err);
}

void
web_script_file(struct web_request *q)
{
	web_plain(q, "text/javascript; charset=utf-8", web_script, strlen(web_script));
}

void
web_icon_file(struct web_request *q)
{
	static const char icon[] =
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 32\"><rect x=\"2\" "
		"y=\"6\" width=\"28\" height=\"20\" rx=\"3\" fill=\"#1d4e89\"/><rect x=\"6\" "
		"y=\"11\" width=\"7\" height=\"6\" rx=\"1\" fill=\"#e0a030\"/><rect x=\"16\" "
		"y=\"12\" width=\"10\" height=\"2\" fill=\"#fff\"/><rect x=\"16\" y=\"17\" "
		"width=\"10\" height=\"2\" fill=\"#fff\"/></svg>";

	web_plain(q, "image/svg+xml", icon, strlen(icon));
}
