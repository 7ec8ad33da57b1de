// SPDX-License-Identifier: BSD-3-Clause
/* Whole model directories: every fixture, older layouts of the same weights, broken directories, memory. */
#include "base/log.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "model_files.h"

#include <math.h>
#include <sys/wait.h>

static pr_model_t *load_well(const char *dir)
{
    pr_model_t *m = NULL;
    pr_error_t err = {0};
    ck_assert_msg(pr_model_load(dir, &m, &err) == PR_OK, "%s: %s", dir, err.text);
    return m;
}

static pr_model_t *load_fixture(const char *name)
{
    char path[512];
    fixture_path(path, name);
    return load_well(path);
}

static const struct {
    const char *name;
    int64_t params;
    size_t tensors;
    int n_label;
    bool tied;
} fixtures[] = {{"gpt2", 91584, 28, 0, true},        {"llama", 110448, 21, 0, false},
                {"qwen2", 121920, 26, 0, true},      {"smollm2", 187128, 29, 0, true},
                {"reward-gpt2", 48800, 29, 1, true}, {"reward-llama", 44096, 21, 1, false}};

// The counts are those of the files' own headers; every value is that of the tensor of its name in the file.
START_TEST(loads_fixture)
{
    size_t n;
    char path[512];
    pr_safetensors_t *st = NULL;
    pr_model_t *m = load_fixture(fixtures[_i].name);
    fixture_path(path, fixtures[_i].name);
    ck_assert_int_eq(pr_safetensors_open_model(path, &st, NULL), PR_OK);
    ck_assert_int_eq(pr_model_config_params(&m->config), fixtures[_i].params);
    ck_assert_uint_eq(m->bytes, 4 * (size_t)fixtures[_i].params);
    ck_assert_int_eq(m->config.n_label, fixtures[_i].n_label);
    pr_model_tensor_t *t = pr_model_tensors(m, &n);
    ck_assert_uint_eq(n, fixtures[_i].tensors);
    ck_assert_uint_eq(n, pr_safetensors_count(st));
    for (size_t i = 0; i < n; i++) {
        const pr_tensor_t *f = pr_safetensors_find(st, t[i].name);
        ck_assert_msg(f != NULL, "%s is not in the file", t[i].name);
        ck_assert_uint_eq(t[i].n, (size_t)f->n);
        ck_assert_int_eq(t[i].n_dim, f->n_dim);
        float *x = pr_alloc(t[i].n, sizeof *x);
        ck_assert_int_eq(pr_tensor_to_float(f, 0, f->n, x, NULL), PR_OK);
        ck_assert_msg(memcmp(x, t[i].data, t[i].n * sizeof *x) == 0, "%s differs", t[i].name);
        free(x);
    }
    ck_assert_int_eq(m->head.data == m->embed, fixtures[_i].tied && !fixtures[_i].n_label);
    ck_assert_int_eq(m->score.data != NULL, fixtures[_i].n_label > 0);
    free(t);
    pr_safetensors_close(&st);
    pr_model_free(&m);
    ck_assert_ptr_null(m);
}
END_TEST

// PyTorch's logits are PyTorch's last hidden state times the head that was loaded here.
static void check_head(const char *name, int rows, int v, int d)
{
    char path[512], file[128];
    pr_safetensors_t *st = NULL;
    snprintf(file, sizeof file, "%s/expected.safetensors", name);
    fixture_path(path, file);
    ck_assert_int_eq(pr_safetensors_open(path, &st, NULL), PR_OK);
    pr_model_t *m = load_fixture(name);
    float *h = pr_alloc((size_t)(rows * d), sizeof *h), *y = pr_alloc((size_t)(rows * v), sizeof *y);
    float *found = pr_alloc((size_t)(rows * v), sizeof *found);
    ck_assert_int_eq(pr_tensor_to_float(pr_safetensors_find(st, "hidden_last"), 0, rows * d, h, NULL), PR_OK);
    ck_assert_int_eq(pr_tensor_to_float(pr_safetensors_find(st, "logits"), 0, rows * v, y, NULL), PR_OK);
    const pr_linalg_t *la = pr_linalg_local();
    la->forward(la, &m->head, rows, h, d, found, v, false);
    for (int i = 0; i < rows * v; i++)
        ck_assert_msg(fabsf(found[i] - y[i]) <= 1e-4f * (1 + fabsf(y[i])), "%s logit %d: %g, PyTorch %g", name, i,
                      (double)found[i], (double)y[i]);
    free(h);
    free(y);
    free(found);
    pr_safetensors_close(&st);
    pr_model_free(&m);
}

