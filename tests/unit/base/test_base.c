// SPDX-License-Identifier: BSD-3-Clause
/* The base layer: errors, random numbers, durations, files that are never half-written, JSON with clear errors. */
#include "base/duration.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"

#include <check.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/paretorank-test-XXXXXX";

START_TEST(errors_are_one_line_and_have_exit_codes)
{
    pr_error_t e;
    ck_assert_int_eq(pr_fail(&e, PR_ERR_FORMAT, "a\nb%s", "\033[31m"), PR_ERR_FORMAT);
    ck_assert_str_eq(e.text, "a?b?[31m");
    ck_assert_int_eq(pr_fail_in(&e, "file %d", 7), PR_ERR_FORMAT);
    ck_assert_str_eq(e.text, "file 7: a?b?[31m");
    ck_assert_int_eq(pr_fail(NULL, PR_ERR_IO, "nobody listens"), PR_ERR_IO);
    ck_assert_int_eq(pr_fail_in(NULL, "and nobody %d", 2), PR_ERR_IO); // the status is kept all the same
    ck_assert_int_eq(pr_fail(&e, PR_ERR_FORMAT, "a failure in between, that somebody hears"), PR_ERR_FORMAT);
    ck_assert_int_eq(pr_fail_in(NULL, "nobody"), PR_ERR_IO);
    ck_assert_int_eq(pr_status_exit_code(PR_OK), 0);
    ck_assert_int_eq(pr_status_exit_code(PR_ERR_INTERRUPTED), 1);
    ck_assert_int_eq(pr_status_exit_code(PR_ERR_CONFIG), 2);
    ck_assert_int_eq(pr_status_exit_code(PR_ERR_FORMAT), 3);
    ck_assert_int_eq(pr_status_exit_code(PR_ERR_MEMORY), 4);
    for (int s = PR_OK; s <= PR_ERR_ENV; s++)
        ck_assert_int_eq(pr_status_from_reason(pr_status_reason((pr_status_t)s)), s);
    ck_assert_int_eq(pr_status_from_reason("no such word"), PR_ERR_INCOMPLETE);
    // A text longer than the buffer is cut, not overrun, also when a prefix comes before it.
    char *longer = pr_alloc(5000, 1);
    memset(longer, 'x', 4999);
    pr_fail(&e, PR_ERR_IO, "%s", longer);
    pr_fail_in(&e, "%s", longer);
    ck_assert_uint_lt(strlen(e.text), sizeof e.text);
    free(longer);
}
END_TEST

/* The known answers that Random123 ships for threefry4x64, 20 rounds (kat_vectors). */
START_TEST(random_numbers_are_threefry)
{
    pr_rng_key_t zero = {{0, 0, 0, 0}};
    ck_assert_uint_eq(pr_rng_u64(&zero, 0, 0, 0, 0), 0x09218ebde6c85537u);
    const uint64_t all = ~(uint64_t)0;
    pr_rng_key_t ones = {{all, all, all, all}};
    ck_assert_uint_eq(pr_rng_u64(&ones, all, all, all, all), 0x29c24097942bba1bu);
}
END_TEST

START_TEST(random_numbers_are_uniform_and_independent)
{
    enum { N = 20000, BINS = 20 };
    int bin[BINS] = {0}, below[7] = {0};
    double sum = 0, squares = 0, product = 0;
    pr_rng_key_t a = pr_rng_key(1, "roll-out", "job"), b = pr_rng_key(1, "prompts", "job"),
                 c = pr_rng_key(2, "roll-out", "job");
    for (uint64_t i = 0; i < N; i++) {
        double u = pr_rng_uniform(&a, i, 3, 0, 0), z = pr_rng_normal(&a, 0, i, 0, 0);
        ck_assert(u > 0 && u < 1);
        bin[(int)(u * BINS)]++;
        below[pr_rng_below(&a, 7, 0, 0, i, 0)]++;
        sum += z;
        squares += z * z;
        product += (u - 0.5) * (pr_rng_uniform(&b, i, 3, 0, 0) - 0.5);
        ck_assert_uint_ne(pr_rng_u64(&a, i, 0, 0, 0), pr_rng_u64(&c, i, 0, 0, 0));
    }
    double chi = 0;
    for (int i = 0; i < BINS; i++)
        chi += pow(bin[i] - N / BINS, 2) / (N / BINS);
    ck_assert_double_lt(chi, 43.8); // 19 degrees of freedom, p = 0.001
    for (int i = 0; i < 7; i++)
        ck_assert_double_lt(fabs(below[i] - N / 7.0), 5 * sqrt(N / 7.0));
    ck_assert_double_lt(fabs(sum / N), 0.03);
    ck_assert_double_lt(fabs(squares / N - 1), 0.05);
    ck_assert_double_lt(fabs(product / N), 0.003);
}
END_TEST

