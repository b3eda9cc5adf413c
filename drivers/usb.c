/*
 * usb.c - printers on the USB bus.
 *
 * Owns finding printer-class interfaces, claiming one, and moving bytes with time limits.
 * Guarantees: one libusb context per call or transport, no state outside it; listing claims
 * nothing; a transfer that fails still says how many bytes went out; an interface is given back to
 * its kernel driver on close. On failure a call fills err with the fault (stall, unplugged, no
 * reply) and leaves the transport open: its owner closes it.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/usb.h"

#include <libusb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Above 4 MiB some host controllers refuse a transfer, on a fragmented desktop earlier; below 64
 * KiB the system calls begin to show. A piece is also what a time limit applies to.
 */
static const size_t piece_len = (size_t)256 << 10;
static const unsigned control_timeout_ms = 1000;

#define PRINTERS_MAX  32
#define PACKET_MAX    1024 /* the largest bulk packet USB knows */
#define DEVICE_ID_MAX 1024
#define GET_DEVICE_ID 0
#define GET_STATUS    1
#define CLASS_IN      0xa1 /* class request, to an interface, device to host */

/* ---- finding --------------------------------------------------------------- */

struct found {
	struct usb_printer info;
	libusb_device *device; /* referenced while the scan's list lives */
	uint8_t interface, setting, ep_out, ep_in;
	uint16_t in_packet;
	bool denied;
};

struct scan {
	libusb_context *context;
	struct found *found;
	size_t n;
};

static void
scan_done(struct scan *s)
{
	for (size_t i = 0; i < s->n; i++)
		libusb_unref_device(s->found[i].device);
	free(s->found);
	if (s->context)
		libusb_exit(s->context);
	*s = (struct scan){0};
}

/* The first printer-class setting with a bulk endpoint each way. */
static bool
interface_find(libusb_device *device, struct found *f)
{
	struct libusb_config_descriptor *config;
	bool good = false;

	if (libusb_get_active_config_descriptor(device, &config) != 0)
		return false;
	for (int i = 0; i < config->bNumInterfaces && !good; i++)
		for (int a = 0; a < config->interface[i].num_altsetting && !good; a++) {
			const struct libusb_interface_descriptor *d =
				&config->interface[i].altsetting[a];
			f->ep_out = f->ep_in = 0;
			/* Of a description that is cut off libusb gives the count without them. */
			for (int n = 0; d->endpoint && n < d->bNumEndpoints; n++) {
				const struct libusb_endpoint_descriptor *ep = &d->endpoint[n];
				bool in = (ep->bEndpointAddress & LIBUSB_ENDPOINT_IN) != 0;
				if ((ep->bmAttributes & 3) != LIBUSB_TRANSFER_TYPE_BULK)
					continue;
				if (in && !f->ep_in) {
					f->ep_in = ep->bEndpointAddress;
					f->in_packet = ep->wMaxPacketSize & 0x7ff;
				} else if (!in && !f->ep_out) {
					f->ep_out = ep->bEndpointAddress;
				}
			}
			f->interface = d->bInterfaceNumber;
			f->setting = d->bAlternateSetting;
			good = d->bInterfaceClass == LIBUSB_CLASS_PRINTER && f->ep_in &&
			       f->ep_out && f->in_packet > 0 && f->in_packet <= PACKET_MAX;
		}
	libusb_free_config_descriptor(config);
	return good;
}

static void
string_read(libusb_device_handle *h, uint8_t index, char *out, size_t max)
{
	int n = 0;

	if (index)
		n = libusb_get_string_descriptor_ascii(
			h, index, (unsigned char *)out, (int)max - 1);
	out[n > 0 ? n : 0] = '\0';
	usb_text_clean(out);
}

/*
 * The 1284 id and the strings. Linux lets the id request through to an interface that usblp or
 * another program holds, so nothing is claimed here. What cannot be read stays empty.
 */
