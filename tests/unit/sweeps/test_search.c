// SPDX-License-Identifier: BSD-3-Clause
/* The uniform designs, the full lattice of the simplex and the cube's search, against counting and against EMORL's
 * algorithm written down as it is defined. */
#include "unit/sweeps/search_sim.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

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
                ck_assert_int_eq(m % s.obs[i].point[0], 0);
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
                ck_assert_int_eq(s.obs[i].point[0], INT64_C(1) << s.obs[i].level);
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

/* Scores without any structure, so that every sub-cube is the best one now and then; small integers make ties
 * common. */
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
        sim_evaluate(s, SIM_REQUEST(q, i));
        pr_point_weights(&SIM_REQUEST(q, i)->point, 3, w);
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
                ck_assert_int_eq(SIM_REQUEST(&q, i)->level, level);
                pr_point_weights(&SIM_REQUEST(&q, i)->point, 3, w);
                size_t n = e.n;
                emorl_visit(&e, w);
                ck_assert_msg(e.n == n, "seed %d level %d: %g,%g,%g was not visited", (int)table_seed, level, w[0],
                              w[1], w[2]);
            }
            answer_from_table(&s, &q);
            pr_requests_free(&q);
        }
        ck_assert_uint_eq(s.n, 27 + 4 * 19);
        pr_requests_t q = sim_next(&s);
        ck_assert(q.done);
        pr_requests_free(&q);
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

/* Means and variances of a Dirichlet distribution: 1/K and (1/K)(1 - 1/K)/(K alpha + 1). */
START_TEST(random_points_are_dirichlet)
{
    static const double ALPHA[] = {0.3, 1, 4};
    for (int i = 0; i < 9; i++) {
        int k = 2 + i % 3;
        sim_t s = sim_new(k, "random", "simplex");
        s.spec.points = 20000;
        s.spec.alpha = ALPHA[i / 3];
        sim_run(&s);
        ck_assert_uint_eq(s.n, 20000);
        for (int j = 0; j < k; j++) {
            double mean = 0, square = 0, w[PR_MAX_OBJECTIVES];
            for (size_t p = 0; p < s.n; p++) {
                pr_point_t at = sim_point(&s, p);
                pr_point_weights(&at, k, w);
                mean += w[j] / (double)s.n;
                square += w[j] * w[j] / (double)s.n;
            }
            double variance = (1.0 / k) * (1 - 1.0 / k) / (k * s.spec.alpha + 1);
            ck_assert_double_eq_tol(mean, 1.0 / k, 5 * sqrt(variance / (double)s.n));
            ck_assert_double_eq_tol(square - mean * mean, variance, 0.05 * variance);
        }
        sim_free(&s);
    }
}
END_TEST

/* More points extend a search; another seed is another search. */
START_TEST(random_points_depend_on_the_seed_alone)
{
    sim_t few = sim_new(3, "random", "simplex"), many = few, other = few;
    few.spec.points = other.spec.points = 50;
    many.spec.points = 80;
    other.search.seed = 2;
    sim_run(&few);
    sim_run(&many);
    sim_run(&other);
    for (size_t i = 0; i < few.n; i++) {
        pr_point_t p = pr_pointset_at(&few.asked, i);
        ck_assert(pr_pointset_find(&many.asked, &p) != PR_NO_POINT);
        ck_assert(pr_pointset_find(&other.asked, &p) == PR_NO_POINT);
    }
    sim_free(&few);
    sim_free(&many);
    sim_free(&other);
}
END_TEST

static pr_status_t status_of(sim_t *s, char *text, size_t size)
{
    pr_requests_t q = {0};
    pr_error_t err = {0};
    s->search.spec = &s->spec;
    pr_status_t status = pr_search_next(&s->search, s->obs, s->n, &q, &err);
    snprintf(text, size, "%s", err.text);
    pr_requests_free(&q);
    // The check by arithmetic says the same, word for word.
    ck_assert_int_eq(pr_search_check(&s->search, &err), status);
    ck_assert_str_eq(err.text, text);
    return status;
}