START_TEST(durations)
{
    static const struct {
        const char *text;
        double seconds;
    } good[] = {{"90s", 90}, {"5m", 300}, {"1.5h", 5400}, {"2d", 172800}, {"250ms", 0.25}, {"7", 7}};
    static const char *const bad[] = {"", "s", "-1s", "1 week", "nan", "1hh", "0x", "inf"};
    double s;
    pr_error_t e;
    char text[32];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_int_eq(pr_duration_parse(good[i].text, &s, &e), PR_OK);
        ck_assert_double_eq_tol(s, good[i].seconds, 1e-12);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(pr_duration_parse(bad[i], &s, &e), PR_ERR_CONFIG);
    pr_duration_format(3725, text, sizeof text);
    ck_assert_str_eq(text, "1h 02m");
    pr_duration_format(NAN, text, sizeof text);
    ck_assert_str_eq(text, "?");
}
END_TEST

START_TEST(files_are_old_or_new)
{
    char *path = pr_path_join(dir, "file"), *data;
    size_t len;
    pr_error_t e;
    ck_assert_int_eq(pr_file_write(path, "old", 3, &e), PR_OK);
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 100;
    signal(SIGXFSZ, SIG_IGN);
    char *big = pr_alloc(5000, 1);
    setrlimit(RLIMIT_FSIZE, &small);
    ck_assert_int_eq(pr_file_write(path, big, 5000, &e), PR_ERR_IO);
    setrlimit(RLIMIT_FSIZE, &before);
    ck_assert_ptr_nonnull(strstr(e.text, path));
    ck_assert_int_eq(pr_file_read(path, 0, &data, &len, &e), PR_OK);
    ck_assert_str_eq(data, "old");
    free(data);
    pr_buf_t find = {0}; // nothing half-written beside it
    pr_buf_printf(&find, "test -z \"$(find %s -name '*.tmp-*')\"", dir);
    ck_assert_int_eq(system(find.data), 0);
    pr_buf_free(&find);
    ck_assert_int_eq(pr_file_read(path, 2, &data, &len, &e), PR_ERR_FORMAT);
    ck_assert_int_eq(pr_file_read(dir, 0, &data, &len, &e), PR_ERR_NOT_FOUND);
    ck_assert_int_eq(pr_file_write("/nonexistent-directory/x", "x", 1, &e), PR_ERR_IO);
    ck_assert_int_eq(pr_file_write(dir, "x", 1, &e), PR_ERR_IO);
    char *pipe = pr_path_join(dir, "pipe"); // as a device: not to be replaced by a file
    struct stat st;
    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    ck_assert_int_eq(pr_file_write(pipe, "x", 1, &e), PR_ERR_IO);
    ck_assert_ptr_nonnull(strstr(e.text, "expected a regular file"));
    ck_assert(stat(pipe, &st) == 0 && S_ISFIFO(st.st_mode));
    unlink(pipe);
    free(pipe);
    free(big);
    free(path);
}
END_TEST

