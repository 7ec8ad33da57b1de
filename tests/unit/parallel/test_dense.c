// SPDX-License-Identifier: BSD-3-Clause
/* The one-process dense provider against sums, products and factors that are written out. */
#include "parallel/dense.h"
#include "unit/model/model_files.h"

#include <math.h>

static double noise(uint64_t *state)
{
    return (double)next_random(state) / 2147483648.0 - 0.5;
}

static double *random_rows(size_t n, uint64_t *state)
{
    double *x = pr_alloc(n, sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = noise(state);
    return x;
}

static void close_to(const double *found, const double *expected, size_t n, double tolerance)
{
    double most = 1e-300;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs(expected[i]));
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs(found[i] - expected[i]) <= tolerance * most, "entry %zu: %.17g, not %.17g", i, found[i],
                      expected[i]);
}

static pr_spd_t *make(int d)
{
    pr_error_t err;
    pr_spd_t *g = NULL;
    ck_assert_int_eq(pr_dense_local()->create(pr_dense_local(), d, &g, &err), PR_OK);
    return g;
}

static void add(pr_spd_t *g, double keep, int n, const double *x)
{
    pr_error_t err;
    ck_assert_int_eq(pr_dense_local()->add(pr_dense_local(), g, keep, n, x, &err), PR_OK);
}

/* expected = keep expected + xt x */
static void add_by_hand(double *expected, double keep, int n, const double *x, size_t d)
{
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++) {
            double sum = keep * expected[i * d + j];
            for (size_t r = 0; r < (size_t)n; r++)
                sum += x[r * d + i] * x[r * d + j];
            expected[i * d + j] = sum;
        }
}

static void compare(const pr_spd_t *g, const double *expected, size_t d)
{
    double *found = pr_alloc(d * d, sizeof *found);
    pr_dense_local()->get(pr_dense_local(), g, found);
    close_to(found, expected, d * d, 1e-13);
    free(found);
}

/* x [n,d] G written out. */
static void multiply_by_hand(const double *g, int n, const double *x, double *y, size_t d)
{
    for (size_t r = 0; r < (size_t)n; r++)
        for (size_t j = 0; j < d; j++) {
            y[r * d + j] = 0;
            for (size_t i = 0; i < d; i++)
                y[r * d + j] += x[r * d + i] * g[i * d + j];
        }
}

static void check_sums(int size, int n)
{
    const pr_dense_t *dense = pr_dense_local();
    size_t d = (size_t)size;
    uint64_t state = 11 + d;
    double *expected = pr_alloc(d * d, sizeof *expected), *other = pr_alloc(d * d, sizeof *other), trace = 0,
           *x = random_rows((size_t)n * d, &state), *y = random_rows(3 * d, &state);
    pr_spd_t *g = make(size), *h = make(size);
    compare(g, expected, d);
    add(g, 0, n, x);
    add_by_hand(expected, 0, n, x, d);
    add(g, 0.5, 3, y);
    add_by_hand(expected, 0.5, 3, y, d);
    add(g, 0.5, 0, x);
    add_by_hand(expected, 0.5, 0, x, d);
    compare(g, expected, d);
    add(h, 0, 3, y);
    dense->add_matrix(dense, g, -2, h);
    add_by_hand(other, 0, 3, y, d);
    for (size_t i = 0; i < d * d; i++)
        expected[i] -= 2 * other[i];
    dense->scale_off_diagonal(dense, g, 0.25);
    dense->add_diagonal(dense, g, 1.5);
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++)
            expected[i * d + j] = i == j ? expected[i * d + j] + 1.5 : 0.25 * expected[i * d + j];
    compare(g, expected, d);
    for (size_t i = 0; i < d; i++)
        trace += expected[i * d + i];
    ck_assert_double_eq_tol(dense->trace(dense, g), trace, 1e-12 * fabs(trace) + 1e-12);
    dense->clear(dense, g);
    memset(expected, 0, d * d * sizeof *expected);
    compare(g, expected, d);
    dense->destroy(dense, &g);
    ck_assert_ptr_null(g);
    dense->destroy(dense, &g);
    dense->destroy(dense, &h);
    free(expected);
    free(other);
    free(x);
    free(y);
}

START_TEST(sums)
{
    check_sums(1, 1);
    check_sums(3, 7);
    check_sums(40, 90);
}
END_TEST

