#include "learn/response.h"

#include <stdlib.h>
#include <string.h>

void pr_stops_init(pr_stops_t *s, const pr_tokenizer_t *tokenizer, int n, const char *const *text)
{
    size_t longest = 0;
    for (int i = 0; i < n; i++)
        longest = strlen(text[i]) > longest ? strlen(text[i]) : longest;
    *s = (pr_stops_t){.tokenizer = tokenizer, .n = n, .text = text, .tail = (int)longest + 4};
}

static char *first_stop(const pr_stops_t *s, char *text)
{
    char *first = NULL;
    for (int i = 0; i < s->n; i++) {
        char *at = strstr(text, s->text[i]);
        if (at && (!first || at < first))
            first = at;
    }
    return first;
}

bool pr_stops_hit(const pr_stops_t *s, const int32_t *ids, int n)
{
    if (s->n == 0)
        return false;
    int from = n > s->tail ? n - s->tail : 0;
    char *text;
    size_t len;
    if (pr_tokenizer_decode(s->tokenizer, ids + from, (size_t)(n - from), true, &text, &len, NULL) != PR_OK)
        return false;
    bool hit = first_stop(s, text) != NULL;
    free(text);
    return hit;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

pr_status_t pr_response_text(const pr_stops_t *s, const int32_t *ids, int n, char **out, pr_error_t *err)
{
    char *text;
    size_t len;
    PR_TRY(pr_tokenizer_decode(s->tokenizer, ids, (size_t)n, true, &text, &len, err));
    char *stop = first_stop(s, text);
    char *end = stop ? stop : text + strlen(text), *begin = text;
    while (begin < end && is_space(*begin))
        begin++;
    while (end > begin && is_space(end[-1]))
        end--;
    memmove(text, begin, (size_t)(end - begin));
    text[end - begin] = 0;
    *out = text;
    return PR_OK;
}
