// SPDX-License-Identifier: BSD-3-Clause
#include "report/csv.h"
#include "base/file.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reader {
    char *at, *end; // what is not read yet
    int line;
    char **name, **field;
    int n_name, n_field, cap;
} reader_t;

/* As pr_text_csv wrote it. */
static char *without_mark(char *field)
{
    return field[0] == '\'' && field[1] && strchr("=+-@ \t\r\n", field[1]) ? field + 1 : field;
}

/* One field, unquoted in place; *last: it ends its line. false: a quote does not end. */
static bool take_field(reader_t *r, char **out, bool *last)
{
    char *from = r->at, *to = r->at, *start = r->at;
    bool quoted = from < r->end && *from == '"';
    from += quoted;
    for (; from < r->end; from++) {
        if (quoted && *from == '"' && from + 1 < r->end && from[1] == '"')
            from++;
        else if (quoted && *from == '"') {
            quoted = false;
            continue;
        } else if (!quoted && (*from == ',' || *from == '\n'))
            break;
        r->line += *from == '\n';
        *to++ = *from;
    }
    *last = from >= r->end || *from == '\n';
    r->at = from < r->end ? from + 1 : r->end;
    if (*last && to > start && to[-1] == '\r')
        to--;
    *to = 0;
    *out = without_mark(start);
    return !quoted;
}

static pr_status_t take_line(reader_t *r, const char *path, pr_error_t *err)
{
    int line = ++r->line;
    bool last = false;
    for (r->n_field = 0; !last; r->n_field++) {
        if (r->n_field == r->cap) {
            r->cap = r->cap ? 2 * r->cap : 64;
            r->field = pr_realloc(r->field, (size_t)r->cap, sizeof *r->field);
        }
        if (!take_field(r, &r->field[r->n_field], &last))
            return pr_fail(err, PR_ERR_FORMAT, "%s:%d: found a quote that does not end", path, line);
    }
    if (r->n_name > 0 && r->n_field != r->n_name)
        return pr_fail(err, PR_ERR_FORMAT, "%s:%d: found %d fields, expected %d, as many as names", path, line,
                       r->n_field, r->n_name);
    return PR_OK;
}

pr_status_t pr_csv_read(const char *path, pr_csv_fn fn, void *self, pr_error_t *err)
{
    char *text = NULL;
    size_t len;
    reader_t r = {.line = 0};
    pr_buf_t where = {0};
    pr_status_t status;
    PR_GO(pr_file_read_text(path, 0, &text, &len, err));
    r.at = text;
    r.end = text + len;
    if (len == 0)
        PR_GO(pr_fail(err, PR_ERR_FORMAT, "%s: found nothing, expected a line of names", path));
    PR_GO(take_line(&r, path, err));
    r.name = r.field;
    r.n_name = r.n_field;
    r.field = NULL;
    r.cap = 0;
    while (r.at < r.end) {
        PR_GO(take_line(&r, path, err));
        where.len = 0;
        pr_buf_printf(&where, "%s:%d", path, r.line);
        PR_GO(fn(self, &(pr_csv_line_t){r.n_name, r.name, r.field, where.data}, err));
    }
done:
    pr_buf_free(&where);
    free(r.name);
    free(r.field);
    free(text);
    return status;
}

const char *pr_csv_field(const pr_csv_line_t *line, const char *name)
{
    for (int i = 0; i < line->n; i++)
        if (strcmp(line->name[i], name) == 0)
            return line->field[i];
    return NULL;
}

bool pr_csv_number(const pr_csv_line_t *line, const char *prefix, const char *name, double *out)
{
    size_t n = strlen(prefix);
    *out = NAN;
    for (int i = 0; i < line->n; i++) {
        char *end;
        if (strncmp(line->name[i], prefix, n) != 0 || strcmp(line->name[i] + n, name) != 0)
            continue;
        *out = strtod(line->field[i], &end);
        if (end == line->field[i] || *end)
            *out = NAN;
        return !isnan(*out);
    }
    return false;
}
