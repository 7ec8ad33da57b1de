// SPDX-License-Identifier: BSD-3-Clause
/* Models whose converted weights are in memory that processes have in common. */
#include "shared_play.h"

static pr_model_t *load_well(const char *dir)
{
    pr_model_t *m = NULL;
    pr_error_t err = {0};
    ck_assert_msg(pr_model_load(dir, &m, &err) == PR_OK, "%s: %s", dir, err.text);
    return m;
}

// A load that has to convert so many numbers.
static pr_model_t *load_converting(const char *dir, int64_t expected)
{
    int64_t before = pr_model_converted();
    pr_model_t *m = load_well(dir);
    ck_assert_int_eq(pr_model_converted() - before, expected);
    return m;
}

static bool same_weights(const pr_model_t *a, const pr_model_t *b)
{
    size_t n;
    pr_model_tensor_t *s = pr_model_tensors(a, &n), *t = pr_model_tensors(b, &n);
    bool same = true;
    for (size_t i = 0; i < n; i++)
        same = same && s[i].n == t[i].n && memcmp(s[i].data, t[i].data, s[i].n * sizeof(float)) == 0;
    free(s);
    free(t);
    return same;
}

static const char *const stored[] = {"smollm2", "extra-mistral", "extra-gpt2-wide"}; // BF16, F16; tied and not

START_TEST(a_model_is_converted_once)
{
    char path[512];
    fixture_path(path, stored[_i]);
    ck_assert_int_eq(setenv("PARETORANK_SHARE_WEIGHTS", "0", 1), 0);
    pr_model_t *alone = load_well(path);
    int64_t all = (int64_t)alone->bytes / 4;
    ck_assert_int_gt(all, 0);
    ck_assert_int_eq(pr_model_converted(), all);
    ck_assert_uint_eq(alone->shared_bytes, 0);
    ck_assert_int_eq(unsetenv("PARETORANK_SHARE_WEIGHTS"), 0);
    pr_model_t *a = load_converting(path, all), *b = load_converting(path, 0);
    ck_assert(same_weights(alone, a) && same_weights(alone, b));
    ck_assert_uint_eq(b->bytes, alone->bytes);
    ck_assert(a->shared_bytes == a->bytes && b->shared_bytes == b->bytes);
    pid_t pid = fork();
    int status;
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int64_t before = pr_model_converted();
        pr_model_t *m = NULL;
        if (pr_model_load(path, &m, NULL) != PR_OK)
            _exit(2);
        _exit(pr_model_converted() != before ? 3 : same_weights(alone, m) ? 0 : 4);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(pr_model_make_writable(b, NULL), PR_OK);
    ck_assert_uint_eq(b->shared_bytes, 0);
    ck_assert_uint_eq(b->bytes, alone->bytes);
    ck_assert(same_weights(alone, b));
    pr_model_free(&a);
    pr_model_free(&b);
    a = load_converting(path, all); // a writable copy is not what others get
    pr_model_free(&a);
    pr_model_free(&alone);
}
END_TEST

// Copies a fixture to scratch.
static void copy_model(const char *name)
{
    static const char *const files_of[] = {"config.json", "model.safetensors"};
    for (size_t i = 0; i < 2; i++) {
        char path[512], *text;
        size_t len;
        fixture_path(path, name);
        snprintf(path + strlen(path), sizeof path - strlen(path), "/%s", files_of[i]);
        ck_assert_int_eq(pr_file_read(path, 0, &text, &len, NULL), PR_OK);
        scratch_write(files_of[i], text, len);
        free(text);
    }
}

// The last two bytes of the weights, written in place: a BF16 number.
static void change_last(uint16_t value)
{
    char path[512];
    scratch_path(path, "model.safetensors");
    FILE *f = fopen(path, "r+b");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fseek(f, -2, SEEK_END), 0);
    ck_assert_uint_eq(fwrite(&value, 2, 1, f), 1);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(a_changed_model_is_another)
{
    char path[512];
    struct stat st;
    copy_model("smollm2");
    pr_model_t *a = load_well(scratch), *b = load_converting(scratch, 0);
    int64_t all = (int64_t)a->bytes / 4;
    pr_model_free(&b);
    scratch_path(path, "model.safetensors");
    ck_assert_int_eq(stat(path, &st), 0);
    change_last(0x3f80);
    // Even where its times are set back.
    ck_assert_int_eq(utimensat(AT_FDCWD, path, (struct timespec[]){st.st_atim, st.st_mtim}, 0), 0);
    b = load_converting(scratch, all);
    ck_assert(!same_weights(a, b));
    pr_model_t *c = load_converting(scratch, 0);
    ck_assert(same_weights(b, c));
    pr_model_free(&c);
    scratch_path(path, "config.json"); // the same text, written anew
    char *text;
    size_t len;
    ck_assert_int_eq(pr_file_read(path, 0, &text, &len, NULL), PR_OK);
    scratch_write("config.json", text, len);
    free(text);
    c = load_converting(scratch, all);
    ck_assert(same_weights(b, c));
    pr_model_free(&a);
    pr_model_free(&b);
    pr_model_free(&c);
}
END_TEST

