/*
 * ifd.c - a reader handler for pcscd whose reader is a socket of the emulator.
 *
 * Loaded into pcscd; DEVICENAME of reader.conf is the socket's path. Owns one connection for each
 * slot, made when it is first needed and dropped on any error, so that neither side minds the other
 * starting again. On failure: "no card". Never listens anywhere. pcsc.h of the emulator draws the
 * messages.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include <ifdhandler.h>
#include <reader.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { SLOTS_MAX = 32, MESSAGE_MAX = 4096, ANSWER_TIMEOUT_S = 10 };
enum { POWER_OFF = 0, POWER_ON = 1, POWER_RESET = 2, ASK_ATR = 4, ASK_PLACE = 5, NO_READER = 0xff };

struct slot {
	bool used;
	DWORD lun;
	pthread_mutex_t talk; /* pcscd asks for attributes while it looks for cards */
	int fd;               /* -1: not connected */
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	uint8_t atr[MAX_ATR_SIZE];
	size_t atr_len;
};

static struct slot slots[SLOTS_MAX];
static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;

static struct slot *
slot_find(DWORD lun)
{
	struct slot *found = NULL;

	pthread_mutex_lock(&slots_lock);
	for (size_t i = 0; i < SLOTS_MAX && !found; i++)
		if (slots[i].used && slots[i].lun == lun)
			found = &slots[i];
	pthread_mutex_unlock(&slots_lock);
	return found;
}

static void
slot_drop(struct slot *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static bool
slot_connect(struct slot *s)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = ANSWER_TIMEOUT_S};

	if (s->fd >= 0)
		return true;
	memcpy(address.sun_path, s->path, sizeof address.sun_path);
	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0)
		return false;
	setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(s->fd, (struct sockaddr *)&address, sizeof address) == 0)
		return true;
	slot_drop(s);
	return false;
}

static bool
bytes_receive(int fd, uint8_t *to, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, to, len, MSG_WAITALL);
		if (n <= 0)
			return false;
		to += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
message_send(struct slot *s, const uint8_t *body, size_t len)
{
	uint8_t message[2 + MESSAGE_MAX] = {(uint8_t)(len >> 8), (uint8_t)len};

	if (len > MESSAGE_MAX || !slot_connect(s))
		return false;
	memcpy(message + 2, body, len);
	bool sent = send(s->fd, message, 2 + len, MSG_NOSIGNAL) == (ssize_t)(2 + len);
	explicit_bzero(message, sizeof message);
	if (!sent)
		slot_drop(s);
	return sent;
}

/* True with *len bytes in out; an answer longer than max is an error. */
static bool
message_exchange(
	struct slot *s, const uint8_t *body, size_t body_len, uint8_t *out, size_t max, size_t *len)
{
	uint8_t head[2];
	bool good = false;

	pthread_mutex_lock(&s->talk);
	bool sent = message_send(s, body, body_len);
	if (sent && bytes_receive(s->fd, head, sizeof head)) {
		*len = (size_t)(head[0] << 8 | head[1]);
		good = *len <= max && bytes_receive(s->fd, out, *len);
	}
	if (sent && !good)
		slot_drop(s);
	pthread_mutex_unlock(&s->talk);
	return good;
}

static bool
control_send(struct slot *s, uint8_t code)
{
	pthread_mutex_lock(&s->talk);
	bool sent = message_send(s, &code, 1);
	pthread_mutex_unlock(&s->talk);
	return sent;
}

static bool
atr_ask(struct slot *s)
{
	const uint8_t ask = ASK_ATR;

	if (!message_exchange(s, &ask, 1, s->atr, sizeof s->atr, &s->atr_len) ||
		(s->atr_len == 1 && s->atr[0] == NO_READER))
		s->atr_len = 0;
	return s->atr_len > 0;
}

RESPONSECODE
IFDHCreateChannelByName(DWORD lun, LPSTR device)
{
	RESPONSECODE rc = IFD_COMMUNICATION_ERROR;

	pthread_mutex_lock(&slots_lock);
	for (size_t i = 0; i < SLOTS_MAX && rc != IFD_SUCCESS; i++) {
		if (slots[i].used || strlen(device) >= sizeof slots[i].path)
			continue;
		slots[i] = (struct slot){.used = true, .lun = lun, .fd = -1};
		pthread_mutex_init(&slots[i].talk, NULL);
		snprintf(slots[i].path, sizeof slots[i].path, "%s", device);
		rc = IFD_SUCCESS;
	}
	pthread_mutex_unlock(&slots_lock);
	return rc;
}

RESPONSECODE
IFDHCreateChannel(DWORD lun, DWORD channel)
{
	(void)lun;
	(void)channel;
	return IFD_NOT_SUPPORTED;
}

RESPONSECODE
IFDHCloseChannel(DWORD lun)
{
	struct slot *s = slot_find(lun);

	if (!s)
		return IFD_COMMUNICATION_ERROR;
	slot_drop(s);
	pthread_mutex_lock(&slots_lock);
	s->used = false;
	pthread_mutex_unlock(&slots_lock);
	return IFD_SUCCESS;
}

