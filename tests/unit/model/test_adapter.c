// SPDX-License-Identifier: BSD-3-Clause
/* LoRA adapters in PEFT's format: fixtures written by peft, what the configuration's keys mean, broken ones. */
#include "base/log.h"
#include "model/adapter.h"
#include "model/safetensors.h"
#include "model_files.h"

#include <math.h>

static pr_model_config_t config; // of the model in use; read for every test that wants one

static void use_model(const char *name)
{
    char path[512];
    pr_error_t err = {0};
    fixture_path(path, name);
    pr_model_config_clear(&config);
    ck_assert_msg(pr_model_config_read(path, &config, &err) == PR_OK, "%s", err.text);
}

static pr_adapter_t *read_well(const char *dir)
{
    pr_adapter_t *a = NULL;
    pr_error_t err = {0};
    ck_assert_msg(pr_adapter_read(dir, &config, &a, &err) == PR_OK, "%s", err.text);
    return a;
}

static pr_adapter_t *read_fixture(const char *model, const char *name)
{
    char path[512], sub[128];
    snprintf(sub, sizeof sub, "%s/adapters/%s", model, name);
    fixture_path(path, sub);
    return read_well(path);
}

static void check_same(const pr_adapter_t *a, const pr_adapter_t *b)
{
    ck_assert_int_eq(a->n_layer, b->n_layer);
    ck_assert_uint_eq(a->n_data, b->n_data);
    ck_assert_int_eq(a->rslora, b->rslora);
    ck_assert_int_eq(memcmp(a->data, b->data, a->n_data * sizeof *a->data), 0);
    for (int i = 0; i < a->n_layer * PR_N_SLOT; i++) {
        ck_assert_int_eq(a->lora[i].r, b->lora[i].r);
        ck_assert(a->lora[i].alpha == b->lora[i].alpha && a->lora[i].scale == b->lora[i].scale);
        ck_assert_int_eq(a->lora[i].r ? a->lora[i].a - a->data : 0, b->lora[i].r ? b->lora[i].a - b->data : 0);
        ck_assert_int_eq(a->lora[i].r ? a->lora[i].b - a->data : 0, b->lora[i].r ? b->lora[i].b - b->data : 0);
    }
}

static size_t count_slots(const pr_adapter_t *a)
{
    size_t n = 0;
    for (int i = 0; i < a->n_layer * PR_N_SLOT; i++)
        n += a->lora[i].r > 0;
    return n;
}

static const char *const models[] = {"gpt2", "llama", "qwen2", "smollm2"};
static const char *const names[] = {"alpha", "beta", "gamma"};

/* ---- what peft wrote ---- */

static void check_tensor(const pr_safetensors_t *st, const char *module, const char *which, const float *data, int rows,
                         int cols)
{
    char name[256];
    snprintf(name, sizeof name, "base_model.model.%s.%s.weight", module, which);
    const pr_tensor_t *t = pr_safetensors_find(st, name);
    ck_assert_msg(t != NULL, "no %s", name);
    ck_assert(t->shape[0] == rows && t->shape[1] == cols);
    ck_assert_msg(memcmp(t->data, data, t->bytes) == 0, "%s differs", name);
}

static void check_against_file(const pr_adapter_t *a, const char *dir)
{
    char path[600], module[128];
    int out, in;
    pr_safetensors_t *st = NULL;
    snprintf(path, sizeof path, "%s/adapter_model.safetensors", dir);
    ck_assert_int_eq(pr_safetensors_open(path, &st, NULL), PR_OK);
    ck_assert_uint_eq(pr_safetensors_count(st), 2 * count_slots(a));
    for (int i = 0; i < a->n_layer; i++)
        for (int s = 0; s < PR_N_SLOT; s++) {
            const pr_lora_t *l = pr_adapter_at(a, i, (pr_slot_t)s);
            if (l->r == 0)
                continue;
            ck_assert(pr_slot_shape(&config, (pr_slot_t)s, &out, &in));
            pr_slot_module(&config, i, (pr_slot_t)s, module, sizeof module);
            check_tensor(st, module, "lora_A", l->a, l->r, in);
            check_tensor(st, module, "lora_B", l->b, out, l->r);
        }
    pr_safetensors_close(&st);
}

START_TEST(reads_and_writes_fixtures)
{
    char dir[512], written[512], sub[128];
    pr_error_t err = {0};
    const char *model = models[_i / 3], *name = names[_i % 3];
    use_model(model);
    snprintf(sub, sizeof sub, "%s/adapters/%s", model, name);
    fixture_path(dir, sub);
    pr_adapter_t *a = read_well(dir), *b;
    check_against_file(a, dir);
    ck_assert_uint_eq(count_slots(a), (size_t)config.n_layer * (config.arch == PR_ARCH_GPT2 ? 4 : 7));
    ck_assert_int_eq(pr_adapter_at(a, 1, PR_SLOT_O)->r, strcmp(name, "gamma") ? 4 : 6);
    ck_assert(pr_adapter_at(a, 1, PR_SLOT_O)->scale == (strcmp(name, "gamma") ? 2.0f : (float)(8.0 / 6)));
    scratch_path(written, "deep/written");
    ck_assert_msg(pr_adapter_write(written, a, &config, "some/base", &err) == PR_OK, "%s", err.text);
    check_against_file(a, written);
    b = read_well(written);
    check_same(a, b);
    pr_adapter_free(&a);
    pr_adapter_free(&b);
    ck_assert_ptr_null(a);
}
END_TEST

