// SPDX-License-Identifier: BSD-3-Clause
/* config.json of every architecture, in the styles of transformers 4 and 5. */
#include "model/config.h"
#include "model_files.h"

#include <math.h>

static const char *const bases[] = {
    [PR_ARCH_GPT2] = "{\"model_type\":\"gpt2\",\"architectures\":[\"GPT2LMHeadModel\"],\"n_embd\":48,\"n_head\":4,"
                     "\"n_layer\":3,\"n_positions\":128,\"vocab_size\":600}",
    [PR_ARCH_LLAMA] = "{\"model_type\":\"llama\",\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":48,"
                      "\"num_attention_heads\":4,\"num_hidden_layers\":3,\"intermediate_size\":112,"
                      "\"max_position_embeddings\":8192,\"vocab_size\":620}",
    [PR_ARCH_MISTRAL] = "{\"model_type\":\"mistral\",\"architectures\":[\"MistralForCausalLM\"],\"hidden_size\":64,"
                        "\"num_attention_heads\":8,\"num_hidden_layers\":3,\"intermediate_size\":112,"
                        "\"num_key_value_heads\":2,\"max_position_embeddings\":8192,\"vocab_size\":620}",
    [PR_ARCH_QWEN2] = "{\"model_type\":\"qwen2\",\"architectures\":[\"Qwen2ForCausalLM\"],\"hidden_size\":64,"
                      "\"num_attention_heads\":4,\"num_hidden_layers\":3,\"intermediate_size\":144,"
                      "\"num_key_value_heads\":2,\"max_position_embeddings\":8192,\"vocab_size\":648}",
    [PR_ARCH_QWEN3] = "{\"model_type\":\"qwen3\",\"architectures\":[\"Qwen3ForCausalLM\"],\"hidden_size\":64,"
                      "\"num_attention_heads\":4,\"num_hidden_layers\":3,\"intermediate_size\":144,\"head_dim\":32,"
                      "\"num_key_value_heads\":2,\"max_position_embeddings\":8192,\"vocab_size\":648}"};

static pr_status_t read_patched(pr_arch_t arch, const char *change, pr_model_config_t *c, pr_error_t *err)
{
    json_t *base = json_of(bases[arch]);
    scratch_patched("config.json", base, change);
    json_decref(base);
    memset(c, 0xee, sizeof *c);
    return pr_model_config_read(scratch, c, err);
}

static pr_model_config_t read_well(pr_arch_t arch, const char *change)
{
    pr_model_config_t c;
    pr_error_t err = {0};
    ck_assert_msg(read_patched(arch, change, &c, &err) == PR_OK, "%s %s: %s", pr_arch_name(arch), change, err.text);
    ck_assert_int_eq(c.arch, arch);
    return c;
}

/* ---- what each field becomes ---- */

typedef enum {
    D_FF,
    KV,
    HEAD_DIM,
    ACT,
    EPS,
    TIED,
    QKV_BIAS,
    O_BIAS,
    MLP_BIAS,
    QK_NORM,
    ROPE,
    THETA,
    FACTOR,
    LOW,
    HIGH,
    ORIGINAL,
    BOS,
    PAD,
    N_EOS,
    EOS_0,
    LABELS,
    WINDOW_0,
    WINDOW_2
} field_t;

static double field(const pr_model_config_t *c, field_t f)
{
    const double values[] = {[D_FF] = c->d_ff,
                             [KV] = c->n_kv_head,
                             [HEAD_DIM] = c->head_dim,
                             [ACT] = (double)c->act,
                             [EPS] = c->norm_eps,
                             [TIED] = c->tied_head,
                             [QKV_BIAS] = c->qkv_bias,
                             [O_BIAS] = c->o_bias,
                             [MLP_BIAS] = c->mlp_bias,
                             [QK_NORM] = c->qk_norm,
                             [ROPE] = (double)c->rope,
                             [THETA] = c->rope_theta,
                             [FACTOR] = c->rope_factor,
                             [LOW] = c->rope_low,
                             [HIGH] = c->rope_high,
                             [ORIGINAL] = c->rope_original_pos,
                             [BOS] = c->bos,
                             [PAD] = c->pad,
                             [N_EOS] = c->n_eos,
                             [EOS_0] = c->n_eos ? c->eos[0] : -1,
                             [LABELS] = c->n_label,
                             [WINDOW_0] = c->window ? c->window[0] : 0,
                             [WINDOW_2] = c->window ? c->window[2] : 0};
    return values[f];
}

