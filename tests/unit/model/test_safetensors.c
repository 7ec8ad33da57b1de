// SPDX-License-Identifier: BSD-3-Clause
/* Reading and writing safetensors: fixtures made by Python's library, every half-precision value, and broken files. */
#include "model/safetensors.h"
#include "model_files.h"

#include <math.h>

static pr_safetensors_t *open_fixture(const char *name)
{
    char path[512];
    pr_error_t err = {0};
    pr_safetensors_t *st = NULL;
    fixture_path(path, name);
    pr_status_t status =
        pr_dir_exists(path) ? pr_safetensors_open_model(path, &st, &err) : pr_safetensors_open(path, &st, &err);
    ck_assert_msg(status == PR_OK, "%s", err.text);
    return st;
}

/* Every value of 16 bits comes back as itself, what lies between two as the nearer, in the middle as the even one. */
START_TEST(floats_are_rounded_to_halves)
{
    static const pr_dtype_t types[] = {PR_DTYPE_F16, PR_DTYPE_BF16};
    pr_dtype_t type = types[_i];
    uint32_t infinite = type == PR_DTYPE_F16 ? 0x7c00 : 0x7f80;
    for (uint32_t h = 0; h < infinite - 1; h++)
        for (uint32_t sign = 0; sign <= 0x8000; sign += 0x8000) {
            uint16_t two[2] = {(uint16_t)(h | sign), (uint16_t)((h + 1) | sign)}, back[5];
            pr_tensor_t t = {.dtype = type, .n = 2, .data = (const unsigned char *)two};
            float x[2];
            int64_t at;
            ck_assert_int_eq(pr_tensor_to_float(&t, 0, 2, x, NULL), PR_OK);
            float middle = x[0] / 2 + x[1] / 2;
            const float in[5] = {x[0], x[1], middle, nextafterf(middle, x[0]), nextafterf(middle, x[1])};
            if (middle == x[0] || middle == x[1] || in[3] == x[0]) // as small as a float can be
                continue;
            ck_assert_int_eq(pr_tensor_from_float(type, in, 5, back, &at), PR_OK);
            ck_assert(back[0] == two[0] && back[1] == two[1] && back[2] == two[h % 2] && back[3] == two[0] &&
                      back[4] == two[1]);
            ck_assert_int_eq(at, 5);
        }
}
END_TEST

START_TEST(what_has_no_place_is_told)
{
    const float in[] = {1, 65519, 65520, -INFINITY}, large[] = {3.3e38f, 3.4e38f, NAN};
    uint16_t out[4];
    double wide[3];
    int64_t at;
    ck_assert_int_eq(pr_tensor_from_float(PR_DTYPE_F16, in, 2, out, &at), PR_OK);
    ck_assert_uint_eq(out[1], 0x7bff);
    ck_assert_int_eq(pr_tensor_from_float(PR_DTYPE_F16, in, 3, out, &at), PR_ERR_NUMERIC);
    ck_assert_int_eq(at, 2);
    ck_assert_int_eq(pr_tensor_from_float(PR_DTYPE_F16, in + 3, 1, out, &at), PR_OK);
    ck_assert_uint_eq(out[0], 0xfc00);
    ck_assert_int_eq(pr_tensor_from_float(PR_DTYPE_BF16, large, 2, out, &at), PR_ERR_NUMERIC);
    ck_assert_int_eq(at, 1);
    ck_assert_int_eq(pr_tensor_from_float(PR_DTYPE_BF16, large + 2, 1, out, &at), PR_OK);
    ck_assert_uint_eq(out[0] & 0x7fc0, 0x7fc0);
    ck_assert_int_eq(pr_tensor_from_float(PR_DTYPE_F64, in, 3, wide, &at), PR_OK);
    ck_assert_double_eq(wide[2], 65520);
    ck_assert_int_eq(pr_tensor_from_float(PR_DTYPE_I32, in, 3, wide, &at), PR_ERR_UNSUPPORTED);
}
END_TEST

