/* The jobs on the small model: fine-tuning that is cut anywhere and goes on, evaluation that keeps its books. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/env.h"
#include "jobs/identity.h"
#include "store/checkpoint.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[64]; // of the test program

static void setup(void)
{
    snprintf(dir, sizeof dir, "%s/pr-jobs-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    pr_log_set_level(PR_LOG_ERROR);
}

static void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

/* The small model with its prompts; experts of 4 steps. */
static pr_config_t *config(const char *results, const char *more)
{
    const char *root = getenv("PARETORANK_SOURCE_DIR");
    pr_buf_t b = {0};
    pr_error_t err;
    pr_config_t *c = NULL;
    char path[64];
    root = root ? root : ".";
    pr_buf_printf(&b, "name = \"jobs\"; seed = 7; results = \"%s/%s\"; model = \"%s/sweeps/counsel/model\";\n", dir,
                  results, root);
    pr_buf_printf(&b,
                  "prompts = { train = \"%s/sweeps/counsel/prompts-train.jsonl\"; eval = "
                  "\"%s/sweeps/counsel/prompts-eval.jsonl\"; };\n",
                  root, root);
    if (!strstr(more, "objectives"))
        pr_buf_puts(&b, "objectives = ( { name = \"brevity\"; }, { name = \"distinct\"; n = 2; } );\n");
    if (!strstr(more, "finetune"))
        pr_buf_puts(&b, "finetune = { steps = 4; prompts_per_step = 3; samples = 2; max_new_tokens = 8; "
                        "checkpoint_every = 1; lr = 0.01; lora = { r = 2; alpha = 8.0; }; };\n");
    if (!strstr(more, "evaluate"))
        pr_buf_puts(&b, "evaluate = { prompts = 6; max_new_tokens = 8; };\n");
    pr_buf_puts(&b, "search = { type = \"grid\"; divisions = 2; };");
    pr_buf_puts(&b, more);
    snprintf(path, sizeof path, "%s", dir);
    pr_buf_t file = {0};
    pr_buf_printf(&file, "%s/sweep.cfg", path);
    ck_assert_msg(pr_config_parse(b.data, file.data, NULL, 0, &c, &err) == PR_OK, "%s", err.text);
    pr_buf_free(&b);
    pr_buf_puts(&b, c->results);
    pr_buf_puts(&b, "/checkpoints");
    ck_assert_int_eq(pr_mkdirs(b.data, &err), PR_OK);
    pr_buf_free(&b);
    pr_buf_free(&file);
    return c;
}

/* One job with what it told and when it is to be cancelled. */
typedef struct job {
    int cancel_at_step; // cancelled when this step has been told; 0: never
    int cancel_at_call; // or when it asked so often
    int calls, steps, first_step;
    double first_reward[2];
    bool idle; // no step learns anything
} job_t;

static bool cancelled(void *self)
{
    job_t *j = self;
    j->calls++;
    return (j->cancel_at_step && j->steps > 0 && j->first_step + j->steps - 1 >= j->cancel_at_step) ||
           (j->cancel_at_call && j->calls >= j->cancel_at_call);
}

static void on_event(void *self, const char *event, const json_t *fields)
{
    job_t *j = self;
    ck_assert_str_eq(event, "step");
    int step = (int)json_integer_value(json_object_get(fields, "step"));
    if (j->steps++ == 0)
        j->first_step = step;
    ck_assert_int_eq(step, j->first_step + j->steps - 1);
    ck_assert_uint_eq(json_array_size(json_object_get(fields, "reward")), 2);
    for (size_t k = 0; k < 2 && j->steps == 1; k++)
        j->first_reward[k] = json_number_value(json_array_get(json_object_get(fields, "reward"), k));
    ck_assert(j->idle ? json_is_null(json_object_get(fields, "grad_norm"))
                      : isfinite(json_number_value(json_object_get(fields, "grad_norm"))));
}

static pr_status_t run(const pr_config_t *c, const json_t *spec, job_t *j, json_t **result, pr_error_t *err)
{
    pr_job_env_t *env = pr_job_env_new(c, pr_team_local());
    pr_job_hooks_t hooks = {cancelled, on_event, j};
    *result = NULL;
    pr_status_t status = pr_job_run(env, spec, &hooks, result, err);
    ck_assert(status != PR_OK || *result != NULL);
    if (status != PR_OK && *result) { // what it generated for nothing
        ck_assert_uint_eq(json_object_size(*result), 1);
        ck_assert_int_gt(json_integer_value(json_object_get(*result, "tokens")), 0);
        json_decref(*result);
        *result = NULL;
    }
    pr_job_env_free(&env);
    return status;
}

