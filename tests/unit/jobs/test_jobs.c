/* Fine-tune jobs on the small model, cut anywhere and going on; and jobs that cannot be done. */
#include "unit/jobs/jobs_play.h"

/* ---- fine-tuning ---- */

/* The expert of an undisturbed run. */
static void undisturbed(const char *results, char hash[PR_HASH_HEX])
{
    pr_config_t *c = config(results, "");
    json_t *spec = finetune_spec(c, 0), *result;
    pr_error_t err;
    job_t j = {0};
    ck_assert_msg(run(c, spec, &j, &result, &err) == PR_OK, "%s", err.text);
    ck_assert(j.steps == 4 && j.first_step == 1);
    expert_hash(c, 0, hash);
    ck_assert_str_eq(json_string_value(json_object_get(result, "expert")), hash);
    ck_assert_int_eq(json_integer_value(json_object_get(result, "steps")), 4);
    ck_assert_int_gt(json_integer_value(json_object_get(result, "taught")), 0);
    ck_assert_int_gt(json_integer_value(json_object_get(result, "tokens")), 20);
    json_decref(result);
    json_decref(spec);
    pr_config_free(&c);
}

static void check_resumed(const pr_config_t *c, const json_t *spec, const char *hash, int first_step)
{
    json_t *result;
    pr_error_t err;
    char found[PR_HASH_HEX];
    job_t j = {0};
    ck_assert_msg(run(c, spec, &j, &result, &err) == PR_OK, "%s", err.text);
    ck_assert_int_eq(j.first_step, first_step);
    expert_hash(c, 0, found);
    ck_assert_str_eq(found, hash);
    json_decref(result);
}

START_TEST(resume_at_any_step)
{
    char hash[PR_HASH_HEX];
    undisturbed("whole", hash);
    for (int step = 1; step <= 3; step++) {
        char results[32];
        json_t *result;
        pr_error_t err;
        snprintf(results, sizeof results, "cut%d", step);
        pr_config_t *c = config(results, "");
        json_t *spec = finetune_spec(c, 0);
        job_t j = {.cancel_at_step = step};
        ck_assert_int_eq(run(c, spec, &j, &result, &err), PR_ERR_INTERRUPTED);
        ck_assert_int_eq(j.steps, step);
        check_resumed(c, spec, hash, step + 1);
        json_decref(spec);
        pr_config_free(&c);
    }
}
END_TEST

/* One step with another setting, objective or seed: the rewards of its roll-outs, which are the base model's, and the
 * beginning of the first adapter matrix, which a first step leaves as it was. */
typedef struct beginning {
    double reward[2];
    float a[8];
} beginning_t;

static beginning_t begin(int number, const char *finetune, int objective, int64_t seed)
{
    char results[32], more[256];
    json_t *result;
    pr_error_t err;
    pr_inputs_t in;
    pr_adapter_t *adapter;
    job_t j = {0};
    snprintf(results, sizeof results, "begin%d", number);
    snprintf(more, sizeof more, "finetune = { steps = 1; samples = 2; max_new_tokens = 8; %s };", finetune);
    pr_config_t *c = config(results, more);
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    json_t *spec = pr_finetune_spec(c, &in, objective, seed);
    ck_assert_msg(run(c, spec, &j, &result, &err) == PR_OK, "%s", err.text);
    char *expert = pr_expert_dir(c, c->results, objective, seed);
    pr_model_config_t m;
    ck_assert_int_eq(pr_model_config_read(c->model, &m, &err), PR_OK);
    ck_assert_msg(pr_adapter_read(expert, &m, &adapter, &err) == PR_OK, "%s", err.text);
    beginning_t b = {.reward = {j.first_reward[0], j.first_reward[1]}};
    memcpy(b.a, adapter->data, sizeof b.a);
    pr_adapter_free(&adapter);
    pr_model_config_clear(&m);
    free(expert);
    json_decref(result);
    json_decref(spec);
    pr_inputs_clear(&in);
    pr_config_free(&c);
    return b;
}

/* Whatever is compared is compared on the same random numbers: no objective and no setting is in their keys. */
START_TEST(common_random_numbers)
{
    static const char plain[] = "prompts_per_step = 3; lora = { r = 2; };";
    beginning_t first = begin(0, plain, 0, 1);
    struct {
        const char *finetune;
        int objective;
    } same[] = {{plain, 1},
                {"prompts_per_step = 3; lr = 0.5; lora = { r = 2; };", 0},
                {"prompts_per_step = 3; method = \"grpo\"; kl = 0.5; beta1 = 0.9001; lora = { r = 2; };", 0},
                {"prompts_per_step = 3; micro_tokens = 64; lora = { r = 2; };", 0},
                {"prompts_per_step = 3; lora = { r = 5; alpha = 3.0; };", 0}};
    for (int i = 0; i < (int)(sizeof same / sizeof *same); i++) {
        beginning_t b = begin(1 + i, same[i].finetune, same[i].objective, 1);
        ck_assert_msg(memcmp(b.reward, first.reward, sizeof b.reward) == 0, "%d: %.17g %.17g", i, b.reward[0],
                      first.reward[0]);
        ck_assert_msg(memcmp(b.a, first.a, sizeof b.a) == 0, "%d", i);
    }
    beginning_t other = begin(9, plain, 0, 2);
    ck_assert(memcmp(other.a, first.a, sizeof other.a) != 0);
    ck_assert(memcmp(other.reward, first.reward, sizeof other.reward) != 0);
}
END_TEST

