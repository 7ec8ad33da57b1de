// SPDX-License-Identifier: BSD-3-Clause
/* Optimistic linear support: corners and bounds against enumeration, and a solver whose whole convex coverage set is to
 * be found. */
#include "unit/sweeps/search_sim.h"

/* Solves a [k,k] x = b in place; false when singular. */
static bool solve(int k, double a[8][8], double *b)
{
    for (int i = 0; i < k; i++) {
        int best = i;
        for (int j = i + 1; j < k; j++)
            best = fabs(a[j][i]) > fabs(a[best][i]) ? j : best;
        for (int j = 0; j < k; j++) {
            double swap = a[i][j];
            a[i][j] = a[best][j];
            a[best][j] = swap;
        }
        double swap = b[i];
        b[i] = b[best];
        b[best] = swap;
        if (fabs(a[i][i]) < 1e-10)
            return false;
        for (int j = 0; j < k; j++) {
            double f = j == i ? 0 : a[j][i] / a[i][i];
            for (int m = i; m < k; m++)
                a[j][m] -= f * a[i][m];
            b[j] -= f * b[i];
        }
    }
    for (int i = 0; i < k; i++)
        b[i] /= a[i][i];
    return true;
}

/* Calls back with every choice of k of n. */
static void each_choice(int n, int k, void (*f)(void *context, const int *c), void *context)
{
    int c[8] = {0};
    for (int i = 0; i < k; i++)
        c[i] = i;
    for (;;) {
        f(context, c);
        int i = k - 1;
        while (i >= 0 && c[i] == n - k + i)
            i--;
        if (i < 0)
            return;
        c[i]++;
        for (int j = i + 1; j < k; j++)
            c[j] = c[j - 1] + 1;
    }
}

typedef struct brute {
    int k, n;
    const double *values, *w;
    const double *weights, *bound;
    double corner[4000][6];
    int n_corners;
    double least;
} brute_t;

static double height(const brute_t *b, const double *w)
{
    double best = -INFINITY;
    for (int i = 0; i < b->n; i++) {
        double sum = 0;
        for (int j = 0; j < b->k; j++)
            sum += b->values[i * b->k + j] * w[j];
        best = fmax(best, sum);
    }
    return best;
}

static double distance(const double *a, const double *b, int k)
{
    double far = 0;
    for (int j = 0; j < k; j++)
        far = fmax(far, fabs(a[j] - b[j]));
    return far;
}

/* k tight constraints of w_j >= 0 and h >= v_i.w, with sum w = 1, may make a corner. */
static void try_corner(void *context, const int *c)
{
    brute_t *b = context;
    int k = b->k;
    double a[8][8] = {{0}}, x[8] = {0};
    for (int i = 0; i < k; i++) {
        if (c[i] < k) {
            a[i][c[i]] = 1;
            continue;
        }
        for (int j = 0; j < k; j++)
            a[i][j] = b->values[(c[i] - k) * k + j];
        a[i][k] = -1;
    }
    for (int j = 0; j < k; j++)
        a[k][j] = 1;
    x[k] = 1;
    if (!solve(k + 1, a, x))
        return;
    for (int j = 0; j < k; j++)
        if (x[j] < -1e-9)
            return;
    if (height(b, x) > x[k] + 1e-9)
        return;
    for (int i = 0; i < b->n_corners; i++)
        if (distance(b->corner[i], x, k) < 1e-7)
            return;
    memcpy(b->corner[b->n_corners++], x, (size_t)k * sizeof x[0]);
}

static double *random_values(int n, int k, uint64_t seed, int steps)
{
    pr_rng_key_t key = pr_rng_key(seed, "values", "");
    double *v = pr_alloc((size_t)(n * k), sizeof v[0]);
    for (int i = 0; i < n; i++) {
        double norm = 0;
        for (int j = 0; j < k; j++) {
            double x = fabs(pr_rng_normal(&key, (uint64_t)i, (uint64_t)j, 0, 0));
            norm += x * x;
            v[i * k + j] = x;
        }
        for (int j = 0; j < k; j++)
            v[i * k + j] = steps > 0 ? floor(v[i * k + j] / sqrt(norm) * steps) : v[i * k + j] / sqrt(norm);
    }
    return v;
}

static brute_t brute;

