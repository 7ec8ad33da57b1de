// SPDX-License-Identifier: BSD-3-Clause
/* Rotary positions (Su et al. 2021) and their scalings: which settings there are and what they make of the frequencies.
 *
 * Where settings are found is as in transformers 5: rope_scaling where it says something, else rope_parameters; the
 * base from there, else rope_theta beside it; original_max_position_embeddings beside it, else from there, else
 * max_position_embeddings. Settings that this program does not have are refused, also in places where they would do
 * nothing: nobody writes a factor that is to be passed over. */
#include "base/log.h"
#include "model/config_parts.h"

#include <limits.h>
#include <math.h>
#include <string.h>

enum { PLACE = 1024 }; // of a setting, for messages

// A key that is there holds a number above 0; null is none.
static pr_status_t positive(const pr_config_source_t *s, const char *key, double dflt, double *out, pr_error_t *err)
{
    const json_t *v = json_object_get(s->root, key);
    *out = v ? json_number_value(v) : dflt;
    if ((v && !json_is_number(v)) || !(*out > 0 && isfinite(*out)))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %s, expected a number > 0", s->path, key,
                       json_is_number(v) ? "one that is not" : pr_json_type_name(v));
    return PR_OK;
}

static pr_status_t read_original_pos(const pr_config_source_t *s, const pr_config_source_t *top, pr_model_config_t *c,
                                     pr_error_t *err)
{
    const char *key = "original_max_position_embeddings";
    const json_t *beside = json_object_get(top->root, key);
    return pr_config_size(!pr_json_is_none(beside) ? top : s, key, c->max_pos, 1 << 30, &c->rope_original_pos, err);
}

static pr_status_t read_llama3(const pr_config_source_t *s, const pr_config_source_t *top, pr_model_config_t *c,
                               pr_error_t *err)
{
    c->rope = PR_ROPE_LLAMA3;
    PR_TRY(positive(s, "factor", 0, &c->rope_factor, err));
    PR_TRY(positive(s, "low_freq_factor", 0, &c->rope_low, err));
    PR_TRY(positive(s, "high_freq_factor", 0, &c->rope_high, err));
    if (c->rope_high <= c->rope_low)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: key 'high_freq_factor': found %g, expected more than low_freq_factor %g", s->path,
                       c->rope_high, c->rope_low);
    return read_original_pos(s, top, c, err);
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

/* ---- keys ---- */

enum { DEFAULT = 1, LINEAR = 2, LLAMA3 = 4, ANY = 7 };

/* Keys of rotary settings, with the types that read them. What is of other types only would change the frequencies. */
static const struct {
    const char *key;
    unsigned types;
} settings[] = {{"rope_type", ANY},
                {"type", ANY},
                {"rope_theta", ANY},
                {"partial_rotary_factor", ANY},
                {"original_max_position_embeddings", ANY}, // only says how the model was made where nothing reads it
                {"finetuned", ANY},                        // the same
                {"factor", LINEAR | LLAMA3},
                {"low_freq_factor", LLAMA3},
                {"high_freq_factor", LLAMA3},
                {"alpha", 0},
                {"attention_factor", 0},
                {"beta_fast", 0},
                {"beta_slow", 0},
                {"long_factor", 0},
                {"long_mscale", 0},
                {"mrope_interleaved", 0},
                {"mrope_section", 0},
                {"mscale", 0},
                {"mscale_all_dim", 0},
                {"short_factor", 0},
                {"short_mscale", 0},
                {"truncate", 0}};

// Does the value say that there is no such setting? A factor of one is none.
static bool is_off(const char *key, const json_t *v)
{
    size_t n = strlen(key);
    bool factor = n >= 6 && strcmp(key + n - 6, "factor") == 0;
    return pr_json_is_none(v) || json_is_false(v) || (factor && json_is_number(v) && json_number_value(v) == 1);
}

// Settings by kind of layer, {"full_attention": {...}, ...}, which models of these families do not have.
static bool is_nested(const char *key, const json_t *v)
{
    size_t n = strlen(key);
    return json_is_object(v) || (n > 10 && strcmp(key + n - 10, "_attention") == 0);
}

static pr_status_t check_keys(const pr_config_source_t *s, const char *type, unsigned bit, pr_error_t *err)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)s->root, key, v)
    {
        size_t i = 0, n = sizeof settings / sizeof *settings;
        while (i < n && strcmp(settings[i].key, key) != 0)
            i++;
        if (i == n && is_nested(key, v))
            return pr_config_unsupported(s, key, v, "the same settings for all layers, in one object", err);
        if ((i < n && settings[i].types & bit) || is_off(key, v))
            continue;
        if (i == n) {
            pr_log(PR_LOG_WARN, "%s: key '%.100s' is not known and was ignored", s->path, key);
            continue;
        }
        char expected[64];
        snprintf(expected, sizeof expected, "no such key with rope_type '%.20s'", type);
        return pr_config_unsupported(s, key, v, expected, err);
    }
    return PR_OK;
}

