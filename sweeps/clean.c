// SPDX-License-Identifier: BSD-3-Clause
#include "sweeps/clean.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "config/config.h"
#include "jobs/artifact.h"
#include "store/journal.h"
#include "store/results.h"
#include "sweeps/sweep_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the journal says. */
typedef struct pr_clean_fold {
    json_t *trained; // trajectory of a checkpoint -> list of the jobs of it that are done
    json_t *tables;  // the last "tables" line
    char state[32];
} pr_clean_fold_t;

static pr_status_t fold(void *self, const char *event, const json_t *line, pr_error_t *err)
{
    pr_clean_fold_t *f = self;
    const json_t *result = json_object_get(line, "result");
    const char *id = json_string_value(json_object_get(line, "job")),
               *checkpoint = json_string_value(json_object_get(result, "checkpoint")),
               *state = json_string_value(json_object_get(line, "state"));
    (void)err;
    if (strcmp(event, "sweep_start") == 0)
        snprintf(f->state, sizeof f->state, "stopped");
    if (strcmp(event, "sweep_end") == 0)
        snprintf(f->state, sizeof f->state, "%s", state ? state : "");
    if (strcmp(event, "tables") == 0)
        pr_journal_keep(&f->tables, line);
    if (id && checkpoint && strcmp(event, "job_done") == 0) {
        json_t *jobs = json_object_get(f->trained, checkpoint);
        if (!jobs)
            json_object_set_new(f->trained, checkpoint, jobs = json_array());
        json_array_append_new(jobs, json_string(id));
    }
    return PR_OK;
}

/* Finished, and with every table as it was written. */
static bool is_finished(const char *dir, const pr_clean_fold_t *f)
{
    return strcmp(f->state, "finished") == 0 && pr_sweep_tables_stand(dir, f->tables);
}

/* Does a later run of the sweep read the prompts' scores of its points whatever happens? */
static pr_status_t check_evaluations(const char *dir, const pr_clean_fold_t *f, bool finished, pr_error_t *err)
{
    char *path = pr_results_path(dir, PR_FILE_CONFIG);
    pr_config_t *c = NULL;
    pr_status_t status = PR_OK;
    if (!finished)
        PR_GO(pr_fail(err, PR_ERR_USAGE,
                      "%s: the sweep is not finished (state: %s), or a table is not what it wrote: the results of its "
                      "points, prompt by prompt, are still needed",
                      dir, f->state[0] ? f->state : "none"));
    PR_GO(pr_config_read(path, NULL, 0, &c, err));
    for (int i = 0; i < c->n_searches; i++)
        if (c->search[i].n_fidelity > 0)
            PR_GO(
                pr_fail(err, PR_ERR_USAGE,
                        "%s: search '%s' has fidelity: it compares points by their prompts' own scores, so a later run "
                        "needs its points' results, prompt by prompt",
                        dir, c->search[i].name));
done:
    pr_config_free(&c);
    free(path);
    return status;
}

/* ---- the files ---- */

typedef struct pr_cleaner {
    const char *dir;
    const pr_clean_fold_t *f;
    char *cells;    // cells.csv of a finished sweep, which names its jobs; NULL: not finished
    json_t *needed; // segments that hold a record of one
    bool evaluations, dry;
    pr_clean_t *out;
} pr_cleaner_t;

/* Is what the jobs of a checkpoint left there, and whole? Then it has nothing to give to them. */
static bool artifacts_are_there(const pr_cleaner_t *c, pr_artifact_kind_t kind, const char *checkpoint)
{
    size_t i;
    const json_t *jobs = json_object_get(c->f->trained, checkpoint), *job;
    bool good = json_array_size(jobs) > 0;
    json_array_foreach(jobs, i, job)
    {
        bool known = false;
        char *path = pr_artifact_path(c->dir, kind, json_string_value(job));
        good = good && pr_artifact_check(path, &known, NULL) == PR_OK && known;
        free(path);
    }
    return good;
}

/* PR_CLEAN_KINDS: it stays. */
static pr_clean_kind_t kind_of(const pr_cleaner_t *c, const char *name)
{
    char id[PR_HASH_HEX];
    size_t n;
    const pr_job_kind_t *const *kinds = pr_job_kinds(&n);
    for (size_t i = 0; i < n; i++)
        if (pr_checkpoint_name(name, kinds[i]->name, id))
            return artifacts_are_there(c, kinds[i]->artifact, id) ? PR_CLEAN_TUNED
                   : c->cells                                     ? PR_CLEAN_LEFT
                                                                  : PR_CLEAN_KINDS;
    return PR_CLEAN_KINDS;
}

