// SPDX-License-Identifier: BSD-3-Clause
/* Combiners: closed forms, the examples of their papers, and what holds for all of them. */
#include "learn/algorithm.h"
#include "learn/combine.h"
#include "pareto/hypervolume.h"
#include "rule_checks.h"

enum { MAX_N = 64 };
static const double zeros[K], ones[K] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
static double infinite[K], minus_infinite[K];

static const pr_combiner_t *find(const char *name)
{
    pr_error_t err;
    const pr_combiner_t *c = NULL;
    ck_assert_msg(pr_combiner_find(name, &c, &err) == PR_OK, "%s", err.text);
    return c;
}

/* Rewards, or advantages, of one group; ranges of 0 to 1 unless lo and hi. */
static void run(const char *name, const char *options, int n, int k, const double *score, const double *w,
                const double *lo, const double *hi, double *out)
{
    const pr_combiner_t *c = find(name);
    pr_error_t err;
    pr_score_group_t g = {n, k, score, w, lo ? lo : zeros, hi ? hi : ones, options_of(c->options, options)};
    if (c->check)
        ck_assert_msg(c->check(k, g.lo, g.hi, g.options, &err) == PR_OK, "%s", err.text);
    (c->reward ? c->reward : c->advantages)(&g, out);
    json_decref((json_t *)g.options);
}

/* Two prompts with two responses each, {(0,0), (1,0)} and {(0,0), (1,1)}: to grpo they look the same, although one response
 * is better in both objectives (Liu et al. 2026). */
START_TEST(two_rollouts)
{
    const double first[] = {0, 0, 1, 0}, second[] = {0, 0, 1, 1}, w[] = {1, 1}, half = sqrt(0.5);
    double reward[2], a[4];
    run("linear", NULL, 2, 2, first, w, NULL, NULL, reward);
    pr_algorithm_grpo.advantages(2, reward, a);
    run("linear", NULL, 2, 2, second, w, NULL, NULL, reward);
    pr_algorithm_grpo.advantages(2, reward, a + 2);
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq_tol(a[i], i % 2 ? half : -half, 2e-4);
    run("gdpo", NULL, 2, 2, first, w, NULL, NULL, a);
    run("gdpo", NULL, 2, 2, second, w, NULL, NULL, a + 2);
    double z = 0.5 / (half + 1e-4);
    ck_assert_double_eq_tol(a[1], z, 1e-12);
    ck_assert_double_eq_tol(a[3], 2 * z, 1e-12);
    ck_assert_double_eq_tol(a[2], -2 * z, 1e-12);
    find("gdpo")->whole_step(4, a);
    double std = z * sqrt(10.0 / 3);
    ck_assert_double_eq_tol(a[3], 2 * z / (std + 1e-4), 1e-12);
    ck_assert_double_eq_tol(a[0], -z / (std + 1e-4), 1e-12);
    ck_assert_ptr_null(find("mo_grpo")->whole_step);
}
END_TEST

/* One reward times a hundred changes whom grpo prefers, and nothing in mo_grpo. */
START_TEST(units)
{
    const double score[] = {0, 1, 1, 0.2, 0.4, 0}, w[] = {0.5, 0.5}, hi[] = {1, 100};
    double hundred[6], reward[3], a[3], b[3];
    for (int i = 0; i < 6; i++)
        hundred[i] = score[i] * (i % 2 ? 100 : 1);
    for (int infinity = 0; infinity < 2; infinity++) {
        const double *lo = infinity ? minus_infinite : zeros;
        run("mo_grpo", NULL, 3, 2, score, w, lo, infinity ? infinite : ones, a);
        run("mo_grpo", NULL, 3, 2, hundred, w, lo, infinity ? infinite : hi, b);
        for (int i = 0; i < 3; i++)
            ck_assert_double_eq_tol(a[i], b[i], 1e-12);
        ck_assert_double_gt(fabs(a[0]) + fabs(a[1]), 0.1);
    }
    run("linear", NULL, 3, 2, score, w, NULL, NULL, reward);
    pr_algorithm_grpo.advantages(3, reward, a);
    run("linear", NULL, 3, 2, hundred, w, NULL, NULL, reward);
    pr_algorithm_grpo.advantages(3, reward, b);
    ck_assert_double_gt(a[1], a[0]);
    ck_assert_double_lt(b[1], b[0]);
}
END_TEST