/* Cut in the middle of a step, which then leaves no trace. */
START_TEST(resume_within_a_step)
{
    char hash[PR_HASH_HEX];
    undisturbed("whole-2", hash);
    static const int calls[] = {1, 2, 5, 14, 23};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char results[32];
        json_t *result;
        pr_error_t err;
        snprintf(results, sizeof results, "within%d", calls[i]);
        pr_config_t *c = config(results, "");
        json_t *spec = finetune_spec(c, 0);
        job_t j = {.cancel_at_call = calls[i]};
        ck_assert_int_eq(run(c, spec, &j, &result, &err), PR_ERR_INTERRUPTED);
        check_resumed(c, spec, hash, j.steps + 1);
        json_decref(spec);
        pr_config_free(&c);
    }
}
END_TEST

/* A checkpoint that cannot be used is told of; the job starts again and ends the same. */
START_TEST(a_damaged_checkpoint)
{
    char hash[PR_HASH_HEX];
    undisturbed("whole-3", hash);
    for (int how = 0; how < 3; how++) {
        char results[32], *bytes;
        size_t n;
        json_t *result;
        pr_error_t err;
        snprintf(results, sizeof results, "damaged%d", how);
        pr_config_t *c = config(results, "");
        json_t *spec = finetune_spec(c, 0), *other = finetune_spec(c, 1);
        job_t j = {.cancel_at_step = 2};
        ck_assert_int_eq(run(c, how == 2 ? other : spec, &j, &result, &err), PR_ERR_INTERRUPTED);
        char *path = checkpoint_of(c, "finetune", spec), *from = checkpoint_of(c, "finetune", how == 2 ? other : spec);
        ck_assert_int_eq(pr_file_read(from, 0, &bytes, &n, &err), PR_OK);
        bytes[n / 2] = (char)(bytes[n / 2] ^ (how == 0)); // one bit; a part; another job's
        ck_assert_int_eq(pr_file_write(path, bytes, how == 1 ? n - 100 : n, &err), PR_OK);
        check_resumed(c, spec, hash, 1);
        free(bytes);
        free(path);
        free(from);
        json_decref(spec);
        json_decref(other);
        pr_config_free(&c);
    }
}
END_TEST

/* A run that diverges fails as numeric and leaves no expert behind. */
START_TEST(numbers_that_explode)
{
    pr_config_t *c =
        config("explodes", "finetune = { steps = 6; prompts_per_step = 2; samples = 2; max_new_tokens = 4; "
                           "clip_norm = 0.0; };");
    c->finetune.lr = 1e30; // more than a file may say
    json_t *spec = finetune_spec(c, 0), *result;
    pr_error_t err;
    job_t j = {0};
    char *expert = pr_expert_dir(c, c->results, 0, 1);
    ck_assert_int_eq(run(c, spec, &j, &result, &err), PR_ERR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(err.text, "step"));
    ck_assert(!pr_dir_exists(expert));
    free(expert);
    json_decref(spec);
    pr_config_free(&c);
}
END_TEST

/* The same objective, maximised and minimised, has experts that differ, by jobs that differ. */
START_TEST(towards_less)
{
    pr_config_t *up = config("up", ""),
                *down =
                    config("down", "objectives = ( { name = \"brevity\"; minimize = true; }, { name = \"distinct\"; n "
                                   "= 2; } );");
    json_t *a = finetune_spec(up, 0), *b = finetune_spec(down, 0), *result;
    pr_error_t err;
    char x[PR_HASH_HEX], y[PR_HASH_HEX];
    job_t j = {0}, k = {0};
    ck_assert_str_ne(json_string_value(json_object_get(a, "id")), json_string_value(json_object_get(b, "id")));
    ck_assert_int_eq(run(up, a, &j, &result, &err), PR_OK);
    json_decref(result);
    ck_assert_int_eq(run(down, b, &k, &result, &err), PR_OK);
    json_decref(result);
    expert_hash(up, 0, x);
    expert_hash(down, 0, y);
    ck_assert_str_ne(x, y);
    json_decref(a);
    json_decref(b);
    pr_config_free(&up);
    pr_config_free(&down);
}
END_TEST

