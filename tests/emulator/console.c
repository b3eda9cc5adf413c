/*
 * console.c - the fault console: what goes wrong, when, and for how long.
 *
 * One command per line over a Unix socket or from a script, one line of JSON as the answer. A line
 * may wait for a card, a command or a moment ("at ..."), and may end by itself ("... for MS").
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum trigger { AT_CARD, AT_COMMAND, AT_MS };

struct event {
	struct event *next;
	struct printer *printer;
	enum trigger trigger;
	unsigned n; /* card serial, or how many more commands */
	uint64_t due_ms;
	char name[16];
	char line[LINE_MAX_];
};

struct visitor {
	struct visitor *next;
	int fd;
};

struct console {
	struct event *events;
	struct visitor *visitors;
	int listener;
	char path[108];
	pthread_t thread;
};

/* ---- lines ---- */

static void
words_split(struct words *w, const char *line)
{
	memset(w, 0, sizeof *w);
	while (*line == ' ')
		line++;
	snprintf(w->text, sizeof w->text, "%s", line);
	const char *space = strchr(line, ' ');
	w->rest = space ? space + 1 : "";
	char *save = NULL;
	for (char *t = strtok_r(w->text, " \t\r\n", &save); t && w->n < WORDS_MAX;
		t = strtok_r(NULL, " \t\r\n", &save))
		w->w[w->n++] = t;
}

static char *
answer_error(const char *what, const char *line)
{
	json_t *j = json_pack("{s:b, s:s, s:s}", "ok", 0, "error", what, "line", line);
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text;
}

static void
event_add(struct emu *emu, struct event e)
{
	struct event *n = malloc(sizeof *n), **at = &emu->console->events;
	if (!n)
		return;
	*n = e;
	while (*at)
		at = &(*at)->next;
	*at = n;
	n->next = NULL;
	pthread_cond_signal(&emu->clock);
}

/* "at sync 4 kill all after", "at cmd Se#2 kill worker before", "at chip-write 9 kill power". */
static const char *
line_at_kill(struct emu *emu, struct words *w, char *hash)
{
	const char *when = w->n > 5 ? w->w[5] : NULL;
	if (w->n < 5 || strcmp(w->w[3], "kill"))
		return "at sync N, chip-write N or cmd NAME#K, then kill WHO [before|after]";
	if (strcmp(w->w[1], "cmd"))
		return killer_plan(emu, strcmp(w->w[1], "sync") ? KILL_AT_CHIP_WRITE : KILL_AT_SYNC,
			NULL, (unsigned)strtoul(w->w[2], NULL, 10), w->w[4], when);
	if (hash)
		*hash = 0;
	return killer_plan(emu, KILL_AT_COMMAND, w->w[2],
		hash ? (unsigned)strtoul(hash + 1, NULL, 10) : 1, w->w[4], when);
}

/* "at card 3 jam print", "at cmd Se#2 unplug", "at ms 500 cover open": the line after the third
 * word. */
static const char *
line_at(struct emu *emu, struct printer *p, struct words *w, const char *line)
{
	struct event e = {.n = 1, .printer = p};
	if (w->n < 4)
		return "at card N, at cmd NAME[#K] or at ms N, then a verb";
	const char *rest = line + strspn(line, " ");
	for (int i = 0; i < 3; i++) {
		rest += strcspn(rest, " ");
		rest += strspn(rest, " ");
	}
	snprintf(e.line, sizeof e.line, "%s", rest);
	char *hash = strchr(w->w[2], '#');
	if (!strcmp(w->w[1], "sync") || !strcmp(w->w[1], "chip-write") ||
		(!strcmp(w->w[1], "cmd") && !strcmp(w->w[3], "kill")))
		return line_at_kill(emu, w, hash);
	if (!strcmp(w->w[1], "card")) {
		e.trigger = AT_CARD;
		e.n = (unsigned)strtoul(w->w[2], NULL, 10);
	} else if (!strcmp(w->w[1], "ms")) {
		e.trigger = AT_MS;
		e.due_ms = now_ms() + strtoul(w->w[2], NULL, 10);
	} else if (!strcmp(w->w[1], "cmd")) {
		e.trigger = AT_COMMAND;
		if (hash) {
			e.n = (unsigned)strtoul(hash + 1, NULL, 10);
			*hash = 0;
		}
		snprintf(e.name, sizeof e.name, "%s", w->w[2]);
	} else {
		return "card, cmd or ms";
	}
	event_add(emu, e);
	return NULL;
}

/* Cuts a trailing "for MS" off; 0 when there is none. */
static unsigned
line_duration(struct words *w)
{
	if (w->n < 3 || strcmp(w->w[w->n - 2], "for"))
		return 0;
	w->n -= 2;
	return (unsigned)strtoul(w->w[w->n + 1], NULL, 10);
}

