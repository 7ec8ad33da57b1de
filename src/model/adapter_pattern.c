// SPDX-License-Identifier: BSD-3-Clause
#define PCRE2_CODE_UNIT_WIDTH 8
#include "model/adapter_pattern.h"
#include "base/mem.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PATTERN = 4096, MATCH_LIMIT = 1000000, HEAP_LIMIT_KIB = 16384 };

struct pr_pattern {
    pcre2_code *code;
    pcre2_match_context *limits;
    char *where;
};

pr_status_t pr_pattern_new(const char *text, bool suffix, const char *where, pr_pattern_t **out, pr_error_t *err)
{
    int error;
    PCRE2_SIZE offset;
    if (strlen(text) > MAX_PATTERN)
        return pr_fail(err, PR_ERR_FORMAT, "%s: found a regular expression of %zu bytes, expected at most %d", where,
                       strlen(text), MAX_PATTERN);
    pr_buf_t whole = {0};
    pr_buf_printf(&whole, suffix ? "(.*\\.)?(%s)" : "%s", text);
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)whole.data, whole.len, PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF,
                                     &error, &offset, NULL);
    pr_buf_free(&whole);
    if (!code) {
        PCRE2_UCHAR reason[200] = "";
        pcre2_get_error_message(error, reason, sizeof reason);
        return pr_fail(err, PR_ERR_FORMAT, "%s: '%.200s' is not a regular expression: %s", where, text,
                       (const char *)reason);
    }
    pr_pattern_t *p = pr_alloc(1, sizeof *p);
    *p = (pr_pattern_t){code, pcre2_match_context_create(NULL), pr_strdup(where)};
    pcre2_set_match_limit(p->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(p->limits, HEAP_LIMIT_KIB);
    *out = p;
    return PR_OK;
}

void pr_pattern_free(pr_pattern_t **p)
{
    if (!*p)
        return;
    pcre2_code_free((*p)->code);
    pcre2_match_context_free((*p)->limits);
    free((*p)->where);
    free(*p);
    *p = NULL;
}

pr_status_t pr_pattern_match(const pr_pattern_t *p, const char *name, bool *matches, pr_error_t *err)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int rc = pcre2_match(p->code, (PCRE2_SPTR)name, strlen(name), 0, 0, data, p->limits);
    pcre2_match_data_free(data);
    *matches = rc >= 0;
    if (rc >= 0 || rc == PCRE2_ERROR_NOMATCH)
        return PR_OK;
    PCRE2_UCHAR reason[200] = "";
    pcre2_get_error_message(rc, reason, sizeof reason);
    return pr_fail(err, PR_ERR_FORMAT, "%s: the regular expression cannot be matched with '%s': %s", p->where, name,
                   (const char *)reason);
}
