// SPDX-License-Identifier: BSD-3-Clause
/* samples.jsonl: what the policies of a front said. */
#ifndef PR_REPORT_SAMPLES_H
#define PR_REPORT_SAMPLES_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct pr_sample_line {
    const char *search;
    int seed;
    const double *w;      // [rows,K] preference weights
    const char *prompt;   // any bytes
    size_t prompt_len;    // bytes; 0: up to the NUL
    const char *response; // any bytes
    size_t response_len;  // bytes; 0: up to the NUL
    const char *finish;   // how it ended: "eos", "stop", "length"; NULL: not known
    const double *score;  // [n_scored]
    const char *line;     // a whole line as it was written before, which stands for all of the above; or NULL
    int rows;             // of weights; 0 counts as 1
    const json_t *params; // what else a search chose; NULL: nothing
} pr_sample_line_t;

/* One object per line: {"search", "seed", "weights": {objective: w}, "params": {...}, "prompt", "response", "finish", "scores":
 * {objective: v}}, in the order given; weights and params as in front.json. objective: [n_scored] names, of which the first k have weights. Valid UTF-8 whatever the bytes were (U+FFFD for those that are not); numbers
 * that JSON has not are null. Atomic. Errors: PR_ERR_IO. */
pr_status_t pr_write_samples(const char *path, int k, int n_scored, const char *const *objective,
                             const pr_sample_line_t *sample, size_t n, pr_error_t *err);
/* Is a line of samples.jsonl, parsed, of this point of front.json? Lines stand in the order of the points. */
bool pr_sample_belongs(const json_t *sample, const json_t *point);

#endif
