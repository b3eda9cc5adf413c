/*
 * queue-list.c - the card queues of cupsd, as they are now.
 *
 * Owns the reading of state, message, supplies and waiting jobs of each queue of ours, and the
 * thread that reads again while somebody looks. Guarantees: never waits for a print server longer
 * than it was told; who looks never waits at all. When cupsd does not answer the list is empty and
 * says so.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/overview.h"

#include <cups/cups.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { READ_TIMEOUT_MS = 3000, FRESH_MS = 2000 };

static const char *const wanted[] = {"printer-name", "device-uri", "printer-state",
	"printer-state-message", "printer-state-reasons", "marker-names", "marker-levels",
	"marker-low-levels", "queued-job-count"};
static const char *const state_words[] = {"idle", "working", "stopped"}; /* from IPP_PSTATE_IDLE */

/* ---- one reading ---- */

static void
text_take(char *out, size_t max, ipp_attribute_t *at)
{
	const char *text = at ? ippGetString(at, 0, NULL) : NULL;

	snprintf(out, max, "%s", text ? text : "");
}

static void
reasons_take(struct queue_row *row, ipp_attribute_t *at)
{
	size_t used = 0;

	for (int i = 0; i < ippGetCount(at) && used < sizeof row->reasons; i++) {
		const char *word = ippGetString(at, i, NULL);

		if (word && strcmp(word, "none") != 0)
			used += (size_t)snprintf(row->reasons + used, sizeof row->reasons - used,
				"%s%s", used ? "," : "", word);
	}
}

static void
supplies_take(struct queue_row *row, ipp_attribute_t *names, ipp_attribute_t *levels,
	ipp_attribute_t *lows)
{
	for (int i = 0; i < ippGetCount(names) && i < QUEUE_SUPPLIES_MAX; i++) {
		const char *name = ippGetString(names, i, NULL);

		snprintf(row->supply[i].name, sizeof row->supply[i].name, "%s", name ? name : "");
		row->supply[i].level = i < ippGetCount(levels) ? ippGetInteger(levels, i) : -1;
		row->supply[i].low = i < ippGetCount(lows) ? ippGetInteger(lows, i) : -1;
		row->n_supplies = (unsigned)i + 1;
	}
}

/* cardspool://MAKE/MODEL?serial=S, with %XX where a URI needs it. */
static void
device_take(struct queue_row *row)
{
	char scheme[32], user[64], host[128], resource[256], *query;
	int port;

	uri_name(row->device, row->serial, sizeof row->serial);
	if (httpSeparateURI(HTTP_URI_CODING_ALL, row->device, scheme, sizeof scheme, user,
		    sizeof user, host, sizeof host, &port, resource,
		    sizeof resource) < HTTP_URI_STATUS_OK)
		return;
	query = strchr(resource, '?');
	if (query)
		*query = '\0';
	snprintf(row->model, sizeof row->model, "%s", resource[0] ? resource + 1 : "");
}

/* One printer's attributes, from first up to the separator. */
static ipp_attribute_t *
printer_take(ipp_t *answer, ipp_attribute_t *first, struct queue_row *row)
{
	ipp_attribute_t *at = first, *names = NULL, *levels = NULL, *lows = NULL;

	*row = (struct queue_row){.jobs = -1};
	for (; at && ippGetName(at); at = ippNextAttribute(answer)) {
		const char *name = ippGetName(at);

		if (strcmp(name, "printer-name") == 0)
			text_take(row->name, sizeof row->name, at);
		else if (strcmp(name, "device-uri") == 0)
			text_take(row->device, sizeof row->device, at);
		else if (strcmp(name, "printer-state-message") == 0)
			text_take(row->message, sizeof row->message, at);
		else if (strcmp(name, "printer-state-reasons") == 0)
			reasons_take(row, at);
		else if (strcmp(name, "queued-job-count") == 0)
			row->jobs = ippGetInteger(at, 0);
		else if (strcmp(name, "marker-names") == 0)
			names = at;
		else if (strcmp(name, "marker-levels") == 0)
			levels = at;
		else if (strcmp(name, "marker-low-levels") == 0)
			lows = at;
		else if (strcmp(name, "printer-state") == 0) {
			int state = ippGetInteger(at, 0) - (int)IPP_PSTATE_IDLE;

			snprintf(row->state, sizeof row->state, "%s",
				state >= 0 && state < 3 ? state_words[state] : "");
		}
	}
	supplies_take(row, names, levels, lows);
	return at;
}

