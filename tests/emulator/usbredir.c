/*
 * usbredir.c - a printer on a virtual machine's USB port: QEMU's usb-redir device connects here.
 *
 * Owns a Unix socket and one thread for each printer that has one. Its peer is one virtual machine
 * at a time; plug and unplug are told to it while the connection stays. The bytes are libusbredir's
 * business; built without it, the switch is refused with one line.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/emulator/remote.h"

#ifdef HAVE_USBREDIR

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <usbredirparser.h>

#define SLOT(endpoint) (((endpoint)&0x80) >> 3 | ((endpoint)&0x0f))

struct redir {
	struct emu *emu;
	struct usb_device *d;
	const char *path;
	int listener, fd;
	struct usbredirparser *parser;
	struct handle *h; /* NULL: the machine does not have the printer */
	bool greeted;
};

/* ---- what the parser asks for ---- */

static void
redir_log(void *priv, int level, const char *text)
{
	struct redir *r = priv;
	if (level <= usbredirparser_warning)
		emu_log(r->emu, "usbredir: %s", text);
}

static int
redir_read(void *priv, uint8_t *data, int count)
{
	struct redir *r = priv;
	ssize_t n = recv(r->fd, data, (size_t)count, 0);
	if (n > 0)
		return (int)n;
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static int
redir_write(void *priv, uint8_t *data, int count)
{
	struct redir *r = priv;
	ssize_t n = send(r->fd, data, (size_t)count, MSG_NOSIGNAL);
	if (n >= 0)
		return (int)n;
	return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void
redir_hello(void *priv, struct usb_redir_hello_header *hello)
{
	struct redir *r = priv;
	(void)hello;
	r->greeted = true;
}

static void
redir_reset(void *priv)
{
	struct redir *r = priv;
	pthread_mutex_lock(&r->emu->lock);
	if (r->h)
		remote_reset(r->h);
	pthread_mutex_unlock(&r->emu->lock);
}

static void
redir_set_configuration(void *priv, uint64_t id, struct usb_redir_set_configuration_header *set)
{
	struct redir *r = priv;
	struct usb_redir_configuration_status_header status = {
		.status = set->configuration > 1 ? usb_redir_stall : usb_redir_success,
		.configuration = 1};
	redir_reset(priv);
	usbredirparser_send_configuration_status(r->parser, id, &status);
}

static void
redir_get_configuration(void *priv, uint64_t id)
{
	struct redir *r = priv;
	struct usb_redir_configuration_status_header status = {.configuration = 1};
	usbredirparser_send_configuration_status(r->parser, id, &status);
}

static void
redir_set_alt_setting(void *priv, uint64_t id, struct usb_redir_set_alt_setting_header *set)
{
	struct redir *r = priv;
	struct usb_redir_alt_setting_status_header status = {
		.status = set->alt ? usb_redir_stall : usb_redir_success,
		.interface = set->interface};
	redir_reset(priv);
	usbredirparser_send_alt_setting_status(r->parser, id, &status);
}

static void
redir_get_alt_setting(void *priv, uint64_t id, struct usb_redir_get_alt_setting_header *get)
{
	struct redir *r = priv;
	struct usb_redir_alt_setting_status_header status = {.interface = get->interface};
	usbredirparser_send_alt_setting_status(r->parser, id, &status);
}

static void
redir_submit(struct redir *r, uint64_t id, uint8_t endpoint, const uint8_t *setup,
	const uint8_t *data, size_t len)
{
	pthread_mutex_lock(&r->emu->lock);
	if (!r->h)
		emu_log(r->emu, "usbredir: a transfer for a printer that is not plugged in");
	else if (remote_submit(r->h, id, endpoint, setup, data, len))
		emu_log(r->emu, "usbredir: too much at once; a transfer is dropped");
	pthread_mutex_unlock(&r->emu->lock);
}

static void
redir_control(void *priv, uint64_t id, struct usb_redir_control_packet_header *c, uint8_t *data,
	int data_len)
{
	struct redir *r = priv;
	const uint8_t setup[8] = {c->requesttype, c->request, c->value & 0xff, c->value >> 8,
		c->index & 0xff, c->index >> 8, c->length & 0xff, c->length >> 8};
	bool in = c->requesttype & 0x80;
	redir_submit(r, id, 0, setup, in ? NULL : data, in ? c->length : (size_t)data_len);
	usbredirparser_free_packet_data(r->parser, data);
}

static void
redir_bulk(void *priv, uint64_t id, struct usb_redir_bulk_packet_header *b, uint8_t *data,
	int data_len)
{
	struct redir *r = priv;
	bool in = b->endpoint & 0x80;
	size_t len = in ? (size_t)b->length_high << 16 | b->length : (size_t)data_len;
	redir_submit(r, id, b->endpoint, NULL, in ? NULL : data, len);
	usbredirparser_free_packet_data(r->parser, data);
}

static void
redir_cancel(void *priv, uint64_t id)
{
	struct redir *r = priv;
	pthread_mutex_lock(&r->emu->lock);
	if (r->h)
		remote_cancel(r->h, id);
	pthread_mutex_unlock(&r->emu->lock);
}

/* The peer's words that mean nothing to a printer: one place for the data they may carry. */
static void
redir_interrupt(void *priv, uint64_t id, struct usb_redir_interrupt_packet_header *i, uint8_t *data,
	int data_len)
{
	struct redir *r = priv;
	(void)id, (void)i, (void)data_len;
	usbredirparser_free_packet_data(r->parser, data);
}

static void
redir_iso(
	void *priv, uint64_t id, struct usb_redir_iso_packet_header *i, uint8_t *data, int data_len)
{
	struct redir *r = priv;
	(void)id, (void)i, (void)data_len;
	usbredirparser_free_packet_data(r->parser, data);
}

/* ---- what the printer says ---- */

static uint8_t
status_word(int status)
{
	static const struct {
		int status;
		uint8_t word;
	} words[] = {{0, usb_redir_success}, {-EPIPE, usb_redir_stall},
		{-ENOENT, usb_redir_cancelled}, {-ETIMEDOUT, usb_redir_timeout}};
	for (size_t i = 0; i < EMU_LEN(words); i++)
		if (words[i].status == status)
			return words[i].word;
	return usb_redir_ioerror;
}

static void
control_send(struct redir *r, const struct urb *u)
{
	const uint8_t *s = u->setup;
	struct usb_redir_control_packet_header c = {.endpoint = s[0] & 0x80,
		.request = s[1],
		.requesttype = s[0],
		.status = status_word(u->status),
		.value = (uint16_t)(s[2] | s[3] << 8),
		.index = (uint16_t)(s[4] | s[5] << 8),
		.length = (uint16_t)u->actual};
	bool in = remote_in(u);
	usbredirparser_send_control_packet(
		r->parser, u->client_urb, &c, in ? u->data : NULL, in ? (int)u->actual : 0);
}

static void
bulk_send(struct redir *r, const struct urb *u)
{
	struct usb_redir_bulk_packet_header b = {.endpoint = u->endpoint,
		.status = status_word(u->status),
		.length = u->actual & 0xffff,
		.length_high = (uint16_t)(u->actual >> 16)};
	bool in = remote_in(u);
	usbredirparser_send_bulk_packet(
		r->parser, u->client_urb, &b, in ? u->data : NULL, in ? (int)u->actual : 0);
}

static void
finished_send(struct redir *r)
{
	uint64_t wakes;
	if (read(r->h->wake, &wakes, sizeof wakes) < 0)
		wakes = 0; /* not woken: it is a turn for the socket */
	for (struct urb *u; (u = remote_finished(r->h)); remote_free(u)) {
		if (u->endpoint)
			bulk_send(r, u);
		else
			control_send(r, u);
	}
}

static void
endpoints_send(struct redir *r)
{
	const struct usb_device *d = r->d;
	struct usb_redir_ep_info_header e = {0};
	const uint16_t packet = d->printer->model->full_speed ? 64 : 512;
	const uint8_t bulk[] = {d->ep_out, d->ep_in};
	memset(e.type, usb_redir_type_invalid, sizeof e.type);
	e.type[SLOT(0)] = e.type[SLOT(0x80)] = usb_redir_type_control;
	e.max_packet_size[SLOT(0)] = e.max_packet_size[SLOT(0x80)] = 64;
	for (size_t i = 0; i < EMU_LEN(bulk); i++) {
		if (!bulk[i])
			continue;
		e.type[SLOT(bulk[i])] = usb_redir_type_bulk;
		e.max_packet_size[SLOT(bulk[i])] = packet;
	}
	usbredirparser_send_ep_info(r->parser, &e);
}

static void
connect_send(struct redir *r)
{
	const struct usb_device *d = r->d;
	const uint8_t *device = d->descriptors;
	uint8_t words[4];
	struct usb_redir_interface_info_header i = {
		.interface_count = usbip_interfaces_build(words, d)};
	i.interface_class[0] = words[0];
	i.interface_subclass[0] = words[1];
	i.interface_protocol[0] = words[2];
	struct usb_redir_device_connect_header c = {.speed = d->printer->model->full_speed
								     ? usb_redir_speed_full
								     : usb_redir_speed_high,
		.device_class = device[4],
		.device_subclass = device[5],
		.device_protocol = device[6],
		.vendor_id = (uint16_t)(device[8] | device[9] << 8),
		.product_id = (uint16_t)(device[10] | device[11] << 8),
		.device_version_bcd = (uint16_t)(device[12] | device[13] << 8)};
	endpoints_send(r);
	usbredirparser_send_interface_info(r->parser, &i);
	usbredirparser_send_device_connect(r->parser, &c);
}

/* Answers, then plug and unplug as they stand now. */
static void
redir_step(struct redir *r)
{
	pthread_mutex_lock(&r->emu->lock);
	if (r->h)
		finished_send(r);
	if (r->h && r->h->gone) {
		usbredirparser_send_device_disconnect(r->parser);
		remote_leave(r->h);
		r->h = NULL;
	}
	if (!r->h && r->greeted && r->d->plugged && (r->h = remote_take(r->d)))
		connect_send(r);
	pthread_mutex_unlock(&r->emu->lock);
}

/* ---- connections ---- */

static int
link_open(struct redir *r)
{
	uint32_t caps[USB_REDIR_CAPS_SIZE] = {0};
	static const int known[] = {usb_redir_cap_connect_device_version,
		usb_redir_cap_ep_info_max_packet_size, usb_redir_cap_64bits_ids,
		usb_redir_cap_32bits_bulk_length};
	r->fd = accept4(r->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct usbredirparser *p = r->fd < 0 ? NULL : usbredirparser_create();
	if (!p)
		return -1;
	r->parser = p;
	r->greeted = false;
	p->priv = r;
	p->log_func = redir_log;
	p->read_func = redir_read;
	p->write_func = redir_write;
	p->hello_func = redir_hello;
	p->reset_func = redir_reset;
	p->set_configuration_func = redir_set_configuration;
	p->get_configuration_func = redir_get_configuration;
	p->set_alt_setting_func = redir_set_alt_setting;
	p->get_alt_setting_func = redir_get_alt_setting;
	p->cancel_data_packet_func = redir_cancel;
	p->control_packet_func = redir_control;
	p->bulk_packet_func = redir_bulk;
	p->interrupt_packet_func = redir_interrupt;
	p->iso_packet_func = redir_iso;
	for (size_t i = 0; i < EMU_LEN(known); i++)
		usbredirparser_caps_set_cap(caps, known[i]);
	usbredirparser_init(
		p, "cardspool-emulator", caps, USB_REDIR_CAPS_SIZE, usbredirparser_fl_usb_host);
	return 0;
}

static void
link_close(struct redir *r)
{
	pthread_mutex_lock(&r->emu->lock);
	if (r->h)
		remote_leave(r->h);
	r->h = NULL;
	pthread_mutex_unlock(&r->emu->lock);
	if (r->parser)
		usbredirparser_destroy(r->parser);
	r->parser = NULL;
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

static void
link_turn(struct redir *r)
{
	short out = usbredirparser_has_data_to_write(r->parser) ? POLLOUT : 0;
	struct pollfd p[] = {{.fd = r->fd, .events = POLLIN | out},
		{.fd = r->h ? r->h->wake : -1, .events = POLLIN}};
	poll(p, EMU_LEN(p), REMOTE_TICK_MS);
	int rc = 0;
	if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
		rc = usbredirparser_do_read(r->parser);
	redir_step(r);
	if (!rc && usbredirparser_has_data_to_write(r->parser))
		rc = usbredirparser_do_write(r->parser);
	if (rc)
		link_close(r);
}

static void
redir_run(struct emu *emu, void *arg)
{
	struct redir *r = arg;
	while (!emu->stopping) {
		struct pollfd p = {.fd = r->listener, .events = POLLIN};
		if (r->fd >= 0)
			link_turn(r);
		else if (poll(&p, 1, REMOTE_TICK_MS) > 0 && link_open(r))
			link_close(r);
	}
	link_close(r);
	close(r->listener);
	unlink(r->path);
	free(r);
}

int
usbredir_start(struct printer *p, const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct redir *r = calloc(1, sizeof *r);
	int n = snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
	errno = ENAMETOOLONG;
	if (r && n > 0 && (size_t)n < sizeof name.sun_path) {
		*r = (struct redir){.emu = p->emu, .d = p->usb, .path = path, .fd = -1};
		r->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (r->listener >= 0 && !bind(r->listener, (struct sockaddr *)&name, sizeof name) &&
			!listen(r->listener, 1) && !emu_helper(p->emu, redir_run, r))
			return 0;
		if (r->listener >= 0)
			close(r->listener);
	}
	fprintf(stderr, "cardspool-emulator: --usbredir %s: %s\n", path, strerror(errno));
	free(r);
	return -1;
}

#else

int
usbredir_start(struct printer *p, const char *path)
{
	(void)p;
	fprintf(stderr,
		"cardspool-emulator: --usbredir %s: built without usbredir (Debian: "
		"libusbredirparser-dev)\n",
		path);
	return -1;
}

#endif