START_TEST(head_gives_pytorch_logits)
{
    check_head("gpt2", 48, 600, 48);
    check_head("llama", 48, 620, 48);
    check_head("qwen2", 48, 648, 64);
    check_head("smollm2", 48, 576, 72);
}
END_TEST

START_TEST(weights_have_their_shapes)
{
    pr_model_t *m = load_fixture("gpt2");
    const pr_weight_t *w = &m->layer[1].w[PR_SLOT_UP];
    ck_assert(w->out == 192 && w->in == 48 && w->ld == 192 && w->transposed);
    ck_assert_ptr_nonnull(m->layer[1].bias[PR_SLOT_UP]);
    ck_assert_ptr_null(m->layer[1].w[PR_SLOT_Q].data);
    ck_assert_ptr_nonnull(m->pos);
    ck_assert_ptr_nonnull(m->layer[0].norm1_b);
    pr_model_free(&m);
    m = load_fixture("qwen2");
    w = &m->layer[0].w[PR_SLOT_K];
    ck_assert(w->out == 32 && w->in == 64 && w->ld == 64 && !w->transposed);
    ck_assert_ptr_nonnull(m->layer[0].bias[PR_SLOT_V]);
    ck_assert_ptr_null(m->layer[0].bias[PR_SLOT_O]);
    ck_assert_ptr_null(m->layer[0].w[PR_SLOT_QKV].data);
    ck_assert_ptr_null(m->layer[0].norm1_b);
    ck_assert_ptr_null(m->pos);
    pr_model_free(&m);
}
END_TEST

START_TEST(tables_of_positions_grow)
{
    pr_error_t err = {0};
    pr_model_t *m = load_fixture("llama"); // head_dim 12, theta 10000, 128 positions
    ck_assert_ptr_null(m->rope_cos);
    ck_assert_int_eq(pr_model_rope_reserve(m, 3, &err), PR_OK);
    ck_assert_int_eq(pr_model_rope_reserve(m, 128, &err), PR_OK);
    for (int p = 0; p < 128; p++)
        for (int i = 0; i < 6; i++) {
            double angle = p * pow(10000, -2.0 * i / 12), near = 1e-7 + angle * 2e-7; // angles are float's
            ck_assert(fabs((double)m->rope_cos[p * 6 + i] - cos(angle)) < near);
            ck_assert(fabs((double)m->rope_sin[p * 6 + i] - sin(angle)) < near);
        }
    check_error("past the end", pr_model_rope_reserve(m, 129, &err), PR_ERR_FORMAT, err.text, "129|128");
    pr_model_free(&m);
    m = load_fixture("gpt2");
    ck_assert_int_eq(pr_model_rope_reserve(m, 128, &err), PR_OK);
    ck_assert_ptr_null(m->rope_cos);
    pr_model_free(&m);
}
END_TEST

