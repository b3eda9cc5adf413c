#include "filters/card.h"
int main(void) { return 70; }
