// SPDX-License-Identifier: BSD-3-Clause
#include "base/hash.h"
#include "base/rng.h"
#include "store/checkpoint.h"
#include "store/results.h"

#include "store_faults.h"
#include "store_files.h"

#include <math.h>
#include <zlib.h>

static pr_error_t err;
static const char *path;

static void set_up(void)
{
    static char text[512];
    make_folder();
    snprintf(text, sizeof text, "%s", in_folder("a.ckpt"));
    path = text;
    fault.on = false;
}

// ---- checkpoints that tell whether they are whole ----

enum { SECTIONS = 5 };
static const size_t elem_of[SECTIONS] = {4, 1, 8, 2, 16}, count_of[SECTIONS] = {100, 0, 33, 1, 7};

/* Byte i of section s of generation g. */
static unsigned char byte_of(int g, size_t s, size_t i)
{
    return (unsigned char)((i * 7 + s * 31 + (size_t)g * 101) % 251 * (i % 4 == 3));
}

static pr_status_t write_generation(int g, size_t scale)
{
    pr_section_t section[SECTIONS] = {0};
    for (size_t s = 0; s < SECTIONS; s++) {
        section[s].elem = elem_of[s];
        section[s].count = count_of[s] * scale;
        snprintf(section[s].name, sizeof section[s].name, "layer.%zu/\xc3\xa9 \"x\"", s);
        unsigned char *data = pr_alloc(section[s].count, section[s].elem);
        for (size_t i = 0; i < section[s].elem * section[s].count; i++)
            data[i] = byte_of(g, s, i);
        section[s].data = data;
    }
    json_t *meta = json_pack("{s:i, s:s, s:f}", "generation", g, "text", "\n\xc3\xa9", "rate", 0.1);
    pr_status_t status = pr_checkpoint_write(path, "train", meta, section, SECTIONS, &err);
    json_decref(meta);
    for (size_t s = 0; s < SECTIONS; s++)
        free(section[s].data);
    return status;
}

/* The generation of the checkpoint, every byte of which is checked; -1 when it cannot be read. */
static int read_generation(size_t scale)
{
    pr_checkpoint_t c;
    if (pr_checkpoint_read(path, "train", &c, &err) != PR_OK) {
        ck_assert_uint_eq(c.n, 0);
        ck_assert_ptr_null(c.section);
        return -1;
    }
    int g = (int)json_integer_value(json_object_get(c.meta, "generation"));
    ck_assert_double_eq(json_real_value(json_object_get(c.meta, "rate")), 0.1);
    ck_assert_str_eq(json_string_value(json_object_get(c.meta, "text")), "\n\xc3\xa9");
    ck_assert_str_eq(c.kind, "train");
    ck_assert_uint_eq(c.n, SECTIONS);
    for (size_t s = 0; s < SECTIONS; s++) {
        const void *data;
        char name[64];
        snprintf(name, sizeof name, "layer.%zu/\xc3\xa9 \"x\"", s);
        pr_status_t status = pr_checkpoint_section(&c, path, name, elem_of[s], count_of[s] * scale, &data, &err);
        ck_assert_msg(status == PR_OK, "%s", err.text);
        for (size_t i = 0; i < elem_of[s] * count_of[s] * scale; i++)
            if (((const unsigned char *)data)[i] != byte_of(g, s, i))
                ck_abort_msg("generation %d, section %zu, byte %zu is wrong", g, s, i);
    }
    pr_checkpoint_clear(&c);
    return g;
}

START_TEST(reads_what_was_written)
{
    for (int g = 0; g < 3; g++) {
        ck_assert_msg(write_generation(g, 1) == PR_OK, "%s", err.text);
        ck_assert_int_eq(read_generation(1), g);
    }
    ck_assert_int_eq(write_generation(3, 3000), PR_OK); // sections of several blocks
    ck_assert_int_eq(read_generation(3000), 3);
    ck_assert_int_eq(count_files(folder), 1);
}
END_TEST

START_TEST(the_same_content_gives_the_same_bytes)
{
    size_t la, lb;
    write_generation(1, 10);
    char *a = get_file(path, &la);
    write_generation(1, 10);
    char *b = get_file(path, &lb);
    ck_assert_uint_eq(la, lb);
    ck_assert_int_eq(memcmp(a, b, la), 0);
    free(a);
    free(b);
}
END_TEST

