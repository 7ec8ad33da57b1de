// SPDX-License-Identifier: BSD-3-Clause
/* The default search: inside from the start, anytime, ends for a reason, and finds what cells never saw. Shares of the
 * volume are those of landscapes whose fronts are known (landscape/landscape.h). */
#include "unit/sweeps/search_sim.h"

#include "landscape/landscape.h"
#include "pareto/hypervolume.h"

/* A search over a landscape, and what it evaluated, in order. */
typedef struct trial {
    pr_search_t search;
    pr_search_spec_t spec;
    const pr_landscape_t *landscape;
    double noise;
    pr_observation_t *obs; // [n]
    double *values;        // [cap,3k]: seen, standard errors, true
    size_t n, cap;
    char why[160];
} trial_t;

static const double zero[PR_MAX_OBJECTIVES];
static double one[PR_MAX_OBJECTIVES];

static trial_t trial_new(const char *landscape, int k, int budget)
{
    trial_t t = {.search = {.k = k, .n_prompts = 1, .seed = 1, .lo = zero, .hi = one, .reference = zero}};
    t.spec = (pr_search_spec_t){.type = (char *)"auto", .domain = (char *)"simplex", .budget = budget};
    t.cap = (size_t)(budget > 0 ? budget : 200);
    t.obs = pr_alloc(t.cap, sizeof *t.obs);
    t.values = pr_alloc(t.cap * 3 * (size_t)k, sizeof *t.values);
    t.landscape = pr_landscape_find(landscape);
    ck_assert_ptr_nonnull(t.landscape);
    for (int j = 0; j < PR_MAX_OBJECTIVES; j++)
        one[j] = 1;
    return t;
}

static void trial_free(trial_t *t)
{
    for (size_t i = 0; i < t->n; i++)
        free((int64_t *)(uintptr_t)t->obs[i].point);
    free(t->obs);
    free(t->values);
}

/* Evaluates what is asked once. false: the search has ended. */
static bool trial_round(trial_t *t)
{
    int k = t->search.k;
    pr_requests_t q = {0};
    pr_error_t err = {0};
    t->search.spec = &t->spec;
    ck_assert_msg(pr_search_next(&t->search, t->obs, t->n, &q, &err) == PR_OK, "%s", err.text);
    for (size_t i = 0; i < q.n; i++) {
        double w[PR_MAX_OBJECTIVES], *seen = t->values + t->n * 3 * (size_t)k, *se = seen + k, *truth = se + k;
        ck_assert_uint_lt(t->n, t->cap);
        pr_point_weights(&SIM_REQUEST(&q, i)->point, k, w);
        t->landscape->at(w, k, truth);
        for (int j = 0; j < k; j++) {
            se[j] = t->noise;
            seen[j] = truth[j] + (t->noise > 0 ? t->noise * pr_landscape_noise(1, t->n, j) : 0);
        }
        pr_request_t asked = pr_requests_at(&q, i);
        t->obs[t->n++] = (pr_observation_t){.point = sim_flat(&asked.point, k),
                                            .level = asked.level,
                                            .n_prompts = 1,
                                            .mean = seen,
                                            .se = se,
                                            .core_seconds = 1};
    }
    bool done = q.done;
    pr_requests_free(&q);
    return !done;
}

static void trial_run(trial_t *t)
{
    while (trial_round(t))
        ;
}

/* The share of the landscape's volume that the first n points have. */
static double share_of(const trial_t *t, size_t n)
{
    size_t k = (size_t)t->search.k;
    double *truth = pr_alloc(n * k, sizeof *truth), volume = 0, se = 0;
    for (size_t i = 0; i < n; i++)
        memcpy(truth + i * k, t->values + i * 3 * k + 2 * k, k * sizeof *truth);
    ck_assert(pr_landscape_volume(t->landscape, (int)k, &volume, &se));
    double share = pr_hypervolume(truth, n, (int)k, zero) / volume;
    free(truth);
    return share;
}

typedef struct floor_case {
    const char *landscape;
    int k, budget;
    double noise, least;
} floor_case_t;

/* What was stuck at .21, .78, .74, 0, .15, .07, and so on before there was a model; a little below what is found. */
static const floor_case_t floors[] = {
    {"bump", 3, 24, 0, 0.95},         {"dominated", 2, 17, 0, 0.99},  {"dominated", 3, 24, 0, 0.97},
    {"disconnected", 3, 24, 0, 0.88}, {"ridge", 3, 45, 0, 0.9},       {"concave", 3, 24, 0, 0.84},
    {"hull", 3, 24, 0, 0.86},         {"flat", 3, 24, 0, 0.84},       {"step", 3, 24, 0, 0.8},
    {"hull", 5, 40, 0, 0.62},         {"concave", 5, 40, 0, 0.57},    {"ridge", 5, 40, 0, 0.69},
    {"scales", 2, 33, 0, 0.96},       {"concave", 3, 45, 0.05, 0.87}, {"hull", 3, 45, 0.05, 0.87},
    {"multimodal", 3, 127, 0, 0.9},
};

