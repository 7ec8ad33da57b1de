// SPDX-License-Identifier: BSD-3-Clause
/* The race between fidelities, simulated many times: of policies that are all equal hardly any is dropped, whatever the
 * scores look like and however few the prompts; one that is clearly worse is. */
#include "search_sim.h"

enum { POLICIES = 12, PROMPTS = 64, RACES = 60 };

typedef enum { COIN, RARE, STEPS, UNIFORM, NORMAL, CALM, KINDS } scores_t;

/* A prompt's score. CALM: every other policy is a little better than the rest on nearly all prompts, and on few it is
 * much worse, so that all have the same mean. */
static double score(scores_t kind, size_t policy, double u, double v)
{
    switch (kind) {
    case CALM:
        return policy % 2 ? 0.5 : u < 0.05 ? 0 : 0.5 / 0.95;
    case COIN:
        return u < 0.5;
    case RARE:
        return u < 0.05;
    case STEPS:
        return floor(4 * u) / 3;
    case UNIFORM:
        return u;
    default:
        return 0.5 + 0.1 * sqrt(-2 * log(u)) * cos(2 * acos(-1) * v);
    }
}

typedef struct race {
    int k;
    scores_t kind;
    bool paired, ranged;
    double worse; // by how much the first policy is, in every objective
    const int *fidelity;
    int n_fidelity;
    uint64_t seed;
} race_t;

/* The whole outcome of one policy on one prompt is a function of (race, policy, prompt, objective). */
static void answer(sim_t *s, const race_t *x, const pr_request_t *q, size_t policy)
{
    size_t n = (size_t)q->n_prompts, k = (size_t)x->k;
    pr_rng_key_t key = pr_rng_key(x->seed, "race", "");
    double *mean = pr_alloc(2 * k, sizeof *mean), *scores = pr_alloc(n * k, sizeof *scores);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < k; j++)
            scores[i * k + j] =
                score(x->kind, policy, pr_rng_uniform(&key, policy, i, j, 0), pr_rng_uniform(&key, policy, i, j, 1)) -
                (policy == 0 ? x->worse : 0);
    pr_observation_t o = {
        .point = sim_flat(&q->point, x->k), .level = q->level, .n_prompts = q->n_prompts, .core_seconds = 1};
    o.per_prompt = scores;
    pr_prefix_moments(&o, q->n_prompts, x->k, mean, mean + k);
    if (!x->paired) {
        free(scores);
        o.per_prompt = NULL;
    }
    o.mean = mean;
    o.se = mean + k;
    s->obs = pr_realloc(s->obs, s->n + 1, sizeof s->obs[0]);
    s->obs[s->n++] = o;
}

/* Runs a race; finished[policy]: it was evaluated on all prompts. */
static void run_race(const race_t *x, bool finished[POLICIES])
{
    static const double zero[4], one[4] = {1, 1, 1, 1};
    sim_t s = sim_new(x->k, "random", "cube");
    s.search.n_prompts = PROMPTS;
    s.search.lo = x->ranged ? zero : NULL;
    s.search.hi = x->ranged ? one : NULL;
    s.spec.points = POLICIES;
    s.spec.n_fidelity = x->n_fidelity;
    memcpy(s.spec.fidelity, x->fidelity, (size_t)x->n_fidelity * sizeof *x->fidelity);
    memset(finished, 0, POLICIES * sizeof *finished);
    for (bool done = false; !done;) {
        pr_requests_t q = sim_next(&s);
        for (size_t i = 0; i < q.n; i++) {
            size_t policy = pr_pointset_add(&s.asked, &SIM_REQUEST(&q, i)->point, NULL);
            ck_assert_uint_lt(policy, POLICIES);
            answer(&s, x, SIM_REQUEST(&q, i), policy);
            finished[policy] |= SIM_REQUEST(&q, i)->n_prompts == x->fidelity[x->n_fidelity - 1];
        }
        done = q.done;
        pr_requests_free(&q);
    }
    ck_assert_uint_eq(s.asked.n, POLICIES);
    sim_free(&s);
}

static const int FEW[] = {2, 3, 4, PROMPTS}, SOME[] = {5, 6, 8, 12, PROMPTS}, MANY[] = {8, 16, 32, PROMPTS};

static double share_dropped(race_t *x)
{
    long dropped = 0;
    for (x->seed = 1; x->seed <= RACES; x->seed++) {
        bool finished[POLICIES];
        run_race(x, finished);
        for (int i = 0; i < POLICIES; i++)
            dropped += !finished[i];
    }
    return (double)dropped / (RACES * POLICIES);
}

START_TEST(equal_policies_stay)
{
    for (int k = 1; k <= 3; k++)
        for (scores_t kind = 0; kind < KINDS; kind++)
            for (int i = 0; i < 12; i++) {
                race_t x = {.k = k, .kind = kind, .paired = i & 1, .ranged = i & 2};
                if (kind == CALM && !x.ranged)
                    continue; // what no policy has shown, and no range tells of, cannot be known
                x.fidelity = i < 4 ? FEW : i < 8 ? SOME : MANY;
                x.n_fidelity = i < 4 || i >= 8 ? 4 : 5;
                double share = share_dropped(&x);
                ck_assert_msg(share <= 0.05, "k %d, scores %d, set-up %d: %.3f dropped", k, (int)kind, i, share);
            }
}
END_TEST

START_TEST(a_clearly_worse_policy_is_dropped)
{
    for (int k = 1; k <= 3; k++)
        for (scores_t kind = STEPS; kind <= NORMAL; kind++)
            for (int i = 0; i < 4; i++) {
                race_t x = {.k = k, .kind = kind, .paired = i & 1, .ranged = i & 2, .worse = 0.9};
                int kept = 0;
                x.fidelity = MANY;
                x.n_fidelity = 4;
                for (x.seed = 1; x.seed <= RACES; x.seed++) {
                    bool finished[POLICIES];
                    run_race(&x, finished);
                    kept += finished[0];
                }
                ck_assert_msg(kept <= RACES / 20, "k %d, scores %d, set-up %d: kept %d times", k, (int)kind, i, kept);
            }
}
END_TEST

/* Constant differences on a few prompts are no certainty; on many they are. */
START_TEST(equal_draws_are_no_certainty)
{
    static const int two[] = {2, PROMPTS}, four[] = {4, PROMPTS}, forty[] = {40, PROMPTS};
    static const int *const fidelity[] = {two, four, forty};
    for (int f = 0; f < 3; f++) {
        int kept = 0;
        for (uint64_t seed = 1; seed <= RACES; seed++) {
            race_t x = {.k = 2, .kind = RARE, .paired = true, .ranged = true, .worse = 0.3, .seed = seed};
            bool finished[POLICIES];
            x.fidelity = fidelity[f];
            x.n_fidelity = 2;
            run_race(&x, finished);
            kept += finished[0];
        }
        ck_assert_msg(f < 2 ? kept == RACES : kept < RACES / 4, "after %d prompts: kept %d times", fidelity[f][0],
                      kept);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("search race");
    TCase *t = tcase_create("race");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, equal_policies_stay);
    tcase_add_test(t, a_clearly_worse_policy_is_dropped);
    tcase_add_test(t, equal_draws_are_no_certainty);
    suite_add_tcase(suite, t);
    return sim_main(suite);
}