static const char *
line_run(struct emu *emu, struct printer *p, struct words *w)
{
	unsigned duration = line_duration(w);
	for (size_t i = 0; i < n_console_verbs; i++) {
		const struct console_verb *v = &console_verbs[i];
		if (strcmp(v->name, w->w[0]))
			continue;
		if (w->n < v->min)
			return "a word is missing";
		const char *problem = v->run(emu, p, w);
		if (!problem && duration) {
			struct event e = {.trigger = AT_MS,
				.printer = p,
				.due_ms = now_ms() + duration,
				.line = "clear"};
			event_add(emu, e);
		}
		return problem;
	}
	return "no such verb";
}

/* "@SERIAL" or "@2": the printer of that number, or in that place on the command line. */
static struct printer *
printer_called(struct emu *emu, const char *name)
{
	char *rest;
	for (unsigned i = 0; i < emu->n_printers; i++)
		if (!strcmp(emu->printer[i]->serial, name))
			return emu->printer[i];
	unsigned long n = strtoul(name, &rest, 10);
	return !*rest && n >= 1 && n <= emu->n_printers ? emu->printer[n - 1] : NULL;
}

static char *
json_line(json_t *j)
{
	char *text = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return text;
}

static char *
printer_line(struct emu *emu, struct printer *p, const char *line)
{
	struct words w;
	const char *problem = NULL;
	words_split(&w, line);
	if (w.n == 0)
		return answer_error("which verb?", line);
	if (!strcmp(w.w[0], "stat"))
		return json_line(status_printer(p));
	if (!strcmp(w.w[0], "kills"))
		return json_line(killer_status(emu->killer));
	emu_log(emu, "console: %s", line);
	if (!strcmp(w.w[0], "station")) {
		char *said = station_control(p, w.rest);
		char *text = json_line(json_pack("{s:b, s:s}", "ok",
			said && !strncmp(said, "ok", 2), "station", said ? said : "no station"));
		free(said);
		return text;
	}
	problem = !strcmp(w.w[0], "at") ? line_at(emu, p, &w, line) : line_run(emu, p, &w);
	if (problem)
		return answer_error(problem, line);
	status_show(p);
	return strdup("{\"ok\":true}");
}

char *
console_line(struct emu *emu, const char *line)
{
	char name[sizeof emu->printer[0]->serial + 1];
	line += strspn(line, " \t\r\n");
	if (!*line || *line == '#')
		return strdup("{\"ok\":true}");
	size_t n = strcspn(line, " \t\r\n");
	if (n == 4 && !strncmp(line, "stat", 4))
		return status_text(emu);
	if (*line != '@')
		return printer_line(emu, emu->printer[0], line);
	snprintf(name, sizeof name, "%.*s", (int)(n - 1), line + 1);
	struct printer *p = n - 1 < sizeof name ? printer_called(emu, name) : NULL;
	if (!p)
		return answer_error("no printer of that number", line);
	return printer_line(emu, p, line + n);
}

/* ---- triggers ---- */

static void
event_fire(struct emu *emu, struct event *e)
{
	char *answer = *e->line == '@' ? console_line(emu, e->line)
				       : printer_line(emu, e->printer, e->line);
	if (answer && strstr(answer, "\"error\""))
		emu_log(emu, "console: %s", answer);
	free(answer);
	free(e);
}

static void
events_fire(struct emu *emu, const struct printer *p, enum trigger trigger, unsigned card,
	const char *name)
{
	struct event *due = NULL, **last = &due;
	if (!emu->console)
		return;
	for (struct event **at = &emu->console->events; *at;) {
		struct event *e = *at;
		bool hit = e->trigger == trigger && (!p || e->printer == p);
		if (hit && trigger == AT_CARD)
			hit = e->n == card;
		else if (hit && trigger == AT_COMMAND)
			hit = !strcmp(e->name, name) && --e->n == 0;
		else if (hit)
			hit = e->due_ms <= now_ms();
		if (!hit) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		e->next = NULL;
		*last = e;
		last = &e->next;
	}
	while (due) {
		struct event *e = due;
		due = e->next;
		event_fire(emu, e);
	}
}

void
console_at_card(struct printer *p, unsigned serial)
{
	events_fire(p->emu, p, AT_CARD, serial, NULL);
}

void
console_at_command(struct printer *p, const char *name)
{
	events_fire(p->emu, p, AT_COMMAND, 0, name);
}

void
console_tick(struct emu *emu)
{
	events_fire(emu, NULL, AT_MS, 0, NULL);
}

uint64_t
console_next_due(const struct emu *emu)
{
	uint64_t due = UINT64_MAX;
	for (const struct event *e = emu->console ? emu->console->events : NULL; e; e = e->next)
		if (e->trigger == AT_MS && e->due_ms < due)
			due = e->due_ms;
	return due;
}

/* ---- script and socket ---- */

