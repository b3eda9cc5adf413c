#include "spooler/spooler.h"
int main(void) { return 70; }