#define LLAMA3                                                                                                         \
    "\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,\"original_max_position_embeddings\":256"

static const struct {
    pr_arch_t arch;
    const char *change;
    field_t field;
    double value;
} variants[] = {
    {PR_ARCH_GPT2, "{}", D_FF, 192},
    {PR_ARCH_GPT2, "{\"n_inner\":null}", D_FF, 192},
    {PR_ARCH_GPT2, "{\"n_inner\":77}", D_FF, 77},
    {PR_ARCH_GPT2, "{}", TIED, 1},
    {PR_ARCH_GPT2, "{\"tie_word_embeddings\":false}", TIED, 0},
    {PR_ARCH_GPT2, "{}", ACT, PR_ACT_GELU_NEW},
    {PR_ARCH_GPT2, "{\"activation_function\":\"gelu\"}", ACT, PR_ACT_GELU},
    {PR_ARCH_GPT2, "{\"activation_function\":\"relu\"}", ACT, PR_ACT_RELU},
    {PR_ARCH_GPT2, "{\"activation_function\":\"gelu_pytorch_tanh\"}", ACT, PR_ACT_GELU_NEW},
    {PR_ARCH_GPT2, "{}", EPS, 1e-5},
    {PR_ARCH_GPT2, "{\"layer_norm_epsilon\":1e-3}", EPS, 1e-3},
    {PR_ARCH_GPT2, "{}", MLP_BIAS, 1},
    {PR_ARCH_GPT2, "{}", ROPE, PR_ROPE_NONE},
    {PR_ARCH_GPT2, "{}", EOS_0, 50256},
    {PR_ARCH_GPT2, "{\"eos_token_id\":null}", N_EOS, 0},
    {PR_ARCH_GPT2, "{\"scale_attn_weights\":true,\"add_cross_attention\":false}", HEAD_DIM, 12},
    {PR_ARCH_LLAMA, "{}", KV, 4},
    {PR_ARCH_LLAMA, "{\"num_key_value_heads\":null}", KV, 4},
    {PR_ARCH_LLAMA, "{\"num_key_value_heads\":2}", KV, 2},
    {PR_ARCH_LLAMA, "{}", HEAD_DIM, 12},
    {PR_ARCH_LLAMA, "{\"head_dim\":null}", HEAD_DIM, 12},
    {PR_ARCH_LLAMA, "{\"head_dim\":20}", HEAD_DIM, 20},
    {PR_ARCH_LLAMA, "{\"head_dim\":20,\"num_attention_heads\":5}", HEAD_DIM, 20},
    {PR_ARCH_LLAMA, "{}", TIED, 0},
    {PR_ARCH_LLAMA, "{\"tie_word_embeddings\":true}", TIED, 1},
    {PR_ARCH_LLAMA, "{}", EPS, 1e-6},
    {PR_ARCH_LLAMA, "{}", ACT, PR_ACT_SILU},
    {PR_ARCH_LLAMA, "{\"hidden_act\":\"swish\"}", ACT, PR_ACT_SILU},
    {PR_ARCH_LLAMA, "{}", QKV_BIAS, 0},
    {PR_ARCH_LLAMA, "{\"attention_bias\":true}", QKV_BIAS, 1},
    {PR_ARCH_LLAMA, "{\"attention_bias\":true}", O_BIAS, 1},
    {PR_ARCH_LLAMA, "{\"mlp_bias\":true}", MLP_BIAS, 1},
    {PR_ARCH_LLAMA, "{\"sliding_window\":16}", WINDOW_2, 0}, // not a setting of llama
    {PR_ARCH_LLAMA, "{\"pretraining_tp\":2}", KV, 4},        // the same function, cut in slices
    {PR_ARCH_LLAMA, "{}", EOS_0, 2},
    {PR_ARCH_LLAMA, "{}", BOS, 1},
    {PR_ARCH_LLAMA, "{\"bos_token_id\":null}", BOS, -1},
    {PR_ARCH_LLAMA, "{\"pad_token_id\":-1}", PAD, -1},
    {PR_ARCH_LLAMA, "{\"pad_token_id\":5}", PAD, 5},
    {PR_ARCH_LLAMA, "{\"eos_token_id\":[7,8,9]}", N_EOS, 3},
    {PR_ARCH_LLAMA, "{\"eos_token_id\":[7,8,9]}", EOS_0, 7},
    {PR_ARCH_LLAMA, "{}", LABELS, 0},
    {PR_ARCH_LLAMA, "{\"architectures\":null,\"num_labels\":7}", LABELS, 0},
    {PR_ARCH_LLAMA, "{\"architectures\":[\"LlamaForSequenceClassification\"]}", LABELS, 2},
    {PR_ARCH_LLAMA, "{\"architectures\":[\"LlamaForSequenceClassification\"],\"num_labels\":1}", LABELS, 1},
    {PR_ARCH_LLAMA,
     "{\"architectures\":[\"LlamaForSequenceClassification\"],\"id2label\":{\"0\":\"a\",\"1\":\"b\","
     "\"2\":\"c\"}}",
     LABELS, 3},
    {PR_ARCH_LLAMA, "{}", ROPE, PR_ROPE_DEFAULT},
    {PR_ARCH_LLAMA, "{}", THETA, 10000},
    {PR_ARCH_LLAMA, "{\"rope_theta\":500000,\"rope_scaling\":null}", THETA, 500000},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.5}}", ROPE, PR_ROPE_LINEAR},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.5}}", FACTOR, 2.5},
    {PR_ARCH_LLAMA, "{\"rope_theta\":77.5,\"rope_scaling\":{\"rope_type\":\"llama3\"," LLAMA3 "}}", THETA, 77.5},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"rope_type\":\"llama3\"," LLAMA3 "}}", ROPE, PR_ROPE_LLAMA3},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"rope_type\":\"llama3\",\"type\":\"yarn\"," LLAMA3 "}}", HIGH, 4},
    {PR_ARCH_LLAMA, "{\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":3000.0}}", THETA, 3000},
    {PR_ARCH_LLAMA, "{\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":3000.0},\"rope_theta\":5.0}", THETA,
     3000},
    {PR_ARCH_LLAMA, "{\"rope_parameters\":{\"rope_type\":\"default\"},\"rope_theta\":5.0}", THETA, 5},
    {PR_ARCH_LLAMA, "{\"rope_parameters\":{\"rope_type\":\"llama3\",\"rope_theta\":9.0," LLAMA3 "}}", THETA, 9},
    {PR_ARCH_LLAMA, "{\"rope_parameters\":{\"rope_type\":\"llama3\",\"rope_theta\":9.0," LLAMA3 "}}", LOW, 1},
    {PR_ARCH_LLAMA, "{\"rope_parameters\":{\"rope_type\":\"llama3\",\"rope_theta\":9.0," LLAMA3 "}}", ORIGINAL, 256},
    {PR_ARCH_LLAMA, "{\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":4}}", FACTOR, 4},
    {PR_ARCH_LLAMA, "{\"partial_rotary_factor\":1.0}", ROPE, PR_ROPE_DEFAULT},
    {PR_ARCH_LLAMA, "{\"rope_parameters\":{\"rope_type\":\"default\",\"factor\":1.0,\"beta_fast\":null}}", ROPE,
     PR_ROPE_DEFAULT},
    {PR_ARCH_LLAMA, "{\"rope_dtype\":\"float32\"}", ROPE, PR_ROPE_DEFAULT},
    {PR_ARCH_LLAMA, "{\"final_logit_softcapping\":null,\"logit_scale\":1.0,\"num_experts\":0,\"use_qk_norm\":false}",
     KV, 4},
    {PR_ARCH_MISTRAL, "{}", WINDOW_0, 4096},
    {PR_ARCH_MISTRAL, "{\"sliding_window\":null}", WINDOW_0, 0},
    {PR_ARCH_MISTRAL, "{\"sliding_window\":16}", WINDOW_0, 16},
    {PR_ARCH_MISTRAL, "{\"sliding_window\":16}", WINDOW_2, 16},
    {PR_ARCH_MISTRAL, "{\"num_key_value_heads\":\"DELETE\"}", KV, 8},
    {PR_ARCH_MISTRAL, "{\"head_dim\":16}", HEAD_DIM, 16},
    {PR_ARCH_MISTRAL, "{}", TIED, 0},
    {PR_ARCH_QWEN2, "{}", QKV_BIAS, 1},
    {PR_ARCH_QWEN2, "{}", O_BIAS, 0},
    {PR_ARCH_QWEN2, "{}", TIED, 0},
    {PR_ARCH_QWEN2, "{\"sliding_window\":16}", WINDOW_2, 0},
    {PR_ARCH_QWEN2, "{\"sliding_window\":16,\"use_sliding_window\":false}", WINDOW_2, 0},
    {PR_ARCH_QWEN2, "{\"sliding_window\":16,\"use_sliding_window\":true}", WINDOW_2, 0}, // max_window_layers 28
    {PR_ARCH_QWEN2, "{\"sliding_window\":16,\"use_sliding_window\":true,\"max_window_layers\":2}", WINDOW_2, 16},
    {PR_ARCH_QWEN2, "{\"sliding_window\":16,\"use_sliding_window\":true,\"max_window_layers\":2}", WINDOW_0, 0},
    {PR_ARCH_QWEN2, "{\"sliding_window\":16,\"use_sliding_window\":true,\"max_window_layers\":0}", WINDOW_0, 16},
    {PR_ARCH_QWEN2,
     "{\"sliding_window\":16,\"use_sliding_window\":true,\"max_window_layers\":0,\"layer_types\":"
     "[\"full_attention\",\"full_attention\",\"sliding_attention\"]}",
     WINDOW_0, 0},
    {PR_ARCH_QWEN2,
     "{\"sliding_window\":16,\"use_sliding_window\":true,\"layer_types\":"
     "[\"full_attention\",\"full_attention\",\"sliding_attention\"]}",
     WINDOW_2, 16},
    {PR_ARCH_QWEN2, "{\"eos_token_id\":5}", EOS_0, 5},
    {PR_ARCH_QWEN2, "{}", N_EOS, 0},
    {PR_ARCH_QWEN3, "{}", QK_NORM, 1},
    {PR_ARCH_QWEN3, "{}", QKV_BIAS, 0},
    {PR_ARCH_QWEN3, "{\"attention_bias\":true}", O_BIAS, 1},
    {PR_ARCH_QWEN3, "{\"head_dim\":\"DELETE\"}", HEAD_DIM, 128},
    {PR_ARCH_QWEN3, "{}", HEAD_DIM, 32},
};

