// SPDX-License-Identifier: BSD-3-Clause
/* Evaluate jobs on the small model: evaluation that keeps its books, what was cut, merging by Gram matrices. */
#include "unit/jobs/jobs_play.h"

#include "jobs/evaluate.h"
#include "sweeps/take.h"

START_TEST(means_are_those_of_the_prompts)
{
    char more[1024];
    snprintf(more, sizeof more, "%s stop = ( \"\\n\" ); evaluate = { prompts = 6; max_new_tokens = 40; };", brought);
    pr_config_t *c = config("means", more);
    neutral_adapters(c);
    json_t *message = evaluate_job(c, 0.5, 0.5, 0, 6);
    said_t s;
    evaluate(c, message, 6, &s);
    for (size_t k = 0; k < 2; k++) {
        double sum = 0, squares = 0, spread = 0;
        for (int i = 0; i < 6; i++)
            sum += s.scores[i][k];
        for (int i = 0; i < 6; i++) {
            squares += pow(s.scores[i][k] - sum / 6, 2);
            spread = fmax(spread, fabs(s.scores[i][k] - s.scores[0][k]));
        }
        ck_assert(spread > 0 || k == 1); // or there would be little to see
        ck_assert_double_eq_tol(json_number_value(json_array_get(json_object_get(s.result, "mean"), k)), sum / 6,
                                1e-15);
        ck_assert_double_eq_tol(json_number_value(json_array_get(json_object_get(s.result, "se"), k)),
                                sqrt(squares / 5 / 6), 1e-15);
    }
    ck_assert_int_eq(json_integer_value(json_object_get(s.result, "n")), 6);
    said_clear(&s);
    json_decref(message);
    pr_config_free(&c);
}
END_TEST

/* What is made of responses that max_new_tokens cut, against how each ended and scored when they are scored as they
 * are. */
START_TEST(cut_responses)
{
    static const char *const ways[] = {"score", "worst", "drop"};
    said_t s[3];
    for (int i = 0; i < 3; i++) {
        char more[1024];
        snprintf(more, sizeof more,
                 "%s stop = ( \"\\n\" ); evaluate = { prompts = 6; max_new_tokens = 10; }; truncated = \"%s\";",
                 brought, ways[i]);
        pr_config_t *c = config(ways[i], more);
        neutral_adapters(c);
        json_t *message = evaluate_job(c, 0.5, 0.5, 0, 6);
        evaluate(c, message, 6, &s[i]);
        json_decref(message);
        pr_config_free(&c);
    }
    int cut = 0;
    for (int j = 0; j < 6; j++)
        cut += s[0].finish[j] == 'l';
    ck_assert(cut > 0 && cut < 6); // or there would be nothing to see
    for (int i = 0; i < 3; i++) {
        ck_assert_mem_eq(s[i].finish, s[0].finish, 6);
        ck_assert_double_eq_tol(json_number_value(json_object_get(s[i].result, "cut")), cut / 6.0, 1e-15);
    }
    for (size_t k = 0; k < 2; k++) {
        double whole = 0, squares = 0;
        for (int j = 0; j < 6; j++)
            whole += s[0].finish[j] == 'l' ? 0 : s[0].scores[j][k];
        double mean = whole / (6 - cut);
        for (int j = 0; j < 6; j++)
            squares += s[0].finish[j] == 'l' ? 0 : pow(s[0].scores[j][k] - mean, 2);
        // The worst value of both objectives is 0.
        ck_assert_double_eq_tol(json_number_value(json_array_get(json_object_get(s[1].result, "mean"), k)), whole / 6,
                                1e-15);
        ck_assert_double_eq_tol(json_number_value(json_array_get(json_object_get(s[2].result, "mean"), k)), mean,
                                1e-15);
        const json_t *se = json_array_get(json_object_get(s[2].result, "se"), k);
        if (cut < 5)
            ck_assert_double_eq_tol(json_number_value(se), sqrt(squares / (5 - cut) / (6 - cut)), 1e-15);
        for (int j = 0; j < 6; j++) {
            bool l = s[0].finish[j] == 'l';
            ck_assert_double_eq_tol(s[1].scores[j][k], l ? 0 : s[0].scores[j][k], 1e-15);
            ck_assert_double_eq_tol(s[2].scores[j][k], l ? mean : s[0].scores[j][k], 1e-15);
        }
    }
    for (int i = 0; i < 3; i++)
        said_clear(&s[i]);
}
END_TEST

