// SPDX-License-Identifier: BSD-3-Clause
/* What the search is for: with the same number of points, refining where the front may gain reaches more hypervolume
 * than uniform and random points. */
#include "unit/sweeps/search_sim.h"

#include "pareto/hypervolume.h"

/* The true hypervolume of the points that a search chose (its decisions having seen the noise, if any). */
static double reached(sim_t *s)
{
    int k = s->search.k;
    double reference[PR_MAX_OBJECTIVES] = {0};
    double *f = pr_alloc(s->asked.n * (size_t)k, sizeof f[0]);
    for (size_t i = 0; i < s->asked.n; i++) {
        double w[PR_MAX_OBJECTIVES];
        pr_pointset_weights(&s->asked, i, w);
        sim_truth(s, w, &f[i * (size_t)k]);
    }
    double hv = pr_hypervolume(f, s->asked.n, k, reference);
    free(f);
    return hv;
}

typedef struct trial {
    int k, divisions;
    sim_front_t front;
    double noise;
} trial_t;

static double run(const trial_t *t, const char *type, int64_t seed, int budget)
{
    static const double zero[PR_MAX_OBJECTIVES];
    sim_t s = sim_new(t->k, type, "simplex");
    s.search.seed = seed;
    s.search.reference = zero;
    s.front = t->front;
    s.noise = t->noise;
    s.paired = true;
    s.spec.divisions = t->divisions;
    s.spec.points = budget;
    s.spec.budget = budget;
    s.spec.levels = 6;
    sim_run(&s);
    ck_assert_uint_le(s.asked.n, (size_t)budget);
    double hv = reached(&s);
    if (getenv("PR_TEST_VERBOSE"))
        printf("k %d divisions %d front %d noise %g %-12s points %zu calls %zu hv %.5f\n", t->k, t->divisions,
               (int)t->front, t->noise, type, s.asked.n, s.calls, hv);
    sim_free(&s);
    return hv;
}

/* Maps from weights to objectives that are bent: equal steps of weight are unequal steps of the front. */
static const trial_t BENT[] = {
    {2, 16, SIM_SKEWED, 0}, {3, 8, SIM_SKEWED, 0},   {3, 8, SIM_CONCAVE, 0}, {3, 12, SIM_SKEWED, 0},
    {4, 6, SIM_SKEWED, 0},  {3, 8, SIM_SKEWED, 0.1}, {5, 4, SIM_SKEWED, 0},
};

START_TEST(front_beats_grid_and_random)
{
    const trial_t *t = &BENT[_i];
    int budget = (int)pr_lattice_simplex(t->k, t->divisions);
    double front = run(t, "hierarchical", 1, budget), grid = run(t, "grid", 1, budget);
    ck_assert_double_gt(front, grid);
    for (int64_t seed = 1; seed <= 5; seed++)
        ck_assert_double_gt(front, run(t, "random", seed, budget));
}
END_TEST

/* A rough landscape, most of it dominated. */
START_TEST(front_beats_grid_and_mean_random_on_rough_fronts)
{
    trial_t t = {3, 8, SIM_BUMP, _i * 0.025};
    double front = run(&t, "hierarchical", 1, 45), random = 0;
    for (int64_t seed = 1; seed <= 5; seed++)
        random += run(&t, "random", seed, 45) / 5;
    ck_assert_double_gt(front, run(&t, "grid", 1, 45));
    ck_assert_double_gt(front, random);
}
END_TEST

/* Where equal steps of weight are equal steps of the front nothing beats the uniform lattice: the search finds it. */
START_TEST(front_equals_grid_where_uniform_is_best)
{
    trial_t t = {3, 8, _i == 0 ? SIM_LINEAR : SIM_CONVEX, 0};
    ck_assert_double_eq_tol(run(&t, "hierarchical", 1, 45), run(&t, "grid", 1, 45), 1e-12);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("search value");
    TCase *t = tcase_create("value");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, front_beats_grid_and_random, 0, (int)(sizeof BENT / sizeof BENT[0]));
    tcase_add_loop_test(t, front_beats_grid_and_mean_random_on_rough_fronts, 0, 3);
    tcase_add_loop_test(t, front_equals_grid_where_uniform_is_best, 0, 2);
    suite_add_tcase(suite, t);
    return sim_main(suite);
}
