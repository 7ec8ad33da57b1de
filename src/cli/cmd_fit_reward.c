// SPDX-License-Identifier: BSD-3-Clause
/* paretorank fit-reward: a linear reward head on a model's last hidden state, from labels or preference pairs. */
#include "base/duration.h"
#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/engine.h"
#include "jobs/artifact.h"
#include "reward/head.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct options {
    pr_cli_engine_options_t engine;
    const char *data, *out;
    double ridge, holdout;
    const char *template, *truncate;
    int max_tokens, batch_tokens;
    bool no_special, trim, json;
} options_t;

static const pr_option_t args[] = {
    PR_CLI_ENGINE_MODEL(options_t, engine),
    PR_ARG_REQUIRED("DATA", STRING, offsetof(options_t, data), "FILE",
                    "JSON lines: {\"prompt\", \"chosen\", \"rejected\", \"margin\"}; {\"prompt\", \"response\", "
                    "\"label\"}; or {\"text\", \"label\"}."),
    PR_ARG_REQUIRED("--out", STRING, offsetof(options_t, out), "FILE", "Where the head is written (safetensors)."),
    PR_ARG_DEFAULT("--ridge", REAL, offsetof(options_t, ridge), "R", "0.001",
                   "Weight of |w|^2/2 beside the mean loss; 0: none.", .min = 0, .max = 1e12),
    PR_ARG_DEFAULT("--holdout", REAL, offsetof(options_t, holdout), "SHARE", "0.1",
                   "Share of the prompts kept from the fit, to measure it by.", .min = 0, .max = 0.9),
    PR_ARG_DEFAULT("--template", STRING, offsetof(options_t, template), "TEXT", "{prompt}{response}",
                   "The text of a prompt and a response."),
    PR_ARG_DEFAULT("--max-tokens", INT, offsetof(options_t, max_tokens), "N", "0",
                   "Longer texts are cut; 0: the model's longest sequence.", .min = 0, .max = 1 << 24),
    PR_ARG_CHOICE("--truncate", offsetof(options_t, truncate), "start|end", "start",
                  "Which end of a too long text is cut off."),
    PR_ARG("--no-special-tokens", BOOL, offsetof(options_t, no_special), NULL,
           "The tokenizer adds nothing of its own, such as a begin-of-text token."),
    PR_ARG("--trim", BOOL, offsetof(options_t, trim), NULL,
           "White space at both ends of a response is left out, here and where the head scores."),
    PR_ARG_DEFAULT("--batch-tokens", INT, offsetof(options_t, batch_tokens), "N", "2048",
                   "Tokens that go through the model together.", .min = 1, .max = 1 << 20),
    PR_ARG_DEFAULT("--threads", INT, offsetof(options_t, engine.threads), "N", "1", "BLAS threads.", .min = 1,
                   .max = 1024),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL, "Print JSON."),
    {0},
};

const pr_command_t pr_command_fit_reward = {
    .name = "fit-reward",
    .synopsis = "MODEL_DIR DATA --out FILE [--ridge R] [--holdout SHARE] [--template TEXT] [--json]",
    .summary = "Fit a linear reward head on a model's last hidden state, from labels or preference pairs.",
    .help = "The head scores w.h + b, h the state after the final norm at the text's last token. Labels are fitted by "
            "ridge regression with an intercept, pairs by the Bradley-Terry model. The file is what the objective "
            "linear_head takes as its option 'head'; a sweep that is given 'data' fits the head itself. JSON: out, "
            "kind, samples, fitted, held_out, holdout, ridge, rcond, steps, train_loss, tokens, seconds, and of the "
            "samples held out: held_out_loss of pairs; held_out_rmse and held_out_r2 of labels; held_out_accuracy "
            "and held_out_base_rate, what answering always the same would give, of pairs and of labels 0 and 1. A "
            "pair may have a \"margin\", by which the chosen response is to lead.",
    .args = args,
};

// NULL for a template that is not UTF-8.
static json_t *text_settings(const options_t *o)
{
    json_error_t why;
    return json_pack_ex(&why, 0, "{s:s, s:i, s:s, s:b, s:b}", "template", o->template, "max_tokens", o->max_tokens,
                        "truncate", o->truncate, "special_tokens", !o->no_special, "trim", o->trim);
}

