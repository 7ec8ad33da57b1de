// SPDX-License-Identifier: BSD-3-Clause
/* The evaluate job: what a policy scores on a range of the evaluation prompts.
 *
 * Result: {"mean": [K], "se": [K] (null: of one prompt), "n": prompts, "cut": share of the responses that
 * max_new_tokens cut, "tokens", "prefilled", "seconds", "place": where its record is (segment.h), "policy": that of the
 * inputs, as whoever takes the policy home finds it in the journal}; prompts' own scores and responses are in that
 * record, of sections "scores" double [count,K], "responses" a JSON list of the first response to each,
 * "finish" a letter each. */
#ifndef PR_JOBS_EVALUATE_H
#define PR_JOBS_EVALUATE_H

#include "base/hash.h"
#include "base/json.h"

#include <stdbool.h>

/* What all evaluations of a sweep have in common: jobs name it by its hash, as there may be a million of them. Values
 * are borrowed. */
typedef struct pr_evaluation_task {
    char model[PR_HASH_HEX], prompts[PR_HASH_HEX];
    const json_t *objectives; // list of identities
    const json_t *heads;      // objective -> the job that fits its head, of those that need one
    const json_t *minimize;   // list of true/false with truncated = "worst", else NULL: nothing depends on it
    const char *truncated;    // "score" | "worst" | "drop"
    const json_t *stop;       // list of texts
    bool greedy;              // then the following four say nothing, and are given as 1, 1, 1 and 0
    double temperature, top_p;
    int samples; // responses to a prompt
    int64_t sweep_seed;
    int max_new_tokens;
} pr_evaluation_task_t;

json_t *pr_evaluation_task_pack(const pr_evaluation_task_t *t);
/* out borrows from value. Errors: PR_ERR_FORMAT. */
pr_status_t pr_evaluation_task_parse(const json_t *value, pr_evaluation_task_t *out, pr_error_t *err);

typedef struct pr_evaluate_inputs {
    char task[PR_HASH_HEX];
    const json_t *policy;     // pr_policy_pack
    char corpus[PR_HASH_HEX]; // prompts that the mix measures its parts on, where it does
    int first, count;         // prompts
} pr_evaluate_inputs_t;

/* New reference; its hash is the job's identity. */
json_t *pr_evaluate_pack(const pr_evaluate_inputs_t *in);
/* out borrows from value. Errors: PR_ERR_FORMAT. */
pr_status_t pr_evaluate_parse(const json_t *value, pr_evaluate_inputs_t *out, pr_error_t *err);

/* How a response ended, by its letter in a record's section "finish": "eos", "stop", "length"; null of any other letter.
 * New reference. */
json_t *pr_evaluate_finish_json(char letter);

/* How: sequences decoded together. New reference. */
json_t *pr_evaluate_how_pack(int streams);

#endif
