#include "filters/card.h"
