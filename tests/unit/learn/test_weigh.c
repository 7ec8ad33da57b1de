// SPDX-License-Identifier: BSD-3-Clause
/* What holds for every weighting rule, whatever its formula: all go through the same loops, so that a new one is tested by
 * being on the list. */
#include "rule_checks.h"

enum { STEPS = 30 };
static const int sizes[] = {1, 2, 3, 5, K};
enum { SIZES = sizeof sizes / sizeof *sizes };

static const pr_weigher_t *rule_at(int i)
{
    size_t n;
    return pr_weighers(&n)[i];
}

static bool named(const pr_weigher_t *rule, const char *words)
{
    const char *at = strstr(words, rule->name);
    size_t n = strlen(rule->name);
    return at && (at == words || at[-1] == ' ') && (at[n] == '\0' || at[n] == ' ');
}

/* Options without which a rule of k objectives is refused; of lagrangian, with this primary. */
static const char *needed(const pr_weigher_t *rule, int k, int primary, char *text, size_t size)
{
    if (strcmp(rule->name, "lagrangian") != 0 || k == 1)
        return NULL;
    int n = snprintf(text, size, "{\"primary\": %d, \"thresholds\": [", primary + 1);
    for (int i = 1; i < k; i++)
        n += snprintf(text + n, size - (size_t)n, "%s0.5", i > 1 ? ", " : "");
    snprintf(text + n, size - (size_t)n, "]}");
    return text;
}

static void random_w(int k, double *w)
{
    double sum = 0;
    for (int i = 0; i < k; i++)
        sum += w[i] = 0.1 + uniform_at(11, (uint64_t)i, (uint64_t)k);
    for (int i = 0; i < k; i++)
        w[i] /= sum;
}

/* Numbers of step n for objectives turned by `shift`: objective i here is i + shift of the first rule. */
static void feed(rule_t *r, int n, int shift, double *validation)
{
    int k = r->in.k;
    double v[K * (K + 2)], gram[K * K], c[K * K];
    random_gram(k, k + 2, (uint64_t)(2 * n), v, gram);
    random_gram(k, k + 2, (uint64_t)(2 * n + 1), v, c);
    for (int i = 0; i < k; i++) {
        int from = (i + shift) % k;
        r->mean[i] = uniform_at(21, (uint64_t)n, (uint64_t)from);
        validation[i] = uniform_at(22, (uint64_t)n, (uint64_t)from);
        for (int j = 0; j < k; j++) {
            r->gram[i * k + j] = 0.02 * gram[from * k + (j + shift) % k];
            r->covariance[i * k + j] = 0.001 * c[from * k + (j + shift) % k];
        }
    }
}

static void open_any(rule_t *r, const pr_weigher_t *rule, int k, int primary, const double *w)
{
    char text[256];
    rule_open(r, rule->name, needed(rule, k, primary, text, sizeof text), k, w);
}

static bool finite_numbers(size_t n, const double *x)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

START_TEST(words_and_names)
{
    pr_error_t err;
    const pr_weigher_t *rule = rule_at(_i), *found = NULL;
    ck_assert_int_eq(pr_weigher_find(rule->name, &found, &err), PR_OK);
    ck_assert_ptr_eq(found, rule);
    ck_assert(rule->formula && rule->help && rule->options && rule->weigh);
    ck_assert_int_eq(rule->validation, pr_option_find(rule->options, "every") != NULL);
    ck_assert(!rule->begin || rule->state);
    for (const pr_option_t *o = rule->options; o->key; o++) {
        ck_assert_ptr_nonnull(o->help);
        ck_assert_str_ne(o->key, "type"); // the rule's own name, in a configuration
    }
}
END_TEST

START_TEST(a_name_that_is_none)
{
    pr_error_t err;
    const pr_weigher_t *found;
    ck_assert_int_eq(pr_weigher_find("tchebychev", &found, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "chebyshev"));
}
END_TEST

/* Any K, any numbers: lambda is finite, not negative and not nothing, and stays within the state that the rule asked for. The
 * same state and input give the same again, so that a training that goes on is the one that was stopped. */
