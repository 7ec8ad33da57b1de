// SPDX-License-Identifier: BSD-3-Clause
/* Jobs on the small model: a configuration in a folder of its own, one job run, and what an evaluation kept. */
#ifndef PR_TESTS_JOBS_PLAY_H
#define PR_TESTS_JOBS_PLAY_H

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/artifact.h"
#include "jobs/env.h"
#include "jobs/kind.h"
#include "store/checkpoint.h"
#include "store/layout.h"
#include "store/segment.h"
#include "sweeps/inputs.h"
#include "unit/jobs/in_dir.h"
#include "unit/jobs/job_messages.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    char path[96];
    root = root ? root : ".";
    pr_buf_printf(&b, "name = \"jobs\"; seed = 7; results = \"%s/%s\";\n", dir, results);
    if (!strstr(more, "model = "))
        pr_buf_printf(&b, "model = \"%s/sweeps/counsel/model\";\n", root);
    if (!strstr(more, "prompts = {"))
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
    snprintf(path, sizeof path, "%.60s/sweep.cfg", dir);
    ck_assert_msg(pr_config_parse(b.data, path, NULL, 0, &c, &err) == PR_OK, "%s", err.text);
    pr_buf_free(&b);
    char *checkpoints = pr_results_path(c->results, PR_FOLDER_CHECKPOINTS);
    ck_assert_int_eq(pr_mkdirs(checkpoints, &err), PR_OK);
    free(checkpoints);
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
    ck_assert(json_is_string(json_object_get(fields, "job")) && json_is_integer(json_object_get(fields, "steps")));
    int step = (int)json_integer_value(json_object_get(fields, "step"));
    if (j->steps++ == 0)
        j->first_step = step;
    ck_assert_int_eq(step, j->first_step + j->steps - 1);
    ck_assert_uint_eq(json_array_size(json_object_get(fields, "reward")), 2);
    for (size_t k = 0; k < 2 && j->steps == 1; k++)
        j->first_reward[k] = json_number_value(json_array_get(json_object_get(fields, "reward"), k));
    const json_t *climbed = json_object_get(fields, "climbed");
    ck_assert(j->idle ? json_is_null(climbed) : isfinite(json_number_value(climbed)));
    ck_assert(j->idle ? json_is_null(json_object_get(fields, "grad_norm"))
                      : isfinite(json_number_value(json_object_get(fields, "grad_norm"))));
}

/* One job on an environment of its own, which has what the configuration names. */
static inline pr_status_t run(const pr_config_t *c, const json_t *message, job_t *j, json_t **result, pr_error_t *err)
{
    pr_inputs_t in;
    ck_assert_msg(pr_inputs_read(c, &in, err) == PR_OK, "%s", err->text);
    pr_job_env_t *env = pr_job_env_new(in.content, pr_team_local());
    pr_job_hooks_t hooks = {cancelled, on_event, j};
    *result = NULL;
    pr_status_t status = pr_job_run(env, message, &hooks, result, err);
    ck_assert(status != PR_OK || *result != NULL);
    if (status == PR_OK) {
        ck_assert(json_is_integer(json_object_get(*result, "tokens")));
        ck_assert(json_number_value(json_object_get(*result, "seconds")) > 0);
        const char *kind = json_string_value(json_object_get(message, "kind"));
        ck_assert(pr_job_kind(kind)->is_result(*result));
    }
    if (status != PR_OK && *result) { // what it generated for nothing
        ck_assert_uint_eq(json_object_size(*result), 1);
        ck_assert_int_gt(json_integer_value(json_object_get(*result, "tokens")), 0);
        json_decref(*result);
        *result = NULL;
    }
    pr_job_env_free(&env);
    pr_inputs_clear(&in);
    return status;
}

/* The same job but for one of its inputs, whose reference it takes. */
static inline json_t *with_input(const json_t *message, const char *key, json_t *value)
{
    json_t *inputs = json_deep_copy(json_object_get(message, "inputs"));
    json_object_set_new(inputs, key, value);
    return message_of(inputs, json_deep_copy(json_object_get(message, "how")),
                      json_string_value(json_object_get(message, "label")));
}

/* The training towards one objective alone. */
static inline json_t *train_job(const pr_config_t *c, int objective, int64_t seed)
{
    pr_inputs_t in;
    pr_error_t err;
    pr_training_wish_t wish = {.w = {0}};
    wish.w[objective] = 1;
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    char *label = pr_training_label(c, NULL, &wish, seed);
    json_t *message =
        message_of(pr_inputs_train(&in, &c->finetune, &wish, seed), pr_inputs_how_train(&in, &c->finetune), label);
    free(label);
    pr_inputs_clear(&in);
    return message;
}

