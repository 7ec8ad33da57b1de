/* What evaluations found prompt by prompt, in their jobs' checkpoints. */
#include "base/mem.h"
#include "sweeps/sweep_internal.h"

#include <stdlib.h>
#include <string.h>

pr_status_t pr_sweep_read_evaluation(const char *path, const char *id, pr_checkpoint_t *out, pr_error_t *err)
{
    const char *job;
    PR_TRY(pr_checkpoint_read(path, pr_job_evaluate.name, out, err));
    PR_TRY(pr_json_get_string(out->meta, "job", "", &job, path, err));
    if (strcmp(job, id) != 0)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found the checkpoint of job %.40s", path, job);
    return PR_OK;
}

pr_status_t pr_sweep_read_prompts(const pr_sweep_t *s, const pr_evaluation_t *e, double *out, pr_error_t *err)
{
    size_t n = (size_t)e->count * (size_t)s->config->n_objectives;
    char id[PR_HASH_HEX];
    pr_job_record_id(e->job, id);
    char *path = pr_checkpoint_path(pr_sweep_dir(s), pr_job_evaluate.name, id);
    pr_checkpoint_t c = {0};
    const void *scores;
    pr_status_t status = PR_OK;
    PR_GO(pr_sweep_read_evaluation(path, id, &c, err));
    PR_GO(pr_checkpoint_section(&c, path, "scores", sizeof(double), n, &scores, err));
    memcpy(out, scores, n * sizeof *out);
done:
    pr_checkpoint_clear(&c);
    free(path);
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
