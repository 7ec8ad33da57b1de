// SPDX-License-Identifier: BSD-3-Clause
/* What the tests of jobs on teams share: a folder, a small sweep whose objectives score on all ranks (fluency, a reward
 * model) and on the leader (a program, word lists), and jobs of it on any grid. Rank 0 leads every team, so it holds
 * what results are compared with. */
#ifndef TESTS_MPI_TEAM_JOBS_H
#define TESTS_MPI_TEAM_JOBS_H

#include "mpi/mpi_test.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "jobs/artifact.h"
#include "jobs/env.h"
#include "mpi/team.h"
#include "store/checkpoint.h"
#include "store/layout.h"
#include "store/segment.h"
#include "sweeps/inputs.h"
#include "unit/jobs/job_messages.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { TJ_K = 5, TJ_STEPS = 3, TJ_PROMPTS = 5, TJ_HEADS = 4 }; // TJ_HEADS: of the reward model

static char tj_dir[64];      // shared by the ranks
static const char *tj_where; // what is being tested, should it hang
static int tj_seconds;       // of the processor that each part may take

#define TJ_OK(call)                                                                                                    \
    do {                                                                                                               \
        pr_error_t err;                                                                                                \
        pr_status_t tj_status = (call);                                                                                \
        test_checks++;                                                                                                 \
        if (tj_status != PR_OK) {                                                                                      \
            fprintf(stderr, "rank %d: %s:%d: %s: %s\n", pr_world_rank(test_world), __FILE__, __LINE__,                 \
                    tj_where ? tj_where : "", err.text);                                                               \
            pr_world_abort(test_world, 1);                                                                             \
        }                                                                                                              \
    } while (0)

/* ---- the folder, and time ---- */

/* Who waits for a message that does not come burns processor time: that is what is limited, as a busy machine may take
 * any time for a part. */
static inline void tj_hangs(int signal)
{
    (void)signal;
    fprintf(stderr, "rank %d: does not end: %s\n", pr_world_rank(test_world), tj_where);
    _exit(1);
}

static inline void tj_part(const char *name)
{
    tj_where = name;
    signal(SIGPROF, tj_hangs);
    setitimer(ITIMER_PROF, &(struct itimerval){{0, 0}, {tj_seconds, 0}}, NULL);
}

static inline bool tj_first(void)
{
    return pr_world_rank(test_world) == 0;
}

// A program that scores by the response's length, in plain shell.
static inline void tj_write_scorer(void)
{
    static const char text[] = "while read -r line; do id=${line#*\\\"id\\\":}; id=${id%%[,\\}]*}\n"
                               "response=${line##*\\\"response\\\":}\n"
                               "printf '{\"id\": %s, \"score\": %s}\\n' \"$id\" \"${#response}\"; done\n";
    char path[sizeof tj_dir + 16];
    snprintf(path, sizeof path, "%s/length.sh", tj_dir);
    TJ_OK(pr_file_write(path, text, sizeof text - 1, &err));
}

