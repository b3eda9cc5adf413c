#include "spooler/spooler.h"

const struct command commands_ledger[] = {{0}};
