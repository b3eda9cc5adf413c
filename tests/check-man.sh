#!/bin/sh
# check-man.sh - the manual against the programs: every command and option of the help stands in its page, the page has
# no others, every status of the table is there, and the pages are set without a warning.
set -u
doc=${srcdir:-.}/doc
build=${builddir:-.}
LC_ALL=C
export LC_ALL
failed=0

same() { # what, file of the program's, file of the page's
	if diff -u "$2" "$3" >"$folder/diff"; then
		echo "ok - $1"
	else
		echo "not ok - $1 (- program, + page)"
		cat "$folder/diff"
		failed=1
	fi
}

# Plain words of a page: macros, fonts and escaped hyphens gone.
plain() {
	sed -e 's/^\.[A-Z][A-Z]* *//' -e 's/\\f[A-Z]//g' -e 's/\\-/-/g' -e 's/" "/ /g' -e 's/"//g' "$1"
}

folder=$(mktemp -d) || exit 99
trap 'rm -rf "$folder"' EXIT

# cardspool: "noun verb option" for each command, from the help and from the .TP headings of the page.
"$build/cardspool" help | grep '^  cardspool ' | sed 's/^  cardspool //' >"$folder/calls"
calls() {
	awk '{
		key = $1
		if (NF > 1 && $2 ~ /^[a-z]+$/) key = key " " $2
		print key
		line = $0
		while (match(line, /(^|[^a-zA-Z0-9-])--?[a-z][a-z-]*/)) {
			option = substr(line, RSTART, RLENGTH)
			sub(/^[^-]/, "", option)
			if (option != "--json" && option != "--ledger" && option != "--version") print key " " option
			line = substr(line, RSTART + RLENGTH)
		}
	}' | sort -u
}
grep -vE '^(help|--version)' "$folder/calls" | calls >"$folder/program"
awk '/^\.SH JSON/ { exit } /^\.SS/ { on = 1 } on && was == ".TP" { print } { was = $0 }' "$doc/cardspool.1" >"$folder/heads"
plain "$folder/heads" | calls >"$folder/page"
same "cardspool(1) has the commands and options of the help" "$folder/program" "$folder/page"

# The emulator: its option words.
"$build/cardspool-emulator" --help | grep -oE '^  +-[-a-z, ]*' | grep -oE -e '--?[a-z][a-z-]*' | sort -u >"$folder/program"
awk '/^\.SH OPTIONS/ { on = 1; next } /^\.SH/ { on = 0 } on && was == ".TP" { print } { was = $0 }' \
	"$doc/cardspool-emulator.1" >"$folder/heads"
{ plain "$folder/heads" | grep -oE -e '--?[a-z][a-z-]*' | grep -v -e '--help'; echo --tell; } | sort -u >"$folder/page"
echo --tell >>"$folder/program"
sort -u -o "$folder/program" "$folder/program"
same "cardspool-emulator(1) has the options of the help" "$folder/program" "$folder/page"

# The statuses of err.c.
sed -n '/exit_statuses\[\]/,/^};/p' "${srcdir:-.}/filters/err.c" | grep -oE ', [0-9]+\}' | grep -oE '[0-9]+' | sort -un >"$folder/program"
sed -n '/^\.SH EXIT STATUS/,/^\.fi/p' "$doc/cardspool.1" | grep -oE '^[0-9]+' | sort -un >"$folder/page"
same "cardspool(1) has the exit statuses" "$folder/program" "$folder/page"

if command -v groff >/dev/null 2>&1; then
	for page in "$doc"/*.[1-8]; do
		said=$(groff -ww -man -Tutf8 -z "$page" 2>&1)
		if [ -z "$said" ]; then
			echo "ok - $(basename "$page") is set without a warning"
		else
			printf 'not ok - %s\n%s\n' "$(basename "$page")" "$said"
			failed=1
		fi
	done
fi
exit $failed