/* A segment goes when none of its records is a point's; or all points' are to go. */
static pr_clean_kind_t kind_of_segment(const pr_cleaner_t *c, const char *name)
{
    if (!c->cells) // with fidelity cells.csv does not name all; then c->cells is not asked for
        return PR_CLEAN_KINDS;
    if (!json_object_get(c->needed, name))
        return PR_CLEAN_LEFT;
    return c->evaluations ? PR_CLEAN_EVALUATION : PR_CLEAN_KINDS;
}

static pr_status_t note_record(void *self, const char *id, const char *kind, const json_t *meta,
                               const pr_segment_place_t *place, pr_error_t *err)
{
    pr_cleaner_t *c = self;
    (void)kind, (void)meta, (void)err;
    if (strstr(c->cells, id))
        json_object_set_new(c->needed, place->file, json_true());
    return PR_OK;
}

static pr_status_t clean_file(void *self, const pr_results_file_t *f, pr_error_t *err)
{
    pr_cleaner_t *c = self;
    pr_clean_kind_t kind = pr_results_is_temporary(f->name)            ? PR_CLEAN_TEMPORARY
                           : strcmp(f->in, PR_FOLDER_CHECKPOINTS) == 0 ? kind_of(c, f->name)
                           : strcmp(f->in, PR_FOLDER_EVALUATIONS) == 0 ? kind_of_segment(c, f->name)
                                                                       : PR_CLEAN_KINDS;
    if (kind == PR_CLEAN_KINDS)
        return PR_OK;
    if (!c->dry && unlinkat(f->folder, f->name, 0) != 0 && errno != ENOENT)
        return pr_fail(err, PR_ERR_IO, "%s: %s: cannot delete: %s", c->dir, f->name, strerror(errno));
    c->out->files[kind]++;
    c->out->bytes[kind] += f->bytes;
    return PR_OK;
}

static bool has_fidelity(const char *dir)
{
    char *path = pr_results_path(dir, PR_FILE_CONFIG);
    pr_config_t *c = NULL;
    bool has =
        pr_config_read(path, NULL, 0, &c, NULL) != PR_OK || pr_sweep_any_fidelity(c); // who cannot tell keeps all
    pr_config_free(&c);
    free(path);
    return has;
}

static pr_status_t clean(pr_cleaner_t *c, pr_error_t *err)
{
    size_t n;
    char *path = pr_results_path(c->dir, PR_FILE_CELLS);
    pr_status_t status = PR_OK;
    char *segments = pr_results_path(c->dir, PR_FOLDER_EVALUATIONS);
    c->needed = json_object();
    if (c->out->finished && !has_fidelity(c->dir))
        status = pr_file_read(path, 0, &c->cells, &n, err);
    if (status == PR_OK && c->cells)
        status = pr_segment_scan(segments, note_record, c, NULL, err);
    if (status == PR_OK)
        status = pr_results_each_file(c->dir, clean_file, c, err);
    json_decref(c->needed);
    free(c->cells);
    free(segments);
    free(path);
    return status;
}

pr_status_t pr_sweep_clean(const char *dir, bool evaluations, bool dry, pr_clean_t *out, pr_error_t *err)
{
    pr_results_t *r = NULL;
    pr_clean_fold_t f = {.trained = json_object()};
    char *journal = pr_results_path(dir, PR_FILE_JOURNAL);
    pr_cleaner_t c = {.dir = dir, .f = &f, .evaluations = evaluations, .dry = dry, .out = out};
    pr_status_t status;
    *out = (pr_clean_t){0};
    PR_GO(pr_results_hold(dir, &r, err));
    PR_GO(pr_journal_read(journal, fold, &f, NULL, err));
    if (!f.state[0])
        PR_GO(pr_fail(err, PR_ERR_FORMAT, "%s: tells of no sweep, so that nothing here is known to be done", journal));
    out->finished = is_finished(dir, &f);
    if (evaluations)
        PR_GO(check_evaluations(dir, &f, out->finished, err));
    PR_GO(clean(&c, err));
done:
    pr_results_close(&r);
    json_decref(f.trained);
    json_decref(f.tables);
    free(journal);
    return status;
}
