/*
 * queue.c - queues of cupsd: what a card queue needs, over IPP.
 *
 * Owns the requests that make, change, ask about and remove one. Guarantees: a queue whose device
 * is not the wanted one is refused, and one that is as it should be is left alone but for its PPD.
 * On failure err carries cupsd's own words.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/cmd-printer.h"

#include <cups/cups.h>
#include <string.h>
#include <strings.h>

/* A card queue never runs a job twice, never prints banners, and fills the card. */
static const struct {
	const char *name, *value;
} card_options[] = {{"printer-error-policy", "stop-printer"}, {"job-sheets-default", "none,none"},
	{"print-scaling-default", "fill"}};

static void
queue_uri(char *out, size_t max, const char *kind, const char *name)
{
	httpAssembleURIf(HTTP_URI_CODING_ALL, out, (int)max, "ipp", NULL, "localhost", 0, "/%s/%s",
		kind, name);
}

static ipp_t *
request_create(ipp_op_t operation, const char *kind, const char *name)
{
	ipp_t *request = ippNewRequest(operation);
	char uri[HTTP_MAX_URI];

	queue_uri(uri, sizeof(uri), kind, name);
	ippAddString(request, IPP_TAG_OPERATION, IPP_TAG_URI, "printer-uri", NULL, uri);
	ippAddString(
		request, IPP_TAG_OPERATION, IPP_TAG_NAME, "requesting-user-name", NULL, cupsUser());
	return request;
}

static int
cups_failed(const char *name, struct err *e)
{
	ipp_status_t status = cupsLastError();

	if (status == IPP_STATUS_ERROR_NOT_AUTHORIZED || status == IPP_STATUS_ERROR_FORBIDDEN ||
		status == IPP_STATUS_ERROR_NOT_AUTHENTICATED ||
		status == IPP_STATUS_ERROR_CUPS_AUTHENTICATION_CANCELED)
		return err_set(e, ERR_DENIED,
			_("You may not change queues. Do this as an administrator (sudo), or have "
			  "somebody add you to group lpadmin."));
	if (status == IPP_STATUS_ERROR_NOT_FOUND)
		return err_set(e, ERR_MISSING, _("There is no queue %s. See: lpstat -v"), name);
	if (status == IPP_STATUS_ERROR_SERVICE_UNAVAILABLE || status == IPP_STATUS_ERROR_INTERNAL)
		return err_set(e, ERR_SYSTEM, _("CUPS does not answer: %s. Start it."),
			cupsLastErrorString());
	return err_set(
		e, ERR_SYSTEM, _("CUPS refused the queue %s: %s."), name, cupsLastErrorString());
}

/* Sends and judges; the answer is the caller's to delete, NULL on failure. file may be NULL. */
static ipp_t *
request_send(ipp_t *request, const char *file, const char *name, int *rc, struct err *e)
{
	ipp_t *answer = file ? cupsDoFileRequest(CUPS_HTTP_DEFAULT, request, "/admin/", file)
			     : cupsDoRequest(CUPS_HTTP_DEFAULT, request, "/admin/");

	*rc = 0;
	if (cupsLastError() <= IPP_STATUS_OK_EVENTS_COMPLETE)
		return answer;
	*rc = cups_failed(name, e);
	ippDelete(answer);
	return NULL;
}

static ipp_t *
queue_ask(const char *kind, const char *name, const char *attribute, int *rc, struct err *e)
{
	ipp_t *request = request_create(IPP_OP_GET_PRINTER_ATTRIBUTES, kind, name);

	ippAddString(request, IPP_TAG_OPERATION, IPP_TAG_KEYWORD, "requested-attributes", NULL,
		attribute);
	return request_send(request, NULL, name, rc, e);
}

int
queue_device(const char *name, char *out, size_t max, struct err *e)
{
	int rc;
	ipp_t *answer = queue_ask("printers", name, "device-uri", &rc, e);
	ipp_attribute_t *at = ippFindAttribute(answer, "device-uri", IPP_TAG_URI);

	snprintf(out, max, "%s", at ? ippGetString(at, 0, NULL) : "");
	ippDelete(answer);
	if (rc == 0 && strncmp(out, "cardspool:", 10) != 0)
		rc = err_set(e, ERR_USAGE,
			_("The queue %s is not one of Cardspool's; it is left alone."), name);
	return rc;
}

int
queue_check(const char *name, const char *device, struct err *e)
{
	char there[512];
	struct err why = {0};
	int rc = queue_device(name, there, sizeof(there), &why);

	if (rc == ERR_MISSING)
		return 0;
	if (rc != 0) {
		*e = why;
		return rc;
	}
	if (strcmp(there, device) == 0)
		return 0;
	return err_set(e, ERR_USAGE,
		_("The queue %s belongs to another printer, %s. Choose another name, or first: "
		  "cardspool printer remove %s"),
		name, there, name);
}

