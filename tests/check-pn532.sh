#!/bin/sh
# The emulated reader and chip under libnfc's own tools, unmodified: what they find and read must be
# what the chip holds.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
emulator=${builddir:-.}/tests/emulator-pn532
for tool in nfc-list nfc-mfclassic; do
	command -v $tool >/dev/null || { echo "$tool is missing (Debian: libnfc-bin)"; exit 77; }
done
dir=$(mktemp -d "${TMPDIR:-/tmp}/check-pn532.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0

# fail TEXT: says what went wrong and shows the tool's words
fail()
{
	echo "FAIL: $1"
	cat "$dir/out"
	failed=1
}

# emulate OPTION... -- COMMAND...: runs the command against a reader at $dir/port
emulate()
{
	"$emulator" "$@" >"$dir/out" 2>&1
}

# expect TEXT WHAT
expect()
{
	grep -q "$1" "$dir/out" || fail "$2"
}

# Offsets (from 1) that differ, apart from the key B bytes of trailers: nfc-mfclassic writes zeros there
# when it read with key A.
differences()
{
	cmp -l "$1" "$2" | awk '{ o = $1 - 1; if (!(o % 64 >= 58)) print o }'
}

for registers in quiet odd; do
	emulate --control "registers $registers" --uid 04A1B2C3 "$dir/port" nfc-list ||
		fail "nfc-list ended with an error (registers $registers)"
	expect '04  a1  b2  c3' "nfc-list does not show the UID (registers $registers)"
	expect '1 ISO14443A passive' "nfc-list does not find one card (registers $registers)"
done
emulate --uid 04A1B2C3D4E5F6 "$dir/port" nfc-list -v
expect '04  a1  b2  c3  d4  e5  f6' "nfc-list does not show a UID of seven bytes"
expect '0 ISO14443B passive' "nfc-list -v does not poll to the end"
emulate --uid 04A1B2C3 --uid 1122334C "$dir/port" nfc-list
expect '2 ISO14443A passive' "nfc-list does not find both of two cards"
emulate --empty "$dir/port" nfc-list -v
expect '0 ISO14443A passive' "nfc-list finds a card in an empty field"
emulate --kind ntag213 "$dir/port" nfc-list
expect 'SAK.*: 00' "nfc-list does not show another type of chip"

for uid in 04A1B2C3 04A1B2C3D4E5F6; do
	emulate --uid $uid --fill --image "$dir/chip.img" "$dir/port" \
		nfc-mfclassic r A u "$dir/dump.mfd" || fail "nfc-mfclassic cannot read $uid"
	expect '64 of 64 blocks read' "nfc-mfclassic did not read every block of $uid"
	different=$(differences "$dir/dump.mfd" "$dir/chip.img")
	test -z "$different" || fail "the dump of $uid differs from the chip at: $different"
done

# The comparison itself must be able to fail: another chip's memory is different.
emulate --uid 04A1B2C4 --image "$dir/other.img" "$dir/port" true
test -n "$(differences "$dir/dump.mfd" "$dir/other.img")" || fail "two different chips look equal"

# A host that is killed in the middle leaves a port that the next one can use.
emulate --timing --fill --image "$dir/chip.img" "$dir/port" sh -c '
	timeout -s KILL 0.2 nfc-mfclassic r A u "$1/cut.mfd"
	nfc-mfclassic r A u "$1/dump.mfd"' sh "$dir"
expect '64 of 64 blocks read' "the port is stuck after a host was killed"
exit $failed
