// SPDX-License-Identifier: BSD-3-Clause
/* The default search with `recheck`: points begin on few prompts, and those in doubt go on to more, within a budget that
 * counts prompts. */
#include "search_sim.h"
#include "sweeps/search/search_auto.h"

enum { FEW = 4, SOME = 8, MOST = 16 };

static sim_t sim_of(sim_front_t front, int k, int budget, double recheck)
{
    sim_t s = sim_new(k, "auto", "simplex");
    s.search.n_prompts = MOST;
    s.front = front;
    s.noise = 0.3;
    s.paired = true;
    s.spec.budget = budget;
    s.spec.recheck = recheck;
    s.spec.n_fidelity = 3;
    memcpy(s.spec.fidelity, (int[]){FEW, SOME, MOST}, 3 * sizeof(int));
    return s;
}

/* The most prompts that a point has been given. */
static int prompts_of(const sim_t *s, const pr_point_t *p)
{
    int n = 0;
    for (size_t i = 0; i < s->n; i++)
        if (memcmp(s->obs[i].point, p, (size_t)(1 + s->search.k) * sizeof(int64_t)) == 0 && s->obs[i].n_prompts > n)
            n = s->obs[i].n_prompts;
    return n;
}

static int64_t all_prompts(const sim_t *s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s->asked.n; i++) {
        pr_point_t p = pr_pointset_at(&s->asked, i);
        n += prompts_of(s, &p);
    }
    return n;
}

/* What of all prompts went to more than the first of a point. */
static double share_of_more(const sim_t *s)
{
    return 1 - (double)s->asked.n * FEW / (double)all_prompts(s);
}

START_TEST(budget_counts_prompts)
{
    for (int k = 2; k <= 4; k++)
        for (int budget = k; budget <= 14; budget += 5) {
            sim_t s = sim_of(SIM_CONCAVE, k, budget, 0.5);
            sim_run(&s);
            int64_t counts[64], n = all_prompts(&s), points = 0;
            for (int i = 0, levels = pr_search_forecast(&s.search, counts, 64); i < levels; i++)
                points += counts[i];
            ck_assert_int_le(n, budget * MOST);
            ck_assert_int_gt(n, (budget - 1) * MOST);
            ck_assert_int_eq(points, budget * MOST / FEW);
            ck_assert_uint_le(s.asked.n, (size_t)points);
            ck_assert_int_eq(pr_search_prompts(&s.search, points), budget * MOST);
            ck_assert_double_le(share_of_more(&s), 0.5);
            pr_requests_t q = sim_next(&s);
            ck_assert(q.done);
            ck_assert_int_eq(q.left, 0);
            pr_requests_free(&q);
            sim_free(&s);
        }
}
END_TEST

/* Noise leaves points in doubt, and about the share of the budget goes to them; a front beyond doubt needs none. */
START_TEST(doubt_is_looked_into)
{
    sim_t s = sim_of(SIM_CONCAVE, 3, 14, 0.4), sure = sim_of(SIM_CONCAVE, 3, 14, 0.4),
          most = sim_of(SIM_CONCAVE, 3, 14, 0.7);
    s.noise = most.noise = 1.5;
    sure.noise = 0;
    sim_run(&s);
    sim_run(&sure);
    sim_run(&most);
    ck_assert_double_gt(share_of_more(&s), 0.3);
    ck_assert_double_eq(share_of_more(&sure), 0);
    ck_assert_double_gt(share_of_more(&most), share_of_more(&s) + 0.1);
    sim_free(&s);
    sim_free(&sure);
    sim_free(&most);
}
END_TEST

/* By how much another point of the lattice is better than point i in every objective, at least; < 0: none is. */
static double margin_of(const sim_t *s, const pr_replay_t *r, size_t i)
{
    double w[3], f[3], g[3], margin = -INFINITY;
    pr_pointset_weights(&r->points, i, w);
    sim_truth(s, w, f);
    for (size_t j = 0; j < r->points.n; j++) {
        pr_pointset_weights(&r->points, j, w);
        sim_truth(s, w, g);
        margin = fmax(margin, fmin(g[0] - f[0], fmin(g[1] - f[1], g[2] - f[2])));
    }
    return margin;
}

static void add_to_replay(void *context, const pr_point_t *p)
{
    pr_replay_add(context, p, 0);
}

static void evaluate_there(void *context, const pr_point_t *p)
{
    pr_point_t reduced = *p;
    pr_point_reduce(&reduced, 3);
    sim_evaluate(context, &(pr_request_t){.point = reduced, .n_prompts = FEW});
}

/* Of a lattice on which most points are beaten: those that surely are, are in no doubt; those that the means put on the
 * front come first. */