START_TEST(pure_and_finite)
{
    const pr_weigher_t *rule = rule_at(_i);
    for (int k = 1; k <= K; k++) {
        rule_t r;
        double w[K], validation[K], first[K];
        random_w(k, w);
        open_any(&r, rule, k, 0, w);
        size_t bytes = r.numbers * sizeof *r.state;
        double *guarded = pr_alloc(r.numbers + 1, sizeof *guarded), *kept = pr_alloc(r.numbers + 1, sizeof *kept);
        memcpy(guarded, r.state, bytes);
        guarded[r.numbers] = 12345;
        free(r.state);
        r.state = guarded;
        for (int n = 0; n < STEPS; n++) {
            feed(&r, n, 0, validation);
            memcpy(kept, r.state, bytes);
            rule_step(&r, n % 2 ? NULL : validation);
            memcpy(first, r.lambda, sizeof first);
            double sum = 0;
            for (int i = 0; i < k; i++) {
                ck_assert(isfinite(r.lambda[i]) && r.lambda[i] >= 0);
                sum += r.lambda[i];
            }
            ck_assert_double_gt(sum, 0);
            ck_assert(finite_numbers(r.numbers, r.state));
            double *other = r.state;
            r.state = kept;
            r.in.step--;
            rule_step(&r, n % 2 ? NULL : validation);
            ck_assert_mem_eq(r.lambda, first, (size_t)k * sizeof *first);
            ck_assert_mem_eq(kept, other, bytes);
            r.state = other;
        }
        ck_assert_double_eq(guarded[r.numbers], 12345);
        free(kept);
        rule_close(&r);
    }
}
END_TEST

/* Objectives in another order: the same weights in that order. Not of rules that draw one of the objectives by chance, or
 * take them by their number: round_robin, the bandits (arms are drawn, or tried, in order) and, of more than two, pcgrad (a
 * random order for each). */
START_TEST(order_of_objectives)
{
    const pr_weigher_t *rule = rule_at(_i);
    double moved = 0;
    for (int s = 0; s < SIZES; s++) {
        int k = sizes[s];
        if (named(rule, "round_robin exp3 exp3_scaled ucb1 linucb") || (k > 2 && named(rule, "pcgrad")))
            continue;
        rule_t a, b;
        double w[K], turned[K], validation[K], last = 0;
        random_w(k, w);
        for (int i = 0; i < k; i++)
            turned[i] = w[(i + 1) % k];
        open_any(&a, rule, k, 0, w);
        open_any(&b, rule, k, k - 1, turned);
        for (int n = 0; n < STEPS; n++) {
            feed(&a, n, 0, validation);
            rule_step(&a, validation);
            feed(&b, n, 1, validation);
            rule_step(&b, validation);
            for (int i = 0; i < k; i++)
                ck_assert_double_eq_tol(b.lambda[i], a.lambda[(i + 1) % k], 1e-8);
            moved = fmax(moved, n ? fabs(a.lambda[0] - last) : 0);
            last = a.lambda[0];
        }
        rule_close(&a);
        rule_close(&b);
    }
    if (!named(rule, "fixed uniform round_robin exp3 exp3_scaled ucb1 linucb")) // else nothing could be out of order
        ck_assert_double_gt(moved, 1e-6);
}
END_TEST

/* One objective has all the weight; but for the two that multiply it. */
START_TEST(one_objective)
{
    const pr_weigher_t *rule = rule_at(_i);
    rule_t r;
    double validation[K];
    open_any(&r, rule, 1, 0, NULL);
    for (int n = 0; n < STEPS; n++) {
        feed(&r, n, 0, validation);
        rule_step(&r, validation);
        if (!named(rule, "ctwa drw_hv"))
            ck_assert_double_eq_tol(r.lambda[0], 1, 1e-12);
    }
    rule_close(&r);
}
END_TEST

