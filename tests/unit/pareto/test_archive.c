// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/archive.h"
#include "points.h"

START_TEST(verdicts)
{
    pr_archive_t *a = pr_archive_new(2);
    ck_assert_int_eq(pr_archive_insert(a, 7, (const double[]){1, 2}), PR_ARCHIVE_ADDED);
    ck_assert_int_eq(pr_archive_insert(a, 7, (const double[]){1, 2}), PR_ARCHIVE_DUPLICATE);
    ck_assert_int_eq(pr_archive_insert(a, 3, (const double[]){1, 2}), PR_ARCHIVE_ADDED);
    ck_assert_int_eq(pr_archive_insert(a, 7, (const double[]){1, 2}), PR_ARCHIVE_DUPLICATE);
    ck_assert_int_eq(pr_archive_insert(a, 1, (const double[]){1, 1}), PR_ARCHIVE_DOMINATED);
    ck_assert_int_eq(pr_archive_insert(a, 1, (const double[]){NAN, 9}), PR_ARCHIVE_NAN);
    ck_assert_int_eq(pr_archive_insert(a, 2, (const double[]){2, 1}), PR_ARCHIVE_ADDED);
    ck_assert_uint_eq(pr_archive_size(a), 3);
    ck_assert_int_eq(pr_archive_ids(a)[0], 2);
    ck_assert_int_eq(pr_archive_ids(a)[1], 3);
    ck_assert_int_eq(pr_archive_ids(a)[2], 7);
    ck_assert(same_point(pr_archive_points(a), (const double[]){2, 1, 1, 2, 1, 2}, 6));
    ck_assert_int_eq(pr_archive_insert(a, 8, (const double[]){2, 2}), PR_ARCHIVE_ADDED);
    ck_assert_uint_eq(pr_archive_size(a), 1);
    pr_archive_free(&a);
    ck_assert_ptr_null(a);
    pr_archive_free(&a);
}
END_TEST

/* The ids of the non-dominated points, equal ones among them: ids are the row numbers. */
static void assert_is_filter_of(pr_archive_t *a, const double *points, size_t n, size_t m)
{
    bool *kept = pr_alloc(n, 1);
    ck_assert_uint_eq(pr_archive_size(a), slow_nondominated(points, n, m, true, kept));
    const int64_t *ids = pr_archive_ids(a);
    const double *rows = pr_archive_points(a);
    for (size_t i = 0; i < pr_archive_size(a); i++) {
        ck_assert(i == 0 || ids[i - 1] < ids[i]);
        ck_assert(kept[ids[i]]);
        ck_assert(same_point(rows + i * m, points + (size_t)ids[i] * m, m));
    }
    free(kept);
}

static void insert_shuffled(pr_archive_t *a, const double *points, size_t n, size_t m, uint64_t seed)
{
    double *rows = pr_alloc(n * m, sizeof *rows);
    size_t *where = pr_alloc(n, sizeof *where);
    int64_t *ids = pr_alloc(n, sizeof *ids);
    shuffle_points(seed, points, n, m, rows, where);
    for (size_t i = 0; i < n; i++)
        ids[where[i]] = (int64_t)i;
    size_t first = n / 3;
    for (size_t i = 0; i < first; i++)
        pr_archive_insert(a, ids[i], rows + i * m);
    pr_archive_insert_many(a, ids + first, rows + first * m, n - first);
    pr_archive_insert_many(a, ids, rows, n); // once more changes nothing
    free(ids);
    free(where);
    free(rows);
}

START_TEST(any_order_gives_the_filter)
{
    for (size_t m = 1; m <= 5; m++)
        for (uint64_t seed = 0; seed < 12; seed++) {
            size_t n = seed < 6 ? 50 : 600;
            double *points = random_points(seed, (point_kind_t)(seed % KINDS), n, m);
            pr_archive_t *a = pr_archive_new((int)m);
            insert_shuffled(a, points, n, m, seed + 100);
            assert_is_filter_of(a, points, n, m);
            pr_archive_free(&a);
            free(points);
        }
}
END_TEST

