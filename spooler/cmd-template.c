#include "spooler/spooler.h"

const struct command commands_template[] = {{0}};
