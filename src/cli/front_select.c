// SPDX-License-Identifier: BSD-3-Clause
#include "cli/front_select.h"
#include "config/columns.h"
#include "pareto/knee.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- columns ---- */

typedef enum { WEIGHT, MEAN, ERROR, SEED, LEVEL, PROMPTS, TOKENS, CUT, SEARCH } column_kind_t;
typedef struct column {
    column_kind_t kind;
    int objective;
} column_t;

static const struct {
    const char *name;
    column_kind_t kind;
} plain[] = {{"seed", SEED},         {"level", LEVEL}, {"prompts", PROMPTS},
             {"new_tokens", TOKENS}, {"cut", CUT},     {"search", SEARCH}};
enum { PLAIN = sizeof plain / sizeof *plain };

/* name [length]: not ended. */
static bool find_column(const pr_table_t *t, const char *name, size_t length, column_t *out)
{
    static const char *const prefix[] = {PR_COLUMN_PREFIXES};
    for (int i = 0; i < PLAIN; i++)
        if (strlen(plain[i].name) == length && strncmp(name, plain[i].name, length) == 0) {
            *out = (column_t){plain[i].kind, 0};
            return true;
        }
    for (int p = 0; p < 3; p++)
        for (int k = 0; k < t->k; k++) {
            size_t n = strlen(prefix[p]);
            if (n + strlen(t->objective[k]) == length && strncmp(name, prefix[p], n) == 0 &&
                strncmp(name + n, t->objective[k], length - n) == 0) {
                *out = (column_t){(column_kind_t)(WEIGHT + p), k};
                return true;
            }
        }
    return false;
}

static pr_status_t unknown(const pr_table_t *t, const char *option, const char *name, size_t length, pr_error_t *err)
{
    pr_buf_t names = {0};
    for (int k = 0; k < t->k; k++)
        pr_buf_printf(&names, "%s, ", t->objective[k]);
    pr_fail(
        err, PR_ERR_USAGE,
        "%s: found \"%.*s\", expected a column of the front: %sw_ or se_ before one of these, seed, level, prompts, "
        "new_tokens, cut or search",
        option, (int)length, name, names.data ? names.data : "");
    pr_buf_free(&names);
    return PR_ERR_USAGE;
}

static double value_of(const pr_table_point_t *p, column_t c)
{
    switch (c.kind) {
    case WEIGHT:
        return p->w[c.objective];
    case MEAN:
        return p->mean[c.objective];
    case ERROR:
        return p->se[c.objective];
    case SEED:
        return p->seed;
    case LEVEL:
        return p->level;
    case PROMPTS:
        return p->n_prompts;
    case TOKENS:
        return (double)p->tokens;
    case CUT:
        return p->cut;
    default:
        return NAN;
    }
}

/* ---- conditions ---- */

typedef struct condition {
    column_t column;
    char op[3]; // "<", "<=", ">", ">=", "=" or "!="
    double value;
    const char *word; // of the column search
} condition_t;

/* The operator of a condition; returns where it is, or NULL. */
static const char *find_operator(const char *text, char op[3], size_t *length)
{
    static const char *const known[] = {"<=", ">=", "==", "!=", "<", ">", "="};
    const char *at = strpbrk(text, "<>=!");
    for (size_t i = 0; at && i < sizeof known / sizeof *known; i++)
        if (strncmp(at, known[i], strlen(known[i])) == 0) {
            *length = strlen(known[i]);
            snprintf(op, 3, "%s", strcmp(known[i], "==") == 0 ? "=" : known[i]);
            return at;
        }
    return NULL;
}

static pr_status_t parse_condition(const pr_table_t *t, const char *text, condition_t *out, pr_error_t *err)
{
    static const char expected[] = "NAME, one of < <= > >= = !=, and a number, such as 'empathy >= 0.5'";
    size_t length = 0;
    char *end;
    const char *at = find_operator(text, out->op, &length), *name = text + strspn(text, " \t"), *value;
    if (!at)
        return pr_fail(err, PR_ERR_USAGE, "--where: found \"%s\", expected %s", text, expected);
    value = at + length + strspn(at + length, " \t");
    while (at > name && isspace((unsigned char)at[-1]))
        at--;
    if (!find_column(t, name, (size_t)(at - name), &out->column))
        return unknown(t, "--where", name, (size_t)(at - name), err);
    out->word = value;
    if (out->column.kind == SEARCH)
        return out->op[0] == '=' || out->op[0] == '!'
                   ? PR_OK
                   : pr_fail(err, PR_ERR_USAGE, "--where: found \"%s\", expected = or != after search", text);
    out->value = strtod(value, &end);
    end += strspn(end, " \t");
    if (end == value || *end || isnan(out->value))
        return pr_fail(err, PR_ERR_USAGE, "--where: found \"%s\", expected %s", text, expected);
    return PR_OK;
}