/* Points dealt to several archives that are packed and merged in a tree or a chain: equal bytes each time. */
static char *merged_bytes(const double *points, size_t n, size_t m, size_t parts, bool chain, size_t *bytes)
{
    pr_archive_t *archives[8] = {0};
    for (size_t p = 0; p < parts; p++)
        archives[p] = pr_archive_new((int)m);
    for (size_t i = 0; i < n; i++)
        pr_archive_insert(archives[i * 7 % parts], (int64_t)i, points + i * m);
    for (size_t step = 1; step < parts; step *= chain ? parts : 2)
        for (size_t p = 0; p + step < parts; p += 2 * step)
            for (size_t q = p + step; q < (chain ? parts : p + step + 1); q++) {
                size_t size = pr_archive_bytes(archives[q]);
                char *packed = pr_alloc(size + 1, 1);
                pr_archive_pack(archives[q], packed + 1); // at an odd address
                ck_assert_int_eq(pr_archive_merge_packed(archives[p], packed + 1, size, NULL), PR_OK);
                free(packed);
            }
    *bytes = pr_archive_bytes(archives[0]);
    char *result = pr_alloc(*bytes, 1);
    pr_archive_pack(archives[0], result);
    for (size_t p = 0; p < parts; p++)
        pr_archive_free(&archives[p]);
    return result;
}

START_TEST(merging_is_independent_of_the_split)
{
    for (size_t m = 1; m <= 4; m++)
        for (uint64_t seed = 0; seed < 6; seed++) {
            double *points = random_points(seed, (point_kind_t)(seed % KINDS), 400, m);
            size_t alone = 0;
            char *expected = merged_bytes(points, 400, m, 1, false, &alone);
            for (size_t parts = 2; parts <= 8; parts++) {
                size_t bytes = 0;
                char *found = merged_bytes(points, 400, m, parts, parts & 1, &bytes);
                ck_assert_uint_eq(bytes, alone);
                ck_assert_mem_eq(found, expected, alone);
                free(found);
            }
            free(expected);
            free(points);
        }
}
END_TEST

START_TEST(hostile_bytes_are_refused)
{
    pr_archive_t *a = pr_archive_new(2);
    pr_archive_insert(a, 1, (const double[]){1, 2});
    size_t size = pr_archive_bytes(a);
    char *good = pr_alloc(size, 1);
    pr_archive_pack(a, good);
    pr_archive_t *b = pr_archive_new(2);
    pr_archive_t *c = pr_archive_new(3);
    pr_error_t err;
    for (size_t cut = 0; cut < size; cut++)
        ck_assert_int_eq(pr_archive_merge_packed(b, good, cut, &err), PR_ERR_FORMAT);
    ck_assert_int_eq(pr_archive_merge_packed(c, good, size, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "2 objectives, expected 3"));
    char *bad = pr_alloc(size, 1);
    memcpy(bad, good, size);
    memset(bad + 16, 0xff, 8); // a size near 2^64
    ck_assert_int_eq(pr_archive_merge_packed(b, bad, size, &err), PR_ERR_FORMAT);
    memcpy(bad, good, size);
    double nan = NAN;
    memcpy(bad + 32, &nan, sizeof nan);
    ck_assert_int_eq(pr_archive_merge_packed(b, bad, size, &err), PR_ERR_FORMAT);
    ck_assert_uint_eq(pr_archive_size(b), 0);
    ck_assert_int_eq(pr_archive_merge_packed(b, good, size, &err), PR_OK);
    ck_assert_uint_eq(pr_archive_size(b), 1);
    free(good);
    free(bad);
    pr_archive_free(&a);
    pr_archive_free(&b);
    pr_archive_free(&c);
}
END_TEST

START_TEST(negative_zero_is_stored_as_zero)
{
    pr_archive_t *a = pr_archive_new(1);
    pr_archive_insert(a, 5, (const double[]){-0.0});
    pr_archive_insert(a, 5, (const double[]){0.0});
    ck_assert_uint_eq(pr_archive_size(a), 1);
    ck_assert(!signbit(pr_archive_points(a)[0]));
    pr_archive_free(&a);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("archive");
    tcase_add_test(t, verdicts);
    tcase_add_test(t, any_order_gives_the_filter);
    tcase_add_test(t, merging_is_independent_of_the_split);
    tcase_add_test(t, hostile_bytes_are_refused);
    tcase_add_test(t, negative_zero_is_stored_as_zero);
    return run_case(t, "archive");
}
