// SPDX-License-Identifier: BSD-3-Clause
/* A sweep without models: input files that are only hashed, experts and scores that are made up, and a driver that
 * takes jobs from a sweep and answers them in any order. */
#ifndef PR_TESTS_SWEEP_PLAY_H
#define PR_TESTS_SWEEP_PLAY_H

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "jobs/artifact.h"
#include "objective/objective.h"
#include "sweeps/sweep_internal.h"

#include <check.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PLAY_PROMPTS = 12, PLAY_MAX_RUNNING = 64 };

static char play_dir[64]; // of the test program; each test has a folder in it

static inline void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void shell(const char *format, ...)
{
    char command[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    ck_assert_int_eq(system(command), 0);
}

static inline void play_file(const char *dir, const char *name, const char *text)
{
    char *path = pr_path_join(dir, name);
    pr_error_t err;
    char *folder = pr_path_dir(path);
    ck_assert_int_eq(pr_mkdirs(folder, &err), PR_OK);
    ck_assert_int_eq(pr_file_write(path, text, strlen(text), &err), PR_OK);
    free(folder);
    free(path);
}

/* An adapter directory whose content is a function of `what`. */
static inline void play_adapter(const char *dir, const char *what)
{
    play_file(dir, "adapter_config.json", "{}");
    play_file(dir, "adapter_model.safetensors", what);
}

static inline void play_setup(void)
{
    pr_buf_t b = {0};
    // In memory where that can be, as a sweep waits for the disk after every job.
    snprintf(play_dir, sizeof play_dir, "%s/pr-sweep-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(play_dir));
    pr_log_set_level(PR_LOG_ERROR);
    play_file(play_dir, "model/config.json", "{}");
    play_file(play_dir, "model/model.safetensors", "weights");
    for (int i = 0; i < PLAY_PROMPTS; i++)
        pr_buf_printf(&b, "{\"prompt\": \"prompt %d\"}\n", i);
    play_file(play_dir, "eval.jsonl", b.data);
    play_file(play_dir, "train.jsonl", b.data);
    pr_buf_free(&b);
}

static inline void play_teardown(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", play_dir);
    ck_assert_int_eq(system(command), 0);
}

/* A sweep of three objectives with the keys of `more` (libconfig text). results: a folder of play_dir. */
static inline pr_config_t *play_config(const char *results, const char *more)
{
    pr_buf_t b = {0};
    pr_error_t err;
    pr_config_t *c = NULL;
    char path[128];
    snprintf(path, sizeof path, "%s/sweep.cfg", play_dir);
    pr_buf_printf(&b, "name = \"play\"; seed = 3; model = \"model\"; results = \"%s/%s\";\n", play_dir, results);
    pr_buf_puts(&b, "prompts = { train = \"train.jsonl\"; eval = \"eval.jsonl\"; };\n");
    if (!strstr(more, "objectives"))
        pr_buf_puts(&b, "objectives = ( { name = \"a\"; type = \"brevity\"; }, { name = \"b\"; type = \"reflection\"; "
                        "}, { name = \"c\"; type = \"distinct\"; } );\n");
    pr_buf_puts(&b, more);
    ck_assert_msg(pr_config_parse(b.data, path, NULL, 0, &c, &err) == PR_OK, "%s", err.text);
    pr_buf_free(&b);
    return c;
}

/* ---- made-up jobs ---- */

typedef struct play {
    const pr_config_t *config;
    pr_inputs_t inputs;
    pr_sweep_t *sweep;
    int workers;                                                      // jobs running at once
    uint64_t shuffle;                                                 // which running job ends next; 0: the oldest
    int stop_after;                                                   // ends; 0: none
    bool replace;                                                     // --replace
    bool same_words;                                                  // of failures
    bool (*fails)(const json_t *spec, int attempt, pr_status_t *why); // NULL: none
    double (*score)(const double *w, int k_n, int k, int prompt);     // NULL: play_score
    const double *lo, *hi;                                            // declared ranges; NULL: [0,1]
    pr_sweep_hooks_t hooks;
    // what happened
    int ended, given, fits, trains, evaluates;
    json_t *log; // labels in the order of being given
    json_t *running[PLAY_MAX_RUNNING];
    int n_running;
    json_t *attempts; // id -> number
} play_t;

static const double play_lo[PR_MAX_OBJECTIVES], play_hi[PR_MAX_OBJECTIVES] = {1, 1, 1, 1, 1};

static inline pr_status_t play_open(play_t *p, const pr_config_t *c, pr_error_t *err)
{
    p->config = c;
    p->workers = p->workers ? p->workers : 1;
    p->log = json_array();
    p->attempts = json_object();
    pr_status_t status = pr_inputs_read(c, &p->inputs, err);
    const double *lo = p->lo ? p->lo : play_lo, *hi = p->hi ? p->hi : play_hi;
    return status == PR_OK ? pr_sweep_open(c, &p->inputs, p->workers, lo, hi, &p->hooks, p->replace, &p->sweep, err)
                           : status;
}

static inline void play_close(play_t *p)
{
    for (int i = 0; i < p->n_running; i++)
        json_decref(p->running[i]);
    json_decref(p->log);
    json_decref(p->attempts);
    pr_sweep_free(&p->sweep);
    pr_inputs_clear(&p->inputs);
}

static inline const char *play_id(const json_t *message)
{
    return json_string_value(json_object_get(message, "id"));
}

/* An adapter whose content is a function of the job's identity. */
static inline json_t *play_train(const play_t *p, const json_t *message)
{
    char hash[PR_HASH_HEX], *dir = pr_artifact_path(pr_sweep_dir(p->sweep), PR_ARTIFACT_ADAPTER, play_id(message));
    pr_error_t err;
    play_adapter(dir, play_id(message));
    ck_assert_int_eq(pr_adapter_hash(dir, hash, &err), PR_OK);
    free(dir);
    return json_pack("{s:s, s:i, s:i, s:f, s:[f,f,f]}", "artifact", hash, "steps", 4, "tokens", 100, "seconds", 0.5,
                     "reward", 0.1, 0.2, 0.3);
}

/* A head whose content is a function of the job's identity. */
static inline json_t *play_fit(const play_t *p, const json_t *message)
{
    char hash[PR_HASH_HEX], *path = pr_artifact_path(pr_sweep_dir(p->sweep), PR_ARTIFACT_HEAD, play_id(message));
    pr_error_t err;
    play_file("", path, play_id(message));
    ck_assert_int_eq(pr_hash_file(path, hash, &err), PR_OK);
    free(path);
    return json_pack("{s:s, s:{s:f}, s:i, s:f}", "artifact", hash, "fit", "held_out_accuracy", 0.9, "tokens", 50,
                     "seconds", 0.5);
}

/* What the job `id` left is there, with the content that the message says. */
static inline void play_check_made(const play_t *p, const json_t *message, pr_artifact_kind_t kind, const char *id)
{
    pr_error_t err;
    char found[PR_HASH_HEX] = "", *path = pr_artifact_path(pr_sweep_dir(p->sweep), kind, id);
    const char *hash = json_string_value(json_object_get(json_object_get(message, "made"), id));
    ck_assert_ptr_nonnull(hash);
    pr_status_t status =
        kind == PR_ARTIFACT_HEAD ? pr_hash_file(path, found, &err) : pr_adapter_hash(path, found, &err);
    ck_assert_msg(status == PR_OK, "%s", err.text);
    ck_assert_str_eq(found, hash);
    free(path);
}

/* Every head that there is to be is there. */
static inline void play_check_heads(const play_t *p, const json_t *message)
{
    for (int k = 0; k < p->config->n_objectives; k++) {
        bool fitted = pr_objective_needs_fit(p->config->objective[k].type, p->config->objective[k].options);
        ck_assert_int_eq(p->inputs.head[k][0] != 0, fitted);
        if (fitted)
            play_check_made(p, message, PR_ARTIFACT_HEAD, p->inputs.head[k]);
    }
}

/* Score of objective k on a prompt: a concave front with noise that the points of a prompt share. */
static inline double play_score(const double *w, int k_n, int k, int prompt)
{
    pr_rng_key_t key = pr_rng_key(5, "play", "");
    double norm = 0;
    for (int i = 0; i < k_n; i++)
        norm += w[i] * w[i];
    return (norm > 0 ? w[k] / sqrt(norm) : 0) * 0.8 +
           0.2 * pr_rng_uniform(&key, (uint64_t)prompt, (uint64_t)k, 0, 0) * (0.5 + w[k]);
}

static inline void play_moments(const double *x, int n, int stride, double *mean, double *se)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++)
        sum += x[i * stride];
    *mean = sum / n;
    for (int i = 0; i < n; i++)
        squares += (x[i * stride] - *mean) * (x[i * stride] - *mean);
    *se = n > 1 ? sqrt(squares / (n - 1) / n) : NAN;
}

