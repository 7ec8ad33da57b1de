// SPDX-License-Identifier: BSD-3-Clause
/* paretorank tokenize: text on standard input to ids, or ids to text. */
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/engine.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    const char *model;
    bool decode, no_special, keep_special, json;
} options_t;

static const pr_option_t args[] = {
    PR_ARG_REQUIRED("MODEL_DIR", STRING, offsetof(options_t, model), "DIR",
                    "A directory that holds tokenizer.json, or such a file."),
    PR_ARG("--decode", BOOL, offsetof(options_t, decode), NULL,
           "Ids to text: standard input holds {\"ids\": [...]}, an array, or numbers between blanks or commas."),
    PR_ARG("--no-special", BOOL, offsetof(options_t, no_special), NULL,
           "Do not add the special tokens that the tokenizer puts around a text."),
    PR_ARG("--keep-special", BOOL, offsetof(options_t, keep_special), NULL, "With --decode: write special tokens too."),
    PR_ARG(
        "--json", BOOL, offsetof(options_t, json), NULL,
        "With --decode: print {\"text\": ...} instead of the text itself. Ids are always printed as {\"ids\": [...]}."),
    {0},
};

const pr_command_t pr_command_tokenize = {
    .name = "tokenize",
    .synopsis = "MODEL_DIR [--decode] [--no-special] [--json] < TEXT",
    .summary = "Turn the text on standard input into token ids, or ids into text.",
    .help = "",
    .args = args,
};

static pr_status_t encode(const pr_tokenizer_t *t, const options_t *o, const char *text, size_t len, pr_error_t *err)
{
    int32_t *ids;
    size_t n;
    PR_TRY(pr_tokenizer_encode(t, text, len, !o->no_special, &ids, &n, err));
    printf("{\"ids\": [");
    for (size_t i = 0; i < n; i++)
        printf("%s%d", i ? ", " : "", ids[i]);
    printf("]}\n");
    free(ids);
    return PR_OK;
}

static pr_status_t ids_from_json(const char *text, size_t len, int32_t **ids, size_t *n, pr_error_t *err)
{
    json_t *v, *item;
    size_t i;
    PR_TRY(pr_json_parse(text, len, "standard input", &v, err));
    const json_t *list = json_is_object(v) ? json_object_get(v, "ids") : v;
    pr_status_t status = PR_OK;
    if (!json_is_array(list)) {
        json_decref(v);
        return pr_fail(err, PR_ERR_FORMAT, "standard input: expected {\"ids\": [...]} or an array");
    }
    *ids = pr_alloc(json_array_size(list), sizeof **ids);
    *n = 0;
    json_array_foreach(list, i, item)
    {
        json_int_t id = json_integer_value(item);
        if (!json_is_integer(item) || id < 0 || id > INT32_MAX)
            status = pr_fail(err, PR_ERR_FORMAT, "standard input: ids: element %zu: expected an id", i);
        else
            (*ids)[(*n)++] = (int32_t)id;
    }
    if (status != PR_OK)
        free(*ids);
    json_decref(v);
    return status;
}

static pr_status_t ids_from_numbers(const char *text, int32_t **ids, size_t *n, pr_error_t *err)
{
    *ids = NULL;
    *n = 0;
    for (const char *p = text;;) {
        char *end;
        while (isspace((unsigned char)*p) || *p == ',')
            p++;
        if (!*p)
            return PR_OK;
        errno = 0;
        long id = strtol(p, &end, 10);
        if (end == p || errno || id < 0 || id > INT32_MAX) {
            free(*ids);
            return pr_fail(err, PR_ERR_FORMAT, "standard input: byte %zu: found '%.10s', expected an id",
                           (size_t)(p - text), p);
        }
        if ((*n & (*n - 1)) == 0)
            *ids = pr_realloc(*ids, *n ? 2 * *n : 1, sizeof **ids);
        (*ids)[(*n)++] = (int32_t)id;
        p = end;
    }
}

static pr_status_t decode(const pr_tokenizer_t *t, const options_t *o, const char *input, size_t len, pr_error_t *err)
{
    int32_t *ids = NULL;
    size_t n = 0, text_len;
    char *text;
    const char *first = input + strspn(input, " \t\r\n");
    if (*first == '{' || *first == '[')
        PR_TRY(ids_from_json(input, len, &ids, &n, err));
    else
        PR_TRY(ids_from_numbers(input, &ids, &n, err));
    pr_status_t status = pr_tokenizer_decode(t, ids, n, !o->keep_special, &text, &text_len, err);
    free(ids);
    if (status != PR_OK)
        return status;
    if (o->json) {
        json_t *v = json_pack("{s:o}", "text", pr_cli_text_json(text, text_len));
        pr_cli_print_json(v);
        json_decref(v);
    } else {
        fwrite(text, 1, text_len, stdout);
    }
    free(text);
    return PR_OK;
}

int pr_cmd_tokenize(int argc, char **argv)
{
    options_t o = {0};
    int code;
    if (!pr_cli_parse(&pr_command_tokenize, argc, argv, &o, &code))
        return code;
    if (o.decode ? o.no_special : o.keep_special)
        return pr_cli_usage(&pr_command_tokenize, o.decode ? "--no-special is for encoding; see --keep-special"
                                                           : "--keep-special goes with --decode");
    pr_error_t err;
    pr_tokenizer_t *t = NULL;
    char *text = NULL;
    size_t len;
    pr_status_t status;
    PR_GO(pr_cli_engine_tokenizer(o.model, &t, &err));
    PR_GO(pr_cli_read_stdin(&text, &len, &err));
    status = o.decode ? decode(t, &o, text, len, &err) : encode(t, &o, text, len, &err);
done:
    if (t)
        pr_tokenizer_free(&t);
    free(text);
    return status == PR_OK ? 0 : pr_cli_fail(argv[0], &err);
}
