// SPDX-License-Identifier: BSD-3-Clause
/* A user's program as an objective: requests {"id": n, "prompt": "...", "response": "..."} on its standard input,
 * replies
 * {"id": n, "score": x} on its standard output, one JSON object per line. */
#include "base/duration.h"
#include "base/file.h"
#include "base/mem.h"
#include "objective/program.h"
#include "objective/type.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double LEAVE_SECONDS = 1.0; // for a program whose input was closed
// For one that has closed its output, as it does when it ends; on a busy machine that takes time.
static const double DIE_SECONDS = 2.0;

typedef struct command {
    char **argv;
    char *dir;
    double timeout;
    int retries;
    bool trim;
    pr_program_t *program; // NULL: not running
    int64_t next_id;       // never used twice, so that a late reply cannot be taken for another sample's
} command_t;

static const pr_option_t options[] = {
    {.key = "command",
     .kind = PR_OPT_COMMAND,
     .help = "the program and its arguments as a list, run without a shell; or one string, run by /bin/sh -c. It runs "
             "in the directory of the sweep file"},
    {.key = "timeout",
     .kind = PR_OPT_DURATION,
     .dflt = "\"60s\"",
     .min = 1e-3,
     .max = 1e7,
     .incidental = true,
     .help = "longest wait for the next reply, its start included"},
    {.key = "retries",
     .kind = PR_OPT_INT,
     .dflt = "2",
     .min = 0,
     .max = 1000,
     .incidental = true,
     .help = "how often it is started again within one batch when it ends early"},
    {.key = "trim",
     .kind = PR_OPT_BOOL,
     .dflt = "false",
     .help = "whether white space at both ends of the response is left out"},
    {.key = "lo", .kind = PR_OPT_REAL, .dflt = "", .help = "smallest score that is possible; none when not given"},
    {.key = "hi", .kind = PR_OPT_REAL, .dflt = "", .help = "largest score that is possible; none when not given"},
    {0}};

/* ---- checks before a run ---- */
static bool is_executable(const char *dir, const char *name)
{
    char *path = pr_path_join(dir, name);
    bool yes = pr_file_exists(path) && access(path, X_OK) == 0;
    free(path);
    return yes;
}

static bool in_path(const char *name)
{
    const char *path = getenv("PATH");
    char *copy = pr_strdup(path ? path : "/bin:/usr/bin"), *rest = copy;
    bool found = false;
    for (char *dir; !found && (dir = strsep(&rest, ":"));)
        found = is_executable(*dir ? dir : ".", name);
    free(copy);
    return found;
}

static pr_status_t command_check(const json_t *opt, const char *dir, pr_error_t *err)
{
    const char *name = json_string_value(json_array_get(json_object_get(opt, "command"), 0));
    if (strchr(name, '/') ? !is_executable(dir, name) : !in_path(name))
        return pr_fail(err, PR_ERR_NOT_FOUND, "command: '%.200s' is no executable file%s", name,
                       strchr(name, '/') ? "" : " in PATH");
    if (pr_option_given(opt, "lo") && pr_option_given(opt, "hi") &&
        !(pr_option_real(opt, "lo") < pr_option_real(opt, "hi")))
        return pr_fail(err, PR_ERR_CONFIG, "hi: found %g, expected more than lo = %g", pr_option_real(opt, "hi"),
                       pr_option_real(opt, "lo"));
    return PR_OK;
}

/* ---- life ---- */
static char **copy_argv(const json_t *list)
{
    size_t n = json_array_size(list);
    char **argv = pr_alloc(n + 1, sizeof *argv);
    for (size_t i = 0; i < n; i++)
        argv[i] = pr_strdup(json_string_value(json_array_get(list, i)));
    return argv;
}

static pr_status_t command_open(pr_objective_t *o, const json_t *opt, const pr_objective_env_t *env, pr_error_t *err)
{
    (void)err;
    command_t *self = o->self = pr_alloc(1, sizeof *self);
    self->argv = copy_argv(json_object_get(opt, "command"));
    self->dir = pr_strdup(env->dir ? env->dir : "");
    self->timeout = pr_option_real(opt, "timeout");
    self->retries = pr_option_int(opt, "retries");
    self->trim = pr_option_bool(opt, "trim");
    o->lo = pr_option_given(opt, "lo") ? pr_option_real(opt, "lo") : -INFINITY;
    o->hi = pr_option_given(opt, "hi") ? pr_option_real(opt, "hi") : INFINITY;
    return PR_OK;
}

static void command_close(pr_objective_t *o)
{
    command_t *self = o->self;
    pr_program_stop(&self->program, LEAVE_SECONDS, NULL, 0);
    for (char **a = self->argv; *a; a++)
        free(*a);
    free(self->argv);
    free(self->dir);
    free(self);
}

/* ---- a batch ---- */
typedef struct batch {
    const pr_sample_t *samples;
    size_t n, n_open; // n_open: not answered yet
    bool *answered;   // [n]
    double *scores;   // [n]
    int64_t first_id; // sample i's id in the running program is first_id + i
} batch_t;

static json_t *clean_text(const char *s, size_t len)
{
    size_t n;
    char *clean = pr_utf8_clean(s, len, &n);
    json_t *text = json_stringn(clean, n);
    free(clean);
    return text;
}