/* Where all is left out there is no mean to tell, and nothing to learn from: the adapter stays as it was. */
START_TEST(nothing_but_cut_responses)
{
    char more[1024];
    json_t *result = NULL;
    pr_error_t err;
    job_t j = {0};
    snprintf(more, sizeof more, "%s evaluate = { prompts = 6; max_new_tokens = 1; }; truncated = \"drop\";", brought);
    pr_config_t *c = config("none", more);
    neutral_adapters(c);
    json_t *message = evaluate_job(c, 0.5, 0.5, 0, 6);
    ck_assert_int_eq(run(c, message, &j, &result, &err), PR_ERR_SCORER);
    ck_assert_ptr_nonnull(strstr(err.text, "every response was cut"));
    json_decref(message);
    pr_config_free(&c);

    c = config("still",
               "truncated = \"drop\"; finetune = { steps = 2; prompts_per_step = 3; samples = 2; max_new_tokens "
               "= 1; lr = 0.5; lora = { r = 2; }; };");
    message = train_job(c, 0, 1);
    j = (job_t){.idle = true};
    ck_assert_msg(run(c, message, &j, &result, &err) == PR_OK, "%s", err.text);
    ck_assert_int_eq(json_integer_value(json_object_get(result, "taught")), 0);
    pr_model_config_t m;
    pr_adapter_t *a = NULL;
    char *expert = adapter_of(c, message);
    ck_assert_int_eq(pr_model_config_read(c->model, &m, &err), PR_OK);
    ck_assert_int_eq(pr_adapter_read(expert, &m, &a, &err), PR_OK);
    for (int i = 0; i < a->n_layer * PR_N_SLOT; i++)
        for (int x = 0; x < a->lora[i].r; x++)
            ck_assert(a->lora[i].b[x] == 0);
    pr_adapter_free(&a);
    pr_model_config_clear(&m);
    free(expert);
    json_decref(result);
    json_decref(message);
    pr_config_free(&c);
}
END_TEST

/* Drawn responses are a function of the seed, the prompt and the policy: these policies are all the same one, so that
 * points share their random numbers, and it does not matter how prompts are cut into jobs. */
START_TEST(points_share_random_numbers)
{
    char more[1024];
    snprintf(more, sizeof more,
             "%s evaluate = { prompts = 6; max_new_tokens = 8; decoding = \"sample\"; samples = 2; }; aggregate = "
             "\"params\";",
             brought);
    pr_config_t *c = config("sampled", more);
    neutral_adapters(c);
    json_t *message[] = {evaluate_job(c, 0.5, 0.5, 0, 6), evaluate_job(c, 0, 1, 0, 6), evaluate_job(c, 0, 1, 0, 2),
                         evaluate_job(c, 0, 1, 2, 4)};
    said_t s[4], other;
    for (int i = 0; i < 4; i++)
        evaluate(c, message[i], i < 2 ? 6 : i == 2 ? 2 : 4, &s[i]);
    ck_assert_str_eq(s[0].responses, s[1].responses);
    ck_assert_mem_eq(s[0].scores, s[1].scores, sizeof s[0].scores);
    ck_assert_mem_eq(s[1].scores, s[2].scores, 2 * sizeof s[0].scores[0]);
    ck_assert_mem_eq(s[1].scores[2], s[3].scores, 4 * sizeof s[0].scores[0]);
    c->seed = 8;
    json_t *again = evaluate_job(c, 0, 1, 0, 6);
    ck_assert_str_ne(id_of(again), id_of(message[1]));
    evaluate(c, again, 6, &other);
    ck_assert_str_ne(other.responses, s[1].responses);
    said_clear(&other);
    json_decref(again);
    for (int i = 0; i < 4; i++) {
        said_clear(&s[i]);
        json_decref(message[i]);
    }
    pr_config_free(&c);
}
END_TEST

