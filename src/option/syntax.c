// SPDX-License-Identifier: BSD-3-Clause
#include "option/syntax.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define EXPECTED                                                                                                       \
    "expected libconfig's syntax: key = value; with texts in \"\", groups in { } and lists in ( ) (see: paretorank "   \
    "help config)"

size_t pr_syntax_opaque(const char *p, bool *closed)
{
    *closed = true;
    if (*p == '"') {
        size_t i = 1;
        while (p[i] && p[i] != '"')
            i += p[i] == '\\' && p[i + 1] ? 2 : 1;
        *closed = p[i] != 0;
        return i + (p[i] != 0);
    }
    if (*p == '#' || (p[0] == '/' && p[1] == '/'))
        return strcspn(p, "\n");
    if (p[0] == '/' && p[1] == '*') {
        const char *end = strstr(p + 2, "*/");
        *closed = end != NULL;
        return end ? (size_t)(end - p) + 2 : strlen(p);
    }
    return 0;
}

size_t pr_syntax_token(const char *p)
{
    size_t i = 0;
    while (isalnum((unsigned char)p[i]) || (p[i] && strchr("_.*+-", p[i])))
        i++;
    return i;
}

/* Blanks and comments left aside. *line counts on. */
static const char *first_of(const char *text, int *line)
{
    bool closed;
    for (const char *p = text;;) {
        size_t n = *p != '"' ? pr_syntax_opaque(p, &closed) : 0;
        if (n == 0 && !isspace((unsigned char)*p))
            return p;
        n = n > 0 ? n : 1;
        for (size_t i = 0; i < n; i++)
            *line += p[i] == '\n';
        p += n;
    }
}

pr_status_t pr_syntax_begins(const char *text, const char *path, pr_error_t *err)
{
    int line = 1;
    const char *first = first_of(text, &line);
    if (*first != '{' && *first != '[')
        return PR_OK;
    return pr_fail(err, PR_ERR_CONFIG, "%s:%d: found '%c', as JSON%s begins; " EXPECTED, path, line, *first,
                   *first == '[' ? " or a section of TOML" : "");
}

/* "key: value" or "- item" alone on the first line that says anything. */
static bool looks_like_yaml(const char *text)
{
    int line = 1;
    const char *first = first_of(text, &line);
    size_t name = pr_syntax_token(first), end = strcspn(first, "\n");
    while (end > 0 && isspace((unsigned char)first[end - 1]))
        end--;
    bool item = first[0] == '-' && (first[1] == ' ' || strncmp(first, "---", 3) == 0);
    return item || (name > 0 && name < end && first[name] == ':' && !strchr(";,{(", first[end - 1]));
}

/* ---- a setting that is there twice ---- */

enum { DEPTH = 40 };
typedef struct names {
    const char **at[DEPTH]; // of each group that is open: where its names begin
    size_t n[DEPTH];
    int depth;
} names_t;

static bool known(const names_t *s, const char *name, size_t len)
{
    for (size_t i = 0; i < s->n[s->depth]; i++)
        if (strncmp(s->at[s->depth][i], name, len) == 0 && pr_syntax_token(s->at[s->depth][i]) == len)
            return true;
    return false;
}

static void keep(names_t *s, const char *name)
{
    size_t n = s->n[s->depth]++;
    s->at[s->depth] = pr_realloc(s->at[s->depth], n + 1, sizeof *s->at[0]);
    s->at[s->depth][n] = name;
}

static bool is_key(const char *after)
{
    int line = 0;
    const char *sign = first_of(after, &line);
    return *sign == '=' || *sign == ':';
}

/* The first name that its group has twice, or NULL; *line. */
static const char *find_twice(const char *text, int *line)
{
    names_t s = {.depth = 0};
    const char *found = NULL;
    bool closed;
    *line = 1;
    for (const char *p = text; *p && !found;) {
        size_t n = pr_syntax_opaque(p, &closed), token = n ? 0 : pr_syntax_token(p);
        if (token > 0 && is_key(p + token)) {
            if (known(&s, p, token))
                found = p;
            else
                keep(&s, p);
        } else if ((*p == '{' || *p == '(' || *p == '[') && n == 0 && s.depth + 1 < DEPTH) {
            s.n[++s.depth] = 0;
        } else if ((*p == '}' || *p == ')' || *p == ']') && n == 0 && s.depth > 0) {
            s.depth--;
        }
        n = n ? n : token ? token : 1;
        for (size_t i = 0; i < n && !found; i++)
            *line += p[i] == '\n';
        p += found ? 0 : n;
    }
    for (int i = 0; i < DEPTH; i++)
        free(s.at[i]);
    return found;
}

pr_status_t pr_syntax_refused(const char *text, const char *path, int line, const char *why, pr_error_t *err)
{
    int at;
    const char *twice = strstr(why, "duplicate") ? find_twice(text, &at) : NULL;
    if (twice)
        return pr_fail(err, PR_ERR_CONFIG, "%s:%d: found '%.*s' a second time in its group, expected each key once",
                       path, at, (int)pr_syntax_token(twice), twice);
    if (looks_like_yaml(text))
        return pr_fail(err, PR_ERR_CONFIG, "%s:%d: %s: found what looks like YAML, " EXPECTED, path, line, why);
    return pr_fail(err, PR_ERR_CONFIG, "%s:%d: %s", path, line, why);
}