START_TEST(the_doubtful)
{
    sim_t s = sim_of(SIM_BUMP, 3, 100, 0.5);
    s.noise = 0.1;
    pr_replay_t r;
    pr_auto_model_t m;
    size_t *id, *front, beaten = 0, n_told = 0;
    double *values;
    s.search.spec = &s.spec;
    pr_lattice_each(3, 10, evaluate_there, &s);
    pr_replay_init(&r, &s.search, s.obs, s.n);
    r.chosen = true;
    pr_lattice_each(3, 10, add_to_replay, &r);
    ck_assert(pr_replay_settle(&r));
    pr_auto_model_init(&m, &r, r.points.n, 1);
    int n = pr_auto_doubtful(&m, &id);
    size_t n_front = pr_replay_front(&r, &front, &values);
    for (size_t i = 0; i < r.points.n; i++)
        beaten += margin_of(&s, &r, i) > 0.04;
    ck_assert_uint_gt(beaten, 15);
    ck_assert_int_ge(n, 5);
    ck_assert_int_le(n, 40);
    bool before = true;
    for (int i = 0; i < n; i++) {
        bool told = false;
        for (size_t x = 0; x < n_front; x++)
            told = told || front[x] == id[i];
        ck_assert_msg(before || !told, "place %d", i);
        ck_assert_double_le(margin_of(&s, &r, id[i]), 0.04);
        before = told;
        n_told += told;
    }
    ck_assert_uint_gt(n_told, 0);
    ck_assert_uint_lt(n_told, (size_t)n);
    ck_assert_uint_le(n_told, n_front);
    pr_replay_go_on(&r, id[0], 3);
    ck_assert(!pr_replay_settle(&r));
    ck_assert_uint_eq(r.n_want, 1);
    ck_assert_int_eq(r.prompts[r.want[0].fidelity], SOME);
    ck_assert_int_eq(r.want[0].level, 3);
    free(id);
    free(front);
    free(values);
    pr_auto_model_clear(&m);
    pr_replay_free(&r);
    sim_free(&s);
}
END_TEST

/* What a smaller budget asked for, a larger one does too, and one that is raised goes on to the same. */
START_TEST(budgets_share_their_requests)
{
    sim_t large = sim_of(SIM_CONCAVE, 3, 12, 0.5);
    large.spec.batch = 1 + _i;
    sim_run(&large);
    for (int budget = 3; budget < 12; budget += 2) {
        sim_t small = sim_of(SIM_CONCAVE, 3, budget, 0.5);
        small.spec.batch = 1 + _i;
        sim_run(&small);
        for (size_t i = 0; i < small.n; i++) {
            bool found = false;
            for (size_t j = 0; j < large.n; j++)
                found = found ||
                        (sim_same_point(&small.obs[i], &large.obs[j], small.search.k) &&
                         small.obs[i].level == large.obs[j].level && small.obs[i].n_prompts == large.obs[j].n_prompts);
            ck_assert_msg(found, "budget %d, request %zu", budget, i);
        }
        small.spec.budget = 12;
        sim_run(&small);
        ck_assert_uint_eq(small.n, large.n);
        sim_same(&small, &large);
        sim_free(&small);
        sim_sort(&large);
    }
    sim_free(&large);
}
END_TEST

/* Once no new point is worth it, what is left goes to those in doubt, and then it ends. */
START_TEST(nothing_new)
{
    sim_t s = sim_of(SIM_CONCAVE, 2, 40, 0.1);
    s.spec.min_gain = 0.9;
    s.noise = 1.5;
    sim_run(&s);
    pr_requests_t q = sim_next(&s);
    ck_assert(q.done);
    ck_assert_ptr_nonnull(strstr(q.why, "min_gain"));
    ck_assert_int_gt(q.left, 0);
    ck_assert_double_gt(share_of_more(&s), 0.3);
    pr_requests_free(&q);
    sim_free(&s);
}
END_TEST

static bool corner_is_made(const void *of, const pr_point_t *p)
{
    (void)of;
    return p->den == 1;
}

/* Where each point is a training, that counts too, unless others make it; more prompts cost little beside it. */
START_TEST(trainings_count)
{
    enum { MAKING = 100 };
    size_t points[2];
    for (int shared = 0; shared < 2; shared++) {
        sim_t s = sim_of(SIM_CONCAVE, 3, 12, 0.5);
        int64_t counts[64];
        s.noise = 1.5;
        s.search.spec = &s.spec;
        s.search.making = MAKING;
        s.search.made = shared ? corner_is_made : NULL;
        ck_assert_int_eq(pr_search_forecast(&s.search, counts, 64), 1);
        ck_assert_int_eq(counts[0], 12 * (MAKING + MOST) / (MAKING + FEW));
        sim_run(&s);
        int64_t made = (int64_t)s.asked.n - (shared ? 3 : 0), used = all_prompts(&s) + made * MAKING;
        ck_assert_int_le(used, 12 * (MAKING + MOST));
        ck_assert_int_gt(used, 11 * (MAKING + MOST));
        ck_assert_double_gt(share_of_more(&s), 0.4); // far from half of the budget: all that are in doubt
        points[shared] = s.asked.n;
        sim_free(&s);
    }
    ck_assert_uint_eq(points[1], points[0] + 2);
}
END_TEST

START_TEST(refused)
{
    pr_error_t err;
    sim_t s = sim_of(SIM_CONCAVE, 3, 12, 0.5);
    s.search.spec = &s.spec;
    ck_assert_int_eq(pr_search_check(&s.search, &err), PR_OK);
    s.spec.n_fidelity = 1;
    ck_assert_int_eq(pr_search_check(&s.search, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "recheck: found 0.5 and 1 number of fidelity, expected two or more"));
    s.spec.n_fidelity = 3;
    s.spec.recheck = 0.95;
    ck_assert_int_eq(pr_search_check(&s.search, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "recheck: found 0.95"));
    sim_free(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("search recheck");
    TCase *t = tcase_create("recheck");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, budget_counts_prompts);
    tcase_add_test(t, doubt_is_looked_into);
    tcase_add_test(t, the_doubtful);
    tcase_add_loop_test(t, budgets_share_their_requests, 0, 3);
    tcase_add_test(t, nothing_new);
    tcase_add_test(t, trainings_count);
    tcase_add_test(t, refused);
    suite_add_tcase(suite, t);
    return sim_main(suite);
}