static inline char *adapter_of(const pr_config_t *c, const json_t *message)
{
    return pr_artifact_path(c->results, PR_ARTIFACT_ADAPTER, id_of(message));
}

static inline void adapter_hash(const pr_config_t *c, const json_t *message, char out[PR_HASH_HEX])
{
    pr_error_t err;
    char *adapter = adapter_of(c, message);
    ck_assert_msg(pr_adapter_hash(adapter, out, &err) == PR_OK, "%s", err.text);
    free(adapter);
}

/* What a training's checkpoint is named by: at a constant rate it does not depend on when the training is to end. */
static inline char *train_checkpoint(const pr_config_t *c, const json_t *message)
{
    char id[PR_HASH_HEX];
    json_t *inputs = json_deep_copy(json_object_get(message, "inputs")), *train = json_object_get(inputs, "train");
    ck_assert(json_is_integer(json_object_get(train, "steps")));
    if (strcmp(json_string_value(json_object_get(train, "schedule")), "constant") == 0)
        json_object_del(train, "steps");
    pr_json_hash(inputs, id);
    json_decref(inputs);
    return pr_checkpoint_path(c->results, "train", id);
}

/* What an evaluation wrote, where its result says. Caller clears. */
static inline void read_evaluation(const pr_config_t *c, const json_t *message, const json_t *result, pr_record_t *out)
{
    pr_error_t err;
    pr_segment_place_t place;
    char *folder = pr_results_path(c->results, PR_FOLDER_EVALUATIONS);
    ck_assert_msg(pr_segment_place_parse(json_object_get(result, "place"), "place", &place, &err) == PR_OK, "%s",
                  err.text);
    ck_assert_msg(pr_segment_read(folder, &place, id_of(message), "evaluate", out, &err) == PR_OK, "%s", err.text);
    free(folder);
}

static inline pr_status_t any_record(void *self, const char *id, const char *kind, const json_t *meta,
                                     const pr_segment_place_t *place, pr_error_t *err)
{
    (void)self, (void)id, (void)kind, (void)meta, (void)place, (void)err;
    return PR_OK;
}

/* Records that evaluations have written. */
static inline size_t count_evaluations(const pr_config_t *c)
{
    pr_error_t err;
    pr_segment_stats_t stats;
    char *folder = pr_results_path(c->results, PR_FOLDER_EVALUATIONS);
    ck_assert_msg(pr_segment_scan(folder, any_record, NULL, &stats, &err) == PR_OK, "%s", err.text);
    free(folder);
    return stats.records;
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

/* The policy of two adapters that objectives bring, by the configuration's first search. */
static inline json_t *evaluate_inputs(const pr_inputs_t *in, double w0, double w1, int first, int count)
{
    pr_policy_spec_t policy = {.mix = in->policy[0].mix, .options = in->policy[0].mix_options};
    if (w0 > 0)
        pr_policy_add(&policy, false, in->adapter[0], w0);
    if (w1 > 0)
        pr_policy_add(&policy, false, in->adapter[1], w1);
    return pr_inputs_evaluate(in, &policy, first, count);
}

static inline json_t *evaluate_job(const pr_config_t *c, double w0, double w1, int first, int count)
{
    pr_inputs_t in;
    pr_error_t err;
    ck_assert_msg(pr_inputs_read(c, &in, &err) == PR_OK, "%s", err.text);
    json_t *message = message_of(evaluate_inputs(&in, w0, w1, first, count), pr_inputs_how_evaluate(&in), "point");
    pr_inputs_clear(&in);
    return message;
}

typedef struct said {
    double scores[6][2];
    char *responses; // JSON
    char finish[6];  // first letters
    json_t *result;
} said_t;

static inline void evaluate(const pr_config_t *c, const json_t *message, int count, said_t *out)
{
    pr_error_t err;
    pr_record_t k = {0};
    const void *scores;
    job_t j = {0};
    ck_assert_msg(run(c, message, &j, &out->result, &err) == PR_OK, "%s", err.text);
    read_evaluation(c, message, out->result, &k);
    ck_assert_int_eq(pr_record_section(&k, "record", "scores", sizeof(double), (size_t)count * 2, &scores, &err),
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
    pr_record_clear(&k);
}

static inline void said_clear(said_t *s)
{
    json_decref(s->result);
    free(s->responses);
}

#endif
