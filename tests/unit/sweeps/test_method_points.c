// SPDX-License-Identifier: BSD-3-Clause
/* What methods make of points, as pure functions: coefficients, what they wish for, what they are told. */
#include "base/hash.h"
#include "method/method.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 64 };
typedef struct asked {
    pr_training_wish_t wish[MOST];
    int n;
} asked_t;

/* The identity of a wish is its hash. */
static pr_status_t ask(void *self, const pr_training_wish_t *wish, char id[PR_HASH_HEX], pr_error_t *err)
{
    asked_t *a = self;
    (void)err;
    ck_assert_int_lt(a->n, MOST);
    a->wish[a->n++] = *wish;
    pr_hash_hex(wish, sizeof *wish, id);
    return PR_OK;
}

static pr_status_t at(const pr_method_t *m, int k, const char *options, const double *w, asked_t *a,
                      pr_policy_spec_t *out, pr_error_t *err)
{
    const char *given[PR_MAX_OBJECTIVES] = {NULL};
    json_t *own = json_loads(options, 0, NULL), *resolved = NULL, *mix = json_object();
    ck_assert_int_eq(pr_options_resolve(m->options, own, NULL, &resolved, NULL), PR_OK);
    pr_method_env_t e = {.k = k,
                         .given = given,
                         .mix = &pr_mix_params,
                         .mix_options = mix,
                         .options = resolved,
                         .train = ask,
                         .self = a};
    pr_choice_t choice = {.k = k, .rows = 1, .w = w};
    *out = (pr_policy_spec_t){0};
    *a = (asked_t){.n = 0};
    pr_status_t status = m->policy_at(&e, &choice, out, err);
    json_decref(own);
    json_decref(resolved);
    json_decref(mix);
    return status;
}

/* With two objectives and beta = 0.7 the first corner is 1.75 and -0.75 (Xie et al. 2025). */
START_TEST(bone_soups_corner)
{
    asked_t a;
    pr_policy_spec_t s;
    ck_assert_int_eq(at(&pr_method_bone_soups, 2, "{}", (double[]){1, 0}, &a, &s, NULL), PR_OK);
    ck_assert_int_eq(s.n, 2);
    ck_assert_double_eq_tol(s.part[0].coefficient[0], 1.75, 1e-12);
    ck_assert_double_eq_tol(s.part[1].coefficient[0], -0.75, 1e-12);
    ck_assert(a.wish[0].w[0] == 0.7 && fabs(a.wish[0].w[1] - 0.3) < 1e-15);
    ck_assert(a.wish[1].w[1] == 0.7 && fabs(a.wish[1].w[0] - 0.3) < 1e-15);
    pr_policy_spec_clear(&s);
    ck_assert_int_eq(at(&pr_method_bone_soups, 2, "{\"extrapolate\": 0.2}", (double[]){1, 0}, &a, &s, NULL), PR_OK);
    ck_assert_double_eq_tol(s.part[0].coefficient[0], 1.75 / 0.8, 1e-12);
    pr_policy_spec_clear(&s);
}
END_TEST

/* The coefficients' mixture of the backbones' rewards is the point, for any number of objectives. */
START_TEST(bone_soups_mixture)
{
    for (int k = 2; k <= PR_MAX_OBJECTIVES; k++) {
        double w[PR_MAX_OBJECTIVES], sum = 0;
        asked_t a;
        pr_policy_spec_t s;
        for (int i = 0; i < k; i++)
            sum += w[i] = 1 + i * i % 5;
        for (int i = 0; i < k; i++)
            w[i] /= sum;
        ck_assert_int_eq(at(&pr_method_bone_soups, k, "{\"beta\": 0.6}", w, &a, &s, NULL), PR_OK);
        ck_assert_int_eq(s.n, a.n);
        for (int i = 0; i < k; i++) {
            double mixed = 0;
            for (int j = 0; j < s.n; j++)
                mixed += s.part[j].coefficient[0] * a.wish[j].w[i];
            ck_assert_double_eq_tol(mixed, w[i], 1e-12);
        }
        pr_policy_spec_clear(&s);
    }
}
END_TEST

