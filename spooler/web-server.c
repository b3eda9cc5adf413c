/*
 * web-server.c - the workshop page's server, by libmicrohttpd.
 *
 * Owns the address, the names it answers to, and the patience with slow visitors. Guarantees:
 * without TLS only loopback is listened on; a request that does not arrive whole within REQUEST_MS
 * is cut off, so that nobody holds a connection by sending a byte now and then; one thread serves
 * all, so pages need no locks. On failure err says what to change.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "spooler/web-server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CONNECTION_MEMORY = 32 * 1024, /* request line and headers */
	IDLE_S = 10,                   /* without a byte */
	REQUEST_MS = 20000,            /* for a request to arrive whole and be answered */
	PATIENT_MS = 300000,           /* the same for a photo */
	TURN_MS = 1000,
	OVERVIEW_MIN_MS = 2000,
	OVERVIEW_MAX_MS = 60000, /* what is overdue changes with the day alone */
	TLS_FILE_MAX = 256 * 1024,
};

int64_t
web_now_ms(void)
{
	return clock_up_ms();
}

struct web_sessions *
web_sessions_of(struct web *w)
{
	return &w->sessions;
}

const char *
web_ledger_path(const struct web *w)
{
	return w->ledger;
}

unsigned
web_months(const struct web *w)
{
	return w->months;
}

bool
web_secure(const struct web *w)
{
	return w->tls;
}

const char *
web_url(const struct web *w)
{
	return w->url;
}

const struct queue_list *
web_queues(struct web *w)
{
	if (w->watch)
		queue_watch_look(w->watch, &w->queues);
	return &w->queues;
}

struct web_drawn *
web_drawn(struct web *w)
{
	return &w->drawn;
}

int
web_overview(struct web_request *q, const struct overview **out)
{
	struct web *w = q->web;
	char head[2 * HASH_LEN + 1];
	int64_t n, age_ms = web_now_ms() - w->overview_ms;
	int rc = 0;

	*out = &w->overview;
	if (w->overview_head[0] && age_ms < OVERVIEW_MIN_MS)
		return 0;
	rc = ledger_head(q->ledger, &n, head, &q->err);
	if (rc != 0 || (strcmp(head, w->overview_head) == 0 && age_ms < OVERVIEW_MAX_MS))
		return rc;
	w->overview_head[0] = '\0';
	rc = overview_read(q->ledger, w->months, &w->overview, &q->err);
	if (rc == 0) {
		snprintf(w->overview_head, sizeof w->overview_head, "%s", head);
		w->overview_ms = web_now_ms();
	}
	return rc;
}

/* ---- slow visitors ---- */

static struct web_visitor *
visitor_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

void
web_visitor_ready(struct MHD_Connection *connection)
{
	struct web_visitor *v = visitor_of(connection);

	if (v) {
		v->since_ms = web_now_ms();
		v->patient = false;
	}
}

void
web_visitor_patient(struct MHD_Connection *connection)
{
	struct web_visitor *v = visitor_of(connection);

	if (v)
		v->patient = true;
}

static void
visitor_turn(void *cls, struct MHD_Connection *connection, void **state,
	enum MHD_ConnectionNotificationCode code)
{
	struct web *w = cls;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct web_visitor *v = *state;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (v)
			v->fd = -1;
		return;
	}
	for (size_t i = 0; i < WEB_CONNECTIONS_MAX && !v; i++)
		if (w->visitors[i].fd < 0)
			v = &w->visitors[i];
	if (v && info)
		*v = (struct web_visitor){.fd = info->connect_fd, .since_ms = web_now_ms()};
	*state = v;
}

static void
visitors_sweep(struct web *w)
{
	int64_t now = web_now_ms();

	for (size_t i = 0; i < WEB_CONNECTIONS_MAX; i++) {
		struct web_visitor *v = &w->visitors[i];

		if (v->fd >= 0 && now - v->since_ms > (v->patient ? PATIENT_MS : REQUEST_MS))
			shutdown(v->fd, SHUT_RDWR);
	}
}

/* ---- the address ---- */

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at;
	socklen_t len;
	bool loopback;
	char host[INET6_ADDRSTRLEN + 2]; /* as it stands in a URL */
};

