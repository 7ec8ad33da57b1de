// SPDX-License-Identifier: BSD-3-Clause
/* Broken and hostile tokenizer.json files: an error of one line that says what is wrong, never a crash. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "tokenizer/tokenizer.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pr_status_t load_text(const char *text, size_t len, pr_tokenizer_t **t, pr_error_t *err)
{
    char path[] = "/tmp/test_tokenizer_XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
    close(fd);
    *t = NULL;
    pr_status_t status = pr_tokenizer_load(path, t, err);
    unlink(path);
    return status;
}

static void refuse(const char *text, pr_status_t expected, const char *message)
{
    pr_error_t err = {0};
    pr_tokenizer_t *t;
    pr_status_t status = load_text(text, strlen(text), &t, &err);
    ck_assert_msg(status == expected, "%s: status %d, expected %d: %s", text, (int)status, (int)expected, err.text);
    ck_assert_ptr_null(t);
    ck_assert_msg(strstr(err.text, message), "%s: found \"%s\", expected \"%s\"", text, err.text, message);
    ck_assert_ptr_null(strchr(err.text, '\n'));
}

/* A small tokenizer with one part replaced. */
static void refuse_part(const char *part, pr_status_t expected, const char *message)
{
    pr_buf_t text = {0};
    pr_buf_printf(&text, "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]},%s}",
                  part);
    refuse(text.data, expected, message);
    pr_buf_free(&text);
}

static void refuse_model(const char *model, pr_status_t expected, const char *message)
{
    pr_buf_t text = {0};
    pr_buf_printf(&text, "{\"model\":{%s}}", model);
    refuse(text.data, expected, message);
    pr_buf_free(&text);
}

START_TEST(refuses_files_that_are_no_tokenizers)
{
    pr_error_t err;
    pr_tokenizer_t *t = NULL;
    ck_assert_int_eq(pr_tokenizer_load("/no/such/tokenizer.json", &t, &err), PR_ERR_NOT_FOUND);
    refuse("", PR_ERR_FORMAT, "not valid JSON");
    refuse("{\"model\":{\"type\":\"BPE\",\"voc", PR_ERR_FORMAT, "not valid JSON");
    refuse("[]", PR_ERR_FORMAT, "found an array, expected an object");
    refuse("{}", PR_ERR_FORMAT, "model: found nothing, expected an object");
    refuse("{\"model\":7}", PR_ERR_FORMAT, "model: found an integer");
}
END_TEST

START_TEST(refuses_bad_models)
{
    refuse_model("\"type\":\"Unigram\",\"vocab\":[]", PR_ERR_UNSUPPORTED, "'Unigram' is not supported");
    refuse_model("\"type\":7", PR_ERR_FORMAT, "key 'type': found an integer");
    refuse_model("\"vocab\":[],\"merges\":[]", PR_ERR_FORMAT, "key 'vocab': found an array, expected an object");
    refuse_model("\"vocab\":{},\"merges\":{}", PR_ERR_FORMAT, "key 'merges': found an object, expected an array");
    refuse_model("\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]", PR_ERR_FORMAT, "duplicate object key");
    refuse_model("\"vocab\":{\"a\":3,\"b\":3},\"merges\":[]", PR_ERR_FORMAT, "have the same id 3");
    refuse_model("\"vocab\":{\"a\":-1},\"merges\":[]", PR_ERR_FORMAT, "found -1, expected 0 to 16777215");
    refuse_model("\"vocab\":{\"a\":16777216},\"merges\":[]", PR_ERR_FORMAT, "found 16777216");
    refuse_model("\"vocab\":{\"a\":9223372036854775808},\"merges\":[]", PR_ERR_FORMAT, "past 2^63");
    refuse_model("\"vocab\":{\"a\":1.5},\"merges\":[]", PR_ERR_FORMAT, "found a number, expected an integer");
    refuse_model("\"vocab\":{\"a\":null},\"merges\":[]", PR_ERR_FORMAT, "found null, expected an integer");
    refuse_model("\"vocab\":{\"a\":0},\"merges\":[\"a b\"]", PR_ERR_FORMAT, "merges[0]: \"b\" is not in");
    refuse_model("\"vocab\":{\"a\":0,\"b\":1},\"merges\":[[\"a\",\"b\"]]", PR_ERR_FORMAT, "\"ab\" is not in");
    refuse_model("\"vocab\":{\"a\":0},\"merges\":[\"a\"]", PR_ERR_FORMAT, "merges[0]: found a string, expected");
    refuse_model("\"vocab\":{\"a\":0},\"merges\":[\"a a a\"]", PR_ERR_FORMAT, "merges[0]");
    refuse_model("\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]", PR_ERR_FORMAT, "merges[0]: found an array");
    refuse_model("\"vocab\":{\"a\":0},\"merges\":[[\"a\",1]]", PR_ERR_FORMAT, "merges[0]");
    refuse_model("\"vocab\":{\"a\":0},\"merges\":[],\"dropout\":0.1", PR_ERR_UNSUPPORTED, "'dropout'");
    refuse_model("\"vocab\":{\"a\":0},\"merges\":[],\"end_of_word_suffix\":\"</w>\"", PR_ERR_UNSUPPORTED, "</w>");
    refuse_model("\"vocab\":{\"a\":0},\"merges\":[],\"byte_fallback\":1", PR_ERR_FORMAT, "key 'byte_fallback'");
    refuse_model("\"vocab\":{\"a\":0},\"merges\":[],\"unk_token\":1", PR_ERR_FORMAT, "key 'unk_token'");
}
END_TEST

