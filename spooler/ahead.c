/*
 * ahead.c - the next card of the stream, read while the machine still makes the one before it.
 *
 * Owns the stream's reader and one thread, which checks and hashes one card ahead and touches
 * neither device nor ledger. Guarantees that cards, errors and the end come out in the order of the
 * stream, that no more than one card waits, that no signal is taken by the thread, and that it is
 * over when ahead_close returns: a read that still waits for the filter is broken off, because a
 * thread that runs while the process ends can crash it, and that would look like a worker's death.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/spooler.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What stream_next gave. */
struct ahead_item {
	int rc;
	enum stream_item item;
	struct stream_card card;
	struct err cause, e;
};

struct ahead {
	struct stream_reader *stream;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct ahead_item next;
	int stop_fd; /* readable once nobody takes it any more */
	bool filled; /* next waits to be taken */
	bool closed; /* nobody takes it any more */
};

static void
ahead_free(struct ahead *a)
{
	stream_card_done(&a->next.card);
	stream_close(a->stream);
	close(a->stop_fd);
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

/* Called and left with the lock held. False when nothing can follow. */
static bool
item_read(struct ahead *a)
{
	struct ahead_item i = {0};

	pthread_mutex_unlock(&a->lock);
	i.rc = stream_next(a->stream, &i.item, &i.card, &i.cause, &i.e);
	pthread_mutex_lock(&a->lock);
	a->next = i;
	a->filled = true;
	pthread_cond_signal(&a->changed);
	return i.rc == 0 && i.item == STREAM_CARD;
}

static void *
ahead_run(void *arg)
{
	struct ahead *a = arg;
	bool more = true;

	pthread_mutex_lock(&a->lock);
	while (more && !a->closed) {
		more = item_read(a);
		while (a->filled && !a->closed)
			pthread_cond_wait(&a->changed, &a->lock);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

int
ahead_open(struct ahead **out, struct stream_reader *stream, struct err *e)
{
	struct ahead *a = calloc(1, sizeof(*a));
	sigset_t all, before;
	int rc;

	*out = NULL;
	if (a)
		a->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (!a || a->stop_fd < 0) {
		free(a);
		stream_close(stream);
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	}
	a->stream = stream;
	stream_stop_at(stream, a->stop_fd);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&a->thread, NULL, ahead_run, a);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		ahead_free(a);
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	}
	*out = a;
	return 0;
}

int
ahead_next(struct ahead *a, enum stream_item *item, struct stream_card *card, struct err *cause,
	struct err *e)
{
	int rc;

	pthread_mutex_lock(&a->lock);
	while (!a->filled)
		pthread_cond_wait(&a->changed, &a->lock);
	rc = a->next.rc;
	*item = a->next.item;
	*card = a->next.card;
	*cause = a->next.cause;
	if (rc != 0)
		*e = a->next.e;
	/* An end, an error and a failure stay: asked again, the answer is the same. */
	memset(&a->next.card, 0, sizeof(a->next.card));
	a->filled = rc != 0 || *item != STREAM_CARD;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	return rc;
}

void
ahead_close(struct ahead *a)
{
	pthread_mutex_lock(&a->lock);
	a->closed = true;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->lock);
	eventfd_write(a->stop_fd, 1);
	pthread_join(a->thread, NULL);
	ahead_free(a);
}
