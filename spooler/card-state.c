#include "spooler/spooler.h"
