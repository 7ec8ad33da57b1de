// SPDX-License-Identifier: BSD-3-Clause
/* A user's program as an objective: requests on its standard input, replies on its standard output, a JSON object per
 * line. What is asked is cut into lines of `batch` samples, in order, and line i goes to copy i modulo `copies`: who scores
 * what beside what follows from the samples alone, and from neither how fast the copies are nor how many. */
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

typedef struct copy {
    pr_program_t *program; // NULL: not running
    bool flushes;          // it has answered all that it was asked before
    int starts;            // in this call
    size_t open;           // lines of this call that it has not answered
    int64_t first_id;      // its k-th line of this call has the id first_id + k
    double deadline;       // for its next answer
} copy_t;

typedef struct command {
    char **argv;
    char *dir;
    double timeout;
    int retries;
    bool trim;
    size_t per_line; // samples on a line
    int n_copy;
    copy_t *copy;    // [n_copy]
    int64_t next_id; // never used twice, so that a late reply cannot be taken for another line's
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
     .help = "how often a copy is started again within one call when it ends early, once it has ever answered: what "
             "fails on its very first sample is not tried again"},
    {.key = "batch",
     .kind = PR_OPT_INT,
     .dflt = "1",
     .min = 1,
     .max = 4096,
     .incidental = true,
     .help = "samples per line, at most. From 2 on a request is {\"id\": 7, \"samples\": [{\"prompt\": \"...\", "
             "\"response\": \"...\"}, ...]}, the last of a call with fewer, and the reply {\"id\": 7, \"scores\": "
             "[0.25, ...]}, a number per sample in their order"},
    {.key = "copies",
     .kind = PR_OPT_INT,
     .dflt = "1",
     .min = 1,
     .max = PR_MAX_PROGRAMS,
     .incidental = true,
     .help = "processes of it per team of ranks, to which lines are dealt in turn"},
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

static pr_status_t command_bounds(const json_t *opt, const char *dir, double *lo, double *hi, pr_error_t *err)
{
    (void)dir, (void)err;
    *lo = pr_option_given(opt, "lo") ? pr_option_real(opt, "lo") : -INFINITY;
    *hi = pr_option_given(opt, "hi") ? pr_option_real(opt, "hi") : INFINITY;
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
    self->per_line = (size_t)pr_option_int(opt, "batch");
    self->n_copy = pr_option_int(opt, "copies");
    self->copy = pr_alloc((size_t)self->n_copy, sizeof *self->copy);
    return PR_OK;
}

/* Together, so that they leave in the time of one. */
static void stop_all(command_t *self, double grace)
{
    for (int c = 0; c < self->n_copy; c++)
        if (self->copy[c].program)
            pr_program_end_input(self->copy[c].program);
    for (int c = 0; c < self->n_copy; c++) {
        pr_program_stop(&self->copy[c].program, grace, NULL, 0);
        self->copy[c].flushes = false;
    }
}

static void command_close(pr_objective_t *o)
{
    command_t *self = o->self;
    stop_all(self, LEAVE_SECONDS);
    free(self->copy);
    for (char **a = self->argv; *a; a++)
        free(*a);
    free(self->argv);
    free(self->dir);
    free(self);
}

/* ---- a call ---- */
typedef struct call {
    const pr_sample_t *samples;
    size_t n, n_line, per_line;
    bool *answered; // [n_line]
    size_t n_open;  // samples of those that are not
    double *scores; // [n]
    bool scored;    // any sample, in this call or before
} call_t;

/* The samples of a line: from first, returns how many. */
static size_t line_of(const call_t *call, size_t line, size_t *first)
{
    *first = line * call->per_line;
    return call->n - *first < call->per_line ? call->n - *first : call->per_line;
}

static json_t *clean_text(const char *s, size_t len)
{
    size_t n;
    char *clean = pr_utf8_clean(s, len, &n);
    json_t *text = json_stringn(clean, n);
    free(clean);
    return text;
}

static json_t *sample_json(const command_t *self, const pr_sample_t *s)
{
    pr_span_t response = pr_text_trimmed(s->response, s->response_len, self->trim);
    return json_pack("{s:o, s:o}", "prompt", clean_text(s->prompt, strlen(s->prompt)), "response",
                     clean_text(response.s, response.len));
}

static void add_request(const command_t *self, copy_t *c, int64_t id, const call_t *call, size_t line)
{
    size_t first, n = line_of(call, line, &first);
    json_t *request = json_pack("{s:I}", "id", (json_int_t)id);
    if (self->per_line > 1) {
        json_t *list = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(list, sample_json(self, &call->samples[first + i]));
        json_object_set_new(request, "samples", list);
    } else {
        json_t *sample = sample_json(self, &call->samples[first]);
        json_object_update(request, sample);
        json_decref(sample);
    }
    char *text = pr_json_text(request, JSON_COMPACT | JSON_ENSURE_ASCII);
    pr_program_send(c->program, text, strlen(text));
    pr_program_send(c->program, "\n", 1);
    free(text);
    json_decref(request);
}

