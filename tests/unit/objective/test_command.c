// SPDX-License-Identifier: BSD-3-Clause
// The command objective with programs that behave and programs that do not.
#include "unit/objective/support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *fixtures, *clock_file;

/* Before the C library's, for the whole program: the monotonic clock shows so many seconds as clock_file has bytes
 * while there is one, so that limits of time are tested at any speed of the machine. */
int clock_gettime(clockid_t id, struct timespec *now)
{
    struct stat st;
    if (id != CLOCK_MONOTONIC || !clock_file)
        return (int)syscall(SYS_clock_gettime, id, now);
    if (stat(clock_file, &st) != 0)
        abort();
    *now = (struct timespec){.tv_sec = 1000 + st.st_size};
    return 0;
}

static void set_up(void)
{
    fixtures = source_file("tests/fixtures/objective");
}

static void tear_down(void)
{
    free(fixtures);
}

// A scorer in a mode, with more options such as ", 'timeout': 1".
static pr_objective_t *open_scorer(const char *mode, const char *more)
{
    char options[400];
    snprintf(options, sizeof options, "{'command': ['python3', 'scorer.py', '%s']%s}", mode, more);
    return open_objective("command", options, fixtures);
}

static pr_status_t score_many(pr_objective_t *o, size_t n, double *scores, pr_error_t *err)
{
    static const char *const responses[] = {"", "a", "zwölf\n", "\"quoted\" \\ text", "\xff{}"};
    pr_sample_t *s = pr_alloc(n, sizeof *s);
    for (size_t i = 0; i < n; i++)
        s[i] = (pr_sample_t){
            .prompt = "Client: \t\x01", .response = responses[i % 5], .response_len = strlen(responses[i % 5])};
    pr_status_t status = pr_objective_score(o, s, n, scores, err);
    free(s);
    return status;
}

static void check_honest(pr_objective_t *o, size_t n)
{
    static const double length[] = {0, 1, 6, 15, 3};
    double *scores = pr_alloc(n, sizeof *scores);
    pr_error_t err = {0};
    pr_status_t status = score_many(o, n, scores, &err);
    ck_assert_msg(status == PR_OK, "%s", err.text);
    for (size_t i = 0; i < n; i++)
        ck_assert_double_eq(scores[i], length[i % 5]);
    free(scores);
}

static void check_fails(pr_objective_t *o, pr_status_t want, const char *says)
{
    double scores[3];
    pr_error_t err = {0};
    pr_status_t status = score_many(o, 3, scores, &err);
    ck_assert_msg(status == want && err.status == want, "%d: %s", status, err.text);
    ck_assert_msg(strstr(err.text, says) && strstr(err.text, "objective 'it' (command)"), "%s", err.text);
}

static bool is_gone(pid_t pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return true;
    size_t n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    const char *state = n ? strrchr(text, ')') : NULL;
    return !state || state[2] == 'Z' || state[2] == 'X';
}

static void until_gone(pid_t pid)
{
    while (!is_gone(pid))
        usleep(5000);
}

START_TEST(test_one_process_is_kept)
{
    pr_objective_t *o = open_scorer("pid", "");
    double first = score_of(o, "", "x");
    ck_assert_double_eq(score_of(o, "", "y"), first);
    ck_assert(!is_gone((pid_t)first));
    pr_objective_close(&o);
    ck_assert_int_eq(kill((pid_t)first, 0), -1); // waited for: not even a zombie
}
END_TEST

START_TEST(test_many_and_single)
{
    pr_objective_t *o = open_scorer("good", "");
    check_honest(o, 1);
    check_honest(o, 5000);
    check_honest(o, 5);
    pr_objective_close(&o);
}
END_TEST

START_TEST(test_shell_string)
{
    pr_objective_t *o = open_objective("command", "{'command': 'tee /dev/null | python3 scorer.py good'}", fixtures);
    check_honest(o, 20);
    pr_objective_close(&o);
}
END_TEST

START_TEST(test_out_of_order)
{
    pr_objective_t *o = open_scorer("reverse", "");
    check_honest(o, 100);
    pr_objective_close(&o);
}
END_TEST

START_TEST(test_floods)
{
    pr_objective_t *o = open_scorer("floods", "");
    check_honest(o, 40);
    pr_objective_close(&o);
}
END_TEST

// Opens a scorer whose seconds pass on the clock of the file.
static pr_objective_t *open_timed(const char *mode, const char *more)
{
    char options[500];
    clock_file = temporary_file("", 0);
    snprintf(options, sizeof options, "{'command': ['python3', 'scorer.py', '%s', '%s']%s}", mode, clock_file, more);
    return open_objective("command", options, fixtures);
}

