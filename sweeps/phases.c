// SPDX-License-Identifier: BSD-3-Clause
#include "sweeps/phases.h"
#include "sweeps/inputs.h"

static bool same_shape(const pr_team_config_t *a, const pr_team_config_t *b)
{
    return a->rows == b->rows && a->cols == b->cols;
}

int pr_sweep_phases(const pr_config_t *c, pr_phase_spec_t out[PR_MAX_PHASES])
{
    if (!pr_sweep_trains(c) || same_shape(&c->finetune.team, &c->evaluate.team)) {
        out[0] = (pr_phase_spec_t){PR_PHASE_ALL, "evaluate", c->evaluate.team};
        return 1;
    }
    out[0] = (pr_phase_spec_t){PR_PHASE_TUNE, "finetune", c->finetune.team};
    out[1] = (pr_phase_spec_t){PR_PHASE_EVALUATE, "evaluate", c->evaluate.team};
    return 2;
}

int pr_team_count(const pr_team_config_t *t, int ranks, int *idle)
{
    int size = t->rows * t->cols, workers = ranks > 1 ? ranks - 1 : 1;
    if (idle)
        *idle = workers % size;
    return workers / size;
}

pr_status_t pr_sweep_check_ranks(const pr_config_t *c, int ranks, pr_error_t *err)
{
    pr_phase_spec_t phase[PR_MAX_PHASES];
    int n = pr_sweep_phases(c, phase);
    for (int i = 0; i < n; i++) {
        const pr_team_config_t *t = &phase[i].team;
        if (pr_team_count(t, ranks, NULL) == 0)
            return pr_fail(err, PR_ERR_CONFIG,
                           "%s: %s.team: found %d rank%s, expected %d or more: %d x %d that work together and one that "
                           "schedules",
                           c->path, phase[i].key, ranks, ranks == 1 ? "" : "s", 1 + t->rows * t->cols, t->rows,
                           t->cols);
    }
    return PR_OK;
}