// Each key that is written means what peft's own file says, apart from the base's name.
START_TEST(writes_the_keys_of_peft)
{
    char path[512];
    json_t *peft = NULL, *ours = NULL, *value;
    const char *key, *model = models[_i];
    char sub[128];
    use_model(model);
    pr_adapter_t *a = read_fixture(model, "gamma");
    ck_assert_int_eq(pr_adapter_write(scratch, a, &config, NULL, NULL), PR_OK);
    pr_adapter_free(&a);
    snprintf(sub, sizeof sub, "%s/adapters/gamma/adapter_config.json", model);
    fixture_path(path, sub);
    ck_assert_int_eq(pr_json_load(path, 0, &peft, NULL), PR_OK);
    scratch_path(path, "adapter_config.json");
    ck_assert_int_eq(pr_json_load(path, 0, &ours, NULL), PR_OK);
    ck_assert_uint_ge(json_object_size(ours), 20);
    json_object_foreach(ours, key, value)
    {
        json_t *theirs = json_object_get(peft, key);
        ck_assert_msg(theirs != NULL, "peft has no key %s", key);
        if (strcmp(key, "target_modules") != 0) {
            ck_assert_msg(json_equal(theirs, value), "%s differs", key);
            continue;
        }
        ck_assert_uint_eq(json_array_size(theirs), json_array_size(value)); // a set, in any order
        for (size_t i = 0; i < json_array_size(theirs); i++) {
            bool found = false;
            for (size_t j = 0; j < json_array_size(value); j++)
                found = found || json_equal(json_array_get(theirs, i), json_array_get(value, j));
            ck_assert_msg(found, "target %s", json_string_value(json_array_get(theirs, i)));
        }
    }
    json_decref(peft);
    json_decref(ours);
}
END_TEST

/* ---- what the keys mean ---- */

