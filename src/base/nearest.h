/* The known word that a misspelt one most likely meant. */
#ifndef PR_BASE_NEAREST_H
#define PR_BASE_NEAREST_H

#include <stddef.h>

/* The word of list [n] with the smallest edit distance (Levenshtein 1966; letters compare without case) to word, the
 * first of equals. NULL when even that is further than half of the word's length (but at least 2), as such a suggestion
 * would only confuse. Points into list. */
const char *pr_nearest(const char *word, const char *const *list, size_t n);

#endif
