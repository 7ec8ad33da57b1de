// SPDX-License-Identifier: BSD-3-Clause
/* paretorank logits: next-token logits of a sequence. */
#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct options {
    pr_cli_engine_options_t engine;
    pr_ints_t ids;
    const char *prompt;
    bool all, json;
} options_t;

static const pr_option_t args[] = {
    PR_CLI_ENGINE_PLACE(options_t, engine),
    PR_ARG("--ids", INTS, offsetof(options_t, ids), "1,2,3", "The sequence as token ids."),
    PR_ARG("--prompt", STRING, offsetof(options_t, prompt), "TEXT", "The sequence as text."),
    PR_CLI_ENGINE_ARGS(options_t, engine),
    PR_ARG("--all", BOOL, offsetof(options_t, all), NULL,
           "Logits after every token of the sequence, not only after the last: a list of lists."),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL,
           "Print {\"logits\": [...]}. Without it: the ten likeliest next tokens."),
    {0},
};

const pr_command_t pr_command_logits = {
    .name = "logits",
    .synopsis = "DIR (--ids 1,2,3 | --prompt TEXT) [--adapter DIR --weights A,B,...] [--all] --json",
    .summary = "Print the logits of the next token.",
    .help = "With experts: params and states print the head's output for the combined state, logits the sum of w log p "
            "over "
            "the experts (which decoding takes without its constant), probs log-probabilities.",
    .args = args,
};

// Those that no logit is; the logarithm of a probability of zero is one.
static size_t count_odd(const float *logits, size_t n)
{
    size_t odd = 0;
    for (size_t i = 0; i < n; i++)
        odd += isnan(logits[i]) || logits[i] == INFINITY;
    return odd;
}

static void print_row(const float *logits, int v)
{
    putchar('[');
    for (int i = 0; i < v; i++) {
        if (isfinite(logits[i]))
            printf("%s%.9g", i ? ", " : "", (double)logits[i]);
        else
            printf("%snull", i ? ", " : "");
    }
    putchar(']');
}

static void print_json(const float *logits, size_t rows, int v, bool all)
{
    size_t odd = count_odd(logits, rows * (size_t)v);
    if (odd > 0)
        pr_log(PR_LOG_WARN, "%zu of %zu logits are not finite", odd, rows * (size_t)v);
    printf("{\"logits\": %s", all ? "[" : "");
    for (size_t i = 0; i < rows; i++) {
        printf("%s", i ? ", " : "");
        print_row(logits + i * (size_t)v, v);
    }
    printf("%s}\n", all ? "]" : "");
}

static pr_status_t print_likeliest(const pr_tokenizer_t *t, float *logits, int v, pr_error_t *err)
{
    if (count_odd(logits, (size_t)v) > 0)
        return pr_fail(err, PR_ERR_NUMERIC, "the logits are not finite");
    pr_log_softmax(1, v, logits);
    for (int k = 0; k < 10 && k < v; k++) {
        int32_t best = 0;
        for (int i = 1; i < v; i++)
            best = logits[i] > logits[best] ? i : best;
        if (logits[best] == -INFINITY)
            break; // no other token is possible
        char *text;
        size_t len;
        PR_TRY(pr_tokenizer_decode(t, &best, 1, false, &text, &len, err));
        json_t *quoted = pr_cli_text_json(text, len);
        printf("%8d  %.6f  ", best, exp((double)logits[best]));
        pr_cli_print_json(quoted);
        json_decref(quoted);
        free(text);
        logits[best] = -INFINITY;
    }
    return PR_OK;
}

static pr_status_t run(const options_t *o, pr_cli_engine_t *e, pr_error_t *err)
{
    int32_t *ids = NULL;
    float *logits = NULL;
    size_t n;
    bool tokenizer = o->prompt || !o->json;
    pr_status_t status;
    PR_GO(pr_cli_engine_open(&o->engine, tokenizer, e, err));
    status = pr_cli_engine_ids(e, &o->ids, o->prompt, &ids, &n, err);
    if (status != PR_OK)
        PR_GO(pr_fail_in(err, "%s", o->prompt ? "--prompt" : "--ids"));
    size_t rows = o->all ? n : 1;
    int start[2] = {0, (int)n}, v = e->model->config.vocab;
    logits = pr_alloc_matrix(rows * (size_t)v, sizeof *logits);
    if (!logits)
        PR_GO(pr_fail(err, PR_ERR_MEMORY, "not enough memory for %zu x %d logits", rows, v));
    // Decoding may leave out the constant of each row, numbers that are shown may not.
    PR_GO(pr_policy_logits_exact(&e->policy, 1, start, ids, e->w, o->all, logits, err));
    if (o->json)
        print_json(logits, rows, v, o->all);
    else
        PR_GO(print_likeliest(e->tokenizer, logits, v, err));
done:
    free(ids);
    free(logits);
    return status;
}

int pr_cmd_logits(int argc, char **argv)
{
    options_t o = {.engine = PR_CLI_ENGINE_DEFAULTS};
    pr_cli_engine_t e = {0};
    pr_error_t err;
    int code;
    o.engine.sweeps = true;
    if (pr_cli_parse(&pr_command_logits, argc, argv, &o, &code)) {
        if ((o.ids.n > 0) == (o.prompt != NULL))
            code = pr_cli_usage(&pr_command_logits, "expected --ids or --prompt");
        else if (o.all && !o.json)
            code = pr_cli_usage(&pr_command_logits, "--all goes with --json");
        else if (run(&o, &e, &err) != PR_OK)
            code = pr_cli_fail(argv[0], &err);
    }
    pr_cli_engine_close(&e);
    pr_cli_free(&pr_command_logits, &o);
    return code;
}
