// SPDX-License-Identifier: BSD-3-Clause
/* A policy as data: what is packed is canonical and comes back, and what is none is refused. */
#include "policy/spec.h"
#include "unit/model/model_files.h"

#define A "00112233445566778899aabbccddeeff"
#define B "ffeeddccbbaa99887766554433221100"

static json_t *json(const char *text)
{
    json_error_t e;
    json_t *v = json_loads(text, 0, &e);
    ck_assert_msg(v != NULL, "%s: %s", text, e.text);
    return v;
}

static pr_policy_spec_t two(const pr_mix_t *mix, double a, double b)
{
    return (pr_policy_spec_t){
        .mix = mix, .n = 2, .part = {{A, true, {a}}, {.source = B, .job = false, .coefficient = {b}}}};
}

static void packs_as(const pr_policy_spec_t *s, const char *expected)
{
    json_t *found = pr_policy_pack(s), *want = json(expected);
    char *text = pr_json_canonical(found);
    ck_assert_msg(json_equal(found, want), "found %s, expected %s", text, expected);
    free(text);
    json_decref(found);
    json_decref(want);
}

static pr_policy_spec_t parsed(const json_t *value)
{
    pr_policy_spec_t s;
    pr_error_t e = {0};
    ck_assert_msg(pr_policy_parse(value, &s, &e) == PR_OK, "%s", e.text);
    return s;
}

/* Defaults are written out, so that saying them changes nothing. */
START_TEST(packs)
{
    pr_policy_spec_t s = two(&pr_mix_states, 0.5, 0.25);
    packs_as(&s, "{\"mix\": \"states\", \"options\": {\"layer\": -1, \"norm\": \"after\"}, \"parts\": [[\"job\", \"" A
                 "\", 0.5], [\"adapter\", \"" B "\", 0.25]]}");
    s.options = json("{\"norm\": \"after\"}");
    packs_as(&s, "{\"mix\": \"states\", \"options\": {\"layer\": -1, \"norm\": \"after\"}, \"parts\": [[\"job\", \"" A
                 "\", 0.5], [\"adapter\", \"" B "\", 0.25]]}");
    pr_policy_spec_clear(&s);
    ck_assert(s.mix == NULL && s.options == NULL && s.n == 0);
    s = two(&pr_mix_params, 1, 1);
    s.condition = json("{\"prefix\": \"w 0.5 0.5\"}");
    packs_as(&s, "{\"mix\": \"params\", \"options\": {}, \"parts\": [[\"job\", \"" A "\", 1.0], [\"adapter\", \"" B
                 "\", 1.0]], \"condition\": {\"prefix\": \"w 0.5 0.5\"}}");
    pr_policy_spec_clear(&s);
}
END_TEST

/* What is not run is not there; the base model has no part. */
START_TEST(leaves_out_zeros)
{
    pr_policy_spec_t s = two(&pr_mix_probs, 0, 0.75);
    packs_as(&s, "{\"mix\": \"probs\", \"options\": {}, \"parts\": [[\"adapter\", \"" B "\", 0.75]]}");
    s.part[1].coefficient[0] = -0.0;
    packs_as(&s, "{\"mix\": \"probs\", \"options\": {}, \"parts\": []}");
}
END_TEST

/* Two policies of other order are two: sums are rounded in that order. */
START_TEST(keeps_order)
{
    char one[PR_HASH_HEX], other[PR_HASH_HEX];
    pr_policy_spec_t s = two(&pr_mix_params, 0.5, 0.5);
    json_t *v = pr_policy_pack(&s);
    pr_json_hash(v, one);
    json_decref(v);
    pr_policy_part_t first = s.part[0];
    s.part[0] = s.part[1];
    s.part[1] = first;
    packs_as(&s, "{\"mix\": \"params\", \"options\": {}, \"parts\": [[\"adapter\", \"" B "\", 0.5], [\"job\", \"" A
                 "\", 0.5]]}");
    v = pr_policy_pack(&s);
    pr_json_hash(v, other);
    json_decref(v);
    ck_assert_str_ne(one, other);
}
END_TEST

START_TEST(comes_back)
{
    static const char *const options[] = {"{\"norm\": \"before\", \"layer\": 3}", "{\"ridge\": 0.25, \"prompts\": 7}"};
    const pr_mix_t *const mix[] = {&pr_mix_states, &pr_mix_regmean};
    for (int i = 0; i < 2; i++) {
        pr_policy_spec_t s = two(mix[i], 1.0 / 3, 1e-300);
        s.options = json(options[i]);
        s.condition = i ? json("[0.5, 0.25]") : NULL;
        json_t *v = pr_policy_pack(&s);
        char *text = pr_json_canonical(v);
        json_t *read = NULL; // as who gets it by wire does
        pr_error_t e = {0};
        ck_assert_msg(pr_json_parse(text, strlen(text), "policy", &read, &e) == PR_OK, "%s", e.text);
        pr_policy_spec_t again = parsed(read);
        json_t *v2 = pr_policy_pack(&again);
        char *text2 = pr_json_canonical(v2);
        ck_assert_str_eq(text, text2);
        ck_assert_ptr_eq(again.mix, mix[i]);
        ck_assert_int_eq(again.n, 2);
        ck_assert_str_eq(again.part[1].source, B);
        ck_assert(again.part[0].job && !again.part[1].job);
        ck_assert(again.part[0].coefficient[0] == 1.0 / 3 && again.part[1].coefficient[0] == 1e-300);
        ck_assert(json_equal(again.condition, s.condition) || (!i && !again.condition));
        free(text);
        free(text2);
        json_decref(v);
        json_decref(v2);
        json_decref(read);
        pr_policy_spec_clear(&s);
        pr_policy_spec_clear(&again);
    }
    json_t *few = json("{\"mix\": \"states\", \"parts\": [[\"job\", \"" A "\", 1]]}"); // defaults, a whole number
    pr_policy_spec_t s = parsed(few);
    packs_as(&s, "{\"mix\": \"states\", \"options\": {\"layer\": -1, \"norm\": \"after\"}, \"parts\": [[\"job\", \"" A
                 "\", 1.0]]}");
    pr_policy_spec_clear(&s);
    json_decref(few);
}
END_TEST