/* Of a rule that follows a preference, an objective of weight 0 has no weight, and a preference for one is that one. */
START_TEST(no_weight_no_say)
{
    const pr_weigher_t *rule = rule_at(_i);
    const double w[] = {0.4, 0, 0.6}, corner[] = {0, 1, 0};
    if (rule->own)
        return;
    rule_t r, c;
    double validation[K];
    open_any(&r, rule, 3, 0, w);
    open_any(&c, rule, 3, 0, corner);
    for (int n = 0; n < STEPS; n++) {
        feed(&r, n, 0, validation);
        feed(&c, n, 0, validation);
        rule_step(&r, validation);
        rule_step(&c, validation);
        ck_assert_double_eq(r.lambda[1], 0);
        ck_assert(c.lambda[0] == 0 && c.lambda[2] == 0);
        if (!named(rule, "ctwa drw_hv"))
            ck_assert_double_eq_tol(c.lambda[1], 1, 1e-12);
    }
    rule_close(&r);
    rule_close(&c);
}
END_TEST

/* A rule of its own does not look at the preference. */
START_TEST(of_its_own)
{
    const pr_weigher_t *rule = rule_at(_i);
    const double w[] = {0.9, 0, 0.1};
    rule_t a, b;
    double validation[K], off = 0;
    open_any(&a, rule, 3, 0, NULL);
    open_any(&b, rule, 3, 0, w);
    b.key = a.key;
    for (int n = 0; n < STEPS; n++) {
        feed(&a, n, 0, validation);
        feed(&b, n, 0, validation);
        rule_step(&a, validation);
        rule_step(&b, validation);
        for (int i = 0; i < 3; i++)
            off = fmax(off, fabs(a.lambda[i] - b.lambda[i]));
    }
    ck_assert_int_eq(off > 0, !rule->own);
    rule_close(&a);
    rule_close(&b);
}
END_TEST

/* All rewards times c: gradients' products are times c^2, and the rules that only go by angles and ratios of lengths say the
 * same. */
START_TEST(units_of_gradients)
{
    const char *names[] = {"mgda", "pcgrad", "cagrad"};
    for (int m = 0; m < 3; m++)
        for (int s = 0; s < SIZES; s++) {
            rule_t a, b;
            double validation[K];
            rule_open(&a, names[m], NULL, sizes[s], NULL);
            rule_open(&b, names[m], NULL, sizes[s], NULL);
            for (int n = 0; n < STEPS; n++) {
                feed(&a, n, 0, validation);
                feed(&b, n, 0, validation);
                for (int i = 0; i < sizes[s] * sizes[s]; i++)
                    b.gram[i] *= 37.0 * 37;
                rule_step(&a, NULL);
                rule_step(&b, NULL);
                for (int i = 0; i < sizes[s]; i++)
                    ck_assert_double_eq_tol(a.lambda[i], b.lambda[i], 1e-7);
            }
            rule_close(&a);
            rule_close(&b);
        }
}
END_TEST

/* Where all responses were dropped there are no numbers: lambda stays, from the first step on, and afterwards all goes on. With
 * numbers of one objective missing the others still move, and all stays finite. */
START_TEST(no_news)
{
    const pr_weigher_t *rule = rule_at(_i);
    if (named(rule, "round_robin"))
        return;
    for (int s = 1; s < SIZES; s++) {
        int k = sizes[s];
        rule_t r;
        double w[K], validation[K], last[K];
        random_w(k, w);
        open_any(&r, rule, k, 0, w);
        for (int n = 0; n < STEPS; n++) {
            feed(&r, n, 0, validation);
            bool none = n < 2 || n == 7 || n > 20, one = n > 9 && n < 15;
            for (int i = none ? 0 : one ? n % k : k; i < (none ? k : one ? n % k + 1 : k); i++) {
                r.mean[i] = n % 2 ? NAN : INFINITY;
                validation[i] = NAN;
                for (int j = 0; j < k; j++)
                    r.gram[i * k + j] = r.gram[j * k + i] = r.covariance[i * k + j] = r.covariance[j * k + i] = NAN;
            }
            rule_step(&r, validation);
            for (int i = 0; i < k; i++) {
                ck_assert(isfinite(r.lambda[i]));
                if (none && n > 0)
                    ck_assert_double_eq(r.lambda[i], last[i]);
                if (n == 0 && !named(rule, "lagrangian")) // its multipliers are 1 before the first
                    ck_assert_double_eq_tol(r.lambda[i], rule->own ? 1.0 / k : w[i], 1e-12);
            }
            ck_assert(finite_numbers(r.numbers, r.state));
            memcpy(last, r.lambda, sizeof last);
        }
        rule_close(&r);
    }
}
END_TEST

