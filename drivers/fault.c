/*
 * fault.c - the table of everything that can go wrong with a machine or a chip.
 *
 * Owns faults[]: for each enum fault its stable word, its IPP keyword, what becomes of the card,
 * and what the operator reads. Guarantees that every value of the enum has a complete row (checked
 * by the test). Nothing here can fail.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <stdio.h>
#include <string.h>

#define OWN(word) "com.cardspool." word "-error"

/* One row per fault: code, IPP keyword, action, cause, remedy. */
#define ROW(f, c, r, a, why, what)                                                                 \
	[f] = {.fault = f, .code = c, .reason = r, .action = a, .cause = why, .remedy = what}

/* clang-format off */
const struct fault_row faults[FAULT_COUNT] = {
	ROW(FAULT_NONE, "none", "none", FAULT_WAIT,
		N_("Nothing is wrong"), N_("Nothing to do")),

	ROW(FAULT_HOPPER_EMPTY, "hopper-empty", "media-empty-error", FAULT_WAIT,
		N_("The card feeder is empty"), N_("Put blank cards into the feeder")),
	ROW(FAULT_JAM_FEED, "jam-feeding", "media-jam-error", FAULT_SPOIL,
		N_("A card is stuck on its way in from the feeder or at the chip station"),
		N_("Open the cover, take the card out, close the cover")),
	ROW(FAULT_JAM_STATION, "jam-station", "media-jam-error", FAULT_SPOIL,
		N_("A card is stuck on its way from the chip station to the print head"),
		N_("Open the cover, take the card out, close the cover")),
	ROW(FAULT_JAM_PRINT, "jam-printing", "media-jam-error", FAULT_SPOIL,
		N_("A card is stuck under the print head, while being turned over, or on its way out"),
		N_("Open the cover, take the card out, close the cover")),
	ROW(FAULT_JAM_FLIP, "jam-flipping", "media-jam-error", FAULT_SPOIL,
		N_("A card is stuck while being turned over"),
		N_("Open the cover of the turning unit, take the card out, close the cover")),
	ROW(FAULT_JAM_EJECT, "jam-ejecting", "media-jam-error", FAULT_SPOIL,
		N_("A card is stuck on its way out"),
		N_("Take the card out at the exit; open the cover if it does not come")),
	ROW(FAULT_JAM_REJECT, "jam-rejecting", "media-jam-error", FAULT_SPOIL,
		N_("A bad card did not reach the reject box"),
		N_("Take the card out of the printer and put it with the rejected ones")),
	ROW(FAULT_COVER_OPEN, "cover-open", "cover-open-error", FAULT_WAIT,
		N_("A cover of the printer is open"), N_("Close the cover")),
	ROW(FAULT_RIBBON_END, "ribbon-end", "marker-supply-empty-error", FAULT_WAIT,
		N_("The ribbon is used up, torn or missing"), N_("Put in a new ribbon of the same kind")),
	ROW(FAULT_RIBBON_WRONG, "ribbon-wrong", OWN("ribbon-wrong"), FAULT_WAIT,
		N_("The printer refuses the ribbon: it is not the kind this job needs, or torn"),
		N_("Put in the ribbon that the job asks for")),
	ROW(FAULT_RIBBON_NONE, "ribbon-missing", OWN("ribbon-missing"), FAULT_WAIT,
		N_("There is no ribbon in the printer"), N_("Put in a ribbon")),
	ROW(FAULT_OUTPUT_FULL, "output-full", "output-area-full-error", FAULT_WAIT,
		N_("The box for finished cards is full"), N_("Take the finished cards out")),
	ROW(FAULT_REJECT_FULL, "reject-full", OWN("reject-box-full"), FAULT_WAIT,
		N_("The reject box is full"), N_("Empty the reject box and count its cards")),
	ROW(FAULT_HEAD_HOT, "head-hot", OWN("head-hot"), FAULT_WAIT,
		N_("The print head is too hot or reports a fault"),
		N_("Wait some minutes; if it stays, call maintenance")),
	ROW(FAULT_CLEANING_DUE, "cleaning-due", OWN("cleaning-due"), FAULT_WAIT,
		N_("The printer must be cleaned before it goes on"),
		N_("Run a cleaning card through the printer")),
	ROW(FAULT_NO_REPLY, "no-reply", "timed-out-error", FAULT_SETTLE,
		N_("The printer does not answer"),
		N_("Look whether the printer is on and shows a fault")),
	ROW(FAULT_GARBLED_REPLY, "garbled-reply", OWN("garbled-reply"), FAULT_SETTLE,
		N_("The printer's answer makes no sense"),
		N_("Check the USB cable; switch the printer off and on")),
	ROW(FAULT_REFUSED, "command-refused", OWN("command-refused"), FAULT_HALT,
		N_("The printer does not know a command that this job needs"),
		N_("Check that the queue is set up for this printer model")),
	ROW(FAULT_STALL, "usb-stall", OWN("usb-stall"), FAULT_SETTLE,
		N_("The printer broke off a transfer"),
		N_("Check the USB cable; switch the printer off and on")),
	ROW(FAULT_UNPLUGGED, "unplugged", OWN("printer-unplugged"), FAULT_SETTLE,
		N_("The connection to the printer was lost"),
		N_("Plug the USB cable in and switch the printer on")),
	ROW(FAULT_PRINTER_ABSENT, "printer-absent", OWN("printer-absent"), FAULT_WAIT,
		N_("The printer is not connected"),
		N_("Plug the USB cable in and switch the printer on")),
	ROW(FAULT_MECHANICAL, "mechanical", OWN("mechanical"), FAULT_SPOIL,
		N_("The printer reports a mechanical fault"),
		N_("Open the cover, take out any card, close the cover; if it comes back, call maintenance")),
	ROW(FAULT_CARD_MARKED, "card-marked", OWN("card-marked"), FAULT_REJECT,
		N_("Printing on this card was broken off, so it cannot be printed again"),
		N_("Nothing to do: the card is rejected and a fresh one takes its place")),
	ROW(FAULT_MAGNETIC, "magnetic", OWN("magnetic"), FAULT_REJECT,
		N_("The magnetic stripe of this card could not be written"),
		N_("If it comes back, check that the cards carry a stripe and lie the right way round")),

	ROW(FAULT_READER_ABSENT, "reader-absent", OWN("reader-absent"), FAULT_WAIT,
		N_("The chip reader is not connected"), N_("Plug the chip reader in")),
	ROW(FAULT_READER_GONE, "reader-gone", OWN("reader-gone"), FAULT_SETTLE,
		N_("The connection to the chip reader was lost"), N_("Plug the chip reader in")),
	ROW(FAULT_NO_CHIP, "no-chip", OWN("no-chip"), FAULT_REJECT,
		N_("No chip answers on this card"),
		N_("Check that chip cards are in the feeder, the right way round")),
	ROW(FAULT_CHIP_TYPE, "chip-type", OWN("chip-type"), FAULT_REJECT,
		N_("The card carries another kind of chip than this job needs"),
		N_("Put cards with the right chip into the feeder")),
	ROW(FAULT_CHIP_USED, "chip-used", OWN("chip-used"), FAULT_REJECT,
		N_("The chip of this card is not blank"), N_("Put blank cards into the feeder")),
	ROW(FAULT_CHIP_REMOVED, "chip-removed", OWN("chip-removed"), FAULT_REJECT,
		N_("The chip stopped answering while it was written"),
		N_("If it comes back, have the chip station adjusted")),
	ROW(FAULT_CHIP_WRITE, "chip-write", OWN("chip-write"), FAULT_REJECT,
		N_("The chip could not be written"), N_("If it comes back, try cards of another box")),
	ROW(FAULT_CHIP_VERIFY, "chip-verify", OWN("chip-verify"), FAULT_REJECT,
		N_("The chip does not hold what was written"),
		N_("If it comes back, try cards of another box")),
	ROW(FAULT_CHIP_TRAILER, "chip-trailer", OWN("chip-trailer"), FAULT_REJECT,
		N_("The keys of the chip could not be set"),
		N_("If it comes back, try cards of another box")),
	ROW(FAULT_CHIP_TWO, "chip-two", OWN("chip-two"), FAULT_REJECT,
		N_("More than one chip answers at the station"),
		N_("Take other cards away from the printer; check that cards do not stick together")),
	ROW(FAULT_UID_ISSUED, "uid-issued", OWN("uid-issued"), FAULT_REJECT,
		N_("A card with this chip number was issued before"),
		N_("Keep the rejected card aside and show it to the supervisor")),
	ROW(FAULT_KEYS, "keys", OWN("keys"), FAULT_HALT,
		N_("The card keys are not available"), N_("Have an administrator check the key file")),

	ROW(FAULT_LEDGER, "ledger", OWN("ledger"), FAULT_HALT,
		N_("The ledger cannot be written"),
		N_("Have an administrator check the disk, then resume the queue")),
	ROW(FAULT_WORKER_DIED, "worker-died", OWN("worker-died"), FAULT_HALT,
		N_("The printing program ended unexpectedly"),
		N_("Look whether a card is in the printer, then resume the queue")),
};
/* clang-format on */

const struct fault_row *
fault_row(int fault)
{
	return &faults[fault > FAULT_NONE && fault < FAULT_COUNT ? fault : FAULT_NONE];
}

const struct fault_row *
fault_by_code(const char *code)
{
	for (size_t i = 0; i < FAULT_COUNT; i++)
		if (strcmp(faults[i].code, code) == 0)
			return &faults[i];
	return NULL;
}

int
fault_set(struct err *e, enum fault fault, const char *raw)
{
	const struct fault_row *row = fault_row((int)fault);
	int code = row->action == FAULT_SETTLE ? ERR_DOUBT : ERR_FAULT;

	err_set(e, code, "%s. %s.", _(row->cause), _(row->remedy));
	if (!e)
		return code;
	e->fault = (int)row->fault;
	if (raw && raw[0])
		err_raw(e, raw, strlen(raw));
	return code;
}

int
fault_say(struct err *e, enum fault fault, const char *raw, const char *text)
{
	int code = fault_set(e, fault, raw);

	if (e)
		snprintf(e->text, sizeof e->text, "%s", text);
	return code;
}
