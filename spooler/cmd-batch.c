#include "spooler/spooler.h"

const struct command commands_batch[] = {{0}};
