// SPDX-License-Identifier: BSD-3-Clause
// The counselling objectives and lower case against cases that Python wrote.
#include "objective/text.h"
#include "unit/objective/support.h"

static void check_case(pr_objective_t *o, const json_t *c)
{
    const char *prompt = json_string_value(json_object_get(c, "prompt"));
    const char *response = json_string_value(json_object_get(c, "response"));
    double want = json_number_value(json_object_get(c, o->type->name)), got = score_of(o, prompt, response);
    char *text = json_dumps(c, 0);
    ck_assert_msg(fabs(got - want) <= 1e-12, "%s: %.17g for %s", o->type->name, got, text);
    free(text);
}

static void check_cases(const json_t *cases, size_t at_least)
{
    static const char *const names[] = {"reflection", "empathy", "brevity"};
    ck_assert_uint_ge(json_array_size(cases), at_least);
    for (int k = 0; k < 3; k++) {
        pr_objective_t *o = open_objective(names[k], "{}", "");
        for (size_t i = 0; i < json_array_size(cases); i++)
            check_case(o, json_array_get(cases, i));
        pr_objective_close(&o);
    }
}

static json_t *load(const char *name)
{
    json_t *v;
    pr_error_t err;
    char *path = source_file(name);
    ck_assert_msg(pr_json_load(path, 0, &v, &err) == PR_OK, "%s", err.text);
    free(path);
    return v;
}

START_TEST(test_reference_cases)
{
    json_t *cases = load("sweeps/counsel/reference/cases.json");
    check_cases(cases, 50);
    json_decref(cases);
}
END_TEST

START_TEST(test_random_cases)
{
    json_t *all = load("tests/unit/objective/cases-extra.json");
    check_cases(json_object_get(all, "cases"), 500);
    json_decref(all);
}
END_TEST

START_TEST(test_lower)
{
    json_t *all = load("tests/unit/objective/cases-extra.json");
    json_t *pairs = json_object_get(all, "lower");
    ck_assert_uint_ge(json_array_size(pairs), 300);
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *text = json_array_get(json_array_get(pairs, i), 0);
        size_t len;
        char *lower = pr_text_lower(json_string_value(text), json_string_length(text), &len);
        ck_assert_str_eq(lower, json_string_value(json_array_get(json_array_get(pairs, i), 1)));
        ck_assert_uint_eq(len, strlen(lower));
        free(lower);
    }
    json_decref(all);
}
END_TEST

START_TEST(test_shipped_phrases_are_the_built_in_ones)
{
    json_t *all = load("tests/unit/objective/cases-extra.json");
    json_t *cases = json_object_get(all, "cases");
    char *dir = source_file("sweeps/counsel");
    pr_objective_t *o = open_objective("empathy", "{'phrases': 'empathy.txt'}", dir);
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_case(o, json_array_get(cases, i));
    pr_objective_close(&o);
    free(dir);
    json_decref(all);
}
END_TEST

START_TEST(test_markers)
{
    pr_objective_t *o = open_objective("reflection", "{'from': 'User>', 'to': '<end>'}", "");
    const char *prompt = "User> elephants\nUser> giraffes <end> zebras";
    ck_assert_double_eq(score_of(o, prompt, "giraffe giraffes"), 1);
    ck_assert_double_eq(score_of(o, prompt, "zebras elephants"), 0);
    ck_assert_double_eq(score_of(o, "monkeys and lions", "lions!"), 0.5);
    pr_objective_close(&o);
    o = open_objective("reflection", "{'from': '', 'to': ''}", "");
    ck_assert_double_eq(score_of(o, "Client: giraffes", "client"), 0.5);
    pr_objective_close(&o);
}
END_TEST

START_TEST(test_stop_words_file)
{
    char *path = temporary_file("giraffes # not these\n", 21), options[200];
    snprintf(options, sizeof options, "{'stopwords': '%s', 'min_letters': 3}", path);
    pr_objective_t *o = open_objective("reflection", options, "");
    ck_assert_double_eq(score_of(o, "the giraffes", "the"), 1);
    pr_objective_close(&o);
    unlink(path);
    free(path);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("counsel objectives");
    TCase *t = tcase_create("python");
    tcase_add_test(t, test_reference_cases);
    tcase_add_test(t, test_random_cases);
    tcase_add_test(t, test_lower);
    tcase_add_test(t, test_shipped_phrases_are_the_built_in_ones);
    tcase_add_test(t, test_markers);
    tcase_add_test(t, test_stop_words_file);
    suite_add_tcase(s, t);
    return run_suite(s);
}