START_TEST(a_writable_copy_is_equal_and_private)
{
    size_t n;
    pr_error_t err = {0};
    for (size_t k = 0; k < sizeof fixtures / sizeof *fixtures; k++) {
        pr_model_t *m = load_fixture(fixtures[k].name), *w = load_fixture(fixtures[k].name);
        ck_assert_int_eq(pr_model_make_writable(w, &err), PR_OK);
        ck_assert_int_eq(pr_model_make_writable(w, &err), PR_OK);
        ck_assert_uint_eq(w->bytes, m->bytes);
        pr_model_tensor_t *a = pr_model_tensors(m, &n), *b = pr_model_tensors(w, &n);
        for (size_t i = 0; i < n; i++) {
            ck_assert_int_eq(memcmp(a[i].data, b[i].data, a[i].n * sizeof(float)), 0);
            b[i].data[0] += 1;
            ck_assert(a[i].data[0] != b[i].data[0]);
        }
        if (!w->config.n_label && w->config.tied_head)
            ck_assert_ptr_eq(w->head.data, w->embed);
        else
            ck_assert(w->config.n_label ? w->score.data == b[n - 1].data : w->head.data == b[n - 1].data);
        free(a);
        free(b);
        pr_model_free(&m);
        pr_model_free(&w);
    }
}
END_TEST

/* ---- the same weights in other clothes ---- */

typedef struct {
    const char *strip;   // prefix taken off the names
    const char *dtype;   // F32, F16 or BF16
    bool unaligned;      // data off the 4-byte grid
    const char *without; // a tensor left out
    const char *reshape; // a tensor whose shape gets a 1 in front
    const char *extra;   // header text of further tensors of 4 zero bytes each, with %zu for the offset
    int n_extra;
    const char *poison; // a tensor whose element `at` becomes odd
    int64_t at;
    float odd;
} dress_t;

static uint16_t narrow(float x, bool bfloat)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    if (bfloat)
        return (uint16_t)(bits >> 16);
    // Good enough for weights here: normal halves, cut off.
    uint32_t exponent = bits >> 23 & 255;
    if (exponent < 113)
        return (uint16_t)(bits >> 16 & 0x8000);
    return (uint16_t)((bits >> 16 & 0x8000) | (exponent - 112) << 10 | (bits >> 13 & 1023));
}

static void add_data(pr_buf_t *data, const pr_tensor_t *t, const dress_t *d)
{
    float *x = pr_alloc((size_t)t->n, sizeof *x);
    ck_assert_int_eq(pr_tensor_to_float(t, 0, t->n, x, NULL), PR_OK);
    if (d->poison && strcmp(d->poison, t->name) == 0)
        x[d->at] = d->odd;
    for (int64_t i = 0; i < t->n; i++) {
        uint16_t h = narrow(x[i], d->dtype[0] == 'B');
        if (d->dtype[1] == '1' && !isfinite(x[i]))
            h = isnan(x[i]) ? 0x7e00 : x[i] > 0 ? 0x7c00 : 0xfc00;
        if (strcmp(d->dtype, "F32") == 0)
            pr_buf_add(data, &x[i], 4);
        else
            pr_buf_add(data, &h, 2);
    }
    free(x);
}

static void add_entry(pr_buf_t *header, const pr_tensor_t *t, const dress_t *d, size_t begin, size_t end)
{
    const char *name = t->name;
    size_t n = d->strip ? strlen(d->strip) : 0;
    if (n && strncmp(name, d->strip, n) == 0)
        name += n;
    bool reshape = d->reshape && strcmp(t->name, d->reshape) == 0;
    pr_buf_printf(header, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s%lld", header->len > 1 ? "," : "", name, d->dtype,
                  reshape ? "1," : "", (long long)t->shape[0]);
    if (t->n_dim == 2)
        pr_buf_printf(header, ",%lld", (long long)t->shape[1]);
    pr_buf_printf(header, "],\"data_offsets\":[%zu,%zu]}", begin, end);
}

