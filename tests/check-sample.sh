#!/bin/sh
# The invented people: the same on every run, with right check digits, no number twice, a photo each.
# The check digit is worked out here a second way (weights of ISO 7064 MOD 11-2 as the usual list).
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
sample=${builddir:-.}/cardspool-sample
dir=$(mktemp -d "${TMPDIR:-/tmp}/check-sample.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0
fail()
{
	echo "FAIL: $1"
	failed=1
}

"$sample" "$dir/a" || fail "cardspool-sample ended with an error"
"$sample" "$dir/b" || fail "cardspool-sample ended with an error the second time"
diff -r "$dir/a" "$dir/b" >/dev/null || fail "two runs differ"
test "$(wc -l <"$dir/a/roster.csv")" -eq 21 || fail "the roster does not have 20 records"
test "$(head -c 6 "$dir/a/roster.csv")" = 证号 || fail "the roster does not begin with its first field"

"$sample" "$dir/c" 60 || fail "cardspool-sample 60 ended with an error"
numbers=$(tail -n +2 "$dir/c/roster.csv" | cut -d, -f1)
test "$(echo "$numbers" | sort -u | wc -l)" -eq 60 || fail "a certificate number comes twice"
echo "$numbers" | grep -q '^TM' || fail "no number of coal-mine safety"
echo "$numbers" | grep -q 'X$' || fail "no check digit is an X"
wrong=$(echo "$numbers" | sed 's/^TM*//' | awk '{
	n = split("7 9 10 5 8 4 2 1 6 3 7 9 10 5 8 4 2", w, " ")
	sum = 0
	for (i = 1; i <= n; i++)
		sum += w[i] * substr($0, i, 1)
	if (length($0) != 18 || substr($0, 18) != substr("10X98765432", sum % 11 + 1, 1))
		print
}')
test -z "$wrong" || fail "wrong check digit: $wrong"
for number in $numbers; do
	photo=$(ls "$dir/c/photos/$number".*)
	test "$(wc -c <"$photo")" -le 20480 || fail "$photo is larger than 20 KB"
done
test "$(md5sum "$dir"/c/photos/* | cut -d' ' -f1 | sort -u | wc -l)" -eq 60 || fail "two photos are equal"
exit $failed