START_TEST(reads_variant)
{
    pr_model_config_t c = read_well(variants[_i].arch, variants[_i].change);
    double found = field(&c, variants[_i].field);
    ck_assert_msg(found == variants[_i].value, "%s %s: %g, expected %g", pr_arch_name(variants[_i].arch),
                  variants[_i].change, found, variants[_i].value);
    pr_model_config_clear(&c);
}
END_TEST

START_TEST(reads_sizes)
{
    pr_model_config_t c = read_well(PR_ARCH_QWEN3, "{}");
    ck_assert_int_eq(c.vocab, 648);
    ck_assert_int_eq(c.d_model, 64);
    ck_assert_int_eq(c.n_layer, 3);
    ck_assert_int_eq(c.n_head, 4);
    ck_assert_int_eq(c.max_pos, 8192);
    ck_assert_str_eq(c.arch_name, "Qwen3ForCausalLM");
    // two [648,64], three layers of norms, q [128,64], k and v [64,64], o [64,128], q and k norms, MLP; final norm
    ck_assert_int_eq(pr_model_config_params(&c),
                     2 * 648 * 64 + 3 * (2 * 64 + 2 * 128 * 64 + 2 * 64 * 64 + 2 * 32 + 3 * 144 * 64) + 64);
    pr_model_config_clear(&c);
}
END_TEST