static inline void tj_begin(int *argc, char ***argv, int seconds)
{
    static char name[sizeof tj_dir];
    char *p = name;
    size_t n = sizeof name;
    test_begin(argc, argv);
    tj_seconds = seconds;
    tj_part("begin");
    pr_log_set_level(PR_LOG_ERROR);
    snprintf(name, sizeof name, "%s/pr-team-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(!tj_first() || mkdtemp(name));
    TJ_OK(pr_world_broadcast(test_world, &p, &n, &err));
    snprintf(tj_dir, sizeof tj_dir, "%s", p);
    if (p != name)
        free(p);
    if (tj_first())
        tj_write_scorer();
}

static inline int tj_end(void)
{
    pr_world_barrier(test_world);
    if (tj_first()) {
        char line[128];
        snprintf(line, sizeof line, "rm -rf '%s'", tj_dir);
        CHECK(system(line) == 0);
    }
    return test_end();
}

/* ---- the sweep ---- */

static inline const char *tj_root(void)
{
    const char *root = getenv("PARETORANK_SOURCE_DIR");
    return root ? root : ".";
}

/* Settings that a test changes; NULL or 0: as usual. */
typedef struct tj_options {
    const char *program; // command line of the one that is a program
    double lr;
} tj_options_t;

/* objectives: 0 fluency (to be fine-tuned), 1 a reward model, 2 a program, 3 empathy, 4 brevity; 1 to 3 bring adapters.
 * eps is large, so that rounding does not decide on the sign of the first steps. */
static inline pr_config_t *tj_config(const char *results, tj_options_t o)
{
    pr_buf_t b = {0};
    pr_config_t *c = NULL;
    pr_buf_printf(&b,
                  "name = \"team\"; seed = 7; results = \"%s/%s\"; model = \"%s/sweeps/counsel/model\"; retries = 0;\n"
                  "prompts = { train = \"%s/sweeps/counsel/prompts-train.jsonl\"; eval = "
                  "\"%s/sweeps/counsel/prompts-eval.jsonl\"; };\n",
                  tj_dir, results, tj_root(), tj_root(), tj_root());
    pr_buf_printf(&b,
                  "objectives = ( { name = \"fluency\"; }, { name = \"judge\"; type = \"reward_model\"; model = "
                  "\"%s/tests/fixtures/reward-llama\"; transform = \"sigmoid\"; adapter = \"%s/a1\"; },\n",
                  tj_root(), tj_dir);
    pr_buf_printf(&b,
                  "{ name = \"program\"; type = \"command\"; command = \"%s %s/length.sh\"; lo = 0.0; retries = 0; "
                  "adapter = \"%s/a2\"; }, { name = \"empathy\"; adapter = \"%s/a3\"; }, { name = \"brevity\"; } );\n",
                  o.program ? o.program : "exec sh", tj_dir, tj_dir, tj_dir);
    pr_buf_printf(&b,
                  "finetune = { steps = %d; prompts_per_step = %d; samples = 2; max_new_tokens = 5; lr = 0.02; kl = "
                  "0.05; eps = 1e-3; clip_norm = %g; checkpoint_every = 1; micro_tokens = 128; lora = { r = 2; alpha = "
                  "8.0; }; };\n",
                  TJ_STEPS, TJ_PROMPTS, o.lr > 0 ? 0.0 : 1.0);
    pr_buf_printf(&b,
                  "evaluate = { prompts = %d; max_new_tokens = 6; };\nsearch = { type = \"grid\"; divisions = 1; };",
                  TJ_PROMPTS);
    pr_buf_t file = {0};
    pr_buf_printf(&file, "%s/sweep.cfg", tj_dir);
    TJ_OK(pr_config_parse(b.data, file.data, NULL, 0, &c, &err));
    if (o.lr > 0) // more than a file may say
        c->finetune.lr = o.lr;
    pr_buf_free(&b);
    pr_buf_free(&file);
    char *checkpoints = pr_results_path(c->results, PR_FOLDER_CHECKPOINTS);
    TJ_OK(pr_mkdirs(checkpoints, &err));
    free(checkpoints);
    return c;
}

/* The adapters that objectives 1 to 3 bring, with weights that change what is said. Every rank waits for them. */
static inline void tj_make_adapters(void)
{
    pr_model_t *m = NULL;
    char path[512];
    if (tj_first()) {
        snprintf(path, sizeof path, "%s/sweeps/counsel/model", tj_root());
        TJ_OK(pr_model_load(path, &m, &err));
        for (int i = 1; i <= 3; i++) {
            pr_rng_key_t key = pr_rng_key((uint64_t)i, "brought", "");
            pr_adapter_options_t o = {.r = 2, .alpha = 4};
            pr_adapter_t *a = NULL;
            snprintf(path, sizeof path, "%s/a%d", tj_dir, i);
            TJ_OK(pr_mkdirs(path, &err));
            TJ_OK(pr_adapter_new(&m->config, &o, &key, &a, &err));
            for (size_t j = 0; j < a->n_data; j++)
                a->data[j] = (float)(0.3 * (pr_rng_uniform(&key, j, 0, 0, 1) - 0.5));
            TJ_OK(pr_adapter_write(path, a, &m->config, "", &err));
            pr_adapter_free(&a);
        }
        pr_model_free(&m);
    }
    pr_world_barrier(test_world);
}

/* The training towards fluency. */
static inline json_t *tj_train_job(const pr_inputs_t *in)
{
    const pr_finetune_config_t *set = &in->config->finetune;
    pr_training_wish_t wish = {.w = {1}};
    return message_of(pr_inputs_train(in, set, &wish, 1), pr_inputs_how_train(in, set), "fluency-s1");
}

/* Prompts first..first+count-1 by the three adapters that there are. layer: of "states"; -1 the last. */
static inline json_t *tj_evaluate_job(const pr_inputs_t *in, const char *mix, int layer, int first, int count)
{
    static const double w[] = {0.5, 0.3, 0.2};
    pr_policy_spec_t policy = {0};
    json_t *given = layer < 0 ? json_object() : json_pack("{s:i}", "layer", layer);
    TJ_OK(pr_mix_find(mix, &policy.mix, &err));
    TJ_OK(pr_options_resolve(policy.mix->options, given, in->config->dir, &policy.options, &err));
    for (int k = 1; k <= 3; k++)
        pr_policy_add(&policy, false, in->adapter[k], w[k - 1]);
    json_t *message = message_of(pr_inputs_evaluate(in, &policy, first, count), pr_inputs_how_evaluate(in), "point");
    json_decref(given);
    pr_policy_spec_clear(&policy);
    return message;
}

/* ---- jobs ---- */

/* A job as one rank sees it. */
typedef struct tj_job {
    int cancel_at_call; // of this rank's hook; 0: never
    int calls, steps, first_step;
} tj_job_t;

static inline bool tj_cancelled(void *self)
{
    tj_job_t *j = self;
    j->calls++;
    return j->cancel_at_call && j->calls >= j->cancel_at_call;
}

static inline void tj_event(void *self, const char *event, const json_t *fields)
{
    tj_job_t *j = self;
    CHECK(tj_first() && strcmp(event, "step") == 0); // the leader's only
    int step = (int)json_integer_value(json_object_get(fields, "step"));
    j->first_step = j->steps++ ? j->first_step : step;
    CHECK(step == j->first_step + j->steps - 1);
}

/* Runs a job and checks that all ranks of the team are told the same. */
static inline pr_status_t tj_run(pr_job_env_t *env, const json_t *message, tj_job_t *j, json_t **result,
                                 pr_error_t *err)
{
    const pr_team_t *t = env->team;
    pr_job_hooks_t hooks = {tj_cancelled, tj_event, j};
    *result = NULL;
    memset(err, 0, sizeof *err);
    pr_status_t status = pr_job_run(env, message, &hooks, result, err);
    if (status != PR_OK) { // at most what it generated for nothing
        CHECK(!*result || json_object_get(*result, "tokens"));
        json_decref(*result);
        *result = NULL;
    }
    CHECK(status != PR_OK || !pr_team_is_leader(t) || *result);
    pr_error_t leader = *err;
    leader.status = status;
    t->broadcast(t, &leader, sizeof leader);
    if (status != leader.status || strcmp(err->text, leader.text) != 0)
        fprintf(stderr, "rank %d: %s: found '%s', the leader has '%s'\n", pr_world_rank(test_world), tj_where,
                err->text, leader.text);
    CHECK(status == leader.status && strcmp(err->text, leader.text) == 0);
    return status;
}

/* A job that must succeed; its result on every rank is dropped but the leader's. */
static inline json_t *tj_run_ok(pr_job_env_t *env, const json_t *message, tj_job_t *j)
{
    json_t *result;
    TJ_OK(tj_run(env, message, j, &result, &err));
    return result;
}

/* Waits for the team, then has rank 0 drop all checkpoints, then waits again. */
static inline void tj_forget(const pr_job_env_t *env)
{
    const pr_team_t *t = env->team;
    t->agree(t, PR_OK, NULL);
    if (tj_first()) {
        char line[512];
        snprintf(line, sizeof line, "rm -f '%s'/checkpoints/*", pr_content_results(env->content));
        CHECK(system(line) == 0);
    }
    t->agree(t, PR_OK, NULL);
}

/* ---- what comes out; on rank 0 ---- */

typedef struct tj_expert {
    char hash[PR_HASH_HEX];
    size_t n;
    float *data;
    double reward[TJ_K];
} tj_expert_t;

static inline void tj_read_expert(const pr_job_env_t *env, const json_t *message, const json_t *result,
                                  tj_expert_t *out)
{
    char *dir = pr_artifact_path(pr_content_results(env->content), PR_ARTIFACT_ADAPTER, id_of(message));
    pr_adapter_t *a = NULL;
    TJ_OK(pr_adapter_hash(dir, out->hash, &err));
    CHECK(strcmp(json_string_value(json_object_get(result, "artifact")), out->hash) == 0);
    CHECK(json_integer_value(json_object_get(result, "steps")) == TJ_STEPS);
    TJ_OK(pr_adapter_read(dir, &env->model->config, &a, &err));
    out->n = a->n_data;
    out->data = pr_alloc(a->n_data, sizeof *out->data);
    memcpy(out->data, a->data, a->n_data * sizeof *out->data);
    for (size_t k = 0; k < TJ_K; k++)
        out->reward[k] = json_number_value(json_array_get(json_object_get(result, "reward"), k));
    pr_adapter_free(&a);
    free(dir);
}

static inline void tj_expert_clear(tj_expert_t *e)
{
    free(e->data);
    *e = (tj_expert_t){0};
}

typedef struct tj_said {
    double mean[TJ_K];
    double scores[TJ_PROMPTS * TJ_K];
    char *responses; // JSON
} tj_said_t;

static inline void tj_read_said(const pr_job_env_t *env, const json_t *message, const json_t *result, tj_said_t *out)
{
    char *dir = pr_results_path(pr_content_results(env->content), PR_FOLDER_EVALUATIONS);
    pr_segment_place_t place;
    pr_record_t k = {0};
    const void *scores;
    size_t count = (size_t)json_integer_value(json_object_get(json_object_get(message, "inputs"), "count"));
    TJ_OK(pr_segment_place_parse(json_object_get(result, "place"), "place", &place, &err));
    TJ_OK(pr_segment_read(dir, &place, id_of(message), "evaluate", &k, &err));
    TJ_OK(pr_record_section(&k, place.file, "scores", sizeof(double), count * TJ_K, &scores, &err));
    *out = (tj_said_t){0};
    memcpy(out->scores, scores, count * TJ_K * sizeof(double));
    for (size_t i = 0; i < k.n; i++)
        if (strcmp(k.section[i].name, "responses") == 0)
            out->responses = pr_strndup(k.section[i].data, k.section[i].count);
    CHECK(out->responses);
    for (size_t i = 0; i < TJ_K; i++)
        out->mean[i] = json_number_value(json_array_get(json_object_get(result, "mean"), i));
    pr_record_clear(&k);
    free(dir);
}

static inline bool tj_same_said(const tj_said_t *a, const tj_said_t *b)
{
    return memcmp(a->scores, b->scores, sizeof a->scores) == 0 && memcmp(a->mean, b->mean, sizeof a->mean) == 0 &&
           strcmp(a->responses, b->responses) == 0;
}

#endif
