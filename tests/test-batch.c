/*
 * test-batch.c - the .cards container: what is written, and what is not believed.
 *
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
#include "tests/data.h"

#include <sys/resource.h>
#include <signal.h>
#include <zip.h>

struct fixture {
	struct schema *schema;
	struct roster *roster;
	char folder[64], path[128];
	struct buf bytes;
};

static void
fixture_write(struct fixture *f, const char *order)
{
	struct batch_info info = {.template_name = "special-operation"};
	struct err e = {0};

	snprintf(info.order, sizeof info.order, "%s", order);
	if (batch_write(f->path, f->schema, &info, f->roster, &e))
		fail_msg("%s", e.text);
	buf_done(&f->bytes);
	assert_int_equal(file_read(&f->bytes, f->path, 1 << 20, NULL), 0);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	char path[1024];
	struct err e = {0};

	assert_non_null(f);
	f->schema = schema_special();
	source_path(path, sizeof path, "tests/data/roster.csv");
	if (roster_load(&f->roster, f->schema, path, NULL, NULL, NULL, &e))
		fail_msg("%s", e.text);
	scratch_create(f->folder);
	snprintf(f->path, sizeof f->path, "%s/a.cards", f->folder);
	buf_init(&f->bytes, 1 << 20);
	fixture_write(f, "2026-001");
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	rmdir(f->folder);
	buf_done(&f->bytes);
	roster_destroy(f->roster);
	schema_destroy(f->schema);
	free(f);
	return 0;
}

/* What CUPS' rule string(0,"PK") + string(30,"mimetype…") sees. */
static void
type_is_in_the_bytes(void **state)
{
	static const char mark[] = "mimetypeapplication/vnd.cardspool.batch";
	struct fixture *f = *state;
	struct stat st;

	assert_memory_equal(f->bytes.data, "PK\3\4", 4);
	assert_memory_equal(f->bytes.data + 30, mark, sizeof mark - 1);
	assert_memory_equal(f->bytes.data + 8, "\0\0", 2);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void
same_roster_same_bytes(void **state)
{
	struct fixture *f = *state;
	uint8_t a[HASH_LEN], b[HASH_LEN];

	hash_bytes(a, f->bytes.data, f->bytes.len);
	unlink(f->path);
	fixture_write(f, "2026-001");
	hash_bytes(b, f->bytes.data, f->bytes.len);
	assert_memory_equal(a, b, HASH_LEN);
	fixture_write(f, "2026-002");
	hash_bytes(b, f->bytes.data, f->bytes.len);
	assert_memory_not_equal(a, b, HASH_LEN);
}

static void
what_goes_in_comes_out(void **state)
{
	struct fixture *f = *state;
	struct batch *b;
	struct record r;
	struct err e = {0};
	uint8_t x[HASH_LEN], y[HASH_LEN];

	assert_int_equal(batch_open(&b, f->path, &e), 0);
	assert_string_equal(batch_info(b)->template_name, "special-operation");
	assert_string_equal(batch_info(b)->order, "2026-001");
	assert_int_equal(batch_info(b)->n_records, 6);
	for (unsigned i = 1; i <= 6; i++) {
		struct buf in_batch, in_file;
		assert_int_equal(batch_record(b, f->schema, i, &r, &e), 0);
		assert_int_equal(r.number, i);
		record_hash(x, f->schema, &r);
		record_hash(y, f->schema, &f->roster->records[i - 1]);
		assert_memory_equal(x, y, HASH_LEN);
		buf_init(&in_batch, PHOTO_FILE_MAX);
		buf_init(&in_file, PHOTO_FILE_MAX);
		assert_int_equal(batch_entry(b, r.photo, &in_batch, 20480, &e), 0);
		assert_int_equal(
			file_read(&in_file, f->roster->records[i - 1].photo, 20480, &e), 0);
		assert_int_equal(in_batch.len, in_file.len);
		assert_memory_equal(in_batch.data, in_file.data, in_file.len);
		buf_done(&in_batch);
		buf_done(&in_file);
		record_done(&r, f->schema);
	}
	assert_int_equal(batch_record(b, f->schema, 0, &r, &e), ERR_MISSING);
	assert_int_equal(batch_record(b, f->schema, 7, &r, &e), ERR_MISSING);
	struct buf none;
	buf_init(&none, 100);
	assert_int_equal(batch_entry(b, "photos/0009.jpg", &none, 100, &e), ERR_MISSING);
	assert_int_equal(batch_entry(b, "photos/0001.jpg", &none, 100, &e), ERR_INPUT);
	buf_done(&none);
	batch_close(b);
}

/* Any byte of the first 2000, the middle and the end: what opens must still be the same batch. */
static void
a_flipped_byte_is_found(void **state)
{
	struct fixture *f = *state;
	struct batch *b;
	uint8_t hash[HASH_LEN];
	unsigned refused = 0, tried = 0;

	assert_int_equal(batch_parse(&b, f->bytes.data, f->bytes.len, "a.cards", NULL), 0);
	memcpy(hash, batch_info(b)->hash, HASH_LEN);
	batch_close(b);
	for (size_t i = 0; i < f->bytes.len; i += 97, tried++) {
		struct err e = {0};
		f->bytes.data[i] ^= 0x10;
		int rc = batch_parse(&b, f->bytes.data, f->bytes.len, "a.cards", &e);
		f->bytes.data[i] ^= 0x10;
		if (rc) {
			assert_int_equal(rc, ERR_INPUT);
			assert_memory_equal(e.text, "a.cards: ", 9);
			refused++;
		} else {
			assert_memory_equal(batch_info(b)->hash, hash, HASH_LEN);
		}
		batch_close(b);
	}
	/* Only bytes that mean nothing (times, versions, attributes) may change unseen. */
	assert_true(refused * 100 >= tried * 95);
}

static void
cut_off_or_something_else(void **state)
{
	struct fixture *f = *state;
	struct batch *b;
	struct err e = {0};
	static const uint8_t text[] = "name,number\n";

	for (size_t len = 0; len < f->bytes.len; len += 1 + f->bytes.len / 50) {
		assert_int_equal(batch_parse(&b, f->bytes.data, len, "a.cards", &e), ERR_INPUT);
		assert_null(b);
	}
	assert_int_equal(batch_parse(&b, text, sizeof text - 1, "a.cards", &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "is not a batch"));
	assert_int_equal(batch_open(&b, "/nonexistent.cards", &e), ERR_MISSING);
}

/* Changes one thing with libzip, as someone with a ZIP tool would. */
static void
edit(const struct fixture *f, const char *drop, const char *name, const void *bytes, size_t len,
	bool first)
{
	int code;
	zip_t *z = zip_open(f->path, 0, &code);

	assert_non_null(z);
	if (drop)
		assert_int_equal(zip_delete(z, (zip_uint64_t)zip_name_locate(z, drop, 0)), 0);
	if (name) {
		zip_source_t *source = zip_source_buffer(z, bytes, len, 0);
		zip_int64_t old = zip_name_locate(z, name, 0);
		assert_non_null(source);
		if (old >= 0)
			assert_int_equal(zip_file_replace(z, (zip_uint64_t)old, source, 0), 0);
		else
			assert_true((old = zip_file_add(z, name, source, 0)) >= 0);
		assert_int_equal(
			zip_set_file_compression(z, (zip_uint64_t)old, ZIP_CM_STORE, 0), 0);
	}
	if (first)
		assert_int_equal(zip_file_rename(z, 0, "mimetypf", 0), 0);
	assert_int_equal(zip_close(z), 0);
}

static void
an_edited_batch_is_refused(void **state)
{
	static const char csv[] = "证号\nT1\nT2\nT3\nT4\nT5\nT6\n";
	static const char manifest[] =
		"{\"format\":\"cardspool.batch\",\"version\":1,\"template\":\"t\","
		"\"order\":\"\",\"records\":1,\"entries\":{}}";
	static const char newer[] =
		"{\"format\":\"cardspool.batch\",\"version\":3,\"template\":\"t\","
		"\"order\":\"\",\"records\":1,\"header\":{},\"chunks\":[]}";
	static const char empty[] =
		"{\"format\":\"cardspool.batch\",\"version\":2,\"template\":\"t\","
		"\"order\":\"\",\"records\":0,\"header\":{},\"chunks\":[]}";
	static const char no_chunk[] =
		"{\"format\":\"cardspool.batch\",\"version\":2,\"template\":\"t\","
		"\"order\":\"\",\"records\":1,\"header\":{},\"chunks\":[]}";
	static const struct {
		const char *drop, *name, *bytes;
		bool first;
		const char *says;
	} rows[] = {
		{"photos/0003.jpeg", NULL, NULL, false,
			NULL}, /* no such entry: the batch is untouched */
		{"photos/0003.jpg", NULL, NULL, false, "differ"},
		{"records.csv", NULL, NULL, false, "differ"},
		{"photos.sha256", NULL, NULL, false, "differ"},
		{"manifest.json", NULL, NULL, false, "another program packed it"},
		{NULL, "records.csv", csv, false, "differ"},
		{NULL, "photos.sha256", "x", false, "differ"},
		{NULL, "photos/0001.jpg", "x", false, "not what the manifest says"},
		{NULL, "photos/0002.jpg", "x", false, "not what the manifest says"},
		{NULL, "photos/0009.jpg", "x", false, "another program packed it"},
		{NULL, "../evil", "x", false, "another program packed it"},
		{NULL, "/etc/x", "x", false, "another program packed it"},
		{NULL, "manifest.json", manifest, false, "another version"},
		{NULL, "manifest.json", newer, false, "another version"},
		{NULL, "manifest.json", empty, false, "says what cannot be"},
		{NULL, "manifest.json", no_chunk, false, "says what cannot be"},
		{NULL, "manifest.json", "[]", false, "manifest cannot be read"},
		{NULL, "manifest.json", "{", false, "manifest cannot be read"},
		{NULL, NULL, NULL, true, "not a batch"},
		{NULL, "mimetype", "application/zip", false, "not a batch"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct batch *b;
		struct err e = {0};
		fixture_write(f, "2026-001");
		if (rows[i].says)
			edit(f, rows[i].drop, rows[i].name, rows[i].bytes,
				rows[i].bytes ? strlen(rows[i].bytes) : 0, rows[i].first);
		int rc = batch_open(&b, f->path, &e);
		assert_int_equal(rc, rows[i].says ? ERR_INPUT : 0);
		if (rows[i].says && !strstr(e.text, rows[i].says))
			fail_msg("row %zu: %s", i, e.text);
		batch_close(b);
	}
}

/* Version 1 packed records and manifest, and had no list of photos. */
static void
the_first_version_is_told(void **state)
{
	struct fixture *f = *state;
	struct batch *b;
	struct err e = {0};
	int code;

	unlink(f->path);
	zip_t *z = zip_open(f->path, ZIP_CREATE | ZIP_EXCL, &code);
	assert_non_null(z);
	static const char *const names[] = {
		"mimetype", "photos/0001.jpg", "records.csv", "manifest.json"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		static const char rows[] = "证号\nT1\nT1\nT1\nT1\nT1\nT1\nT1\n";
		const char *bytes = i ? rows : BATCH_MIME;
		zip_source_t *source = zip_source_buffer(z, bytes, strlen(bytes), 0);
		assert_int_equal(zip_file_add(z, names[i], source, 0), i);
		assert_int_equal(
			zip_set_file_compression(z, i, i < 2 ? ZIP_CM_STORE : ZIP_CM_DEFLATE, 0),
			0);
	}
	assert_int_equal(zip_close(z), 0);
	assert_int_equal(batch_open(&b, f->path, &e), ERR_INPUT);
	if (!strstr(e.text, "another version"))
		fail_msg("%s", e.text);
}

/* 8 MiB of zeros in a manifest's place are refused by their size, before they are unpacked. */
static void
a_zip_bomb_is_refused(void **state)
{
	struct fixture *f = *state;
	size_t len = 8 * 1024 * 1024;
	char *zeros = calloc(1, len);
	struct batch *b;
	struct err e = {0};

	assert_non_null(zeros);
	edit(f, NULL, "manifest.json", zeros, len, false);
	assert_int_equal(batch_open(&b, f->path, &e), ERR_INPUT);
	assert_non_null(strstr(e.text, "too large"));
	free(zeros);
}

/* A disk that is full, by way of the limit on file size: nothing is left behind. */
static void
complete_or_absent(void **state)
{
	struct fixture *f = *state;
	struct batch_info info = {.template_name = "special-operation"};
	struct rlimit old, small;
	struct err e = {0};
	char path[160];

	snprintf(path, sizeof path, "%s/b.cards", f->folder);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int rc = batch_write(path, f->schema, &info, f->roster, &e);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(rc, ERR_STORAGE);
	assert_non_null(strstr(e.text, "b.cards"));
	/* rmdir succeeds only in an empty folder. */
	unlink(f->path);
	assert_int_equal(rmdir(f->folder), 0);
	assert_int_equal(mkdir(f->folder, 0700), 0);
	assert_int_equal(
		batch_write("/nonexistent/b.cards", f->schema, &info, f->roster, &e), ERR_STORAGE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(type_is_in_the_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(same_roster_same_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(what_goes_in_comes_out, setup, teardown),
		cmocka_unit_test_setup_teardown(a_flipped_byte_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(cut_off_or_something_else, setup, teardown),
		cmocka_unit_test_setup_teardown(an_edited_batch_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_version_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_zip_bomb_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(complete_or_absent, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
