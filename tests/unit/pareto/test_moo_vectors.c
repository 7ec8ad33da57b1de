// SPDX-License-Identifier: BSD-3-Clause
/* Values of moocore's test suite, where it is present: PARETORANK_VECTORS, or beside the source directory. */
#include "base/file.h"
#include "base/json.h"
#include "pareto/hv_estimate.h"
#include "pareto/hypervolume.h"
#include "pareto/points_file.h"
#include "points.h"

static char *vectors;

static char *vectors_dir(void)
{
    const char *dir = getenv("PARETORANK_VECTORS");
    const char *source = getenv("PARETORANK_SOURCE_DIR");
    return dir ? pr_strdup(dir) : pr_path_join(source ? source : ".", "../shared/vectors/moo");
}

static pr_points_t load(const char *name)
{
    char *path = pr_path_join(vectors, name);
    pr_points_t p;
    pr_error_t err;
    pr_status_t status = pr_points_load(path, &p, &err);
    ck_assert_msg(status == PR_OK, "%s", err.text);
    free(path);
    return p;
}

static void negate(double *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] = -values[i];
}

/* Half a unit in the last printed digit, one where the rest is cut off ("..."), and 1e-10 at least. */
static double printed_tolerance(const char *text)
{
    size_t digits = 0;
    for (const char *c = text; *c && *c != 'e'; c++)
        digits += *c >= '0' && *c <= '9' && (digits || *c != '0');
    double last = pow(10, 1 - (double)digits);
    return strstr(text, "...") && last > 1e-10 ? last : 1e-10;
}

static void check_hypervolumes(const json_t *entry)
{
    const char *file = json_string_value(json_object_get(entry, "file"));
    pr_points_t p = load(file);
    double reference[16];
    for (size_t k = 0; k < (size_t)p.m; k++)
        reference[k] = -json_number_value(json_array_get(json_object_get(entry, "reference"), k));
    negate(p.values, p.n * (size_t)p.m);
    if (json_is_true(json_object_get(entry, "union_of_sets")))
        pr_points_unite(&p);
    size_t set = 0;
    size_t i;
    json_t *line;
    json_array_foreach(json_object_get(entry, "expected"), i, line)
    {
        const char *text = json_string_value(line);
        if (strstr(text, "warning"))
            continue;
        ck_assert_msg(set < p.n_sets, "%s: %zu sets", file, p.n_sets);
        double found =
            pr_hypervolume(p.values + p.start[set] * (size_t)p.m, p.start[set + 1] - p.start[set], p.m, reference);
        double expected = strtod(text, NULL);
        ck_assert_msg(fabs(found - expected) <= printed_tolerance(text) * fabs(expected), "%s: set %zu: %.17g, not %s",
                      file, set, found, text);
        pr_hv_estimate_t e;
        ck_assert(pr_hv_estimate(p.values + p.start[set] * (size_t)p.m, p.start[set + 1] - p.start[set], p.m, reference,
                                 0.02, 1e8, NULL, NULL, &e));
        ck_assert_msg(fabs(e.volume - found) <= e.error + 1e-12 * found, "%s: set %zu: estimated %.9g with error %.3g",
                      file, set, e.volume, e.error);
        ck_assert_msg(e.error <= 0.03 * found, "%s: set %zu: %.9g with error %.3g", file, set, e.volume, e.error);
        set++;
    }
    ck_assert_uint_eq(set, p.n_sets);
    pr_points_free(&p);
}

START_TEST(hypervolumes)
{
    char *path = pr_path_join(vectors, "hv/index.json");
    json_t *index = NULL;
    ck_assert_int_eq(pr_json_load(path, 0, &index, NULL), PR_OK);
    ck_assert_uint_ge(json_array_size(index), 18);
    size_t i;
    json_t *entry;
    json_array_foreach(index, i, entry) check_hypervolumes(entry);
    json_decref(index);
    free(path);
}
END_TEST

/* One set's kept rows stand in the expected file, in order. maximised: a bit an objective. */
static void check_filter(const char *name, unsigned maximised, bool unite)
{
    char file[64];
    snprintf(file, sizeof file, "nondominated/%s.inp", name);
    pr_points_t in = load(file);
    snprintf(file, sizeof file, "nondominated/%s.exp", name);
    pr_points_t expected = load(file);
    if (unite)
        pr_points_unite(&in);
    size_t m = (size_t)in.m;
    bool *kept = pr_alloc(in.n, 1);
    double *turned = pr_alloc(in.n * m, sizeof *turned);
    for (size_t i = 0; i < in.n * m; i++)
        turned[i] = maximised >> i % m & 1 ? in.values[i] : -in.values[i];
    ck_assert_uint_eq(in.n_sets, expected.n_sets);
    size_t next = 0;
    for (size_t s = 0; s < in.n_sets; s++) {
        pr_nondominated(turned + in.start[s] * m, in.start[s + 1] - in.start[s], in.m, false, kept + in.start[s]);
        ck_assert_uint_eq(next, expected.start[s]);
        for (size_t i = in.start[s]; i < in.start[s + 1]; i++)
            if (kept[i])
                ck_assert(same_point(in.values + i * m, expected.values + next++ * m, m));
    }
    ck_assert_uint_eq(next, expected.n);
    free(turned);
    free(kept);
    pr_points_free(&in);
    pr_points_free(&expected);
}

START_TEST(filters)
{
    check_filter("bug-38", 0xe, true);
    check_filter("bug-4d", 0, false);
    check_filter("bug-5d", 0, false);
    check_filter("duplicates-5d-1", 0, false);
    check_filter("duplicates-5d", 0, false);
    check_filter("rep3d", 0, false);
    check_filter("rep4d", 0, false);
}
END_TEST

int main(void)
{
    vectors = vectors_dir();
    if (!pr_dir_exists(vectors)) {
        printf("skipped: no test vectors in %s (set PARETORANK_VECTORS)\n", vectors);
        free(vectors);
        return EXIT_SUCCESS;
    }
    TCase *t = tcase_create("moo_vectors");
    tcase_add_test(t, hypervolumes);
    tcase_add_test(t, filters);
    int failed = run_case(t, "moo_vectors");
    free(vectors);
    return failed;
}
