#!/bin/sh
# check-cardspool.sh - the command line's frame: help, messages and exit statuses without a printer.
set -u
cardspool=${builddir:-.}/cardspool
folder=$(mktemp -d) || exit 99
trap 'rm -rf "$folder"' EXIT
CARDSPOOL_CONF=$folder/conf
LC_ALL=C
export CARDSPOOL_CONF LC_ALL
printf '[paths]\nledger=%s/ledger.db\n' "$folder" >"$CARDSPOOL_CONF"
echo 'a shopping list' >"$folder/list"
failed=0

is() { # status, words that must be shown, call...
	status=$1 words=$2
	shift 2
	shown=$("$cardspool" "$@" 2>&1)
	got=$?
	case $shown in
	*"$words"*) found=yes ;;
	*) found=no ;;
	esac
	if [ "$got" -eq "$status" ] && [ $found = yes ]; then
		printf 'ok - %s\n' "$*"
	else
		printf 'not ok - %s: status %s, wanted %s with "%s"; shown:\n%s\n' "$*" "$got" "$status" "$words" "$shown"
		failed=1
	fi
}

is 0 'cardspool ' --version
is 0 'cardspool ledger verify' help
is 0 'cardspool card resolve ID' help card
is 0 'cardspool card show ID' card show --help
is 64 'Say what to do'
is 64 'There is no command "frob"' frob
is 64 'There is no command "card frob"' card frob
is 64 '"card" needs a second word' card
is 64 'The call is: cardspool job show' job show
is 64 '"--bogus" is not understood' card list --bogus
is 64 'There is no state "lost"' card list --state lost
is 64 'Give one verdict only' card resolve 1 --good --blank --reason x
is 66 'There is no ledger' job list
is 66 'There is no ledger' card void 1 --reason x
is 65 'is not a ledger' ledger verify --ledger "$folder/list"
is 65 'is not a file' ledger verify --ledger "$folder"
[ ! -e "$folder/ledger.db" ] || { echo 'not ok - a command made a ledger'; failed=1; }
is 66 '{"status":66,"error":"There is no ledger' job list --json
is 64 '{"status":64,"error":"There is no command' frob --json
[ -z "$("$cardspool" job list --json 2>/dev/null)" ] || { echo 'not ok - an error on the standard output'; failed=1; }
mkdir "$folder/shut" && : >"$folder/shut/ledger.db" && chmod 0 "$folder/shut"
if [ ! -r "$folder/shut/ledger.db" ]; then
	is 77 'is closed to this user' job list --ledger "$folder/shut/ledger.db"
	printf '[paths]\n' >"$folder/shut.conf" && chmod 0 "$folder/shut.conf"
	CARDSPOOL_CONF=$folder/shut.conf is 77 'shut.conf' job list
fi
chmod 700 "$folder/shut"
printf '[paths]\nledgr=/x\n' >"$CARDSPOOL_CONF"
is 65 'line 2: there is no setting "ledgr"' job list
exit $failed
