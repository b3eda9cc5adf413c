#include "tests/emulator/emulator.h"