START_TEST(sections_are_asked_for_by_name_and_shape)
{
    pr_checkpoint_t c;
    const void *data;
    write_generation(0, 1);
    ck_assert_int_eq(pr_checkpoint_read(path, "pretrain", &c, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "kind 'train', expected 'pretrain'"));
    ck_assert_int_eq(pr_checkpoint_read(path, NULL, &c, &err), PR_OK);
    ck_assert_int_eq(pr_checkpoint_section(&c, path, "nothing", 4, 100, &data, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "section 'nothing' is missing"));
    const char *name = c.section[0].name;
    ck_assert_int_eq(pr_checkpoint_section(&c, path, name, 8, 50, &data, &err), PR_ERR_FORMAT);
    ck_assert_int_eq(pr_checkpoint_section(&c, path, name, 4, 99, &data, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "found 100 elements of 4 bytes, expected 99 of 4"));
    pr_checkpoint_clear(&c);
    pr_checkpoint_clear(&c);
    ck_assert_int_eq(pr_checkpoint_read(in_folder("none"), NULL, &c, &err), PR_ERR_NOT_FOUND);
    ck_assert_int_eq(pr_checkpoint_read(folder, NULL, &c, &err), PR_ERR_NOT_FOUND);
}
END_TEST

START_TEST(refuses_to_write_what_it_could_not_read)
{
    double x = 1;
    json_t *meta = json_object();
    pr_section_t good = {"a", 8, 1, &x}, bad[5] = {good, good, good, good, good};
    memset(bad[0].name, 'x', sizeof bad[0].name);
    bad[1].name[0] = 0;
    strcpy(bad[2].name, "\xff");
    bad[3].elem = 0;
    bad[4].elem = 17;
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(pr_checkpoint_write(path, "x", meta, &bad[i], 1, &err), PR_ERR_FORMAT);
    pr_section_t twice[2] = {good, good};
    ck_assert_int_eq(pr_checkpoint_write(path, "x", meta, twice, 2, &err), PR_ERR_FORMAT);
    ck_assert_int_eq(count_files(folder), 0);
    ck_assert_int_eq(pr_checkpoint_write(path, "x", meta, &good, 1, &err), PR_OK);
    json_decref(meta);
}
END_TEST

// ---- damage ----

static void expect_damage(const char *what, size_t at)
{
    ck_assert_msg(read_generation(1) < 0, "%s %zu was not seen", what, at);
    ck_assert_msg(err.status == PR_ERR_FORMAT && strstr(err.text, "a.ckpt: "), "%s %zu: %s", what, at, err.text);
}

START_TEST(every_bit_flipped)
{
    size_t len;
    write_generation(5, 1);
    char *bytes = get_file(path, &len);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        put_file(path, bytes, len);
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        expect_damage("flipped bit", bit);
    }
    free(bytes);
}
END_TEST

START_TEST(cut_at_every_byte_and_longer)
{
    size_t len;
    write_generation(5, 1);
    char *bytes = get_file(path, &len);
    for (size_t cut = 0; cut < len; cut++) {
        put_file(path, bytes, cut);
        expect_damage("cut at", cut);
    }
    put_file(path, bytes, len + 1); // the reader of files put a NUL there
    expect_damage("a byte more", len);
    ck_assert_ptr_nonnull(strstr(err.text, "found 1 bytes after the last section"));
    free(bytes);
}
END_TEST

// ---- hostile files ----

/* A checkpoint with a right crc over any header text and any body. */
static pr_status_t read_forged(const char *header, const void *body, size_t len)
{
    pr_buf_t b = {0};
    pr_checkpoint_t c;
    pr_buf_printf(&b, "paretorank checkpoint 1\n{\"crc\":\"%08x\",", pr_crc32(header, strlen(header)));
    pr_buf_puts(&b, header + 1);
    pr_buf_puts(&b, "\n");
    pr_buf_add(&b, body, len);
    put_file(path, b.data, b.len);
    pr_buf_free(&b);
    pr_status_t status = pr_checkpoint_read(path, "k", &c, &err);
    if (status == PR_OK)
        pr_checkpoint_clear(&c);
    return status;
}

static void refuse(const char *header, const char *message)
{
    char body[64] = {0};
    pr_status_t status = read_forged(header, body, sizeof body);
    ck_assert_msg(status == PR_ERR_FORMAT, "%s: status %d", header, status);
    ck_assert_msg(strstr(err.text, message), "found \"%s\", expected \"%s\"", err.text, message);
}

static void refuse_section(const char *entry, const char *message)
{
    pr_buf_t b = {0};
    pr_buf_printf(&b, "{\"kind\":\"k\",\"meta\":{},\"sections\":[%s]}", entry);
    refuse(b.data, message);
    pr_buf_free(&b);
}

