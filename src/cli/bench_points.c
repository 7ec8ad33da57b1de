// SPDX-License-Identifier: BSD-3-Clause
#include "cli/bench_points.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/layout.h"
#include "sweeps/sweep.h"

#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH = 64 }; // jobs that end together, as from as many workers

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static pr_status_t put(const char *dir, const char *folder, const char *name, const char *text, pr_error_t *err)
{
    char *at = pr_path_join(dir, folder), *path = pr_path_join(at, name);
    pr_status_t status = pr_mkdirs(at, err);
    if (status == PR_OK)
        status = pr_file_write(path, text, strlen(text), err);
    free(at);
    free(path);
    return status;
}

static const char *const adapters[] = {"a", "b", "c"};

/* The input files: only their hashes matter, as no job is really done. */
static pr_status_t make_inputs(const char *dir, pr_error_t *err)
{
    PR_TRY(put(dir, "model", "model.safetensors", "x", err));
    for (size_t i = 0; i < 3; i++) {
        PR_TRY(put(dir, adapters[i], "adapter_config.json", "{}", err));
        PR_TRY(put(dir, adapters[i], "adapter_model.safetensors", adapters[i], err));
    }
    return put(dir, ".", "eval.jsonl", "{\"prompt\": \"x\"}\n", err);
}

static pr_status_t make_config(const char *dir, size_t n, pr_config_t **out, pr_error_t *err)
{
    pr_buf_t b = {0};
    char *path = pr_path_join(dir, PR_FILE_CONFIG);
    long m = lround(sqrt(2.0 * (double)n + 0.25) - 1.5); // (m+1)(m+2)/2 points
    pr_buf_printf(
        &b, "name = \"bench\"; model = \"model\"; results = \"%s/results\"; prompts = { eval = \"eval.jsonl\"; };\n",
        dir);
    pr_buf_puts(&b,
                "objectives = ( { name = \"brevity\"; adapter = \"a\"; }, { name = \"empathy\"; adapter = \"b\"; }, "
                "{ name = \"distinct\"; adapter = \"c\"; } );\n");
    pr_buf_printf(&b, "search = { type = \"grid\"; divisions = %ld; };\n", m > 1 ? m : 1);
    pr_status_t status = pr_config_parse(b.data, path, NULL, 0, out, err);
    free(path);
    pr_buf_free(&b);
    return status;
}

/* in: for as long as the sweep. */
static pr_status_t open_sweep(const pr_config_t *c, pr_inputs_t *in, pr_sweep_t **out, double *seconds, pr_error_t *err)
{
    static const double lo[PR_MAX_OBJECTIVES], hi[PR_MAX_OBJECTIVES] = {1, 1, 1};
    double begin = pr_time_monotonic();
    pr_status_t status = pr_inputs_read(c, in, err);
    if (status == PR_OK)
        status = pr_sweep_open(c, in, BATCH, lo, hi, NULL, false, out, err);
    *seconds = pr_time_monotonic() - begin;
    return status;
}

/* Wavy, so that most points are dominated. */
static double made_up(const json_t *weight)
{
    double w = json_number_value(weight);
    return w * (0.5 + 0.5 * cos(9 * w));
}

/* What a job of the point would answer. */
static json_t *answer(const json_t *message)
{
    json_t *mean = json_array(),
           *parts = json_object_get(json_object_get(json_object_get(message, "inputs"), "policy"), "parts");
    for (size_t k = 0; k < 3; k++)
        json_array_append_new(mean, pr_json_real(made_up(json_array_get(json_array_get(parts, k), 2))));
    return json_pack("{s:o, s:[o,o,o], s:i, s:i, s:o}", "mean", mean, "se", pr_json_real(0.0123456789),
                     pr_json_real(0.0123456789), pr_json_real(0.0123456789), "n", 1, "tokens", 1234, "seconds",
                     pr_json_real(0.0123456789));
}