/* All lines of a copy that are not answered. */
static void send_open(command_t *self, int copy, const call_t *call)
{
    copy_t *c = &self->copy[copy];
    c->first_id = self->next_id;
    c->deadline = pr_time_monotonic() + self->timeout;
    for (size_t line = (size_t)copy; line < call->n_line; line += (size_t)self->n_copy, self->next_id++)
        if (!call->answered[line])
            add_request(self, c, self->next_id, call, line);
}

static pr_status_t nonsense(const char *line, size_t len, const char *expected, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_SCORER, "answered '%.*s', expected %s", (int)(len < 200 ? len : 200), line, expected);
}

/* false: not a finite number. */
static bool take_number(const json_t *v, double *out)
{
    *out = json_is_number(v) ? json_number_value(v) : NAN;
    return isfinite(*out);
}

/* The scores of one line into out [n]. */
static pr_status_t take_scores(const command_t *self, const json_t *reply, size_t n, double *out, const char *text,
                               size_t len, pr_error_t *err)
{
    const json_t *list = json_object_get(reply, "scores");
    char expected[80];
    if (self->per_line == 1)
        return take_number(json_object_get(reply, "score"), out)
                   ? PR_OK
                   : nonsense(text, len, "a finite number as \"score\"", err);
    bool good = json_is_array(list) && json_array_size(list) == n;
    for (size_t i = 0; i < n && good; i++)
        good = take_number(json_array_get(list, i), &out[i]);
    snprintf(expected, sizeof expected, "a list of %zu finite number%s as \"scores\"", n, n == 1 ? "" : "s");
    return good ? PR_OK : nonsense(text, len, expected, err);
}

static pr_status_t take_reply(command_t *self, int copy, call_t *call, const json_t *reply, const char *text,
                              size_t len, pr_error_t *err)
{
    copy_t *c = &self->copy[copy];
    const json_t *id = json_object_get(reply, "id");
    const char *complaint = json_string_value(json_object_get(reply, "error"));
    if (complaint)
        return pr_fail(err, PR_ERR_SCORER, "reports an error: %.300s", complaint);
    json_int_t k = json_is_integer(id) ? json_integer_value(id) - c->first_id : -1;
    size_t line = k < 0 || (size_t)k >= call->n_line ? call->n_line : (size_t)copy + (size_t)k * (size_t)self->n_copy;
    if (line >= call->n_line || call->answered[line])
        return nonsense(text, len, "the \"id\" of a request that waits for its answer", err);
    size_t first, n = line_of(call, line, &first);
    PR_TRY(take_scores(self, reply, n, call->scores + first, text, len, err));
    call->answered[line] = call->scored = true;
    call->n_open -= n;
    c->open--;
    return PR_OK;
}

static pr_status_t take_line(command_t *self, int copy, call_t *call, const char *text, size_t len, pr_error_t *err)
{
    json_t *reply = NULL;
    (void)pr_json_parse(text, len, "reply", &reply, NULL);
    pr_status_t status =
        json_is_object(reply)
            ? take_reply(self, copy, call, reply, text, len, err)
            : nonsense(text, len,
                       self->per_line > 1 ? "a line of JSON such as {\"id\": 1, \"scores\": [0.5, 0.25]}"
                                          : "a line of JSON such as {\"id\": 1, \"score\": 0.5}",
                       err);
    json_decref(reply);
    return status;
}

/* A program that was answered all its questions before is one that flushes. */
static pr_status_t timed_out(const command_t *self, const copy_t *c, const call_t *call, pr_error_t *err)
{
    const char *last = pr_program_stderr(c->program);
    return pr_fail(err, PR_ERR_TIMEOUT, "no reply within %g s (%zu of %zu samples wait%s)%s%s%s", self->timeout,
                   call->n_open, call->n, c->flushes ? "" : "; does it flush its output?",
                   *last ? "; its last line on stderr: '" : "", last, *last ? "'" : "");
}

/* The copy whose turn ends first, of those that are asked. */
static copy_t *first_due(const command_t *self)
{
    copy_t *due = NULL;
    for (int c = 0; c < self->n_copy; c++)
        if (self->copy[c].open > 0 && (!due || self->copy[c].deadline < due->deadline))
            due = &self->copy[c];
    return due;
}

