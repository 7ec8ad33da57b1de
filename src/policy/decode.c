// SPDX-License-Identifier: BSD-3-Clause
/* Decoding of many (point, prompt, sample) sequences at once.
 *
 * Work is cut into chunks of `streams` sequences in canonical order. In a chunk every (expert, prompt) is prefilled
 * once into a cache of prompts, as is every (point, prompt) in the layers after the split; their keys and values are
 * then copied to the streams of the sequences that start from them. A finished sequence leaves the batch. */
#include "policy/decode_chunk.h"
#include "policy/policy.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *pr_finish_name(pr_finish_t f)
{
    static const char *const names[] = {
        [PR_FINISH_EOS] = "eos", [PR_FINISH_STOP] = "stop", [PR_FINISH_LENGTH] = "length"};
    return names[f];
}

void pr_decoded_clear(pr_decoded_t *d)
{
    free(d->start);
    free(d->ids);
    free(d->logp);
    free(d->finish);
    *d = (pr_decoded_t){0};
}

static pr_status_t check_options(const pr_decode_options_t *o, int n_point, int n_prompt, pr_error_t *err)
{
    const pr_sampling_t *s = &o->sampling;
    if (o->paired && n_point != n_prompt)
        return pr_fail(err, PR_ERR_CONFIG, "points of prompts: found %d, expected %d", n_point, n_prompt);
    if (o->max_new_tokens < 1)
        return pr_fail(err, PR_ERR_CONFIG, "max_new_tokens: found %d, expected at least 1", o->max_new_tokens);
    if (o->samples < 0 || o->streams < 0)
        return pr_fail(err, PR_ERR_CONFIG, "samples %d, streams %d: expected at least 0", o->samples, o->streams);
    if (!s->greedy && (!(s->temperature > 0) || !isfinite(s->temperature)))
        return pr_fail(err, PR_ERR_CONFIG, "temperature: found %g, expected a number above 0", s->temperature);
    if (!s->greedy && (!(s->top_p > 0) || s->top_p > 1))
        return pr_fail(err, PR_ERR_CONFIG, "top_p: found %g, expected a number in (0,1]", s->top_p);
    if ((o->paired ? 1.0 : n_point) * n_prompt * (o->samples > 1 ? o->samples : 1) > INT32_MAX / 2)
        return pr_fail(err, PR_ERR_CONFIG, "%d points, %d prompts, %d samples are too many for one call", n_point,
                       n_prompt, o->samples);
    return PR_OK;
}

static pr_status_t check_prompts(const pr_decode_t *d, pr_error_t *err)
{
    const pr_model_config_t *c = &d->p->model->config;
    for (int i = 0; i < d->n_prompt; i++) {
        int n = d->prompt_start[i + 1] - d->prompt_start[i];
        if (n < 1)
            return pr_fail(err, PR_ERR_FORMAT, "prompt %d is empty", i);
        if (n >= c->max_pos)
            return pr_fail(err, PR_ERR_FORMAT, "prompt %d has %d tokens; the model takes %d, new ones included", i, n,
                           c->max_pos);
        for (int j = d->prompt_start[i]; j < d->prompt_start[i + 1]; j++)
            if (d->prompt_ids[j] < 0 || d->prompt_ids[j] >= c->vocab)
                return pr_fail(err, PR_ERR_FORMAT, "prompt %d: token id %d is outside the vocabulary of %d", i,
                               d->prompt_ids[j], c->vocab);
    }
    return PR_OK;
}

/* ---- one new token ---- */

static bool is_eos(const pr_decode_t *d, int32_t id)
{
    const pr_model_config_t *c = &d->p->model->config;
    for (int i = 0; !d->o->ignore_eos && i < c->n_eos; i++)
        if (c->eos[i] == id)
            return true;
    return false;
}

static double uniform_of(const pr_decode_t *d, const pr_sequence_t *s)
{
    uint64_t prompt = d->o->prompt_id ? d->o->prompt_id[s->prompt] : (uint64_t)s->prompt;
    return pr_rng_uniform(&d->o->key, prompt, d->o->sample0 + (uint64_t)s->sample, (uint64_t)s->n, d->o->draw);
}

