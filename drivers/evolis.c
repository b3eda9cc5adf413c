#include "drivers/driver.h"
extern const struct printer_driver printer_evolis;
const struct printer_driver printer_evolis = {0};
