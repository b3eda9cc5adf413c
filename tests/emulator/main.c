#include "tests/emulator/emulator.h"
int main(void) { return 70; }
