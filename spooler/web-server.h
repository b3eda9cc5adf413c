/*
 * web-server.h - what the server and its requests share.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#ifndef CARDSPOOL_WEB_SERVER_H
#define CARDSPOOL_WEB_SERVER_H

#include "spooler/web.h"

#include <microhttpd.h>

#ifndef MHD_HTTP_CONTENT_TOO_LARGE
#define MHD_HTTP_CONTENT_TOO_LARGE 413
#endif

enum { WEB_CONNECTIONS_MAX = 128, WEB_HOSTS_MAX = 8 };

struct web_visitor {
	int fd;           /* -1: free */
	int64_t since_ms; /* when it came, or its last request ended */
	bool patient;     /* a photo may take its time */
};

struct web {
	struct MHD_Daemon *daemon;
	int listen_fd;
	char hosts[WEB_HOSTS_MAX][280], url[320];
	unsigned n_hosts, months;
	bool tls;
	const char *ledger;
	struct web_sessions sessions;
	struct queue_watch *watch;
	struct queue_list queues;
	struct web_visitor visitors[WEB_CONNECTIONS_MAX];
	struct overview overview;
	char overview_head[2 * HASH_LEN + 1]; /* of the ledger it was read from, "" none yet */
	int64_t overview_ms;
	struct web_drawn drawn;
};

/* Callbacks of libmicrohttpd (web-request.c). */
enum MHD_Result web_request_step(void *cls, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *bytes, size_t *len, void **state);
void web_request_done(void *cls, struct MHD_Connection *connection, void **state,
	enum MHD_RequestTerminationCode code);
/* The request of this connection is over; or it may take longer. */
void web_visitor_ready(struct MHD_Connection *connection);
void web_visitor_patient(struct MHD_Connection *connection);

#endif
