// SPDX-License-Identifier: BSD-3-Clause
/* Every strategy is a pure function of its configuration and the results so far: any part of them in any order gives
 * the rest of what is wanted, a resumed search takes the same decisions, and nothing is evaluated twice. */
#include "unit/sweeps/search_sim.h"

typedef struct strategy_case {
    const char *type, *domain, *select;
    int max_k;
} strategy_case_t;

static const strategy_case_t CASES[] = {
    {"hierarchical", "simplex", "front", 10},
    {"hierarchical", "simplex", "best", 10},
    {"hierarchical", "simplex", "all", 10},
    {"hierarchical", "cube", "front", 5},
    {"grid", "simplex", "front", 10},
    {"grid", "cube", "front", 5},
    {"random", "simplex", "front", 10},
    {"random", "cube", "front", 10},
    {"ols", "simplex", "front", 6},
    {"auto", "simplex", "front", 5},
    {"auto", "cube", "front", 3},
};
enum { N_CASES = sizeof CASES / sizeof CASES[0] };

static int levels_for(int k)
{
    return k <= 3 ? 4 : k <= 5 ? 3 : 2;
}

/* variant 0: plain; 1: noise; 2: noise and fidelities; 3: the same, scores prompt by prompt; 4: fidelities and a
 * budget; 5: points in doubt go on to more prompts. */
static sim_t make(const strategy_case_t *c, int k, int variant)
{
    sim_t s = sim_new(k, c->type, c->domain);
    s.spec.select = (char *)c->select;
    s.spec.levels = levels_for(k);
    s.spec.divisions = k <= 4 ? 4 : 2;
    s.spec.points = 40;
    s.spec.beam = strcmp(c->select, "all") == 0 ? 0 : 3;
    s.front = (sim_front_t)((k + variant) % SIM_N);
    if (strcmp(c->type, "auto") == 0) {
        s.spec.budget = 3 * k + 7;
        s.spec.batch = variant % 2 == 0 ? 0 : 4;
        s.spec.lattice = variant == 2 ? 12 : 0;
    }
    s.noise = variant > 0 ? 0.2 : 0;
    s.paired = variant >= 3;
    if (variant >= 2) {
        s.spec.n_fidelity = 3;
        memcpy(s.spec.fidelity, (int[]){4, 8, 32}, 3 * sizeof(int));
    }
    s.spec.recheck = variant == 5 ? 0.4 : 0;
    if (variant == 4 && strcmp(c->type, "grid") != 0 && strcmp(c->type, "auto") != 0)
        s.spec.budget = strcmp(c->domain, "cube") == 0 ? 1000 : strcmp(c->type, "ols") == 0 ? 20 : 60;
    return s;
}

START_TEST(parts_and_orders_do_not_matter)
{
    const strategy_case_t *c = &CASES[_i];
    for (int k = 1; k <= c->max_k; k++)
        for (int variant = 0; variant < (strcmp(c->type, "auto") == 0 && k <= 4 ? 6 : 5); variant++)
            for (uint64_t seed = 1; seed <= (k <= 3 ? 2 : 1); seed++) {
                sim_t whole = make(c, k, variant), parts = make(c, k, variant);
                sim_run(&whole);
                sim_run_in_parts(&parts, seed);
                sim_same(&whole, &parts);
                ck_assert(whole.spec.budget == 0 || variant == 5 || whole.asked.n <= (size_t)whole.spec.budget);
                sim_free(&whole);
                sim_free(&parts);
            }
}
END_TEST

static const pr_observation_t *find(const sim_t *s, const pr_observation_t *o, bool any_prompts)
{
    for (size_t i = 0; i < s->n; i++)
        if (sim_same_point(&s->obs[i], o, s->search.k) &&
            (s->obs[i].n_prompts == o->n_prompts || (any_prompts && s->obs[i].n_prompts > o->n_prompts)))
            return &s->obs[i];
    return NULL;
}

/* Killed at any moment: of all results of a finished search only some survive. Where a result on more prompts does, its
 * first prompts stand for the lost ones on fewer. */
