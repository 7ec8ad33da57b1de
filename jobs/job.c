// SPDX-License-Identifier: BSD-3-Clause
#include "jobs/job.h"
#include "base/mem.h"
#include "jobs/env.h"
#include "jobs/kind.h"

#include <stdlib.h>
#include <string.h>

json_t *pr_job_message(const char *id, const char *label, const json_t *inputs, const json_t *how, const json_t *made)
{
    return json_pack("{s:s, s:O, s:s, s:O, s:O, s:o}", "id", id, "kind", json_object_get(inputs, "kind"), "label",
                     label, "inputs", inputs, "how", how, "made",
                     made ? json_incref((json_t *)(uintptr_t)made) : json_object());
}

/* What travelled is what was asked for: the inputs of that identity. */
static pr_status_t read_message(const json_t *m, pr_job_t *out, const pr_job_kind_t **kind, pr_error_t *err)
{
    char found[PR_HASH_HEX];
    const char *name = json_string_value(json_object_get(json_object_get(m, "inputs"), "kind"));
    *out = (pr_job_t){.id = json_string_value(json_object_get(m, "id")),
                      .label = json_string_value(json_object_get(m, "label")),
                      .inputs = json_object_get(m, "inputs"),
                      .how = json_object_get(m, "how"),
                      .made = json_object_get(m, "made")};
    *kind = pr_job_kind(name);
    if (!*kind)
        return pr_fail(err, PR_ERR_UNSUPPORTED, "job kind \"%s\": found no such kind", name ? name : "");
    pr_json_hash(out->inputs, found);
    if (!out->id || strcmp(out->id, found) != 0)
        return pr_fail(err, PR_ERR_FORMAT, "job %s: found inputs of hash %s", out->id ? out->id : "without an id",
                       found);
    return PR_OK;
}

pr_status_t pr_job_run(pr_job_env_t *env, const json_t *message, const pr_job_hooks_t *hooks, json_t **result,
                       pr_error_t *err)
{
    pr_job_t job;
    const pr_job_kind_t *kind;
    PR_TRY(pr_job_env_load(env, err));
    PR_TRY(read_message(message, &job, &kind, err)); // the same on every rank
    return env->team->agree(env->team, kind->run(env, &job, hooks, result, err), err);
}
