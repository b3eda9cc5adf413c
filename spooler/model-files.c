/*
 * model-files.c - what other programs read about the printer models, written at build time.
 *
 * Owns the text of the PPD sources' models, of CUPS' usb-quirks and of the udev rules; all three
 * come from the families' own tables, so that a new model is one row there and nothing here. Fails
 * only on a wrong call and when the output cannot be written.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "drivers/driver.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- PPD: what differs from model to model ----------------------------------- */

static const struct {
	const char *ribbon, *colour;
} resins[] = {{"kw", "white"}, {"kr", "red"}, {"kbl", "blue"}, {"kgr", "green"}, {"kgo", "gold"},
	{"ksi", "silver"}};

/* The panels in words. zh_CN has them one by one in cardspool-zh_CN.po. */
static void
ribbon_words(const struct ribbon *r, bool duplex)
{
	const char *front = "black";

	for (size_t i = 0; i < ARRAY_LEN(resins); i++)
		if (strcmp(resins[i].ribbon, r->name) == 0)
			front = resins[i].colour;
	if (strchr(r->front, 'Y'))
		front = r->dye_lines ? "colour on part of the card" : "colour";
	else if (strchr(r->front, 'O'))
		front = "black and overlay";
	fputs(front, stdout);
	if (strchr(r->front, 'U'))
		fputs(" and fluorescent", stdout);
	if (!duplex)
		return;
	if (!r->back[0])
		fputs(", front only", stdout);
	else if (strcmp(r->front, r->back) == 0)
		fputs(", both sides", stdout);
	else
		fputs(strchr(r->back, 'Y') ? ", colour back" : ", black back", stdout);
}

static const struct ribbon *
ribbon_next(const char **at)
{
	char name[16];
	size_t n;

	*at += strspn(*at, " ");
	n = strcspn(*at, " ");
	if (n == 0 || n >= sizeof name)
		return NULL;
	snprintf(name, sizeof name, "%.*s", (int)n, *at);
	*at += n;
	return ribbon_find(name);
}

static bool
model_has_panel(const struct printer_model *m, char panel)
{
	const char *at = m->ribbons;
	const struct ribbon *r;

	while ((r = ribbon_next(&at)))
		if (strchr(r->front, panel))
			return true;
	return false;
}

static void
ribbons_drv(const struct printer_model *m)
{
	const char *at = m->ribbons, *mark = "*";
	const struct ribbon *r;

	puts("    Option \"CardRibbon/Ribbon\" PickOne AnySetup 10.0");
	while ((r = ribbon_next(&at))) {
		printf("      %sChoice \"%s/", mark, r->name);
		for (const char *c = r->name; *c; c++)
			putchar(toupper((unsigned char)*c));
		fputs(": ", stdout);
		ribbon_words(r, m->duplex);
		puts("\" \"\"");
		mark = "";
	}
}

/* As many steps as the model has: the ends in words, the rest as numbers. */
static void
speeds_drv(const char *speeds)
{
	puts("    Option \"CardSpeed/Speed of black\" PickOne AnySetup 10.0\n"
	     "      *Choice \"Printer/As the printer is set\" \"\"");
	for (const char *at = speeds; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
		int n = (int)strcspn(at, " ");
		printf("      Choice \"%.*s/", n, at);
		if (at == speeds)
			fputs("Slow", stdout);
		else if (!at[n])
			fputs("Fast", stdout);
		else
			printf("%.*s", n, at);
		puts("\" \"\"");
	}
}

static void
stripe_drv(bool coercivity)
{
	puts("    Option \"CardMagnetic/Magnetic stripe\" PickOne AnySetup 10.0\n"
	     "      *Choice \"Card/As the card says\" \"\"");
	if (coercivity)
		puts("      Choice \"High/High coercivity (HiCo)\" \"\"\n"
		     "      Choice \"Low/Low coercivity (LoCo)\" \"\"");
	puts("      Choice \"None/Nothing is written\" \"\"");
}

static void
yes_drv(const char *attribute, bool yes)
{
	printf("    Attribute \"%s\" \"\" \"%s\"\n", attribute, yes ? "true" : "false");
}

/* The maker is the first word of a model's name. */
static void
model_drv(const struct printer_model *m)
{
	char file[64];
	int maker = (int)strcspn(m->name, " ");

	printer_model_file(file, sizeof file, m);
	printf("  Manufacturer \"%.*s\"\n  {\n    ModelName \"%s\"\n    PCFileName \"%s.ppd\"\n",
		maker, m->name, m->name, file);
	printf("    Attribute \"1284DeviceID\" \"\" \"MFG:%.*s;MDL:%s;\"\n", maker, m->name,
		m->mdl);
	yes_drv("CardspoolDuplex", m->duplex);
	yes_drv("CardspoolContact", m->contact);
	yes_drv("CardspoolContactless", m->contactless);
	yes_drv("CardspoolMagnetic", m->magnetic);
	if (m->duplex)
		puts("    Option \"Duplex/Two sides\" PickOne AnySetup 10.0\n"
		     "      *Choice \"None/One side\" \"\"\n"
		     "      Choice \"DuplexNoTumble/Two sides, turned like a page of a book\" "
		     "\"\"\n"
		     "      Choice \"DuplexTumble/Two sides, turned over upwards\" \"\"");
	ribbons_drv(m);
	if (model_has_panel(m, 'O'))
		puts("    #include \"cardspool-overlay.defs\"");
	if (model_has_panel(m, 'Y'))
		puts("    #include \"cardspool-colour.defs\"");
	if (m->speeds)
		speeds_drv(m->speeds);
	if (m->magnetic)
		stripe_drv(m->coercivity);
	if (m->contact || m->contactless)
		puts("    #include \"cardspool-chip.defs\"");
	puts("  }");
}