static void
identity_read(struct found *f, const struct libusb_device_descriptor *d)
{
	struct usb_printer *u = &f->info;
	libusb_device_handle *h;
	uint8_t id[DEVICE_ID_MAX];
	int rc = libusb_open(f->device, &h);

	f->denied = rc == LIBUSB_ERROR_ACCESS;
	if (rc)
		return;
	rc = libusb_control_transfer(h, CLASS_IN, GET_DEVICE_ID, 0,
		(uint16_t)(f->interface << 8 | f->setting), id, sizeof id, control_timeout_ms);
	if (rc > 0)
		usb_device_id_parse(u->device_id, sizeof u->device_id, id, (size_t)rc);
	string_read(h, d->iSerialNumber, u->serial, sizeof u->serial);
	if (!u->serial[0])
		device_id_get(u->device_id, "SN", u->serial, sizeof u->serial);
	if (device_id_get(u->device_id, "MFG", u->make, sizeof u->make) || !u->make[0])
		string_read(h, d->iManufacturer, u->make, sizeof u->make);
	if (device_id_get(u->device_id, "MDL", u->model, sizeof u->model) || !u->model[0])
		string_read(h, d->iProduct, u->model, sizeof u->model);
	libusb_close(h);
}

/* "bus-port.port": the plug, which stays the same when the address changes. */
static void
plug_build(char *out, size_t max, libusb_device *device)
{
	uint8_t port[8];
	int n = libusb_get_port_numbers(device, port, sizeof port), len;

	len = snprintf(out, max, "%u", libusb_get_bus_number(device));
	for (int i = 0; i < n && len > 0 && (size_t)len < max; i++)
		len += snprintf(out + len, max - (size_t)len, "%c%u", i ? '.' : '-', port[i]);
}

int
usb_plug_find(char *out, size_t max, uint8_t bus, uint8_t address, struct err *e)
{
	libusb_context *context = NULL;
	libusb_device **devices = NULL;
	int rc = libusb_init(&context);

	out[0] = '\0';
	if (rc)
		return err_set(e, ERR_SYSTEM, _("USB is not available on this computer: %s."),
			libusb_error_name(rc));
	ssize_t n = libusb_get_device_list(context, &devices);
	for (ssize_t i = 0; i < n; i++)
		if (libusb_get_bus_number(devices[i]) == bus &&
			libusb_get_device_address(devices[i]) == address)
			plug_build(out, max, devices[i]);
	if (n >= 0)
		libusb_free_device_list(devices, 1);
	libusb_exit(context);
	return out[0] ? 0
		      : err_set(e, ERR_MISSING,
				_("Nothing is plugged in at USB bus %u, address %u."),
				(unsigned)bus, (unsigned)address);
}

static int
scan_run(struct scan *s, struct err *e)
{
	libusb_device **devices = NULL;
	int rc;

	*s = (struct scan){0};
	rc = libusb_init(&s->context);
	if (rc) {
		s->context = NULL;
		return err_set(e, ERR_SYSTEM, _("USB is not available on this computer: %s."),
			libusb_error_name(rc));
	}
	s->found = calloc(PRINTERS_MAX, sizeof *s->found);
	if (!s->found) {
		scan_done(s);
		return err_set(e, ERR_SYSTEM, _("Out of memory."));
	}
	ssize_t n = libusb_get_device_list(s->context, &devices);
	for (ssize_t i = 0; i < n && s->n < PRINTERS_MAX; i++) {
		struct libusb_device_descriptor d;
		struct found *f = &s->found[s->n];
		*f = (struct found){0};
		if (libusb_get_device_descriptor(devices[i], &d) ||
			!printer_driver_by_vendor(d.idVendor) || !interface_find(devices[i], f))
			continue;
		f->device = libusb_ref_device(devices[i]);
		f->info.vendor = d.idVendor;
		f->info.product = d.idProduct;
		f->info.bus = libusb_get_bus_number(f->device);
		f->info.address = libusb_get_device_address(f->device);
		plug_build(f->info.path, sizeof f->info.path, f->device);
		identity_read(f, &d);
		s->n++;
	}
	if (n >= 0)
		libusb_free_device_list(devices, 1);
	return 0;
}