START_TEST(bad_specifications_are_named)
{
    static const struct {
        const char *type, *domain, *select, *says;
        int k, levels, divisions, points, budget, f0, f1;
        double alpha;
    } BAD[] = {
        {"spiral", "simplex", "front", "type: found 'spiral'", 3, 1, 1, 1, 0, 0, 0, 1},
        {"grid", "sphere", "front", "domain: found 'sphere'", 3, 1, 1, 1, 0, 0, 0, 1},
        {"grid", "simplex", "front", "divisions: found 0", 3, 1, 0, 1, 0, 0, 0, 1},
        {"grid", "simplex", "front", "more than 10000000", 10, 1, 60, 1, 0, 0, 0, 1},
        {"grid", "cube", "front", "more than 10000000", 8, 1, 9, 1, 0, 0, 0, 1},
        {"grid", "simplex", "front", "budget allows 14", 3, 1, 4, 1, 14, 0, 0, 1},
        {"hierarchical", "simplex", "some", "select: found 'some'", 3, 1, 1, 1, 0, 0, 0, 1},
        {"hierarchical", "simplex", "front", "levels: found -1", 3, -1, 1, 1, 0, 0, 0, 1},
        {"hierarchical", "simplex", "front", "budget: found 2", 3, 1, 1, 1, 2, 0, 0, 1},
        {"hierarchical", "simplex", "all", "more than 10000000", 10, 5, 1, 1, 0, 0, 0, 1},
        {"hierarchical", "cube", "front", "levels: found 0", 3, 0, 1, 1, 0, 0, 0, 1},
        {"hierarchical", "cube", "front", "3^15", 15, 1, 1, 1, 0, 0, 0, 1},
        {"hierarchical", "cube", "front", "27 points", 3, 1, 1, 1, 26, 0, 0, 1},
        {"random", "simplex", "front", "points: found 0", 3, 1, 1, 0, 0, 0, 0, 1},
        {"random", "simplex", "front", "alpha: found 0", 3, 1, 1, 5, 0, 0, 0, 0},
        {"ols", "cube", "front", "domain: found 'cube'", 3, 1, 1, 1, 0, 0, 0, 1},
        {"grid", "simplex", "front", "fidelity: found 8 at place 2", 3, 1, 1, 1, 0, 8, 8, 1},
        {"grid", "simplex", "front", "found 17 objectives", 17, 1, 1, 1, 0, 0, 0, 1},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        char text[1024];
        sim_t s = sim_new(BAD[i].k, BAD[i].type, BAD[i].domain);
        s.spec.select = (char *)BAD[i].select;
        s.spec.levels = BAD[i].levels;
        s.spec.divisions = BAD[i].divisions;
        s.spec.points = BAD[i].points;
        s.spec.budget = BAD[i].budget;
        s.spec.alpha = BAD[i].alpha;
        s.spec.n_fidelity = BAD[i].f0 > 0 ? 2 : 0;
        s.spec.fidelity[0] = BAD[i].f0;
        s.spec.fidelity[1] = BAD[i].f1;
        ck_assert_msg(status_of(&s, text, sizeof text) == PR_ERR_CONFIG, "case %zu was accepted", i);
        ck_assert_msg(strstr(text, BAD[i].says) && strstr(text, "search 'test'"), "case %zu: %s", i, text);
    }
}
END_TEST

/* The simulated evaluations cost half a core-second a prompt: 16 core-seconds a point. */
START_TEST(core_hours_are_kept)
{
    static const char *const SELECT[] = {"front", "all", "best"};
    for (int i = 0; i < 3; i++)
        for (int points = 10; points <= 60; points += 25) {
            sim_t s = sim_new(3, "hierarchical", "simplex");
            s.spec.select = (char *)SELECT[i];
            s.spec.levels = 20;
            s.spec.budget_core_hours = points * 16.0 / 3600;
            sim_run(&s);
            ck_assert_uint_le(s.n, (size_t)points);
            ck_assert_uint_ge(s.n, i == 0 ? (size_t)points - 1 : 6);
            sim_free(&s);
        }
}
END_TEST

/* No cell is refined whose gain could not pass the least gain; a smaller one lets more through. */
START_TEST(min_gain_ends_the_search)
{
    static const double GAIN[] = {10, 0.03, 0.003, 0.0003};
    size_t before = 3;
    for (int i = 0; i < 4; i++) {
        sim_t s = sim_new(3, "hierarchical", "simplex");
        s.spec.levels = 6;
        s.spec.min_gain = GAIN[i];
        sim_run(&s);
        ck_assert(i == 0 ? s.n == 3 : s.n > before);
        before = s.n;
        sim_free(&s);
    }
    ck_assert_uint_lt(before, 2145); // the full lattice
}
END_TEST