// Writes scratch/model.safetensors and config.json from a fixture's tensors.
static void dress(const char *fixture, const dress_t *d)
{
    char path[512], file[128], *config;
    size_t len;
    pr_safetensors_t *st = NULL;
    pr_buf_t header = {0}, data = {0};
    fixture_path(path, fixture);
    ck_assert_int_eq(pr_safetensors_open_model(path, &st, NULL), PR_OK);
    pr_buf_puts(&header, "{");
    for (size_t i = 0; i < pr_safetensors_count(st); i++) {
        const pr_tensor_t *t = pr_safetensors_at(st, i);
        size_t begin = data.len;
        if (d->without && strcmp(d->without, t->name) == 0)
            continue;
        add_data(&data, t, d);
        add_entry(&header, t, d, begin, data.len);
    }
    for (int i = 0; i < d->n_extra; i++) {
        pr_buf_printf(&header, ",\"%s%d%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}",
                      strcmp(d->extra, "h.*.attn.bias") == 0 ? "h." : "unknown.", i,
                      strcmp(d->extra, "h.*.attn.bias") == 0 ? ".attn.bias" : "", data.len, data.len + 4);
        pr_buf_add(&data, "\0\0\0\0", 4);
    }
    pr_buf_puts(&header, "}");
    while (header.len % 4 != (d->unaligned ? 1 : 0))
        pr_buf_puts(&header, " ");
    scratch_tensors("model.safetensors", header.data, data.data, data.len);
    snprintf(file, sizeof file, "%s/config.json", fixture);
    fixture_path(path, file);
    ck_assert_int_eq(pr_file_read(path, 0, &config, &len, NULL), PR_OK);
    scratch_write("config.json", config, len);
    free(config);
    pr_buf_free(&header);
    pr_buf_free(&data);
    pr_safetensors_close(&st);
}

static void check_same_as(const char *fixture, float tolerance)
{
    size_t n;
    pr_model_t *m = load_fixture(fixture), *s = load_well(scratch);
    pr_model_tensor_t *a = pr_model_tensors(m, &n), *b = pr_model_tensors(s, &n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < a[i].n; j++)
            ck_assert_msg(fabsf(a[i].data[j] - b[i].data[j]) <= tolerance * (7e-2f + fabsf(a[i].data[j])), "%s[%zu]",
                          a[i].name, j);
    free(a);
    free(b);
    pr_model_free(&m);
    pr_model_free(&s);
}

