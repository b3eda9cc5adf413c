/*
 * test-job-options.c - a filter's options and PPD, against what libcups makes of the same.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "filters/job-options.h"

#include <cups/ppd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const names[] = {"CardRibbon", "Duplex", "CardOverlay", "CardBrightness",
	"CardLate", "CardBroken", "CardNowhere"};

static const char printer[] =
	"*PPD-Adobe: \"4.3\"\n*FormatVersion: \"4.3\"\n*FileVersion: \"1.0\"\n"
	"*LanguageVersion: English\n*LanguageEncoding: ISOLatin1\n*PCFileName: \"CARD.PPD\"\n"
	"*Manufacturer: \"Maker\"\n*Product: \"(Card)\"\n*ModelName: \"Maker Card 3\"\n"
	"*ShortNickName: \"Card\"\n*NickName: \"Card\"\n*PSVersion: \"(3010.000) 0\"\n"
	"*% *DefaultCardRibbon: comment\n*CardspoolDuplex: \"true\"\n"
	"*OpenUI *PageSize/Size: PickOne\n*DefaultPageSize: CR80\n*PageSize CR80/Card: \"\"\n"
	"*CloseUI: *PageSize\n*OpenUI *PageRegion: PickOne\n*DefaultPageRegion: CR80\n"
	"*PageRegion CR80/Card: \"\"\n*CloseUI: *PageRegion\n*DefaultImageableArea: CR80\n"
	"*ImageableArea CR80/Card: \"0 0 243 153\"\n*DefaultPaperDimension: CR80\n"
	"*PaperDimension CR80/Card: \"243 153\"\n"
	"*OpenUI *CardRibbon/Ribbon: PickOne\n*DefaultCardRibbon: ymckok\n"
	"*CardRibbon ymcko/Five: \"\"\n*CardRibbon ymckok/Six panels: \"code\n"
	"*DefaultDuplex: DuplexTumble\n*DefaultCardRibbon: kmono\ncode\"\n*End\n"
	"*CardRibbon kmono/Black: \"\"\n*CloseUI: *CardRibbon\n"
	"*OpenUI *Duplex/Sides: PickOne\n*DefaultDuplex: None\r\n*Duplex None/One: \"\"\n"
	"*Duplex DuplexNoTumble/Two: \"\"\n*Duplex DuplexTumble/Two up: \"\"\n*CloseUI: *Duplex\n"
	"*OpenUI *CardOverlay: PickOne\n*DefaultCardOverlay: Full\n*CardOverlay Full: \"\"\n"
	"*CardOverlay None: \"\"\n*CloseUI: *CardOverlay\n"
	"*OpenUI *CardBrightness/B: PickOne\n*DefaultCardBrightness: 0\n"
	"*CardBrightness -1/less: \"\"\n*CardBrightness 0/0: \"\"\n*CardBrightness 1/more: \"\"\n"
	"*CloseUI: *CardBrightness\n"
	"*OpenUI *CardLate/Late: PickOne\n*CardLate One/1: \"\"\n*CardLate Two/2: \"\"\n"
	"*DefaultCardLate: Two\n*CloseUI: *CardLate\n"
	"*OpenUI *CardBroken/B: PickOne\n*DefaultCardBroken: Gone\n*CardBroken There/1: \"\"\n"
	"*CloseUI: *CardBroken\n";

static void
options_compare(const char *text)
{
	struct job_options ours;
	cups_option_t *theirs = NULL;
	int n = cupsParseOptions(text, 0, &theirs);

	job_options_parse(&ours, text);
	if (ours.n != (size_t)n)
		fail_msg("<%s>: %zu options, libcups finds %d", text, ours.n, n);
	for (int i = 0; i < n; i++) {
		const char *value = job_options_get(&ours, theirs[i].name);
		if (!value || strcmp(value, theirs[i].value))
			fail_msg("<%s>: %s is <%s>, libcups says <%s>", text, theirs[i].name,
				value ? value : "(none)", theirs[i].value);
	}
	cupsFreeOptions(n, theirs);
	job_options_done(&ours);
}

static void
test_options(void **state)
{
	static const char *const texts[] = {"", " ", "a=b", "a=b a=c A=d", "flag", "noflag", "no",
		"NoFlag other", "a='b c' d=\"e f\"", "a=b\\ c d", "a=\\'b d=\\\\",
		"a={b=c d={e f}} g=h", "{a=b c=d}", "a=b,'c d',{e f}", "a=b'c d'", "a = b",
		"a =b c", "=b", "a=", "a= b", "a='b", "a={b", "a=b\\", "a\tb\nc=d\r", "\f\v a",
		"a=b{c d}", "{", "{}", "{ a",
		"page-ranges=1-3,7 sides=one-sided CardRibbon=ymcko number-up=1",
		"job-uuid=urn:uuid:12 media={media-size={x-dimension=8560 y-dimension=5398}} x=1",
		"name=\xe5\xbc\xa0 p"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		options_compare(texts[i]);
}

/* Every text gives what libcups makes of it, and is read to its end. */
static void
test_options_random(void **state)
{
	static const char letters[] = "ab=n o'\"{}\\, \t";
	unsigned seed = 7;
	char text[24];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t len = (size_t)(round % (int)sizeof text);
		for (size_t i = 0; i < len; i++) {
			seed = seed * 1103515245 + 12345;
			text[i] = letters[(seed >> 16) % (sizeof letters - 1)];
		}
		text[len] = '\0';
		options_compare(text);
	}
}