int
console_script(struct emu *emu, const char *path)
{
	char line[LINE_MAX_];
	FILE *f = fopen(path, "re");
	int rc = f ? 0 : -1;
	for (unsigned number = 1; f && fgets(line, sizeof line, f); number++) {
		line[strcspn(line, "\n")] = 0;
		pthread_mutex_lock(&emu->lock);
		char *answer = console_line(emu, line);
		pthread_mutex_unlock(&emu->lock);
		if (answer && strstr(answer, "\"error\"")) {
			fprintf(stderr, "%s:%u: %s\n", path, number, answer);
			rc = -1;
		}
		free(answer);
	}
	if (f)
		fclose(f);
	return rc;
}

/* Known from now on, so that the end can hang up on him; or no more. */
static void
visitor_list(struct emu *emu, struct visitor *v, bool enter)
{
	pthread_mutex_lock(&emu->lock);
	struct visitor **at = &emu->console->visitors;
	if (enter) {
		v->next = *at;
		*at = v;
	} else {
		while (*at != v)
			at = &(*at)->next;
		*at = v->next;
	}
	pthread_mutex_unlock(&emu->lock);
}

static void
visitor_run(struct emu *emu, void *arg)
{
	struct visitor *v = arg;
	char line[LINE_MAX_];
	FILE *in = fdopen(v->fd, "r");
	while (in && fgets(line, sizeof line, in)) {
		line[strcspn(line, "\n")] = 0;
		pthread_mutex_lock(&emu->lock);
		char *answer = console_line(emu, line);
		pthread_mutex_unlock(&emu->lock);
		if (!answer)
			break;
		size_t n = strlen(answer);
		answer[n] = '\n';
		bool sent = send(v->fd, answer, n + 1, MSG_NOSIGNAL) == (ssize_t)n + 1;
		free(answer);
		if (!sent)
			break;
	}
	visitor_list(emu, v, false);
	if (in)
		fclose(in);
	else
		close(v->fd);
	free(v);
}

static void *
console_run(void *arg)
{
	struct emu *emu = arg;
	for (;;) {
		int fd = accept4(emu->console->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0 && errno == EINTR)
			continue;
		if (fd < 0)
			return NULL;
		struct visitor *v = malloc(sizeof *v);
		if (!v) {
			close(fd);
			continue;
		}
		v->fd = fd;
		visitor_list(emu, v, true);
		if (emu_helper(emu, visitor_run, v)) {
			visitor_list(emu, v, false);
			close(fd);
			free(v);
		}
	}
}

static int
socket_address(struct sockaddr_un *a, const char *path)
{
	memset(a, 0, sizeof *a);
	a->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof a->sun_path)
		return -1;
	snprintf(a->sun_path, sizeof a->sun_path, "%s", path);
	return 0;
}

int
console_start(struct emu *emu, const char *socket_path)
{
	struct sockaddr_un a;
	if (socket_address(&a, socket_path))
		return -1;
	unlink(socket_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 16))
		return -1;
	chmod(socket_path, 0666);
	snprintf(emu->console->path, sizeof emu->console->path, "%s", socket_path);
	emu->console->listener = fd;
	return pthread_create(&emu->console->thread, NULL, console_run, emu) ? -1 : 0;
}

struct console *
console_create(void)
{
	struct console *c = calloc(1, sizeof *c);
	if (c)
		c->listener = -1;
	return c;
}

void
console_stop(struct emu *emu)
{
	struct console *c = emu->console;
	if (!c || c->listener < 0)
		return;
	shutdown(c->listener, SHUT_RDWR);
	pthread_join(c->thread, NULL);
	close(c->listener);
	unlink(c->path);
	pthread_mutex_lock(&emu->lock);
	for (struct visitor *v = c->visitors; v; v = v->next)
		shutdown(v->fd, SHUT_RDWR);
	pthread_mutex_unlock(&emu->lock);
}

void
console_destroy(struct console *c)
{
	while (c && c->events) {
		struct event *e = c->events;
		c->events = e->next;
		free(e);
	}
	free(c);
}

int
console_tell(const char *socket_path, int argc, char **argv)
{
	struct sockaddr_un a;
	char line[LINE_MAX_] = "", c;
	size_t n = 0;
	for (int i = 0; i < argc; i++)
		n += (size_t)snprintf(line + n, n < sizeof line ? sizeof line - n : 0, "%s%s",
			i ? " " : "", argv[i]);
	if (n + 2 > sizeof line)
		return 64;
	line[n++] = '\n';
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (socket_address(&a, socket_path) || connect(fd, (struct sockaddr *)&a, sizeof a) ||
		send(fd, line, n, MSG_NOSIGNAL) != (ssize_t)n) {
		fprintf(stderr, "cardspool-emulator: no console at %s: %s\n", socket_path,
			strerror(errno));
		return 69;
	}
	bool refused = false, first = true;
	while (read(fd, &c, 1) == 1) {
		putchar(c);
		if (first && c != '{' && c != '[')
			refused = true;
		first = false;
		line[n < sizeof line - 1 ? n++ : n] = c;
		if (c == '\n')
			break;
	}
	line[n < sizeof line ? n : sizeof line - 1] = 0;
	close(fd);
	return refused || strstr(line, "\"ok\":false") ? 1 : 0;
}