/* "127.0.0.1:8632" or "[::1]:8632". */
static int
address_parse(const char *text, struct address *a, struct err *e)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	char name[INET6_ADDRSTRLEN + 2], *end;
	unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;

	memset(a, 0, sizeof *a);
	if (!colon || n == 0 || n >= sizeof name || colon[1] < '0' || colon[1] > '9' || *end ||
		port > 65535)
		goto bad;
	snprintf(name, sizeof name, "%.*s", (int)n, text);
	snprintf(a->host, sizeof a->host, "%s", name);
	if (inet_pton(AF_INET, name, &a->at.v4.sin_addr) == 1) {
		a->at.v4.sin_family = AF_INET;
		a->at.v4.sin_port = htons((uint16_t)port);
		a->len = sizeof a->at.v4;
		a->loopback = ntohl(a->at.v4.sin_addr.s_addr) >> 24 == 127;
		return 0;
	}
	if (name[0] == '[' && name[n - 1] == ']') {
		name[n - 1] = '\0';
		if (inet_pton(AF_INET6, name + 1, &a->at.v6.sin6_addr) == 1) {
			a->at.v6.sin6_family = AF_INET6;
			a->at.v6.sin6_port = htons((uint16_t)port);
			a->len = sizeof a->at.v6;
			a->loopback = IN6_IS_ADDR_LOOPBACK(&a->at.v6.sin6_addr);
			return 0;
		}
	}
bad:
	return err_set(e, ERR_USAGE,
		_("\"%s\" is not an address to listen on. Write for example 127.0.0.1:8632 or "
		  "[::1]:8632."),
		text);
}

static int
address_listen(struct address *a, const char *text, int *fd, struct err *e)
{
	int one = 1;

	*fd = socket(a->at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd >= 0) {
		setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
		if (a->at.any.sa_family == AF_INET6)
			setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	}
	if (*fd < 0 || bind(*fd, &a->at.any, a->len) != 0 || listen(*fd, SOMAXCONN) != 0 ||
		getsockname(*fd, &a->at.any, &a->len) != 0)
		return err_set(e, errno == EACCES ? ERR_DENIED : ERR_SYSTEM,
			_("Cannot listen on %s: %s. Choose another address with --listen."), text,
			strerror(errno));
	return 0;
}

static void
host_add(struct web *w, const char *format, const char *host, unsigned port)
{
	if (w->n_hosts < WEB_HOSTS_MAX)
		snprintf(w->hosts[w->n_hosts++], sizeof w->hosts[0], format, host, port);
}

/* What a browser may call us: anything else comes from a page that plays with names. */
static void
hosts_fill(struct web *w, const struct address *a, const char *name)
{
	static const char *const local[] = {"localhost", "127.0.0.1", "[::1]"};
	unsigned port =
		ntohs(a->at.any.sa_family == AF_INET ? a->at.v4.sin_port : a->at.v6.sin6_port);

	snprintf(w->url, sizeof w->url, "%s://%s:%u/", w->tls ? "https" : "http", a->host, port);
	host_add(w, "%s:%u", a->host, port);
	for (size_t i = 0; i < ARRAY_LEN(local); i++)
		host_add(w, "%s:%u", local[i], port);
	if (name) {
		host_add(w, "%s:%u", name, port);
		host_add(w, "%.200s", name, port);
	}
}

/* ---- the server ---- */

struct tls {
	struct buf certificate, key;
};

static int
tls_read(struct tls *t, const struct web_settings *s, struct err *e)
{
	int rc = file_read(&t->certificate, s->certificate, TLS_FILE_MAX, e);

	if (rc == 0)
		rc = buf_append(&t->certificate, "", 1, e);
	if (rc == 0)
		rc = file_read(&t->key, s->private_key, TLS_FILE_MAX, e);
	return rc == 0 ? buf_append(&t->key, "", 1, e) : rc;
}

