/*
 * worker.c - the whole job in the worker process.
 *
 * Owns the order in which things are opened: stream, device lock, ledger, station, printer; then
 * recovery, then the cards as they arrive. Guarantees that nothing is fed before all of them said
 * yes, that the lock of the device is held before the ledger is read, and that the job's row says
 * how it ended. On failure it returns one of enum pass_end and a sentence for a person.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/worker.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- devices ---- */

static int
worker_reopen_printer(struct pass *p, struct err *e)
{
	struct work *w = p->devices;
	struct printer_setup setup;
	struct usb_printer usb;
	int rc;

	if (p->printer)
		p->driver->close(p->printer);
	p->printer = NULL;
	p->begun = false;
	rc = uri_find(w->args->uri, &usb, e);
	if (rc != 0)
		return rc;
	if (p->job.printer_serial[0] && strcmp(usb.name, p->job.printer_serial) != 0)
		return fault_set(e, FAULT_PRINTER_ABSENT, NULL);
	w->usb = usb;
	setup = config_setup(p->config, &usb);
	return printer_connect(&p->printer, &p->driver, &usb, &setup, e);
}

static int
worker_reopen_station(struct pass *p, struct err *e)
{
	if (p->station)
		station_close(p->station);
	p->station = NULL;
	if (p->job.station[0] == '\0')
		return err_set(e, ERR_MISSING,
			_("No chip reader is set for the printer with serial number %s. Name it in "
			  "cardspool.conf, section [station]."),
			p->job.printer_serial);
	return station_open(&p->station, p->job.station, e);
}

/* Waits until printer and URI agree, telling why. Two printers or a bad URI are not waited for. */
static int
printer_find(struct work *w, struct err *e)
{
	struct pass *p = &w->pass;
	const char *absent = fault_row(FAULT_PRINTER_ABSENT)->reason;
	bool told = false;
	int rc;

	while ((rc = uri_find(w->args->uri, &w->usb, e)) != 0 && e->fault == FAULT_PRINTER_ABSENT) {
		if (!told) {
			w->sink->message(w->sink, true, e->text);
			w->sink->reason(w->sink, "connecting-to-device", true);
			w->sink->reason(w->sink, absent, true);
			told = true;
		}
		if (pass_pause(p, e)) {
			rc = e->code;
			break;
		}
	}
	if (told) {
		w->sink->reason(w->sink, "connecting-to-device", false);
		w->sink->reason(w->sink, absent, false);
	}
	return rc;
}

static int
printer_open_wait(struct work *w, struct err *e)
{
	bool told = false;
	int rc;

	while ((rc = worker_reopen_printer(&w->pass, e)) != 0) {
		if (e->code == ERR_USAGE || e->code == ERR_DENIED || e->code == ERR_SYSTEM ||
			(e->code == ERR_DEVICE && e->fault == FAULT_NONE) ||
			fault_row(e->fault)->action == FAULT_HALT)
			break;
		if (!told) {
			w->sink->message(w->sink, true, e->text);
			w->sink->reason(w->sink, "connecting-to-device", true);
			told = true;
		}
		if (pass_pause(&w->pass, e)) {
			rc = e->code;
			break;
		}
	}
	if (told)
		w->sink->reason(w->sink, "connecting-to-device", false);
	return rc;
}

/* ---- the lock of a device ---- */

static int
lock_path(const struct work *w, char *out, size_t max, struct err *e)
{
	char name[80];
	const char *key = w->usb.name[0] ? w->usb.name : w->usb.path;
	size_t n = 0;
	int len;

	for (; n < sizeof(name) - 1 && key[n]; n++)
		name[n] = isalnum((unsigned char)key[n]) ? key[n] : '_';
	name[n] = '\0';
	len = snprintf(out, max, "%s/device-%04x-%s.lock", config_run(w->args->config),
		w->usb.vendor, name);
	if (len < 0 || (size_t)len >= max)
		return err_set(
			e, ERR_SYSTEM, _("The path %s is too long."), config_run(w->args->config));
	return 0;
}

/* The lock goes with the process, however it ends. */
static int
device_lock(struct work *w, struct err *e)
{
	char path[512];
	bool told = false;
	int rc = lock_path(w, path, sizeof(path), e);

	if (rc != 0)
		return rc;
	w->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0660);
	if (w->lock_fd < 0)
		return err_set(e, ERR_STORAGE,
			_("%s cannot be opened: %s. Have an administrator make the folder writable "
			  "for the worker."),
			path, strerror(errno));
	while (flock(w->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set(e, ERR_SYSTEM, _("%s cannot be locked: %s."), path,
				strerror(errno));
		if (!told)
			w->sink->message(w->sink, false,
				_("Another job is finishing its card on this printer; waiting."));
		told = true;
		if (pass_pause(&w->pass, e))
			return e->code;
	}
	return 0;
}