START_TEST(finds_the_front)
{
    const floor_case_t *c = &floors[_i];
    trial_t t = trial_new(c->landscape, c->k, c->budget);
    t.noise = c->noise;
    trial_run(&t);
    double share = share_of(&t, t.n);
    ck_assert_msg(share >= c->least, "%s, %d objectives, %d points: found %.3f of the volume, expected %.3f",
                  c->landscape, c->k, c->budget, share, c->least);
    ck_assert_uint_le(t.n, (size_t)c->budget);
    trial_free(&t);
}
END_TEST

/* The points of a smaller budget are the first of a larger one, and a search that was ended goes on from there. */
START_TEST(budgets_share_their_points)
{
    int k = _i + 2;
    trial_t large = trial_new("ridge", k, 33);
    large.spec.batch = 1 + _i;
    trial_run(&large);
    for (int budget = 1; budget < 33; budget += 4) {
        trial_t small = trial_new("ridge", k, budget);
        small.spec.batch = 1 + _i;
        trial_run(&small);
        ck_assert_uint_le(small.n, (size_t)budget);
        for (size_t i = 0; i < small.n; i++) {
            bool found = false;
            for (size_t j = 0; j < large.n; j++)
                found = found || (sim_same_point(&small.obs[i], &large.obs[j], small.search.k) &&
                                  small.obs[i].level == large.obs[j].level);
            ck_assert_msg(found, "budget %d, point %zu", budget, i);
        }
        small.spec.budget = 33; // raised afterwards
        small.obs = pr_realloc(small.obs, 33, sizeof *small.obs);
        double *values = pr_alloc((size_t)33 * 3 * (size_t)k, sizeof *values);
        memcpy(values, small.values, small.n * 3 * (size_t)k * sizeof *values);
        for (size_t i = 0; i < small.n; i++) {
            small.obs[i].mean = values + i * 3 * (size_t)k;
            small.obs[i].se = small.obs[i].mean + k;
        }
        free(small.values);
        small.values = values;
        small.cap = 33;
        trial_run(&small);
        ck_assert_uint_eq(small.n, large.n);
        if (k <= 3)
            ck_assert_double_eq_tol(share_of(&small, small.n), share_of(&large, large.n), 1e-12);
        trial_free(&small);
    }
    trial_free(&large);
}
END_TEST

/* With five objectives and more, mixtures of all experts are there from the first round on. */
START_TEST(inside_from_the_start)
{
    for (int k = 2; k <= PR_MAX_OBJECTIVES; k++) {
        trial_t t = trial_new("concave", k, 3 * k);
        ck_assert(trial_round(&t));
        size_t inside = 0, corners = 0;
        for (size_t i = 0; i < t.n; i++) {
            bool all = true, one_of = false;
            for (int j = 0; j < k; j++) {
                all = all && t.obs[i].point[1 + j] > 0;
                one_of = one_of || t.obs[i].point[1 + j] == t.obs[i].point[0];
            }
            inside += all;
            corners += one_of;
            ck_assert_int_eq(t.obs[i].level, 0);
        }
        ck_assert_uint_eq(corners, (size_t)k);
        ck_assert_uint_ge(inside, 2);
        trial_free(&t);
    }
}
END_TEST

/* A first round that another version of the program chose stands, and the budget with it. */
START_TEST(another_start)
{
    trial_t t = trial_new("concave", 3, 12), other = trial_new("concave", 3, 12);
    trial_run(&t);
    ck_assert(trial_round(&other));
    ck_assert_uint_eq(other.n, 7);
    int64_t *p = (int64_t *)(uintptr_t)other.obs[5].point; // not where the start has it
    memcpy(p, (const int64_t[]){97, 31, 33, 33}, 4 * sizeof *p);
    trial_run(&other);
    ck_assert_uint_eq(other.n, 12);
    for (size_t i = 7; i < 12; i++)
        ck_assert_int_gt(other.obs[i].level, 0);
    trial_free(&t);
    trial_free(&other);
}
END_TEST

/* A batch is as large as it says, but for the first round and the end of the budget. */
START_TEST(rounds_are_batches)
{
    trial_t t = trial_new("concave", 3, 20);
    t.spec.batch = 4;
    size_t before[8] = {0};
    int rounds = 0;
    while (trial_round(&t))
        before[++rounds] = t.n;
    ck_assert_int_eq(rounds, 5);
    ck_assert_uint_eq(before[1], 7);
    ck_assert_uint_eq(before[2], 11);
    ck_assert_uint_eq(before[4], 19);
    ck_assert_uint_eq(before[5], 20);
    trial_free(&t);
}
END_TEST