/* A matrix of 30 x 30 with a condition number of about 1e4, and its entries. */
static pr_spd_t *well_conditioned(double *entries, uint64_t *state)
{
    pr_spd_t *g = make(30);
    double *x = random_rows(100 * 30, state);
    for (size_t i = 0; i < 100; i++)
        x[i * 30 + 4] *= 0.02;
    add(g, 0, 100, x);
    pr_dense_local()->get(pr_dense_local(), g, entries);
    free(x);
    return g;
}

START_TEST(products_and_solutions)
{
    enum { D = 30, N = 5 };
    const pr_dense_t *dense = pr_dense_local();
    pr_error_t err;
    uint64_t state = 3;
    double entries[D * D], y[N * D], again[N * D], factor[D * D], square[D * D], rcond = -1;
    pr_spd_t *g = well_conditioned(entries, &state);
    double *x = random_rows(N * D, &state);
    ck_assert_int_eq(dense->multiply(dense, g, N, x, y, &err), PR_OK);
    multiply_by_hand(entries, N, x, again, D);
    close_to(y, again, N * D, 1e-13);
    ck_assert_int_eq(dense->factor(dense, g, &rcond, &err), PR_OK);
    ck_assert_int_eq(dense->solve(dense, g, N, y, &err), PR_OK);
    close_to(y, x, N * D, 1e-9);
    // G = L Lt.
    dense->get(dense, g, factor);
    for (size_t i = 0; i < D; i++)
        for (size_t j = 0; j < D; j++) {
            square[i * D + j] = 0;
            for (size_t k = 0; k < D; k++)
                square[i * D + j] += factor[i * D + k] * factor[j * D + k];
            ck_assert(j <= i || factor[i * D + j] == 0);
        }
    close_to(square, entries, D * D, 1e-13);
    free(x);
    // The condition number from the inverse: the estimate is at most 3 times off.
    double *inverse = pr_alloc(D * D, sizeof *inverse), norm = 0, inverse_norm = 0;
    for (size_t i = 0; i < D; i++)
        inverse[i * (D + 1)] = 1;
    ck_assert_int_eq(dense->solve(dense, g, D, inverse, &err), PR_OK);
    for (size_t i = 0; i < D; i++) {
        double a = 0, b = 0;
        for (size_t j = 0; j < D; j++) {
            a += fabs(entries[i * D + j]);
            b += fabs(inverse[i * D + j]);
        }
        norm = fmax(norm, a);
        inverse_norm = fmax(inverse_norm, b);
    }
    ck_assert_double_ge(rcond * norm * inverse_norm, 0.999);
    ck_assert_double_le(rcond * norm * inverse_norm, 3);
    ck_assert_double_le(rcond, 1e-3);
    free(inverse);
    dense->destroy(dense, &g);
}
END_TEST

START_TEST(no_factor)
{
    const pr_dense_t *dense = pr_dense_local();
    pr_error_t err;
    pr_spd_t *g = make(4), *minus = make(4);
    double x[4] = {0, 0, 2, 0}, rcond;
    dense->add_diagonal(dense, g, 1);
    add(minus, 0, 1, x);
    dense->add_matrix(dense, g, -1, minus);
    ck_assert_int_eq(dense->factor(dense, g, &rcond, &err), PR_ERR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(err.text, "leading minor 3"));
    for (int i = 0; i < 4; i++) { // wherever it stands
        dense->clear(dense, g);
        dense->add_diagonal(dense, g, 1);
        memset(x, 0, sizeof x);
        x[i] = NAN;
        add(g, 1, 1, x);
        ck_assert_int_eq(dense->factor(dense, g, i % 2 ? &rcond : NULL, &err), PR_ERR_NUMERIC);
        ck_assert_ptr_nonnull(strstr(err.text, "not finite"));
    }
    dense->clear(dense, g);
    dense->add_diagonal(dense, g, 1);
    ck_assert_int_eq(dense->factor(dense, g, &rcond, &err), PR_OK);
    ck_assert_double_eq_tol(rcond, 1, 1e-15);
    dense->destroy(dense, &g);
    dense->destroy(dense, &minus);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dense");
    TCase *t = tcase_create("dense");
    tcase_add_test(t, sums);
    tcase_add_test(t, products_and_solutions);
    tcase_add_test(t, no_factor);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