/* ---- one object of settings ---- */

static pr_status_t read_settings(const pr_config_source_t *s, const pr_config_source_t *top, pr_model_config_t *c,
                                 pr_error_t *err)
{
    const char *key = json_object_get(s->root, "rope_type") ? "rope_type" : "type",
               *expected = "default, linear or llama3";
    const json_t *given = json_object_get(s->root, key);
    const char *type = given ? json_string_value(given) : "default";
    unsigned bit = !type                          ? 0
                   : strcmp(type, "default") == 0 ? DEFAULT
                   : strcmp(type, "linear") == 0  ? LINEAR
                   : strcmp(type, "llama3") == 0  ? LLAMA3
                                                  : 0;
    if (!bit) // null, too, which says nothing of what the other keys are for
        return pr_config_unsupported(s, key, given, expected, err);
    const pr_config_source_t *base = json_object_get(s->root, "rope_theta") ? s : top;
    PR_TRY(positive(base, "rope_theta", 10000, &c->rope_theta, err));
    PR_TRY(full_rotation(s, err));
    PR_TRY(check_keys(s, type, bit, err));
    if (bit == LLAMA3)
        return read_llama3(s, top, c, err);
    c->rope = bit == LINEAR ? PR_ROPE_LINEAR : PR_ROPE_DEFAULT;
    return bit == LINEAR ? positive(s, "factor", 0, &c->rope_factor, err) : PR_OK;
}

/* ---- config.json ---- */

// *out: an object that holds something, or NULL.
static pr_status_t find_object(const pr_config_source_t *s, const char *key, const json_t **out, pr_error_t *err)
{
    const json_t *v = json_object_get(s->root, key);
    *out = NULL;
    if (!pr_json_is_none(v) && !json_is_object(v))
        return pr_fail(err, PR_ERR_FORMAT, "%s: key '%s': found %s, expected an object or null", s->path, key,
                       pr_json_type_name(v));
    if (json_object_size(v) > 0)
        *out = v;
    return PR_OK;
}

// A key of this program's earlier versions, which could round frequencies as the weights are stored.
static pr_status_t check_dtype(const pr_config_source_t *s, pr_error_t *err)
{
    const json_t *v = json_object_get(s->root, "rope_dtype");
    const char *name = json_string_value(v);
    return pr_json_is_none(v) || (name && strcmp(name, "float32") == 0)
               ? PR_OK
               : pr_config_unsupported(s, "rope_dtype", v, "float32, as rotary frequencies always are", err);
}

pr_status_t pr_config_read_rope(const pr_config_source_t *s, pr_model_config_t *c, pr_error_t *err)
{
    const json_t *scaling, *parameters;
    c->rope = PR_ROPE_DEFAULT;
    c->rope_factor = 1;
    PR_TRY(full_rotation(s, err));
    PR_TRY(check_dtype(s, err));
    PR_TRY(find_object(s, "rope_scaling", &scaling, err));
    PR_TRY(find_object(s, "rope_parameters", &parameters, err));
    if (!scaling && !parameters)
        return positive(s, "rope_theta", 10000, &c->rope_theta, err);
    if (scaling && parameters && !json_equal(scaling, parameters))
        pr_log(PR_LOG_WARN, "%s: key 'rope_parameters' is not used as there is 'rope_scaling' (as in transformers)",
               s->path);
    char where[PLACE];
    snprintf(where, sizeof where, "%.900s: %s", s->path, scaling ? "rope_scaling" : "rope_parameters");
    pr_config_source_t inner = {scaling ? scaling : parameters, where};
    return read_settings(&inner, s, c, err);
}

/* ---- frequencies ---- */

// Llama 3.1: long wavelengths are stretched by the factor, short ones kept, those between blended.
static float llama3_frequency(const pr_model_config_t *c, float f)
{
    double length = c->rope_original_pos, wave = 2 * M_PI / (double)f;
    if (wave < length / c->rope_high)
        return f;
    if (wave > length / c->rope_low)
        return f / (float)c->rope_factor;
    double smooth = (length / wave - c->rope_low) / (c->rope_high - c->rope_low);
    return (float)((1 - smooth) * (double)f / c->rope_factor + smooth * (double)f);
}

void pr_model_config_rope(const pr_model_config_t *c, float *inv_freq)
{
    for (int i = 0; i < c->head_dim / 2; i++) {
        // Every step in float, the exponent too: it is what models were trained with, and at position p a frequency's
        // error becomes one of p times as much in the angle.
        float exponent = (float)(2 * i) / (float)c->head_dim;
        float f = 1.0f / (float)pow((double)(float)c->rope_theta, (double)exponent);
        if (c->rope == PR_ROPE_LINEAR)
            f /= (float)c->rope_factor;
        else if (c->rope == PR_ROPE_LLAMA3)
            f = llama3_frequency(c, f);
        inv_freq[i] = f;
    }
}