static void
printer_write(char path[64], const char *text, size_t len)
{
	snprintf(path, 64, "/tmp/cardspool-ppd-XXXXXX");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	close(fd);
}

/* What libcups marks, by the rule that a word the PPD does not have stays. */
static int
theirs_read(const char *path, const char *text, cups_option_t **options)
{
	int n = cupsParseOptions(text, 0, options);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	ppd_file_t *ppd = ppdOpenFile(path);
	assert_non_null(ppd);
	ppdMarkDefaults(ppd);
	cupsMarkOptions(ppd, n, *options);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		ppd_choice_t *choice = ppdFindMarkedChoice(ppd, names[i]);
		const char *asked = cupsGetOption(names[i], n, *options);
		if (choice && (!asked || ppdFindChoice(choice->option, asked)))
			n = cupsAddOption(names[i], choice->choice, n, options);
	}
	ppdClose(ppd);
#pragma GCC diagnostic pop
	return n;
}

static void
test_ppd(void **state)
{
	static const char *const texts[] = {"", "CardRibbon=kmono", "cardribbon=KMONO",
		"CardRibbon=other", "Duplex=DuplexTumble", "sides=two-sided-long-edge",
		"sides=two-sided-short-edge Duplex=None", "Duplex=DuplexTumble sides=one-sided",
		"sides=unknown", "CardOverlay=none CardBrightness=-1", "CardLate=One",
		"CardBroken=There", "CardNowhere=1", "CardBrightness=5 noDuplex"};
	char path[64];

	(void)state;
	printer_write(path, printer, sizeof printer - 1);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct job_options ours;
		struct job_ppd ppd;
		cups_option_t *theirs = NULL;
		int n = theirs_read(path, texts[i], &theirs);
		job_options_parse(&ours, texts[i]);
		job_ppd_read(&ppd, path, names, ARRAY_LEN(names), &ours);
		assert_string_equal(ppd.model, "Maker Card 3");
		assert_true(ppd.turns);
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			const char *want = cupsGetOption(names[k], n, theirs);
			const char *got = job_options_get(&ours, names[k]);
			if (strcmp(want ? want : "(none)", got ? got : "(none)"))
				fail_msg("<%s>: %s is %s, libcups says %s", texts[i], names[k],
					got ? got : "(none)", want ? want : "(none)");
		}
		cupsFreeOptions(n, theirs);
		job_options_done(&ours);
	}
	unlink(path);
}

/* Damaged ones are read to their end; what is missing says nothing. */
static void
test_ppd_damaged(void **state)
{
	char path[64], text[sizeof printer];
	unsigned seed = 11;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct job_options o;
		struct job_ppd ppd;
		memcpy(text, printer, sizeof text);
		for (int i = 0; i < 30; i++) {
			seed = seed * 1103515245 + 12345;
			text[(seed >> 8) % (sizeof text - 1)] = (char)(seed >> 24);
		}
		printer_write(path, text, sizeof text - 1 - (size_t)round);
		job_options_parse(&o, "CardRibbon=kmono sides=two-sided-long-edge");
		job_ppd_read(&ppd, path, names, ARRAY_LEN(names), &o);
		assert_non_null(job_options_get(&o, "CardRibbon"));
		job_options_done(&o);
		unlink(path);
	}
	struct job_options o;
	struct job_ppd ppd;
	job_options_parse(&o, "a=b");
	job_ppd_read(&ppd, "/nonexistent/card.ppd", names, ARRAY_LEN(names), &o);
	assert_int_equal(o.n, 1);
	assert_string_equal(ppd.model, "");
	assert_false(ppd.turns);
	job_options_done(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_options),
		cmocka_unit_test(test_options_random), cmocka_unit_test(test_ppd),
		cmocka_unit_test(test_ppd_damaged)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