START_TEST(paths_and_directories)
{
    pr_error_t e;
    char *deep = pr_path_join(dir, "a/b/c"), *up = pr_path_dir(deep), *root = pr_path_dir("/x"),
         *here = pr_path_dir("x"), *absolute = pr_path_join("/a", "/b");
    ck_assert_int_eq(pr_mkdirs(deep, &e), PR_OK);
    ck_assert_int_eq(pr_mkdirs(deep, &e), PR_OK);
    ck_assert(pr_dir_exists(deep) && !pr_file_exists(deep));
    ck_assert(pr_dir_exists(up));
    ck_assert_str_eq(root, "/");
    ck_assert_str_eq(here, ".");
    ck_assert_str_eq(absolute, "/b");
    ck_assert_int_eq(pr_mkdirs("/proc/not-here", &e), PR_ERR_IO);
    free(deep);
    free(up);
    free(root);
    free(here);
    free(absolute);
}
END_TEST

START_TEST(maps_and_hashes)
{
    char *path = pr_path_join(dir, "mapped"), of_file[PR_HASH_HEX], of_bytes[PR_HASH_HEX];
    size_t n = 3000000;
    char *bytes = pr_alloc(n, 1);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 7 / 3);
    pr_map_t m;
    ck_assert_int_eq(pr_file_write(path, bytes, n, NULL), PR_OK);
    ck_assert_int_eq(pr_map_open(path, &m, NULL), PR_OK);
    ck_assert_uint_eq(m.len, n);
    pr_map_release(&m, 100, n - 200); // the content is still there afterwards
    ck_assert_int_eq(memcmp(m.data, bytes, n), 0);
    pr_map_close(&m);
    ck_assert_int_eq(pr_hash_file(path, of_file, NULL), PR_OK);
    pr_hash_hex(bytes, n, of_bytes);
    ck_assert_str_eq(of_file, of_bytes);
    ck_assert_uint_eq(strlen(of_file), PR_HASH_HEX - 1);
    bytes[n / 2] ^= 1;
    pr_hash_hex(bytes, n, of_bytes);
    ck_assert_str_ne(of_file, of_bytes);
    ck_assert_uint_eq(pr_crc32("123456789", 9), 0xcbf43926u);
    free(bytes);
    free(path);
}
END_TEST

// A file's state: another one after every change, however soon and of whatever size, once it was let settle.
START_TEST(file_states)
{
    char path[64], other[64];
    pr_file_id_t a, b;
    pr_map_t m;
    pr_error_t err = {0};
    snprintf(path, sizeof path, "%s/state", dir);
    snprintf(other, sizeof other, "%s/state2", dir);
    ck_assert_int_eq(pr_file_id(path, &a, &err), PR_ERR_NOT_FOUND);
    ck_assert_msg(strstr(err.text, path) != NULL, "%s", err.text);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pr_file_write(i ? other : path, "one", 3, NULL), PR_OK);
    ck_assert_int_eq(pr_file_id(path, &a, NULL), PR_OK);
    ck_assert_int_eq(pr_file_id(other, &b, NULL), PR_OK);
    ck_assert(!pr_file_id_equal(&a, &b));
    ck_assert_int_eq(pr_map_open(path, &m, NULL), PR_OK);
    ck_assert(pr_file_id_equal(&a, &m.id));
    ck_assert_uint_eq(m.id.size, 3);
    pr_map_close(&m);
    for (int i = 0; i < 20; i++) {
        pr_file_id_settle(&a);
        FILE *f = fopen(path, "r+");
        ck_assert(f && fwrite(i % 2 ? "one" : "two", 1, 3, f) == 3 && fclose(f) == 0);
        ck_assert_int_eq(pr_file_id(path, &b, NULL), PR_OK);
        ck_assert(!pr_file_id_equal(&a, &b));
        ck_assert_int_eq(pr_file_id(path, &a, NULL), PR_OK);
        ck_assert(pr_file_id_equal(&a, &b));
    }
    a.changed = INT64_MAX / 2; // of a clock that is ahead: nothing to wait for
    pr_file_id_settle(&a);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(unlink(other), 0);
}
END_TEST

START_TEST(json_has_null_for_what_is_no_number)
{
    json_t *v = json_array();
    json_array_append_new(v, pr_json_real(0.5));
    json_array_append_new(v, pr_json_real(INFINITY));
    json_array_append_new(v, pr_json_real(-INFINITY));
    json_array_append_new(v, pr_json_real(NAN));
    json_array_append_new(v, pr_json_real(-2));
    char *text = pr_json_text(v, JSON_COMPACT);
    ck_assert_str_eq(text, "[0.5,null,null,null,-2.0]"); // each in its own place
    free(text);
    json_decref(v);
}
END_TEST