/* Gives up to BATCH jobs and ends them; *n: how many there were. */
static pr_status_t one_batch(pr_sweep_t *s, size_t *n, pr_error_t *err)
{
    json_t *message[BATCH];
    pr_who_t who = {1, "host"};
    pr_status_t status = PR_OK;
    for (*n = 0; *n < BATCH && pr_sweep_next(s, &message[*n]) == PR_NEXT_JOB; ++*n)
        ;
    for (size_t i = 0; i < *n; i++) {
        const char *id = json_string_value(json_object_get(message[i], "id"));
        json_t *result = answer(message[i]);
        if (status == PR_OK)
            status = pr_sweep_started(s, id, &who, err);
        if (status == PR_OK)
            status = pr_sweep_finished(s, id, &who, PR_OK, "", result, err);
        json_decref(result);
        json_decref(message[i]);
    }
    return status == PR_OK ? pr_sweep_commit(s, err) : status;
}

static double peak_mib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

static pr_status_t first_run(const pr_config_t *c, pr_bench_points_t *out, pr_error_t *err)
{
    pr_sweep_t *s = NULL;
    pr_inputs_t in;
    pr_status_t status = open_sweep(c, &in, &s, &out->open_seconds, err);
    double begin = pr_time_monotonic();
    for (size_t n = 1; status == PR_OK && n > 0; out->points += n)
        status = one_batch(s, &n, err);
    out->run_seconds = pr_time_monotonic() - begin;
    if (status == PR_OK)
        status = pr_sweep_end(s, false, err);
    out->run_mib = peak_mib();
    pr_sweep_free(&s);
    pr_inputs_clear(&in);
    return status;
}

static pr_status_t second_run(const pr_config_t *c, pr_bench_points_t *out, pr_error_t *err)
{
    pr_sweep_t *s = NULL;
    pr_inputs_t in;
    pr_status_t status = open_sweep(c, &in, &s, &out->resume_seconds, err);
    out->resume_mib = peak_mib();
    pr_sweep_free(&s);
    pr_inputs_clear(&in);
    return status;
}

typedef pr_status_t (*pr_part_t)(const pr_config_t *c, pr_bench_points_t *out, pr_error_t *err);

/* What a part found, from the process that did it. */
typedef struct pr_part_report {
    pr_status_t status;
    pr_error_t err;
    pr_bench_points_t figures;
} pr_part_report_t;

/* Does a part in a process of its own. */
static pr_status_t apart(pr_part_t part, const pr_config_t *c, pr_bench_points_t *figures, pr_error_t *err)
{
    int fd[2];
    pr_part_report_t r = {.figures = *figures};
    if (pipe(fd) != 0)
        return pr_fail(err, PR_ERR_ENV, "cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        r.status = part(c, &r.figures, &r.err);
        _exit(write(fd[1], &r, sizeof r) == (ssize_t)sizeof r ? 0 : 1);
    }
    close(fd[1]);
    size_t got = 0;
    for (ssize_t n = 1; pid > 0 && n > 0 && got<sizeof r; got += n> 0 ? (size_t)n : 0)
        n = read(fd[0], (char *)&r + got, sizeof r - got);
    close(fd[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    if (pid < 0 || got < sizeof r)
        return pr_fail(err, PR_ERR_ENV, "the process that was to try many points ended early");
    *figures = r.figures;
    return r.status == PR_OK ? PR_OK : pr_fail(err, r.status, "%s", r.err.text);
}

pr_status_t pr_bench_points(size_t n, pr_bench_points_t *out, pr_error_t *err)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = pr_path_join(tmp && *tmp ? tmp : "/tmp", "paretorank-bench-XXXXXX");
    pr_config_t *c = NULL;
    pr_status_t status = PR_OK;
    *out = (pr_bench_points_t){0};
    if (!mkdtemp(dir))
        PR_GO(pr_fail(err, PR_ERR_IO, "%s: cannot make a directory", dir));
    PR_GO(make_inputs(dir, err));
    PR_GO(make_config(dir, n, &c, err));
    PR_GO(apart(first_run, c, out, err));
    PR_GO(apart(second_run, c, out, err));
done:
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    pr_config_free(&c);
    free(dir);
    return status;
}