pr_status_t pr_decode_token(pr_decode_t *d, pr_sequence_t *s, float *logits, pr_error_t *err)
{
    const pr_decode_options_t *o = d->o;
    float logp = 0;
    double u = o->sampling.greedy ? 0.5 : uniform_of(d, s);
    int id = pr_choose_token(&o->sampling, d->p->model->config.vocab, logits, u, &logp);
    if (!isfinite(logp))
        return pr_fail(err, PR_ERR_NUMERIC, "point %d, prompt %d, token %d: the logits are not finite", s->point,
                       s->prompt, s->n);
    s->ids[s->n] = id;
    if (s->logp)
        s->logp[s->n] = logp;
    s->n++;
    d->out->generated++;
    s->done = true;
    if (is_eos(d, id))
        s->finish = PR_FINISH_EOS;
    else if (o->stop && o->stop(o->self, s->number, s->ids, s->n))
        s->finish = PR_FINISH_STOP;
    else if (s->n == s->limit)
        s->finish = PR_FINISH_LENGTH;
    else
        s->done = false;
    return PR_OK;
}

/* ---- chunks ---- */

static void sequence_new(const pr_decode_t *d, int number, pr_sequence_t *s)
{
    int samples = d->samples, max_pos = d->p->model->config.max_pos;
    *s = (pr_sequence_t){.number = number,
                         .sample = number % samples,
                         .prompt = number / samples % d->n_prompt,
                         .point = d->o->paired ? number / samples : number / samples / d->n_prompt};
    int room = max_pos - (d->prompt_start[s->prompt + 1] - d->prompt_start[s->prompt]);
    s->limit = d->o->max_new_tokens < room ? d->o->max_new_tokens : room;
    s->ids = pr_alloc((size_t)s->limit, sizeof *s->ids);
    s->logp = d->o->want_logp ? pr_alloc((size_t)s->limit, sizeof *s->logp) : NULL;
}

// Appends a chunk's sequences to those that are in the output.
static void collect(pr_decode_t *d, const pr_sequence_t *s, int n)
{
    pr_decoded_t *out = d->out;
    for (int i = 0; i < n; i++, s++) {
        size_t first = out->start[s->number];
        out->start[s->number + 1] = first + (size_t)s->n;
        out->finish[s->number] = s->finish;
        out->ids = pr_realloc(out->ids, first + (size_t)s->n, sizeof *out->ids);
        memcpy(out->ids + first, s->ids, (size_t)s->n * sizeof *s->ids);
        if (s->logp) {
            out->logp = pr_realloc(out->logp, first + (size_t)s->n, sizeof *out->logp);
            memcpy(out->logp + first, s->logp, (size_t)s->n * sizeof *s->logp);
        }
    }
}

static pr_status_t run_chunk(pr_decode_t *d, int first, int n, pr_error_t *err)
{
    pr_sequence_t *s = pr_alloc((size_t)n, sizeof *s);
    for (int i = 0; i < n; i++)
        sequence_new(d, first + i, &s[i]);
    pr_status_t status = d->o->no_cache ? pr_chunk_without_cache(d, s, n, err) : pr_chunk_with_cache(d, s, n, err);
    if (status == PR_OK)
        collect(d, s, n);
    for (int i = 0; i < n; i++) {
        free(s[i].ids);
        free(s[i].logp);
    }
    free(s);
    return status;
}

pr_status_t pr_decode(const pr_policy_t *p, int n_point, const double *w, int n_prompt, const int *prompt_start,
                      const int32_t *prompt_ids, const pr_decode_options_t *o, pr_decoded_t *out, pr_error_t *err)
{
    pr_decoded_t result = {0};
    pr_decode_t d = {.p = p,
                     .w = w,
                     .n_prompt = n_prompt,
                     .prompt_start = prompt_start,
                     .prompt_ids = prompt_ids,
                     .o = o,
                     .samples = o->samples > 1 ? o->samples : 1,
                     .out = &result};
    pr_status_t status = PR_OK;
    PR_TRY(check_options(o, n_point, n_prompt, err));
    PR_TRY(pr_policy_check(p, n_point, w, err));
    PR_TRY(check_prompts(&d, err));
    PR_TRY(pr_engine_new(p, &d.engine, err));
    result.n_seq = (o->paired ? 1 : n_point) * n_prompt * d.samples;
    result.start = pr_alloc((size_t)result.n_seq + 1, sizeof *result.start);
    result.finish = pr_alloc((size_t)result.n_seq, sizeof *result.finish);
    int streams = o->streams > 0 ? o->streams : 256;
    for (int first = 0; first < result.n_seq; first += streams)
        PR_GO(run_chunk(&d, first, result.n_seq - first < streams ? result.n_seq - first : streams, err));
    *out = result;
    result = (pr_decoded_t){0};
done:
    pr_decoded_clear(&result);
    pr_engine_free(&d.engine);
    return status;
}