static void
family_drv(const struct printer_driver *d)
{
	for (size_t i = 0; i < d->n_models; i++)
		model_drv(&d->models[i]);
}

/* ---- CUPS' usb backend: hands off -------------------------------------------- */

/*
 *	0xVENDOR 0xPRODUCT blacklist
 *
 * Product 0 stands for all of the vendor: right where it makes card printers only, wrong where
 * label printers carry the same id and need that backend. Left out, as the format allows, CUPS
 * would read the b of "blacklist" as product 0x0b.
 */
static void
family_quirks(const struct printer_driver *d)
{
	for (const uint16_t *v = d->vendors; *v; v++) {
		if (!d->vendor_shared)
			printf("0x%04x 0x0000 blacklist\n", *v);
		for (size_t i = 0; d->vendor_shared && i < d->n_models; i++)
			if (d->models[i].product)
				printf("# %s\n0x%04x 0x%04x blacklist\n", d->models[i].name, *v,
					d->models[i].product);
			else
				printf("# %s: product id not known; lsusb shows it\n"
				       "#0x%04x 0x.... blacklist\n",
					d->models[i].name, *v);
	}
}

/* ---- udev --------------------------------------------------------------------- */

#define PRINTER_ACTIONS                                                                            \
	"GROUP=\"lp\", MODE=\"0660\", ENV{ID_CARDSPOOL}=\"%s\", TAG+=\"cardspool\", "              \
	"SYMLINK+=\"cardspool/%s-$attr{serial}\"\n"

/* The name is what a printer of that vendor calls itself in its product string. */
static void
family_udev(const struct printer_driver *d)
{
	for (const uint16_t *v = d->vendors; *v; v++) {
		if (!d->vendor_shared)
			printf("ATTR{idVendor}==\"%04x\", " PRINTER_ACTIONS, *v, d->family,
				d->family);
		for (size_t i = 0; d->vendor_shared && i < d->n_models; i++) {
			const struct printer_model *m = &d->models[i];

			if (m->product)
				printf("ATTR{idVendor}==\"%04x\", "
				       "ATTR{idProduct}==\"%04x\", " PRINTER_ACTIONS,
					*v, m->product, d->family, d->family);
			printf("ATTR{idVendor}==\"%04x\", "
			       "ATTR{product}==\"*%s*\", " PRINTER_ACTIONS,
				*v, m->mdl, d->family, d->family);
		}
	}
}

static void
readers_udev(void)
{
	puts("\n# Chip readers on USB. Where libnfc's own rules follow, they hand them to group "
	     "plugdev.");
	for (const struct station_usb *s = station_usb; s->vendor; s++)
		if (s->kind == STATION_USB_NFC)
			printf("# %s\nATTR{idVendor}==\"%04x\", ATTR{idProduct}==\"%04x\", "
			       "GROUP=\"cardspool\", MODE=\"0660\", "
			       "ENV{ID_CARDSPOOL_READER}=\"%s\", TAG+=\"cardspool\"\n",
				s->name, s->vendor, s->product, s->driver);
}

/* ---- the three files ----------------------------------------------------------- */

static const struct output {
	const char *name, *head;
	void (*family)(const struct printer_driver *d);
	void (*rest)(void);
	const char *foot;
} outputs[] = {
	{"drv", "// Made of the model tables at build time.\n", family_drv, NULL, ""},
	{"quirks",
		"# Made of the model tables at build time. CUPS' own usb backend leaves these "
		"printers "
		"alone:\n# two programs on one printer double cards.\n",
		family_quirks, NULL, ""},
	{"udev",
		"# Made of the model tables at build time. Card printers are for CUPS' group, "
		"under a\n"
		"# name that stays: /dev/cardspool/FAMILY-SERIAL.\n\n"
		"ACTION==\"remove\", GOTO=\"cardspool_end\"\n"
		"SUBSYSTEM!=\"usb\", GOTO=\"cardspool_end\"\n"
		"ENV{DEVTYPE}!=\"usb_device\", GOTO=\"cardspool_end\"\n\n",
		family_udev, readers_udev, "\nLABEL=\"cardspool_end\"\n"},
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < ARRAY_LEN(outputs); i++) {
		const struct output *o = &outputs[i];

		if (strcmp(argv[1], o->name) != 0)
			continue;
		fputs(o->head, stdout);
		for (size_t d = 0; printer_drivers[d]; d++)
			o->family(printer_drivers[d]);
		if (o->rest)
			o->rest();
		fputs(o->foot, stdout);
		return fflush(stdout) == 0 ? 0 : 1;
	}
	fputs("usage: model-files drv|quirks|udev\n", stderr);
	return 64;
}