/* ---- failures ---- */

START_TEST(cancelled_evaluation)
{
    pr_config_t *c = config("cancelled", brought);
    neutral_adapters(c);
    json_t *spec = evaluate_spec(c, "1,0", 1, 0, 0, 6), *result;
    pr_error_t err;
    job_t j = {.cancel_at_call = 3};
    ck_assert_int_eq(run(c, spec, &j, &result, &err), PR_ERR_INTERRUPTED);
    char *path = checkpoint_of(c, "evaluate", spec);
    ck_assert(!pr_file_exists(path));
    free(path);
    json_decref(spec);
    pr_config_free(&c);
}
END_TEST

START_TEST(jobs_that_cannot_be_done)
{
    pr_config_t *c = config("cannot", brought);
    neutral_adapters(c);
    json_t *result, *spec = evaluate_spec(c, "1,0", 1, 0, 0, 6);
    pr_error_t err;
    job_t j = {0};
    json_object_set_new(spec, "count", json_integer(100000));
    ck_assert_int_eq(run(c, spec, &j, &result, &err), PR_ERR_CONFIG);
    json_object_set_new(spec, "count", json_integer(6));
    json_object_set_new(spec, "first", json_integer(-1));
    ck_assert_int_eq(run(c, spec, &j, &result, &err), PR_ERR_CONFIG);
    json_object_set_new(spec, "first", json_integer(0));
    json_object_set_new(spec, "kind", json_string("dance"));
    ck_assert_int_eq(run(c, spec, &j, &result, &err), PR_ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "dance"));
    json_object_set_new(spec, "kind", json_string("evaluate"));
    json_object_set_new(spec, "expert_hash", json_pack("[s,s]", "0123", "4567"));
    ck_assert_int_eq(run(c, spec, &j, &result, &err), PR_ERR_FORMAT); // the adapter is not what it was
    ck_assert_ptr_nonnull(strstr(err.text, "neutral0"));
    json_decref(spec);
    pr_config_free(&c);
}
END_TEST

/* A given adapter that is broken is found before the first job. */
START_TEST(broken_adapters_are_found_early)
{
    pr_config_t *c = config("broken", brought);
    pr_error_t err;
    char path[128];
    neutral_adapters(c);
    snprintf(path, sizeof path, "%s/neutral1/adapter_model.safetensors", dir);
    ck_assert_int_eq(truncate(path, 1000), 0);
    pr_job_env_t *env = pr_job_env_new(c, pr_team_local());
    ck_assert_int_eq(pr_job_env_load(env, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "neutral1"));
    ck_assert_int_eq(pr_job_env_load(env, &err), PR_ERR_FORMAT); // and again, without a leak
    pr_job_env_free(&env);
    pr_config_free(&c);
}
END_TEST

START_TEST(scorers_that_crash)
{
    pr_config_t *c =
        config("crash", "objectives = ( { name = \"brevity\"; adapter = \"neutral0\"; }, { name = \"bad\"; "
                        "type = \"command\"; command = \"exit 3\"; adapter = \"neutral1\"; } );");
    neutral_adapters(c);
    json_t *spec = evaluate_spec(c, "1,0", 1, 0, 0, 6), *result;
    pr_error_t err;
    job_t j = {0};
    ck_assert_int_eq(run(c, spec, &j, &result, &err), PR_ERR_SCORER);
    ck_assert_ptr_nonnull(strstr(err.text, "bad"));
    char *path = checkpoint_of(c, "evaluate", spec);
    ck_assert(!pr_file_exists(path));
    free(path);
    json_decref(spec);
    pr_config_free(&c);
}
END_TEST

START_TEST(prompts_that_are_too_long)
{
    pr_config_t *c = config("long", "evaluate = { max_new_tokens = 500; };");
    pr_error_t err;
    pr_job_env_t *env = pr_job_env_new(c, pr_team_local());
    ck_assert_int_eq(pr_job_env_load(env, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "prompts-eval.jsonl: prompt 1: found"));
    pr_job_env_free(&env);
    pr_config_free(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("jobs");
    TCase *t = tcase_create("jobs");
    tcase_add_unchecked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 240);
    tcase_add_test(t, resume_at_any_step);
    tcase_add_test(t, common_random_numbers);
    tcase_add_test(t, resume_within_a_step);
    tcase_add_test(t, a_damaged_checkpoint);
    tcase_add_test(t, numbers_that_explode);
    tcase_add_test(t, towards_less);
    tcase_add_test(t, cancelled_evaluation);
    tcase_add_test(t, jobs_that_cannot_be_done);
    tcase_add_test(t, broken_adapters_are_found_early);
    tcase_add_test(t, scorers_that_crash);
    tcase_add_test(t, prompts_that_are_too_long);
    suite_add_tcase(suite, t);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