/* What is not known fulfils no condition. */
static bool holds(const pr_table_point_t *p, const condition_t *c)
{
    double x = value_of(p, c->column);
    if (c->column.kind == SEARCH)
        return (strcmp(p->search, c->word) == 0) == (c->op[0] == '=');
    if (isnan(x))
        return false;
    switch (c->op[0]) {
    case '<':
        return x < c->value || (c->op[1] && x == c->value);
    case '>':
        return x > c->value || (c->op[1] && x == c->value);
    case '!':
        return x != c->value;
    default:
        return x == c->value;
    }
}

/* ---- order ---- */

typedef struct order {
    const pr_table_t *t;
    column_t by;
    double sign; // larger values first, or smaller
} order_t;

/* What is not known comes last, and equals stay in their order. */
static int compare(const void *a, const void *b, void *self)
{
    const order_t *o = self;
    size_t i = *(const size_t *)a, j = *(const size_t *)b;
    const pr_table_point_t *p = &o->t->point[i], *q = &o->t->point[j];
    double x = o->sign * value_of(p, o->by), y = o->sign * value_of(q, o->by);
    if (p->base != q->base)
        return p->base - q->base;
    if (o->by.kind == SEARCH && strcmp(p->search, q->search) != 0)
        return strcmp(p->search, q->search);
    if (isnan(x) != isnan(y))
        return isnan(x) ? 1 : -1;
    if (x != y && !isnan(x))
        return x > y ? -1 : 1;
    return (i > j) - (i < j);
}

/* ---- the knee ---- */

/* Of the chosen rows, the one furthest from the whole front's hyperplane. */
static void keep_knee(const pr_table_t *t, const bool *minimize, size_t *index, size_t *n, double *distance,
                      bool *spanned)
{
    size_t rows = 0, k_n = (size_t)t->k, best = 0;
    double *x = pr_alloc(t->n * k_n, sizeof *x), *d = pr_alloc(t->n, sizeof *d);
    for (; rows < t->n && !t->point[rows].base; rows++)
        for (size_t k = 0; k < k_n; k++)
            x[rows * k_n + k] = (minimize[k] ? -1 : 1) * t->point[rows].mean[k];
    if (rows > 0)
        pr_knee(x, rows, t->k, d, spanned);
    for (size_t i = 1; i < *n; i++)
        if (d[index[i]] > d[index[best]])
            best = i;
    if (*n > 0) {
        index[0] = index[best];
        *distance = d[index[0]];
        *n = 1;
    }
    free(x);
    free(d);
}

pr_status_t pr_front_select(const pr_table_t *t, const bool *minimize, const pr_front_wish_t *wish, size_t *index,
                            size_t *n, double *distance, bool *spanned, pr_error_t *err)
{
    order_t order = {.t = t, .sign = 1};
    condition_t *condition = pr_alloc((size_t)wish->where->n, sizeof *condition);
    pr_status_t status = PR_OK;
    *n = 0;
    for (int i = 0; i < wish->where->n; i++)
        PR_GO(parse_condition(t, wish->where->item[i], &condition[i], err));
    if (wish->sort && !find_column(t, wish->sort, strlen(wish->sort), &order.by))
        PR_GO(unknown(t, "--sort", wish->sort, strlen(wish->sort), err));
    for (size_t i = 0; i < t->n; i++) {
        bool all = !t->point[i].base || (wish->where->n == 0 && !wish->knee);
        for (int j = 0; j < wish->where->n; j++)
            all = all && holds(&t->point[i], &condition[j]);
        if (all)
            index[(*n)++] = i;
    }
    if (wish->knee)
        keep_knee(t, minimize, index, n, distance, spanned);
    if (wish->sort && order.by.kind == MEAN && minimize[order.by.objective])
        order.sign = -1;
    if (wish->sort && *n > 1)
        qsort_r(index, *n, sizeof *index, compare, &order);
done:
    free(condition);
    return status;
}