static RESPONSECODE
byte_give(PDWORD length, PUCHAR value, uint8_t byte)
{
	if (*length < 1)
		return IFD_ERROR_INSUFFICIENT_BUFFER;
	*length = 1;
	*value = byte;
	return IFD_SUCCESS;
}

/* As libccid has it: 0020, bus, address. */
static RESPONSECODE
channel_give(struct slot *s, PDWORD length, PUCHAR value)
{
	const uint8_t ask = ASK_PLACE;
	uint8_t place[2];
	uint32_t channel = 0x20u << 16;
	size_t len = 0;

	if (!message_exchange(s, &ask, 1, place, sizeof place, &len) || len < sizeof place)
		return IFD_ERROR_TAG;
	if (*length < sizeof channel)
		return IFD_ERROR_INSUFFICIENT_BUFFER;
	channel |= (uint32_t)place[0] << 8 | place[1];
	*length = sizeof channel;
	memcpy(value, &channel, sizeof channel);
	return IFD_SUCCESS;
}

RESPONSECODE
IFDHGetCapabilities(DWORD lun, DWORD tag, PDWORD length, PUCHAR value)
{
	struct slot *s = slot_find(lun);

	if (!s)
		return IFD_COMMUNICATION_ERROR;
	switch (tag) {
	case TAG_IFD_ATR:
	case SCARD_ATTR_ATR_STRING:
		if (*length < s->atr_len)
			return IFD_ERROR_INSUFFICIENT_BUFFER;
		*length = s->atr_len;
		memcpy(value, s->atr, s->atr_len);
		return IFD_SUCCESS;
	case SCARD_ATTR_CHANNEL_ID:
		return channel_give(s, length, value);
	case TAG_IFD_SIMULTANEOUS_ACCESS:
		return byte_give(length, value, SLOTS_MAX);
	case TAG_IFD_THREAD_SAFE:
	case TAG_IFD_SLOTS_NUMBER:
		return byte_give(length, value, 1);
	default:
		return IFD_ERROR_TAG;
	}
}

RESPONSECODE
IFDHSetCapabilities(DWORD lun, DWORD tag, DWORD length, PUCHAR value)
{
	(void)lun;
	(void)tag;
	(void)length;
	(void)value;
	return IFD_NOT_SUPPORTED;
}

RESPONSECODE
IFDHSetProtocolParameters(
	DWORD lun, DWORD protocol, UCHAR flags, UCHAR pts1, UCHAR pts2, UCHAR pts3)
{
	(void)lun;
	(void)protocol;
	(void)flags;
	(void)pts1;
	(void)pts2;
	(void)pts3;
	return IFD_SUCCESS;
}

RESPONSECODE
IFDHPowerICC(DWORD lun, DWORD action, PUCHAR atr, PDWORD atr_length)
{
	struct slot *s = slot_find(lun);
	uint8_t code = action == IFD_POWER_DOWN ? POWER_OFF
		       : action == IFD_POWER_UP ? POWER_ON
						: POWER_RESET;

	*atr_length = 0;
	if (!s || !control_send(s, code))
		return action == IFD_POWER_DOWN ? IFD_SUCCESS : IFD_ERROR_POWER_ACTION;
	if (action == IFD_POWER_DOWN) {
		s->atr_len = 0;
		return IFD_SUCCESS;
	}
	if (!atr_ask(s))
		return IFD_ERROR_POWER_ACTION;
	memcpy(atr, s->atr, s->atr_len);
	*atr_length = s->atr_len;
	return IFD_SUCCESS;
}

RESPONSECODE
IFDHTransmitToICC(DWORD lun, SCARD_IO_HEADER send_pci, PUCHAR apdu, DWORD apdu_length, PUCHAR reply,
	PDWORD reply_length, PSCARD_IO_HEADER receive_pci)
{
	struct slot *s = slot_find(lun);
	size_t len = 0;
	size_t max = *reply_length;

	(void)send_pci;
	(void)receive_pci;
	*reply_length = 0;
	/* one byte would be taken for a control code; no APDU is that short */
	if (!s || apdu_length < 2 || !message_exchange(s, apdu, apdu_length, reply, max, &len) ||
		len == 0)
		return IFD_ICC_NOT_PRESENT;
	*reply_length = len;
	return IFD_SUCCESS;
}

RESPONSECODE
IFDHControl(DWORD lun, DWORD code, PUCHAR in, DWORD in_length, PUCHAR out, DWORD out_length,
	LPDWORD returned)
{
	(void)lun;
	(void)in;
	(void)in_length;
	(void)out;
	(void)out_length;
	*returned = 0;
	return code == SCARD_CTL_CODE(3500) || code == SCARD_CTL_CODE(1) ? IFD_SUCCESS
									 : IFD_NOT_SUPPORTED;
}

RESPONSECODE
IFDHICCPresence(DWORD lun)
{
	struct slot *s = slot_find(lun);
	uint8_t atr[MAX_ATR_SIZE];
	const uint8_t ask = ASK_ATR;
	size_t len;

	if (!s || !message_exchange(s, &ask, 1, atr, sizeof atr, &len) || len == 0)
		return IFD_ICC_NOT_PRESENT;
	return len == 1 && atr[0] == NO_READER ? IFD_COMMUNICATION_ERROR : IFD_ICC_PRESENT;
}