int
usb_list(struct usb_printer **list, size_t *n, struct err *e)
{
	struct scan s;
	int rc = scan_run(&s, e);

	*list = NULL;
	*n = 0;
	if (rc)
		return rc;
	*list = calloc(s.n ? s.n : 1, sizeof **list);
	if (*list) {
		for (size_t i = 0; i < s.n; i++)
			(*list)[i] = s.found[i].info;
		*n = s.n;
	} else {
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
	}
	scan_done(&s);
	return rc;
}

/* ---- the transport --------------------------------------------------------- */

enum fault
usb_fault(int libusb_code)
{
	static const struct {
		int code;
		enum fault fault;
	} table[] = {
		{LIBUSB_SUCCESS, FAULT_NONE},
		{LIBUSB_ERROR_TIMEOUT, FAULT_NO_REPLY},
		{LIBUSB_ERROR_INTERRUPTED, FAULT_NO_REPLY},
		{LIBUSB_ERROR_PIPE, FAULT_STALL},
		{LIBUSB_ERROR_NO_DEVICE, FAULT_UNPLUGGED},
		{LIBUSB_ERROR_NOT_FOUND, FAULT_UNPLUGGED},
		{LIBUSB_ERROR_OVERFLOW, FAULT_GARBLED_REPLY},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].code == libusb_code)
			return table[i].fault;
	return FAULT_STALL;
}

struct usb_transport {
	struct transport base;
	libusb_context *context;
	libusb_device_handle *handle;
	uint8_t interface, ep_out, ep_in;
	struct usb_answer *answer;
};

static struct usb_transport *
usb_of(struct transport *t)
{
	return (struct usb_transport *)((char *)t - offsetof(struct usb_transport, base));
}

/* An unplug in the middle of a transfer may show as a plain I/O error: the next request tells. */
static int
transfer_failed(struct usb_transport *u, int rc, uint8_t endpoint, struct err *e)
{
	enum fault fault = usb_fault(rc);
	uint8_t status;

	if (rc == LIBUSB_ERROR_NO_MEM)
		return err_set(
			e, ERR_SYSTEM, _("The system has no memory left for USB transfers."));
	if (rc == LIBUSB_ERROR_PIPE)
		libusb_clear_halt(u->handle, endpoint);
	else if (rc == LIBUSB_ERROR_IO &&
		 libusb_control_transfer(u->handle, CLASS_IN, GET_STATUS, 0, u->interface, &status,
			 1, control_timeout_ms) == LIBUSB_ERROR_NO_DEVICE)
		fault = FAULT_UNPLUGGED;
	return fault_set(e, fault, libusb_error_name(rc));
}

/* The time limit is for each piece, so that a slow printer that goes on taking bytes is not given
 * up. */
static int
usb_write(struct transport *t, const void *bytes, size_t len, size_t *done, unsigned timeout_ms,
	struct err *e)
{
	struct usb_transport *u = usb_of(t);
	const uint8_t *at = bytes;

	*done = 0;
	while (*done < len) {
		size_t want = len - *done < piece_len ? len - *done : piece_len;
		int sent = 0;
		/* libusb takes a pointer to non-const for both directions; an OUT transfer only
		 * reads. */
		int rc = libusb_bulk_transfer(u->handle, u->ep_out,
			(unsigned char *)(uintptr_t)(at + *done), (int)want, &sent,
			timeout_ms ? timeout_ms : 1);
		*done += sent > 0 ? (size_t)sent : 0;
		if (rc && *done < len)
			return transfer_failed(u, rc, u->ep_out, e);
		if (rc == 0 && sent == 0)
			return fault_set(e, FAULT_NO_REPLY, NULL);
	}
	return 0;
}

static int
usb_read(struct transport *t, void *bytes, size_t max, size_t *len, unsigned timeout_ms,
	struct err *e)
{
	struct usb_transport *u = usb_of(t);
	int rc = usb_answer_read(u->context, u->answer, bytes, max, len, timeout_ms);

	return rc ? transfer_failed(u, rc, u->ep_in, e) : 0;
}