/* ---- regmean ---- */

/* Adapters that change what is said, as objectives bring them. */
static void strong_adapters(const pr_config_t *c)
{
    pr_model_t *m = NULL;
    pr_error_t err;
    ck_assert_msg(pr_model_load(c->model, &m, &err) == PR_OK, "%s", err.text);
    for (uint64_t i = 0; i < 2; i++) {
        pr_rng_key_t key = pr_rng_key(i, "strong", "");
        pr_adapter_options_t o = {.r = 2, .alpha = 4};
        pr_adapter_t *a = NULL;
        char path[96];
        snprintf(path, sizeof path, "%s/strong%d", dir, (int)i);
        ck_assert_int_eq(pr_mkdirs(path, &err), PR_OK);
        ck_assert_int_eq(pr_adapter_new(&m->config, &o, &key, &a, &err), PR_OK);
        for (size_t j = 0; j < a->n_data; j++)
            a->data[j] = (float)(0.03 * pr_rng_normal(&key, j, 1, 2, 3));
        ck_assert_int_eq(pr_adapter_write(path, a, &m->config, "", &err), PR_OK);
        pr_adapter_free(&a);
    }
    pr_model_free(&m);
}

static pr_config_t *regmean_config(const char *results, const char *adapter, const char *more)
{
    char all[1024];
    snprintf(all, sizeof all,
             "objectives = ( { name = \"brevity\"; adapter = \"%s\"; }, { name = \"distinct\"; n = 2; adapter = "
             "\"strong1\"; } ); %s",
             adapter, more);
    return config(results, all);
}

/* What a merged point says is what its exported adapter says, and not what `params` says. */
START_TEST(regmean_is_its_adapter)
{
    static const char more[] = "aggregate = \"regmean\"; regmean = { prompts = 8; };";
    pr_config_t *c = regmean_config("regmean", "strong0", more);
    strong_adapters(c);
    json_t *message = evaluate_job(c, 0.25, 0.75, 0, 6);
    said_t merged, alone, params;
    evaluate(c, message, 6, &merged);
    pr_adapter_t *a = NULL;
    pr_model_t *m = NULL;
    pr_error_t err;
    char path[96];
    pr_taken_t t;
    pr_take_wish_t wish = {.n_weights = 2, .weights = (double[]){0.25, 0.75}, .mix = &pr_mix_regmean, .seed = 1};
    ck_assert_int_eq(pr_model_load(c->model, &m, &err), PR_OK);
    ck_assert_msg(pr_take(c, &wish, &t, &err) == PR_OK, "%s", err.text);
    ck_assert_msg(pr_taken_adapter(c, &t, &m->config, &a, &err) == PR_OK, "%s", err.text);
    pr_taken_clear(&t);
    snprintf(path, sizeof path, "%s/merged", dir);
    ck_assert_int_eq(pr_mkdirs(path, &err), PR_OK);
    ck_assert_int_eq(pr_adapter_write(path, a, &m->config, "", &err), PR_OK);
    pr_config_t *one = regmean_config("regmean-one", "merged", "aggregate = \"params\";"),
                *sum = regmean_config("regmean-sum", "strong0", "aggregate = \"params\";");
    json_t *corner = evaluate_job(one, 1, 0, 0, 6), *plain = evaluate_job(sum, 0.25, 0.75, 0, 6);
    evaluate(one, corner, 6, &alone);
    evaluate(sum, plain, 6, &params);
    ck_assert_str_eq(merged.responses, alone.responses);
    ck_assert_str_ne(merged.responses, params.responses);
    pr_adapter_free(&a);
    pr_model_free(&m);
    said_clear(&merged);
    said_clear(&alone);
    said_clear(&params);
    json_decref(message);
    json_decref(corner);
    json_decref(plain);
    pr_config_free(&c);
    pr_config_free(&one);
    pr_config_free(&sum);
}
END_TEST

/* The matrices of the adapter of that hash, which is kept. */
static pr_grams_t *grams_of(const pr_job_env_t *env, const char *hash)
{
    for (int i = 0; i < env->n_adapter; i++)
        if (strcmp(env->adapter[i].hash, hash) == 0)
            return env->adapter[i].grams;
    ck_abort_msg("adapter %s is not kept", hash);
    return NULL;
}

