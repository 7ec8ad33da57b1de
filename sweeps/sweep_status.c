// SPDX-License-Identifier: BSD-3-Clause
/* The state of a sweep as its journal tells it, for other shells. */
#include "base/file.h"
#include "base/mem.h"
#include "report/text.h"
#include "store/journal.h"
#include "store/results.h"
#include "sweeps/sweep_internal.h"

#include <stdlib.h>
#include <string.h>

/* What a run that was killed left without an end. */
static json_t *killed_json(const pr_fold_t *f, double now)
{
    json_t *list = json_array(), *start;
    const char *id;
    json_object_foreach(f->open, id, start)
    {
        const pr_job_record_t *r = pr_fold_find(f, id);
        json_t *job = json_pack("{s:s}", "job", id);
        static const char *const keys[] = {"label", "kind", "rank", "host", "attempt"};
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            json_object_set(job, keys[i], json_object_get(start, keys[i])); // a missing key is not set
        if (r && r->made && r->made->step > 0)
            json_object_set_new(job, "step", json_integer(r->made->step));
        json_array_append_new(list, job);
    }
    char *names = pr_fold_names(f);
    json_t *text = pr_text_json_string(names, strlen(names));
    free(names);
    return json_pack("{s:o, s:o, s:o}", "last_line_age", pr_json_real(now - f->at), "without_end", list, "names", text);
}

static pr_status_t nothing_started(const char *dir, const char *damage, pr_error_t *err)
{
    char what[256];
    if (damage[0])
        return pr_fail(err, PR_ERR_FORMAT, "%s/" PR_FILE_JOURNAL ": %s; no line of it tells of a sweep", dir, damage);
    if (pr_results_has_work(dir, what, sizeof what))
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s/" PR_FILE_JOURNAL
                       ": tells of no sweep, but %s is there: put the journal back, or move the results "
                       "away to begin anew",
                       dir, what);
    if (!pr_dir_exists(dir))
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: no such directory", dir);
    return pr_fail(err, PR_ERR_NOT_FOUND, "%s: no sweep has been started in this directory", dir);
}

static json_t *details_json(const pr_fold_t *f, const pr_journal_stats_t *stats, const char *damage,
                            const pr_progress_t *progress)
{
    json_t *d = json_pack("{s:s, s:s, s:i, s:o, s:O, s:O, s:I}", "name", f->name, "state", f->state, "starts",
                          f->starts, "progress", pr_progress_json(progress), "searches", f->searches, "failures",
                          f->failures, "skipped_lines", (json_int_t)stats->skipped);
    json_t *warnings = json_object_get(f->tables, "warnings");
    if (damage[0])
        json_object_set_new(d, "damage", json_string(damage));
    if (json_array_size(warnings) > 0)
        json_object_set(d, "warnings", warnings);
    return d;
}

pr_status_t pr_sweep_status(const char *dir, double now, pr_progress_t *progress, json_t **details, pr_error_t *err)
{
    pr_fold_t *f = pr_fold_new(0);
    pr_journal_stats_t stats;
    char damage[256], *path = pr_results_path(dir, PR_FILE_JOURNAL), *names = NULL;
    json_t *killed = NULL;
    pr_status_t status = pr_journal_read(path, pr_fold_line, f, &stats, err);
    pr_journal_damage(&stats, damage, sizeof damage);
    if (status == PR_OK && !f->state[0])
        status = nothing_started(dir, damage, err);
    if (status == PR_OK)
        status = pr_sweep_check_layout(dir, f, err);
    if (status == PR_OK) {
        // A run that says it runs and holds no lock has been killed.
        bool live = f->running && pr_results_locked(dir, NULL, 0);
        if (f->running && !live) {
            killed = killed_json(f, now);
            pr_fold_ended(f, &names);
        }
        pr_fold_progress(f, live, now, progress);
        *details = details_json(f, &stats, damage, progress);
        if (killed)
            json_object_set_new(*details, "killed", killed);
    }
    free(names);
    free(path);
    pr_fold_free(&f);
    return status;
}