START_TEST(prefers_generation_config)
{
    scratch_text("generation_config.json", "{\"eos_token_id\":[11,12],\"pad_token_id\":13}");
    pr_model_config_t c = read_well(PR_ARCH_LLAMA, "{\"eos_token_id\":3,\"bos_token_id\":4}");
    ck_assert_int_eq(c.n_eos, 2);
    ck_assert_int_eq(c.eos[1], 12);
    ck_assert_int_eq(c.pad, 13);
    ck_assert_int_eq(c.bos, 4);
    pr_model_config_clear(&c);
    scratch_text("generation_config.json", "{}");
    c = read_well(PR_ARCH_LLAMA, "{\"eos_token_id\":3}");
    ck_assert_int_eq(c.n_eos, 1);
    ck_assert_int_eq(c.eos[0], 3);
    pr_model_config_clear(&c);
}
END_TEST

/* ---- rotary frequencies ---- */

/* Of transformers 5.24's LlamaRotaryEmbedding, with head_dim 12 and 8192 positions; "" where config.json says nothing.
 * Its powers may be one unit in the last place off. */
static const struct {
    const char *change;
    double f[6];
} frequencies[] = {
    {"{\"rope_theta\":10000.0}",
     {1.0, 0.2154434472322464, 0.04641588404774666, 0.009999999776482582, 0.002154434332624078,
      0.00046415894757956266}},
    {"{\"rope_scaling\":{\"rope_type\":\"linear\",\"factor\":3}}",
     {0.3333333432674408, 0.07181448489427567, 0.015471961349248886, 0.003333333181217313, 0.0007181447581388056,
      0.00015471964434254915}},
    {"{\"rope_scaling\":{\"rope_type\":\"linear\",\"type\":null,\"factor\":0.5}}",
     {2.0, 0.4308868944644928, 0.09283176809549332, 0.019999999552965164, 0.004308868665248156, 0.0009283178951591253}},
    {"{\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":3,\"rope_theta\":5.0},\"rope_theta\":7.0}",
     {0.3333333432674408, 0.25490817427635193, 0.19493450224399567, 0.14907120168209076, 0.11399839073419571,
      0.08717736601829529}},
    {"{\"rope_parameters\":{\"rope_type\":\"llama3\",\"rope_theta\":5e5," LLAMA3 "},\"rope_scaling\":{}}",
     {1.0, 0.11224619299173355, 0.0015749010490253568, 0.00017677668074611574, 1.9842507754219696e-05,
      2.2272474780038465e-06}},
    {"{\"rope_scaling\":{\"rope_type\":\"llama3\"," LLAMA3 "},\"original_max_position_embeddings\":512}",
     {1.0, 0.2154434472322464, 0.04346875473856926, 0.0012499999720603228, 0.0002693042915780097,
      5.801986844744533e-05}},
    {"{\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4}}",
     {1.0, 0.2154434472322464, 0.04641588404774666, 0.009999999776482582, 0.001406003488227725, 5.801986844744533e-05}},
    // rope_scaling beside rope_parameters: the latter's base does not count either
    {"{\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":5e5},\"rope_scaling\":{\"type\":\"linear\","
     "\"factor\":2.0}}",
     {0.5, 0.1077217236161232, 0.02320794202387333, 0.004999999888241291, 0.001077217166312039,
      0.00023207947378978133}},
    {"{\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":5e5},\"rope_scaling\":{\"type\":\"linear\","
     "\"factor\":2.0},\"rope_theta\":777.0}",
     {0.5, 0.16490474343299866, 0.05438715219497681, 0.017937399446964264, 0.0059159244410693645,
      0.001951128477230668}},
};

