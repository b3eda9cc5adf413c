#!/bin/sh
# The emulator as a whole: real libusb, lsusb and nfc-list inside `cardspool-emulator --run`.
# Exit 77 only when the kernel refuses namespaces or seccomp.
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
builddir=${builddir:-.}
emu=$builddir/cardspool-emulator
probe=$builddir/tests/usb-probe
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
bad=0

fail() {
	echo "FAIL: $*"
	bad=1
}

# Plug events reach every libusb of a network namespace: a private one where the kernel allows it.
net=-n
"$emu" $net --run true 2>/dev/null || net=
"$emu" $net --run true
case $? in
0) ;;
77) exit 77 ;;
*) fail "a run of true"; exit 1 ;;
esac

"$emu" $net --run sh -c 'exit 5'
[ $? -eq 5 ] || fail "the exit status of the program is lost"
"$emu" $net --run sh -c 'kill -9 $$'
[ $? -eq 137 ] || fail "the end by a signal is lost"
"$emu" $net --run /nowhere/nothing 2>/dev/null
[ $? -eq 127 ] || fail "a program that is not there"

for part in basic job faults plug; do
	timeout 60 "$emu" $net --out "$dir/$part" --control "$dir/console" --log "$dir/$part.log" \
		--run "$probe" $part "$dir/console" || fail "usb-probe $part: exit status $?"
done

# What the job left: one good colour card with a yellow and a black dot, one rejected blank.
python3 - "$dir/job" <<'PY' || fail "the cards of the job"
import hashlib, json, os, struct, sys, zlib

def rgb(path):
    data = open(path, 'rb').read()
    at, packed = 8, b''
    while at < len(data):
        n, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + n]
        if kind == b'IHDR': width, height = struct.unpack('>II', body[:8])
        if kind == b'pHYs': assert struct.unpack('>II', body[:8]) == (11811, 11811)
        if kind == b'IDAT': packed += body
        at += 12 + n
    raw, rows, stride = zlib.decompress(packed), [], width * 3
    for y in range(height):
        row = bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        if raw[y * (stride + 1)] == 1:
            for i in range(3, stride): row[i] = (row[i] + row[i - 3]) & 255
        rows.append(bytes(row))
    return width, height, rows

out = sys.argv[1]
good, bad = (json.load(open(f'{out}/{n}/card.json')) for n in ('0001', '0002'))
assert good['bin'] == 'good' and bad['bin'] == 'reject', (good, bad)
assert good['panels'] == {'front': 'yko', 'back': ''} and good['overlay']['front'], good
assert good['uid'] != bad['uid'] and len(good['uid']) == 8
assert not os.path.exists(f'{out}/0002/front.png') and not os.path.exists(f'{out}/0001/back.png')
for name, digest in good['sha256'].items():
    assert hashlib.sha256(open(f'{out}/0001/{name}', 'rb').read()).hexdigest() == digest, name
chip = open(f'{out}/0001/chip.mfd', 'rb').read()
assert len(chip) == 1024 and chip[:4].hex() == good['uid']
width, height, rows = rgb(f'{out}/0001/front.png')
assert (width, height) == (1016, 648)
assert rows[0][:3] == bytes((255, 255, 0)), rows[0][:3]
assert rows[0][-3:] == bytes((0, 0, 0)), rows[0][-3:]
assert b"".join(rows).count(0) == 4
state = json.load(open(f'{out}/printer.json'))
assert (state['good'], state['reject'], state['hopper'], state['life']) == (1, 1, 98, 1), state
assert state['ribbon']['left'] == 199, state
assert not [n for n in os.listdir(out) if n.endswith('.part')]
PY
grep -q '^strict: ERROR CDE: Nonsense' "$dir/job.log" || fail "an unknown command is not in the log"

# The same seed gives the same cards, another seed others.
uids() { timeout 20 "$emu" $net --seed "$1" --hopper 3 --control "$dir/s" --run "$emu" --tell "$dir/s" stat |
	tr ',' '\n' | grep '"uid"'; }