/* ---- opening and ending ---- */

static void
keys_set(struct work *w)
{
	w->pass.keys_error = w->args->keyd_error;
	if (w->args->keyd_fd < 0)
		return;
	w->pass.keys = keyd_key_source_ops;
	w->pass.keys.ctx = (void *)(intptr_t)w->args->keyd_fd;
}

/* Another program holds the ledger: nothing moves meanwhile, and the job goes on when it lets go.
 */
static bool
ledger_wait(void *ctx, const struct err *e)
{
	struct work *w = ctx;
	struct err stopped;

	w->sink->message(w->sink, true, e->text);
	return !pass_stopped(&w->pass, &stopped);
}

static enum pass_end
worker_cards(struct work *w, struct err *e)
{
	struct pass *p = &w->pass;

	for (;;) {
		struct stream_card card;
		enum stream_item item;
		struct err cause = {0};
		enum pass_end end;

		if (pass_stopped(p, e))
			return PASS_CANCEL;
		memset(&card, 0, sizeof(card));
		if (ahead_next(w->stream, &item, &card, &cause, e) != 0)
			return pass_stopped(p, e) ? PASS_CANCEL : work_end_of(e);
		if (item == STREAM_END)
			return PASS_OK;
		if (item == STREAM_ERROR) {
			*e = cause;
			return PASS_HOLD;
		}
		end = work_record_made(w, &card, e);
		if (end != PASS_OK) {
			stream_card_done(&card);
			return end;
		}
		end = pass_card(p, &card, e);
		stream_card_done(&card);
		if (end != PASS_OK)
			return end;
	}
}

/*
 * What would be opened, set and counted when the first card has come is done while the filter draws
 * it: nothing moves by it. What fails in reader or printer fails again in the card's own step,
 * where it is dealt with.
 */
static enum pass_end
worker_foresee(struct work *w, struct err *e)
{
	struct pass *p = &w->pass;
	struct err ignored;

	if (w->stream_job.has_chip && p->keys.card_keys && !p->station && p->job.station[0])
		p->reopen_station(p, &ignored);
	if (!p->begun)
		p->print.duplex = w->stream_job.has_back;
	pass_begin(p, NULL, &ignored);
	return fit_check(p, w->stream_job.has_back, e) == 0 ? PASS_OK : work_end_of(e);
}

/* Printer and ledger, for a job that needs them. */
static enum pass_end
worker_devices(struct work *w, struct err *e)
{
	struct pass *p = &w->pass;
	const char *station;

	if (printer_find(w, e) != 0 || device_lock(w, e) != 0)
		return work_end_of(e);
	snprintf(p->job.printer_serial, sizeof(p->job.printer_serial), "%.63s", w->usb.name);
	station = config_station(p->config, p->job.printer_serial);
	p->job.station[0] = '\0';
	if (station && station_address_beside(p->job.station, sizeof(p->job.station), station,
			       w->usb.path, e) != 0)
		return PASS_STOP;
	if (ledger_open(&p->ledger, config_ledger(p->config), LEDGER_WRITE, e) != 0)
		return PASS_STOP; /* a wrong file too: the next job would meet it as well */
	ledger_patience(p->ledger, ledger_wait, w);
	if (ledger_check(p->ledger, e) != 0 ||
		ledger_wear(p->ledger, p->job.printer_serial, &p->wear, e) != 0)
		return PASS_STOP;
	if (printer_open_wait(w, e) != 0)
		return work_end_of(e);
	snprintf(p->job.printer_model, sizeof(p->job.printer_model), "%s",
		p->driver->model(p->printer)->name);
	return PASS_OK;
}