/* Scores that differ by their last bit are equal, with infinite ranges too. */
START_TEST(rounding_is_no_deviation)
{
    const double score[] = {0.1, 0.1, 0.1, nextafter(0.1, 1), 1e9, 1e9, nextafter(1e9, 0)}, w = 1;
    double a[4];
    for (int at = 0; at < 5; at += 4) {
        run("mo_grpo", NULL, at ? 3 : 4, 1, score + at, &w, minus_infinite, infinite, a);
        for (int i = 0; i < (at ? 3 : 4); i++)
            ck_assert_double_eq(a[i], 0);
    }
}
END_TEST

START_TEST(rvpo_is_a_soft_minimum)
{
    const double score[] = {0.9, 0.2, 0.1, 0.5, 0.3, 0.7, 0.2, 0.9, 0.8, 0.4, 0.6, 0.1}, w[] = {0.2, 0.3, 0.5};
    double z[12], mean[4], a[4];
    pr_score_group_t g = {.n = 4, .k = 3, .score = score, .w = w, .lo = zeros, .hi = ones};
    pr_combine_z(&g, z);
    run("mo_grpo", NULL, 4, 3, score, w, NULL, NULL, mean);
    run("rvpo", "{\"temperature\": 0.2}", 4, 3, score, w, NULL, NULL, a);
    for (int i = 0; i < 4; i++) {
        double sum = 0;
        for (int j = 0; j < 3; j++)
            sum += w[j] * exp(-5 * z[i * 3 + j]);
        ck_assert_double_eq_tol(a[i], -log(sum) / 5, 1e-12);
    }
    /* Large: the mean less the variance over 2 t, to the next order in 1/t. Small: the worst. */
    run("rvpo", "{\"temperature\": 1000}", 4, 3, score, w, NULL, NULL, a);
    for (int i = 0; i < 4; i++) {
        double variance = -mean[i] * mean[i];
        for (int j = 0; j < 3; j++)
            variance += w[j] * z[i * 3 + j] * z[i * 3 + j];
        ck_assert_double_gt(variance, 1e-2);
        ck_assert_double_eq_tol(a[i], mean[i] - variance / 2000, 1e-6);
    }
    run("rvpo", "{\"temperature\": 0.001}", 4, 3, score, w, NULL, NULL, a);
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq_tol(a[i], fmin(z[i * 3], fmin(z[i * 3 + 1], z[i * 3 + 2])), 2e-3);
    const double twice[] = {0.4, 0.6, 1};
    double b[4];
    run("rvpo", NULL, 4, 3, score, w, NULL, NULL, a);
    run("rvpo", NULL, 4, 3, score, twice, NULL, NULL, b);
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq_tol(b[i], 2 * a[i], 1e-12);
}
END_TEST

/* Good in one objective and bad in the other is nothing; good in both counts as the worse of the two. */
START_TEST(pama_takes_what_is_good_in_all)
{
    const double score[] = {1, 0, 0, 1, 0.9, 0.8, 0, 0}, w[] = {0.5, 0.5};
    double z[8], a[4];
    pr_score_group_t g = {.n = 4, .k = 2, .score = score, .w = w, .lo = zeros, .hi = ones};
    pr_combine_z(&g, z);
    run("pama", NULL, 4, 2, score, w, NULL, NULL, a);
    ck_assert_double_eq(a[0], 0);
    ck_assert_double_eq(a[1], 0);
    ck_assert_double_eq(a[2], fmin(z[4], z[5]));
    ck_assert_double_gt(a[2], 0.3);
    ck_assert_double_eq(a[3], 0);
}
END_TEST

/* The expected policy gradient of a softmax over four responses, each of them drawn once in the group: per response it moves
 * towards the one that is good in both; one number for the whole batch, whichever, moves nothing. */
START_TEST(pama_of_a_batch_moves_nothing)
{
    const double score[] = {1, 0, 0, 1, 0.9, 0.8, 0, 0}, w[] = {0.5, 0.5}, policy[] = {0.4, 0.3, 0.1, 0.2};
    double a[4], batch[4], most = 0;
    run("pama", NULL, 4, 2, score, w, NULL, NULL, a);
    for (int i = 0; i < 4; i++)
        most = fmax(most, a[i]);
    for (int i = 0; i < 4; i++)
        batch[i] = most;
    for (int of_batch = 0; of_batch < 2; of_batch++)
        for (int j = 0; j < 4; j++) {
            double gradient = 0; // of logit j: E A (1[i = j] - p_j)
            for (int i = 0; i < 4; i++)
                gradient += policy[i] * (of_batch ? batch : a)[i] * ((i == j) - policy[j]);
            if (of_batch)
                ck_assert_double_eq_tol(gradient, 0, 1e-15);
            else
                ck_assert_int_eq(gradient > 0, j == 2);
        }
}
END_TEST