START_TEST(corners_agree_with_enumeration)
{
    for (uint64_t seed = 0; seed < 120; seed++) {
        int k = 2 + (int)(seed % 4), n = 1 + (int)(seed % (k <= 3 ? 12 : 8));
        double *v = random_values(n, k, seed, seed % 3 == 0 ? 4 : 0), *w = NULL, *h = NULL;
        brute = (brute_t){.k = k, .n = n, .values = v};
        each_choice(n + k, k, try_corner, &brute);
        size_t m = pr_envelope_corners(v, (size_t)n, k, &w, &h);
        ck_assert_int_eq((int)m, brute.n_corners);
        for (size_t i = 0; i < m; i++) {
            double nearest = INFINITY;
            for (int j = 0; j < brute.n_corners; j++)
                nearest = fmin(nearest, distance(&w[i * (size_t)k], brute.corner[j], k));
            ck_assert_double_lt(nearest, 1e-8);
            ck_assert_double_eq_tol(h[i], height(&brute, &w[i * (size_t)k]), 1e-9);
        }
        free(v);
        free(w);
        free(h);
    }
}
END_TEST

/* A basis of the dual programme: y >= 0 with sum y_i weights_i = w. */
static void try_basis(void *context, const int *c)
{
    brute_t *b = context;
    double a[8][8] = {{0}}, y[8], sum = 0;
    for (int i = 0; i < b->k; i++) {
        for (int j = 0; j < b->k; j++)
            a[j][i] = b->weights[c[i] * b->k + j];
        y[i] = b->w[i];
    }
    if (!solve(b->k, a, y))
        return;
    for (int i = 0; i < b->k; i++) {
        if (y[i] < -1e-10)
            return;
        sum += y[i] * b->bound[c[i]];
    }
    b->least = fmin(b->least, sum);
}

START_TEST(bound_agrees_with_enumeration)
{
    pr_rng_key_t key = pr_rng_key(9, "weights", "");
    for (uint64_t seed = 0; seed < 150; seed++) {
        int k = 2 + (int)(seed % 4), n = k + (int)(seed % 9);
        double *v = random_values(5, k, seed, 0);
        double *weights = pr_alloc((size_t)(n * k), sizeof(double)), *bound = pr_alloc((size_t)n, sizeof(double)), w[8];
        brute = (brute_t){.k = k, .n = 5, .values = v, .w = w, .weights = weights, .bound = bound, .least = INFINITY};
        for (int i = 0; i <= n; i++) {
            double *to = i < n ? &weights[i * k] : w, sum = 0;
            for (int j = 0; j < k; j++)
                sum += to[j] = i < k ? i == j : pr_rng_uniform(&key, seed, (uint64_t)i, (uint64_t)j, 0);
            for (int j = 0; j < k; j++)
                to[j] /= sum;
            if (i < n)
                bound[i] = height(&brute, to) * (i % 2 ? 1 : 1.05);
        }
        each_choice(n, k, try_basis, &brute);
        ck_assert_double_eq_tol(pr_optimistic_value(weights, bound, (size_t)n, k, w), brute.least, 1e-9);
        free(v);
        free(weights);
        free(bound);
    }
}
END_TEST

/* Answers each request with the best of some values at those weights, as a planner would. */
static void answer_best(sim_t *s, const pr_requests_t *q, const brute_t *b)
{
    for (size_t i = 0; i < q->n; i++) {
        double w[8], best = -INFINITY;
        int at = 0;
        pr_point_weights(&SIM_REQUEST(q, i)->point, b->k, w);
        for (int v = 0; v < b->n; v++) {
            double sum = 0;
            for (int j = 0; j < b->k; j++)
                sum += b->values[v * b->k + j] * w[j];
            at = sum > best + 1e-12 ? v : at;
            best = fmax(best, sum);
        }
        sim_evaluate(s, SIM_REQUEST(q, i));
        memcpy((double *)s->obs[s->n - 1].mean, &b->values[at * b->k], (size_t)b->k * sizeof(double));
        memset((double *)s->obs[s->n - 1].se, 0, (size_t)b->k * sizeof(double));
    }
}