START_TEST(frequencies_of_transformers)
{
    float f[6];
    pr_model_config_t c = read_well(PR_ARCH_LLAMA, frequencies[_i].change);
    pr_model_config_rope(&c, f);
    pr_model_config_clear(&c);
    for (int i = 0; i < 6; i++)
        ck_assert_msg(fabs((double)f[i] - frequencies[_i].f[i]) <= 1.2e-7 * frequencies[_i].f[i],
                      "%s: %d: %.9g not %.9g", frequencies[_i].change, i, (double)f[i], frequencies[_i].f[i]);
}
END_TEST

/* ---- what is refused ---- */

#define U PR_ERR_UNSUPPORTED
#define F PR_ERR_FORMAT

static const struct {
    pr_arch_t arch;
    const char *change;
    pr_status_t status;
    const char *words;
} refused[] = {
    {PR_ARCH_GPT2, "{\"model_type\":\"bloom\"}", U, "'model_type'|bloom|qwen3"},
    {PR_ARCH_GPT2, "{\"model_type\":\"DELETE\"}", F, "'model_type'|nothing"},
    {PR_ARCH_GPT2, "{\"model_type\":3}", F, "'model_type'|an integer|a string"},
    {PR_ARCH_GPT2, "{\"activation_function\":\"tanh\"}", U, "'activation_function'|tanh|gelu_new"},
    {PR_ARCH_GPT2, "{\"scale_attn_weights\":false}", U, "'scale_attn_weights'|false|true"},
    {PR_ARCH_GPT2, "{\"scale_attn_by_inverse_layer_idx\":true}", U, "'scale_attn_by_inverse_layer_idx'|true"},
    {PR_ARCH_GPT2, "{\"reorder_and_upcast_attn\":true}", U, "'reorder_and_upcast_attn'"},
    {PR_ARCH_GPT2, "{\"add_cross_attention\":true}", U, "'add_cross_attention'"},
    {PR_ARCH_GPT2, "{\"architectures\":[\"GPT2DoubleHeadsModel\"]}", U, "'architectures'|GPT2DoubleHeadsModel"},
    {PR_ARCH_GPT2, "{\"n_head\":5}", F, "'n_head'|5|n_embd 48"},
    {PR_ARCH_GPT2, "{\"n_embd\":\"DELETE\"}", F, "'n_embd'|nothing|1..1048576"},
    {PR_ARCH_GPT2, "{\"n_embd\":0}", F, "'n_embd'|0"},
    {PR_ARCH_GPT2, "{\"n_inner\":-4}", F, "'n_inner'|-4"},
    {PR_ARCH_GPT2, "{\"vocab_size\":9223372036854775807}", F, "'vocab_size'|9223372036854775807|134217728"},
    {PR_ARCH_GPT2, "{\"n_layer\":1000000000}", F, "'n_layer'|1000000000|10000"},
    {PR_ARCH_GPT2, "{\"n_positions\":\"128\"}", F, "'n_positions'|a string|an integer"},
    {PR_ARCH_GPT2, "{\"n_positions\":128.0}", F, "'n_positions'|a number|an integer"},
    {PR_ARCH_GPT2, "{\"layer_norm_epsilon\":-1}", F, "'layer_norm_epsilon'|-1"},
    {PR_ARCH_GPT2, "{\"tie_word_embeddings\":1}", F, "'tie_word_embeddings'|an integer|true or false"},
    {PR_ARCH_LLAMA, "{\"architectures\":[\"LlamaForQuestionAnswering\"]}", U, "LlamaForQuestionAnswering"},
    {PR_ARCH_LLAMA, "{\"architectures\":[\"BertForCausalLM\"]}", U, "BertForCausalLM"},
    {PR_ARCH_LLAMA, "{\"architectures\":\"LlamaForCausalLM\"}", F, "'architectures'|a string"},
    {PR_ARCH_LLAMA, "{\"architectures\":[3]}", F, "'architectures'"},
    {PR_ARCH_LLAMA, "{\"num_attention_heads\":5}", F, "'num_attention_heads'|5|hidden_size 48"},
    {PR_ARCH_LLAMA, "{\"num_attention_heads\":0}", F, "'num_attention_heads'|0"},
    {PR_ARCH_LLAMA, "{\"num_key_value_heads\":3}", F, "'num_key_value_heads'|3|num_attention_heads 4"},
    {PR_ARCH_LLAMA, "{\"num_key_value_heads\":8}", F, "'num_key_value_heads'|8"},
    {PR_ARCH_LLAMA, "{\"head_dim\":7}", F, "'head_dim'|7|even"},
    {PR_ARCH_LLAMA, "{\"head_dim\":1048576}", F, "'head_dim'|1048576|4 heads"},
    {PR_ARCH_LLAMA, "{\"intermediate_size\":null}", F, "'intermediate_size'|null"},
    {PR_ARCH_LLAMA, "{\"max_position_embeddings\":-1}", F, "'max_position_embeddings'|-1"},
    {PR_ARCH_LLAMA, "{\"hidden_act\":\"xielu\"}", U, "'hidden_act'|xielu|silu"},
    {PR_ARCH_LLAMA, "{\"quantization_config\":{\"quant_method\":\"gptq\"}}", U, "'quantization_config'|gptq"},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2}}", U, "rope_scaling|'type'|dynamic|llama3"},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":2}}", U, "rope_scaling|'rope_type'|yarn"},
    {PR_ARCH_LLAMA, "{\"rope_parameters\":{\"rope_type\":\"longrope\"}}", U, "rope_parameters|longrope"},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":\"linear\"}", F, "'rope_scaling'|a string"},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"type\":\"linear\"}}", F, "'factor'|nothing"},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":0}}", F, "'factor'|> 0"},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8}}", F, "'low_freq_factor'"},
    {PR_ARCH_LLAMA,
     "{\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":4}}", F,
     "'high_freq_factor'|4"},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"type\":null}}", U, "rope_scaling|'type'|null|default"},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"type\":null,\"factor\":2.0}}", U, "'type'|null"},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"rope_type\":null,\"type\":\"linear\",\"factor\":2.0}}", U,
     "'rope_type'|null"},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"factor\":2.0}}", U, "rope_scaling|'factor'|2.0|rope_type 'default'"},
    {PR_ARCH_LLAMA, "{\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":1e4,\"factor\":4}}", U,
     "rope_parameters|'factor'|4"},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"type\":\"linear\",\"factor\":2,\"attention_factor\":1.2}}", U,
     "'attention_factor'|1.2|linear"},
    {PR_ARCH_LLAMA, "{\"rope_parameters\":{\"rope_type\":\"default\",\"mrope_section\":[2,2,2]}}", U,
     "'mrope_section'"},
    {PR_ARCH_QWEN3,
     "{\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"linear\",\"factor\":2.0,\"rope_theta\":1e6}}}", U,
     "rope_parameters|'full_attention'|all layers"},
    {PR_ARCH_LLAMA, "{\"rope_scaling\":{\"sliding_attention\":null}}", U, "rope_scaling|'sliding_attention'|null"},
    {PR_ARCH_LLAMA, "{\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":null}}", F, "'rope_theta'|null"},
    {PR_ARCH_LLAMA, "{\"rope_parameters\":{\"rope_type\":\"linear\",\"factor\":2,\"partial_rotary_factor\":0.5}}", U,
     "rope_parameters|'partial_rotary_factor'"},
    {PR_ARCH_LLAMA, "{\"rope_dtype\":\"stored\"}", U, "'rope_dtype'|stored|float32"},
    {PR_ARCH_LLAMA, "{\"attn_logit_softcapping\":50.0}", U, "'attn_logit_softcapping'|50"},
    {PR_ARCH_LLAMA, "{\"logits_scaling\":8}", U, "'logits_scaling'|8"},
    {PR_ARCH_LLAMA, "{\"rotary_pct\":0.25}", U, "'rotary_pct'|0.25"},
    {PR_ARCH_LLAMA, "{\"query_pre_attn_scalar\":1}", U,
     "'query_pre_attn_scalar'|1"}, // a scale of the scores, not a factor of them
    {PR_ARCH_LLAMA, "{\"attention_multiplier\":1.0}", U, "'attention_multiplier'|1.0"},
    {PR_ARCH_LLAMA, "{\"use_rope\":false}", U, "'use_rope'|false"},
    {PR_ARCH_LLAMA, "{\"rotary_emb_base\":500000}", U, "'rotary_emb_base'|500000"},
    {PR_ARCH_QWEN3, "{\"rope_local_base_freq\":10000.0}", U, "'rope_local_base_freq'|10000"},
    {PR_ARCH_LLAMA, "{\"local_rope_theta\":10000.0}", U, "'local_rope_theta'"},
    {PR_ARCH_MISTRAL, "{\"rope_scaling_type\":\"linear\",\"rope_scaling_factor\":2.0}", U, "'rope_scaling_factor'|2.0"},
    {PR_ARCH_MISTRAL, "{\"num_local_experts\":8}", U, "'num_local_experts'|8"},
    {PR_ARCH_LLAMA, "{\"compression_config\":{\"format\":\"int\"}}", U, "'compression_config'"},
    {PR_ARCH_LLAMA, "{\"rope_theta\":0}", F, "'rope_theta'"},
    {PR_ARCH_LLAMA, "{\"rope_theta\":-3.5}", F, "'rope_theta'"},
    {PR_ARCH_LLAMA, "{\"partial_rotary_factor\":0.5}", U, "'partial_rotary_factor'|0.5|1"},
    {PR_ARCH_LLAMA, "{\"rope_parameters\":{\"rope_type\":\"default\",\"partial_rotary_factor\":0.25}}", U,
     "'partial_rotary_factor'|0.25"},
    {PR_ARCH_LLAMA, "{\"eos_token_id\":\"</s>\"}", F, "'eos_token_id'|a string"},
    {PR_ARCH_LLAMA, "{\"eos_token_id\":99999999999}", F, "'eos_token_id'"},
    {PR_ARCH_LLAMA, "{\"eos_token_id\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", U, "'eos_token_id'|16"},
    {PR_ARCH_LLAMA, "{\"bos_token_id\":99999999999}", F, "'bos_token_id'|99999999999"},
    {PR_ARCH_LLAMA, "{\"architectures\":[\"LlamaForSequenceClassification\"],\"num_labels\":0}", F, "'num_labels'|0"},
    {PR_ARCH_LLAMA, "{\"architectures\":[\"LlamaForSequenceClassification\"],\"id2label\":[]}", F, "'id2label'"},
    {PR_ARCH_LLAMA, "{\"layer_types\":[\"sliding_attention\",\"full_attention\",\"full_attention\"]}", F,
     "'layer_types'|sliding_attention"},
    {PR_ARCH_MISTRAL, "{\"sliding_window\":0}", F, "'sliding_window'|0"},
    {PR_ARCH_MISTRAL, "{\"sliding_window\":true}", F, "'sliding_window'|true"},
    {PR_ARCH_QWEN2, "{\"layer_types\":[\"full_attention\"]}", F, "'layer_types'|of 1|3"},
    {PR_ARCH_QWEN2, "{\"layer_types\":[\"chunked_attention\",\"full_attention\",\"full_attention\"]}", U,
     "'layer_types'|chunked_attention"},
    {PR_ARCH_QWEN2, "{\"layer_types\":[1,2,3]}", U, "'layer_types'"},
    {PR_ARCH_QWEN2, "{\"num_key_value_heads\":\"DELETE\"}", F, "'num_key_value_heads'|32|4"},
};

