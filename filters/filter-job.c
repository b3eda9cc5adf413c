/*
 * filter-job.c - what CUPS hands to a filter: arguments, options, the PPD, the document.
 *
 * Owns the reading of it. Guarantees: an option that the job does not set has the PPD's default;
 * numbers and ranges are checked; a document on stdin has no name that another could open. On
 * failure the message is for the person who queued the job.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/filter-job.h"
#include "filters/language.h"

#include <glib.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIPE_BYTES = 1 << 20 };

static bool
number_parse(const char **text, unsigned max, unsigned *out)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	unsigned long n = strtoul(*text, &end, 10);
	if (errno || n < 1 || n > max)
		return false;
	*out = (unsigned)n;
	*text = end;
	return true;
}

/* "1-3,7,9-" */
static int
ranges_parse(struct filter_job *j, const char *text, struct err *e)
{
	const char *p = text;

	while (p && *p) {
		unsigned first = 1, last = UINT32_MAX;
		bool good = j->n_ranges < JOB_RANGES_MAX;
		if (*p != '-')
			good = good && number_parse(&p, UINT32_MAX, &first);
		if (good && *p == '-') {
			p++;
			if (*p && *p != ',')
				good = number_parse(&p, UINT32_MAX, &last);
		} else {
			last = first;
		}
		if (!good || last < first || (*p && *p != ','))
			return err_set(e, ERR_INPUT,
				_("The range is not one: write it as 1-3,7 in rising "
				  "order."));
		j->ranges[j->n_ranges].first = first;
		j->ranges[j->n_ranges++].last = last;
		p += *p == ',';
	}
	return 0;
}

/* The chosen word of every card option becomes an option, so that one look-up is enough. */
static void
ppd_read(struct filter_job *j, bool *duplex)
{
	static const char *const names[] = {"CardRibbon", "CardBlack", "CardHalftone", "Duplex",
		"CardBrightness", "CardContrast", "CardResinHeat", "CardOverlay", "CardIntent",
		"CardUV", "CardSpeed", "CardMagnetic", "CardEncode"};
	const char *path = getenv("PPD");
	struct job_ppd ppd;

	if (!path)
		return;
	job_ppd_read(&ppd, path, names, ARRAY_LEN(names), &j->options);
	snprintf(j->model, sizeof j->model, "%s", ppd.model);
	*duplex = ppd.turns;
}

static int
ribbon_choose(struct filter_job *j, bool duplex, struct err *e)
{
	const char *name = filter_job_option(j, "cardspool-ribbon");

	name = name ? name : filter_job_option(j, "CardRibbon");
	const struct ribbon *found = ribbon_find(name ? name : "ymcko");
	if (!found)
		return err_set(e, ERR_INPUT,
			_("There is no ribbon of that name. Choose one that the queue offers."));
	j->ribbon = *found;
	if (!duplex)
		j->ribbon.back = "";
	return 0;
}

int
filter_job_read(struct filter_job *j, int argc, char **argv, struct err *e)
{
	const char *copies = argv[4];
	bool duplex = !getenv("PPD");

	*j = (struct filter_job){.spool_fd = -1, .copies = 1};
	job_options_parse(&j->options, argv[5]);
	ppd_read(j, &duplex);
	/* Only the first filter of a chain makes the copies, and only the first has a file. */
	if (argc == 7 && (!number_parse(&copies, JOB_COPIES_MAX, &j->copies) || *copies))
		return err_set(e, ERR_INPUT, _("At most %d copies of a card can be asked for."),
			JOB_COPIES_MAX);
	int rc = ranges_parse(j, filter_job_option(j, "page-ranges"), e);
	return rc ? rc : ribbon_choose(j, duplex, e);
}

const char *
filter_job_option(const struct filter_job *j, const char *name)
{
	return job_options_get(&j->options, name);
}