static void refuse(const char *name, const char *options, int k, double hi, const char *said)
{
    pr_error_t err = {0};
    const pr_weigher_t *rule = NULL;
    double lo[K] = {0}, his[K];
    for (int i = 0; i < K; i++)
        his[i] = i == 1 ? hi : 1;
    ck_assert_int_eq(pr_weigher_find(name, &rule, &err), PR_OK);
    json_t *o = options_of(rule->options, options);
    ck_assert_int_eq(rule->check(k, lo, his, o, &err), PR_ERR_CONFIG);
    ck_assert_str_eq(err.text, said);
    json_decref(o);
}

START_TEST(options_that_do_not_fit)
{
    refuse("stch", NULL, 2, INFINITY,
           "ideal: found \"range\", and the range of objective 2 is infinite, expected ideal \"max\" or \"list\"");
    refuse("chebyshev", "{\"ideal\": \"list\", \"ideal_at\": [1, 2, 3]}", 2, 1,
           "ideal_at: found a list of 3, expected 2, one per objective");
    refuse("gradnorm", NULL, 2, INFINITY,
           "ideal: found \"range\", and the range of objective 2 is infinite, expected ideal \"list\"");
    refuse("maxmin", NULL, 2, INFINITY,
           "low: found nothing, and the range of objective 2 is infinite, expected a number per objective, and high");
    refuse("maxmin", "{\"low\": [0, 0]}", 2, 1, "high: found nothing beside low, expected both or neither");
    refuse("maxmin", "{\"low\": [0, 1], \"high\": [1, 1]}", 2, 1,
           "high: found 1 for objective 2, expected more than low, 1");
    refuse("maxmin", "{\"low\": [0], \"high\": [1, 1]}", 2, 1, "low: found a list of 1, expected 2, one per objective");
    refuse("lagrangian", NULL, 3, 1, "thresholds: found nothing, expected 2, one per objective but the primary");
    refuse("lagrangian", "{\"thresholds\": [0.1]}", 3, 1,
           "thresholds: found a list of 1, expected 2, one per objective but the primary");
    refuse("lagrangian", "{\"thresholds\": [0.1], \"primary\": 3}", 2, 1,
           "primary: found 3, expected 1 to 2, the number of objectives");
    refuse("lagrangian", "{\"thresholds\": [0.1], \"start\": 0}", 2, 1,
           "start: found 0, of which there is no logarithm, expected more or form \"add\"");
    refuse("lagrangian", "{\"thresholds\": [0.1], \"start\": 6}", 2, 1, "start: found 6, expected at most `most`, 5");
    refuse("ctwa", "{\"caps\": [1, 1]}", 3, 1, "caps: found a list of 2, expected 3, one per objective, or 1");
}
END_TEST

int main(void)
{
    size_t n;
    pr_weighers(&n);
    Suite *suite = suite_create("weigh");
    TCase *c = tcase_create("all rules");
    tcase_add_loop_test(c, words_and_names, 0, (int)n);
    tcase_add_test(c, a_name_that_is_none);
    tcase_add_loop_test(c, pure_and_finite, 0, (int)n);
    tcase_add_loop_test(c, order_of_objectives, 0, (int)n);
    tcase_add_loop_test(c, one_objective, 0, (int)n);
    tcase_add_loop_test(c, no_weight_no_say, 0, (int)n);
    tcase_add_loop_test(c, of_its_own, 0, (int)n);
    tcase_add_test(c, units_of_gradients);
    tcase_add_loop_test(c, no_news, 0, (int)n);
    tcase_add_test(c, options_that_do_not_fit);
    suite_add_tcase(suite, c);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_ENV);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