START_TEST(refuses_bad_added_tokens)
{
    refuse_part("\"added_tokens\":{}", PR_ERR_FORMAT, "key 'added_tokens': found an object");
    refuse_part("\"added_tokens\":[1]", PR_ERR_FORMAT, "added_tokens[0]: key 'content': found nothing");
    refuse_part("\"added_tokens\":[{\"id\":3}]", PR_ERR_FORMAT, "key 'content'");
    refuse_part("\"added_tokens\":[{\"content\":\"x\"}]", PR_ERR_FORMAT, "id of \"x\": found nothing");
    refuse_part("\"added_tokens\":[{\"id\":-3,\"content\":\"x\"}]", PR_ERR_FORMAT, "found -3");
    refuse_part("\"added_tokens\":[{\"id\":99999999,\"content\":\"x\"}]", PR_ERR_FORMAT, "found 99999999");
    refuse_part("\"added_tokens\":[{\"id\":1,\"content\":\"x\"}]", PR_ERR_FORMAT, "another token's");
    refuse_part("\"added_tokens\":[{\"id\":5,\"content\":\"a\"}]", PR_ERR_FORMAT, "id 5 here and 0 in the vocabulary");
    refuse_part("\"added_tokens\":[{\"id\":3,\"content\":\"x\"},{\"id\":3,\"content\":\"y\"}]", PR_ERR_FORMAT,
                "added_tokens[1]");
    refuse_part("\"added_tokens\":[{\"id\":3,\"content\":\"x\",\"special\":1}]", PR_ERR_FORMAT, "key 'special'");
}
END_TEST