#define ENTRY(name, elem, count, stored)                                                                               \
    "{\"name\":" name ",\"elem\":" elem ",\"count\":" count ",\"stored\":" stored                                      \
    ",\"crc\":\"00000000\",\"stored_crc\":\"00000000\"}"
#define NAME_64 "\"0123456789012345678901234567890123456789012345678901234567890123\""

START_TEST(hostile_headers)
{
    refuse("{}", "expected a string kind");
    refuse("{\"kind\":\"k\",\"meta\":[],\"sections\":[]}", "expected a string kind");
    refuse("{\"kind\":\"k\",\"meta\":{},\"sections\":{}}", "expected a string kind");
    refuse("{\"kind\":1,\"meta\":{},\"sections\":[]}", "expected a string kind");
    refuse("{\"kind\":\"k\\u001b[31m\",\"meta\":{},\"sections\":[]}", "kind 'k?[31m', expected 'k'");
    refuse("{\"kind\":\"k\",", "not valid JSON");
    refuse("{\"kind\":\"k\",\"kind\":\"k\",\"meta\":{},\"sections\":[]}", "not valid JSON");
    refuse("{\"kind\":\"\xff\",\"meta\":{},\"sections\":[]}", "not valid JSON");
    refuse("{\"kind\":\"k\",\"meta\":{},\"sections\":[]}", "found 64 bytes after the last section");
    refuse_section("7", "key 'name'");
    refuse_section("null", "key 'name'");
    refuse_section(ENTRY("3", "4", "1", "9"), "key 'name'");
    refuse_section(ENTRY("\"\"", "4", "1", "9"), "key 'name'");
    refuse_section(ENTRY("\"a\\u0000b\"", "4", "1", "9"), "key 'name'");
    refuse_section(ENTRY(NAME_64, "4", "1", "9"), "key 'name'");
    refuse_section(ENTRY("\"a\"", "0", "1", "9"), "key 'elem'");
    refuse_section(ENTRY("\"a\"", "17", "1", "9"), "key 'elem'");
    refuse_section(ENTRY("\"a\"", "-4", "1", "9"), "key 'elem'");
    refuse_section(ENTRY("\"a\"", "4.0", "1", "9"), "key 'elem': found a number, expected an integer");
    refuse_section(ENTRY("\"a\"", "null", "1", "9"), "key 'elem'");
    refuse_section(ENTRY("\"a\"", "4", "-1", "9"), "key 'count'");
    refuse_section(ENTRY("\"a\"", "4", "1", "-9"), "key 'stored'");
    refuse_section(ENTRY("\"a\"", "4", "1", "65"), "64 bytes are left");
    refuse_section(ENTRY("\"a\"", "4", "1", "9223372036854775807"), "64 bytes are left");
    refuse_section(ENTRY("\"a\"", "4", "1", "99999999999999999999"), "past 2^63");
    refuse_section(ENTRY("\"a\"", "16", "9223372036854775807", "64"), "key 'count'");
    refuse_section(ENTRY("\"a\"", "16", "576460752303423487", "64"), "which 64 bytes cannot hold");
    refuse_section(ENTRY("\"a\"", "8", "8386", "64"), "which 64 bytes cannot hold");
    refuse_section(ENTRY("\"a\"", "1", "100", "64"), "damaged at byte");
    refuse_section(ENTRY("\"a\"", "1", "100", "0"), "found 0 bytes of data, expected 100");
}
END_TEST

START_TEST(a_header_without_end)
{
    pr_checkpoint_t c;
    FILE *f = fopen(path, "wb");
    fputs("paretorank checkpoint 1\n{\"crc\":\"00000000\",", f);
    fclose(f);
    ck_assert_int_eq(truncate(path, 1L << 30), 0); // a gibibyte of NULs that is not there
    ck_assert_int_eq(pr_checkpoint_read(path, "k", &c, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "the header has no end within"));
}
END_TEST

/* Stored bytes that unpack to `raw` zeros, under a header that says `said` of them. */
static pr_status_t read_zeros(size_t raw, size_t said, size_t garbage)
{
    uLongf len = compressBound(raw) + 64;
    unsigned char *zeros = pr_alloc(raw, 1), *packed = pr_alloc(len, 1);
    ck_assert_int_eq(compress2(packed, &len, zeros, raw, 9), Z_OK);
    size_t stored = len + garbage;
    pr_buf_t b = {0};
    pr_buf_printf(&b,
                  "{\"kind\":\"k\",\"meta\":{},\"sections\":[{\"name\":\"z\",\"elem\":1,\"count\":%zu,\"stored\":%zu,"
                  "\"crc\":\"%08x\",\"stored_crc\":\"%08x\"}]}",
                  said, stored, pr_crc32(zeros, said < raw ? said : raw), pr_crc32(packed, stored));
    pr_status_t status = read_forged(b.data, packed, stored);
    pr_buf_free(&b);
    free(zeros);
    free(packed);
    return status;
}