/* With an exact solver it ends by itself, with the whole upper envelope, in no more evaluations than corners. */
START_TEST(finds_the_convex_coverage_set)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        int k = 2 + (int)(seed % 4), n = k <= 3 ? 12 : 9;
        double *v = random_values(n, k, seed, 0);
        brute = (brute_t){.k = k, .n = n, .values = v};
        each_choice(n + k, k, try_corner, &brute);
        sim_t s = sim_new(k, "ols", "simplex");
        s.spec.levels = 100;
        s.spec.beam = seed % 2 ? 1 : 0;
        for (bool done = false; !done;) {
            pr_requests_t q = sim_next(&s);
            sim_check(&s, &q);
            ck_assert(s.spec.beam == 0 || s.n == 0 || q.n <= 1);
            answer_best(&s, &q, &brute);
            done = q.done;
            pr_requests_free(&q);
        }
        for (int i = 0; i < brute.n_corners; i++) {
            double found = -INFINITY;
            for (size_t o = 0; o < s.n; o++) {
                double sum = 0;
                for (int j = 0; j < k; j++)
                    sum += s.obs[o].mean[j] * brute.corner[i][j];
                found = fmax(found, sum);
            }
            ck_assert_double_eq_tol(found, height(&brute, brute.corner[i]), 1e-7);
        }
        sim_sort(&s);
        sim_free(&s);
        free(v);
    }
}
END_TEST

static void check_wanted(sim_t *s, const char *expected)
{
    pr_requests_t q = sim_next(s);
    char text[200] = "", one[100];
    for (size_t i = 0; i < q.n; i++) {
        pr_point_text(&SIM_REQUEST(&q, i)->point, s->search.k, one, sizeof one);
        strcat(strcat(text, one), ";");
    }
    ck_assert_str_eq(text, expected);
    answer_best(s, &q, &brute);
    pr_requests_free(&q);
}

/* By hand: (4,0), (0,2), (3,1.5). The first corner is where 4w = 2(1-w); then those with the third. */
START_TEST(two_objectives_by_hand)
{
    static const double VALUES[] = {4, 0, 0, 2, 3, 1.5};
    brute = (brute_t){.k = 2, .n = 3, .values = VALUES};
    sim_t s = sim_new(2, "ols", "simplex");
    s.spec.levels = 10;
    check_wanted(&s, "0,1;1,0;");
    check_wanted(&s, "1/3,2/3;");
    check_wanted(&s, "1/7,6/7;3/5,2/5;");
    check_wanted(&s, "");
    sim_free(&s);
    s = sim_new(2, "ols", "simplex");
    s.spec.levels = 10;
    s.spec.min_gain = 10;
    check_wanted(&s, "0,1;1,0;");
    check_wanted(&s, "");
    sim_free(&s);
}
END_TEST

START_TEST(budget_is_used_and_kept)
{
    for (int k = 2; k <= 4; k++)
        for (int beam = 0; beam <= 3; beam += 3) {
            sim_t s = sim_new(k, "ols", "simplex");
            s.spec.budget = 25;
            s.spec.beam = beam;
            sim_run(&s); // the front is curved everywhere: there is always a corner left
            ck_assert_uint_eq(s.asked.n, 25);
            sim_free(&s);
        }
}
END_TEST

/* The envelope's corners multiply with the objectives; ten are still at hand. */
START_TEST(ten_objectives)
{
    sim_t s = sim_new(10, "ols", "simplex");
    s.spec.budget = 16;
    s.spec.beam = 3;
    sim_run(&s);
    ck_assert_uint_eq(s.asked.n, 16);
    sim_free(&s);
}
END_TEST

START_TEST(too_many_objectives_are_refused)
{
    sim_t s = sim_new(11, "ols", "simplex");
    pr_requests_t q = {0};
    pr_error_t err = {0};
    s.search.spec = &s.spec;
    ck_assert_int_eq(pr_search_next(&s.search, NULL, 0, &q, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "11"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("search ols");
    TCase *t = tcase_create("ols");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, corners_agree_with_enumeration);
    tcase_add_test(t, bound_agrees_with_enumeration);
    tcase_add_test(t, finds_the_convex_coverage_set);
    tcase_add_test(t, two_objectives_by_hand);
    tcase_add_test(t, budget_is_used_and_kept);
    tcase_add_test(t, ten_objectives);
    tcase_add_test(t, too_many_objectives_are_refused);
    suite_add_tcase(suite, t);
    return sim_main(suite);
}