/* Matrices that are kept from an earlier point change nothing; corners make none. */
START_TEST(regmean_keeps_matrices)
{
    pr_config_t *c = regmean_config("regmean-kept", "strong0", "aggregate = \"regmean\"; regmean = { prompts = 4; };");
    strong_adapters(c);
    json_t *message[] = {evaluate_job(c, 1, 0, 0, 6), evaluate_job(c, 0.25, 0.75, 0, 6),
                         evaluate_job(c, 0.5, 0.5, 0, 6), evaluate_job(c, 0, 0, 0, 6)};
    pr_inputs_t in;
    pr_error_t err;
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    pr_job_env_t *env = pr_job_env_new(in.content, pr_team_local());
    job_t j = {0};
    pr_job_hooks_t hooks = {cancelled, on_event, &j};
    pr_grams_t *kept = NULL;
    for (int i = 0; i < 4; i++) {
        json_t *result = NULL;
        said_t fresh;
        ck_assert_msg(pr_job_run(env, message[i], &hooks, &result, &err) == PR_OK, "%s", err.text);
        pr_grams_t *now = grams_of(env, in.adapter[0]);
        ck_assert((now != NULL) == (i > 0));
        ck_assert(i < 2 || now == kept);
        kept = now;
        evaluate(c, message[i], 6, &fresh);
        ck_assert(json_equal(json_object_get(result, "mean"), json_object_get(fresh.result, "mean")));
        ck_assert(json_equal(json_object_get(result, "tokens"), json_object_get(fresh.result, "tokens")));
        json_decref(result);
        said_clear(&fresh);
    }
    for (int i = 0; i < 4; i++)
        json_decref(message[i]);
    pr_job_env_free(&env);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

/* The identity of the evaluation at weights 1/4 and w1 (0: of the first adapter alone). */
static void identity_of(const pr_inputs_t *in, double w1, char out[PR_HASH_HEX])
{
    json_t *inputs = evaluate_inputs(in, w1 > 0 ? 0.25 : 1, w1, 0, 6);
    pr_json_hash(inputs, out);
    json_decref(inputs);
}

static void policy_of(const char *more, const char *train, double w1, char out[PR_HASH_HEX])
{
    pr_inputs_t in;
    pr_error_t err;
    pr_config_t *c = regmean_config("identity", "strong0", more);
    strong_adapters(c);
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    if (train[0])
        snprintf(in.train, sizeof in.train, "%s", train); // as if the prompts had that hash
    identity_of(&in, w1, out);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}

/* What regmean.* and the training prompts say is part of what a merged policy is, and of no other. */
START_TEST(regmean_identity)
{
    static const char *const merged[] = {"aggregate = \"regmean\";",
                                         "aggregate = \"regmean\"; regmean = { prompts = 9; };",
                                         "aggregate = \"regmean\"; regmean = { off_diagonal = 0.8; };",
                                         "aggregate = \"regmean\"; regmean = { ridge = 0.1; };"};
    static const char prompts[] = "abcabcabcabcabcabcabcabcabcabcab";
    char first[PR_HASH_HEX], other[PR_HASH_HEX], all[5][PR_HASH_HEX];
    policy_of("aggregate = \"params\";", "", 0.75, first);
    policy_of("aggregate = \"params\"; regmean = { prompts = 9; ridge = 0.1; off_diagonal = 0.8; };", prompts, 0.75,
              other);
    ck_assert_str_eq(first, other);
    for (int i = 0; i < 5; i++) {
        policy_of(merged[i % 4], i == 4 ? prompts : "", 0.75, all[i]);
        ck_assert_str_ne(all[i], first);
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(all[i], all[k]);
    }
    policy_of(merged[0], "", 0, first); // one adapter alone is itself: nothing is measured
    policy_of(merged[0], prompts, 0, other);
    ck_assert_str_eq(first, other);
}
END_TEST

/* Which value is the worst is part of a policy's scores where responses may be given it, and only there. */
START_TEST(worst_identity)
{
    static const char *const truncated[] = {"score", "drop", "worst"};
    for (size_t i = 0; i < 3; i++) {
        char id[2][PR_HASH_HEX], more[64];
        snprintf(more, sizeof more, "truncated = \"%s\";", truncated[i]);
        for (int minimize = 0; minimize < 2; minimize++) {
            pr_inputs_t in;
            pr_error_t err;
            char all[512];
            snprintf(all, sizeof all, "%s %s", brought, more);
            pr_config_t *c = config("worst", all);
            neutral_adapters(c);
            c->objective[1].minimize = minimize;
            ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
            identity_of(&in, 0.75, id[minimize]);
            pr_inputs_clear(&in);
            pr_config_free(&c);
        }
        ck_assert_int_eq(strcmp(id[0], id[1]) != 0, i == 2);
    }
}
END_TEST

/* Responses end at what the task says, or the job is not done: a run that was loaded with other stop texts refuses it.
 */
START_TEST(a_task_of_other_stop_texts)
{
    pr_config_t *c = config("stops", brought);
    pr_inputs_t in;
    pr_error_t err;
    pr_job_hooks_t hooks = {NULL, NULL, NULL};
    json_t *result = NULL;
    neutral_adapters(c);
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    json_t *task = json_deep_copy(pr_content_value(in.content, in.task));
    json_object_set_new(task, "stop", json_pack("[s]", "x"));
    pr_content_add_value(in.content, task, in.task);
    json_t *message = message_of(evaluate_inputs(&in, 1, 0, 0, 2), pr_inputs_how_evaluate(&in), "point");
    pr_job_env_t *env = pr_job_env_new(in.content, pr_team_local());
    ck_assert_int_eq(pr_job_run(env, message, &hooks, &result, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "stop"));
    pr_job_env_free(&env);
    json_decref(message);
    json_decref(task);
    pr_inputs_clear(&in);
    pr_config_free(&c);
}
END_TEST

/* Everything that a point's scores depend on is in its identity; what only says how it is done is not. */
START_TEST(what_is_in_the_identity)
{
    static const struct {
        const char *more;
        bool same;
    } cases[] = {{"evaluate = { prompts = 6; max_new_tokens = 8; streams = 3; };", true},
                 {"threads = 2;", true},
                 {"retries = 5; front_samples = 0;", true},
                 {"evaluate = { prompts = 6; max_new_tokens = 9; };", false},
                 {"stop = ( \"x\" );", false},
                 {"truncated = \"drop\";", false},
                 {"aggregate = \"probs\";", false},
                 {"aggregate = \"states\"; layer = 1;", false},
                 {"evaluate = { prompts = 6; max_new_tokens = 8; decoding = \"sample\"; };", false},
                 {"finetune = { steps = 9; lr = 0.5; };", true}};
    char first[PR_HASH_HEX], other[PR_HASH_HEX];
    for (int i = -1; i < (int)(sizeof cases / sizeof *cases); i++) {
        char all[512];
        pr_inputs_t in;
        pr_error_t err;
        snprintf(all, sizeof all, "%s %s", brought, i < 0 ? "" : cases[i].more);
        pr_config_t *c = config(i < 0 ? "plain" : "varied", all);
        neutral_adapters(c);
        ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
        identity_of(&in, 0.75, i < 0 ? first : other);
        ck_assert_msg(i < 0 || (strcmp(first, other) == 0) == cases[i].same, "%s", cases[i].more);
        pr_inputs_clear(&in);
        pr_config_free(&c);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("evaluate");
    TCase *t = tcase_create("evaluate");
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 240);
    tcase_add_test(t, means_are_those_of_the_prompts);
    tcase_add_test(t, cut_responses);
    tcase_add_test(t, nothing_but_cut_responses);
    tcase_add_test(t, points_share_random_numbers);
    tcase_add_test(t, regmean_is_its_adapter);
    tcase_add_test(t, regmean_keeps_matrices);
    tcase_add_test(t, regmean_identity);
    tcase_add_test(t, worst_identity);
    tcase_add_test(t, what_is_in_the_identity);
    tcase_add_test(t, a_task_of_other_stop_texts);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