START_TEST(refuses_bad_pipelines)
{
    refuse_part("\"normalizer\":7", PR_ERR_FORMAT, "normalizer: found an integer, expected an object");
    refuse_part("\"normalizer\":{}", PR_ERR_FORMAT, "key 'type': found nothing");
    refuse_part("\"normalizer\":{\"type\":\"Nmt\"}", PR_ERR_UNSUPPORTED, "'Nmt' is not supported");
    refuse_part("\"normalizer\":{\"type\":\"Sequence\"}", PR_ERR_FORMAT, "key 'normalizers'");
    refuse_part("\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFC\"},3]}", PR_ERR_FORMAT,
                "normalizer[1]: found an integer");
    refuse_part("\"normalizer\":{\"type\":\"Prepend\"}", PR_ERR_FORMAT, "key 'prepend'");
    refuse_part("\"normalizer\":{\"type\":\"Replace\",\"content\":\"\",\"pattern\":\"a\"}", PR_ERR_FORMAT,
                "key 'pattern'");
    refuse_part("\"normalizer\":{\"type\":\"Replace\",\"content\":\"\",\"pattern\":{\"String\":\"\"}}", PR_ERR_FORMAT,
                "not empty");
    refuse_part("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\"}",
                PR_ERR_FORMAT, "pre_tokenizer: not a valid regular expression");
    refuse_part("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Odd\"}",
                PR_ERR_FORMAT, "found 'Odd'");
    refuse_part("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"}}", PR_ERR_FORMAT, "'behavior'");
    refuse_part("\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}", PR_ERR_UNSUPPORTED, "'UnicodeScripts'");
    refuse_part("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"ab\"}", PR_ERR_FORMAT, "one character");
    refuse_part("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"odd\"}",
                PR_ERR_FORMAT, "found 'odd'");
    refuse_part("\"decoder\":{\"type\":\"WordPiece\"}", PR_ERR_UNSUPPORTED, "decoder: type 'WordPiece'");
    refuse_part("\"decoder\":{\"type\":\"Strip\",\"content\":\"\",\"start\":1}", PR_ERR_FORMAT, "one character");
    refuse_part("\"post_processor\":{\"type\":\"Odd\"}", PR_ERR_UNSUPPORTED, "post_processor: type 'Odd'");
    refuse_part("\"post_processor\":{\"type\":\"TemplateProcessing\"}", PR_ERR_FORMAT, "stands 0 times");
    refuse_part("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\"}},"
                "{\"SpecialToken\":{\"id\":\"x\"}}],\"special_tokens\":{\"x\":{\"ids\":[77]}}}",
                PR_ERR_FORMAT, "77, expected an id below 3");
    refuse_part("\"post_processor\":{\"type\":\"RobertaProcessing\",\"cls\":[\"a\",0]}", PR_ERR_FORMAT,
                "expected an id");
}
END_TEST

static pr_buf_t nested(int depth)
{
    pr_buf_t text = {0};
    pr_buf_puts(&text, "\"pre_tokenizer\":");
    for (int i = 0; i < depth; i++)
        pr_buf_puts(&text, "{\"type\":\"Sequence\",\"pretokenizers\":[");
    pr_buf_puts(&text, "{\"type\":\"Whitespace\"}");
    for (int i = 0; i < depth; i++)
        pr_buf_puts(&text, "]}");
    return text;
}

START_TEST(refuses_endless_pipelines)
{
    pr_buf_t text = nested(17);
    refuse_part(text.data, PR_ERR_FORMAT, "within each other");
    pr_buf_free(&text);
    text = nested(5000);
    refuse_part(text.data, PR_ERR_FORMAT, "not valid JSON");
    text.len = 0;
    pr_buf_puts(&text, "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[");
    for (int i = 0; i < 65; i++)
        pr_buf_printf(&text, "%s{\"type\":\"Fuse\"}", i ? "," : "");
    pr_buf_puts(&text, "]}");
    refuse_part(text.data, PR_ERR_FORMAT, "more than 64 steps");
    pr_buf_free(&text);
}
END_TEST

static pr_tokenizer_t *accept_part(const char *model, const char *part)
{
    pr_error_t err;
    pr_tokenizer_t *t;
    pr_buf_t text = {0};
    pr_buf_printf(&text, "{\"model\":{%s},%s}", model, part);
    ck_assert_msg(load_text(text.data, text.len, &t, &err) == PR_OK, "%s", err.text);
    pr_buf_free(&text);
    return t;
}

