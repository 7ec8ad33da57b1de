// SPDX-License-Identifier: BSD-3-Clause
#include "base/nearest.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 256 }; // a longer word has no near one that a person would mean

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

// Edits from a to b: the optimal string alignment, with three rows of the table: row [3,m+1], m = strlen(b).
static size_t distance(const char *a, const char *b, size_t *row)
{
    size_t m = strlen(b), *before = row, *last = row + m + 1, *now = row + 2 * (m + 1);
    for (size_t j = 0; j <= m; j++)
        now[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
        now[0] = i + 1;
        for (size_t j = 0; j < m; j++) {
            now[j + 1] = min3(last[j] + !same(a[i], b[j]), last[j + 1] + 1, now[j] + 1);
            if (i > 0 && j > 0 && same(a[i], b[j - 1]) && same(a[i - 1], b[j]) && before[j - 1] + 1 < now[j + 1])
                now[j + 1] = before[j - 1] + 1;
        }
    }
    return now[m];
}

// What a dotted key is beside the groups that both are in.
static size_t own_part(const char *a, const char *b)
{
    size_t own = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '.')
            own = i + 1;
    return own;
}

const char *pr_nearest(const char *word, const char *const *list, size_t n)
{
    size_t len = strlen(word), best = 0;
    const char *found = NULL;
    if (len > LONGEST)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t m = strlen(list[i]), own = own_part(word, list[i]), most = (len - own) / 3;
        if (m > 2 * LONGEST)
            continue;
        size_t *row = pr_alloc(3 * (m + 1), sizeof *row), d = distance(word + own, list[i] + own, row);
        free(row);
        if (d <= (most > 1 ? most : 1) && d < (len > m ? len : m) - own && (!found || d < best)) {
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
