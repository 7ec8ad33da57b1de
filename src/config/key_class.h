// SPDX-License-Identifier: BSD-3-Clause
/* What another value of a key does to a sweep that has results: the one list of it, beside the rows of keys.c. A key that
 * is not in the list makes other results: nobody has to remember to name a new one here for results to be safe. */
#ifndef PR_CONFIG_KEY_CLASS_H
#define PR_CONFIG_KEY_CLASS_H

typedef enum {
    PR_KEY_RESULT,   // makes other results than those that are there
    PR_KEY_STEPS,    // so does it, but trainings may go on from their last step
    PR_KEY_HOW,      // how work is done, or what something is called: results stay
    PR_KEY_MORE,     // a larger number, or true, only adds work
    PR_KEY_MORE_0,   // the same, and 0 is the most
    PR_KEY_MULTIPLE, // a multiple only adds work
    PR_KEY_SET,      // a list: further items only add work
    PR_KEY_LINES     // a file: further lines only add work
} pr_key_class_t;

/* X(key, class): keys of groups in lists are written "search[].budget". */
#define PR_KEY_CLASS_LIST(X)                                                                                           \
    X("name", HOW)                                                                                                     \
    X("dir", HOW)                                                                                                      \
    X("results", HOW)                                                                                                  \
    X("model_name", HOW)                                                                                               \
    X("retries", HOW)                                                                                                  \
    X("threads", HOW)                                                                                                  \
    X("front_samples", HOW)                                                                                            \
    X("base", MORE)                                                                                                    \
    X("seeds", SET)                                                                                                    \
    X("prompts.eval", LINES)                                                                                           \
    X("finetune.steps", STEPS)                                                                                         \
    X("finetune.micro_tokens", HOW)                                                                                    \
    X("finetune.checkpoint_every", HOW)                                                                                \
    X("finetune.team.rows", HOW)                                                                                       \
    X("finetune.team.cols", HOW)                                                                                       \
    X("evaluate.prompts", MORE_0)                                                                                      \
    X("evaluate.streams", HOW)                                                                                         \
    X("evaluate.team.rows", HOW)                                                                                       \
    X("evaluate.team.cols", HOW)                                                                                       \
    X("policies[].train.steps", STEPS)                                                                                 \
    X("policies[].train.micro_tokens", HOW)                                                                            \
    X("policies[].train.checkpoint_every", HOW)                                                                        \
    X("search[].budget", MORE_0)                                                                                       \
    X("search[].budget_core_hours", MORE_0)                                                                            \
    X("search[].points", MORE)                                                                                         \
    X("search[].levels", MORE)                                                                                         \
    X("search[].divisions", MULTIPLE)                                                                                  \
    X("search[].file", LINES)

/* The class of a key. */
pr_key_class_t pr_key_class(const char *key);

#endif
