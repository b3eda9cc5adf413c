/*
 * queue-preview.c - a card as a queue makes it, for `cardspool preview --queue`.
 *
 * Owns the run of the queue's own filter with the queue's own options, so that nothing needs to be
 * said here of profiles, overlays or resin: what comes out is what the printer would be sent.
 * Guarantees that nothing is queued and nothing is printed. On failure the filter's own sentence is
 * the error, and no face is left.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/proof.h"

#include <cups/cups.h>
#include <cups/ppd.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPTIONS_MAX = 16 * 1024, PATH_LEN = 4096 };

struct run {
	struct queue_preview *q;
	char ppd[PATH_LEN];
	bool ppd_ours; /* a copy that libcups made, ours to delete */
	char filter[PATH_LEN];
	struct buf options;
	pid_t child;
	int fd;
};

/* Saved options that belong to a job; the rest of a destination describes the printer. */
static bool
option_is_jobs(const char *name)
{
	static const char *const others[] = {"printer-", "marker-", "device-", "job-", "auth-",
		"cups-", "finishings", "number-up", "copies"};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strncmp(name, others[i], strlen(others[i])) == 0)
			return false;
	return true;
}

static int
option_add(struct run *r, const char *name, const char *value, struct err *e)
{
	if (strpbrk(value, "'\"\\\n"))
		return err_set(e, ERR_USAGE,
			_("The value of option %s has a quotation mark in it."), name);
	return buf_printf(&r->options, e, "%s%s='%s'", r->options.len ? " " : "", name, value);
}

static int
options_build(struct run *r, struct err *e)
{
	const struct queue_preview *q = r->q;
	cups_dest_t *dest = q->ppd ? NULL : cupsGetNamedDest(CUPS_HTTP_DEFAULT, q->queue, NULL);
	char card[16];
	int rc = 0;

	for (int i = 0; dest && !rc && i < dest->num_options; i++)
		if (option_is_jobs(dest->options[i].name))
			rc = option_add(r, dest->options[i].name, dest->options[i].value, e);
	if (dest)
		cupsFreeDests(1, dest);
	for (size_t i = 0; !rc && i < q->n_options; i++) {
		const char *equals = strchr(q->options[i], '=');
		char name[64];
		if (!equals || equals == q->options[i] ||
			(size_t)(equals - q->options[i]) >= sizeof name)
			return err_set(e, ERR_USAGE, _("%s: write an option as NAME=VALUE."),
				q->options[i]);
		snprintf(name, sizeof name, "%.*s", (int)(equals - q->options[i]), q->options[i]);
		rc = option_add(r, name, equals + 1, e);
	}
	snprintf(card, sizeof card, "%u", q->card);
	/* the cards of a PDF are only known once its pages are paired */
	if (!rc && !q->pdf)
		rc = option_add(r, "page-ranges", card, e);
	return rc ? rc : buf_append(&r->options, "", 1, e);
}

static int
queue_find(struct run *r, struct err *e)
{
	const char *serverbin = getenv("CUPS_SERVERBIN");
	const char *path;

	snprintf(r->filter, sizeof r->filter, "%s/filter/%s",
		serverbin ? serverbin : CUPS_SERVERBIN, r->q->pdf ? "pdftocards" : "batchtocards");
	if (access(r->filter, X_OK) < 0)
		return err_set(e, ERR_MISSING, _("%s: %s. Install Cardspool's filters."), r->filter,
			strerror(errno));
	if (r->q->ppd) {
		snprintf(r->ppd, sizeof r->ppd, "%s", r->q->ppd);
		if (access(r->ppd, R_OK) == 0)
			return 0;
		return err_set(e, ERR_MISSING, "%s: %s.", r->ppd, strerror(errno));
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	path = cupsGetPPD(r->q->queue);
#pragma GCC diagnostic pop
	if (!path)
		return err_set(e, ERR_MISSING,
			_("There is no card queue %s, or CUPS does not answer: %s. See: lpstat -v"),
			r->q->queue, cupsLastErrorString());
	snprintf(r->ppd, sizeof r->ppd, "%s", path);
	r->ppd_ours = true;
	return 0;
}

static void
filter_exec(const struct run *r, int out)
{
	char *argv[] = {(char *)r->filter, (char *)"1", (char *)"preview", (char *)"preview",
		(char *)"1", (char *)r->options.data, (char *)r->q->source, NULL};
	int null = open("/dev/null", O_RDWR);

	/* What the filter tells CUPS is of no use here; its error comes in the stream. */
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(null, 2) < 0)
		_exit(127);
	setenv("PPD", r->ppd, 1);
	setenv("CONTENT_TYPE", r->q->pdf ? "application/pdf" : BATCH_MIME, 1);
	if (r->q->templates)
		setenv("CARDSPOOL_TEMPLATES", r->q->templates, 1);
	execv(r->filter, argv);
	_exit(127);
}

static int
filter_start(struct run *r, struct err *e)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, ERR_SYSTEM, "pipe: %s.", strerror(errno));
	r->child = fork();
	if (r->child == 0)
		filter_exec(r, ends[1]);
	close(ends[1]);
	r->fd = ends[0];
	return r->child < 0 ? err_set(e, ERR_SYSTEM, "fork: %s.", strerror(errno)) : 0;
}

/* The nth card of the stream, or the error that stands in its place. */
static int
card_read(struct run *r, unsigned nth, struct face faces[SIDE_COUNT], struct err *e)
{
	struct stream_reader *reader;
	struct stream_card card = {0};
	struct stream_job job;
	enum stream_item item = STREAM_CARD;
	struct err cause;
	int rc = stream_open(&reader, r->fd, &job, e);

	if (rc)
		return rc;
	snprintf(r->q->ribbon, sizeof r->q->ribbon, "%s", job.ribbon);
	for (unsigned n = 1; !rc && item == STREAM_CARD; n++) {
		stream_card_done(&card);
		rc = stream_next(reader, &item, &card, &cause, e);
		if (!rc && item == STREAM_CARD && n == nth)
			break;
	}
	if (!rc && item == STREAM_ERROR) {
		if (e)
			*e = cause;
		rc = cause.code;
	} else if (!rc && item == STREAM_END) {
		rc = err_set(e, ERR_MISSING, _("%s: does not have %u cards."), r->q->source, nth);
	}
	for (int side = 0; !rc && side < SIDE_COUNT; side++) {
		faces[side] = card.face[side];
		memset(&card.face[side], 0, sizeof card.face[side]);
	}
	stream_card_done(&card);
	stream_close(reader);
	return rc;
}

int
queue_faces(struct queue_preview *q, struct face faces[SIDE_COUNT], struct err *e)
{
	struct run r = {.q = q, .fd = -1, .child = -1};
	int rc, status;

	buf_init(&r.options, OPTIONS_MAX);
	if ((rc = queue_find(&r, e)) || (rc = options_build(&r, e)) || (rc = filter_start(&r, e)))
		goto out;
	rc = card_read(&r, q->pdf ? q->card : 1, faces, e);
out:
	if (r.fd >= 0)
		close(r.fd); /* a filter that still writes ends by it */
	if (r.child > 0)
		while (waitpid(r.child, &status, 0) < 0 && errno == EINTR)
			;
	if (r.ppd_ours)
		unlink(r.ppd);
	buf_done(&r.options);
	return rc;
}