/* adapter_config.json {base keys + change} and a file with the matrices of these modules at these ranks. */
static void write_adapter(const char *change, const char *const *modules, const int *r, int n, const char *extra)
{
    json_t *base = json_of("{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8}");
    scratch_patched("adapter_config.json", base, change);
    json_decref(base);
    pr_buf_t h = {0};
    size_t at = 0;
    pr_buf_puts(&h, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (int i = 0; i < n; i++)
        for (int b = 0; b < 2; b++) {
            int out = 0, in = 0;
            for (int s = 0; s < config.n_layer * PR_N_SLOT; s++) {
                char name[128];
                pr_slot_module(&config, s / PR_N_SLOT, (pr_slot_t)(s % PR_N_SLOT), name, sizeof name);
                if (strcmp(name, modules[i]) == 0)
                    ck_assert(pr_slot_shape(&config, (pr_slot_t)(s % PR_N_SLOT), &out, &in));
            }
            ck_assert_msg(out > 0, "the test names %s", modules[i]);
            size_t bytes = 4 * (size_t)r[i] * (size_t)(b ? out : in);
            pr_buf_printf(&h,
                          ",\"base_model.model.%s.lora_%c.weight\":{\"dtype\":\"F32\",\"shape\":[%d,%d],"
                          "\"data_offsets\":[%zu,%zu]}",
                          modules[i], b ? 'B' : 'A', b ? out : r[i], b ? r[i] : in, at, at + bytes);
            at += bytes;
        }
    if (extra) {
        pr_buf_printf(&h, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}", extra, at, at + 4);
        at += 4;
    }
    pr_buf_puts(&h, "}");
    scratch_tensors("adapter_model.safetensors", h.data, NULL, at);
    pr_buf_free(&h);
}

#define Q0 "model.layers.0.self_attn.q_proj"
#define Q1 "model.layers.1.self_attn.q_proj"
#define V0 "model.layers.0.self_attn.v_proj"
#define V1 "model.layers.1.self_attn.v_proj"
#define UP0 "model.layers.0.mlp.up_proj"
#define UP1 "model.layers.1.mlp.up_proj"

/* On the two-layer llama: the modules that must be adapted (any other would lack its tensors), with rank and scale of
 * the last. */
static const struct {
    const char *change;
    const char *modules[4];
    int r[4];
    int n;
    double scale;
} meanings[] = {
    {"{\"target_modules\":[\"q_proj\"]}", {Q0, Q1}, {4, 4}, 2, 2},
    {"{\"target_modules\":[\"self_attn.q_proj\",\"nonesuch\"]}", {Q0, Q1}, {4, 4}, 2, 2},
    {"{\"target_modules\":[\"" Q1 "\"]}", {Q1}, {4}, 1, 2},
    {"{\"target_modules\":[\"q_proj\",\"v_proj\"],\"exclude_modules\":[\"v_proj\"]}", {Q0, Q1}, {4, 4}, 2, 2},
    {"{\"target_modules\":[\"q_proj\",\"v_proj\"],\"exclude_modules\":\".*layers\\\\.1.*\"}", {Q0, V0}, {4, 4}, 2, 2},
    {"{\"target_modules\":\".*\\\\.(q|v)_proj\"}", {Q0, Q1, V0, V1}, {4, 4, 4, 4}, 4, 2},
    {"{\"target_modules\":\"" V1 "|" Q0 "\"}", {Q0, V1}, {4, 4}, 2, 2},
    {"{\"target_modules\":\"model\\\\.layers\\\\.[1-9]\\\\.mlp\\\\.up_proj\"}", {UP1}, {4}, 1, 2},
    {"{\"target_modules\":\"model.layers.1.mlp.up_pro.?\"}", {UP1}, {4}, 1, 2},
    {"{\"target_modules\":[\"q_proj\"],\"layers_to_transform\":1}", {Q1}, {4}, 1, 2},
    {"{\"target_modules\":[\"q_proj\",\"" V0 "\"],\"layers_to_transform\":[1,7]}", {Q1, V0}, {4, 4}, 2, 2},
    {"{\"target_modules\":[\"q_proj\"],\"layers_to_transform\":[],\"layers_pattern\":\"h\"}", {Q0, Q1}, {4, 4}, 2, 2},
    {"{\"target_modules\":[\"q_proj\"],\"layers_to_transform\":[0],\"layers_pattern\":[\"layers\"]}", {Q0}, {4}, 1, 2},
    {"{\"target_modules\":[\"q_proj\"],\"use_rslora\":true}", {Q0, Q1}, {4, 4}, 2, 4},
    {"{\"target_modules\":[\"q_proj\"],\"lora_alpha\":3.5}", {Q0, Q1}, {4, 4}, 2, 0.875},
    {"{\"target_modules\":[\"q_proj\"],\"r\":\"DELETE\"}", {Q0, Q1}, {8, 8}, 2, 1},
    {"{\"target_modules\":[\"q_proj\"],\"rank_pattern\":{\"q_proj\":2}}", {Q0, Q1}, {2, 2}, 2, 4},
    {"{\"target_modules\":[\"q_proj\"],\"rank_pattern\":{\"layers.1.self_attn.q_proj\":2}}", {Q0, Q1}, {4, 2}, 2, 4},
    {"{\"target_modules\":[\"q_proj\"],\"rank_pattern\":{\"^model.layers.1.*\":2,\"q_proj\":3}}",
     {Q0, Q1},
     {3, 2},
     2,
     4},
    {"{\"target_modules\":[\"q_proj\"],\"rank_pattern\":{\"proj\":2}}", {Q0, Q1}, {4, 4}, 2, 2}, // not behind a dot
    {"{\"target_modules\":[\"q_proj\"],\"alpha_pattern\":{\".*.1.*\":16}}", {Q0, Q1}, {4, 4}, 2, 4},
    {"{\"target_modules\":[\"q_proj\"],\"alpha_pattern\":{\"q_proj\":2},\"rank_pattern\":{\"q_proj\":16},"
     "\"use_rslora\":true}",
     {Q0, Q1},
     {16, 16},
     2,
     0.5},
    {"{\"target_modules\":[\"up_proj\"],\"fan_in_fan_out\":true,\"lora_dropout\":0.1,\"modules_to_save\":[]}",
     {UP0, UP1},
     {4, 4},
     2,
     2},
    {"{\"target_modules\":[\"up_proj\"],\"init_lora_weights\":\"gaussian\",\"future_key\":null}",
     {UP0, UP1},
     {4, 4},
     2,
     2},
};

START_TEST(a_key_means_what_peft_means)
{
    pr_error_t err = {0};
    pr_adapter_t *a = NULL;
    int n = meanings[_i].n;
    use_model("llama");
    write_adapter(meanings[_i].change, meanings[_i].modules, meanings[_i].r, n, NULL);
    ck_assert_msg(pr_adapter_read(scratch, &config, &a, &err) == PR_OK, "%s: %s", meanings[_i].change, err.text);
    ck_assert_uint_eq(count_slots(a), (size_t)n);
    for (int i = 0; i < config.n_layer * PR_N_SLOT; i++) {
        char module[128];
        pr_slot_module(&config, i / PR_N_SLOT, (pr_slot_t)(i % PR_N_SLOT), module, sizeof module);
        if (strcmp(module, meanings[_i].modules[n - 1]) == 0)
            ck_assert_msg(a->lora[i].scale == (float)meanings[_i].scale, "%s: scale %g", meanings[_i].change,
                          (double)a->lora[i].scale);
    }
    // what is written for it means the same again
    char dir[512];
    scratch_path(dir, "again");
    ck_assert_int_eq(pr_adapter_write(dir, a, &config, NULL, &err), PR_OK);
    pr_adapter_t *b = read_well(dir);
    check_same(a, b);
    pr_adapter_free(&a);
    pr_adapter_free(&b);
}
END_TEST

START_TEST(all_linear_is_every_map)
{
    use_model("qwen2");
    pr_adapter_t *a = read_fixture("qwen2", "beta"), *b;
    ck_assert_int_eq(pr_adapter_write(scratch, a, &config, NULL, NULL), PR_OK);
    scratch_text("adapter_config.json",
                 "{\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8,\"target_modules\":\"all-linear\"}");
    b = read_well(scratch);
    check_same(a, b);
    pr_adapter_free(&a);
    pr_adapter_free(&b);
}
END_TEST

// GPT-2's two c_proj: an adapter of only one of them keeps to it.
START_TEST(one_of_two_c_proj)
{
    static const char *const target[] = {"mlp.c_proj"};
    pr_rng_key_t key = pr_rng_key(1, "test", "");
    pr_adapter_t *a = NULL, *b;
    use_model("gpt2");
    ck_assert_int_eq(pr_adapter_new(&config, &(pr_adapter_options_t){2, 4, false, target, 1}, &key, &a, NULL), PR_OK);
    ck_assert_uint_eq(count_slots(a), 2);
    ck_assert_int_eq(pr_adapter_at(a, 0, PR_SLOT_DOWN)->r, 2);
    ck_assert_int_eq(pr_adapter_write(scratch, a, &config, NULL, NULL), PR_OK);
    b = read_well(scratch);
    check_same(a, b);
    pr_adapter_free(&a);
    pr_adapter_free(&b);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *change;
    int r;
    const char *extra;
    pr_status_t status;
    const char *words;
} refused[] = {
    {"{\"target_modules\":[\"q_proj\"],\"peft_type\":\"IA3\"}", 4, NULL, PR_ERR_UNSUPPORTED, "'peft_type'|IA3"},
    {"{\"target_modules\":[\"q_proj\"],\"peft_type\":\"DELETE\"}", 4, NULL, PR_ERR_FORMAT, "'peft_type'"},
    {"{\"target_modules\":[\"q_proj\"],\"use_dora\":true}", 4, NULL, PR_ERR_UNSUPPORTED, "'use_dora'|true"},
    {"{\"target_modules\":[\"q_proj\"],\"bias\":\"all\"}", 4, NULL, PR_ERR_UNSUPPORTED, "'bias'|all|none"},
    {"{\"target_modules\":[\"q_proj\"],\"lora_bias\":true}", 4, NULL, PR_ERR_UNSUPPORTED, "'lora_bias'"},
    {"{\"target_modules\":[\"q_proj\"],\"modules_to_save\":[\"lm_head\"]}", 4, NULL, PR_ERR_UNSUPPORTED,
     "'modules_to_save'|lm_head"},
    {"{\"target_modules\":[\"q_proj\"],\"layer_replication\":[[0,1],[0,2]]}", 4, NULL, PR_ERR_UNSUPPORTED,
     "'layer_replication'"},
    {"{\"target_modules\":[\"q_proj\"],\"trainable_token_indices\":[1]}", 4, NULL, PR_ERR_UNSUPPORTED,
     "'trainable_token_indices'"},
    {"{\"target_modules\":[\"q_proj\"],\"init_lora_weights\":\"pissa\"}", 4, NULL, PR_ERR_UNSUPPORTED,
     "'init_lora_weights'|pissa"},
    {"{\"target_modules\":[\"q_proj\",\"lm_head\"]}", 4, NULL, PR_ERR_UNSUPPORTED, "'target_modules'|lm_head"},
    {"{\"target_modules\":[\"q_proj\",\"embed_tokens\"]}", 4, NULL, PR_ERR_UNSUPPORTED, "model.embed_tokens"},
    {"{\"target_modules\":[\"c_attn\"]}", 4, NULL, PR_ERR_FORMAT, "'target_modules'|llama"},
    {"{\"target_modules\":[]}", 4, NULL, PR_ERR_FORMAT, "'target_modules'"},
    {"{}", 4, NULL, PR_ERR_FORMAT, "'target_modules'|nothing"},
    {"{\"target_modules\":7}", 4, NULL, PR_ERR_FORMAT, "'target_modules'|an integer"},
    {"{\"target_modules\":[7]}", 4, NULL, PR_ERR_FORMAT, "'target_modules'|an integer|strings"},
    {"{\"target_modules\":\"(q_proj\"}", 4, NULL, PR_ERR_FORMAT, "'target_modules'|(q_proj|regular expression"},
    {"{\"target_modules\":\"((((.*)*)*)*)*z\"}", 4, NULL, PR_ERR_FORMAT, "'target_modules'"},
    {"{\"target_modules\":[\"q_proj\"],\"exclude_modules\":\"[\"}", 4, NULL, PR_ERR_FORMAT, "'exclude_modules'|["},
    {"{\"target_modules\":[\"q_proj\"],\"rank_pattern\":{\"q_proj\":\"2\"}}", 4, NULL, PR_ERR_FORMAT,
     "'rank_pattern'|q_proj|a string"},
    {"{\"target_modules\":[\"q_proj\"],\"rank_pattern\":{\"q_proj\":2.5}}", 4, NULL, PR_ERR_FORMAT, "'rank_pattern'"},
    {"{\"target_modules\":[\"q_proj\"],\"rank_pattern\":{\"q_proj\":0}}", 4, NULL, PR_ERR_FORMAT, "'rank_pattern'|0"},
    {"{\"target_modules\":[\"q_proj\"],\"rank_pattern\":[]}", 4, NULL, PR_ERR_FORMAT, "'rank_pattern'|an array"},
    {"{\"target_modules\":[\"q_proj\"],\"rank_pattern\":{\"(\":2}}", 4, NULL, PR_ERR_FORMAT, "'rank_pattern'|'('"},
    {"{\"target_modules\":[\"q_proj\"],\"r\":0}", 4, NULL, PR_ERR_FORMAT, "'r'|0|65536"},
    {"{\"target_modules\":[\"q_proj\"],\"r\":-3}", 4, NULL, PR_ERR_FORMAT, "'r'|-3"},
    {"{\"target_modules\":[\"q_proj\"],\"r\":65537}", 4, NULL, PR_ERR_FORMAT, "'r'|65537"},
    {"{\"target_modules\":[\"q_proj\"],\"r\":9223372036854775807}", 4, NULL, PR_ERR_FORMAT, "'r'"},
    {"{\"target_modules\":[\"q_proj\"],\"r\":\"4\"}", 4, NULL, PR_ERR_FORMAT, "'r'|a string"},
    {"{\"target_modules\":[\"q_proj\"],\"lora_alpha\":1e308}", 4, NULL, PR_ERR_FORMAT, "'lora_alpha'"},
    {"{\"target_modules\":[\"q_proj\"],\"lora_alpha\":true}", 4, NULL, PR_ERR_FORMAT, "'lora_alpha'|true"},
    {"{\"target_modules\":[\"q_proj\"],\"layers_to_transform\":[\"1\"]}", 4, NULL, PR_ERR_FORMAT,
     "'layers_to_transform'|a string"},
    {"{\"target_modules\":[\"q_proj\"],\"layers_to_transform\":[0],\"layers_pattern\":\"blocks\"}", 4, NULL,
     PR_ERR_UNSUPPORTED, "'layers_pattern'|blocks|layers"},
    {"{\"target_modules\":\".*q_proj\",\"layers_to_transform\":[0]}", 4, NULL, PR_ERR_UNSUPPORTED,
     "'layers_to_transform'"},
    // the files disagree
    {"{\"target_modules\":[\"q_proj\",\"v_proj\"]}", 4, NULL, PR_ERR_FORMAT,
     "layers.0.self_attn.v_proj.lora_A|nothing"},
    {"{\"target_modules\":[\"q_proj\"],\"layers_to_transform\":[0]}", 4, NULL, PR_ERR_FORMAT,
     "layers.1.self_attn.q_proj.lora_A"},
    {"{\"target_modules\":[\"q_proj\"]}", 5, NULL, PR_ERR_FORMAT, "q_proj.lora_A.weight|[5,48]|[4,48]"},
    {"{\"target_modules\":[\"q_proj\"]}", 4, "base_model.model.lm_head.lora_A.weight", PR_ERR_FORMAT,
     "adapter_model.safetensors|lm_head.lora_A.weight"},
    {"{\"target_modules\":[\"q_proj\"]}", 4, "base_model.model.model.layers.2.self_attn.q_proj.lora_A.weight",
     PR_ERR_FORMAT, "layers.2.self_attn.q_proj.lora_A.weight"},
    {"{\"target_modules\":[\"q_proj\"]}", 4, "base_model.model." Q0 ".lora_magnitude_vector", PR_ERR_FORMAT,
     "lora_magnitude_vector"},
};

START_TEST(refuses_adapter)
{
    static const char *const modules[] = {Q0, Q1};
    pr_error_t err = {0};
    pr_adapter_t *a = NULL;
    use_model("llama");
    write_adapter(refused[_i].change, modules, (int[]){refused[_i].r, refused[_i].r}, 2, refused[_i].extra);
    check_error(refused[_i].change, pr_adapter_read(scratch, &config, &a, &err), refused[_i].status, err.text,
                refused[_i].words);
    ck_assert_ptr_null(a);
}
END_TEST

START_TEST(refuses_what_is_not_there)
{
    pr_error_t err = {0};
    pr_adapter_t *a = NULL;
    use_model("llama");
    check_error("empty", pr_adapter_read(scratch, &config, &a, &err), PR_ERR_NOT_FOUND, err.text,
                "adapter_config.json");
    scratch_text("adapter_config.json", "{\"peft_type\":\"LORA\",\"target_modules\":[\"q_proj\"]}");
    check_error("no file", pr_adapter_read(scratch, &config, &a, &err), PR_ERR_NOT_FOUND, err.text,
                "adapter_model.safetensors");
    scratch_text("adapter_model.bin", "x");
    check_error("pickle", pr_adapter_read(scratch, &config, &a, &err), PR_ERR_UNSUPPORTED, err.text,
                "adapter_model.bin|adapter_model.safetensors");
    scratch_text("adapter_config.json", "[]");
    check_error("a list", pr_adapter_read(scratch, &config, &a, &err), PR_ERR_FORMAT, err.text, "an array");
    char other[512];
    fixture_path(other, "gpt2/adapters/alpha");
    check_error("another model's", pr_adapter_read(other, &config, &a, &err), PR_ERR_FORMAT, err.text, "llama");
    ck_assert_ptr_null(a);
}
END_TEST

START_TEST(refuses_numbers_that_are_not_finite)
{
    static const float odd[] = {NAN, INFINITY, -INFINITY};
    pr_error_t err = {0};
    use_model("llama");
    for (size_t i = 0; i < 3; i++) {
        pr_adapter_t *a = read_fixture("llama", "alpha"), *b = NULL;
        pr_adapter_at(a, 1, PR_SLOT_V)->b[7] = odd[i];
        ck_assert_int_eq(pr_adapter_write(scratch, a, &config, NULL, NULL), PR_OK);
        pr_adapter_free(&a);
        check_error("odd", pr_adapter_read(scratch, &config, &b, &err), PR_ERR_FORMAT, err.text,
                    i == 0 ? "adapter_model.safetensors|layers.1.self_attn.v_proj.lora_B.weight'|element 7|NaN"
                           : "adapter_model.safetensors|layers.1.self_attn.v_proj.lora_B.weight'|element 7|Infinity");
        ck_assert_ptr_null(b);
    }
}
END_TEST

START_TEST(names_git_lfs_pointers)
{
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:"
                                  "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    pr_error_t err = {0};
    use_model("llama");
    pr_adapter_t *a = read_fixture("llama", "alpha"), *b = NULL;
    ck_assert_int_eq(pr_adapter_write(scratch, a, &config, NULL, NULL), PR_OK);
    pr_adapter_free(&a);
    scratch_text("adapter_model.safetensors", pointer);
    check_error("weights", pr_adapter_read(scratch, &config, &b, &err), PR_ERR_FORMAT, err.text,
                "adapter_model.safetensors|Git LFS pointer|git lfs pull");
    scratch_text("adapter_config.json", pointer);
    check_error("settings", pr_adapter_read(scratch, &config, &b, &err), PR_ERR_FORMAT, err.text,
                "adapter_config.json|Git LFS pointer");
}
END_TEST

START_TEST(survives_mutation)
{
    char path[512], *text;
    size_t len;
    uint64_t state = 3;
    int accepted = 0;
    pr_log_set_level(PR_LOG_ERROR); // unknown keys are warned of, hundreds of times here
    use_model("llama");
    pr_adapter_t *a = read_fixture("llama", "alpha");
    ck_assert_int_eq(pr_adapter_write(scratch, a, &config, NULL, NULL), PR_OK);
    pr_adapter_free(&a);
    fixture_path(path, "llama/adapters/alpha/adapter_config.json");
    ck_assert_int_eq(pr_file_read(path, 0, &text, &len, NULL), PR_OK);
    for (int k = 0; k < 2000; k++) {
        pr_error_t err = {0};
        unsigned char *copy = pr_alloc(len, 1);
        memcpy(copy, text, len);
        mutate(copy, len, &state);
        scratch_write("adapter_config.json", copy, len);
        free(copy);
        if (pr_adapter_read(scratch, &config, &a, &err) == PR_OK)
            accepted++;
        else
            ck_assert_msg(err.text[0] && !strchr(err.text, '\n'), "no single line");
        pr_adapter_free(&a);
    }
    ck_assert_int_gt(accepted, 20);
    free(text);
}
END_TEST

/* ---- sums ---- */

// delta [out,in] += w s B A
static void add_delta(const pr_lora_t *l, double w, int out, int in, double *delta)
{
    for (int o = 0; o < out; o++)
        for (int j = 0; j < l->r; j++)
            for (int i = 0; i < in; i++)
                delta[o * in + i] += w * (double)l->scale * (double)l->b[o * l->r + j] * (double)l->a[j * in + i];
}

static void check_sum(const pr_adapter_t *const *parts, const double *w, int n, const pr_adapter_t *sum)
{
    int out, in;
    for (int i = 0; i < sum->n_layer; i++)
        for (int s = 0; s < PR_N_SLOT; s++) {
            if (!pr_slot_shape(&config, (pr_slot_t)s, &out, &in))
                continue;
            double *expected = pr_alloc((size_t)(out * in), sizeof *expected);
            double *found = pr_alloc((size_t)(out * in), sizeof *found);
            for (int k = 0; k < n; k++)
                add_delta(pr_adapter_at(parts[k], i, (pr_slot_t)s), w[k], out, in, expected);
            add_delta(pr_adapter_at(sum, i, (pr_slot_t)s), 1, out, in, found);
            for (int e = 0; e < out * in; e++)
                ck_assert_msg(fabs(found[e] - expected[e]) <= 1e-6 * (1 + fabs(expected[e])), "%d %d: %g, not %g", i, s,
                              found[e], expected[e]);
            free(expected);
            free(found);
        }
}

START_TEST(concatenation_is_the_sum)
{
    static const double weights[][4] = {{0.2, 0.5, 0.3, 0}, {0, 1, 0, 0}, {-0.5, 0, 2, 1}, {0, 0, 0, 0}, {1, 1, 1, 1}};
    static const char *const target[] = {"down_proj", "k_proj"};
    char dir[512];
    pr_rng_key_t key = pr_rng_key(4, "test", "");
    pr_adapter_t *parts[4] = {NULL}, *sum = NULL, *again;
    use_model("llama");
    for (int k = 0; k < 3; k++)
        parts[k] = read_fixture("llama", names[k]);
    // the fourth adapts fewer maps, with another rank and scale
    ck_assert_int_eq(pr_adapter_new(&config, &(pr_adapter_options_t){3, 5, true, target, 2}, &key, &parts[3], NULL),
                     PR_OK);
    for (size_t i = 0; i < parts[3]->n_data; i++)
        parts[3]->data[i] = (float)(pr_rng_uniform(&key, i, 0, 0, 1) - 0.5);
    const pr_adapter_t *const *c = (const pr_adapter_t *const *)parts;
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        ck_assert_int_eq(pr_adapter_concat(c, weights[i], 4, &config, &sum, NULL), PR_OK);
        check_sum(c, weights[i], 4, sum);
        scratch_path(dir, "sum");
        ck_assert_int_eq(pr_adapter_write(dir, sum, &config, NULL, NULL), PR_OK);
        again = read_well(dir);
        check_same(sum, again);
        pr_adapter_free(&again);
        if (i == 0) // the fourth has weight 0 and takes no room
            ck_assert_int_eq(pr_adapter_at(sum, 0, PR_SLOT_DOWN)->r, 4 + 4 + 6);
        if (i == 2)
            ck_assert_int_eq(pr_adapter_at(sum, 1, PR_SLOT_K)->r, 4 + 6 + 3);
        pr_adapter_free(&sum);
    }
    pr_error_t err = {0};
    check_error("NaN", pr_adapter_concat(c, (double[]){1, NAN, 0, 0}, 4, &config, &sum, &err), PR_ERR_CONFIG, err.text,
                "adapter 1");
    for (int k = 0; k < 4; k++)
        pr_adapter_free(&parts[k]);
}
END_TEST

