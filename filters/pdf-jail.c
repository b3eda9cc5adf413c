/*
 * pdf-jail.c - the PDF in a process of its own.
 *
 * Owns the child, its limits, and the packets between it and the filter. Guarantees: whatever a PDF
 * does to the code that reads it, the filter goes on and can say so in one line; a page takes at
 * most page_seconds. On failure the child is gone and every later call fails too.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/pdf.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const unsigned page_seconds = 60, open_seconds = 60;
enum { MEMORY_MAX_MIB = 2048 };

struct pdf_jail {
	pid_t pid; /* 0: gone */
	int fd;
};

struct question {
	unsigned page;
	bool draw;
	struct pdf_look look;
	struct ribbon ribbon; /* its words are in the program's text, the same in both */
};

/* The data of the planes follow, in order. */
struct answer {
	int rc;
	unsigned pages;
	struct err err;
	struct face face;
	struct escapes escapes;
};

static bool
all_write(int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* until: CLOCK_MONOTONIC seconds, 0 = wait without limit. */
static bool
all_read(int fd, void *bytes, size_t len, time_t until)
{
	char *p = bytes;
	struct timespec now;

	while (len) {
		struct pollfd waiting = {fd, POLLIN, 0};
		clock_gettime(CLOCK_MONOTONIC, &now);
		int left_ms = until ? (int)(until - now.tv_sec) * 1000 : -1;
		if (until && left_ms <= 0) {
			errno = ETIMEDOUT;
			return false;
		}
		if (poll(&waiting, 1, left_ms) <= 0)
			continue;
		ssize_t n = read(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = EPIPE;
			return false;
		}
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* ---- the child ---- */

static void
limits_set(void)
{
	const struct {
		int what;
		rlim_t value;
	} limits[] = {
		{RLIMIT_CORE, 0},
		{RLIMIT_FSIZE, 0},
#ifndef __SANITIZE_ADDRESS__
		{RLIMIT_AS, (rlim_t)MEMORY_MAX_MIB << 20},
#endif
	};

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct rlimit r = {limits[i].value, limits[i].value};
		setrlimit((__rlimit_resource_t)limits[i].what, &r);
	}
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static bool
answer_send(int fd, struct answer *a)
{
	if (!all_write(fd, a, sizeof *a))
		return false;
	for (int i = 0; i < PANEL_COUNT; i++) {
		const struct plane *p = &a->face.plane[i];
		if (p->fill == PLANE_DATA && !all_write(fd, p->data, p->stride * p->lines))
			return false;
	}
	return true;
}

static void
question_answer(struct pdf *pdf, const struct question *q, struct answer *a)
{
	struct pdf_picture picture = {0};
	struct pdf_look look = q->look;

	look.ribbon = &q->ribbon;
	a->rc = pdf_page_draw(q->draw ? &picture : NULL, &a->escapes, pdf, q->page, &look, &a->err);
	if (!a->rc && q->draw)
		a->rc = pdf_ink(&a->face, &picture, &look, &a->err);
	pdf_picture_done(&picture);
}

static void
jail_serve(int fd, const char *path)
{
	struct answer *a = calloc(1, sizeof *a);
	struct question q;
	struct pdf *pdf = NULL;

	limits_set();
	if (!a)
		return;
	a->rc = pdf_open(&pdf, path, &a->err);
	a->pages = pdf ? pdf_pages(pdf) : 0;
	bool good = answer_send(fd, a) && pdf;
	while (good && all_read(fd, &q, sizeof q, 0)) {
		memset(a, 0, sizeof *a);
		question_answer(pdf, &q, a);
		good = answer_send(fd, a);
		face_done(&a->face);
	}
	pdf_close(pdf);
	free(a);
}

/* ---- the filter's side ---- */

static void
child_end(struct pdf_jail *j)
{
	if (j->pid <= 0)
		return;
	kill(j->pid, SIGKILL);
	while (waitpid(j->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
	j->pid = 0;
}

static int
answer_missing(struct pdf_jail *j, unsigned page, struct err *e)
{
	bool late = errno == ETIMEDOUT;

	child_end(j);
	if (!page)
		return err_set(e, ERR_INPUT, "%s",
			late ? _("The PDF takes too long to read. Save it again in a simpler form.")
			     : _("The PDF is damaged or too large to be read. Save it again and "
				 "print it again."));
	return late ? err_set(e, ERR_INPUT,
			      _("Page %u takes longer than %u seconds to draw. Simplify it, or put "
				"a "
				"picture in its place."),
			      page, page_seconds)
		    : err_set(e, ERR_INPUT,
			      _("Page %u is damaged or needs too much memory. Save the PDF again, "
				"or "
				"put a picture in its place."),
			      page);
}

static time_t
deadline(unsigned seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + seconds;
}

/* Planes whose shape is not ours are not believed: the child read foreign data. */
static int
planes_read(struct pdf_jail *j, const struct pdf_look *look, struct face *out,
	const struct face *told, time_t until)
{
	for (int i = 0; i < PANEL_COUNT; i++) {
		struct plane p = told->plane[i];
		unsigned bits = i <= PANEL_C ? 8 : 1;
		p.data = NULL;
		if (p.fill == PLANE_ABSENT)
			continue;
		if (p.fill > PLANE_DATA || p.bits != bits || p.dots != look->height ||
			p.lines != look->width || p.stride != plane_stride(bits, p.dots))
			return ERR_PROTOCOL;
		if (p.fill == PLANE_DATA && !(p.data = malloc(p.stride * p.lines)))
			return ERR_SYSTEM;
		out->plane[i] = p;
		if (p.data && !all_read(j->fd, p.data, p.stride * p.lines, until))
			return ERR_PROTOCOL;
	}
	return 0;
}

static int
answer_take(struct pdf_jail *j, unsigned page, const struct answer *a, struct err *e)
{
	if (!a->rc)
		return 0;
	struct err told = a->err;
	told.text[sizeof told.text - 1] = '\0';
	if (a->rc > 0 || a->rc < ERR_CANCELLED)
		return answer_missing(j, page, e);
	return err_set(e, a->rc, "%s", told.text);
}

int
pdf_jail_open(struct pdf_jail **out, const char *path, unsigned *pages, struct err *e)
{
	struct pdf_jail *j = calloc(1, sizeof *j);
	struct answer *a = calloc(1, sizeof *a);
	int pair[2] = {-1, -1}, rc = 0;

	*out = NULL;
	if (!j || !a || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		free(j);
		free(a);
		return err_set(e, ERR_SYSTEM, _("The PDF cannot be opened: %s."), strerror(errno));
	}
	j->pid = fork();
	if (j->pid == 0) {
		close(pair[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		jail_serve(pair[1], path);
		_exit(0);
	}
	close(pair[1]);
	j->fd = pair[0];
	if (j->pid < 0)
		rc = err_set(e, ERR_SYSTEM, _("The PDF cannot be opened: %s."), strerror(errno));
	else if (!all_read(j->fd, a, sizeof *a, deadline(open_seconds)))
		rc = answer_missing(j, 0, e);
	else
		rc = answer_take(j, 0, a, e);
	*pages = a->pages <= PDF_PAGES_MAX ? a->pages : PDF_PAGES_MAX;
	free(a);
	if (rc)
		pdf_jail_close(j);
	else
		*out = j;
	return rc;
}

int
pdf_jail_face(struct pdf_jail *j, unsigned page, const struct pdf_look *look, struct face *out,
	struct escapes *x, struct err *e)
{
	struct question q = {page, out != NULL, *look, *look->ribbon};
	struct answer *a = calloc(1, sizeof *a);
	time_t until = deadline(page_seconds);
	int rc = 0;

	if (out)
		memset(out, 0, sizeof *out);
	if (!a)
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	if (!j->pid || !all_write(j->fd, &q, sizeof q) || !all_read(j->fd, a, sizeof *a, until))
		rc = answer_missing(j, page, e);
	else
		rc = answer_take(j, page, a, e);
	if (!rc && out && planes_read(j, look, out, &a->face, until)) {
		face_done(out);
		rc = answer_missing(j, page, e);
	}
	if (!rc) {
		*x = a->escapes;
		for (int i = 0; i < MAGNETIC_TRACKS; i++)
			x->track[i][MAGNETIC_TRACK_MAX] = '\0';
		x->chip[ESCAPE_CHIP_MAX - 1] = '\0';
	}
	explicit_bzero(a, sizeof *a);
	free(a);
	return rc;
}

void
pdf_jail_close(struct pdf_jail *j)
{
	if (!j)
		return;
	child_end(j);
	if (j->fd >= 0)
		close(j->fd);
	free(j);
}
