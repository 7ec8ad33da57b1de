// SPDX-License-Identifier: BSD-3-Clause
/* paretorank generate: continues prompts with a model, or with the policy of experts and weights. */
#include "base/duration.h"
#include "base/mem.h"
#include "cli/chat.h"
#include "cli/engine.h"
#include "learn/response.h"
#include "model/prompts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN_TOKENS = 40 }; // new ones, where nothing says how many

typedef struct options {
    pr_cli_engine_options_t engine;
    const char *prompt, *prompts;
    pr_cli_chat_options_t chat;
    pr_ints_t ids;
    bool greedy, ignore_eos, json;
    double temperature, top_p; // negative: not given
    int64_t seed;              // negative: not given
    int max_new_tokens;        // 0: not given
    pr_texts_t stop;
} options_t;

static const pr_option_t args[] = {
    PR_CLI_ENGINE_PLACE(options_t, engine),
    PR_ARG("--prompt", STRING, offsetof(options_t, prompt), "TEXT", "The prompt as text."),
    PR_ARG("--ids", INTS, offsetof(options_t, ids), "1,2,3", "The prompt as token ids."),
    PR_ARG("--prompts", STRING, offsetof(options_t, prompts), "FILE.jsonl",
           "Many prompts: a JSON object with \"prompt\" or \"messages\" (and \"id\") per line. Decoded together."),
    PR_ARG("--messages", STRING, offsetof(options_t, chat.messages), "FILE.json",
           "A conversation as the prompt: a JSON array of messages, rendered by the model's chat template (see "
           "paretorank chat) with what begins an answer, or with --continue-final-message to be gone on with."),
    PR_CLI_CHAT_ARGS(options_t, chat),
    PR_CLI_ENGINE_ARGS(options_t, engine),
    PR_ARG("--greedy", BOOL, offsetof(options_t, greedy), NULL, "Take the likeliest token instead of drawing one."),
    PR_ARG("--temperature", REAL, offsetof(options_t, temperature), "T", "Sampling temperature. Default: 1.",
           .min = 1e-6, .max = 1e6),
    PR_ARG("--top-p", REAL, offsetof(options_t, top_p), "P",
           "Nucleus sampling: draw from the fewest tokens that hold this probability. Default: 1, all.", .min = 1e-6,
           .max = 1),
    PR_ARG("--seed", INT64, offsetof(options_t, seed), "S", "Seed of the draws. Default: 1.", .min = 0, .max = 0x1p63),
    PR_ARG("--max-new-tokens", INT, offsetof(options_t, max_new_tokens), "N", "Longest continuation. Default: 40.",
           .min = 1, .max = INT_MAX),
    PR_ARG("--stop", STRINGS, offsetof(options_t, stop), "TEXT",
           "End at this text, in which \\n, \\t, \\r and \\\\ stand for what they do in C; may be repeated. The text "
           "printed ends before it. So it is with the stop_strings of the "
           "model's generation_config.json."),
    PR_ARG("--ignore-eos", BOOL, offsetof(options_t, ignore_eos), NULL, "Continue after end-of-text tokens."),
    PR_ARG("--json", BOOL, offsetof(options_t, json), NULL,
           "Print one object per prompt, one per line: ids (prompt and continuation), text (the continuation), finish "
           "(\"eos\", \"stop\", \"length\"), prompt_tokens, tokens_per_second."),
    {0},
};

const pr_command_t pr_command_generate = {
    .name = "generate",
    .synopsis = "DIR (--prompt TEXT | --ids 1,2,3 | --prompts FILE.jsonl | --messages FILE.json) [options]",
    .summary = "Continue prompts with a model, with the policy that adapters and weights make, or with one of a sweep.",
    .help =
        "With a sweep's results directory it speaks as the sweep evaluates: what is not given of --greedy, "
        "--temperature, --top-p and --max-new-tokens is as its `evaluate` says, and its `stop` texts end a response "
        "too. A policy speaks by its own mix; each adapter is compared with what its job wrote.",
    .args = args,
};