static json_t *finetune_spec(const pr_config_t *c, int objective)
{
    pr_inputs_t in;
    pr_error_t err;
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    json_t *spec = pr_finetune_spec(c, &in, objective, 1);
    pr_inputs_clear(&in);
    return spec;
}

static char *checkpoint_of(const pr_config_t *c, const char *kind, const json_t *spec)
{
    pr_buf_t b = {0};
    pr_buf_printf(&b, "%s/checkpoints/%s-%s.ckpt", c->results, kind, json_string_value(json_object_get(spec, "id")));
    return b.data;
}

static void expert_hash(const pr_config_t *c, int objective, char out[PR_HASH_HEX])
{
    pr_error_t err;
    char *expert = pr_expert_dir(c, c->results, objective, 1);
    ck_assert_msg(pr_adapter_hash(expert, out, &err) == PR_OK, "%s", err.text);
    free(expert);
}

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

/* ---- evaluation ---- */

/* Two adapters that change nothing (B is zero), as objectives bring them. */
static void neutral_adapters(const pr_config_t *c)
{
    pr_model_t *m = NULL;
    pr_error_t err;
    ck_assert_msg(pr_model_load(c->model, &m, &err) == PR_OK, "%s", err.text);
    for (int i = 0; i < 2; i++) {
        pr_rng_key_t key = pr_rng_key((uint64_t)i, "neutral", "");
        pr_adapter_options_t o = {.r = 2, .alpha = 4};
        pr_adapter_t *a = NULL;
        char path[96];
        snprintf(path, sizeof path, "%s/neutral%d", dir, i);
        ck_assert_int_eq(pr_mkdirs(path, &err), PR_OK);
        ck_assert_int_eq(pr_adapter_new(&m->config, &o, &key, &a, &err), PR_OK);
        ck_assert_int_eq(pr_adapter_write(path, a, &m->config, "", &err), PR_OK);
        pr_adapter_free(&a);
    }
    pr_model_free(&m);
}

static const char brought[] =
    "objectives = ( { name = \"brevity\"; adapter = \"neutral0\"; }, { name = \"distinct\"; n = "
    "2; adapter = \"neutral1\"; } );";

/* The job of a point given as text, such as "1/2,1/2", with weights w. */
static json_t *evaluate_spec(const pr_config_t *c, const char *point, double w0, double w1, int first, int count)
{
    pr_inputs_t in;
    pr_error_t err;
    char policy[PR_HASH_HEX], id[PR_HASH_HEX];
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    pr_policy_identity(c, &in, &c->search[0], policy);
    pr_evaluate_key_t key = {.policy = policy, .point = point, .first = first, .count = count};
    key.expert[0] = w0 > 0 ? in.adapter[0] : NULL;
    key.expert[1] = w1 > 0 ? in.adapter[1] : NULL;
    pr_evaluate_identity(&key, id);
    json_t *spec = pr_evaluate_spec(&c->search[0], 1, &key, id);
    json_object_set_new(spec, "weights", json_pack("[f,f]", w0, w1));
    json_object_set_new(spec, "expert_hash", json_pack("[s,s]", in.adapter[0], in.adapter[1]));
    pr_inputs_clear(&in);
    return spec;
}

typedef struct said {
    double scores[6][2];
    char *responses; // JSON
    char finish[6];  // first letters
    json_t *result;
} said_t;

static void evaluate(const pr_config_t *c, const json_t *spec, int count, said_t *out)
{
    pr_error_t err;
    pr_checkpoint_t k = {0};
    const void *scores;
    job_t j = {0};
    ck_assert_msg(run(c, spec, &j, &out->result, &err) == PR_OK, "%s", err.text);
    char *path = checkpoint_of(c, "evaluate", spec);
    ck_assert_msg(pr_checkpoint_read(path, "evaluate", &k, &err) == PR_OK, "%s", err.text);
    ck_assert_int_eq(pr_checkpoint_section(&k, path, "scores", sizeof(double), (size_t)count * 2, &scores, &err),
                     PR_OK);
    memcpy(out->scores, scores, (size_t)count * sizeof out->scores[0]);
    out->responses = NULL;
    for (size_t i = 0; i < k.n; i++) {
        if (strcmp(k.section[i].name, "responses") == 0)
            out->responses = pr_strndup(k.section[i].data, k.section[i].count);
        if (strcmp(k.section[i].name, "finish") == 0)
            memcpy(out->finish, k.section[i].data, (size_t)count);
    }
    ck_assert_ptr_nonnull(out->responses);
    pr_checkpoint_clear(&k);
    free(path);
}