START_TEST(json_that_cannot_be_written_ends_the_process)
{
    free(pr_json_text(NULL, 0));
}
END_TEST

START_TEST(json_says_where_it_is_wrong)
{
    json_t *v;
    pr_error_t e;
    int64_t i;
    bool flag;
    const char *bad = "{\"a\": 1,\n \"b\": }";
    ck_assert_int_eq(pr_json_parse(bad, strlen(bad), "here", &v, &e), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(e.text, "here: line 2"));
    const char *twice = "{\"a\": 1, \"a\": 2}";
    ck_assert_int_eq(pr_json_parse(twice, strlen(twice), "here", &v, &e), PR_ERR_FORMAT);
    const char *good = "{\"b\": [1.5, null], \"a\": \"x\", \"n\": null}";
    ck_assert_int_eq(pr_json_parse(good, strlen(good), "here", &v, &e), PR_OK);
    char *text = pr_json_canonical(v);
    ck_assert_str_eq(text, "{\"a\":\"x\",\"b\":[1.5,null],\"n\":null}");
    ck_assert_int_eq(pr_json_get_int(v, "a", 3, &i, "here", &e), PR_ERR_FORMAT);
    ck_assert_str_eq(e.text, "here: key 'a': found a string, expected an integer");
    ck_assert_int_eq(pr_json_get_int(v, "n", 3, &i, "here", &e), PR_OK);
    ck_assert_int_eq(i, 3);
    ck_assert_int_eq(pr_json_get_bool(v, "missing", true, &flag, "here", &e), PR_OK);
    ck_assert(flag);
    free(text);
    json_decref(v);
}
END_TEST

START_TEST(buffers_grow)
{
    pr_buf_t b = {0};
    for (int i = 0; i < 1000; i++)
        pr_buf_printf(&b, "%d,", i);
    ck_assert_uint_eq(b.len, 10 * 2 + 90 * 3 + 900 * 4);
    ck_assert_str_eq(b.data + b.len - 4, "999,");
    pr_buf_free(&b);
    ck_assert_ptr_null(b.data);
    ck_assert_ptr_null(pr_alloc_matrix(SIZE_MAX / 2, 8));
    pr_alloc_matrix_fail_at(2);
    for (int i = 1; i <= 3; i++) {
        void *p = pr_alloc_matrix(1, 1);
        ck_assert_msg((p == NULL) == (i == 2), "call %d", i);
        free(p);
    }
    ck_assert_int_eq(pr_alloc_matrix_fail_at(0), 3);
    float *m = pr_alloc_matrix(3, sizeof *m);
    ck_assert_uint_eq((uintptr_t)m % 64, 0);
    free(m);
}
END_TEST

int main(void)
{
    if (!mkdtemp(dir))
        return EXIT_FAILURE;
    Suite *suite = suite_create("base");
    TCase *c = tcase_create("all");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, errors_are_one_line_and_have_exit_codes);
    tcase_add_test(c, random_numbers_are_threefry);
    tcase_add_test(c, random_numbers_are_uniform_and_independent);
    tcase_add_test(c, durations);
    tcase_add_test(c, files_are_old_or_new);
    tcase_add_test(c, paths_and_directories);
    tcase_add_test(c, maps_and_hashes);
    tcase_add_test(c, file_states);
    tcase_add_test(c, json_says_where_it_is_wrong);
    tcase_add_test(c, json_has_null_for_what_is_no_number);
    tcase_add_test_raise_signal(c, json_that_cannot_be_written_ends_the_process, SIGABRT);
    tcase_add_test(c, buffers_grow);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    char *remove = pr_strdup("rm -rf ");
    remove = pr_realloc(remove, strlen(remove) + sizeof dir, 1);
    strcat(remove, dir);
    if (system(remove) != 0)
        failed = 1;
    free(remove);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