static void print_one(const json_t *figures, const char *key, const char *what)
{
    const json_t *v = json_object_get(figures, key);
    if (json_is_number(v))
        printf("%-12s%.4g\n", what, json_number_value(v));
}

static void print_figures(const options_t *o, const json_t *f)
{
    const char *kind = json_string_value(json_object_get(f, "kind"));
    bool pairs = strcmp(kind, "pairs") == 0;
    printf("head        %s\nsamples     %lld %s: %lld fitted, %lld held out\n", o->out,
           (long long)json_integer_value(json_object_get(f, "samples")), kind,
           (long long)json_integer_value(json_object_get(f, "fitted")),
           (long long)json_integer_value(json_object_get(f, "held_out")));
    printf("fit         ridge %g, rcond %.2g, %lld step%s\n", o->ridge, json_number_value(json_object_get(f, "rcond")),
           (long long)json_integer_value(json_object_get(f, "steps")),
           json_integer_value(json_object_get(f, "steps")) == 1 ? "" : "s");
    printf("%-12s%.4g %s\n", "fitted loss", json_number_value(json_object_get(f, "train_loss")),
           pairs ? "nats a pair" : "mean squared error");
    printf("of the samples held out\n");
    print_one(f, "held_out_accuracy", "accuracy");
    print_one(f, "held_out_base_rate", "base rate");
    print_one(f, "held_out_loss", "loss");
    print_one(f, "held_out_rmse", "RMSE");
    print_one(f, "held_out_r2", "R2");
}

static pr_status_t save(const options_t *o, const pr_fit_output_t *fit, double seconds, pr_error_t *err)
{
    PR_TRY(pr_linear_head_write(o->out, fit->head, err));
    json_t *v = json_deep_copy(fit->figures);
    json_object_set_new(v, "out", pr_cli_text_json(o->out, strlen(o->out)));
    json_object_set_new(v, "tokens", json_integer(fit->tokens));
    json_object_set_new(v, "seconds", pr_json_real(seconds));
    if (o->json)
        pr_cli_print_json(v);
    else
        print_figures(o, v);
    json_decref(v);
    return PR_OK;
}

static pr_status_t run(const options_t *o, pr_cli_engine_t *e, pr_error_t *err)
{
    char hash[PR_HASH_HEX];
    double begin = pr_time_monotonic();
    pr_fit_output_t fit = {0};
    pr_fit_input_t in = {.team = pr_team_local(),
                         .data = o->data,
                         .model_hash = hash,
                         .ridge = o->ridge,
                         .holdout = o->holdout,
                         .batch_tokens = (size_t)o->batch_tokens};
    json_t *settings = text_settings(o);
    pr_status_t status;
    if (!settings)
        PR_GO(pr_fail(err, PR_ERR_USAGE, "--template: found text that is not UTF-8"));
    PR_GO(pr_templated_read(settings, NULL, "the command line", &in.text, err));
    PR_GO(pr_cli_engine_open(&o->engine, true, e, err));
    PR_GO(pr_model_dir_hash(o->engine.model, hash, err));
    in.model = e->model;
    in.tokenizer = e->tokenizer;
    PR_GO(pr_fit_reward(&in, &fit, err));
    PR_GO(save(o, &fit, pr_time_monotonic() - begin, err));
done:
    pr_fit_output_clear(&fit);
    pr_templated_clear(&in.text);
    json_decref(settings);
    return status;
}

int pr_cmd_fit_reward(int argc, char **argv)
{
    options_t o = {.engine = PR_CLI_ENGINE_DEFAULTS};
    pr_cli_engine_t e = {0};
    pr_error_t err;
    int code;
    if (pr_cli_parse(&pr_command_fit_reward, argc, argv, &o, &code) && run(&o, &e, &err) != PR_OK)
        code = pr_cli_fail(argv[0], &err);
    pr_cli_engine_close(&e);
    pr_cli_free(&pr_command_fit_reward, &o);
    return code;
}