/* Does the queue have this model's PPD and these settings? */
static bool
queue_same(ipp_t *answer, const char *model, const char *template_name)
{
	static const char *const names[] = {"printer-error-policy", "print-scaling-default"};
	static const char *const values[] = {"stop-printer", "fill"};
	ipp_attribute_t *at = ippFindAttribute(answer, "printer-make-and-model", IPP_TAG_ZERO);
	size_t n = strlen(model);
	const char *is = at ? ippGetString(at, 0, NULL) : NULL;

	if (!is || strncmp(is, model, n) != 0 || (is[n] != ',' && is[n]))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		at = ippFindAttribute(answer, names[i], IPP_TAG_ZERO);
		is = at ? ippGetString(at, 0, NULL) : NULL;
		if (is && strcmp(is, values[i]) != 0)
			return false;
	}
	at = template_name ? ippFindAttribute(answer, "template-default", IPP_TAG_ZERO) : NULL;
	is = at ? ippGetString(at, 0, NULL) : NULL;
	return !template_name || (is && strcmp(is, template_name) == 0);
}

int
queue_put(const char *name, const char *device, const char *ppd, const char *model,
	const char *template_name, enum queue_change *change, struct err *e)
{
	cups_option_t *options = NULL;
	struct err none;
	int rc, n = 0;
	ipp_t *there = queue_ask("printers", name, "all", &rc, &none);
	bool same = there && queue_same(there, model, template_name);

	*change = !there ? QUEUE_MADE : same ? QUEUE_SAME : QUEUE_CHANGED;
	ippDelete(there);
	ipp_t *request = request_create(IPP_OP_CUPS_ADD_MODIFY_PRINTER, "printers", name);
	for (size_t i = 0; i < ARRAY_LEN(card_options); i++)
		n = cupsAddOption(card_options[i].name, card_options[i].value, n, &options);
	if (template_name)
		n = cupsAddOption("template-default", template_name, n, &options);
	cupsEncodeOptions2(request, n, options, IPP_TAG_PRINTER);
	cupsFreeOptions(n, options);
	ippAddString(request, IPP_TAG_PRINTER, IPP_TAG_URI, "device-uri", NULL, device);
	if (*change == QUEUE_MADE) { /* a queue that somebody stopped stays stopped */
		ippAddString(request, IPP_TAG_PRINTER, IPP_TAG_TEXT, "printer-info", NULL, model);
		ippAddInteger(
			request, IPP_TAG_PRINTER, IPP_TAG_ENUM, "printer-state", IPP_PSTATE_IDLE);
		ippAddBoolean(request, IPP_TAG_PRINTER, "printer-is-accepting-jobs", 1);
	}
	ippDelete(request_send(request, ppd, name, &rc, e));
	return rc;
}

int
queue_delete(const char *name, struct err *e)
{
	int rc;

	ippDelete(request_send(
		request_create(IPP_OP_CUPS_DELETE_PRINTER, "printers", name), NULL, name, &rc, e));
	return rc;
}

int
queue_class_check(const char *class_name, const char *name, struct err *e)
{
	struct err none;
	int rc;
	ipp_t *there = queue_ask("printers", class_name, "printer-type", &rc, &none);
	ipp_attribute_t *at = ippFindAttribute(there, "printer-type", IPP_TAG_ENUM);
	bool queue = at && !(ippGetInteger(at, 0) & CUPS_PRINTER_CLASS);

	ippDelete(there);
	if (!queue && strcasecmp(class_name, name) != 0)
		return 0;
	return err_set(e, ERR_USAGE,
		_("A class cannot have the name of a queue, as %s is. Choose another name for the "
		  "class."),
		class_name);
}

/* The members stay, in their order; a class that is not there is made. */
int
queue_class_put(const char *class_name, const char *name, struct err *e)
{
	char uris[64][HTTP_MAX_URI];
	const char *members[64];
	struct err none;
	int rc, n = 0;
	ipp_t *there = queue_ask("classes", class_name, "member-names", &rc, &none);
	ipp_attribute_t *at = ippFindAttribute(there, "member-names", IPP_TAG_NAME);
	bool member = false;

	for (int i = 0; i < ippGetCount(at) && n < (int)ARRAY_LEN(members) - 1; i++) {
		member |= strcasecmp(ippGetString(at, i, NULL), name) == 0;
		queue_uri(uris[n], sizeof(uris[n]), "printers", ippGetString(at, i, NULL));
		members[n] = uris[n];
		n++;
	}
	bool made = !there;
	ippDelete(there);
	if (member)
		return 0;
	queue_uri(uris[n], sizeof(uris[n]), "printers", name);
	members[n] = uris[n];
	n++;
	ipp_t *request = request_create(IPP_OP_CUPS_ADD_MODIFY_CLASS, "classes", class_name);
	ippAddStrings(request, IPP_TAG_PRINTER, IPP_TAG_URI, "member-uris", n, NULL, members);
	if (made) {
		ippAddInteger(
			request, IPP_TAG_PRINTER, IPP_TAG_ENUM, "printer-state", IPP_PSTATE_IDLE);
		ippAddBoolean(request, IPP_TAG_PRINTER, "printer-is-accepting-jobs", 1);
	}
	ippDelete(request_send(request, NULL, class_name, &rc, e));
	return rc;
}