START_TEST(reads_a_file)
{
    pr_safetensors_t *st = open_fixture("gpt2");
    ck_assert_uint_eq(pr_safetensors_count(st), 28);
    ck_assert_uint_eq(pr_safetensors_bytes(st) > 366336, 1);
    const pr_tensor_t *t = pr_safetensors_find(st, "transformer.h.1.mlp.c_fc.weight");
    ck_assert_ptr_nonnull(t);
    ck_assert_int_eq(t->dtype, PR_DTYPE_F32);
    ck_assert_int_eq(t->n_dim, 2);
    ck_assert_int_eq(t->shape[0], 48);
    ck_assert_int_eq(t->shape[1], 192);
    ck_assert_uint_eq(t->bytes, 48 * 192 * 4);
    ck_assert_ptr_null(pr_safetensors_find(st, "transformer.h.2.mlp.c_fc.weight"));
    for (size_t i = 1; i < pr_safetensors_count(st); i++)
        ck_assert_int_lt(strcmp(pr_safetensors_at(st, i - 1)->name, pr_safetensors_at(st, i)->name), 0);
    pr_safetensors_close(&st);
    ck_assert_ptr_null(st);
    pr_safetensors_close(&st);
}
END_TEST

START_TEST(reads_shards)
{
    pr_safetensors_t *st = open_fixture("qwen2");
    size_t bytes = 0;
    ck_assert_uint_eq(pr_safetensors_count(st), 26);
    for (size_t i = 0; i < pr_safetensors_count(st); i++)
        bytes += pr_safetensors_at(st, i)->bytes;
    ck_assert_uint_eq(bytes, 243840); // the index's total_size
    const pr_tensor_t *t = pr_safetensors_find(st, "model.layers.0.self_attn.k_proj.bias");
    ck_assert_ptr_nonnull(strstr(t->file, "model-00002-of-00005.safetensors"));
    ck_assert_int_eq(t->dtype, PR_DTYPE_BF16);
    pr_safetensors_close(&st);
}
END_TEST

START_TEST(reads_integers_but_does_not_convert_them)
{
    pr_error_t err = {0};
    float x[48];
    pr_safetensors_t *st = open_fixture("gpt2/expected.safetensors");
    const pr_tensor_t *t = pr_safetensors_find(st, "input_ids");
    ck_assert_int_eq(t->dtype, PR_DTYPE_I64);
    check_error("I64", pr_tensor_to_float(t, 0, 48, x, &err), PR_ERR_UNSUPPORTED, err.text,
                "expected.safetensors|'input_ids'|I64|BF16");
    pr_safetensors_close(&st);
}
END_TEST

/* IEEE half precision by its definition. */
static double half_value(unsigned h)
{
    int sign = h >> 15 ? -1 : 1, exponent = (int)(h >> 10 & 31), mantissa = (int)(h & 1023);
    if (exponent == 31)
        return mantissa ? (double)NAN : sign * (double)INFINITY;
    return exponent ? sign * ldexp(1024 + mantissa, exponent - 25) : sign * ldexp(mantissa, -24);
}

static double bfloat_value(unsigned h)
{
    int sign = h >> 15 ? -1 : 1, exponent = (int)(h >> 7 & 255), mantissa = (int)(h & 127);
    if (exponent == 255)
        return mantissa ? (double)NAN : sign * (double)INFINITY;
    return exponent ? sign * ldexp(128 + mantissa, exponent - 134) : sign * ldexp(mantissa, -133);
}

static void check_all_words(const char *dtype, double (*value)(unsigned))
{
    static uint16_t words[65536];
    static float found[65536];
    char header[200], path[512];
    pr_safetensors_t *st = NULL;
    for (unsigned i = 0; i < 65536; i++)
        words[i] = (uint16_t)i;
    snprintf(header, sizeof header, "{\"x\":{\"dtype\":\"%s\",\"shape\":[65536],\"data_offsets\":[0,131072]}}", dtype);
    scratch_tensors("words.safetensors", header, words, sizeof words);
    scratch_path(path, "words.safetensors");
    ck_assert_int_eq(pr_safetensors_open(path, &st, NULL), PR_OK);
    const pr_tensor_t *t = pr_safetensors_find(st, "x");
    ck_assert_int_eq(pr_tensor_to_float(t, 0, 1, found, NULL), PR_OK);
    ck_assert_int_eq(pr_tensor_to_float(t, 1, 65535, found + 1, NULL), PR_OK);
    for (unsigned i = 0; i < 65536; i++) {
        double v = value(i);
        ck_assert_msg(isnan(v) ? isnan(found[i]) : (double)found[i] == v && !signbit(found[i]) == !signbit(v),
                      "%s 0x%04x: %g, not %g", dtype, i, (double)found[i], v);
    }
    pr_tensor_release_part(st, t, 0, t->bytes); // pages can be read again
    ck_assert_int_eq(memcmp(t->data, words, sizeof words), 0);
    pr_safetensors_close(&st);
}

