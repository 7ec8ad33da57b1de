/* Rotary positions (Su et al. 2021) and their scalings: which settings there are and what they make of the frequencies.
 *
 * A model stored in bfloat16 has its frequencies rounded to bfloat16, as model.to(bfloat16) in PyTorch rounds them with
 * every other buffer; the project's reference fixtures are made so. from_pretrained(dtype=bfloat16) keeps them in
 * float32 instead: "rope_dtype": "float32" in config.json follows that. The two differ by less than a thousandth of a
 * rotation. */
#include "model/config_parts.h"

#include <limits.h>
#include <math.h>
#include <string.h>

static pr_status_t positive(const pr_config_source_t *s, const char *key, double dflt, double *out, pr_error_t *err)
{
    PR_TRY(pr_json_get_real(s->root, key, dflt, out, s->path, err));
    if (!(*out > 0 && isfinite(*out)))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %s, expected a number > 0", s->path, key,
                       json_object_get(s->root, key) ? "one that is not" : "nothing");
    return PR_OK;
}

static pr_status_t read_original_pos(const pr_config_source_t *s, const pr_config_source_t *top, int *out,
                                     pr_error_t *err)
{
    const char *key = "original_max_position_embeddings";
    const json_t *own = json_object_get(s->root, key);
    return pr_config_size(own && !json_is_null(own) ? s : top, key, 0, 1 << 30, out, err);
}

static pr_status_t read_llama3(const pr_config_source_t *s, const pr_config_source_t *top, pr_model_config_t *c,
                               pr_error_t *err)
{
    PR_TRY(positive(s, "factor", 0, &c->rope_factor, err));
    PR_TRY(positive(s, "low_freq_factor", 0, &c->rope_low, err));
    PR_TRY(positive(s, "high_freq_factor", 0, &c->rope_high, err));
    if (c->rope_high <= c->rope_low)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: key 'high_freq_factor': found %g, expected more than low_freq_factor %g", s->path,
                       c->rope_high, c->rope_low);
    return read_original_pos(s, top, &c->rope_original_pos, err);
}

static pr_status_t full_rotation(const pr_config_source_t *s, pr_error_t *err)
{
    double part;
    PR_TRY(pr_json_get_real(s->root, "partial_rotary_factor", 1, &part, s->path, err));
    if (part != 1)
        return pr_config_unsupported(s, "partial_rotary_factor", json_object_get(s->root, "partial_rotary_factor"), "1",
                                     err);
    return PR_OK;
}

// One object of settings: rope_scaling or rope_parameters.
static pr_status_t read_settings(const pr_config_source_t *s, const pr_config_source_t *top, pr_model_config_t *c,
                                 pr_error_t *err)
{
    const char *type, *key = json_object_get(s->root, "rope_type") ? "rope_type" : "type";
    PR_TRY(pr_json_get_string(s->root, key, "default", &type, s->path, err));
    PR_TRY(positive(s, "rope_theta", c->rope_theta, &c->rope_theta, err));
    PR_TRY(full_rotation(s, err));
    if (json_object_get(s->root, "mrope_section"))
        return pr_config_unsupported(s, "mrope_section", json_object_get(s->root, "mrope_section"), "no such key", err);
    if (strcmp(type, "default") == 0)
        return PR_OK;
    if (strcmp(type, "linear") == 0) {
        c->rope = PR_ROPE_LINEAR;
        return positive(s, "factor", 0, &c->rope_factor, err);
    }
    if (strcmp(type, "llama3") == 0) {
        c->rope = PR_ROPE_LLAMA3;
        return read_llama3(s, top, c, err);
    }
    return pr_config_unsupported(s, key, json_object_get(s->root, key), "default, linear or llama3", err);
}

static pr_status_t read_dtype(const pr_config_source_t *s, pr_model_config_t *c, pr_error_t *err)
{
    const char *dtype;
    PR_TRY(pr_json_get_string(s->root, "rope_dtype", "stored", &dtype, s->path, err));
    c->rope_exact = strcmp(dtype, "float32") == 0;
    if (!c->rope_exact && strcmp(dtype, "stored") != 0)
        return pr_config_unsupported(s, "rope_dtype", json_object_get(s->root, "rope_dtype"), "float32 or stored", err);
    return PR_OK;
}

pr_status_t pr_config_read_rope(const pr_config_source_t *s, pr_model_config_t *c, pr_error_t *err)
{
    static const char *const keys[] = {"rope_parameters", "rope_scaling"}; // the first of them that is there
    c->rope = PR_ROPE_DEFAULT;
    c->rope_factor = 1;
    PR_TRY(positive(s, "rope_theta", 10000, &c->rope_theta, err));
    PR_TRY(full_rotation(s, err));
    PR_TRY(read_dtype(s, c, err));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const json_t *value = json_object_get(s->root, keys[i]);
        if (!value || json_is_null(value))
            continue;
        if (!json_is_object(value))
            return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %s, expected an object or null", s->path, keys[i],
                           pr_json_type_name(value));
        char where[1024];
        snprintf(where, sizeof where, "%s: %s", s->path, keys[i]);
        return read_settings(&(pr_config_source_t){value, where}, s, c, err);
    }
    return PR_OK;
}

// Llama 3.1: long wavelengths are stretched by the factor, short ones kept, those between blended.
static double llama3_frequency(const pr_model_config_t *c, double f)
{
    double length = c->rope_original_pos, wave = 2 * M_PI / f;
    if (wave < length / c->rope_high)
        return f;
    if (wave > length / c->rope_low)
        return f / c->rope_factor;
    double smooth = (length / wave - c->rope_low) / (c->rope_high - c->rope_low);
    return (1 - smooth) * f / c->rope_factor + smooth * f;
}

// To the nearest bfloat16, ties to even.
static double round_bf16(double x)
{
    union {
        float f;
        uint32_t bits;
    } v = {.f = (float)x};
    v.bits = (v.bits + 0x7fffu + ((v.bits >> 16) & 1u)) & 0xffff0000u;
    return (double)v.f;
}

void pr_model_config_rope(const pr_model_config_t *c, double *inv_freq)
{
    for (int i = 0; i < c->head_dim / 2; i++) {
        double f = pow(c->rope_theta, -2.0 * i / c->head_dim);
        if (c->rope == PR_ROPE_LINEAR)
            f /= c->rope_factor;
        else if (c->rope == PR_ROPE_LLAMA3)
            f = llama3_frequency(c, f);
        inv_freq[i] = c->rope_bf16 ? round_bf16(f) : f;
    }
}