START_TEST(cheby_sample_is_the_worst_gap)
{
    const double score[] = {0.2, 0.9, 0.6, 0.6, 1, 0.1}, w[] = {0.7, 0.3};
    double r[3];
    run("cheby_sample", NULL, 3, 2, score, w, NULL, NULL, r);
    const double range[] = {-0.7 * 0.8, -0.7 * 0.4, -0.3 * 0.9};
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq_tol(r[i], range[i], 1e-15);
    run("cheby_sample", "{\"ideal\": \"max\"}", 3, 2, score, w, minus_infinite, infinite, r);
    const double most[] = {-0.7 * 0.8, -0.7 * 0.4, -0.3 * 0.8};
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq_tol(r[i], most[i], 1e-15);
    run("cheby_sample", "{\"ideal\": \"list\", \"ideal_at\": [2, 0]}", 3, 2, score, w, NULL, NULL, r);
    const double list[] = {-0.7 * 1.8, -0.7 * 1.4, -0.7 * 1};
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq_tol(r[i], list[i], 1e-15);
}
END_TEST

START_TEST(ranks)
{
    const double score[] = {0.5, 0.5, 1, 0, 0.4, 0.4, 0.5, 0.5, 0.3, 0.45, 0, 0}, w[] = {0.9, 0.1};
    const double expected[] = {0, 0, -1, 0, -1, -2};
    double r[6];
    run("rank", NULL, 6, 2, score, w, NULL, NULL, r);
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq(r[i], expected[i]);
    const double first[] = {1, 0}; // of the first objective alone
    const double order[] = {-1, 0, -2, -1, -3, -4};
    run("rank", NULL, 6, 2, score, first, NULL, NULL, r);
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq(r[i], order[i]);
}
END_TEST

/* By hand: from (0,0) the three responses on the front alone cover .2 x .5, .3 x .3 less what the dominated one covers of
 * it, and .5 x .2; dominated, or there twice, is 0. */
START_TEST(exclusive_volumes)
{
    const double score[] = {0.2, 1, 0.5, 0.5, 1, 0.2, 0.4, 0.4}, w[] = {0.5, 0.5};
    double r[5];
    run("hvc", NULL, 4, 2, score, w, NULL, NULL, r);
    const double expected[] = {0.2 * 0.5, 0.3 * 0.3 - 0.2 * 0.2, 0.5 * 0.2, 0};
    for (int i = 0; i < 4; i++)
        ck_assert_double_eq_tol(r[i], expected[i] / 0.1, 1e-12);
    const double twice[] = {0.2, 1, 0.5, 0.5, 0.5, 0.5};
    run("hvc", NULL, 3, 2, twice, w, NULL, NULL, r);
    ck_assert_double_eq(r[0], 1);
    ck_assert_double_eq(r[1], 0);
    ck_assert_double_eq(r[2], 0);
    /* Without a lower end the reference is a tenth of the span below: the ends still count. */
    const double line[] = {0, 2, 1, 1, 2, 0};
    run("hvc", NULL, 3, 2, line, w, minus_infinite, infinite, r);
    ck_assert_double_eq_tol(r[0], 0.2 / 1, 1e-12); // (0 + .2)(2 - 1) to (1 - 0)(1 - 0)
    ck_assert_double_eq_tol(r[1], 1, 1e-12);
    ck_assert_double_eq_tol(r[2], 0.2, 1e-12);
}
END_TEST

/* Against hypervolumes with and without a response; and sixteen objectives of sixty-four responses come to an end. */
START_TEST(exclusive_volumes_of_many)
{
    enum { N = 7, M = 4 };
    double score[MAX_N * K], r[MAX_N], without[N * M], volume[N], most = 0;
    for (int i = 0; i < MAX_N * K; i++)
        score[i] = uniform_at(3, (uint64_t)i, 0);
    for (int j = 0; j < M; j++)
        score[j] = 1; // the best of all, so that units stay as they are
    for (int i = 1; i < N; i++)
        score[i * M] = 2 * score[i * M];
    const double hi[] = {2, 1, 1, 1};
    double w[K];
    for (int j = 0; j < K; j++)
        w[j] = 1.0 / K;
    run("hvc", NULL, N, M, score, w, NULL, hi, r);
    for (int i = 0; i < N; i++) {
        memcpy(without, score, sizeof without);
        memmove(without + i * M, without + (i + 1) * M, sizeof *without * (size_t)((N - 1 - i) * M));
        volume[i] = pr_hypervolume(score, N, M, zeros) - pr_hypervolume(without, N - 1, M, zeros);
        most = fmax(most, volume[i]);
    }
    for (int i = 0; i < N; i++)
        ck_assert_double_eq_tol(r[i], volume[i] / most, 1e-9);
    run("hvc", NULL, MAX_N, K, score, w, NULL, NULL, r);
    most = 0;
    for (int i = 0; i < MAX_N; i++) {
        ck_assert(r[i] >= 0 && r[i] <= 1);
        most = fmax(most, r[i]);
    }
    ck_assert_double_eq(most, 1);
}
END_TEST