static void close_timed(pr_objective_t *o)
{
    pr_objective_close(&o);
    unlink(clock_file);
    free(clock_file);
    clock_file = NULL;
}

// The limit is on the wait for one reply, not on the batch.
START_TEST(test_slow)
{
    pr_objective_t *o = open_timed("slow", ", 'timeout': '2s'");
    check_honest(o, 10);
    close_timed(o);
}
END_TEST

START_TEST(test_restart)
{
    char marker[] = "/tmp/paretorank-test-XXXXXX", options[400];
    close(mkstemp(marker));
    unlink(marker);
    snprintf(options, sizeof options, "{'command': ['python3', 'scorer.py', 'crash-once', '%s']}", marker);
    pr_objective_t *o = open_objective("command", options, fixtures);
    check_honest(o, 50);
    pr_objective_close(&o);
    char *text;
    size_t runs;
    ck_assert_int_eq(pr_file_read(marker, 0, &text, &runs, NULL), PR_OK);
    ck_assert_uint_eq(runs, 2);
    free(text);
    unlink(marker);
}
END_TEST

// A program that dies between two batches is started again even without retries.
START_TEST(test_death_between_batches)
{
    pr_objective_t *o = open_scorer("pid", ", 'retries': 0");
    pid_t first = (pid_t)score_of(o, "", "x");
    ck_assert_int_eq(kill(first, SIGKILL), 0);
    until_gone(first);
    ck_assert_int_ne((int)score_of(o, "", "x"), (int)first);
    pr_objective_close(&o);
}
END_TEST

// Lines of so many samples, dealt to so many copies.
START_TEST(test_batches_and_copies)
{
    static const int batch[] = {2, 5, 64}, copies[] = {1, 2, 3, 7};
    char mode[40], more[60];
    for (size_t b = 0; b < sizeof batch / sizeof *batch; b++)
        for (size_t c = 0; c < sizeof copies / sizeof *copies; c++) {
            snprintf(mode, sizeof mode, "batches', '%d", batch[b]);
            snprintf(more, sizeof more, ", 'batch': %d, 'copies': %d", batch[b], copies[c]);
            pr_objective_t *o = open_scorer(mode, more);
            check_honest(o, 1);
            check_honest(o, 64);
            check_honest(o, 501);
            pr_objective_close(&o);
        }
    pr_objective_t *o = open_scorer("good", ", 'copies': 4");
    check_honest(o, 2);
    check_honest(o, 1000);
    pr_objective_close(&o);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

// Line i goes to copy i modulo 3, whoever is faster; a line has 4 samples but the last.
START_TEST(test_who_scores_what)
{
    pr_objective_t *o = open_scorer("places", ", 'batch': 4, 'copies': 3");
    enum { N = 30 };
    double scores[N], pid[3];
    pr_error_t err = {0};
    for (int again = 0; again < 2; again++) {
        ck_assert_msg(score_many(o, N, scores, &err) == PR_OK, "%s", err.text);
        for (int i = 0; i < N; i++) {
            double *mine = &pid[i / 4 % 3], place = (i % 4) / 64.0;
            if (again == 0 && i < 12 && i % 4 == 0)
                *mine = scores[i];
            ck_assert_double_eq(scores[i], *mine + place);
        }
        ck_assert(pid[0] != pid[1] && pid[1] != pid[2] && pid[0] != pid[2]);
    }
    pr_objective_close(&o);
}
END_TEST

// A copy that ends is started again, and asked for its own lines only; the others go on.
START_TEST(test_a_copy_is_started_again)
{
    char marker[] = "/tmp/paretorank-test-XXXXXX", options[400];
    close(mkstemp(marker));
    unlink(marker);
    snprintf(options, sizeof options, "{'command': ['python3', 'scorer.py', 'crash-once', '%s'], 'copies': 2}", marker);
    pr_objective_t *o = open_objective("command", options, fixtures);
    check_honest(o, 50);
    pr_objective_close(&o);
    unlink(marker);
}
END_TEST

// How much of a batch, and in how many processes, changes no score: it is no part of what the objective is.
START_TEST(test_batch_is_no_identity)
{
    json_t *plain = NULL, *many = NULL, *one = json_pack("{s:[s,s]}", "command", "python3", "scorer.py"),
           *two = json_pack("{s:[s,s], s:i, s:i}", "command", "python3", "scorer.py", "batch", 32, "copies", 4);
    ck_assert_int_eq(pr_objective_identity("command", one, fixtures, &plain, NULL), PR_OK);
    ck_assert_int_eq(pr_objective_identity("command", two, fixtures, &many, NULL), PR_OK);
    ck_assert(json_equal(plain, many));
    json_decref(plain);
    json_decref(many);
    json_decref(one);
    json_decref(two);
}
END_TEST

static const struct {
    const char *mode, *more;
    pr_status_t status;
    const char *says;
} failures[] = {
    {"crash", "", PR_ERR_FIRST_SAMPLE,
     "on its very first sample: python3 exited with status 1; its last line on stderr: 'cannot find the weights'"},
    {"late-crash", ", 'retries': 0", PR_ERR_SCORER, "'out of memory', with 2 of 3 samples not scored (started 1 time)"},
    {"late-crash", ", 'retries': 1", PR_ERR_SCORER, "with 1 of 3 samples not scored (started 2 times)"},
    {"short-list", ", 'batch': 2", PR_ERR_FIRST_SAMPLE, "expected a list of 2 finite numbers as \"scores\""},
    {"good", ", 'batch': 2", PR_ERR_FIRST_SAMPLE, "KeyError"},
    {"twice", ", 'copies': 2", PR_ERR_SCORER, "expected the \"id\" of a request"},
    {"crash", ", 'copies': 2", PR_ERR_FIRST_SAMPLE, "on its very first sample"},
    {"segfault", ", 'retries': 0", PR_ERR_FIRST_SAMPLE, "was killed by signal 11 (Segmentation fault)"},
    {"no such mode", ", 'retries': 0", PR_ERR_FIRST_SAMPLE, "unknown mode"},
    {"garbage", "", PR_ERR_FIRST_SAMPLE, "answered 'Loading checkpoint shards: 100%', expected a line of JSON"},
    {"nan", "", PR_ERR_FIRST_SAMPLE, "NaN"},
    {"text", "", PR_ERR_FIRST_SAMPLE, "expected a finite number as \"score\""},
    {"wrong-id", "", PR_ERR_FIRST_SAMPLE, "expected the \"id\" of a request"},
    {"twice", "", PR_ERR_SCORER, "expected the \"id\" of a request"},
    {"report", "", PR_ERR_FIRST_SAMPLE, "reports an error: no GPU here"},
    {"endless-line", "", PR_ERR_FIRST_SAMPLE, "a line of over"},
    {"huge", ", 'lo': 0, 'hi': 1", PR_ERR_FIRST_SAMPLE, "outside the declared range [0, 1]"},
    {"hang-deaf", ", 'timeout': '200ms'", PR_ERR_FIRST_SAMPLE, "no reply within"},
    {"grandchild", ", 'retries': 0", PR_ERR_FIRST_SAMPLE, "gone, but not my child"},
};

START_TEST(test_failures)
{
    pr_objective_t *o = open_scorer(failures[_i].mode, failures[_i].more);
    check_fails(o, failures[_i].status, failures[_i].says);
    check_fails(o, failures[_i].status, failures[_i].says); // and is as it was
    pr_objective_close(&o);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1); // no child is left, dead or alive
}
END_TEST

