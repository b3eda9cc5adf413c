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
#include "spooler/spooler.h"

#include <cups/cups.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct work {
	const struct worker_args *args;
	struct sink *sink;
	struct pass pass;
	struct ahead *stream;
	struct stream_job stream_job;
	struct usb_printer usb;
	char ribbon[16];
	bool repeat, rest, admitted;
	int lock_fd;
};

/* ---- options ---- */

/* The job's word goes before the configuration's. */
static int
fit_read(struct work *w, const char *word, struct err *e)
{
	int fit = fit_parse(word ? word : config_fit(w->args->config));

	if (fit < 0)
		return err_set(e, ERR_USAGE,
			_("fit is \"%s\"; warn, hold and off are known (cardspool.conf, section "
			  "[cards], or the job's option cardspool-fit)."),
			word ? word : config_fit(w->args->config));
	w->pass.fit = (enum fit_policy)fit;
	return 0;
}

static int
options_read(struct work *w, struct err *e)
{
	cups_option_t *options = NULL;
	int n = cupsParseOptions(w->args->options ? w->args->options : "", 0, &options);
	const char *uuid = cupsGetOption("job-uuid", n, options);
	const char *repeat = cupsGetOption("cardspool-repeat", n, options);
	struct job_row *job = &w->pass.job;
	int rc = 0;

	if (uuid && strncmp(uuid, "urn:uuid:", 9) == 0)
		uuid += 9;
	if (!uuid || strlen(uuid) < 8 || strlen(uuid) >= sizeof(job->uuid))
		rc = err_set(e, ERR_USAGE, "%s",
			_("The job has no job-uuid, so a second run could not be told from a new "
			  "order. Queue it with lp."));
	else
		snprintf(job->uuid, sizeof(job->uuid), "%s", uuid);
	if (rc == 0)
		rc = fit_read(w, cupsGetOption("cardspool-fit", n, options), e);
	w->repeat = repeat && strcasecmp(repeat, "yes") == 0;
	w->rest = repeat && strcasecmp(repeat, "rest") == 0;
	cupsFreeOptions(n, options);
	return rc;
}

static int
job_fill(struct work *w, struct err *e)
{
	struct job_row *job = &w->pass.job;
	const char *queue = getenv("PRINTER");
	const struct stream_job *s = &w->stream_job;

	job->cups_id = w->args->cups_id;
	job->n_cards = s->n_cards;
	snprintf(job->printer, sizeof(job->printer), "%s", queue ? queue : "");
	snprintf(job->user, sizeof(job->user), "%s", w->args->user ? w->args->user : "");
	snprintf(job->order, sizeof(job->order), "%s", s->order);
	snprintf(job->template_name, sizeof(job->template_name), "%s", s->template_name);
	snprintf(job->batch_hash, sizeof(job->batch_hash), "%s", s->batch_hash);
	snprintf(w->ribbon, sizeof(w->ribbon), "%s", s->ribbon);
	w->pass.print.ribbon = ribbon_find(w->ribbon);
	w->pass.print.darkness = s->darkness;
	w->pass.print.speed = s->speed;
	w->pass.print.coercivity = s->coercivity;
	if (w->pass.print.ribbon)
		return 0;
	return err_set(e, ERR_INPUT,
		_("The job asks for ribbon %s, which is not known. Choose a ribbon of the queue."),
		w->ribbon);
}

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

