// SPDX-License-Identifier: BSD-3-Clause
/* The known word that a misspelt one most likely meant. */
#ifndef PR_BASE_NEAREST_H
#define PR_BASE_NEAREST_H

#include "base/error.h"

#include <stddef.h>

/* The word of list [n] with the smallest edit distance (Levenshtein 1966, and two neighbours that are swapped are one
 * edit; letters compare without case) to word, the first of equals. NULL when even that is further than a third of what
 * the word has beside the groups ("finetune.") that it shares with it, but at least 1, or nothing of it is alike, as such a
 * suggestion would only confuse. Points into list. */
const char *pr_nearest(const char *word, const char *const *list, size_t n);

/* PR_ERR_CONFIG with "unknown WHAT 'LABELWORD'" and the nearest of names [n]; where none is near, what shows them all
 * ("paretorank help config"; "": nothing), or when see is NULL the names themselves. */
pr_status_t pr_unknown(const char *what, const char *label, const char *word, const char *const *names, size_t n,
                       const char *see, pr_error_t *err);

/* Which of names [n] a word is: *index. Where none, the error of pr_unknown, with the names. */
pr_status_t pr_find_name(const char *what, const char *word, const char *const *names, size_t n, size_t *index,
                         pr_error_t *err);

#endif