START_TEST(converts_every_half)
{
    check_all_words("F16", half_value);
}
END_TEST

START_TEST(converts_every_bfloat)
{
    check_all_words("BF16", bfloat_value);
}
END_TEST

START_TEST(converts_doubles_and_floats)
{
    const double d[2] = {1.0 / 3, -2e-310};
    const float f[2] = {0.1f, -0.0f};
    unsigned char data[24];
    char path[512];
    float x[2];
    pr_safetensors_t *st = NULL;
    memcpy(data, d, 16);
    memcpy(data + 16, f, 8);
    scratch_tensors("a.safetensors",
                    "{\"d\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]},"
                    "\"f\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[16,24]},"
                    "\"none\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[24,24]},"
                    "\"__metadata__\":{\"format\":\"pt\"}}   ",
                    data, 24);
    scratch_path(path, "a.safetensors");
    ck_assert_int_eq(pr_safetensors_open(path, &st, NULL), PR_OK);
    ck_assert_uint_eq(pr_safetensors_count(st), 3);
    pr_tensor_to_float(pr_safetensors_find(st, "d"), 0, 2, x, NULL);
    ck_assert(x[0] == (float)(1.0 / 3) && x[1] == 0 && signbit(x[1]));
    pr_tensor_to_float(pr_safetensors_find(st, "f"), 0, 2, x, NULL);
    ck_assert_int_eq(memcmp(x, f, 8), 0);
    ck_assert_int_eq(pr_tensor_to_float(pr_safetensors_find(st, "none"), 0, 0, x, NULL), PR_OK);
    pr_safetensors_close(&st);
}
END_TEST

START_TEST(writes_what_it_reads)
{
    const float a[6] = {1, 2, 3, 4, 5, 6}, b[1] = {-1};
    pr_tensor_t t[2] = {{.name = "z.\"quoted\"", .n_dim = 2, .shape = {2, 3}, .n = 6, .data = (const void *)a},
                        {.name = "b", .n_dim = 1, .shape = {1}, .n = 1, .data = (const void *)b}};
    char path[512], *bytes;
    size_t len;
    pr_safetensors_t *st = NULL;
    pr_error_t err = {0};
    scratch_path(path, "w.safetensors");
    ck_assert_int_eq(pr_safetensors_write(path, t, 2, &err), PR_OK);
    ck_assert_int_eq(pr_file_read(path, 0, &bytes, &len, &err), PR_OK);
    uint64_t header;
    memcpy(&header, bytes, 8);
    ck_assert_uint_eq(header % 8, 0);
    ck_assert_uint_eq(8 + header + 28, len);
    ck_assert_int_eq(memcmp(bytes + 8 + header, a, 24), 0); // in the order given
    free(bytes);
    ck_assert_msg(pr_safetensors_open(path, &st, &err) == PR_OK, "%s", err.text);
    const pr_tensor_t *r = pr_safetensors_find(st, "z.\"quoted\"");
    ck_assert_ptr_nonnull(r);
    ck_assert_int_eq(r->shape[1], 3);
    ck_assert_int_eq(memcmp(r->data, a, sizeof a), 0);
    ck_assert(*(const float *)(const void *)pr_safetensors_find(st, "b")->data == -1);
    pr_safetensors_close(&st);
    scratch_path(path, "no/such/dir/w.safetensors");
    check_error("unwritable", pr_safetensors_write(path, t, 2, &err), PR_ERR_IO, err.text, "w.safetensors");
}
END_TEST

/* ---- broken files ---- */