static void
answer_take(struct queue_list *out, ipp_t *answer)
{
	ipp_attribute_t *at = ippFirstAttribute(answer);

	while (at && out->n < QUEUES_MAX) {
		struct queue_row *row = &out->rows[out->n];

		if (ippGetGroupTag(at) != IPP_TAG_PRINTER || !ippGetName(at)) {
			at = ippNextAttribute(answer);
			continue;
		}
		at = printer_take(answer, at, row);
		if (strncmp(row->device, "cardspool:", 10) != 0)
			continue;
		device_take(row);
		out->n++;
	}
}

void
queue_list_read(struct queue_list *out, int timeout_ms)
{
	http_t *http;
	ipp_t *request, *answer;

	memset(out, 0, sizeof *out);
	http = httpConnect2(
		cupsServer(), ippPort(), NULL, AF_UNSPEC, cupsEncryption(), 1, timeout_ms, NULL);
	if (!http)
		return;
	httpSetTimeout(http, timeout_ms / 1000.0, NULL, NULL);
	request = ippNewRequest(IPP_OP_CUPS_GET_PRINTERS);
	ippAddString(
		request, IPP_TAG_OPERATION, IPP_TAG_NAME, "requesting-user-name", NULL, cupsUser());
	ippAddStrings(request, IPP_TAG_OPERATION, IPP_TAG_KEYWORD, "requested-attributes",
		(int)ARRAY_LEN(wanted), NULL, wanted);
	answer = cupsDoRequest(http, request, "/");
	/* No queue at all is an answer too. */
	out->answered = answer && (ippGetStatusCode(answer) <= IPP_STATUS_OK_EVENTS_COMPLETE ||
					  ippGetStatusCode(answer) == IPP_STATUS_ERROR_NOT_FOUND);
	if (out->answered)
		answer_take(out, answer);
	ippDelete(answer);
	httpClose(http);
}

/* ---- the thread ---- */

struct queue_watch {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t asked;
	bool wanted, ending;
	int64_t read_ms;
	struct queue_list list;
};

static void *
watch_run(void *ctx)
{
	struct queue_watch *w = ctx;
	struct queue_list *fresh = calloc(1, sizeof *fresh);

	pthread_mutex_lock(&w->lock);
	while (fresh && !w->ending) {
		if (!w->wanted) {
			pthread_cond_wait(&w->asked, &w->lock);
			continue;
		}
		w->wanted = false;
		pthread_mutex_unlock(&w->lock);
		queue_list_read(fresh, READ_TIMEOUT_MS);
		pthread_mutex_lock(&w->lock);
		w->list = *fresh;
		w->read_ms = clock_up_ms();
	}
	pthread_mutex_unlock(&w->lock);
	free(fresh);
	return NULL;
}

struct queue_watch *
queue_watch_create(void)
{
	struct queue_watch *w = calloc(1, sizeof *w);

	if (!w)
		return NULL;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->asked, NULL);
	w->wanted = true;
	if (pthread_create(&w->thread, NULL, watch_run, w) == 0)
		return w;
	free(w);
	return NULL;
}

void
queue_watch_destroy(struct queue_watch *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_cond_signal(&w->asked);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->asked);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void
queue_watch_look(struct queue_watch *w, struct queue_list *out)
{
	pthread_mutex_lock(&w->lock);
	if (clock_up_ms() - w->read_ms >= FRESH_MS) {
		w->wanted = true;
		pthread_cond_signal(&w->asked);
	}
	*out = w->list;
	pthread_mutex_unlock(&w->lock);
}