/* What can only be found out while encoding is an error, too. */
START_TEST(encoding_reports_errors)
{
    pr_error_t err;
    int32_t *ids;
    size_t n;
    pr_tokenizer_t *t = accept_part("\"vocab\":{\"a\":0},\"merges\":[],\"unk_token\":\"<unk>\"", "\"normalizer\":null");
    ck_assert_int_eq(pr_tokenizer_encode(t, "a", 1, true, &ids, &n, &err), PR_OK);
    free(ids);
    ck_assert_int_eq(pr_tokenizer_encode(t, "b", 1, true, &ids, &n, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "unknown token"));
    pr_tokenizer_free(&t);
    t = accept_part("\"vocab\":{\"a\":0},\"merges\":[]",
                    "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a+)+$|(a|a)*b\"},"
                    "\"behavior\":\"Removed\"}");
    char text[64];
    memset(text, 'a', sizeof text);
    text[63] = 'c';
    ck_assert_int_eq(pr_tokenizer_encode(t, text, sizeof text, true, &ids, &n, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "regular expression cannot be matched"));
    pr_tokenizer_free(&t);
}
END_TEST

/* Marks that have to be sorted must not take quadratic time. */
START_TEST(normalizes_long_runs_of_marks)
{
    enum { N = 1 << 18 };
    pr_tokenizer_t *t = accept_part("\"vocab\":{\"a\":0,\"\\u0323\":1,\"\\u0301\":2},\"merges\":[]",
                                    "\"normalizer\":{\"type\":\"NFD\"}");
    char *text = pr_alloc(N, 4);
    for (size_t i = 0; i < N; i++)
        memcpy(text + 4 * i, "\xCC\x81\xCC\xA3", 4);
    int32_t *ids;
    size_t n;
    ck_assert_int_eq(pr_tokenizer_encode(t, text, (size_t)N * 4, true, &ids, &n, NULL), PR_OK);
    ck_assert_uint_eq(n, 2 * N);
    ck_assert_int_eq(ids[0], 1);
    ck_assert_int_eq(ids[N - 1], 1);
    ck_assert_int_eq(ids[N], 2);
    ck_assert_int_eq(ids[2 * N - 1], 2);
    free(ids);
    free(text);
    pr_tokenizer_free(&t);
}
END_TEST

/* ---- mutations ---- */

static const char *const forms[] = {
    "{\"added_tokens\":[{\"id\":5,\"content\":\"<s>\",\"special\":true,\"normalized\":false,\"lstrip\":true,\"rstrip\":"
    "true,\"single_word\":true},{\"id\":6,\"content\":\"b a\",\"normalized\":true}],\"normalizer\":{\"type\":"
    "\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":\"\xE2\x96\x81\"},{\"type\":\"Replace\","
    "\"pattern\":{\"String\":\" \"},\"content\":\"\xE2\x96\x81\"},{\"type\":\"NFKC\"}]},\"pre_tokenizer\":null,"
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"<s>\"}},{\"Sequence\":"
    "{\"id\":\"A\"}}],\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[5]}}},\"decoder\":{\"type\":\"Sequence\","
    "\"decoders\":[{\"type\":\"Replace\",\"pattern\":{\"String\":\"\xE2\x96\x81\"},\"content\":\" \"},{\"type\":"
    "\"ByteFallback\"},{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}]},\"model\":{"
    "\"type\":\"BPE\",\"unk_token\":\"<0x41>\",\"fuse_unk\":true,\"byte_fallback\":true,\"vocab\":{\"a\":0,\"b\":1,"
    "\"ab\":2,\"\xE2\x96\x81\":3,\"<0x41>\":4},\"merges\":[[\"a\",\"b\"]]}}",
    "{\"added_tokens\":[],\"normalizer\":{\"type\":\"Lowercase\"},\"pre_tokenizer\":{\"type\":\"Sequence\","
    "\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\s+|[^\\\\w\\\\s]{1,2}|(?i:ab?)\"},"
    "\"behavior\":\"MergedWithNext\",\"invert\":false},{\"type\":\"Digits\",\"individual_digits\":true},{\"type\":"
    "\"Punctuation\",\"behavior\":\"Contiguous\"},{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"use_regex\":true}"
    "]},\"decoder\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":\"BPE\",\"ignore_merges\":true,\"vocab\":{\"a\":0,"
    "\"b\":1,\"\xC4\xA0\":2,\"ab\":3,\"\xC4\xA0"
    "ab\":4},\"merges\":[\"a b\",\"\xC4\xA0 ab\"]}}",
    "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"first\",\"split\":true},"
    "\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"},{\"type\":\"BertProcessing\","
    "\"sep\":[\"a\",0],\"cls\":[\"b\",1]}]},\"decoder\":{\"type\":\"Metaspace\",\"replacement\":\"_\"},\"model\":{"
    "\"vocab\":{\"a\":0,\"b\":1,\"_\":2,\"_a\":3,\"_ab\":4},\"merges\":[\"_ a\",\"_a b\"]}}",
};