START_TEST(loads_the_same_in_other_clothes)
{
    static const struct {
        const char *fixture;
        dress_t dress;
        float tolerance;
    } cases[] = {{"gpt2", {.dtype = "F32"}, 0},
                 {"gpt2", {.dtype = "F32", .strip = "transformer."}, 0},
                 {"gpt2", {.dtype = "F32", .strip = "transformer.", .extra = "h.*.attn.bias", .n_extra = 2}, 0},
                 {"gpt2", {.dtype = "F32", .unaligned = true}, 0},
                 {"llama", {.dtype = "F32", .strip = "model.", .unaligned = true}, 0},
                 {"llama", {.dtype = "F16"}, 1e-3f},
                 {"llama", {.dtype = "BF16"}, 8e-3f},
                 {"qwen2", {.dtype = "BF16", .unaligned = true}, 0}, // what it is stored in
                 {"reward-llama", {.dtype = "F32", .extra = "unknown", .n_extra = 3}, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dress(cases[i].fixture, &cases[i].dress);
        check_same_as(cases[i].fixture, cases[i].tolerance);
    }
}
END_TEST

/* ---- numbers that are not finite ---- */

static void refuse_odd(const char *fixture, const dress_t *d, int cols, const char *found)
{
    pr_error_t err = {0};
    char words[300];
    pr_model_t *m = NULL;
    pr_status_t status = PR_OK;
    dress(fixture, d);
    for (int col = 0; col < cols && status == PR_OK; col++) {
        status = pr_model_load_part(scratch, cols, col, &m, &err);
        if (status == PR_OK)
            pr_model_free(&m);
    }
    snprintf(words, sizeof words, "model.safetensors|tensor '%s'|element %lld|%s", d->poison, (long long)d->at, found);
    check_error(d->dtype, status, PR_ERR_FORMAT, err.text, words);
}

START_TEST(refuses_numbers_that_are_not_finite)
{
    static const char *const dtypes[] = {"F32", "F16", "BF16"};
    for (size_t i = 0; i < 3; i++)
        for (int cols = 1; cols <= 2; cols++) {
            refuse_odd("llama", &(dress_t){.dtype = dtypes[i], .poison = "lm_head.weight", .at = 29759, .odd = NAN},
                       cols, "NaN");
            refuse_odd(
                "llama",
                &(dress_t){
                    .dtype = dtypes[i], .poison = "model.layers.1.mlp.down_proj.weight", .at = 3001, .odd = INFINITY},
                cols, "Infinity");
            refuse_odd("llama",
                       &(dress_t){.dtype = dtypes[i], .poison = "model.norm.weight", .at = 0, .odd = -INFINITY}, cols,
                       "-Infinity");
        }
    refuse_odd("gpt2",
               &(dress_t){.dtype = "F32", .unaligned = true, .poison = "transformer.wpe.weight", .at = 17, .odd = NAN},
               1, "NaN");
    refuse_odd("reward-llama", &(dress_t){.dtype = "F32", .poison = "score.weight", .at = 5, .odd = NAN}, 1, "NaN");
}
END_TEST

/* ---- broken directories ---- */

START_TEST(refuses_broken_directories)
{
    static const struct {
        const char *label, *fixture;
        dress_t dress;
        const char *change; // of config.json
        pr_status_t status;
        const char *words;
    } cases[] = {
        {"missing tensor",
         "llama",
         {.dtype = "F32", .without = "model.layers.1.mlp.up_proj.weight"},
         "{}",
         PR_ERR_FORMAT,
         "'model.layers.1.mlp.up_proj.weight'|nothing|[112,48]"},
        {"missing head",
         "llama",
         {.dtype = "F32", .without = "lm_head.weight"},
         "{}",
         PR_ERR_FORMAT,
         "'lm_head.weight'|[620,48]"},
        {"missing score",
         "reward-llama",
         {.dtype = "F32", .without = "score.weight"},
         "{}",
         PR_ERR_FORMAT,
         "'score.weight'|[1,32]"},
        {"other labels",
         "reward-llama",
         {.dtype = "F32"},
         "{\"num_labels\":3}",
         PR_ERR_FORMAT,
         "'score.weight'|[1,32]|[3,32]"},
        {"other vocabulary",
         "gpt2",
         {.dtype = "F32"},
         "{\"vocab_size\":601}",
         PR_ERR_FORMAT,
         "model.safetensors|wte.weight|[600,48]|[601,48]"},
        {"more layers", "gpt2", {.dtype = "F32"}, "{\"n_layer\":9999}", PR_ERR_FORMAT, "h.2."},
        {"other heads",
         "qwen2",
         {.dtype = "F32"},
         "{\"num_key_value_heads\":4}",
         PR_ERR_FORMAT,
         "k_proj.weight|[32,64]|[64,64]"},
        {"a dimension more",
         "gpt2",
         {.dtype = "F32", .reshape = "transformer.ln_f.bias"},
         "{}",
         PR_ERR_FORMAT,
         "ln_f.bias|[1,48]|[48]"},
        {"huge", "gpt2", {.dtype = "F32"}, "{\"n_embd\":1048576,\"n_inner\":16777216}", PR_ERR_FORMAT, "[600,1048576]"},
        {"unsupported",
         "llama",
         {.dtype = "F32"},
         "{\"rope_scaling\":{\"type\":\"yarn\"}}",
         PR_ERR_UNSUPPORTED,
         "config.json|yarn"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512];
        json_t *config = NULL;
        pr_error_t err = {0};
        pr_model_t *m = NULL;
        dress(cases[i].fixture, &cases[i].dress);
        scratch_path(path, "config.json");
        ck_assert_int_eq(pr_json_load(path, 0, &config, NULL), PR_OK);
        scratch_patched("config.json", config, cases[i].change);
        json_decref(config);
        check_error(cases[i].label, pr_model_load(scratch, &m, &err), cases[i].status, err.text, cases[i].words);
        ck_assert_ptr_null(m);
    }
}
END_TEST

START_TEST(a_tied_head_ignores_its_copy)
{
    char path[512];
    json_t *config = NULL;
    dress("llama", &(dress_t){.dtype = "F32"}); // has lm_head.weight
    scratch_path(path, "config.json");
    ck_assert_int_eq(pr_json_load(path, 0, &config, NULL), PR_OK);
    scratch_patched("config.json", config, "{\"tie_word_embeddings\":true}");
    json_decref(config);
    pr_model_t *m = load_well(scratch);
    ck_assert_ptr_eq(m->head.data, m->embed);
    pr_model_free(&m);
}
END_TEST

START_TEST(refuses_integer_weights)
{
    pr_error_t err = {0};
    pr_model_t *m = NULL;
    char path[512], *text;
    size_t len;
    dress("gpt2", &(dress_t){.dtype = "F32"});
    scratch_path(path, "model.safetensors");
    ck_assert_int_eq(pr_file_read(path, 0, &text, &len, NULL), PR_OK);
    for (char *p = text + 8; p < text + len - 3; p++)
        if (memcmp(p, "F32", 3) == 0)
            memcpy(p, "I32", 3);
    scratch_write("model.safetensors", text, len);
    free(text);
    check_error("I32", pr_model_load(scratch, &m, &err), PR_ERR_UNSUPPORTED, err.text,
                "model.safetensors|dtype|I32|BF16");
}
END_TEST

START_TEST(survives_mutation)
{
    char path[512], *weights, *config;
    size_t n_weights, n_config;
    uint64_t header, state = 11;
    int loaded = 0;
    pr_log_set_level(PR_LOG_ERROR);
    fixture_path(path, "reward-gpt2/model.safetensors");
    ck_assert_int_eq(pr_file_read(path, 0, &weights, &n_weights, NULL), PR_OK);
    fixture_path(path, "reward-gpt2/config.json");
    ck_assert_int_eq(pr_file_read(path, 0, &config, &n_config, NULL), PR_OK);
    memcpy(&header, weights, 8);
    unsigned char *w = pr_alloc(n_weights, 1), *c = pr_alloc(n_config, 1);
    for (int k = 0; k < 600; k++) {
        pr_error_t err = {0};
        pr_model_t *m = NULL;
        memcpy(w, weights, n_weights);
        memcpy(c, config, n_config);
        mutate(k % 2 ? w + 8 : c, k % 2 ? (size_t)header : n_config, &state);
        scratch_write("model.safetensors", w, n_weights);
        scratch_write("config.json", c, n_config);
        if (pr_model_load(scratch, &m, &err) == PR_OK) {
            loaded++;
            ck_assert_int_eq(pr_model_make_writable(m, &err), PR_OK); // reads every weight
        } else {
            ck_assert_msg(err.text[0] && !strchr(err.text, '\n'), "no single line");
        }
        pr_model_free(&m);
    }
    ck_assert_int_gt(loaded, 20);
    free(w);
    free(c);
    free(weights);
    free(config);
}
END_TEST

/* ---- memory ---- */

#ifndef PR_SANITIZE
static size_t status_kib(const char *key)
{
    char line[256];
    size_t value = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0)
            sscanf(line + strlen(key), ": %zu", &value);
    if (f)
        fclose(f);
    return value;
}

