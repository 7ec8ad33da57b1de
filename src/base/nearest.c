// SPDX-License-Identifier: BSD-3-Clause
#include "base/nearest.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 256 }; // a longer word has no near one that a person would mean

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

// Levenshtein distance with one row of the table; row [m+1], m = strlen(b).
static size_t distance(const char *a, const char *b, size_t *row)
{
    size_t m = strlen(b);
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < m; j++) {
            size_t differs = tolower((unsigned char)a[i]) != tolower((unsigned char)b[j]);
            size_t d = min3(diagonal + differs, row[j] + 1, row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = d;
        }
    }
    return row[m];
}

const char *pr_nearest(const char *word, const char *const *list, size_t n)
{
    size_t len = strlen(word), best = len / 2 > 2 ? len / 2 : 2;
    const char *found = NULL;
    if (len > LONGEST)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t m = strlen(list[i]);
        if (m > 2 * LONGEST)
            continue;
        size_t *row = pr_alloc(m + 1, sizeof *row);
        size_t d = distance(word, list[i], row);
        free(row);
        if (d < best || (d == best && !found)) {
            best = d;
            found = list[i];
        }
    }
    return found;
}

pr_status_t pr_unknown(const char *what, const char *label, const char *word, const char *const *names, size_t n,
                       const char *see, pr_error_t *err)
{
    const char *nearest = pr_nearest(word, names, n);
    pr_buf_t more = {0};
    pr_buf_puts(&more, "");
    if (nearest)
        pr_buf_printf(&more, "; the nearest known one is '%s'", nearest);
    else if (see && *see)
        pr_buf_printf(&more, " (see: %s)", see);
    else if (!see)
        for (size_t i = 0; i < n; i++)
            pr_buf_printf(&more, "%s%s", i ? ", " : "; there are: ", names[i]);
    pr_fail(err, PR_ERR_CONFIG, "unknown %s '%s%.100s'%s", what, label, word, more.data);
    pr_buf_free(&more);
    return PR_ERR_CONFIG;
}

pr_status_t pr_find_name(const char *what, const char *word, const char *const *names, size_t n, size_t *index,
                         pr_error_t *err)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], word) == 0) {
            *index = i;
            return PR_OK;
        }
    return pr_unknown(what, "", word, names, n, NULL, err);
}