// A load that waits for its turn while the file is changed under it: what it maps is no longer what its block is named
// after, so nobody else gets it.
START_TEST(a_model_that_changes_while_it_is_read_is_not_shared)
{
    char path[700], weights[512];
    pr_file_id_t id;
    copy_model("smollm2");
    pr_model_t *m = load_well(scratch);
    int64_t all = (int64_t)m->bytes / 4;
    ck_assert_int_eq(files(path), 1);
    pr_model_free(&m);
    write_at(path, 0600, "");
    int fd = open(path, O_RDWR | O_CLOEXEC), said[2], status;
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(flock(fd, LOCK_EX), 0);
    ck_assert_int_eq(pipe(said), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int64_t before = pr_model_converted();
        close(fd);
        pr_log_set_level(PR_LOG_ERROR);
        if (!tell(said[1]) || pr_model_load(scratch, &m, NULL) != PR_OK)
            _exit(2);
        _exit(m->shared_bytes != 0 ? 3 : pr_model_converted() - before != 2 * all ? 4 : 0);
    }
    ck_assert(hear(said[0]));
    until_it_has(pid, path);
    scratch_path(weights, "model.safetensors");
    ck_assert_int_eq(pr_file_id(weights, &id, NULL), PR_OK);
    pr_file_id_settle(&id);
    change_last(0x3f80);
    close(fd);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    m = load_converting(scratch, all);
    ck_assert_uint_eq(m->shared_bytes, m->bytes);
    pr_model_free(&m);
}
END_TEST

START_TEST(numbers_that_are_not_finite_are_found_by_all)
{
    char path[700];
    pr_model_t *m = NULL;
    pr_error_t err = {0};
    copy_model("smollm2");
    change_last(0x7f80);
    for (int i = 0; i < 2; i++)
        check_error("infinity", pr_model_load(scratch, &m, &err), PR_ERR_FORMAT, err.text,
                    "model.safetensors|Infinity");
    ck_assert_int_eq(files(path), 0); // nobody has it, nobody waits
    change_last(0);
    m = load_well(scratch);
    ck_assert_uint_eq(m->shared_bytes, m->bytes);
    pr_model_free(&m);
}
END_TEST

// Lines that the load of a model prints where sharing is impossible.
static int load_in_need(const char *dir, const pr_model_t *expected, const char *log)
{
    pr_model_t *m = NULL;
    if (!freopen(log, "w", stderr) || pr_model_load(dir, &m, NULL) != PR_OK)
        return 2;
    if (m->shared_bytes != 0 || m->bytes != expected->bytes || !same_weights(expected, m))
        return 3;
    pr_model_free(&m);
    return fflush(stderr) == 0 ? 0 : 4;
}

START_TEST(where_it_cannot_be_shared_it_is_private_and_said_once)
{
    char path[512], log[512], *text;
    size_t len;
    int status;
    static const char *const words[] = {"no shared memory of", "mode 755"};
    fixture_path(path, "smollm2");
    scratch_path(log, "log");
    pr_model_t *m = load_well(path);
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            signal(SIGXFSZ, SIG_IGN);
            char other[600]; // so that there is nobody to join
            snprintf(other, sizeof other, "%s/need%d", scratch, i);
            if (mkdir(other, 0700) != 0 || setenv("TMPDIR", other, 1) != 0)
                _exit(5);
            snprintf(other + strlen(other), sizeof other - strlen(other), "/paretorank-%ld", (long)geteuid());
            if (i == 0 && setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096}) != 0)
                _exit(6);
            if (i == 1 && (mkdir(other, 0755) != 0 || chmod(other, 0755) != 0))
                _exit(7);
            _exit(load_in_need(path, m, log));
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        ck_assert_int_eq(pr_file_read(log, 0, &text, &len, NULL), PR_OK);
        ck_assert_msg(strstr(text, words[i]) && strstr(text, "smollm2") && strchr(text, '\n') == text + len - 1, "%s",
                      text);
        free(text);
    }
    pr_model_free(&m);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("model_share");
    TCase *t = tcase_create("model_share");
    tcase_add_checked_fixture(t, setup, scratch_remove);
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, a_model_is_converted_once, 0, (int)(sizeof stored / sizeof *stored));
    tcase_add_test(t, a_changed_model_is_another);
    tcase_add_test(t, a_model_that_changes_while_it_is_read_is_not_shared);
    tcase_add_test(t, numbers_that_are_not_finite_are_found_by_all);
    tcase_add_test(t, where_it_cannot_be_shared_it_is_private_and_said_once);
    suite_add_tcase(s, t);
    return run_suite(s);
}
