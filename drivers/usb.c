#include "drivers/driver.h"