/* Writes an evaluation's own results as its job would. New reference: their place. */
static inline json_t *play_record(const play_t *p, const json_t *message, double *scores, int count)
{
    pr_error_t err;
    char *dir = pr_results_path(pr_sweep_dir(p->sweep), PR_FOLDER_EVALUATIONS);
    json_t *meta = json_object(), *said = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(said, json_string("said"));
    char *text = json_dumps(said, JSON_COMPACT);
    pr_section_t s[] = {{"scores", sizeof(double), (size_t)(count * p->config->n_objectives), scores},
                        {"responses", 1, strlen(text), text}};
    pr_segment_writer_t *w = NULL;
    pr_segment_place_t place;
    ck_assert_int_eq(pr_segment_writer_open(dir, 1, &w, &err), PR_OK); // a file each
    ck_assert_int_eq(pr_segment_append(w, play_id(message), "evaluate", meta, s, 2, &place, &err), PR_OK);
    pr_segment_writer_close(&w);
    json_decref(meta);
    json_decref(said);
    free(text);
    free(dir);
    return pr_segment_place_json(&place);
}

/* w [K] of an evaluation. */
static inline void play_weights(const play_t *p, const json_t *message, double *w)
{
    const pr_evaluation_t *e = pr_graph_find_evaluation(p->sweep, pr_fold_find(p->sweep->fold, play_id(message)));
    ck_assert_ptr_nonnull(e);
    pr_point_t point = pr_sweep_point(p->sweep, e);
    pr_point_weights(&point, p->config->n_objectives, w);
}