typedef struct asked {
    long calls, last; // says stop at the last, once; 0: never
} asked_t;

static bool stop_at(void *self)
{
    asked_t *a = self;
    return ++a->calls == a->last;
}

/* A choice that is told to stop, wherever it is, chooses nothing, and who asks again gets what he would have got. It is
 * told after each piece of a fit and after each candidate. */
START_TEST(stops_when_told)
{
    static const struct {
        const char *landscape;
        int k, before;
        double noise;
        long often; // asks of one choice, at least
    } cases[] = {{"step", 3, 40, 0, 900}, {"concave", 5, 30, 0.05, 900}, {"flat", 2, 9, 0, 300}};
    trial_t t = trial_new(cases[_i].landscape, cases[_i].k, cases[_i].before);
    t.noise = cases[_i].noise;
    trial_run(&t);
    t.spec.budget = cases[_i].before + 5;
    asked_t a = {0};
    pr_error_t err = {0};
    pr_requests_t whole = {0}, q = {0};
    t.search.stopping = stop_at;
    t.search.self = &a;
    ck_assert_int_eq(pr_search_next(&t.search, t.obs, t.n, &whole, &err), PR_OK);
    ck_assert_uint_gt(whole.n, 0);
    ck_assert_int_ge(a.calls, cases[_i].often);
    long asks = a.calls;
    for (long last = 1; last <= asks; last += last < 12 ? 1 : asks / 29) {
        a = (asked_t){0, last};
        ck_assert_int_eq(pr_search_next(&t.search, t.obs, t.n, &q, &err), PR_ERR_INTERRUPTED);
        ck_assert_int_eq(a.calls, last); // it does not go on to ask
        ck_assert_ptr_null(q.flat);
    }
    a = (asked_t){0};
    ck_assert_int_eq(pr_search_next(&t.search, t.obs, t.n, &q, &err), PR_OK);
    ck_assert_uint_eq(q.n, whole.n);
    ck_assert_mem_eq(q.flat, whole.flat, q.n * (size_t)(1 + q.d) * sizeof *q.flat);
    ck_assert_mem_eq(q.level, whole.level, q.n * sizeof *q.level);
    ck_assert_mem_eq(q.n_prompts, whole.n_prompts, q.n * sizeof *q.n_prompts);
    pr_requests_free(&q);
    pr_requests_free(&whole);
    trial_free(&t);
}
END_TEST

/* What cannot be improved ends before its budget. A lattice is asked for once each and no more. */
START_TEST(ends)
{
    trial_t t = trial_new("dominated", 2, 150);
    t.spec.min_gain = 0.01;
    trial_run(&t);
    ck_assert_uint_lt(t.n, 60);
    ck_assert_double_ge(share_of(&t, t.n), 0.98);
    trial_free(&t);
    t = trial_new("concave", 3, 150);
    t.spec.lattice = 4;
    t.spec.min_gain = 1e-12;
    trial_run(&t);
    ck_assert_uint_le(t.n, 15);
    for (size_t i = 0; i < t.n; i++)
        ck_assert_int_eq(4 % (int)t.obs[i].point[0], 0);
    trial_free(&t);
    t = trial_new("concave", 4, 0); // its own proposal
    t.spec.min_gain = 1e-12;
    trial_run(&t);
    ck_assert_uint_eq(t.n, 32);
    ck_assert_int_eq((int)pr_search_proposal(&t.search), 32);
    trial_free(&t);
}
END_TEST

/* Objectives that are all the same everywhere, and a reference that nothing is better than, end or are spent, and no
 * number is lost. */
START_TEST(degenerate_values)
{
    for (int what = 0; what < 3; what++) {
        trial_t t = trial_new("concave", 3, 15);
        const double high[3] = {2, 2, 2};
        if (what == 1)
            t.search.reference = high;
        while (trial_round(&t))
            for (size_t i = 0; i < t.n; i++)
                for (int j = 0; j < 3; j++) {
                    double *seen = t.values + i * 9;
                    if (what == 0)
                        seen[j] = 0.25;
                    if (what == 2 && j == 1)
                        seen[j] = 1e-300;
                }
        ck_assert_uint_le(t.n, 15);
        trial_free(&t);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("search_auto");
    TCase *tcase = tcase_create("auto");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, finds_the_front, 0, sizeof floors / sizeof *floors);
    tcase_add_loop_test(tcase, budgets_share_their_points, 0, 3);
    tcase_add_test(tcase, inside_from_the_start);
    tcase_add_test(tcase, another_start);
    tcase_add_test(tcase, rounds_are_batches);
    tcase_add_loop_test(tcase, stops_when_told, 0, 3);
    tcase_add_test(tcase, ends);
    tcase_add_test(tcase, degenerate_values);
    suite_add_tcase(suite, tcase);
    return sim_main(suite);
}