/* ---- what holds for all ---- */

static const int sizes[] = {1, 2, 3, 7, K};
enum { SIZES = sizeof sizes / sizeof *sizes, N_ALL = 9 };

static void random_scores(int k, uint64_t seed, double *score, double *w)
{
    for (int i = 0; i < N_ALL * k; i++)
        score[i] = uniform_at(seed, (uint64_t)i, 1);
    for (int j = 0; j < k; j++)
        w[j] = uniform_at(seed, (uint64_t)j, 2) / k;
}

START_TEST(order_of_objectives_and_responses)
{
    size_t n;
    const pr_combiner_t *all = pr_combiners(&n)[_i];
    for (int s = 0; s < SIZES; s++) {
        int k = sizes[s];
        double score[N_ALL * K], w[K], a[N_ALL], b[N_ALL], turned[N_ALL * K], w_turned[K];
        random_scores(k, (uint64_t)s, score, w);
        for (int j = 0; j < k; j++)
            w_turned[j] = w[(j + 1) % k];
        for (int i = 0; i < N_ALL; i++)
            for (int j = 0; j < k; j++)
                turned[(N_ALL - 1 - i) * k + j] = score[i * k + (j + 1) % k];
        run(all->name, NULL, N_ALL, k, score, w, NULL, NULL, a);
        run(all->name, NULL, N_ALL, k, turned, w_turned, NULL, NULL, b);
        double spread = 0;
        for (int i = 0; i < N_ALL; i++) {
            ck_assert_double_eq_tol(a[i], b[N_ALL - 1 - i], 1e-9);
            spread = fmax(spread, fabs(a[i] - a[0]));
        }
        if (k < 3) // with many objectives none may dominate another, or be good in all
            ck_assert_double_gt(spread, 1e-3);
    }
}
END_TEST

START_TEST(no_weight_no_say)
{
    size_t n;
    const pr_combiner_t *all = pr_combiners(&n)[_i];
    double score[N_ALL * K], w[K], a[N_ALL], b[N_ALL];
    random_scores(3, 5, score, w);
    w[1] = 0;
    run(all->name, NULL, N_ALL, 3, score, w, NULL, NULL, a);
    for (int i = 0; i < N_ALL; i++)
        score[i * 3 + 1] = uniform_at(6, (uint64_t)i, 3);
    run(all->name, NULL, N_ALL, 3, score, w, NULL, NULL, b);
    for (int i = 0; i < N_ALL; i++)
        ck_assert_double_eq(a[i], b[i]);
    run(all->name, NULL, N_ALL, 3, score, zeros, NULL, NULL, a); // nor is anything made of nothing
    for (int i = 0; i < N_ALL; i++)
        ck_assert_double_eq(a[i], 0);
}
END_TEST

/* Equal responses have advantages of 0, and rewards that are equal to the bit. */
START_TEST(equal_scores)
{
    size_t n;
    const pr_combiner_t *all = pr_combiners(&n)[_i];
    for (int s = 0; s < SIZES; s++) {
        int k = sizes[s];
        double score[N_ALL * K], w[K], a[N_ALL];
        random_scores(k, (uint64_t)s, score, w);
        for (int i = 1; i < N_ALL; i++)
            memcpy(score + i * k, score, (size_t)k * sizeof *score);
        for (int infinity = 0; infinity < 2; infinity++) {
            if (infinity && all->check)
                continue;
            run(all->name, NULL, N_ALL, k, score, w, infinity ? minus_infinite : NULL, infinity ? infinite : NULL, a);
            for (int i = 0; i < N_ALL; i++)
                ck_assert(all->reward ? isfinite(a[i]) && a[i] == a[0] : a[i] == 0);
        }
        if (all->whole_step) {
            all->whole_step(N_ALL, a);
            for (int i = 0; i < N_ALL; i++)
                ck_assert_double_eq(a[i], 0);
        }
    }
}
END_TEST

/* All scores and ranges times c: advantages stay, ranks and shares of volumes stay, the two that are sums of scores are
 * multiplied. */