static int
daemon_start(struct web *w, const struct web_settings *s, bool loopback, struct err *e)
{
	struct tls t;
	struct MHD_OptionItem options[8] = {
		{MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL},
		{MHD_OPTION_CONNECTION_LIMIT, WEB_CONNECTIONS_MAX, NULL},
		{MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S, NULL},
		{MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
	};
	size_t n = 4;
	int rc = 0;

	buf_init(&t.certificate, TLS_FILE_MAX + 1);
	buf_init(&t.key, TLS_FILE_MAX + 1);
	if (!loopback)
		options[n++] = (struct MHD_OptionItem){
			MHD_OPTION_PER_IP_CONNECTION_LIMIT, WEB_CONNECTIONS_MAX / 4, NULL};
	if (w->tls)
		rc = tls_read(&t, s, e);
	if (rc == 0 && w->tls) {
		options[n++] =
			(struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, t.certificate.data};
		options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, t.key.data};
	}
	options[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	if (rc == 0)
		w->daemon = MHD_start_daemon(MHD_USE_EPOLL | (w->tls ? MHD_USE_TLS : 0), 0, NULL,
			NULL, web_request_step, w, MHD_OPTION_LISTEN_SOCKET, w->listen_fd,
			MHD_OPTION_NOTIFY_COMPLETED, web_request_done, w,
			MHD_OPTION_NOTIFY_CONNECTION, visitor_turn, w, MHD_OPTION_ARRAY, options,
			MHD_OPTION_END);
	if (rc == 0 && !w->daemon && w->tls)
		rc = err_set(e, ERR_INPUT,
			_("The server cannot start: %s and %s are no certificate and its key."),
			s->certificate, s->private_key);
	else if (rc == 0 && !w->daemon)
		rc = err_set(e, ERR_SYSTEM, "%s", _("The server cannot start."));
	if (t.key.data)
		explicit_bzero(t.key.data, t.key.len);
	buf_done(&t.certificate);
	buf_done(&t.key);
	return rc;
}

int
web_open(struct web **out, const struct web_settings *s, struct err *e)
{
	struct web *w = calloc(1, sizeof *w);
	struct address a;
	int rc;

	*out = NULL;
	if (!w)
		return err_set(e, ERR_SYSTEM, "%s", _("There is not enough memory."));
	w->listen_fd = -1;
	w->ledger = s->ledger;
	w->months = s->months;
	w->tls = s->certificate && s->private_key;
	for (size_t i = 0; i < WEB_CONNECTIONS_MAX; i++)
		w->visitors[i].fd = -1;
	rc = address_parse(s->listen, &a, e);
	if (rc == 0 && !a.loopback && !w->tls)
		rc = err_set(e, ERR_USAGE,
			_("%s can be reached from other hosts, and passphrases would cross the "
			  "network in clear. Set certificate and private-key in [web], or listen "
			  "on 127.0.0.1."),
			s->listen);
	if (rc == 0)
		rc = address_listen(&a, s->listen, &w->listen_fd, e);
	if (rc == 0)
		rc = web_sessions_init(&w->sessions, (int64_t)s->idle_s * 1000, e);
	if (rc == 0) {
		hosts_fill(w, &a, s->host);
		rc = daemon_start(w, s, a.loopback, e);
	}
	if (rc == 0)
		w->watch = queue_watch_create();
	if (rc != 0) {
		web_close(w);
		return rc;
	}
	*out = w;
	return 0;
}

int
web_run(struct web *w, int stop_fd, struct err *e)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(w->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	struct pollfd fds[2] = {
		{.fd = info->epoll_fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};

	for (;;) {
		MHD_UNSIGNED_LONG_LONG wait_ms;
		int timeout = MHD_get_timeout(w->daemon, &wait_ms) == MHD_YES && wait_ms < TURN_MS
				      ? (int)wait_ms
				      : TURN_MS;

		if (poll(fds, ARRAY_LEN(fds), timeout) < 0 && errno != EINTR)
			return err_set(
				e, ERR_SYSTEM, _("The server cannot wait: %s."), strerror(errno));
		if (fds[1].revents)
			return 0;
		if (MHD_run(w->daemon) != MHD_YES)
			return err_set(e, ERR_SYSTEM, "%s", _("The server cannot go on."));
		visitors_sweep(w);
	}
}

void
web_close(struct web *w)
{
	if (!w)
		return;
	queue_watch_destroy(w->watch);
	if (w->daemon)
		MHD_stop_daemon(w->daemon); /* closes the socket, too */
	else if (w->listen_fd >= 0)
		close(w->listen_fd);
	explicit_bzero(&w->sessions, sizeof w->sessions);
	buf_done(&w->drawn.body);
	free(w);
}