static void use(const pr_tokenizer_t *t)
{
    static const char text[] = "  abba <s> b a Ab!? \xC3\x89 12 \xE2\x96\x81_ba\xFF\0x <0x41>\r\n";
    int32_t *ids;
    size_t n, len;
    char *back;
    if (pr_tokenizer_encode(t, text, sizeof text - 1, true, &ids, &n, NULL) != PR_OK)
        return;
    for (size_t i = 0; i < n; i++)
        ck_assert(ids[i] >= 0 && ids[i] < pr_tokenizer_size(t));
    ck_assert(pr_tokenizer_decode(t, ids, n, false, &back, &len, NULL) == PR_OK);
    ck_assert_int_eq(back[len], 0);
    free(back);
    free(ids);
}

/* Changes a few bytes, drops some, or puts in a part of the text itself. */
static void mutate(pr_buf_t *text, const pr_rng_key_t *key, uint64_t round)
{
    static const char marks[] = "\"{}[]:,\\0129-.etfn\xC3\xFF ";
    uint64_t count = 1 + pr_rng_below(key, 3, round, 0, 0, 0);
    for (uint64_t k = 1; k <= count; k++) {
        size_t at = pr_rng_below(key, text->len, round, k, 1, 0), other = pr_rng_below(key, text->len, round, k, 2, 0);
        switch (pr_rng_below(key, 4, round, k, 3, 0)) {
        case 0:
            text->data[at] = marks[pr_rng_below(key, sizeof marks - 1, round, k, 4, 0)];
            break;
        case 1:
            text->data[at] = text->data[other];
            break;
        case 2:
            memmove(text->data + at, text->data + at + 1, text->len - at - 1);
            text->len--;
            break;
        default: {
            size_t n = pr_rng_below(key, 12, round, k, 5, 0);
            n = at + n > text->len || other + n > text->len ? 0 : n;
            memmove(text->data + at, text->data + other, n);
        }
        }
    }
}

START_TEST(survives_mutations)
{
    enum { ROUNDS = 4000 };
    pr_rng_key_t key = pr_rng_key(20, "tokenizer mutations", forms[_i]);
    int accepted = 0;
    pr_log_set_level(PR_LOG_ERROR);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        pr_error_t err = {0};
        pr_tokenizer_t *t;
        pr_buf_t text = {0};
        pr_buf_puts(&text, forms[_i]);
        if (round)
            mutate(&text, &key, round);
        pr_status_t status = load_text(text.data, text.len, &t, &err);
        ck_assert(round || status == PR_OK);
        ck_assert(status == PR_OK || (strlen(err.text) > 10 && !strchr(err.text, '\n')));
        if (status == PR_OK)
            use(t);
        accepted += status == PR_OK;
        pr_tokenizer_free(&t);
        pr_buf_free(&text);
    }
    ck_assert_int_gt(accepted, ROUNDS / 50);
    ck_assert_int_lt(accepted, ROUNDS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tokenizer hostile");
    TCase *tc = tcase_create("hostile");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, refuses_files_that_are_no_tokenizers);
    tcase_add_test(tc, refuses_bad_models);
    tcase_add_test(tc, refuses_bad_added_tokens);
    tcase_add_test(tc, refuses_bad_pipelines);
    tcase_add_test(tc, refuses_endless_pipelines);
    tcase_add_test(tc, encoding_reports_errors);
    tcase_add_test(tc, normalizes_long_runs_of_marks);
    tcase_add_loop_test(tc, survives_mutations, 0, sizeof forms / sizeof *forms);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
