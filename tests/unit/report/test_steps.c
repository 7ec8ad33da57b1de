// SPDX-License-Identifier: BSD-3-Clause
#include "report/steps.h"
#include "report/tfevents.h"

#include "report_files.h"

#include <math.h>

static pr_error_t err;

/* RFC 3720, appendix B.4, and the usual check value. */
START_TEST(crc32c)
{
    unsigned char bytes[32] = {0};
    ck_assert_uint_eq(pr_crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    ck_assert_uint_eq(pr_crc32c(bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (unsigned char)i;
    ck_assert_uint_eq(pr_crc32c(bytes, 32), 0x46dd794e);
    ck_assert_uint_eq(pr_crc32c("123456789", 9), 0xe3069283);
    ck_assert_uint_eq(pr_crc32c("", 0), 0);
}
END_TEST

/* The bytes that TensorBoard 2.20's own RecordWriter and protobuf classes write for these events. */
START_TEST(tensorboard_bytes)
{
    static const char expected[] = "0f000000000000006d532b091a0d627261696e2e4576656e743a32fc98512931000000000000009d838"
                                   "3e9090000000000c0724010ac022a"
                                   "230a0f0a08747261696e2f6b6c150000803e0a100a097265776172642fc3a9156f1283ba7bb40e68";
    static const char *const tag[] = {"train/kl", "left out", "reward/é"};
    const double value[] = {0.25, NAN, -1e-3};
    pr_buf_t b = {0}, hex = {0};
    pr_tfevents_begin(&b, 0);
    ck_assert_uint_gt(b.len, 9);
    ck_assert_int_eq(b.data[12], 9); // wall_time 0 is written, which their writer leaves out
    pr_buf_free(&b);
    pr_tfevents_add(&b, 300, 300, 3, tag, value);
    for (size_t i = 0; i < b.len; i++)
        pr_buf_printf(&hex, "%02x", (unsigned char)b.data[i]);
    ck_assert_str_eq(hex.data, strstr(expected, "3100000000000000"));
    pr_buf_free(&hex);
    pr_buf_free(&b);
}
END_TEST

static const char *const columns[] = {"step", "kl"}, *const objectives[] = {"=kind,1", "short"};
static const double first[] = {1, 0.125, 0.5, NAN, 2, 1.0 / 3, -0.25, 1}, second[] = {1, INFINITY, 0, 0};
static const pr_steps_training_t trainings[] = {{"=kind,1-s1", "j0", first, 2}, {"short-s1", "j1", second, 1}};
static const pr_steps_t steps = {2, columns, 2, objectives, trainings, 2};

START_TEST(steps_csv)
{
    ck_assert_int_eq(pr_write_steps_csv(path, &steps, &err), PR_OK);
    char *text = get_text();
    ck_assert_str_eq(text, "training,job,step,kl,\"reward_=kind,1\",reward_short\n"
                           "\"'=kind,1-s1\",j0,1,0.125,0.5,\n"
                           "\"'=kind,1-s1\",j0,2,0.3333333333333333,-0.25,1\n"
                           "short-s1,j1,1,,0,0\n");
    free(text);
    const pr_steps_t none = {2, columns, 2, objectives, trainings, 0};
    ck_assert_int_eq(pr_write_steps_csv(path, &none, &err), PR_OK);
    text = get_text();
    ck_assert_str_eq(text, "training,job,step,kl,\"reward_=kind,1\",reward_short\n");
    free(text);
}
END_TEST

/* A record per step behind the first one, and no scalar for what is not known. */
START_TEST(steps_events)
{
    ck_assert_int_eq(pr_write_steps_events(path, &steps, &trainings[0], &err), PR_OK);
    char *bytes;
    size_t len, at = 0, records = 0;
    ck_assert_int_eq(pr_file_read(path, 0, &bytes, &len, &err), PR_OK);
    ck_assert_ptr_nonnull(memmem(bytes, len, "brain.Event:2", 13));
    for (uint64_t n; at < len; at += 16 + n, records++) {
        uint32_t crc;
        memcpy(&n, bytes + at, 8);
        ck_assert_uint_le(n, len - at - 16);
        memcpy(&crc, bytes + at + 12 + n, 4);
        uint32_t own = pr_crc32c(bytes + at + 12, n);
        ck_assert_uint_eq(crc, (own >> 15 | own << 17) + 0xa282ead8);
        const char *data = bytes + at + 12;
        if (records > 0)
            ck_assert_ptr_nonnull(memmem(data, n, "reward/=kind,1", 14));
        ck_assert(records == 0 || !memmem(data, n, "train/step", 10));
        ck_assert((memmem(data, n, "reward/short", 12) != NULL) == (records == 2));
    }
    ck_assert_uint_eq(at, len);
    ck_assert_uint_eq(records, 3);
    free(bytes);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("steps");
    TCase *c = tcase_create("steps");
    tcase_add_checked_fixture(c, make_folder, remove_folder);
    tcase_add_test(c, crc32c);
    tcase_add_test(c, tensorboard_bytes);
    tcase_add_test(c, steps_csv);
    tcase_add_test(c, steps_events);
    suite_add_tcase(suite, c);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