#define X(dtype, shape, offsets) "{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct {
    const char *label, *header;
    size_t n_data;
    const char *words;
} hostile[] = {
    {"not JSON", "{\"x\":", 0, "header|line 1"},
    {"not an object", "[1,2]", 0, "an array|an object"},
    {"deep nesting", "[[[[[[[[[[[[[[[[[[[[[[[[[[", 0, "header"},
    {"tensor not an object", "{\"x\":3}", 0, "'x'|an integer|an object"},
    {"empty tensor", "{\"x\":{}}", 0, "'x'|'dtype'|nothing|a string"},
    {"dtype unknown", "{\"x\":" X("\"Q7\"", "[1]", "[0,4]") "}", 4, "'x'|'dtype'|Q7|F32"},
    {"dtype a number", "{\"x\":" X("7", "[1]", "[0,4]") "}", 4, "'x'|'dtype'|an integer"},
    {"shape not an array", "{\"x\":" X("\"F32\"", "4", "[0,16]") "}", 16, "'x'|'shape'|an integer|an array"},
    {"shape negative", "{\"x\":" X("\"F32\"", "[-4]", "[0,16]") "}", 16, "'x'|'shape'|-4|>= 0"},
    {"two negatives", "{\"x\":" X("\"F32\"", "[-2,-2]", "[0,16]") "}", 16, "'x'|-2"},
    {"shape a fraction", "{\"x\":" X("\"F32\"", "[1.5]", "[0,4]") "}", 4, "'x'|'shape'|a number|an integer"},
    {"shape overflow", "{\"x\":" X("\"F32\"", "[4611686018427387904,4]", "[0,16]") "}", 16, "'x'|'shape'|2^63"},
    {"bytes overflow", "{\"x\":" X("\"F32\"", "[4611686018427387904]", "[0,0]") "}", 0, "'x'|4611686018427387904"},
    {"bits overflow to zero", "{\"x\":" X("\"F64\"", "[288230376151711744]", "[0,0]") "}", 0, "'x'"},
    {"integer past 64 bits", "{\"x\":" X("\"F32\"", "[99999999999999999999]", "[0,4]") "}", 4, "'x'|'shape'|past 2^63"},
    {"not a number", "{\"x\":" X("\"F32\"", "[NaN]", "[0,4]") "}", 4, "'x'|'shape'|NaN"},
    {"nine dimensions", "{\"x\":" X("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, "'x'|9 dim|8"},
    {"offsets negative", "{\"x\":" X("\"F32\"", "[1]", "[-4,0]") "}", 4, "'x'|'data_offsets'|[-4,0]|4 bytes"},
    {"offsets reversed", "{\"x\":" X("\"F32\"", "[1]", "[4,0]") "}", 4, "'x'|[4,0]"},
    {"offsets past the end", "{\"x\":" X("\"F32\"", "[2]", "[0,8]") "}", 4, "'x'|[0,8]|4 bytes"},
    {"offsets huge", "{\"x\":" X("\"F32\"", "[1]", "[9223372036854775803,9223372036854775807]") "}", 4, "'x'"},
    {"one offset", "{\"x\":" X("\"F32\"", "[1]", "[0]") "}", 4, "'x'|'data_offsets'|two integers"},
    {"offsets of strings", "{\"x\":" X("\"F32\"", "[1]", "[\"0\",\"4\"]") "}", 4, "'x'|two integers"},
    {"shape and bytes differ", "{\"x\":" X("\"F16\"", "[3]", "[0,8]") "}", 8, "'x'|8 bytes|3 elements|16 bits"},
    {"scalar and bytes differ", "{\"x\":" X("\"F32\"", "[]", "[0,8]") "}", 8, "'x'|8 bytes|1 elements"},
    {"overlap", "{\"x\":" X("\"F32\"", "[2]", "[0,8]") ",\"y\":" X("\"F32\"", "[2]", "[4,12]") "}", 12,
     "'y'|offset 4|8|overlaps"},
    {"the same bytes twice", "{\"x\":" X("\"F32\"", "[1]", "[0,4]") ",\"y\":" X("\"F32\"", "[1]", "[0,4]") "}", 4,
     "overlaps"},
    {"hole", "{\"x\":" X("\"F32\"", "[1]", "[0,4]") ",\"y\":" X("\"F32\"", "[1]", "[8,12]") "}", 12,
     "'y'|offset 8|4|no tensor"},
    {"bytes behind the last", "{\"x\":" X("\"F32\"", "[1]", "[0,4]") "}", 6, "6 bytes|4"},
    {"duplicate name", "{\"x\":" X("\"F32\"", "[1]", "[0,4]") ",\"x\":" X("\"F32\"", "[1]", "[4,8]") "}", 8,
     "duplicate|x"},
    {"metadata a list", "{\"__metadata__\":[]}", 0, "__metadata__|an array|an object"},
};

START_TEST(refuses_broken_headers)
{
    char path[512];
    pr_error_t err = {0};
    pr_safetensors_t *st = NULL;
    scratch_tensors("bad.safetensors", hostile[_i].header, NULL, hostile[_i].n_data);
    scratch_path(path, "bad.safetensors");
    check_error(hostile[_i].label, pr_safetensors_open(path, &st, &err), PR_ERR_FORMAT, err.text, "bad.safetensors");
    check_error(hostile[_i].label, PR_ERR_FORMAT, PR_ERR_FORMAT, err.text, hostile[_i].words);
    ck_assert_ptr_null(st);
}
END_TEST

// A name cannot push what was found and expected out of the line.
START_TEST(a_long_name_leaves_room_for_the_reason)
{
    char path[512];
    pr_error_t err = {0};
    pr_safetensors_t *st = NULL;
    pr_buf_t h = {0};
    pr_buf_puts(&h, "{\"");
    for (int i = 0; i < 5000; i++)
        pr_buf_puts(&h, "n");
    pr_buf_puts(&h, "\":" X("\"F32\"", "[3]", "[0,4]") "}");
    scratch_tensors("long.safetensors", h.data, NULL, 4);
    pr_buf_free(&h);
    scratch_path(path, "long.safetensors");
    check_error("long", pr_safetensors_open(path, &st, &err), PR_ERR_FORMAT, err.text, "long.safetensors|4 bytes|3 el");
}
END_TEST

START_TEST(refuses_broken_lengths)
{
    static const struct {
        unsigned char bytes[16];
        size_t n;
        const char *words;
    } cases[] = {{{0}, 0, "0 bytes|8"},
                 {{2, 0, 0, 0}, 4, "4 bytes|8"},
                 {{3, 0, 0, 0, 0, 0, 0, 0, '{', '}'}, 10, "offset 0|length of 3|at most 2"},
                 {{0}, 8, "header"}, // an empty header is no JSON
                 {{255, 255, 255, 255, 255, 255, 255, 255, '{', '}'}, 10, "18446744073709551615|at most 2"},
                 {{2, 0, 0, 0, 0, 0, 0, 128, '{', '}'}, 10, "9223372036854775810"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512];
        pr_error_t err = {0};
        pr_safetensors_t *st = NULL;
        scratch_write("len.safetensors", cases[i].bytes, cases[i].n);
        scratch_path(path, "len.safetensors");
        check_error("length", pr_safetensors_open(path, &st, &err), PR_ERR_FORMAT, err.text, cases[i].words);
        ck_assert_ptr_null(st);
    }
}
END_TEST

START_TEST(refuses_what_is_not_there)
{
    char path[512];
    pr_error_t err = {0};
    pr_safetensors_t *st = NULL;
    scratch_path(path, "none.safetensors");
    check_error("missing", pr_safetensors_open(path, &st, &err), PR_ERR_NOT_FOUND, err.text, "none.safetensors");
    check_error("a directory", pr_safetensors_open(scratch, &st, &err), PR_ERR_NOT_FOUND, err.text, "regular file");
    check_error("no model", pr_safetensors_open_model(scratch, &st, &err), PR_ERR_NOT_FOUND, err.text,
                "model.safetensors|index");
    scratch_text("pytorch_model.bin", "x");
    check_error("pickle", pr_safetensors_open_model(scratch, &st, &err), PR_ERR_UNSUPPORTED, err.text,
                "pytorch_model.bin|model.safetensors");
}
END_TEST

static const struct {
    const char *label, *index;
    pr_status_t status;
    const char *words;
} indexes[] = {
    {"not JSON", "{", PR_ERR_FORMAT, "index.json|line"},
    {"no map", "{}", PR_ERR_FORMAT, "weight_map|nothing"},
    {"empty map", "{\"weight_map\":{}}", PR_ERR_FORMAT, "weight_map|empty"},
    {"a list", "[]", PR_ERR_FORMAT, "weight_map"},
    {"a number", "{\"weight_map\":{\"x\":1}}", PR_ERR_FORMAT, "'x'|an integer"},
    {"outside", "{\"weight_map\":{\"x\":\"../one.safetensors\"}}", PR_ERR_FORMAT, "'x'|../one.safetensors"},
    {"absolute", "{\"weight_map\":{\"x\":\"/etc/one.safetensors\"}}", PR_ERR_FORMAT, "'x'|same directory"},
    {"dot", "{\"weight_map\":{\"x\":\"..\"}}", PR_ERR_FORMAT, "'x'|'..'"},
    {"empty name", "{\"weight_map\":{\"x\":\"\"}}", PR_ERR_FORMAT, "'x'"},
    {"another kind", "{\"weight_map\":{\"x\":\"one.bin\"}}", PR_ERR_FORMAT, "'x'|one.bin|.safetensors"},
    {"a NUL", "{\"weight_map\":{\"x\":\"one.safetensors\\u0000\"}}", PR_ERR_FORMAT, "'x'"},
    {"missing shard", "{\"weight_map\":{\"x\":\"three.safetensors\"}}", PR_ERR_NOT_FOUND,
     "index.json|three.safetensors"},
    {"missing tensor", "{\"weight_map\":{\"x\":\"one.safetensors\",\"q\":\"one.safetensors\"}}", PR_ERR_FORMAT,
     "'q'|no file|'one.safetensors'"},
    {"other shard", "{\"weight_map\":{\"x\":\"two.safetensors\",\"y\":\"one.safetensors\"}}", PR_ERR_FORMAT,
     "one.safetensors|two.safetensors"},
    {"twice", "{\"weight_map\":{\"x\":\"one.safetensors\",\"y\":\"twin.safetensors\"}}", PR_ERR_FORMAT,
     "'x'|one.safetensors|twin.safetensors|once"},
};

START_TEST(refuses_broken_indexes)
{
    pr_error_t err = {0};
    pr_safetensors_t *st = NULL;
    scratch_tensors("one.safetensors", "{\"x\":" X("\"F32\"", "[1]", "[0,4]") "}", NULL, 4);
    scratch_tensors("two.safetensors", "{\"y\":" X("\"F32\"", "[1]", "[0,4]") "}", NULL, 4);
    scratch_tensors("twin.safetensors",
                    "{\"x\":" X("\"F32\"", "[1]", "[0,4]") ",\"y\":" X("\"F32\"", "[1]", "[4,8]") "}", NULL, 8);
    scratch_text("model.safetensors.index.json", indexes[_i].index);
    check_error(indexes[_i].label, pr_safetensors_open_model(scratch, &st, &err), indexes[_i].status, err.text,
                indexes[_i].words);
    ck_assert_ptr_null(st);
}
END_TEST

// Whatever a mutated file does, it is refused in one line or its tensors lie within the file.
START_TEST(survives_mutation)
{
    char path[512], *bytes;
    size_t len, opened = 0;
    uint64_t state = 20;
    fixture_path(path, "gpt2/adapters/alpha/adapter_model.safetensors");
    ck_assert_int_eq(pr_file_read(path, 0, &bytes, &len, NULL), PR_OK);
    uint64_t header;
    memcpy(&header, bytes, 8);
    unsigned char *copy = pr_alloc(len, 1);
    scratch_path(path, "fuzz.safetensors");
    for (int k = 0; k < 3000; k++) {
        pr_error_t err = {0};
        pr_safetensors_t *st = NULL;
        memcpy(copy, bytes, len);
        mutate(copy, k % 8 ? 8 + (size_t)header : 8, &state);
        scratch_write("fuzz.safetensors", copy, k % 16 ? len : next_random(&state) % len);
        if (pr_safetensors_open(path, &st, &err) != PR_OK) {
            ck_assert_ptr_null(st);
            ck_assert_msg(err.text[0] && !strchr(err.text, '\n'), "no single line");
            continue;
        }
        opened++;
        for (size_t i = 0; i < pr_safetensors_count(st); i++)
            for (size_t j = 0; j < pr_safetensors_at(st, i)->bytes; j += 64)
                (void)*(volatile const unsigned char *)(pr_safetensors_at(st, i)->data + j); // a fault if outside
        pr_safetensors_close(&st);
    }
    ck_assert_uint_gt(opened, 10); // and mutations within names are no error
    free(copy);
    free(bytes);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("safetensors");
    TCase *t = tcase_create("files");
    tcase_add_checked_fixture(t, scratch_make, scratch_remove);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, floats_are_rounded_to_halves, 0, 2);
    tcase_add_test(t, what_has_no_place_is_told);
    tcase_add_test(t, reads_a_file);
    tcase_add_test(t, reads_shards);
    tcase_add_test(t, reads_integers_but_does_not_convert_them);
    tcase_add_test(t, converts_every_half);
    tcase_add_test(t, converts_every_bfloat);
    tcase_add_test(t, converts_doubles_and_floats);
    tcase_add_test(t, writes_what_it_reads);
    tcase_add_loop_test(t, refuses_broken_headers, 0, (int)(sizeof hostile / sizeof *hostile));
    tcase_add_test(t, a_long_name_leaves_room_for_the_reason);
    tcase_add_test(t, refuses_broken_lengths);
    tcase_add_test(t, refuses_what_is_not_there);
    tcase_add_loop_test(t, refuses_broken_indexes, 0, (int)(sizeof indexes / sizeof *indexes));
    tcase_add_test(t, survives_mutation);
    suite_add_tcase(s, t);
    return run_suite(s);
}