START_TEST(a_decompression_bomb)
{
    ck_assert_msg(read_zeros(10 << 20, 10 << 20, 0) == PR_OK, "%s", err.text); // the best ratio zlib has is accepted
    ck_assert_int_eq(read_zeros(10 << 20, 1000, 0), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "more data than the header says"));
    ck_assert_int_eq(read_zeros(1000, 1001, 0), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "found 1000 bytes of data, expected 1001"));
    ck_assert_int_eq(read_zeros(1000, 1000, 1), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "bytes after the end of the compressed data"));
    ck_assert_int_eq(read_zeros(0, 0, 0), PR_OK);
}
END_TEST

START_TEST(a_name_that_is_there_twice_or_another_crc)
{
    unsigned char packed[64];
    char entry[256], header[1024];
    uLongf len = sizeof packed;
    ck_assert_int_eq(compress(packed, &len, (const Bytef *)"abc", 3), Z_OK);
    memcpy(packed + len, packed, len);
    snprintf(header, sizeof header,
             "{\"kind\":\"k\",\"meta\":{},\"sections\":[{\"name\":\"z\",\"elem\":1,\"count\":3,"
             "\"stored\":%lu,\"crc\":\"%08x\",\"stored_crc\":\"%08x\"}]}",
             len, pr_crc32("abd", 3), pr_crc32(packed, len));
    ck_assert_int_eq(read_forged(header, packed, len), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "section 'z': damaged: crc of the data is"));
    snprintf(entry, sizeof entry,
             "{\"name\":\"z\",\"elem\":1,\"count\":3,\"stored\":%lu,\"crc\":\"%08x\",\"stored_crc\":\"%08x\"}", len,
             pr_crc32("abc", 3), pr_crc32(packed, len));
    snprintf(header, sizeof header, "{\"kind\":\"k\",\"meta\":{},\"sections\":[%s]}", entry);
    ck_assert_msg(read_forged(header, packed, len) == PR_OK, "%s", err.text);
    snprintf(header, sizeof header, "{\"kind\":\"k\",\"meta\":{},\"sections\":[%s,%s]}", entry, entry);
    ck_assert_int_eq(read_forged(header, packed, 2 * len), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "section 'z' is there twice"));
}
END_TEST

// ---- faults while writing ----

static void expect_old(void)
{
    fault.on = false;
    ck_assert_ptr_nonnull(strstr(err.text, "a.ckpt: cannot write"));
    ck_assert_int_eq(read_generation(1), 1);
    ck_assert_int_eq(count_files(folder), 1);
}

START_TEST(failed_writes_leave_the_old_one)
{
    size_t len;
    write_generation(1, 1);
    free(get_file(path, &len));
    for (long room = 0; room < (long)len - 100; room += 7) {
        fault = (typeof(fault)){.on = true, .bytes = room};
        ck_assert_int_eq(write_generation(2, 1), PR_ERR_IO);
        expect_old();
    }
    fault = (typeof(fault)){.on = true, .bytes = -1, .no_sync = true};
    ck_assert_int_eq(write_generation(2, 1), PR_ERR_IO);
    expect_old();
    fault = (typeof(fault)){.on = true, .bytes = -1, .no_rename = true};
    ck_assert_int_eq(write_generation(2, 1), PR_ERR_IO);
    expect_old();
    fault = (typeof(fault)){.on = true, .bytes = -1, .most = 5, .interrupts = 3};
    ck_assert_int_eq(write_generation(2, 1), PR_OK);
    fault.on = false;
    ck_assert_int_eq(read_generation(1), 2);
}
END_TEST

static void write_with_limit(int bytes)
{
    limit_file_size((size_t)bytes);
    pr_status_t status = write_generation(2, 3000);
    _exit(status == PR_ERR_IO && count_files(folder) == 1 ? 0 : 1);
}

START_TEST(a_real_limit_of_the_file_size)
{
    int how;
    write_generation(1, 1);
    for (int limit = 0; limit < 5000; limit += 777) {
        pid_t pid = start_child(write_with_limit, limit, -1);
        ck_assert_int_eq(waitpid(pid, &how, 0), pid);
        ck_assert_int_eq(how, 0);
        ck_assert_int_eq(read_generation(1), 1);
    }
}
END_TEST