START_TEST(beam_bounds_a_round)
{
    for (int beam = 1; beam <= 4; beam++) {
        sim_t s = sim_new(4, "hierarchical", "simplex");
        s.spec.levels = 5;
        s.spec.beam = beam;
        size_t rounds = 0;
        for (bool done = false; !done; rounds++) {
            pr_requests_t q = sim_next(&s);
            ck_assert(rounds == 0 ? q.n == 4 : q.n <= (size_t)(6 * beam));
            for (size_t i = 0; i < q.n; i++)
                sim_evaluate(&s, SIM_REQUEST(&q, i));
            done = q.done;
            pr_requests_free(&q);
        }
        ck_assert_uint_le(rounds, 7); // corners, five rounds, the end
        sim_free(&s);
    }
}
END_TEST

/* What comparing n points of three objectives with each other costs here, in seconds of the processor. */
static double all_pairs_seconds(size_t n)
{
    double *x = pr_alloc(3 * n, sizeof *x);
    size_t worse = 0;
    for (size_t i = 0; i < 3 * n; i++)
        x[i] = (double)(i * 2654435761u % 1000003);
    clock_t start = clock();
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            worse += x[3 * i] < x[3 * j] && x[3 * i + 1] < x[3 * j + 1] && x[3 * i + 2] < x[3 * j + 2];
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    ck_assert_uint_gt(worse, 0);
    free(x);
    return seconds;
}

/* A hundred thousand points in far less time than a comparison of all pairs would take. */
START_TEST(many_points_are_quick)
{
    sim_t s = sim_new(3, "grid", "simplex");
    s.spec.divisions = 446;
    s.spec.n_fidelity = 2;
    s.spec.fidelity[0] = 2;
    s.spec.fidelity[1] = 4;
    s.front = SIM_BUMP;
    s.noise = 0.05;
    double all_pairs = 100 * all_pairs_seconds(10000);
    for (bool done = false; !done;) {
        clock_t start = clock();
        pr_requests_t q = sim_next(&s);
        double took = (double)(clock() - start) / CLOCKS_PER_SEC;
        ck_assert_msg(took < all_pairs / 4, "%g s, all pairs take %g s", took, all_pairs);
        for (size_t i = 0; i < q.n; i++)
            sim_evaluate(&s, SIM_REQUEST(&q, i));
        done = q.done;
        pr_requests_free(&q);
    }
    ck_assert_uint_gt(s.n, 100128);
    sim_free(&s);
}
END_TEST

/* Ten million points are checked for and counted without one of them being made: there is memory for none. */
START_TEST(many_points_are_checked_by_arithmetic)
{
    static const struct {
        const char *type, *domain;
        int levels, divisions, points;
        pr_status_t status;
    } cases[] = {{"hierarchical", "simplex", 12, 1, 1, PR_OK}, {"hierarchical", "simplex", 13, 1, 1, PR_ERR_CONFIG},
                 {"grid", "simplex", 1, 4000, 1, PR_OK},       {"grid", "simplex", 1, 5000, 1, PR_ERR_CONFIG},
                 {"grid", "cube", 1, 200, 1, PR_OK},           {"random", "simplex", 1, 1, 9000000, PR_OK}};
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    ck_assert(f && fscanf(f, "%lu", &pages) == 1);
    fclose(f);
#ifndef __SANITIZE_ADDRESS__
    struct rlimit limit = {(pages + 4096) * 4096, (pages + 4096) * 4096}; // 16 MiB more
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
#endif
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sim_t s = sim_new(3, cases[i].type, cases[i].domain);
        int64_t counts[64];
        pr_error_t err;
        s.spec.select = (char *)"all";
        s.spec.levels = cases[i].levels;
        s.spec.divisions = cases[i].divisions;
        s.spec.points = cases[i].points;
        s.search.spec = &s.spec;
        ck_assert_int_eq(pr_search_check(&s.search, &err), cases[i].status);
        ck_assert_int_gt(pr_search_forecast(&s.search, counts, 64), 0);
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
    tcase_add_test(t, random_points_are_dirichlet);
    tcase_add_test(t, random_points_depend_on_the_seed_alone);
    tcase_add_test(t, bad_specifications_are_named);
    tcase_add_test(t, core_hours_are_kept);
    tcase_add_test(t, min_gain_ends_the_search);
    tcase_add_test(t, beam_bounds_a_round);
    tcase_add_test(t, many_points_are_quick);
    tcase_add_test(t, many_points_are_checked_by_arithmetic);
    suite_add_tcase(suite, t);
    return sim_main(suite);
}