static inline json_t *play_evaluate(const play_t *p, const json_t *spec)
{
    const json_t *inputs = json_object_get(spec, "inputs");
    int k_n = p->config->n_objectives, first = (int)json_integer_value(json_object_get(inputs, "first")),
        count = (int)json_integer_value(json_object_get(inputs, "count"));
    double w[PR_MAX_OBJECTIVES], *scores = pr_alloc((size_t)(count * k_n), sizeof *scores);
    json_t *mean = json_array(), *se = json_array();
    play_weights(p, spec, w);
    for (int i = 0; i < count; i++)
        for (int k = 0; k < k_n; k++)
            scores[i * k_n + k] = (p->score ? p->score : play_score)(w, k_n, k, first + i);
    for (int k = 0; k < k_n; k++) {
        double m, e;
        play_moments(scores + k, count, k_n, &m, &e);
        json_array_append_new(mean, json_real(m));
        json_array_append_new(se, pr_json_real(e));
    }
    json_t *place = play_record(p, spec, scores, count);
    free(scores);
    return json_pack("{s:o, s:o, s:i, s:i, s:f, s:o}", "mean", mean, "se", se, "n", count, "tokens", 7 * count,
                     "seconds", 0.25, "place", place);
}

/* Is every adapter that a point needs there? */
static inline void play_check_parts(const play_t *p, const json_t *message)
{
    size_t i;
    json_t *part, *parts = json_object_get(json_object_get(json_object_get(message, "inputs"), "policy"), "parts");
    json_array_foreach(parts, i, part) if (strcmp(json_string_value(json_array_get(part, 0)), "job") == 0)
        play_check_made(p, message, PR_ARTIFACT_ADAPTER, json_string_value(json_array_get(part, 1)));
}

/* Ends the running job number i. */
static inline pr_status_t play_end_job(play_t *p, int i, pr_error_t *err)
{
    json_t *spec = p->running[i], *result = NULL;
    const char *id = json_string_value(json_object_get(spec, "id"));
    const char *kind = json_string_value(json_object_get(spec, "kind"));
    bool tune = strcmp(kind, "train") == 0, fit = strcmp(kind, "fit_reward") == 0;
    int attempt = (int)json_integer_value(json_object_get(p->attempts, id));
    pr_status_t why = PR_OK;
    pr_who_t who = {1 + i, "node1"};
    memmove(&p->running[i], &p->running[i + 1], (size_t)(--p->n_running - i) * sizeof p->running[0]);
    if (!p->fails || !p->fails(spec, attempt, &why))
        result = fit ? play_fit(p, spec) : tune ? play_train(p, spec) : play_evaluate(p, spec);
    char text[64]; // other words every time, unless told otherwise: the same failure twice is final
    snprintf(text, sizeof text, p->same_words ? "made to fail" : "made to fail (attempt %d)", attempt);
    if (why != PR_OK)
        result = json_pack("{s:o, s:i}", "seconds", pr_json_real(0.125), "tokens", 3);
    pr_status_t status = pr_sweep_finished(p->sweep, id, &who, why, why == PR_OK ? "" : text, result, err);
    if (why == PR_OK)
        *(fit ? &p->fits : tune ? &p->trains : &p->evaluates) += 1;
    p->ended++;
    json_decref(result);
    json_decref(spec);
    return status == PR_OK ? pr_sweep_commit(p->sweep, err) : status;
}

