// SPDX-License-Identifier: BSD-3-Clause
/* What evaluations found prompt by prompt, in the segments that their jobs wrote. */
#include "base/file.h"
#include "base/mem.h"
#include "sweeps/sweep_internal.h"

#include <stdlib.h>
#include <string.h>

/* Where the journal does not say it, all segments are looked through once. */
static bool find_place(pr_sweep_t *s, const char *dir, const pr_job_record_t *job, const char *id,
                       pr_segment_place_t *place)
{
    if (pr_fold_place(s->fold, job, place))
        return true;
    if (!s->segments && pr_segment_index_open(dir, &s->segments, NULL, NULL) != PR_OK)
        return false;
    return pr_segment_index_find(s->segments, id, pr_job_kind_evaluating()->name, place);
}

pr_status_t pr_sweep_read_evaluation(const pr_sweep_t *s, const pr_evaluation_t *e, pr_record_t *out, char **where,
                                     pr_error_t *err)
{
    char id[PR_HASH_HEX], *dir = pr_results_path(pr_sweep_dir(s), PR_FOLDER_EVALUATIONS);
    pr_segment_place_t place;
    pr_status_t status;
    *out = (pr_record_t){0};
    *where = NULL;
    pr_job_record_id(e->job, id);
    if (find_place((pr_sweep_t *)(uintptr_t)s, dir, e->job, id, &place)) {
        *where = pr_path_join(dir, place.file);
        status = pr_segment_read(dir, &place, id, pr_job_kind_evaluating()->name, out, err);
    } else {
        status = pr_fail(err, PR_ERR_NOT_FOUND, "%s: found no record of job %s", dir, id);
    }
    free(dir);
    return status;
}

pr_status_t pr_sweep_read_prompts(const pr_sweep_t *s, const pr_evaluation_t *e, double *out, pr_error_t *err)
{
    size_t k_n = (size_t)s->config->n_objectives, scored = (size_t)s->config->n_scored, n = (size_t)e->count;
    pr_record_t r;
    char *where;
    const void *scores;
    pr_status_t status = PR_OK;
    PR_GO(pr_sweep_read_evaluation(s, e, &r, &where, err));
    PR_GO(pr_record_section(&r, where, "scores", sizeof(double), n * scored, &scores, err));
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * k_n, (const double *)scores + i * scored, k_n * sizeof *out);
done:
    pr_record_clear(&r);
    free(where);
    return status;
}

pr_status_t pr_sweep_keep_prompts(const pr_sweep_t *s, pr_evaluation_t *e, pr_error_t *err)
{
    double *scores = pr_alloc((size_t)e->count * (size_t)s->config->n_objectives, sizeof *scores);
    pr_status_t status = e->prompt ? PR_OK : pr_sweep_read_prompts(s, e, scores, err);
    if (e->prompt || status != PR_OK)
        free(scores);
    else
        e->prompt = scores;
    return status;
}