// In a process of its own, so that the peak is this load's: at most 4 bytes a parameter and a fifth above that.
static void check_peak(const char *dtype, size_t width)
{
    enum { V = 60000, D = 128, FF = 2048, POS = 1024 };
    char header[2048];
    pr_buf_t h = {0};
    size_t at = 0;
    static const struct {
        const char *name;
        int rows, cols;
    } t[] = {{"wte.weight", V, D},
             {"wpe.weight", POS, D},
             {"h.0.ln_1.weight", D, 0},
             {"h.0.ln_1.bias", D, 0},
             {"h.0.attn.c_attn.weight", D, 3 * D},
             {"h.0.attn.c_attn.bias", 3 * D, 0},
             {"h.0.attn.c_proj.weight", D, D},
             {"h.0.attn.c_proj.bias", D, 0},
             {"h.0.ln_2.weight", D, 0},
             {"h.0.ln_2.bias", D, 0},
             {"h.0.mlp.c_fc.weight", D, FF},
             {"h.0.mlp.c_fc.bias", FF, 0},
             {"h.0.mlp.c_proj.weight", FF, D},
             {"h.0.mlp.c_proj.bias", D, 0},
             {"ln_f.weight", D, 0},
             {"ln_f.bias", D, 0}};
    for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
        size_t bytes = width * (size_t)t[i].rows * (size_t)(t[i].cols ? t[i].cols : 1);
        pr_buf_printf(&h, "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[%d", i ? ',' : '{', t[i].name, dtype, t[i].rows);
        if (t[i].cols)
            pr_buf_printf(&h, ",%d", t[i].cols);
        pr_buf_printf(&h, "],\"data_offsets\":[%zu,%zu]}", at, at + bytes);
        at += bytes;
    }
    pr_buf_puts(&h, "}");
    snprintf(header, sizeof header, "%-1992s", h.data);
    pr_buf_free(&h);
    scratch_tensors("model.safetensors", header, NULL, at);
    scratch_text("config.json", "{\"model_type\":\"gpt2\",\"vocab_size\":60000,\"n_embd\":128,\"n_head\":4,"
                                "\"n_layer\":1,\"n_positions\":1024,\"n_inner\":2048}");
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        pr_model_t *m = NULL;
        size_t before = status_kib("VmRSS");
        if (pr_model_load(scratch, &m, NULL) != PR_OK)
            _exit(2);
        size_t peak = status_kib("VmHWM") - before,
               limit = 4 * (size_t)pr_model_config_params(&m->config) / 1024 * 6 / 5;
        _exit(peak > limit || peak < limit / 4);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: peak out of bounds (exit %d)", dtype,
                  WEXITSTATUS(status));
}