START_TEST(refuses_setting)
{
    pr_model_config_t c;
    pr_error_t err = {0};
    pr_status_t status = read_patched(refused[_i].arch, refused[_i].change, &c, &err);
    check_error(refused[_i].change, status, refused[_i].status, err.text, "config.json");
    check_error(refused[_i].change, status, refused[_i].status, err.text, refused[_i].words);
}
END_TEST

START_TEST(refuses_broken_files)
{
    pr_model_config_t c;
    pr_error_t err = {0};
    check_error("missing", pr_model_config_read(scratch, &c, &err), PR_ERR_NOT_FOUND, err.text, "config.json");
    scratch_text("config.json", "{\"model_type\": gpt2}");
    check_error("not JSON", pr_model_config_read(scratch, &c, &err), PR_ERR_FORMAT, err.text, "config.json|line 1");
    scratch_text("config.json", "");
    check_error("empty", pr_model_config_read(scratch, &c, &err), PR_ERR_FORMAT, err.text, "config.json");
    scratch_text("config.json", "[]");
    check_error("a list", pr_model_config_read(scratch, &c, &err), PR_ERR_FORMAT, err.text, "an array|an object");
    scratch_text("config.json", "{\"model_type\":\"gpt2\",\"model_type\":\"llama\"}");
    check_error("twice", pr_model_config_read(scratch, &c, &err), PR_ERR_FORMAT, err.text, "duplicate");
    scratch_text("config.json", bases[PR_ARCH_GPT2]);
    scratch_text("generation_config.json", "7");
    check_error("generation", pr_model_config_read(scratch, &c, &err), PR_ERR_FORMAT, err.text,
                "generation_config.json|an integer");
}
END_TEST

