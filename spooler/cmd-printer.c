#include "spooler/spooler.h"

const struct command commands_printer[] = {{0}};