START_TEST(memory_peaks_near_four_bytes_a_parameter)
{
    check_peak("BF16", 2);
    check_peak("F16", 2);
    check_peak("F32", 4);
}
END_TEST
#endif

int main(void)
{
    Suite *s = suite_create("model_load");
    TCase *t = tcase_create("directories");
    tcase_add_checked_fixture(t, scratch_make, scratch_remove);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, loads_fixture, 0, (int)(sizeof fixtures / sizeof *fixtures));
    tcase_add_test(t, head_gives_pytorch_logits);
    tcase_add_test(t, weights_have_their_shapes);
    tcase_add_test(t, tables_of_positions_grow);
    tcase_add_test(t, a_writable_copy_is_equal_and_private);
    tcase_add_test(t, loads_the_same_in_other_clothes);
    tcase_add_test(t, refuses_numbers_that_are_not_finite);
    tcase_add_test(t, refuses_broken_directories);
    tcase_add_test(t, a_tied_head_ignores_its_copy);
    tcase_add_test(t, refuses_integer_weights);
    tcase_add_test(t, survives_mutation);
#ifndef PR_SANITIZE
    tcase_add_test(t, memory_peaks_near_four_bytes_a_parameter);
#endif
    suite_add_tcase(s, t);
    return run_suite(s);
}