static int
usb_port_status(struct transport *t, uint8_t *status, struct err *e)
{
	struct usb_transport *u = usb_of(t);
	int rc = libusb_control_transfer(
		u->handle, CLASS_IN, GET_STATUS, 0, u->interface, status, 1, control_timeout_ms);

	if (rc == 1)
		return 0;
	return fault_set(e, rc >= 0 ? FAULT_GARBLED_REPLY : usb_fault(rc),
		rc < 0 ? libusb_error_name(rc) : NULL);
}

static void
usb_close(struct transport *t)
{
	struct usb_transport *u = usb_of(t);

	usb_answer_destroy(u->context, u->answer);
	libusb_release_interface(u->handle, u->interface);
	libusb_close(u->handle);
	libusb_exit(u->context);
	free(u);
}

static const struct transport_ops usb_ops = {usb_write, usb_read, usb_port_status, usb_close};

/* Claims the interface; usblp is put aside and comes back when it is released. */
static int
interface_claim(struct usb_transport *u, const struct found *f, struct err *e)
{
	const char *name = f->info.model[0] ? f->info.model : "USB";
	int rc = libusb_open(f->device, &u->handle);

	if (rc == LIBUSB_ERROR_ACCESS)
		return err_set(e, ERR_DENIED,
			_("No right to use the printer %s. Add this user to group lp."), name);
	if (rc) {
		u->handle = NULL;
		return fault_set(e, FAULT_PRINTER_ABSENT, libusb_error_name(rc));
	}
	libusb_set_auto_detach_kernel_driver(u->handle, 1);
	rc = libusb_claim_interface(u->handle, f->interface);
	if (rc == 0 && f->setting)
		rc = libusb_set_interface_alt_setting(u->handle, f->interface, f->setting);
	if (rc == LIBUSB_ERROR_BUSY)
		return err_set(e, ERR_BUSY,
			_("Another program uses the printer %s. End it, or wait until it has "
			  "finished."),
			name);
	if (rc == LIBUSB_ERROR_NO_DEVICE || rc == LIBUSB_ERROR_NOT_FOUND)
		return fault_set(e, FAULT_PRINTER_ABSENT, libusb_error_name(rc));
	if (rc)
		return err_set(e, ERR_DEVICE, _("The printer %s cannot be opened: %s."), name,
			libusb_error_name(rc));
	return 0;
}

/* Which of the printers found; when some could not be looked at, that is said instead of "absent".
 */
static int
found_choose(const struct scan *s, const struct usb_printer *which, const struct found **out,
	struct err *e)
{
	struct usb_printer list[PRINTERS_MAX] = {0};
	size_t index = 0;
	bool denied = false;

	for (size_t i = 0; i < s->n; i++) {
		list[i] = s->found[i].info;
		denied |= s->found[i].denied;
	}
	int rc = usb_choose(list, s->n, which, &index, e);
	if (rc == 0)
		*out = &s->found[index];
	else if (rc == ERR_FAULT && denied)
		rc = err_set(e, ERR_DENIED,
			_("No right to look at the printers on USB. Add this user to group lp."));
	return rc;
}

int
usb_open(struct transport **out, const struct usb_printer *which, struct err *e)
{
	const struct found *f = NULL;
	struct usb_transport *u = NULL;
	struct scan s;
	int rc = scan_run(&s, e);

	*out = NULL;
	if (rc)
		return rc;
	rc = found_choose(&s, which, &f, e);
	if (rc)
		goto out;
	u = calloc(1, sizeof *u);
	if (!u) {
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
		goto out;
	}
	*u = (struct usb_transport){.base.ops = &usb_ops,
		.interface = f->interface,
		.ep_out = f->ep_out,
		.ep_in = f->ep_in};
	rc = interface_claim(u, f, e);
	if (rc == 0)
		u->answer = usb_answer_create(u->handle, f->ep_in, f->in_packet);
	if (rc == 0 && !u->answer)
		rc = err_set(e, ERR_SYSTEM, _("Out of memory."));
	if (rc) {
		if (u->handle)
			libusb_close(u->handle);
		free(u);
		goto out;
	}
	u->context = s.context;
	for (size_t i = 0; i < s.n; i++)
		libusb_unref_device(s.found[i].device);
	s.n = 0;
	s.context = NULL;
	*out = &u->base;
out:
	scan_done(&s);
	return rc;
}