// Prompts as packed token ids.
typedef struct batch {
    int n, *start; // [n+1]
    int32_t *ids;
    pr_prompts_t *file; // NULL for one prompt
    char *chat;         // what the messages became; NULL: none were given
    size_t chat_len;
} batch_t;

/* ids [n] are taken over. */
static pr_status_t batch_put(batch_t *b, int32_t *ids, size_t n, pr_error_t *err)
{
    size_t at = (size_t)b->start[b->n];
    if (n > (size_t)INT_MAX - at) {
        free(ids);
        return pr_fail(err, PR_ERR_FORMAT, "more than %d prompt tokens", INT_MAX);
    }
    b->ids = pr_realloc(b->ids, at + n, sizeof *b->ids);
    memcpy(b->ids + at, ids, n * sizeof *ids);
    b->start[++b->n] = (int)(at + n);
    free(ids);
    return PR_OK;
}

static pr_status_t batch_add(const pr_cli_engine_t *e, const pr_ints_t *given, const char *text, batch_t *b,
                             pr_error_t *err)
{
    int32_t *ids;
    size_t n;
    PR_TRY(pr_cli_engine_ids(e, given, text, &ids, &n, err));
    return batch_put(b, ids, n, err);
}

static pr_status_t batch_rendered(const pr_cli_engine_t *e, const char *text, size_t len, batch_t *b, pr_error_t *err)
{
    int32_t *ids;
    size_t n;
    PR_TRY(pr_cli_engine_chat_ids(e, text, len, &ids, &n, err));
    return batch_put(b, ids, n, err);
}

static pr_status_t batch_one(const pr_cli_engine_t *e, const options_t *o, batch_t *b, pr_error_t *err)
{
    if (o->chat.messages && batch_rendered(e, b->chat, b->chat_len, b, err) != PR_OK)
        return pr_fail_in(err, "%s", o->chat.messages);
    if (!o->chat.messages && batch_add(e, &o->ids, o->prompt, b, err) != PR_OK)
        return pr_fail_in(err, "%s", o->prompt ? "--prompt" : "--ids");
    return PR_OK;
}

static pr_status_t batch_make(const pr_cli_engine_t *e, const options_t *o, batch_t *b, pr_error_t *err)
{
    pr_prompt_chat_t chat = pr_cli_chat(o->engine.model, &o->chat, e->sweep);
    if (o->prompts)
        PR_TRY(pr_prompts_load_chat(o->prompts, &chat, &b->file, err));
    else if (o->chat.messages)
        PR_TRY(pr_cli_chat_text(&chat, o->chat.messages, &b->chat, &b->chat_len, err));
    if (b->file && !b->file->chat && pr_cli_chat_given(&o->chat))
        return pr_fail(err, PR_ERR_USAGE, "%s goes with messages, which %s does not have", pr_cli_chat_given(&o->chat),
                       o->prompts);
    int n = b->file ? b->file->n : 1;
    b->start = pr_alloc((size_t)n + 1, sizeof *b->start);
    if (!b->file)
        return batch_one(e, o, b, err);
    for (int i = 0; i < n; i++) {
        const char *text = b->file->text[i];
        if ((b->file->chat ? batch_rendered(e, text, strlen(text), b, err) : batch_add(e, &o->ids, text, b, err)) !=
            PR_OK)
            return pr_fail_in(err, "%s: prompt %d", o->prompts, i + 1);
    }
    return PR_OK;
}

static void batch_clear(batch_t *b)
{
    free(b->start);
    free(b->ids);
    free(b->chat);
    pr_prompts_free(&b->file);
}

// The tokens of sequence i, without the end-of-text token that ended it.
static pr_status_t continuation(const batch_t *b, const pr_stops_t *stops, const pr_decoded_t *d, int i,
                                pr_response_t *out, pr_error_t *err)
{
    int n = (int)(d->start[i + 1] - d->start[i]) - (d->finish[i] == PR_FINISH_EOS);
    bool continues = pr_response_continues(stops->tokenizer, b->ids + b->start[i], b->start[i + 1] - b->start[i]);
    return pr_response_read(stops, continues, d->ids + d->start[i], n, out, err);
}