START_TEST(test_time_limit)
{
    pr_objective_t *o = open_timed("loading", ", 'timeout': '500ms'");
    check_fails(o, PR_ERR_FIRST_SAMPLE,
                "no reply within 0.5 s (3 of 3 samples wait; does it flush its output?); its last line on stderr: "
                "'still loading'");
    close_timed(o);
    o = open_scorer("mute", ", 'timeout': '200ms'");
    check_fails(o, PR_ERR_FIRST_SAMPLE, "(3 of 3 samples wait; does it flush its output?)");
    pr_objective_close(&o);
    o = open_timed("one-and-mute", ", 'timeout': '500ms'");
    score_of(o, "", "x"); // that it flushes is known from here on
    check_fails(o, PR_ERR_TIMEOUT, "(3 of 3 samples wait)");
    close_timed(o);
}
END_TEST

START_TEST(test_not_a_program)
{
    char *path = temporary_file("no shebang", 10), options[300];
    pr_error_t err;
    double score;
    pr_sample_t s = {.prompt = "", .response = ""};
    snprintf(options, sizeof options, "{'command': ['%s']}", path);
    chmod(path, 0755);
    pr_objective_t *o = open_objective("command", options, "");
    unlink(path); // gone between the check and the run
    ck_assert_int_eq(pr_objective_score(o, &s, 1, &score, &err), PR_ERR_FIRST_SAMPLE);
    ck_assert_msg(strstr(err.text, "cannot start") && strstr(err.text, "No such file"), "%s", err.text);
    pr_objective_close(&o);
    free(path);
}
END_TEST

