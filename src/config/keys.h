// SPDX-License-Identifier: BSD-3-Clause
/* The tables of keys, and how a group of the tree is read by one of them. */
#ifndef PR_CONFIG_KEYS_H
#define PR_CONFIG_KEYS_H

#include "config/config.h"
#include "option/tree.h"

#include <stdbool.h>

/* Of pr_objective_config_t, beside which a group holds the options of its type, and of pr_search_spec_t. */
extern const pr_option_t pr_objective_keys[], pr_search_keys[];
/* Of pr_policy_config_t, beside which a group holds the options of its method; and of pr_finetune_config_t. */
extern const pr_option_t pr_policy_keys[], pr_train_keys[];

/* Does a search of this type read a key of search[]? */
bool pr_search_reads(const char *type, const char *key);
/* Reads a group (NULL: all defaults) by a table into the table's structure. fallback: where keys that the group lacks
 * are looked for next, or NULL. label: put before keys in messages ("search[0]."). dir: what file names are joined
 * with. others: other keys are left alone. Errors: PR_ERR_CONFIG. */
pr_status_t pr_group_read(const pr_option_t *table, const pr_node_t *group, const pr_node_t *fallback,
                          const char *label, const char *dir, bool others, void *base, pr_error_t *err);
/* "WHERE: LABELkey: found X, expected Y". */
pr_status_t pr_key_wrong(const pr_node_t *node, const char *label, const char *key, const char *expected,
                         pr_error_t *err);
/* Checks that belong to several keys at once; completes values that depend on others (scalar, evaluate.samples). */
pr_status_t pr_config_check(pr_config_t *c, pr_error_t *err);
/* What of that concerns the keys of one search of k objectives alone. path: put before messages. */
pr_status_t pr_search_complete(const char *path, int k, pr_search_spec_t *s, pr_error_t *err);

/* The policies of a list, those whose `train` has lists of settings once per combination. family [PR_MAX_POLICIES]: of each
 * its name as written, or NULL where it is one alone; zeroed before, the caller frees each and *out, also after an error.
 * Errors: PR_ERR_CONFIG. */
pr_status_t pr_policies_expand(const pr_node_t *list, pr_node_t **out, char **family, pr_error_t *err);
/* What the algorithm's key, which is called `name`, combine and weigh of a group say, else those of the one that it falls
 * back to (may be NULL), where they suit what was read of it before. What was read is cleared with
 * pr_finetune_rules_clear, also after an error. Errors: PR_ERR_CONFIG. */
pr_status_t pr_finetune_rules_read(const pr_node_t *group, const pr_node_t *fallback, const char *name,
                                   const char *label, pr_finetune_config_t *out, pr_error_t *err);
/* The same of the keys core and sample, for a method whose trainings have `core` unless they say another; NULL: they are
 * plain adapters, and the keys are refused. */
pr_status_t pr_finetune_family_read(const pr_node_t *group, const char *core, const char *label,
                                    pr_finetune_config_t *out, pr_error_t *err);
void pr_finetune_rules_clear(pr_finetune_config_t *f);
/* Sets all of them in the group's JSON. */
void pr_finetune_rules_json(const pr_finetune_config_t *f, const char *name, json_t *object);

#endif