START_TEST(resume_wants_only_what_is_missing)
{
    const strategy_case_t *c = &CASES[_i];
    for (int k = 1; k <= (c->max_k < 4 ? c->max_k : 4); k++)
        for (uint64_t lost = 0; lost < 12; lost++) {
            sim_t whole = make(c, k, 3), resumed = make(c, k, 3);
            sim_run(&whole);
            pr_rng_key_t key = pr_rng_key(lost, "lost", "");
            for (size_t i = 0; i < whole.n; i++)
                if (pr_rng_below(&key, 12, i, 0, 0, 0) >= lost) {
                    pr_request_t q = {sim_point(&whole, i), whole.obs[i].level, whole.obs[i].n_prompts};
                    sim_evaluate(&resumed, &q);
                }
            sim_run(&resumed);
            sim_sort(&resumed);
            for (size_t i = 0; i < resumed.n; i++)
                ck_assert_ptr_nonnull(find(&whole, &resumed.obs[i], false));
            for (size_t i = 0; i < whole.n; i++)
                ck_assert_ptr_nonnull(find(&resumed, &whole.obs[i], true));
            sim_free(&whole);
            sim_free(&resumed);
        }
}
END_TEST

/* Results of other searches, or of a level that is not due, change nothing. */
START_TEST(foreign_results_change_nothing)
{
    const strategy_case_t *c = &CASES[_i];
    for (int k = 2; k <= (c->max_k < 4 ? c->max_k : 4); k++) {
        sim_t plain = make(c, k, 3), other = make(c, k, 3);
        sim_run(&plain);
        for (int i = 0; i < 30; i++) {
            pr_request_t q = {.point = {.den = 97 + i}, .level = 0, .n_prompts = 32};
            q.point.num[0] = 5 + i;
            q.point.num[1] = 92;
            sim_evaluate(&other, &q);
        }
        sim_run(&other);
        ck_assert_uint_eq(other.n, plain.n + 30);
        sim_sort(&other);
        sim_sort(&plain);
        size_t matched = 0;
        for (size_t i = 0; i < other.n && matched < plain.n; i++)
            matched += sim_compare_obs(&other.obs[i], &plain.obs[matched], &k) == 0;
        ck_assert_uint_eq(matched, plain.n);
        sim_free(&plain);
        sim_free(&other);
    }
}
END_TEST

/* A point that fails for good (a mean that is no number) ends no search and is not asked for again. */
START_TEST(failed_points_are_data)
{
    const strategy_case_t *c = &CASES[_i];
    for (uint64_t seed = 0; seed < 10; seed++) {
        sim_t s = make(c, 3, 2);
        pr_rng_key_t key = pr_rng_key(seed, "fail", "");
        for (bool done = false; !done;) {
            pr_requests_t q = sim_next(&s);
            sim_check(&s, &q);
            for (size_t i = 0; i < q.n; i++) {
                sim_evaluate(&s, SIM_REQUEST(&q, i));
                if (pr_rng_below(&key, 4, s.n, 0, 0, 0) == 0 || seed == 0)
                    ((double *)s.obs[s.n - 1].mean)[1] = NAN;
            }
            done = q.done;
            pr_requests_free(&q);
        }
        sim_sort(&s);
        sim_free(&s);
    }
}
END_TEST

/* What `plan` says: exact for designs, never below what comes for the others. */
START_TEST(forecast_holds)
{
    const strategy_case_t *c = &CASES[_i];
    bool exact = strcmp(c->type, "grid") == 0 || strcmp(c->type, "random") == 0 || strcmp(c->select, "all") == 0 ||
                 strcmp(c->domain, "cube") == 0;
    for (int k = 1; k <= c->max_k; k++)
        for (int variant = 0; variant < 5; variant += 4) {
            int64_t counts[64], total = 0;
            sim_t s = make(c, k, variant);
            s.search.spec = &s.spec;
            int levels = pr_search_forecast(&s.search, counts, 64);
            ck_assert_int_ge(levels, 1);
            for (int i = 0; i < levels; i++)
                total += counts[i];
            sim_run(&s);
            if (exact)
                ck_assert_int_eq(total, (int64_t)s.asked.n);
            else
                ck_assert_int_ge(total, (int64_t)s.asked.n);
            ck_assert(s.spec.budget == 0 || total <= s.spec.budget);
            sim_free(&s);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("search, pure");
    TCase *t = tcase_create("pure");
    tcase_set_timeout(t, 240);
    tcase_add_loop_test(t, parts_and_orders_do_not_matter, 0, N_CASES);
    tcase_add_loop_test(t, resume_wants_only_what_is_missing, 0, N_CASES);
    tcase_add_loop_test(t, foreign_results_change_nothing, 0, N_CASES);
    tcase_add_loop_test(t, failed_points_are_data, 0, N_CASES);
    tcase_add_loop_test(t, forecast_holds, 0, N_CASES);
    suite_add_tcase(suite, t);
    return sim_main(suite);
}
