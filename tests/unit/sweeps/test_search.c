/* The uniform designs, the full lattice of the simplex and the cube's search, against counting and against EMORL's
 * algorithm written down as it is defined. */
#include "unit/sweeps/search_sim.h"

static int64_t binomial(int n, int k)
{
    int64_t c = 1;
    for (int i = 1; i <= k; i++)
        c = c * (n - k + i) / i;
    return c;
}

START_TEST(das_dennis_counts)
{
    for (int k = 1; k <= 10; k++)
        for (int m = 1; m <= (k <= 5 ? 9 : 3); m++) {
            sim_t s = sim_new(k, "grid", "simplex");
            s.spec.divisions = m;
            sim_run(&s);
            ck_assert_int_eq((int64_t)s.n, binomial(m + k - 1, k - 1));
            ck_assert_uint_eq(s.asked.n, s.n);
            for (size_t i = 0; i < s.n; i++)
                ck_assert_int_eq(m % s.obs[i].point.den, 0);
            sim_free(&s);
        }
}
END_TEST

START_TEST(cube_grid_counts)
{
    for (int k = 1; k <= 6; k++)
        for (int m = 1; m <= 4; m++) {
            sim_t s = sim_new(k, "grid", "cube");
            s.spec.divisions = m;
            sim_run(&s);
            ck_assert_double_eq((double)s.n, pow(m + 1, k));
            sim_free(&s);
        }
}
END_TEST

START_TEST(simplex_all_is_the_full_lattice)
{
    for (int k = 1; k <= 10; k++)
        for (int levels = 0; levels <= (k <= 4 ? 4 : 2); levels++) {
            sim_t s = sim_new(k, "hierarchical", "simplex");
            s.spec.select = (char *)"all";
            s.spec.levels = levels;
            sim_run(&s);
            ck_assert_int_eq((int64_t)s.n, binomial((1 << levels) + k - 1, k - 1));
            for (size_t i = 0; i < s.n; i++)
                ck_assert_int_eq(s.obs[i].point.den, INT64_C(1) << s.obs[i].level);
            ck_assert_uint_eq(s.asked.n, s.n);
            sim_free(&s);
        }
}
END_TEST

/* EMORL, three objectives, in floating point as published: nested loops over linspace(lo, hi, 3). */
typedef struct emorl {
    size_t n;
    double seen[1000][3];
    double (*score)(const double *w);
} emorl_t;

static void emorl_visit(emorl_t *e, const double *w)
{
    for (size_t i = 0; i < e->n; i++)
        if (memcmp(e->seen[i], w, sizeof e->seen[i]) == 0)
            return;
    memcpy(e->seen[e->n++], w, sizeof e->seen[0]);
}

static void emorl_level(emorl_t *e, double *lo, double side)
{
    double best = -INFINITY, next[3] = {0}, half = side / 2;
    for (int x = 0; x < 3; x++)
        for (int y = 0; y < 3; y++)
            for (int z = 0; z < 3; z++)
                emorl_visit(e, (double[]){lo[0] + x * half, lo[1] + y * half, lo[2] + z * half});
    for (int x = 0; x < 2; x++)
        for (int y = 0; y < 2; y++)
            for (int z = 0; z < 2; z++) {
                double sum = 0;
                for (int v = 0; v < 8; v++)
                    sum += e->score((double[]){lo[0] + (x + v / 4) * half, lo[1] + (y + v / 2 % 2) * half,
                                               lo[2] + (z + v % 2) * half});
                if (sum > best) {
                    best = sum;
                    memcpy(next, (double[]){lo[0] + x * half, lo[1] + y * half, lo[2] + z * half}, sizeof next);
                }
            }
    memcpy(lo, next, sizeof next);
}

static uint64_t table_seed;

/* Scores without any structure, so that every sub-cube is the best one now and then; small integers make ties common.
 */
static void table_scores(const double *w, double *f)
{
    char text[100];
    snprintf(text, sizeof text, "%.17g,%.17g,%.17g", w[0], w[1], w[2]);
    pr_rng_key_t key = pr_rng_key(table_seed, "table", text);
    for (uint64_t j = 0; j < 3; j++)
        f[j] = (double)pr_rng_below(&key, table_seed % 2 ? 3 : 1000, j, 0, 0, 0);
}

static double table_sum(const double *w)
{
    double f[3];
    table_scores(w, f);
    return f[0] + f[1] + f[2];
}

static void answer_from_table(sim_t *s, const pr_requests_t *q)
{
    for (size_t i = 0; i < q->n; i++) {
        double w[3];
        sim_evaluate(s, &q->item[i]);
        pr_point_weights(&q->item[i].point, 3, w);
        table_scores(w, (double *)s->obs[s->n - 1].mean);
    }
}

START_TEST(cube_visits_what_emorl_visits)
{
    for (table_seed = 0; table_seed < 60; table_seed++) {
        static emorl_t e;
        e = (emorl_t){.score = table_sum};
        double lo[3] = {0}, side = 1;
        sim_t s = sim_new(3, "hierarchical", "cube");
        s.spec.levels = 5;
        for (int level = 0; level < 5; level++, side /= 2) {
            size_t before = e.n;
            emorl_level(&e, lo, side);
            pr_requests_t q = sim_next(&s);
            sim_check(&s, &q);
            ck_assert_uint_eq(q.n, e.n - before);
            for (size_t i = 0; i < q.n; i++) {
                double w[3];
                ck_assert_int_eq(q.item[i].level, level);
                pr_point_weights(&q.item[i].point, 3, w);
                size_t n = e.n;
                emorl_visit(&e, w);
                ck_assert_msg(e.n == n, "seed %d level %d: %g,%g,%g was not visited", (int)table_seed, level, w[0],
                              w[1], w[2]);
            }
            answer_from_table(&s, &q);
            free(q.item);
        }
        ck_assert_uint_eq(s.n, 27 + 4 * 19);
        pr_requests_t q = sim_next(&s);
        ck_assert(q.done);
        free(q.item);
        sim_free(&s);
    }
}
END_TEST

START_TEST(cube_of_any_dimension)
{
    for (int k = 1; k <= 10; k++) {
        sim_t s = sim_new(k, "hierarchical", "cube");
        s.spec.levels = k <= 8 ? 3 : 1;
        s.front = SIM_BUMP;
        sim_run(&s);
        ck_assert_double_eq((double)s.n, pow(3, k) + (s.spec.levels - 1) * (pow(3, k) - pow(2, k)));
        sim_free(&s);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("search");
    TCase *t = tcase_create("designs");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, das_dennis_counts);
    tcase_add_test(t, cube_grid_counts);
    tcase_add_test(t, simplex_all_is_the_full_lattice);
    tcase_add_test(t, cube_visits_what_emorl_visits);
    tcase_add_test(t, cube_of_any_dimension);
    suite_add_tcase(suite, t);
    return sim_main(suite);
}