START_TEST(survives_mutation)
{
    uint64_t state = 5;
    int accepted = 0;
    for (int k = 0; k < 4000; k++) {
        const char *text = bases[k % 5];
        size_t len = strlen(text);
        unsigned char *copy = pr_alloc(len, 1);
        pr_model_config_t c;
        pr_error_t err = {0};
        memcpy(copy, text, len);
        mutate(copy, len, &state);
        scratch_write("config.json", copy, len);
        free(copy);
        if (pr_model_config_read(scratch, &c, &err) != PR_OK) {
            ck_assert_msg(err.text[0] && !strchr(err.text, '\n'), "no single line");
            continue;
        }
        accepted++;
        ck_assert_int_gt(pr_model_config_params(&c), 0);
        ck_assert_int_eq(c.n_head % c.n_kv_head, 0);
        pr_model_config_clear(&c);
    }
    ck_assert_int_gt(accepted, 50);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("config");
    TCase *t = tcase_create("config.json");
    tcase_add_checked_fixture(t, scratch_make, scratch_remove);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, reads_variant, 0, (int)(sizeof variants / sizeof *variants));
    tcase_add_test(t, reads_sizes);
    tcase_add_test(t, prefers_generation_config);
    tcase_add_loop_test(t, frequencies_of_transformers, 0, (int)(sizeof frequencies / sizeof *frequencies));
    tcase_add_loop_test(t, refuses_setting, 0, (int)(sizeof refused / sizeof *refused));
    tcase_add_test(t, refuses_broken_files);
    tcase_add_test(t, survives_mutation);
    suite_add_tcase(s, t);
    return run_suite(s);
}