[ "$(uids 7)" = "$(uids 7)" ] || fail "one seed, two sets of cards"
[ "$(uids 7)" != "$(uids 8)" ] || fail "two seeds, one set of cards"

# Several at once, two of them with one serial number: each with its own cards, faults and plug.
cat >"$dir/several" <<'SH'
tell() { "$emu" --tell "$con" "$@" || echo "refused: $*"; }
nodes() { ls /dev/bus/usb/001 | wc -l; }
[ "$(nodes)" -eq 4 ] || echo "nodes: $(nodes)"
tell @A unplug
[ "$(nodes)" -eq 3 ] || echo "nodes after an unplug: $(nodes)"
[ "$(cat /sys/bus/usb/devices/*/serial | grep -c '^[AB]$')" -eq 2 ] || echo "serial numbers in sysfs"
tell @A plug
tell @3 cover open
tell @2 hopper empty
case $("$emu" --tell "$con" stat) in "["*) ;; *) echo "not a list" ;; esac
case $("$emu" --tell "$con" @3 stat) in *'"cover_open":true'*) ;; *) echo "@3 has no open cover" ;; esac
case $("$emu" --tell "$con" @2 stat) in *'"cover_open":false'*'"hopper":0'* | *'"hopper":0'*'"cover_open":false'*) ;; *) echo "@2" ;; esac
"$emu" --tell "$con" @nobody stat >/dev/null && echo "nobody answered"
exit 0
SH
said=$(emu=$emu con=$dir/console timeout 30 "$emu" $net --out "$dir/many" --control "$dir/console" \
	--printer dualys3:serial=A,hopper=3,station="$dir/reader" --printer dualys3:serial=B,ribbon=k:7 \
	--printer dualys3:serial=B --run sh "$dir/several" | grep -v '"ok":true')
[ -z "$said" ] || fail "several printers: $said"
for one in A B B.2; do
	[ -s "$dir/many/$one/printer.json" ] || fail "several printers: no counts of $one"
done
"$emu" --printer dualys3:colour=red --run true 2>/dev/null
[ $? -eq 64 ] || fail "a key of --printer that does not exist"

# Counters and ribbon outlive a run.
timeout 60 "$emu" $net --state "$dir/state" --control "$dir/console" \
	--run "$probe" job "$dir/console" || fail "usb-probe job with --state"
timeout 20 "$emu" $net --state "$dir/state" --control "$dir/console" --run "$emu" --tell "$dir/console" stat |
	grep '"left":199' | grep -q '"life":1,' || fail "counters do not outlive a run"
grep -q '"life_cards": 1' "$dir/state" || fail "the state file lost a counter"
echo nonsense >"$dir/state"
"$emu" $net --state "$dir/state" --run true 2>/dev/null && fail "a broken state file was taken"

# Strict: what the document does not allow shows in the exit status.
timeout 60 "$emu" $net --strict --control "$dir/console" --run "$probe" job "$dir/console" 2>/dev/null
[ $? -eq 65 ] || fail "--strict: an unknown command left no status"
"$emu" $net --strict --run true || fail "--strict: nothing was sent"

printf 'jam nowhere\n' >"$dir/script"
timeout 20 "$emu" $net --script "$dir/script" --run true 2>/dev/null && fail "a wrong script line was taken"

if command -v lsusb >/dev/null; then
	timeout 20 "$emu" $net --run lsusb -v >"$dir/lsusb" 2>&1 || fail "lsusb -v: exit status $?"
	grep -q 'idVendor  *0x0f49' "$dir/lsusb" || fail "lsusb -v does not show the printer"
fi
if command -v nfc-list >/dev/null; then
	timeout 20 "$emu" $net --run nfc-list >"$dir/nfc" 2>&1 || fail "nfc-list: exit status $?"
fi
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null && id lp >/dev/null 2>&1; then
	chmod 755 "$dir"
	cp "$probe" "$dir/probe" && timeout 20 "$emu" $net --run setpriv --reuid=lp --regid=lp --clear-groups \
		"$dir/probe" job || fail "the probe as user lp: exit status $?"
else
	echo "ok - the probe as another user # SKIP needs root"
fi
exit $bad