static void said_clear(said_t *s)
{
    json_decref(s->result);
    free(s->responses);
}

START_TEST(means_are_those_of_the_prompts)
{
    char more[1024];
    snprintf(more, sizeof more, "%s stop = ( \"\\n\" ); evaluate = { prompts = 6; max_new_tokens = 40; };", brought);
    pr_config_t *c = config("means", more);
    neutral_adapters(c);
    json_t *spec = evaluate_spec(c, "1/2,1/2", 0.5, 0.5, 0, 6);
    said_t s;
    evaluate(c, spec, 6, &s);
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
    json_decref(spec);
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
        json_t *spec = evaluate_spec(c, "1/2,1/2", 0.5, 0.5, 0, 6);
        evaluate(c, spec, 6, &s[i]);
        json_decref(spec);
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
    json_t *spec = evaluate_spec(c, "1/2,1/2", 0.5, 0.5, 0, 6);
    ck_assert_int_eq(run(c, spec, &j, &result, &err), PR_ERR_SCORER);
    ck_assert_ptr_nonnull(strstr(err.text, "every response was cut"));
    json_decref(spec);
    pr_config_free(&c);

    c = config("still",
               "truncated = \"drop\"; finetune = { steps = 2; prompts_per_step = 3; samples = 2; max_new_tokens "
               "= 1; lr = 0.5; lora = { r = 2; }; };");
    spec = finetune_spec(c, 0);
    j = (job_t){.idle = true};
    ck_assert_msg(run(c, spec, &j, &result, &err) == PR_OK, "%s", err.text);
    ck_assert_int_eq(json_integer_value(json_object_get(result, "taught")), 0);
    pr_model_config_t m;
    pr_adapter_t *a = NULL;
    char *expert = pr_expert_dir(c, c->results, 0, 1);
    ck_assert_int_eq(pr_model_config_read(c->model, &m, &err), PR_OK);
    ck_assert_int_eq(pr_adapter_read(expert, &m, &a, &err), PR_OK);
    for (int i = 0; i < a->n_layer * PR_N_SLOT; i++)
        for (int x = 0; x < a->lora[i].r; x++)
            ck_assert(a->lora[i].b[x] == 0);
    pr_adapter_free(&a);
    pr_model_config_clear(&m);
    free(expert);
    json_decref(result);
    json_decref(spec);
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
    json_t *spec[] = {evaluate_spec(c, "1/2,1/2", 0.5, 0.5, 0, 6), evaluate_spec(c, "0,1", 0, 1, 0, 6),
                      evaluate_spec(c, "0,1", 0, 1, 0, 2), evaluate_spec(c, "0,1", 0, 1, 2, 4)};
    said_t s[4], other;
    for (int i = 0; i < 4; i++)
        evaluate(c, spec[i], i < 2 ? 6 : i == 2 ? 2 : 4, &s[i]);
    ck_assert_str_eq(s[0].responses, s[1].responses);
    ck_assert_mem_eq(s[0].scores, s[1].scores, sizeof s[0].scores);
    ck_assert_mem_eq(s[1].scores, s[2].scores, 2 * sizeof s[0].scores[0]);
    ck_assert_mem_eq(s[1].scores[2], s[3].scores, 4 * sizeof s[0].scores[0]);
    c->seed = 8;
    json_t *again = evaluate_spec(c, "0,1", 0, 1, 0, 6);
    ck_assert_str_ne(json_string_value(json_object_get(again, "id")),
                     json_string_value(json_object_get(spec[1], "id")));
    evaluate(c, again, 6, &other);
    ck_assert_str_ne(other.responses, s[1].responses);
    said_clear(&other);
    json_decref(again);
    for (int i = 0; i < 4; i++) {
        said_clear(&s[i]);
        json_decref(spec[i]);
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
    json_t *spec = evaluate_spec(c, "1/4,3/4", 0.25, 0.75, 0, 6);
    said_t merged, alone, params;
    evaluate(c, spec, 6, &merged);
    pr_adapter_t *a = NULL;
    pr_model_t *m = NULL;
    pr_error_t err;
    char path[96];
    pr_job_env_t *env = pr_job_env_new(c, pr_team_local());
    ck_assert_msg(pr_job_regmean(env, 1, (double[]){0.25, 0.75}, &a, &err) == PR_OK, "%s", err.text);
    ck_assert_int_eq(pr_model_load(c->model, &m, &err), PR_OK);
    snprintf(path, sizeof path, "%s/merged", dir);
    ck_assert_int_eq(pr_mkdirs(path, &err), PR_OK);
    ck_assert_int_eq(pr_adapter_write(path, a, &m->config, "", &err), PR_OK);
    pr_config_t *one = regmean_config("regmean-one", "merged", "aggregate = \"params\";"),
                *sum = regmean_config("regmean-sum", "strong0", "aggregate = \"params\";");
    json_t *corner = evaluate_spec(one, "1,0", 1, 0, 0, 6), *plain = evaluate_spec(sum, "1/4,3/4", 0.25, 0.75, 0, 6);
    evaluate(one, corner, 6, &alone);
    evaluate(sum, plain, 6, &params);
    ck_assert_str_eq(merged.responses, alone.responses);
    ck_assert_str_ne(merged.responses, params.responses);
    pr_adapter_free(&a);
    pr_model_free(&m);
    pr_job_env_free(&env);
    said_clear(&merged);
    said_clear(&alone);
    said_clear(&params);
    json_decref(spec);
    json_decref(corner);
    json_decref(plain);
    pr_config_free(&c);
    pr_config_free(&one);
    pr_config_free(&sum);
}
END_TEST

/* Matrices that are kept from an earlier point change nothing; corners make none. */
START_TEST(regmean_keeps_matrices)
{
    pr_config_t *c = regmean_config("regmean-kept", "strong0", "aggregate = \"regmean\"; regmean = { prompts = 4; };");
    strong_adapters(c);
    json_t *spec[] = {evaluate_spec(c, "1,0", 1, 0, 0, 6), evaluate_spec(c, "1/4,3/4", 0.25, 0.75, 0, 6),
                      evaluate_spec(c, "1/2,1/2", 0.5, 0.5, 0, 6), evaluate_spec(c, "0,0", 0, 0, 0, 6)};
    pr_job_env_t *env = pr_job_env_new(c, pr_team_local());
    job_t j = {0};
    pr_job_hooks_t hooks = {cancelled, on_event, &j};
    pr_grams_t *kept = NULL;
    for (int i = 0; i < 4; i++) {
        json_t *result = NULL;
        pr_error_t err;
        said_t fresh;
        ck_assert_msg(pr_job_run(env, spec[i], &hooks, &result, &err) == PR_OK, "%s", err.text);
        ck_assert((env->expert[0].grams != NULL) == (i > 0));
        ck_assert(i < 2 || env->expert[0].grams == kept);
        kept = env->expert[0].grams;
        evaluate(c, spec[i], 6, &fresh);
        ck_assert(json_equal(json_object_get(result, "mean"), json_object_get(fresh.result, "mean")));
        ck_assert(json_equal(json_object_get(result, "tokens"), json_object_get(fresh.result, "tokens")));
        json_decref(result);
        said_clear(&fresh);
    }
    for (int i = 0; i < 4; i++)
        json_decref(spec[i]);
    pr_job_env_free(&env);
    pr_config_free(&c);
}
END_TEST

static void policy_of(const char *more, const char *train, char out[PR_HASH_HEX])
{
    pr_inputs_t in;
    pr_error_t err;
    pr_config_t *c = regmean_config("identity", "strong0", more);
    strong_adapters(c);
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    snprintf(in.train, sizeof in.train, "%s", train); // as if the prompts had that hash
    pr_policy_identity(c, &in, &c->search[0], out);
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
    char first[PR_HASH_HEX], other[PR_HASH_HEX], all[5][PR_HASH_HEX];
    policy_of("aggregate = \"params\";", "", first);
    policy_of("aggregate = \"params\"; regmean = { prompts = 9; ridge = 0.1; off_diagonal = 0.8; };", "abc", other);
    ck_assert_str_eq(first, other);
    for (int i = 0; i < 5; i++) {
        policy_of(merged[i % 4], i == 4 ? "abc" : "", all[i]);
        ck_assert_str_ne(all[i], first);
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(all[i], all[k]);
    }
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
            pr_config_t *c = config("worst", more);
            c->objective[1].minimize = minimize;
            ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
            pr_policy_identity(c, &in, &c->search[0], id[minimize]);
            pr_inputs_clear(&in);
            pr_config_free(&c);
        }
        ck_assert_int_eq(strcmp(id[0], id[1]) != 0, i == 2);
    }
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
    tcase_add_test(t, means_are_those_of_the_prompts);
    tcase_add_test(t, cut_responses);
    tcase_add_test(t, nothing_but_cut_responses);
    tcase_add_test(t, points_share_random_numbers);
    tcase_add_test(t, regmean_is_its_adapter);
    tcase_add_test(t, regmean_keeps_matrices);
    tcase_add_test(t, regmean_identity);
    tcase_add_test(t, worst_identity);
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
