/* Jobs on the small model: a configuration in a folder of its own, one job run, and what an evaluation kept. */
#ifndef PR_TESTS_JOBS_PLAY_H
#define PR_TESTS_JOBS_PLAY_H

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

static inline void setup(void)
{
    snprintf(dir, sizeof dir, "%s/pr-jobs-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    pr_log_set_level(PR_LOG_ERROR);
}

static inline void teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ck_assert_int_eq(system(command), 0);
}

/* The small model with its prompts; experts of 4 steps. */
static inline pr_config_t *config(const char *results, const char *more)
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

static inline bool cancelled(void *self)
{
    job_t *j = self;
    j->calls++;
    return (j->cancel_at_step && j->steps > 0 && j->first_step + j->steps - 1 >= j->cancel_at_step) ||
           (j->cancel_at_call && j->calls >= j->cancel_at_call);
}

static inline void on_event(void *self, const char *event, const json_t *fields)
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

static inline pr_status_t run(const pr_config_t *c, const json_t *spec, job_t *j, json_t **result, pr_error_t *err)
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

static inline json_t *finetune_spec(const pr_config_t *c, int objective)
{
    pr_inputs_t in;
    pr_error_t err;
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    json_t *spec = pr_finetune_spec(c, &in, objective, 1);
    pr_inputs_clear(&in);
    return spec;
}

static inline char *checkpoint_of(const pr_config_t *c, const char *kind, const json_t *spec)
{
    pr_buf_t b = {0};
    pr_buf_printf(&b, "%s/checkpoints/%s-%s.ckpt", c->results, kind, json_string_value(json_object_get(spec, "id")));
    return b.data;
}

static inline void expert_hash(const pr_config_t *c, int objective, char out[PR_HASH_HEX])
{
    pr_error_t err;
    char *expert = pr_expert_dir(c, c->results, objective, 1);
    ck_assert_msg(pr_adapter_hash(expert, out, &err) == PR_OK, "%s", err.text);
    free(expert);
}

/* Two adapters that change nothing (B is zero), as objectives bring them. */
static inline void neutral_adapters(const pr_config_t *c)
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
static inline json_t *evaluate_spec(const pr_config_t *c, const char *point, double w0, double w1, int first, int count)
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

static inline void evaluate(const pr_config_t *c, const json_t *spec, int count, said_t *out)
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

static inline void said_clear(said_t *s)
{
    json_decref(s->result);
    free(s->responses);
}

#endif