static enum pass_end
end_of(const struct err *e)
{
	switch (e->code) {
	case ERR_CANCELLED:
		return PASS_CANCEL;
	case ERR_INPUT:
	case ERR_PROTOCOL:
		return PASS_HOLD;
	default:
		return PASS_STOP;
	}
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

/*
 * The earlier job is taken up under its own uuid: what it made is skipped, what it left is settled.
 * This job itself makes no card.
 */
static enum pass_end
job_take_up(struct work *w, struct err *e)
{
	struct job_row *job = &w->pass.job;
	struct job_row earlier;
	bool again;

	if (ledger_job_rest(w->pass.ledger, job, &earlier, e) != 0 ||
		ledger_job_state(w->pass.ledger, job->uuid, "done", e) != 0)
		return end_of(e);
	snprintf(job->uuid, sizeof(job->uuid), "%s", earlier.uuid);
	job->cups_id = earlier.cups_id; /* it keeps the number that people know */
	if (job->n_cards < earlier.n_cards)
		job->n_cards = earlier.n_cards;
	return ledger_job_admit(w->pass.ledger, job, &again, e) == 0 ? PASS_OK : end_of(e);
}

/* The same cards under a new job: only a person can know whether a second set is wanted. */
static enum pass_end
job_admit(struct work *w, struct err *e)
{
	struct job_row *job = &w->pass.job;
	bool again;

	if (ledger_job_file(w->pass.ledger, job, e) != 0 ||
		ledger_job_admit(w->pass.ledger, job, &again, e) != 0)
		return end_of(e);
	w->admitted = true;
	if (job->repeats[0] == '\0' || w->repeat)
		return PASS_OK;
	if (w->rest)
		return job_take_up(w, e);
	err_set(e, ERR_INPUT,
		_("This batch (order %s) was queued before, see: cardspool job show %s. Only the "
		  "cards that are "
		  "missing: lp -i %d -o cardspool-repeat=rest -H resume. All of them a second "
		  "time: the same with =yes"),
		job->order[0] ? job->order : "-", job->repeats, job->cups_id);
	return PASS_HOLD;
}

/* A page can ask for a number's chip again and again, under a job of its own each time: only a
 * person can know whether a second card with one record is wanted. */
static enum pass_end
record_made(struct work *w, const struct stream_card *card, struct err *e)
{
	struct card_row in = {.key = {.card = card->card}}, made;

	if (!card->has_chip || w->repeat || strcmp(w->stream_job.template_name, "pdf") != 0)
		return PASS_OK;
	snprintf(in.key.job_uuid, sizeof in.key.job_uuid, "%s", w->pass.job.uuid);
	snprintf(in.record_hash, sizeof in.record_hash, "%s", card->record_hash);
	if (ledger_record_find(w->pass.ledger, &in, &made, e) != 0)
		return PASS_STOP;
	if (made.id == 0)
		return PASS_OK;
	err_set(e, ERR_INPUT,
		_("Card %u: card %" PRId64 " was made of this record already, see: cardspool card "
		  "show %" PRId64 ". If it is lost, declare it void first; for a second one: lp -i "
		  "%d -o cardspool-repeat=yes -H resume"),
		card->card, made.id, made.id, w->pass.job.cups_id);
	return PASS_HOLD;
}

static enum pass_end
worker_cards(struct work *w, struct err *e)
{
	struct pass *p = &w->pass;
	bool first = true;

	for (;;) {
		struct stream_card card;
		enum stream_item item;
		struct err cause = {0};
		enum pass_end end;

		if (pass_stopped(p, e))
			return PASS_CANCEL;
		memset(&card, 0, sizeof(card));
		if (ahead_next(w->stream, &item, &card, &cause, e) != 0)
			return pass_stopped(p, e) ? PASS_CANCEL : end_of(e);
		if (item == STREAM_END)
			return PASS_OK;
		if (item == STREAM_ERROR) {
			*e = cause;
			return PASS_HOLD;
		}
		end = record_made(w, &card, e);
		if (end != PASS_OK) {
			stream_card_done(&card);
			return end;
		}
		end = first && fit_check(p, face_used(&card.face[SIDE_BACK]), e) != 0
			      ? end_of(e)
			      : pass_card(p, &card, e);
		first = false;
		stream_card_done(&card);
		if (end != PASS_OK)
			return end;
	}
}

/* Printer and ledger, for a job that needs them. */
static enum pass_end
worker_devices(struct work *w, struct err *e)
{
	struct pass *p = &w->pass;
	const char *station;

	if (printer_find(w, e) != 0 || device_lock(w, e) != 0)
		return end_of(e);
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
		return end_of(e);
	snprintf(p->job.printer_model, sizeof(p->job.printer_model), "%s",
		p->driver->model(p->printer)->name);
	return PASS_OK;
}

static enum pass_end
worker_open(struct work *w, struct err *e)
{
	struct stream_reader *stream;
	enum pass_end end;

	if (options_read(w, e) != 0)
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
	if (job_fill(w, e) != 0)
		return PASS_HOLD;
	end = worker_devices(w, e);
	return end == PASS_OK ? job_admit(w, e) : end;
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
