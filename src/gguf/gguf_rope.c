// SPDX-License-Identifier: BSD-3-Clause
#include "gguf/gguf_rope.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FACTORS "rope_freqs.weight" // a frequency is divided by its factor

double pr_gguf_decimal(double x)
{
    char text[32];
    if ((double)(float)x != x)
        return x;
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtof(text, NULL) == (float)x)
            return strtod(text, NULL);
    }
    return x;
}

static pr_status_t real(const pr_gguf_t *g, const pr_gguf_model_t *m, const char *name, double *out, pr_error_t *err)
{
    char key[96];
    snprintf(key, sizeof key, "%s.rope.%s", m->arch, name);
    PR_TRY(pr_gguf_real(g, key, out, err));
    *out = pr_gguf_decimal(*out);
    if (*out >= 0)
        return PR_OK;
    char found[32];
    snprintf(found, sizeof found, "%.9g", *out);
    return pr_gguf_unsupported(g, key, found, "no negative number", err);
}

/* A type that is not said is linear, and a factor of 0 none, as llama.cpp has it. */
static pr_status_t read_scaling(const pr_gguf_t *g, pr_gguf_model_t *m, pr_error_t *err)
{
    char key[96];
    const char *type = "linear";
    double factor = 0;
    snprintf(key, sizeof key, "%s.rope.scaling.type", m->arch);
    PR_TRY(pr_gguf_string(g, key, &type, err));
    if (strcmp(type, "linear") != 0 && strcmp(type, "none") != 0)
        return pr_gguf_unsupported(g, key, type, "linear or none", err);
    PR_TRY(real(g, m, "scale_linear", &factor, err));
    PR_TRY(real(g, m, "scaling.factor", &factor, err));
    m->linear = strcmp(type, "none") == 0 || factor == 0 ? 1 : factor;
    return PR_OK;
}

/* ---- factors ---- */

/* What Llama 3.1's scaling makes of the wavelength: 1, the factor, or between them. */
static double llama3_factor(const pr_gguf_model_t *m, double wave)
{
    if (wave < m->original / m->high)
        return 1;
    if (wave > m->original / m->low)
        return m->factor;
    double smooth = (m->original / wave - m->low) / (m->high - m->low);
    return 1 / ((1 - smooth) / m->factor + smooth);
}

static bool is_llama3(const pr_gguf_model_t *m, const float *factor)
{
    for (int i = 0; i < m->head_dim / 2; i++) {
        double wave = 2 * M_PI * pow(m->theta, 2.0 * i / m->head_dim), expected = llama3_factor(m, wave);
        if (!(fabs((double)factor[i] - expected) <= 4e-6 * expected))
            return false;
    }
    return true;
}

/* The file has what the scaling made, not its settings: the factor is the largest one, low and high are 1 and 4 in all
 * models that there are, and the length that it began with is the power of two that gives the same. */
static bool find_llama3(pr_gguf_model_t *m, const float *factor)
{
    m->factor = 1;
    m->low = 1;
    m->high = 4;
    for (int i = 0; i < m->head_dim / 2; i++)
        m->factor = fmax(m->factor, (double)factor[i]);
    for (m->original = 16; m->original <= 1 << 24; m->original *= 2)
        if (is_llama3(m, factor))
            return true;
    return false;
}

static pr_status_t read_factors(const pr_gguf_t *g, pr_gguf_model_t *m, pr_error_t *err)
{
    const pr_gguf_tensor_t *t = pr_gguf_find(g, FACTORS);
    int n = m->head_dim / 2, ones = 0;
    if (!t)
        return PR_OK;
    if (t->n_dim != 1 || t->shape[0] != n || strcmp(t->type->name, "F32") != 0)
        return pr_fail(err, PR_ERR_FORMAT, "%s: tensor '" FACTORS "': found %lld numbers of %s, expected %d of F32",
                       pr_gguf_path(g), (long long)t->shape[t->n_dim - 1], t->type->name, n);
    float *factor = pr_alloc((size_t)n, sizeof *factor);
    t->type->to_float(t->data, (size_t)n, factor);
    for (int i = 0; i < n; i++)
        ones += factor[i] == 1;
    m->llama3 = ones < n && find_llama3(m, factor);
    free(factor);
    if (ones < n && (!m->llama3 || m->linear != 1))
        return pr_fail(err, PR_ERR_UNSUPPORTED,
                       "%s: tensor '" FACTORS
                       "': its factors are not those of Llama 3.1's scaling%s, which is all that "
                       "config.json can say",
                       pr_gguf_path(g), m->llama3 ? " alone" : "");
    return PR_OK;
}

pr_status_t pr_gguf_rope_read(const pr_gguf_t *g, pr_gguf_model_t *m, pr_error_t *err)
{
    m->theta = 10000;
    PR_TRY(real(g, m, "freq_base", &m->theta, err));
    if (m->theta == 0)
        m->theta = 10000; // as llama.cpp has it
    PR_TRY(read_scaling(g, m, err));
    return read_factors(g, m, err);
}

json_t *pr_gguf_rope_config(const pr_gguf_model_t *m)
{
    if (m->llama3)
        return json_pack("{s:s, s:o, s:o, s:o, s:i}", "rope_type", "llama3", "factor", pr_json_real(m->factor),
                         "low_freq_factor", pr_json_real(m->low), "high_freq_factor", pr_json_real(m->high),
                         "original_max_position_embeddings", m->original);
    if (m->linear != 1)
        return json_pack("{s:s, s:o}", "rope_type", "linear", "factor", pr_json_real(m->linear));
    return json_null();
}