/* With beta = 1 it is the experts' policy. */
START_TEST(bone_soups_of_experts)
{
    static const double points[][3] = {{1, 0, 0}, {0.5, 0.25, 0.25}, {0, 0.5, 0.5}};
    for (int i = 0; i < 3; i++) {
        asked_t a;
        pr_policy_spec_t bones, experts;
        ck_assert_int_eq(at(&pr_method_bone_soups, 3, "{\"beta\": 1}", points[i], &a, &bones, NULL), PR_OK);
        ck_assert_int_eq(at(&pr_method_experts, 3, "{}", points[i], &a, &experts, NULL), PR_OK);
        ck_assert_int_eq(bones.n, experts.n);
        for (int j = 0; j < bones.n; j++) {
            ck_assert_str_eq(bones.part[j].source, experts.part[j].source);
            ck_assert(bones.part[j].coefficient[0] == experts.part[j].coefficient[0]);
        }
        pr_policy_spec_clear(&bones);
        pr_policy_spec_clear(&experts);
    }
}
END_TEST

START_TEST(bone_soups_refused)
{
    asked_t a;
    pr_policy_spec_t s;
    pr_error_t err;
    ck_assert_int_eq(at(&pr_method_bone_soups, 2, "{\"beta\": 0.5}", (double[]){1, 0}, &a, &s, &err), PR_ERR_CONFIG);
    ck_assert_msg(strstr(err.text, "beta: found 0.5, expected more than 1/2") != NULL, "%s", err.text);
    pr_policy_spec_clear(&s);
}
END_TEST

/* Policies that are told the preference wish for one family whatever it is, and hold it. */
START_TEST(told)
{
    const pr_method_t *const methods[] = {&pr_method_conditioned, &pr_method_meta_soup};
    const pr_trains_t makes[] = {PR_TRAINS_FAMILY, PR_TRAINS_MADE};
    for (int i = 0; i < 2; i++) {
        asked_t a, b;
        pr_policy_spec_t s, t;
        json_t *expected = json_loads("[0.25, 0.75]", 0, NULL);
        ck_assert_int_eq(at(methods[i], 2, "{}", (double[]){0.25, 0.75}, &a, &s, NULL), PR_OK);
        ck_assert_int_eq(at(methods[i], 2, "{}", (double[]){1, 0}, &b, &t, NULL), PR_OK);
        ck_assert_int_eq(a.n, 1);
        ck_assert_int_eq(a.wish[0].makes, makes[i]);
        ck_assert_str_eq(s.part[0].source, t.part[0].source);
        ck_assert(json_equal(s.condition, expected) && !json_equal(t.condition, expected));
        json_decref(expected);
        pr_policy_spec_clear(&s);
        pr_policy_spec_clear(&t);
    }
}
END_TEST

/* A route's policy has all experts, whole, and is told the preference. */
START_TEST(routed)
{
    asked_t a;
    pr_policy_spec_t s;
    ck_assert_int_eq(at(&pr_method_bandit, 3, "{}", (double[]){1, 0, 0}, &a, &s, NULL), PR_OK);
    ck_assert_int_eq(s.n, 3);
    ck_assert_int_eq(a.n, 4);
    ck_assert_int_eq(a.wish[3].makes, PR_FITS_ROUTE);
    for (int i = 0; i < 3; i++)
        ck_assert(s.part[i].coefficient[0] == 1);
    ck_assert_uint_eq(strlen(s.route), PR_HASH_HEX - 1);
    json_t *packed = pr_policy_pack(&s);
    pr_policy_spec_t again;
    ck_assert_int_eq(pr_policy_parse(packed, &again, NULL), PR_OK);
    ck_assert_str_eq(again.route, s.route);
    ck_assert(json_equal(again.condition, s.condition));
    json_decref(packed);
    pr_policy_spec_clear(&s);
    pr_policy_spec_clear(&again);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("method points");
    TCase *t = tcase_create("all");
    tcase_add_test(t, bone_soups_corner);
    tcase_add_test(t, bone_soups_mixture);
    tcase_add_test(t, bone_soups_of_experts);
    tcase_add_test(t, bone_soups_refused);
    tcase_add_test(t, told);
    tcase_add_test(t, routed);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
