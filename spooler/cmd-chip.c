#include "spooler/spooler.h"

const struct command commands_chip[] = {{0}};