// From here on this process's kernel has no close_range, as those before 5.9; false where that cannot be arranged.
static bool forget_close_range(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 436, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 &&
           syscall(436, 1000000U, 1000000U, 0U) != 0 && errno == ENOSYS;
}

// 0: as the kernel is; 1: without close_range.
START_TEST(test_nothing_is_inherited)
{
    if (_i == 1 && !forget_close_range())
        return;
    int fd = open("/dev/null", O_RDONLY);
    ck_assert_int_ge(fd, 0);
    pr_objective_t *o = open_scorer("files", "");
    ck_assert_double_eq(score_of(o, "", ""), 0);
    pr_objective_close(&o);
    close(fd);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGTERM, SIG_IGN);
    o = open_scorer("signals", "");
    ck_assert_double_eq(score_of(o, "", ""), 1);
    pr_objective_close(&o);
}
END_TEST

// With closed standard files the pipes get the numbers 0 to 2; the program must see its own there all the same.
START_TEST(test_without_standard_files)
{
    pr_objective_t *o = open_scorer("good", "");
    int keep = dup(1);
    close(0);
    close(1);
    pr_sample_t s = {.prompt = "", .response = "four", .response_len = 4};
    double score = -1;
    pr_status_t status = pr_objective_score(o, &s, 1, &score, NULL);
    dup2(keep, 1);
    ck_assert_int_eq(status, PR_OK);
    ck_assert_double_eq(score, 4);
    pr_objective_close(&o);
}
END_TEST

START_TEST(test_broken_pipe_signal_stays_away)
{
    signal(SIGPIPE, SIG_DFL);
    pr_objective_t *o =
        open_objective("command", "{'command': 'exec 0<&-; sleep 0.3; exit 4', 'retries': 0}", fixtures);
    double *scores = pr_alloc(20000, sizeof *scores);
    pr_error_t err;
    ck_assert_int_eq(score_many(o, 20000, scores, &err), PR_ERR_FIRST_SAMPLE);
    ck_assert_msg(strstr(err.text, "exited with status 4"), "%s", err.text);
    sigset_t pending;
    sigpending(&pending);
    ck_assert(!sigismember(&pending, SIGPIPE));
    free(scores);
    pr_objective_close(&o);
}
END_TEST

// What a program started itself ends with it.
START_TEST(test_group_is_killed)
{
    pr_objective_t *o = open_objective("command", "{'command': ['sh', 'lingers.sh', 'child']}", fixtures);
    pid_t child = (pid_t)score_of(o, "", "");
    ck_assert(!is_gone(child));
    pr_objective_close(&o);
    until_gone(child);
}
END_TEST

// The program of a process that is killed dies with it.
START_TEST(test_dies_with_parent)
{
    int fd[2];
    ck_assert_int_eq(pipe(fd), 0);
    pid_t parent = fork();
    if (parent == 0) {
        pr_objective_t *o = open_objective("command", "{'command': ['sh', 'lingers.sh']}", fixtures);
        double pid = score_of(o, "", "");
        ssize_t wrote = write(fd[1], &pid, sizeof pid);
        if (wrote > 0)
            pause();
        _exit(1);
    }
    double pid = 0;
    ck_assert_int_eq((int)read(fd[0], &pid, sizeof pid), (int)sizeof pid);
    ck_assert(!is_gone((pid_t)pid));
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    until_gone((pid_t)pid);
    close(fd[0]);
    close(fd[1]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("command");
    TCase *t = tcase_create("programs");
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_one_process_is_kept);
    tcase_add_test(t, test_many_and_single);
    tcase_add_test(t, test_shell_string);
    tcase_add_test(t, test_out_of_order);
    tcase_add_test(t, test_floods);
    tcase_add_test(t, test_slow);
    tcase_add_test(t, test_restart);
    tcase_add_test(t, test_death_between_batches);
    tcase_add_test(t, test_batches_and_copies);
    tcase_add_test(t, test_who_scores_what);
    tcase_add_test(t, test_a_copy_is_started_again);
    tcase_add_test(t, test_batch_is_no_identity);
    tcase_add_loop_test(t, test_failures, 0, (int)(sizeof failures / sizeof *failures));
    tcase_add_test(t, test_time_limit);
    tcase_add_test(t, test_not_a_program);
    tcase_add_loop_test(t, test_nothing_is_inherited, 0, 2);
    tcase_add_test(t, test_without_standard_files);
    tcase_add_test(t, test_broken_pipe_signal_stays_away);
    tcase_add_test(t, test_group_is_killed);
    tcase_add_test(t, test_dies_with_parent);
    suite_add_tcase(s, t);
    return run_suite(s);
}