/* The next answer of any copy, or its end (*text NULL). last: who answered before. */
static pr_status_t next_line(command_t *self, const call_t *call, int last, int *copy, const char **text, size_t *len,
                             pr_error_t *err)
{
    pr_program_t *asked[PR_MAX_PROGRAMS];
    int who[PR_MAX_PROGRAMS], n = 0, which = 0;
    const copy_t *due = first_due(self);
    for (int c = 0; c < self->n_copy; c++)
        if (self->copy[c].open > 0) {
            if (c <= last)
                which = n;
            who[n] = c;
            asked[n++] = self->copy[c].program;
        }
    pr_status_t status = pr_programs_line(asked, n, due->deadline, &which, text, len, err);
    *copy = who[which];
    return status == PR_ERR_TIMEOUT ? timed_out(self, due, call, err) : status;
}

static pr_status_t start(command_t *self, int copy, const call_t *call, pr_error_t *err)
{
    copy_t *c = &self->copy[copy];
    if (!c->program) {
        PR_TRY(pr_program_start((const char *const *)self->argv, self->dir, &c->program, err));
        c->flushes = false;
        c->starts++;
    }
    send_open(self, copy, call);
    return PR_OK;
}

/* It ended early: once more, or what to say. What never answered is wrong from the start. */
static pr_status_t start_again(command_t *self, int copy, const call_t *call, pr_error_t *err)
{
    copy_t *c = &self->copy[copy];
    char how[600];
    pr_program_stop(&c->program, DIE_SECONDS, how, sizeof how);
    if (!call->scored)
        return pr_fail(err, PR_ERR_SCORER, "%s %s", self->argv[0], how);
    if (c->starts > self->retries)
        return pr_fail(err, PR_ERR_SCORER, "%s %s, with %zu of %zu samples not scored (started %d time%s)",
                       self->argv[0], how, call->n_open, call->n, c->starts, c->starts == 1 ? "" : "s");
    return start(self, copy, call, err);
}

static pr_status_t run_call(command_t *self, call_t *call, pr_error_t *err)
{
    for (int c = 0; c < self->n_copy; c++) {
        size_t at = (size_t)c, copies = (size_t)self->n_copy;
        self->copy[c].starts = 0;
        self->copy[c].open = call->n_line > at ? (call->n_line - at + copies - 1) / copies : 0;
        if (self->copy[c].open > 0)
            PR_TRY(start(self, c, call, err));
    }
    for (int copy = self->n_copy - 1; call->n_open > 0;) {
        const char *text;
        size_t len;
        PR_TRY(next_line(self, call, copy, &copy, &text, &len, err));
        if (!text) {
            PR_TRY(start_again(self, copy, call, err));
        } else if (pr_text_strip(text, len).len > 0) {
            PR_TRY(take_line(self, copy, call, text, len, err));
            self->copy[copy].deadline = pr_time_monotonic() + self->timeout;
        }
    }
    for (int c = 0; c < self->n_copy; c++)
        self->copy[c].flushes = self->copy[c].flushes || self->copy[c].program;
    return PR_OK;
}

static pr_status_t command_score(pr_objective_t *o, const pr_sample_t *samples, size_t n, double *scores,
                                 pr_error_t *err)
{
    command_t *self = o->self;
    call_t call = {
        .samples = samples, .n = n, .n_open = n, .per_line = self->per_line, .scores = scores, .scored = o->scored};
    call.n_line = (n + self->per_line - 1) / self->per_line;
    call.answered = pr_alloc(call.n_line, sizeof *call.answered);
    pr_status_t status = run_call(self, &call, err);
    free(call.answered);
    if (status != PR_OK) {
        o->scored = call.scored;
        if (!o->scored)
            status = pr_objective_never_scored(err);
        stop_all(self, 0); // what they still may say belongs to this call: the next starts with fresh programs
    }
    return status;
}

const pr_objective_type_t pr_objective_command = {
    .name = "command",
    .formula = "what the program answers",
    .range = "[lo, hi]",
    .help =
        "A program of yours. It is started once and kept: for each sample it reads a line {\"id\": 7, \"prompt\": "
        "\"...\", \"response\": \"...\"} (ASCII, \\u escapes) and writes a line {\"id\": 7, \"score\": 0.25} and "
        "flushes it; in any order. With `batch` a line has several samples. {\"id\": 7, \"error\": \"...\"} reports "
        "that it cannot. It ends when its input ends; a program that ends early is started again and asked for what "
        "is missing. Its group of processes is killed with the sweep. An empty response is sent like any other. "
        "Programs to start from are in examples/.",
    .options = options,
    .check = command_check,
    .bounds = command_bounds,
    .open = command_open,
    .score = command_score,
    .close = command_close,
};