START_TEST(all_units_at_once)
{
    size_t n;
    const pr_combiner_t *all = pr_combiners(&n)[_i];
    const double c = 37;
    double score[N_ALL * K], w[K], a[N_ALL], b[N_ALL], hi[K];
    random_scores(3, 8, score, w);
    run(all->name, NULL, N_ALL, 3, score, w, NULL, NULL, a);
    for (int i = 0; i < N_ALL * 3; i++)
        score[i] *= c;
    for (int j = 0; j < K; j++)
        hi[j] = c;
    run(all->name, NULL, N_ALL, 3, score, w, NULL, hi, b);
    bool sum = strcmp(all->name, "linear") == 0 || strcmp(all->name, "cheby_sample") == 0;
    for (int i = 0; i < N_ALL; i++)
        ck_assert_double_eq_tol(b[i], sum ? c * a[i] : a[i], 1e-11);
}
END_TEST

/* One objective of weight 1: a reward is in the order of the scores, an advantage grpo's (pama's what of it is above 0). */
START_TEST(one_objective)
{
    size_t n;
    const pr_combiner_t *all = pr_combiners(&n)[_i];
    double score[N_ALL], w = 1, a[N_ALL], grpo[N_ALL];
    random_scores(1, 9, score, a);
    run(all->name, NULL, N_ALL, 1, score, &w, NULL, NULL, a);
    pr_algorithm_grpo.advantages(N_ALL, score, grpo);
    for (int i = 0; i < N_ALL; i++)
        if (all->advantages)
            ck_assert_double_eq_tol(a[i], strcmp(all->name, "pama") == 0 ? fmax(grpo[i], 0) : grpo[i], 1e-12);
        else
            for (int j = 0; j < N_ALL; j++)
                ck_assert(score[i] <= score[j] || a[i] >= a[j]);
}
END_TEST

START_TEST(names_and_words)
{
    size_t n;
    pr_error_t err;
    const pr_combiner_t *const *all = pr_combiners(&n), *c;
    ck_assert_uint_eq(n, 8);
    for (size_t i = 0; i < n; i++) {
        ck_assert_ptr_eq(find(all[i]->name), all[i]);
        ck_assert(all[i]->formula && all[i]->help && all[i]->options);
        ck_assert(!all[i]->reward != !all[i]->advantages);
    }
    ck_assert_int_eq(pr_combiner_find("mo-grpo", &c, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "mo_grpo"));
}
END_TEST

static void refuse(const char *options, int k, const double *hi, const char *said)
{
    pr_error_t err = {0};
    const pr_combiner_t *c = find("cheby_sample");
    json_t *o = options_of(c->options, options);
    ck_assert_int_eq(c->check(k, zeros, hi, o, &err), PR_ERR_CONFIG);
    ck_assert_str_eq(err.text, said);
    json_decref(o);
}

START_TEST(options_that_do_not_fit)
{
    const double second[] = {1, INFINITY};
    refuse(NULL, 2, second,
           "ideal: found \"range\", and the range of objective 2 is infinite, expected ideal \"max\" or \"list\"");
    refuse("{\"ideal\": \"list\", \"ideal_at\": [1]}", 2, ones,
           "ideal_at: found a list of 1, expected 2, one per objective");
    refuse("{\"ideal\": \"list\"}", 2, ones, "ideal_at: found nothing with ideal \"list\", expected both or neither");
    refuse("{\"ideal_at\": [1, 1]}", 2, ones, "ideal_at: found a list with ideal \"range\", expected both or neither");
}
END_TEST

int main(void)
{
    size_t n;
    pr_combiners(&n);
    for (int j = 0; j < K; j++)
        minus_infinite[j] = -(infinite[j] = INFINITY);
    Suite *suite = suite_create("combine");
    TCase *c = tcase_create("combine");
    tcase_add_test(c, two_rollouts);
    tcase_add_test(c, units);
    tcase_add_test(c, rounding_is_no_deviation);
    tcase_add_test(c, rvpo_is_a_soft_minimum);
    tcase_add_test(c, pama_takes_what_is_good_in_all);
    tcase_add_test(c, pama_of_a_batch_moves_nothing);
    tcase_add_test(c, cheby_sample_is_the_worst_gap);
    tcase_add_test(c, ranks);
    tcase_add_test(c, exclusive_volumes);
    tcase_add_test(c, exclusive_volumes_of_many);
    tcase_add_loop_test(c, order_of_objectives_and_responses, 0, (int)n);
    tcase_add_loop_test(c, no_weight_no_say, 0, (int)n);
    tcase_add_loop_test(c, equal_scores, 0, (int)n);
    tcase_add_loop_test(c, all_units_at_once, 0, (int)n);
    tcase_add_loop_test(c, one_objective, 0, (int)n);
    tcase_add_test(c, names_and_words);
    tcase_add_test(c, options_that_do_not_fit);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