static void print_object(const batch_t *b, int i, const pr_decoded_t *d, const pr_response_t *r, double rate)
{
    size_t n_prompt = (size_t)(b->start[i + 1] - b->start[i]), n_new = d->start[i + 1] - d->start[i];
    int32_t *all = pr_alloc(n_prompt + n_new, sizeof *all);
    memcpy(all, b->ids + b->start[i], n_prompt * sizeof *all);
    memcpy(all + n_prompt, d->ids + d->start[i], n_new * sizeof *all);
    json_t *v = json_object();
    if (b->file)
        json_object_set_new(v, "id",
                            b->file->numbered[i] ? json_integer(strtoll(b->file->id[i], NULL, 10))
                                                 : pr_cli_text_json(b->file->id[i], strlen(b->file->id[i])));
    if (b->file)
        json_object_set_new(v, "prompt", pr_cli_text_json(b->file->text[i], strlen(b->file->text[i])));
    if (b->chat)
        json_object_set_new(v, "prompt", pr_cli_text_json(b->chat, b->chat_len));
    json_object_set_new(v, "ids", pr_cli_ids_json(all, n_prompt + n_new));
    json_object_set_new(v, "text", pr_cli_text_json(r->text, r->len));
    json_object_set_new(v, "finish", json_string(pr_finish_name(d->finish[i])));
    json_object_set_new(v, "prompt_tokens", json_integer((json_int_t)n_prompt));
    json_object_set_new(v, "tokens_per_second", pr_json_real(rate));
    pr_cli_print_json(v);
    json_decref(v);
    free(all);
}

static pr_status_t print_all(const options_t *o, const batch_t *b, const pr_stops_t *stops, const pr_decoded_t *d,
                             double seconds, pr_error_t *err)
{
    double rate = (double)d->generated / (seconds > 1e-9 ? seconds : 1e-9);
    for (int i = 0; i < b->n; i++) {
        pr_response_t r;
        PR_TRY(continuation(b, stops, d, i, &r, err));
        if (o->json) {
            print_object(b, i, d, &r, rate);
        } else {
            fwrite(r.text, 1, r.len, stdout);
            putchar('\n');
        }
        pr_response_clear(&r);
    }
    return PR_OK;
}

static bool stop(void *self, int seq, const int32_t *ids, int n)
{
    (void)seq;
    return pr_stops_hit(self, ids, n);
}

// How it is drawn: as was asked for, else as the sweep evaluates, else by plain sampling.
static pr_sampling_t sampling_of(const options_t *o, const pr_config_t *sweep)
{
    bool drawn = o->temperature >= 0 || o->top_p >= 0 || o->seed >= 0;
    pr_sampling_t s = {o->greedy, 1, 1};
    if (sweep)
        s = (pr_sampling_t){o->greedy || (sweep->evaluate.greedy && !drawn), sweep->evaluate.temperature,
                            sweep->evaluate.top_p};
    s.temperature = o->temperature < 0 ? s.temperature : o->temperature;
    s.top_p = o->top_p < 0 ? s.top_p : o->top_p;
    return s;
}

// Those that were given and the sweep's. The caller frees the list.
static const char **given_stops(const options_t *o, const pr_config_t *sweep, int *n)
{
    int more = sweep ? sweep->stop.n : 0;
    const char **text = pr_alloc((size_t)(o->stop.n + more), sizeof *text);
    *n = 0;
    for (int i = 0; i < o->stop.n; i++)
        text[(*n)++] = o->stop.item[i];
    for (int i = 0; i < more; i++)
        text[(*n)++] = sweep->stop.item[i];
    return text;
}