static inline bool play_take(play_t *p, pr_next_t *next)
{
    json_t *spec;
    pr_error_t err;
    pr_who_t who = {1, "node1"};
    *next = pr_sweep_next(p->sweep, &spec);
    if (*next != PR_NEXT_JOB)
        return false;
    const char *id = json_string_value(json_object_get(spec, "id"));
    json_object_set_new(p->attempts, id, json_integer(json_integer_value(json_object_get(p->attempts, id)) + 1));
    json_array_append(p->log, json_object_get(spec, "label"));
    play_check_parts(p, spec);
    if (strcmp(json_string_value(json_object_get(spec, "kind")), "fit_reward") != 0)
        play_check_heads(p, spec);
    ck_assert_int_eq(pr_sweep_started(p->sweep, id, &who, &err), PR_OK);
    p->running[p->n_running++] = spec;
    p->given++;
    return true;
}

/* Runs until nothing more comes, or stop_after jobs have ended. */
static inline void play_run(play_t *p)
{
    pr_rng_key_t key = pr_rng_key(p->shuffle, "order", "");
    pr_next_t next = PR_NEXT_JOB;
    pr_error_t err;
    for (;;) {
        while (p->n_running < p->workers && play_take(p, &next))
            ;
        if (p->n_running == 0)
            break;
        int i = p->shuffle ? (int)pr_rng_below(&key, (uint64_t)p->n_running, (uint64_t)p->ended, 0, 0, 0) : 0;
        ck_assert_msg(play_end_job(p, i, &err) == PR_OK, "%s", err.text);
        if (p->stop_after && p->ended >= p->stop_after)
            return;
    }
    ck_assert_int_eq(next, PR_NEXT_DONE);
}

/* A whole sweep; *end: what pr_sweep_end said. Caller closes. */
static inline void play_all(play_t *p, const pr_config_t *c, pr_status_t *end, pr_error_t *err)
{
    ck_assert_msg(play_open(p, c, err) == PR_OK, "%s", err->text);
    play_run(p);
    ck_assert_int_eq(pr_sweep_write(p->sweep, NULL, 0, err), PR_OK);
    *end = pr_sweep_end(p->sweep, false, err);
}

/* Not inlined: gcc 12 would take what strstr finds in it for a pointer to a local. */
__attribute__((noinline, unused)) static char *play_read(const char *results, const char *name)
{
    pr_error_t err;
    char *data = NULL, path[256];
    size_t len;
    snprintf(path, sizeof path, "%s/%s/%s", play_dir, results, name);
    ck_assert_msg(pr_file_read(path, 0, &data, &len, &err) == PR_OK, "%s", err.text);
    return data;
}

static inline int play_count(const char *results, const char *name, const char *word)
{
    char *text = play_read(results, name);
    int n = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        n++;
    free(text);
    return n;
}

static inline void play_same(const char *a, const char *b, const char *name)
{
    char *x = play_read(a, name), *y = play_read(b, name);
    ck_assert_msg(strcmp(x, y) == 0, "%s/%s and %s/%s differ:\n%s\n%s", a, name, b, name, x, y);
    free(x);
    free(y);
}

/* A sweep from start to end without trouble. */
static inline void play_simple(const char *results, const char *more)
{
    pr_config_t *c = play_config(results, more);
    play_t p = {.workers = 2};
    pr_status_t end;
    pr_error_t err;
    play_all(&p, c, &end, &err);
    ck_assert_msg(end == PR_OK, "%s", err.text);
    play_close(&p);
    pr_config_free(&c);
}

static inline bool fail_point(const json_t *spec, int attempt, pr_status_t *why)
{
    (void)attempt;
    *why = strcmp(json_string_value(json_object_get(spec, "label")), "states (0,1,0)") == 0 ? PR_ERR_TIMEOUT : PR_OK;
    return *why != PR_OK;
}

#endif