/* The rank is the smallest that holds the sum: of experts that share directions, of an expert that undoes another, and
 * the sum of ranks where it must be. */
START_TEST(reduction_keeps_the_sum)
{
    use_model("llama");
    const pr_adapter_t *a = read_fixture("llama", "alpha"), *b = read_fixture("llama", "beta");
    int ra = pr_adapter_rank(a), rb = pr_adapter_rank(b);
    struct {
        const pr_adapter_t *part[3];
        double w[3];
        int rank;
    } cases[] = {{{a, a, a}, {0.5, 0.25, 0.125}, ra},
                 {{a, b, a}, {0.5, 0.25, 0.125}, ra + rb},
                 {{a, b, a}, {0.5, 0.25, -0.5}, rb},
                 {{a, a, a}, {0.5, 0.25, -0.75}, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pr_adapter_t *sum = NULL;
        ck_assert_int_eq(pr_adapter_concat(cases[i].part, cases[i].w, 3, &config, &sum, NULL), PR_OK);
        ck_assert_int_eq(pr_adapter_reduce(&sum, &config, NULL), PR_OK);
        ck_assert_int_eq(pr_adapter_rank(sum), cases[i].rank);
        check_sum(cases[i].part, cases[i].w, 3, sum);
        pr_adapter_free(&sum);
    }
    // One that needs its rank stays, to the last digit.
    pr_adapter_t *kept = NULL, *same = NULL;
    ck_assert_int_eq(
        pr_adapter_concat((const pr_adapter_t *const[]){a, b}, (double[]){0.5, 0.5}, 2, &config, &kept, NULL), PR_OK);
    ck_assert_int_eq(
        pr_adapter_concat((const pr_adapter_t *const[]){a, b}, (double[]){0.5, 0.5}, 2, &config, &same, NULL), PR_OK);
    ck_assert_int_eq(pr_adapter_reduce(&kept, &config, NULL), PR_OK);
    ck_assert_mem_eq(kept->data, same->data, same->n_data * sizeof *same->data);
    pr_adapter_free(&kept);
    pr_adapter_free(&same);
    pr_adapter_free((pr_adapter_t **)(uintptr_t)&a);
    pr_adapter_free((pr_adapter_t **)(uintptr_t)&b);
}
END_TEST

/* ---- new ones ---- */

START_TEST(a_new_adapter_is_kaiming_uniform)
{
    pr_adapter_t *a = NULL, *b = NULL, *other = NULL;
    pr_rng_key_t key = pr_rng_key(20, "adapter", "x"), key2 = pr_rng_key(21, "adapter", "x");
    pr_adapter_options_t o = {.r = 16, .alpha = 32};
    use_model("qwen2");
    ck_assert_int_eq(pr_adapter_new(&config, &o, &key, &a, NULL), PR_OK);
    ck_assert_int_eq(pr_adapter_new(&config, &o, &key, &b, NULL), PR_OK);
    ck_assert_int_eq(pr_adapter_new(&config, &o, &key2, &other, NULL), PR_OK);
    check_same(a, b);
    ck_assert_int_ne(memcmp(a->data, other->data, a->n_data * sizeof *a->data), 0);
    ck_assert_uint_eq(count_slots(a), 14);
    const pr_lora_t *l = pr_adapter_at(a, 1, PR_SLOT_DOWN); // A [16,144], B [64,16]
    double bound = 1.0 / 12, sum = 0, square = 0;
    for (int i = 0; i < 16 * 144; i++) {
        ck_assert(fabs((double)l->a[i]) < bound);
        sum += (double)l->a[i];
        square += (double)l->a[i] * (double)l->a[i];
    }
    ck_assert_double_lt(fabs(sum / 2304), 4 * bound / sqrt(3 * 2304.0)); // four standard errors
    ck_assert_double_lt(fabs(square / 2304 / (bound * bound / 3) - 1), 0.1);
    for (int i = 0; i < 64 * 16; i++)
        ck_assert(l->b[i] == 0);
    ck_assert(l->scale == 2);
    ck_assert(memcmp(l->a, pr_adapter_at(a, 0, PR_SLOT_DOWN)->a, 16 * 144 * sizeof(float)) != 0);
    pr_adapter_free(&a);
    pr_adapter_free(&b);
    pr_adapter_free(&other);
}
END_TEST

START_TEST(a_new_adapter_checks_its_options)
{
    static const char *const good[] = {"q_proj", "mlp.up_proj"}, *const bad[] = {"q_proj", "c_attn"};
    pr_adapter_t *a = NULL;
    pr_error_t err = {0};
    pr_rng_key_t key = pr_rng_key(20, "adapter", "x");
    use_model("llama");
    ck_assert_int_eq(pr_adapter_new(&config, &(pr_adapter_options_t){4, 8, true, good, 2}, &key, &a, &err), PR_OK);
    ck_assert_uint_eq(count_slots(a), 4);
    ck_assert(a->rslora && pr_adapter_at(a, 0, PR_SLOT_Q)->scale == 4);
    // Its shape is the same without its numbers.
    pr_adapter_t *shape = NULL;
    ck_assert_int_eq(pr_adapter_shape(&config, &(pr_adapter_options_t){4, 8, true, good, 2}, &shape, &err), PR_OK);
    ck_assert(shape->n_data == a->n_data && shape->rslora && !shape->data);
    for (int i = 0; i < a->n_layer * PR_N_SLOT; i++)
        ck_assert(shape->lora[i].r == a->lora[i].r && shape->lora[i].scale == a->lora[i].scale && !shape->lora[i].a);
    pr_adapter_free(&shape);
    pr_adapter_free(&a);
    check_error("target", pr_adapter_new(&config, &(pr_adapter_options_t){4, 8, false, bad, 2}, &key, &a, &err),
                PR_ERR_CONFIG, err.text, "'c_attn'|llama|self_attn.q_proj|mlp.down_proj");
    check_error("rank", pr_adapter_new(&config, &(pr_adapter_options_t){.r = 0, .alpha = 8}, &key, &a, &err),
                PR_ERR_CONFIG, err.text, "rank|0|65536");
    check_error("alpha", pr_adapter_new(&config, &(pr_adapter_options_t){.r = 1, .alpha = NAN}, &key, &a, &err),
                PR_ERR_CONFIG, err.text, "alpha|nan");
    check_error("empty list", pr_adapter_new(&config, &(pr_adapter_options_t){1, 1, false, bad, 0}, &key, &a, &err),
                PR_ERR_CONFIG, err.text, "empty");
    ck_assert_ptr_null(a);
}
END_TEST

static void tear_down(void)
{
    pr_model_config_clear(&config);
    scratch_remove();
}

int main(void)
{
    Suite *s = suite_create("adapter");
    TCase *t = tcase_create("peft");
    tcase_add_checked_fixture(t, scratch_make, tear_down);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, reads_and_writes_fixtures, 0, 12);
    tcase_add_loop_test(t, writes_the_keys_of_peft, 0, 4);
    tcase_add_loop_test(t, a_key_means_what_peft_means, 0, (int)(sizeof meanings / sizeof *meanings));
    tcase_add_test(t, all_linear_is_every_map);
    tcase_add_test(t, one_of_two_c_proj);
    tcase_add_loop_test(t, refuses_adapter, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_test(t, refuses_what_is_not_there);
    tcase_add_test(t, refuses_numbers_that_are_not_finite);
    tcase_add_test(t, names_git_lfs_pointers);
    tcase_add_test(t, survives_mutation);
    tcase_add_test(t, concatenation_is_the_sum);
    tcase_add_test(t, reduction_keeps_the_sum);
    tcase_add_test(t, a_new_adapter_is_kaiming_uniform);
    tcase_add_test(t, a_new_adapter_checks_its_options);
    suite_add_tcase(s, t);
    return run_suite(s);
}