static pr_status_t run(const options_t *o, pr_cli_engine_t *e, pr_error_t *err)
{
    batch_t b = {0};
    pr_decoded_t d = {0};
    pr_stops_t stops = {0};
    const char **stop_text = NULL, **given = NULL;
    int n_stop, n_given;
    pr_status_t status;
    PR_GO(pr_cli_engine_open(&o->engine, true, e, err));
    PR_GO(batch_make(e, o, &b, err));
    given = given_stops(o, e->sweep, &n_given);
    stop_text = pr_stop_texts(&e->model->config, n_given, given, &n_stop);
    PR_GO(pr_stops_init(&stops, e->tokenizer, n_stop, stop_text, err));
    pr_decode_options_t decode = {.sampling = sampling_of(o, e->sweep),
                                  .samples = 1,
                                  .max_new_tokens = o->max_new_tokens ? o->max_new_tokens
                                                    : e->sweep        ? e->sweep->evaluate.max_new_tokens
                                                                      : PLAIN_TOKENS,
                                  .ignore_eos = o->ignore_eos,
                                  .key = pr_rng_key((uint64_t)(o->seed < 0 ? 1 : o->seed), "generate", ""),
                                  .stop = n_stop > 0 ? stop : NULL,
                                  .self = &stops};
    double begin = pr_time_monotonic();
    PR_GO(pr_decode(&e->policy, 1, e->w, b.n, b.start, b.ids, &decode, &d, err));
    status = print_all(o, &b, &stops, &d, pr_time_monotonic() - begin, err);
done:
    pr_stops_clear(&stops);
    free(stop_text);
    free(given);
    pr_decoded_clear(&d);
    batch_clear(&b);
    return status;
}

/* A text with what its backslashes say, as a shell hands them on. Caller frees. */
static char *unescape(const char *text)
{
    static const char name[] = "ntr\\", stands[] = "\n\t\r\\";
    char *out = pr_alloc(strlen(text) + 1, 1), *to = out;
    for (const char *p = text; *p; p++) {
        const char *known = *p == '\\' && p[1] ? strchr(name, p[1]) : NULL;
        *to++ = known ? stands[known - name] : *p;
        p += known != NULL;
    }
    return out;
}

static int check_usage(const options_t *o)
{
    const pr_cli_chat_options_t *chat = &o->chat;
    if ((o->prompt != NULL) + (o->prompts != NULL) + (o->ids.n > 0) + (chat->messages != NULL) != 1)
        return pr_cli_usage(&pr_command_generate, "expected one of --prompt, --ids, --prompts and --messages");
    if (!chat->messages && !o->prompts && pr_cli_chat_given(chat))
        return pr_cli_usage(&pr_command_generate, "%s goes with --messages", pr_cli_chat_given(chat));
    if (o->greedy && (o->temperature >= 0 || o->top_p >= 0 || o->seed >= 0))
        return pr_cli_usage(&pr_command_generate,
                            "--greedy draws nothing: --temperature, --top-p and --seed say nothing");
    for (int i = 0; i < o->stop.n; i++)
        if (!o->stop.item[i][0])
            return pr_cli_usage(&pr_command_generate, "--stop: expected a text that is not empty");
    return 0;
}

int pr_cmd_generate(int argc, char **argv)
{
    options_t o = {.engine = PR_CLI_ENGINE_DEFAULTS, .temperature = -1, .top_p = -1, .seed = -1};
    pr_cli_engine_t e = {0};
    pr_error_t err;
    int code;
    o.engine.sweeps = true;
    if (pr_cli_parse(&pr_command_generate, argc, argv, &o, &code)) {
        for (int i = 0; i < o.stop.n; i++)
            o.stop.item[i] = unescape(o.stop.item[i]);
        code = check_usage(&o);
        if (code == 0 && run(&o, &e, &err) != PR_OK)
            code = pr_cli_fail(argv[0], &err);
        for (int i = 0; i < o.stop.n; i++)
            free((char *)(uintptr_t)o.stop.item[i]);
    }
    pr_cli_engine_close(&e);
    pr_cli_free(&pr_command_generate, &o);
    return code;
}