START_TEST(refuses)
{
    static const struct {
        const char *value, *words;
    } bad[] = {
        {"[]", "the whole|[]|an object"},
        {"{\"parts\": []}", "mix|nothing|a string"},
        {"{\"mix\": 3, \"parts\": []}", "mix|3|a string"},
        {"{\"mix\": \"state\", \"parts\": []}", "unknown mix 'state'|the nearest known one is 'states'"},
        {"{\"mix\": \"states\"}", "parts|nothing|a list"},
        {"{\"mix\": \"states\", \"parts\": {}}", "parts|{}|a list"},
        {"{\"mix\": \"states\", \"part\": [], \"parts\": []}", "part: |no such key"},
        {"{\"mix\": \"states\", \"parts\": [], \"condition\": null}", "condition|null"},
        {"{\"mix\": \"states\", \"parts\": [], \"options\": {\"leyer\": 1}}", "'states'|unknown key 'leyer'|'layer'"},
        {"{\"mix\": \"states\", \"parts\": [], \"options\": {\"layer\": -2}}", "'states'|layer|-2"},
        {"{\"mix\": \"params\", \"parts\": [], \"options\": 3}", "'params'|the integer 3"},
        {"{\"mix\": \"params\", \"parts\": [[\"job\", \"" A "\"]]}", "parts|job"},
        {"{\"mix\": \"params\", \"parts\": [[\"job\", \"" A "\", 1, 2]]}", "parts|job"},
        {"{\"mix\": \"params\", \"parts\": [[\"file\", \"" A "\", 1]]}", "parts|file|\"job\" or \"adapter\""},
        {"{\"mix\": \"params\", \"parts\": [[\"job\", \"abc\", 1]]}", "parts|abc|32 hexadecimal digits"},
        {"{\"mix\": \"params\", \"parts\": [[\"job\", \"" A "0\", 1]]}", "parts|32 hexadecimal digits"},
        {"{\"mix\": \"params\", \"parts\": [[\"job\", \"0011223344556677 899aabbccddeeff\", 1]]}", "parts|32 hex"},
        {"{\"mix\": \"params\", \"parts\": [[\"job\", \"" A "\", \"1\"]]}", "parts|a coefficient that is a number"},
        {"{\"mix\": \"params\", \"parts\": [[\"job\", \"" A "\", 0.0]]}", "parts|other than 0"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pr_policy_spec_t s = {.n = 99};
        pr_error_t e = {0};
        json_t *v = json(bad[i].value);
        check_error(bad[i].value, pr_policy_parse(v, &s, &e), PR_ERR_CONFIG, e.text, bad[i].words);
        ck_assert_int_eq(pr_policy_parse(v, &s, NULL), PR_ERR_CONFIG);
        ck_assert_int_eq(s.n, 99);
        json_decref(v);
    }
    json_t *many = json("{\"mix\": \"params\", \"parts\": []}"), *parts = json_object_get(many, "parts");
    for (int i = 0; i < PR_MAX_PARTS; i++)
        json_array_append_new(parts, json_pack("[s, s, f]", "job", A, 1.0));
    pr_policy_spec_t s = parsed(many);
    ck_assert_int_eq(s.n, PR_MAX_PARTS);
    pr_policy_spec_clear(&s);
    pr_error_t e = {0};
    json_array_append_new(parts, json_pack("[s, s, f]", "job", A, 1.0));
    check_error("33 parts", pr_policy_parse(many, &s, &e), PR_ERR_CONFIG, e.text, "parts|at most 32");
    json_decref(many);
}
END_TEST

static void reads_as(const pr_policy_spec_t *s, const char *expected)
{
    char *text = pr_policy_text(s);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(as_text)
{
    pr_policy_spec_t s = two(&pr_mix_states, 0.5, 0.5);
    reads_as(&s, "states(00112233:0.5, ffeeddcc:0.5)");
    s.options = json("{\"layer\": 1, \"norm\": \"before\"}");
    s.condition = json("{\"w\": 1}");
    s.part[0].coefficient[0] = 0;
    reads_as(&s, "states(ffeeddcc:0.5; layer=1, norm=before) told {\"w\":1}");
    pr_policy_spec_clear(&s);
    s = two(&pr_mix_regmean, 1.0 / 3, 0);
    s.options = json("{\"ridge\": 0.1}");
    reads_as(&s, "regmean(00112233:0.333333; ridge=0.1)");
    pr_policy_spec_clear(&s);
    s.mix = &pr_mix_params;
    reads_as(&s, "params()");
}
END_TEST

int main(void)
{
    Suite *s = suite_create("policy_spec");
    TCase *t = tcase_create("policy_spec");
    tcase_add_test(t, packs);
    tcase_add_test(t, leaves_out_zeros);
    tcase_add_test(t, keeps_order);
    tcase_add_test(t, comes_back);
    tcase_add_test(t, refuses);
    tcase_add_test(t, as_text);
    suite_add_tcase(s, t);
    return run_suite(s);
}
