#!/bin/sh
# The emulated Zebra printers as a whole: a libusb client makes a card with each model.
# Exit 77 only when the kernel refuses namespaces or seccomp.
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
builddir=${builddir:-.}
emu=$builddir/cardspool-emulator
probe=$builddir/tests/usb-probe-epcl
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
bad=0

fail() {
	echo "FAIL: $*"
	bad=1
}

net=-n
"$emu" $net --run true 2>/dev/null || net=
"$emu" $net --run true
case $? in
0) ;;
77) exit 77 ;;
*) fail "a run of true"; exit 1 ;;
esac

for row in p310i:0a01 p330i:0a02 p430i:0a03 p120i:0050 p520i:0a04; do
	model=${row%:*}
	before=$bad
	timeout 60 "$emu" $net --model "$model" --serial "Z-$model" --out "$dir/$model" --control "$dir/console" \
		--log "$dir/$model.log" --run "$probe" "${row#*:}" "$dir/console" ||
		fail "$model: usb-probe-epcl: exit status $?"
	python3 - "$dir/$model" <<'PY' || fail "$model: the card"
import json, struct, sys, zlib

def rgb(path):
    data = open(path, 'rb').read()
    at, packed = 8, b''
    while at < len(data):
        n, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + n]
        if kind == b'IHDR': width, height = struct.unpack('>II', body[:8])
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
card = json.load(open(f'{out}/0001/card.json'))
assert card['bin'] == 'good' and card['panels'] == {'front': 'yko', 'back': ''}, card
width, height, rows = rgb(f'{out}/0001/front.png')
assert (width, height) == (1024, 640), (width, height)
want = bytes(3) + b'\xff' * (511 * 3) + b'\xff\xff\x00' * 512
assert all(row == want for row in rows), rows[0][:12]
state = json.load(open(f'{out}/printer.json'))
assert (state['good'], state['ribbon']['left'], state['panels']) == (1, 199, 3), state
PY
	[ "$(grep '^strict:' "$dir/$model.log" | cut -c1-26)" = "strict: refused: Nonsense" ] ||
		[ "$model" = p120i ] || fail "$model: $(grep '^strict:' "$dir/$model.log")"
	[ $bad -ne $before ] || echo "ok - $model"
done

exit $bad