static enum pass_end
worker_open(struct work *w, struct err *e)
{
	struct stream_reader *stream;
	enum pass_end end;

	if (work_options_read(w, e) != 0)
		return PASS_HOLD;
	if (w->args->commands)
		return worker_devices(w, e);
	if (stream_open(&stream, w->args->stream_fd, &w->stream_job, e) != 0)
		return e->code == ERR_CANCELLED || pass_stopped(&w->pass, e) ? PASS_CANCEL
									     : PASS_HOLD;
	/* From here on the first card is read while ledger and printer are opened. */
	if (ahead_open(&w->stream, stream, e) != 0)
		return PASS_STOP;
	/* A banner, or a batch that the filter refused: neither concerns printer or ledger. */
	if (w->stream_job.n_cards == 0)
		return worker_cards(w, e);
	if (work_job_fill(w, e) != 0)
		return PASS_HOLD;
	end = worker_devices(w, e);
	return end == PASS_OK ? work_job_admit(w, e) : end;
}

static void
worker_close(struct work *w)
{
	struct pass *p = &w->pass;
	struct err ignored;

	if (p->printer && p->begun) /* a printer that was not set up does not answer to the end */
		p->driver->end(p->printer, &ignored);
	if (p->printer)
		p->driver->close(p->printer);
	if (p->station)
		station_close(p->station);
	if (p->ledger && w->admitted)
		ledger_check(p->ledger, &ignored); /* the next start has less to look at */
	if (p->ledger)
		ledger_close(p->ledger);
	if (w->stream)
		ahead_close(w->stream);
	if (w->lock_fd >= 0)
		close(w->lock_fd);
}

/* A stopped job stays active: it goes on when the queue does. */
static enum pass_end
worker_end(struct work *w, enum pass_end end, struct err *e)
{
	static const char *const states[] = {
		[PASS_OK] = "done", [PASS_HOLD] = "held", [PASS_CANCEL] = "cancelled"};
	struct err why = {0};

	if (end == PASS_CANCEL && w->sink->orphaned && w->sink->orphaned(w->sink))
		end = PASS_STOP;
	if (!w->admitted || end == PASS_STOP)
		return end;
	if (ledger_job_state(w->pass.ledger, w->pass.job.uuid, states[end], &why) == 0)
		return end;
	*e = why;
	return PASS_STOP;
}

/* The last word of a good job, in place of "Card 20: being made." */
static void
worker_good(struct work *w)
{
	const struct job_row *job = &w->pass.job;
	char text[ERR_TEXT_MAX];

	if (job->n_cards == 0) /* a banner */
		return;
	snprintf(text, sizeof(text), ngettext("Done: %u card", "Done: %u cards", job->n_cards),
		job->n_cards);
	if (job->order[0])
		snprintf(text + strlen(text), sizeof(text) - strlen(text), _(" of order %s"),
			job->order);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), ".");
	w->sink->message(w->sink, false, text);
}

/* Without a supervisor CUPS takes whatever comes for success. */
static void
worker_missing(struct work *w, enum pass_end end)
{
	struct sink *s = w->sink;
	struct err ignored; /* the next job on this printer says it then */

	if (end == PASS_OK)
		unfinished_clear(&w->pass);
	else if (s->alone && s->alone(s) && !s->orphaned(s))
		unfinished_record(&w->pass, &w->pass.job, &ignored);
}

enum pass_end
worker_run(const struct worker_args *args, struct sink *sink, struct err *e)
{
	struct work w = {.args = args, .sink = sink, .lock_fd = -1};
	enum pass_end end;
	struct err why = {0};

	w.pass.config = args->config;
	w.pass.sink = sink;
	w.pass.reopen_printer = worker_reopen_printer;
	w.pass.reopen_station = worker_reopen_station;
	w.pass.devices = &w;
	keys_set(&w);
	sink_clear(sink);
	end = worker_open(&w, e);
	if (end == PASS_OK && args->commands)
		end = worker_commands(&w.pass, args->stream_fd, e);
	if (end == PASS_OK && w.admitted)
		end = pass_recover(&w.pass, e);
	if (end == PASS_OK && w.admitted && unfinished_look(&w.pass, e) != 0)
		end = PASS_STOP;
	if (end == PASS_OK && w.admitted)
		end = worker_foresee(&w, e);
	if (end == PASS_OK && w.admitted)
		end = worker_cards(&w, e);
	if (w.admitted && end != PASS_STOP && !sink->orphaned(sink)) {
		enum pass_end finish = pass_finish(&w.pass, &why);

		if (end == PASS_OK && finish != PASS_OK) {
			end = finish;
			*e = why;
		}
	}
	end = worker_end(&w, end, e);
	if (end == PASS_OK && !args->commands)
		worker_good(&w);
	if (w.admitted)
		worker_missing(&w, end);
	worker_close(&w);
	return end;
}