START_TEST(a_folder_that_is_not_there)
{
    json_t *meta = json_object();
    ck_assert_int_eq(pr_checkpoint_write(in_folder("no/a.ckpt"), "k", meta, NULL, 0, &err), PR_ERR_IO);
    ck_assert_int_eq(pr_checkpoint_write(folder, "k", meta, NULL, 0, &err), PR_ERR_IO); // a folder in its place
    ck_assert_int_eq(pr_checkpoint_write(path, "k", meta, NULL, 0, &err), PR_OK);
    json_decref(meta);
}
END_TEST

enum { SCALE = 300, PIECE = 1024 };

static void write_until_killed(int kill_at)
{
    fault = (typeof(fault)){.on = true, .bytes = -1, .most = PIECE, .kill_at = kill_at};
    write_generation(2, SCALE);
    _exit(0);
}

/* Before each system call of a write in turn: a reader finds the old one up to the rename, and the new one after it;
 * and what is left of the write is swept away. */
START_TEST(killed_at_any_moment)
{
    pr_results_t *results = NULL;
    ck_assert_int_eq(pr_results_open(folder, &results, &err), PR_OK);
    ck_assert_int_eq(write_generation(1, SCALE), PR_OK);
    int files = count_files(folder);
    fault = (typeof(fault)){.on = true, .bytes = -1, .most = PIECE};
    ck_assert_int_eq(write_generation(2, SCALE), PR_OK);
    int steps = fault.steps, renamed_at = fault.renamed_at;
    fault.on = false;
    ck_assert_int_gt(renamed_at, 10); // several pieces, and a sync
    ck_assert_int_gt(steps, renamed_at);
    for (int kill_at = 1; kill_at <= steps; kill_at++) {
        int how;
        ck_assert_int_eq(write_generation(1, SCALE), PR_OK);
        pid_t pid = start_child(write_until_killed, kill_at, -1);
        ck_assert_int_eq(waitpid(pid, &how, 0), pid);
        ck_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
        int now = read_generation(SCALE);
        ck_assert_msg(now == (kill_at > renamed_at ? 2 : 1), "step %d of %d, the rename is %d: generation %d: %s",
                      kill_at, steps, renamed_at, now, now < 0 ? err.text : "");
        ck_assert_int_eq(count_files(folder), kill_at > renamed_at ? files : files + 1);
        pr_results_sweep_temporaries(results);
        ck_assert_int_eq(count_files(folder), files);
    }
    pr_results_close(&results);
}
END_TEST

START_TEST(float_data_is_packed_better_than_zlib_alone_does)
{
    enum { n = 100000 };
    float *x = pr_alloc(n, sizeof *x);
    pr_rng_key_t key = pr_rng_key(3, "weights", "");
    for (uint64_t i = 0; i < n; i++)
        x[i] = (float)(0.02 * pr_rng_normal(&key, i, 0, 0, 0));
    pr_section_t s = {"w", sizeof *x, n, x};
    json_t *meta = json_object();
    size_t len;
    ck_assert_int_eq(pr_checkpoint_write(path, "k", meta, &s, 1, &err), PR_OK);
    free(get_file(path, &len));
    uLongf plain = compressBound(sizeof *x * n);
    unsigned char *packed = pr_alloc(plain, 1);
    ck_assert_int_eq(compress2(packed, &plain, (const Bytef *)x, sizeof *x * n, 9), Z_OK);
    ck_assert_msg((double)len < 0.93 * (double)plain, "%zu bytes, zlib alone %lu", len, plain);
    free(packed);
    free(x);
    json_decref(meta);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("checkpoint");
    TCase *tcase = tcase_create("checkpoint");
    tcase_add_checked_fixture(tcase, set_up, remove_folder);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, reads_what_was_written);
    tcase_add_test(tcase, the_same_content_gives_the_same_bytes);
    tcase_add_test(tcase, sections_are_asked_for_by_name_and_shape);
    tcase_add_test(tcase, refuses_to_write_what_it_could_not_read);
    tcase_add_test(tcase, every_bit_flipped);
    tcase_add_test(tcase, cut_at_every_byte_and_longer);
    tcase_add_test(tcase, hostile_headers);
    tcase_add_test(tcase, a_header_without_end);
    tcase_add_test(tcase, a_decompression_bomb);
    tcase_add_test(tcase, a_name_that_is_there_twice_or_another_crc);
    tcase_add_test(tcase, failed_writes_leave_the_old_one);
    tcase_add_test(tcase, a_real_limit_of_the_file_size);
    tcase_add_test(tcase, a_folder_that_is_not_there);
    tcase_add_test(tcase, killed_at_any_moment);
    tcase_add_test(tcase, float_data_is_packed_better_than_zlib_alone_does);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
