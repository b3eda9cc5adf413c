#!/bin/sh
# cardspool pack as an administrator meets it: each bad input gives a line that names the place, the documented
# exit status, and no batch. No line shows a holder's name or number.
#
# SPDX-License-Identifier: GPL-3.0-or-later
set -u
cardspool=${builddir:-.}/cardspool
data=${srcdir:-.}/tests/data
dir=$(mktemp -d "${TMPDIR:-/tmp}/check-pack.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT
cases=0
failed=0

# expect NAME STATUS TEXT ARGUMENTS...: runs pack, compares status and message, wants no file on failure
expect()
{
	name=$1 status=$2 text=$3
	shift 3
	rm -f "$dir/out.cards"
	"$cardspool" pack --templates "${srcdir:-.}/templates" "$@" >"$dir/stdout" 2>"$dir/stderr"
	got=$?
	problem=
	test $got -eq "$status" || problem="status $got, not $status"
	grep -qF -- "$text" "$dir/stdout" "$dir/stderr" || problem="$problem; no line with: $text"
	test "$status" -eq 0 || ! test -e "$dir/out.cards" || problem="$problem; a batch was written"
	! ls "$dir"/out.cards.* >/dev/null 2>&1 || problem="$problem; a temporary file was left"
	! grep -qE '张|T110105|11010519' "$dir/stdout" "$dir/stderr" || problem="$problem; a holder is shown"
	cases=$((cases + 1))
	if test -n "$problem"; then
		failed=$((failed + 1))
		echo "not ok $cases - $name: $problem"
		sed 's/^/# /' "$dir/stdout" "$dir/stderr"
	else
		echo "ok $cases - $name"
	fi
}

header=证号,姓名,作业类别,准操项目,有效期从,有效期到
row=T110105199003070017,张伟,电工作业,低压电工作业,20210305,20270305
mkdir "$dir/photos"
cp "$data/photos/T110105199003070017.jpg" "$dir/photos/0001.jpg"

# roster NAME LINES...
roster()
{
	file=$dir/$1
	shift
	printf '%s\n' "$@" >"$file"
}

out="-o $dir/out.cards"
expect "a good roster" 0 "6 records, 6 photos" "$data/roster.csv" $out
expect "as JSON" 0 '"records": 6' --json --order 2026-1 "$data/roster.csv" $out
expect "in GB18030" 0 "6 records" --photos "$data/photos" "$data/roster-gb18030.csv" $out

roster r.csv $header $row
expect "one record" 0 "1 record, 1 photo," "$dir/r.csv" $out
roster r.csv ${header%,*} ${row%,*}
expect "a required column is missing" 65 "r.csv: line 1: the required column 有效期到 is missing" "$dir/r.csv" $out
roster r.csv $header,备注 $row,x
expect "an unknown column" 65 "r.csv: line 1: the column 备注 is not known" "$dir/r.csv" $out
printf '%s\n%s\n\377\n' $header $row >"$dir/r.csv"
expect "broken bytes" 65 "r.csv: line 3: bytes that are not UTF-8" "$dir/r.csv" $out
roster r.csv $header T110105199003070017,一二三四五六七八九十一二三四,a,b,20210305,20270305
expect "a name too long" 65 "r.csv: record 1 (line 2): field 姓名: 28 bytes in GBK, at most 26 fit; shorten it." \
	"$dir/r.csv" $out
roster r.csv $header T110105199003070017,李㐀,a,b,20210305,20270305
expect "a character GBK lacks" 65 "r.csv: record 1 (line 2): field 姓名: the character U+3400" "$dir/r.csv" $out
roster r.csv $header T110105199003070018,李,a,b,20210305,20270305
expect "a wrong check digit" 65 "r.csv: record 1 (line 2): field 证号: the check digit" "$dir/r.csv" $out
roster r.csv $header T110105199003070017,李,a,b,20210229,20270305
expect "a day that does not exist" 65 "r.csv: record 1 (line 2): field 有效期从" "$dir/r.csv" $out
roster r.csv $header $row $row
expect "the same number twice" 65 "r.csv: record 2 (line 3): field 证号: the same value as in record 1" "$dir/r.csv" $out
: >"$dir/r.csv"
expect "an empty file" 65 "r.csv: is empty" "$dir/r.csv" $out
expect "no such roster" 66 "none.csv" "$dir/none.csv" $out

roster r.csv $header $row
expect "no such folder of photos" 66 "$dir/none" --photos "$dir/none" "$dir/r.csv" $out
mv "$dir/photos/0001.jpg" "$dir/good.jpg"
expect "no photo" 66 "r.csv: record 1 (line 2): field 照片: no photo" "$dir/r.csv" $out
{ cat "$dir/good.jpg"; head -c 20000 /dev/zero; } >"$dir/photos/0001.jpg"
expect "a photo too large" 65 "r.csv: record 1 (line 2): field 照片 (0001.jpg): the photo has 2" "$dir/r.csv" $out
echo "not a picture" >"$dir/photos/0001.jpg"
expect "not an image" 65 "field 照片 (0001.jpg): the photo is neither a JPEG nor a BMP" "$dir/r.csv" $out
head -c 2500 "$dir/good.jpg" >"$dir/photos/0001.jpg"
expect "half a photo" 65 "field 照片 (0001.jpg): the JPEG photo is damaged" "$dir/r.csv" $out
rm "$dir/photos/0001.jpg"
# 2 x 1 pixels, one bit each
printf 'BM\106\0\0\0\0\0\0\0\076\0\0\0\050\0\0\0\002\0\0\0\001\0\0\0\001\0\001\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\377\377\377\0\377\0\0\0' \
	>"$dir/photos/0001.bmp"
expect "a photo of the wrong shape" 65 "field 照片 (0001.bmp): the photo is 2 wide and 1 high" "$dir/r.csv" $out
rm "$dir/photos/0001.bmp"
# 4 x 5 pixels, 24 bits, all red
{
	printf 'BM\162\0\0\0\0\0\0\0\066\0\0\0\050\0\0\0\004\0\0\0\005\0\0\0\001\0\030\0\0\0\0\0\074\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
	i=0
	while test $i -lt 20; do
		printf '\0\0\377'
		i=$((i + 1))
	done
} >"$dir/photos/0001.bmp"
expect "a photo before a red wall" 0 "warning: r.csv: record 1 (line 2): field 照片 (0001.bmp): the ground behind the head" \
	"$dir/r.csv" $out
expect "and its count" 0 "1 photo, 1 warning," "$dir/r.csv" $out
expect "and as JSON" 0 '"warnings": 1' --json "$dir/r.csv" $out
mkdir -p "$dir/templates/special-operation"
cp "${srcdir:-.}/templates/special-operation/chip.map" "$dir/templates/special-operation"
sed 's/^photo .*/& other-ground=refuse/' "${srcdir:-.}/templates/special-operation/record.schema" \
	>"$dir/templates/special-operation/record.schema"
expect "where the template is strict" 65 "the ground behind the head is not white or blue" --templates "$dir/templates" \
	"$dir/r.csv" $out
rm "$dir/photos/0001.bmp"
mv "$dir/good.jpg" "$dir/photos/0001.jpg"

expect "an unknown template" 66 "special-operation" --template gold "$dir/r.csv" $out
expect "a template outside the folder" 66 "There is no template" --template ../templates "$dir/r.csv" $out
expect "no output named" 64 "-o FILE.cards" "$dir/r.csv"
expect "two rosters" 64 "name one roster" "$dir/r.csv" "$dir/r.csv" $out
expect "an unknown option" 64 "--colour" --colour "$dir/r.csv" $out
expect "an order number too long" 64 "order number" --order "$(printf '%064d' 0)" "$dir/r.csv" $out
expect "a folder that cannot be written" 74 "/nonexistent/out.cards" "$dir/r.csv" -o /nonexistent/out.cards
expect "a device for a file" 64 "is not a file" "$dir/r.csv" -o /dev/null
expect "the roster for a batch" 64 "is the roster itself" "$dir/r.csv" -o "$dir/r.csv"

# Sixty wrong records: fifty lines, the count of the rest, one summary.
{
	echo $header
	i=0
	while test $i -lt 60; do
		echo "T1,李,a,b,20210305,20270305"
		i=$((i + 1))
	done
} >"$dir/r.csv"
expect "many problems" 65 "more problems" "$dir/r.csv" $out
expect "many problems as JSON" 65 '"status": 65' --json "$dir/r.csv" $out

echo "1..$cases"
test $failed -eq 0