bool
filter_job_wants(const struct filter_job *j, unsigned number)
{
	for (size_t i = 0; i < j->n_ranges; i++)
		if (number >= j->ranges[i].first && number <= j->ranges[i].last)
			return true;
	return j->n_ranges == 0;
}

static bool
piece_write(int fd, const char *piece, size_t len)
{
	while (len) {
		ssize_t n = write(fd, piece, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		piece += n;
		len -= (size_t)n;
	}
	return true;
}

int
filter_job_document(struct filter_job *j, int argc, char **argv, struct err *e)
{
	const char *folder = getenv("TMPDIR");
	char piece[65536];
	ssize_t n;

	if (argc == 7) {
		snprintf(j->path, sizeof j->path, "%s", argv[6]);
		return 0;
	}
	j->spool_fd = open(folder ? folder : "/tmp", O_TMPFILE | O_RDWR, 0600);
	bool good = j->spool_fd >= 0;
	while (good && (n = read(STDIN_FILENO, piece, sizeof piece)) != 0)
		if (n > 0 || errno != EINTR)
			good = n > 0 && piece_write(j->spool_fd, piece, (size_t)n);
	if (!good)
		return err_set(e, ERR_STORAGE,
			_("The document cannot be kept while it is read: %s."), strerror(errno));
	snprintf(j->path, sizeof j->path, "/proc/self/fd/%d", j->spool_fd);
	return 0;
}

/* Whatever is wrong with the file is told by the backend, which reads all of it before a card is
 * fed. */
char *
filter_job_folder(const char *key, const char *fallback)
{
	const char *named = getenv("CARDSPOOL_CONF");
	GKeyFile *file = g_key_file_new();
	char *folder = NULL;

	if (g_key_file_load_from_file(file, named ? named : SYSCONFDIR "/cardspool/cardspool.conf",
		    G_KEY_FILE_NONE, NULL))
		folder = g_key_file_get_string(file, "paths", key, NULL);
	g_key_file_free(file);
	return folder ? folder : g_strdup(fallback);
}

bool
filter_job_banner(void)
{
	const char *type = getenv("CUPS_FILETYPE");

	return type && !strcmp(type, "job-sheet");
}

int
filter_job_run(struct filter_job *j, struct stream_job *stream, const struct filter_steps *steps,
	void *f, int argc, char **argv)
{
	struct err cause = {0}, e = {0};

	language_begin();
	signal(SIGPIPE, SIG_IGN);
	/* A card is two megabytes: fewer turns between filter and backend. Smaller is slower only.
	 */
	fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
	if (argc < 6 || argc > 7) {
		fprintf(stderr, "ERROR: %s job user title copies options [file]\n", argv[0]);
		return 1;
	}
	/* A banner is a page of paper; a card printer has none to give. */
	bool banner = filter_job_banner();
	int rc = filter_job_read(j, argc, argv, &cause);
	snprintf(stream->ribbon, sizeof stream->ribbon, "%s", j->ribbon.name ? j->ribbon.name : "");
	if (!rc && !banner)
		rc = steps->begin(f, argc, argv, &cause);
	int written = stream_write_begin(STDOUT_FILENO, stream, &e);
	if (!written && banner)
		written = stream_write_end(STDOUT_FILENO, 0, &e);
	else if (!written && !rc)
		rc = steps->cards(f, &written, &cause);
	if (steps->rename)
		steps->rename(f, argv[1], &cause);
	if (rc && !written && !banner)
		written = stream_write_error(STDOUT_FILENO, &cause, &e);
	if (written)
		fprintf(stderr, "DEBUG: the stream was not taken: %s\n",
			e.text[0] ? e.text : cause.text);
	else if (rc)
		fprintf(stderr, "DEBUG: the job ends early with code %d\n", cause.code);
	return 0;
}

void
filter_job_done(struct filter_job *j)
{
	job_options_done(&j->options);
	free(j->dye);
	if (j->spool_fd >= 0)
		close(j->spool_fd);
}
