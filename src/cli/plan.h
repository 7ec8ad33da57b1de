// SPDX-License-Identifier: BSD-3-Clause
/* What a sweep would run, found out without running any of it: every input is opened and checked that can be checked
 * before an allocation is spent. */
#ifndef PR_CLI_PLAN_H
#define PR_CLI_PLAN_H

#include "config/config.h"
#include "jobs/memory.h"
#include "model/config.h"
#include "sweeps/changes.h"
#include "sweeps/inputs.h"
#include "sweeps/phases.h"
#include "tokenizer/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PR_PLAN_LEVELS = 64,
    PR_PLAN_RANK = 23 << 20 // bytes of a rank that does nothing: the program with its libraries and MPI's buffers
};

typedef struct pr_plan_search {
    int levels; // entries of points
    int64_t points[PR_PLAN_LEVELS];
    bool proposed;   // no budget is given: it is the strategy's own
    int64_t total;   // points of one set of experts, at most
    int64_t prompts; // of all their evaluations, at most
} pr_plan_search_t;

/* What a reward head will be fitted on. */
typedef struct pr_plan_fit {
    int objective;
    bool pairs;
    int samples, held_out;
} pr_plan_fit_t;

/* Trainings of the same settings that are asked for in the same way. */
typedef struct pr_plan_training {
    const char *policy; // its name; NULL: of the experts that searches share by default
    const pr_finetune_config_t *set;
    const pr_sweep_policy_t *of; // one that asks for it, of this search
    int search;
    pr_trains_t makes;
    bool per_point;       // one for each point, so that their number is the most that it can be
    int64_t jobs, tokens; // tokens: new ones, at most
} pr_plan_training_t;

typedef struct pr_plan {
    const pr_config_t *config;
    pr_model_config_t model;
    int have_model;            // model is to be cleared
    pr_tokenizer_t *tokenizer; // of the model; NULL before it is loaded
    pr_inputs_t inputs;        // sketched
    pr_job_sizes_t sizes;      // of the adapters that objectives bring, and of the next two
    pr_prompts_size_t texts[2];
    pr_samples_size_t samples[PR_MAX_OBJECTIVES];
    size_t file_bytes;
    int64_t params, given_params;             // of the model, of all adapters that objectives bring
    pr_model_config_t own[PR_MAX_OBJECTIVES]; // of the models that objectives bring
    bool have_own[PR_MAX_OBJECTIVES];
    double lo[PR_MAX_OBJECTIVES], hi[PR_MAX_OBJECTIVES]; // declared ranges, by the options in force
    int64_t batch_tokens[PR_MAX_OBJECTIVES];             // of the objectives that run a model; 0: of the others
    int n_train, n_validation, n_eval;                   // prompts of the files
    int prompts;                                         // evaluation prompts used
    int longest_train, longest_validation, longest_eval; // in tokens
    double mean_train, mean_validation, mean_eval;       // tokens per prompt
    int fit_jobs;
    pr_plan_fit_t fit[PR_MAX_OBJECTIVES];
    int n_training;
    pr_plan_training_t training[2 * PR_MAX_SEARCHES];
    int64_t finetune_jobs; // of all of these
    pr_plan_search_t search[PR_MAX_SEARCHES];
    int64_t evaluate_points;                  // of all searches and seeds, at most
    int64_t evaluate_prompts;                 // of these, at most
    int64_t base_points;                      // the base model and the experts alone, some of them points of searches
    int64_t finetune_tokens, evaluate_tokens; // new tokens, at most
    int n_phase;
    pr_phase_spec_t phase[PR_MAX_PHASES];
    size_t memory;        // bytes per working rank will need, about
    size_t shared;        // of them those that the ranks of a node have once
    size_t first;         // bytes that rank 0 needs for points and results
    pr_changes_t changes; // that a run would refuse
    /* From pr_plan_time; 0: not measured. */
    double decode_rate, learn_rate;     // tokens per second of a working rank: new ones; forward and back
    double seconds_least, seconds_most; // of the whole sweep
} pr_plan_t;

/* Evaluations of one prompt that the fit of a route takes. */
double pr_plan_route_evaluations(const pr_plan_t *p, const pr_plan_training_t *t);
/* Errors: whatever is wrong with the inputs. The caller clears the plan with pr_plan_clear, also after an error. */
pr_status_t pr_plan_make(const pr_config_t *c, pr_plan_t *out, pr_error_t *err);
void pr_plan_clear(pr_plan_t *p);
/* Measures the model here for about a second, loading it, and sets the times of a sweep on so many ranks, each as fast as
 * this process (plan_time.c). Errors: those of loading the model. */
pr_status_t pr_plan_time(pr_plan_t *p, int ranks, pr_error_t *err);
/* Sets memory, shared and first from the rest (plan_memory.c). Errors: those of the kinds' memory. */
pr_status_t pr_plan_memory(pr_plan_t *p, pr_error_t *err);

#endif
