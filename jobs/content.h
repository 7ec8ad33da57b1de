// SPDX-License-Identifier: BSD-3-Clause
/* What jobs name by the hash of its content: models, adapters, lists of prompts, objectives, and what the evaluations
 * of a search have in common. Rank 0 fills it from the configuration; it travels to all ranks as JSON, and is all that
 * a rank knows beside the job itself. Where a thing lies is no part of any job.
 *
 *   pr_content_t *c = pr_content_new(results, threads);
 *   pr_content_add_path(c, PR_CONTENT_MODEL, hash, "/data/model");  ...   rank 0
 *   json_t *v = pr_content_json(c);  pr_content_from_json(v)              to the others
 *   pr_content_check(c, ...)                                              is what I open what rank 0 hashed?
 */
#ifndef PR_JOBS_CONTENT_H
#define PR_JOBS_CONTENT_H

#include "base/hash.h"
#include "base/json.h"

#include <stdbool.h>

typedef struct pr_content pr_content_t;

typedef enum { PR_CONTENT_MODEL, PR_CONTENT_ADAPTER } pr_content_kind_t;

/* results: the results directory. threads: BLAS threads of a rank. */
pr_content_t *pr_content_new(const char *results, int threads);
void pr_content_free(pr_content_t **c);
/* Borrowed. */
const json_t *pr_content_json(const pr_content_t *c);
/* Errors: PR_ERR_FORMAT (not what pr_content_json gives). */
pr_status_t pr_content_from_json(const json_t *value, pr_content_t **out, pr_error_t *err);

const char *pr_content_results(const pr_content_t *c);
int pr_content_threads(const pr_content_t *c);
/* What adapters that are made call their base model; "" at first. */
void pr_content_set_model_name(pr_content_t *c, const char *name);
const char *pr_content_model_name(const pr_content_t *c);

void pr_content_add_path(pr_content_t *c, pr_content_kind_t kind, const char *hash, const char *path);
/* Errors: PR_ERR_CONFIG (nothing of that hash). */
pr_status_t pr_content_path(const pr_content_t *c, pr_content_kind_t kind, const char *hash, const char **path,
                            pr_error_t *err);
/* Hash -> path of all adapters that are given. Borrowed. */
const json_t *pr_content_all_adapters(const pr_content_t *c);
/* The path of the model that all jobs share, or NULL. */
const char *pr_content_model(const pr_content_t *c, const char **hash);

/* A list of prompts [n], identified by its texts alone, and by whether they are rendered conversations, to which a
 * tokenizer adds no special tokens: file is for messages, new_tokens must fit after each. *hash is set. */
void pr_content_add_prompts(pr_content_t *c, const char *file, int new_tokens, int n, char *const *text, bool chat,
                            char hash[PR_HASH_HEX]);
/* Hash -> {"file", "new_tokens", "chat", "texts"} of all lists. Borrowed. */
const json_t *pr_content_all_prompts(const pr_content_t *c);

/* An objective: how it is opened (its name, type, resolved options and the directory that they are relative to) under
 * the hash of its identity (pr_objective_identity). Of two with one identity the first is kept: they score the same.
 * *hash is set. */
void pr_content_add_objective(pr_content_t *c, const char *name, const char *type, const json_t *options,
                              const char *dir, const json_t *identity, char hash[PR_HASH_HEX]);
/* {"name", "type", "options", "dir", "identity"}, or NULL. Borrowed. */
const json_t *pr_content_objective(const pr_content_t *c, const char *hash);
/* Hash -> entry of all objectives. Borrowed. */
const json_t *pr_content_all_objectives(const pr_content_t *c);

/* Any value that jobs share and name by its hash, such as what the evaluations of a search have in common. *hash is
 * set. */
void pr_content_add_value(pr_content_t *c, const json_t *value, char hash[PR_HASH_HEX]);
const json_t *pr_content_value(const pr_content_t *c, const char *hash); // borrowed, or NULL

/* Texts of responses that end them, beside those of the model: they must be known before the first job. */
void pr_content_set_stop(pr_content_t *c, const json_t *texts);
const json_t *pr_content_stop(const pr_content_t *c);
/* Some job will ask for the worst value of this objective, which must therefore have one. */
void pr_content_add_worst(pr_content_t *c, const char *objective, bool minimize);
/* [[objective, minimize]...]. Borrowed. */
const json_t *pr_content_worst(const pr_content_t *c);

/* Local: hashes what this process opens, and compares with what the jobs say. host: for the message. Errors:
 * PR_ERR_FORMAT naming what it is, host and both hashes; those of reading, naming the host. */
pr_status_t pr_content_check(const pr_content_t *c, const char *host, pr_error_t *err);
/* Device, inode, size and time of change of everything that pr_content_check reads: ranks of a node for which it is
 * equal see the same files. */
void pr_content_state(const pr_content_t *c, char hash[PR_HASH_HEX]);

#endif
