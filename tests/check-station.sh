#!/bin/sh
# The release code of the chip station under unmodified libnfc, against the emulated reader and chip: a
# finished chip is byte-equal to what the data sheet's layout gives, whatever fails on the way.
# CHECK_STATION=full tries each of the 48 writes with each fault instead of a choice of them.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
emulator=${builddir:-.}/tests/emulator-pn532
encode=$(realpath "${builddir:-.}/tests/station-encode")
dir=$(mktemp -d "${TMPDIR:-/tmp}/check-station.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT
address=nfc:pn532_uart:$dir/port:115200
failed=0

fail()
{
	echo "FAIL: $1: $(cat "$dir/out")"
	failed=1
}

# run VERB OPTION...: one deed at an emulated station
run()
{
	verb=$1
	shift
	"$emulator" "$@" --image "$dir/chip" "$dir/port" "$encode" "$address" "$verb" >"$dir/out" 2>&1
}

# says TEXT WHAT: the deed's line begins with TEXT
says()
{
	case $(cat "$dir/out") in "$1"*) ;; *) fail "$2 (wanted $1)" ;; esac
}

# finished WHAT: block 0 apart, the chip is what it must be
finished()
{
	says 'ok proved 1' "$1"
	cmp -s -i 16 "$dir/chip" "$dir/expected" || fail "$1: the chip's memory is not as it must be"
}

for uid in 04A1B2C3 04A1B2C3D4E5F6; do
	"$encode" expect $uid "$dir/expected" || exit 99
	for control in 'registers quiet' 'registers odd' 'strict on'; do
		run encode --uid $uid --control "$control"
		finished "$uid, $control"
	done
	run verify --uid $uid --load "$dir/chip"
	says 'ok same' "a finished chip"
	run resume --uid $uid --load "$dir/chip"
	says 'ok proved 1 written 0 trailers 0' "a finished chip resumed"
	run encode --uid $uid --load "$dir/chip"
	says chip-used "a finished chip encoded again"
done
uid=04A1B2C3
"$encode" expect $uid "$dir/expected" || exit 99

run verify --uid $uid
says 'ok other' "a blank chip"
run encode --empty
says no-chip "an empty station"
run encode --uid 04A1B2C3 --uid 1122334C
says chip-two "two chips"
for kind in ntag213 desfire classic-4k classic-mini; do
	run encode --kind $kind
	says chip-type "$kind"
done
run encode --uid 04A1B2C3D4E5F6 --kind classic-ev1
says 'ok proved 1' "an EV1 with 7 bytes"
run encode --kind classic-ev1-random
says chip-removed "an EV1 with a random number"
cmp -s -n 32 -i 16 "$dir/chip" /dev/zero || fail "an EV1 with a random number: something was written"
run encode --used a0a1a2a3a4a5
says chip-used "a chip with other keys"

writes='1 32 33 48'
test "${CHECK_STATION:-}" = full && writes=$(seq 1 48)
for n in $writes; do
	run encode --uid $uid --lose $n
	finished "write $n lost"
	run encode --uid $uid --tear $n
	if test $n -le 32; then
		finished "write $n torn"
	else
		says chip-trailer "trailer write $n torn"
		run resume --uid $uid --load "$dir/chip"
		says chip-trailer "trailer write $n torn, resumed"
	fi
	run encode --uid $uid --remove $n
	says chip-removed "removed before write $n"
	run resume --uid $uid --load "$dir/chip"
	finished "removed before write $n, resumed"
done

# The reader's line: a response lost, noise, a broken check byte, a status byte.
for n in 1 17 40 70 150; do
	run encode --uid $uid --control "drop $n"
	finished "response $n lost"
done
for status in 01 02 13 14; do
	run encode --uid $uid --control "status $status"
	finished "status $status"
done
run encode --control mute
says reader-absent "a reader that says nothing"
"$encode" "nfc:pn532_uart:$dir/nothing:115200" select >"$dir/out"
says reader-absent "no such port"

# One user of a reader at a time, whatever name it goes by.
"$emulator" "$dir/port" sh -c '
	ln -sf "$2/port" "$2/alias"
	flock -n "$2/port" "$1" "nfc:pn532_uart:$2/alias:115200" select' sh "$encode" "$dir" >"$dir/out" 2>&1
grep -q 'in use' "$dir/out" || fail "a second user of the reader"
# No key in any output, even when the environment asks libnfc for its log.
LIBNFC_LOG_LEVEL=3 run encode --uid $uid
test "$(wc -l <"$dir/out")" = 1 || fail "libnfc wrote a log"
exit $failed