static void add_request(const command_t *self, int64_t id, const pr_sample_t *s)
{
    pr_span_t response = pr_text_trimmed(s->response, s->response_len, self->trim);
    json_t *request =
        json_pack("{s:I, s:o, s:o}", "id", (json_int_t)id, "prompt", clean_text(s->prompt, strlen(s->prompt)),
                  "response", clean_text(response.s, response.len));
    char *text = pr_json_text(request, JSON_COMPACT | JSON_ENSURE_ASCII);
    pr_program_send(self->program, text, strlen(text));
    pr_program_send(self->program, "\n", 1);
    free(text);
    json_decref(request);
}

static void send_open(command_t *self, batch_t *b)
{
    b->first_id = self->next_id;
    self->next_id += (int64_t)b->n;
    for (size_t i = 0; i < b->n; i++)
        if (!b->answered[i])
            add_request(self, b->first_id + (int64_t)i, &b->samples[i]);
}

static pr_status_t nonsense(const char *line, size_t len, const char *expected, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_SCORER, "answered '%.*s', expected %s", (int)(len < 200 ? len : 200), line, expected);
}

static pr_status_t take_reply(batch_t *b, const json_t *reply, const char *line, size_t len, pr_error_t *err)
{
    const json_t *id = json_object_get(reply, "id"), *score = json_object_get(reply, "score");
    const char *complaint = json_string_value(json_object_get(reply, "error"));
    if (complaint)
        return pr_fail(err, PR_ERR_SCORER, "reports an error: %.300s", complaint);
    json_int_t i = json_is_integer(id) ? json_integer_value(id) : -1;
    if (i < b->first_id || i - b->first_id >= (json_int_t)b->n || b->answered[i - b->first_id])
        return nonsense(line, len, "the \"id\" of a request that waits for its score", err);
    double x = json_is_number(score) ? json_number_value(score) : NAN;
    if (!isfinite(x))
        return nonsense(line, len, "a finite number as \"score\"", err);
    b->scores[i - b->first_id] = x;
    b->answered[i - b->first_id] = true;
    b->n_open--;
    return PR_OK;
}

static pr_status_t take_line(batch_t *b, const char *line, size_t len, pr_error_t *err)
{
    json_t *reply = NULL;
    (void)pr_json_parse(line, len, "reply", &reply, NULL);
    pr_status_t status = json_is_object(reply)
                             ? take_reply(b, reply, line, len, err)
                             : nonsense(line, len, "a line of JSON such as {\"id\": 1, \"score\": 0.5}", err);
    json_decref(reply);
    return status;
}

static pr_status_t timed_out(const command_t *self, const batch_t *b, pr_error_t *err)
{
    const char *last = pr_program_stderr(self->program);
    return pr_fail(err, PR_ERR_TIMEOUT, "no reply within %g s (%zu of %zu samples wait)%s%s%s", self->timeout,
                   b->n_open, b->n, *last ? "; its last line on stderr: '" : "", last, *last ? "'" : "");
}

// Until all samples are answered or the program has ended (*ended).
static pr_status_t listen(command_t *self, batch_t *b, bool *ended, pr_error_t *err)
{
    double deadline = pr_time_monotonic() + self->timeout;
    *ended = false;
    while (b->n_open > 0) {
        const char *line;
        size_t len;
        pr_status_t status = pr_program_line(self->program, deadline, &line, &len, err);
        if (status == PR_ERR_TIMEOUT)
            return timed_out(self, b, err);
        if (status != PR_OK)
            return status;
        if (!line) {
            *ended = true;
            return PR_OK;
        }
        if (pr_text_strip(line, len).len == 0)
            continue;
        PR_TRY(take_line(b, line, len, err));
        deadline = pr_time_monotonic() + self->timeout;
    }
    return PR_OK;
}

static pr_status_t run_batch(command_t *self, batch_t *b, pr_error_t *err)
{
    for (int starts = 0; b->n_open > 0;) {
        bool ended;
        char how[600];
        if (!self->program) {
            PR_TRY(pr_program_start((const char *const *)self->argv, self->dir, &self->program, err));
            starts++;
        }
        send_open(self, b);
        PR_TRY(listen(self, b, &ended, err));
        if (!ended)
            continue;
        pr_program_stop(&self->program, DIE_SECONDS, how, sizeof how);
        if (starts > self->retries)
            return pr_fail(err, PR_ERR_SCORER, "%s %s, with %zu of %zu samples not scored (started %d times)",
                           self->argv[0], how, b->n_open, b->n, starts);
    }
    return PR_OK;
}

static pr_status_t command_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores,
                                 pr_error_t *err)
{
    command_t *self = o->self;
    batch_t b = {.samples = samples, .n = n, .n_open = n, .scores = scores};
    b.answered = pr_alloc(n, sizeof *b.answered);
    pr_status_t status = run_batch(self, &b, err);
    free(b.answered);
    if (status != PR_OK) // what it still may say belongs to this batch: the next starts with a fresh program
        pr_program_stop(&self->program, 0, NULL, 0);
    return status;
}

const pr_objective_type_t pr_objective_command = {
    .name = "command",
    .formula = "what the program answers",
    .range = "[lo, hi]",
    .help = "A program of yours. It is started once and kept: for each sample it reads a line {\"id\": 7, \"prompt\": "
            "\"...\", \"response\": \"...\"} (ASCII, \\u escapes) and writes a line {\"id\": 7, \"score\": 0.25} and "
            "flushes it; in any order. {\"id\": 7, \"error\": \"...\"} reports that it cannot. It ends when its input "
            "ends; a program that ends early is started again and asked for what is missing. Its group of processes is "
            "killed with the sweep. An empty response is sent like any other.",
    .options = options,
    .check = command_check,
    .open = command_open,
    .score = command_score,
    .close = command_close,
};
