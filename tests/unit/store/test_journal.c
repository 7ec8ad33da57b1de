// SPDX-License-Identifier: BSD-3-Clause
#include "base/hash.h"
#include "store/journal.h"

#include "store_faults.h"
#include "store_files.h"

static pr_error_t err;
static const char *path;

static void set_up(void)
{
    static char text[512];
    make_folder();
    snprintf(text, sizeof text, "%s", in_folder("journal.jsonl"));
    path = text;
    fault.on = false;
}

static pr_journal_t *open_journal(void)
{
    pr_journal_t *j = NULL;
    ck_assert_msg(pr_journal_open(path, &j, &err) == PR_OK, "%s", err.text);
    return j;
}

static pr_status_t append(pr_journal_t *j, int seq, bool sync)
{
    json_t *fields = json_pack("{s:i, s:s, s:[f,f]}", "seq", seq, "text", "a \"b\"\n\xc3\xa9,\"crc\":\"00000000\"}",
                               "w", 0.1, 1.0 / 3);
    pr_status_t status = pr_journal_append(j, "step", fields, sync, &err);
    json_decref(fields);
    return status;
}

static void append_range(int first, int n)
{
    pr_journal_t *j = open_journal();
    for (int i = first; i < first + n; i++)
        ck_assert_msg(append(j, i, false) == PR_OK, "%s", err.text);
    pr_journal_close(&j);
    ck_assert_ptr_null(j);
}

enum { KEEP = 1 << 16 };

/* The sequence numbers of the good lines, in order. */
typedef struct pr_found {
    int seq[KEEP];
    int n;
    pr_journal_stats_t stats;
} pr_found_t;

static pr_status_t collect(void *self, const char *event, const json_t *line, pr_error_t *e)
{
    pr_found_t *f = self;
    (void)e;
    ck_assert_str_eq(event, "step");
    ck_assert_double_eq(json_real_value(json_array_get(json_object_get(line, "w"), 1)), 1.0 / 3);
    ck_assert_str_eq(json_string_value(json_object_get(line, "text")), "a \"b\"\n\xc3\xa9,\"crc\":\"00000000\"}");
    ck_assert_double_gt(json_real_value(json_object_get(line, "t")), 1.6e9);
    if (f->n == KEEP)
        return PR_ERR_INCOMPLETE;
    f->seq[f->n++] = (int)json_integer_value(json_object_get(line, "seq"));
    return PR_OK;
}

static void read_journal(pr_found_t *f)
{
    *f = (pr_found_t){0};
    ck_assert_msg(pr_journal_read(path, collect, f, &f->stats, &err) == PR_OK, "%s", err.text);
    ck_assert_uint_eq(f->stats.lines, (size_t)f->n);
}

START_TEST(reads_what_was_written)
{
    pr_found_t f;
    read_journal(&f); // not there yet
    ck_assert_int_eq(f.n, 0);
    append_range(0, 3);
    append_range(3, 2);
    read_journal(&f);
    ck_assert_int_eq(f.n, 5);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(f.seq[i], i);
    ck_assert_uint_eq(f.stats.skipped, 0);
}
END_TEST

START_TEST(lines_have_the_documented_form)
{
    size_t len;
    unsigned crc;
    double t;
    pr_journal_t *j = open_journal();
    ck_assert_int_eq(pr_journal_append(j, "halt", NULL, true, &err), PR_OK);
    pr_journal_close(&j);
    char *text = get_file(path, &len), *tail = strstr(text, ",\"crc\":");
    ck_assert_int_eq(sscanf(text, "{\"t\":%lf,\"event\":\"halt\",\"crc\":\"%8x\"}", &t, &crc), 2);
    ck_assert_str_eq(tail + 16, "\"}\n");
    strcpy(tail, "}");
    ck_assert_uint_eq(crc, pr_crc32(text, strlen(text)));
    free(text);
}
END_TEST

static pr_status_t stop_at_two(void *self, const char *event, const json_t *line, pr_error_t *e)
{
    (void)event;
    ++*(int *)self;
    return json_integer_value(json_object_get(line, "seq")) == 2 ? pr_fail(e, PR_ERR_NUMERIC, "two") : PR_OK;
}

START_TEST(a_callback_ends_the_reading)
{
    int calls = 0;
    append_range(0, 10);
    ck_assert_int_eq(pr_journal_read(path, stop_at_two, &calls, NULL, &err), PR_ERR_NUMERIC);
    ck_assert_str_eq(err.text, "two");
    ck_assert_int_eq(calls, 3);
}
END_TEST

START_TEST(refuses_what_is_no_file)
{
    pr_journal_t *j = NULL;
    ck_assert_int_eq(pr_journal_open(folder, &j, &err), PR_ERR_IO);
    ck_assert_int_eq(pr_journal_open("/dev/full", &j, &err), PR_ERR_IO);
    ck_assert_int_eq(pr_journal_open(in_folder("no/such/folder"), &j, &err), PR_ERR_IO);
    ck_assert_ptr_null(j);
    ck_assert_int_eq(pr_journal_read(folder, NULL, NULL, NULL, &err), PR_ERR_NOT_FOUND);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(pr_journal_read(path, NULL, NULL, NULL, &err), PR_ERR_NOT_FOUND);
}
END_TEST

/* How many of the lines of text lie within the first cut bytes; a newline may be missing. */
static int whole_lines(const char *text, size_t cut)
{
    int n = 0;
    for (size_t i = 0; i < cut; i++)
        n += text[i + 1] == '\n';
    return n;
}

START_TEST(cut_at_every_byte)
{
    enum { lines = 5 };
    size_t len;
    pr_found_t f;
    append_range(0, lines);
    char *text = get_file(path, &len);
    for (size_t cut = 0; cut < len; cut++) {
        int whole = whole_lines(text, cut);
        size_t torn = cut > 0 && text[cut - 1] != '\n' && text[cut] != '\n';
        put_file(path, text, cut);
        read_journal(&f);
        ck_assert_int_eq(f.n, whole);
        ck_assert_uint_eq(f.stats.skipped, torn);
        append_range(100, 2);
        read_journal(&f);
        ck_assert_int_eq(f.n, whole + 2);
        ck_assert_uint_eq(f.stats.skipped, torn);
        for (int i = 0; i < f.n; i++)
            ck_assert_int_eq(f.seq[i], i < whole ? i : 100 + i - whole);
    }
    free(text);
}
END_TEST

START_TEST(every_bit_flipped)
{
    enum { lines = 4 };
    size_t len;
    pr_found_t f;
    append_range(0, lines);
    char *text = get_file(path, &len);
    for (size_t bit = 0; bit < 8 * len; bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
        put_file(path, text, len);
        text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
        read_journal(&f); // also checks that each line is as it was written
        bool newline = text[bit / 8] == '\n', last = bit / 8 == len - 1;
        ck_assert_int_eq(f.n, lines - 1 - (newline && !last));
        ck_assert_uint_ge(f.stats.skipped, 1);
        for (int i = 1; i < f.n; i++)
            ck_assert_int_lt(f.seq[i - 1], f.seq[i]);
    }
    free(text);
}
END_TEST

/* A line whose crc is right, whatever it says. */
static void forge(pr_buf_t *b, const char *body)
{
    pr_buf_t line = {0};
    pr_buf_printf(&line, "%s}", body);
    pr_buf_printf(b, "%s,\"crc\":\"%08x\"}\n", body, pr_crc32(line.data, line.len));
    pr_buf_free(&line);
}

START_TEST(hostile_lines)
{
    static const char *const bad[] = {"",
                                      "[1",
                                      "{\"t\":1",
                                      "{\"event\":\"step\"",
                                      "{\"t\":\"1\",\"event\":\"step\"",
                                      "{\"t\":1,\"event\":[]",
                                      "{\"t\":1,\"event\":\"step\",\"event\":\"stop\"",
                                      "{\"t\":1e999,\"event\":\"step\"",
                                      "{\"t\":1,\"event\":\"\xff\"",
                                      "{\"t\":1,\"event\":\"step\",\"\\u0000\":1"};
    pr_buf_t b = {0}, deep = {0};
    size_t n = sizeof bad / sizeof *bad;
    for (size_t i = 0; i < n; i++)
        forge(&b, bad[i]);
    pr_buf_puts(&deep, "{\"t\":1,\"event\":\"step\",\"x\":");
    for (int i = 0; i < 100000; i++)
        pr_buf_puts(&deep, "[");
    forge(&b, deep.data);
    pr_buf_puts(&b, "\n\n}\n,\"crc\":\"00000000\"}\n");
    put_file(path, b.data, b.len);
    append_range(7, 1);
    pr_found_t f;
    read_journal(&f);
    ck_assert_int_eq(f.n, 1);
    ck_assert_int_eq(f.seq[0], 7);
    ck_assert_uint_eq(f.stats.skipped, n + 1 + 4);
    pr_buf_free(&b);
    pr_buf_free(&deep);
}
END_TEST

/* As tools that convert text leave it: carriage returns, and a byte order mark in front. */
START_TEST(line_ends_of_other_systems)
{
    pr_found_t f;
    pr_buf_t b = {0};
    size_t len;
    append_range(0, 4);
    char *text = get_file(path, &len);
    pr_buf_puts(&b, "\xEF\xBB\xBF");
    for (size_t i = 0; i < len; i++)
        pr_buf_puts(&b, text[i] == '\n' ? "\r\n" : (char[2]){text[i], 0});
    put_file(path, b.data, b.len);
    read_journal(&f);
    ck_assert_int_eq(f.n, 4);
    ck_assert_uint_eq(f.stats.skipped, 0);
    append_range(4, 2); // and it is gone on with
    read_journal(&f);
    ck_assert_int_eq(f.n, 6);
    ck_assert_uint_eq(f.stats.skipped, 0);
    put_file(path, b.data, b.len - 1); // the last line lacks its newline, but not its carriage return
    read_journal(&f);
    ck_assert_int_eq(f.n, 4);
    free(text);
    pr_buf_free(&b);
}
END_TEST

/* Which lines are damaged is known, and told in words. */
START_TEST(damage_is_named)
{
    static const struct {
        const char *damage; // a character for each line: '.' is good
        const char *words;
        bool torn;
    } cases[] = {{"....", "", false},
                 {"..x.", "1 line damaged (line 3)", false},
                 {"x.x.x", "3 lines damaged (lines 1, 3 and 5)", false},
                 {"...x", "its last line is cut short (line 4)", true},
                 {".x.x", "1 line damaged (line 2), and its last line is cut short (line 4)", true},
                 {"xxxxxxxxxx", "10 lines damaged (lines 1, 2, 3, 4, 5, 6, 7 and 8, and 2 more)", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pr_journal_stats_t stats;
        char words[256];
        size_t len, n = strlen(cases[i].damage), line = 0;
        unlink(path);
        append_range(0, (int)n);
        char *text = get_file(path, &len);
        for (char *at = text; *at; at = strchr(at, '\n') + 1, line++)
            if (cases[i].damage[line] == 'x')
                at[3] ^= 1;
        put_file(path, text, len - cases[i].torn);
        ck_assert_int_eq(pr_journal_read(path, NULL, NULL, &stats, &err), PR_OK);
        pr_journal_damage(&stats, words, sizeof words);
        ck_assert_str_eq(words, cases[i].words);
        free(text);
    }
}
END_TEST

START_TEST(a_line_too_long_is_skipped)
{
    pr_found_t f;
    append_range(0, 1);
    ck_assert_int_eq(truncate(path, 200L << 20), 0); // a sparse tail of NULs, as a crash of the machine leaves it
    read_journal(&f);
    ck_assert_int_eq(f.n, 1);
    ck_assert_uint_eq(f.stats.skipped, 1);
    append_range(1, 2);
    read_journal(&f);
    ck_assert_int_eq(f.n, 3);
    ck_assert_uint_eq(f.stats.skipped, 1);
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
#ifndef PR_SANITIZE
    ck_assert_msg(used.ru_maxrss < 160 << 10, "%ld KiB to skip a line of 200 MiB", used.ru_maxrss);
#endif
}
END_TEST

START_TEST(short_writes_and_interrupts)
{
    pr_found_t f;
    fault = (typeof(fault)){.on = true, .bytes = -1, .most = 3, .interrupts = 5};
    append_range(0, 4);
    ck_assert_int_gt(fault.calls, 40);
    fault.on = false;
    read_journal(&f);
    ck_assert_int_eq(f.n, 4);
    ck_assert_uint_eq(f.stats.skipped, 0);
}
END_TEST

/* The disk fills after every possible number of bytes of a line; with the torn part taken back, or left. */
START_TEST(disk_full)
{
    size_t len, after;
    pr_found_t f;
    append_range(0, 2);
    char *text = get_file(path, &len);
    for (long room = 0; room < 120; room++)
        for (int stuck = 0; stuck < 2; stuck++) {
            put_file(path, text, len);
            pr_journal_t *j = open_journal();
            fault = (typeof(fault)){.on = true, .bytes = room, .no_truncate = stuck};
            ck_assert_int_eq(append(j, 2, true), PR_ERR_IO);
            ck_assert_ptr_nonnull(strstr(err.text, "journal.jsonl: cannot append"));
            fault.on = false;
            char *now = get_file(path, &after);
            ck_assert_uint_eq(after, len + (stuck ? (size_t)room : 0));
            ck_assert_int_eq(memcmp(now, text, len), 0);
            free(now);
            ck_assert_int_eq(append(j, 3, true), PR_OK); // the disk has room again
            pr_journal_close(&j);
            read_journal(&f);
            ck_assert_int_eq(f.n, 3);
            ck_assert_int_eq(f.seq[2], 3);
            ck_assert_uint_le(f.stats.skipped, (size_t)stuck);
        }
    free(text);
}
END_TEST

START_TEST(a_sync_that_fails_is_told)
{
    pr_journal_t *j = open_journal();
    fault = (typeof(fault)){.on = true, .bytes = -1, .no_sync = true};
    ck_assert_int_eq(append(j, 0, false), PR_OK);
    ck_assert_int_eq(append(j, 1, true), PR_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot sync"));
    pr_journal_close(&j);
}
END_TEST

static void fill_file(int arg)
{
    pr_journal_t *j = open_journal();
    limit_file_size((size_t)arg);
    pr_status_t status = PR_OK;
    for (int i = 0; status == PR_OK; i++)
        status = append(j, i, i % 3 == 0);
    pr_journal_close(&j);
    _exit(status == PR_ERR_IO && strstr(err.text, "File too large") ? 0 : 1);
}

START_TEST(a_real_limit_of_the_file_size)
{
    pr_found_t f;
    for (int limit = 900; limit < 1100; limit += 7) {
        int how;
        unlink(path);
        pid_t pid = start_child(fill_file, limit, -1);
        ck_assert_int_eq(waitpid(pid, &how, 0), pid);
        ck_assert_int_eq(how, 0);
        read_journal(&f);
        ck_assert_int_ge(f.n, 5);
        ck_assert_uint_eq(f.stats.skipped, 0); // the part that had room was taken back
    }
}
END_TEST

/* Goes on where the journal stands, in writes of a few bytes, and tells of each line that is on disk; killed before the
 * round-th system call. */
static int round_number;
static void append_until_killed(int told)
{
    pr_found_t f = {0};
    if (pr_journal_read(path, collect, &f, NULL, &err) != PR_OK)
        _exit(1);
    fault = (typeof(fault)){.on = true, .bytes = -1, .most = 16, .kill_at = round_number};
    pr_journal_t *j = open_journal();
    for (int i = f.n;; i++) {
        if (append(j, i, i % 4 == 0) != PR_OK)
            _exit(1);
        if (i % 4 == 0 && syscall(SYS_write, told, &i, sizeof i) != sizeof i)
            _exit(1);
    }
}

START_TEST(killed_at_any_moment)
{
    enum { rounds = 80 };
    pr_found_t f = {0};
    size_t torn = 0;
    int written = 0;
    for (round_number = 1; round_number <= rounds; round_number++) {
        int before = f.n, told, last = -1, how, pipe_ends[2];
        ck_assert_int_eq(pipe(pipe_ends), 0);
        pid_t pid = start_child(append_until_killed, pipe_ends[1], pipe_ends[1]);
        close(pipe_ends[1]);
        ck_assert_int_eq(waitpid(pid, &how, 0), pid);
        ck_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
        while (read(pipe_ends[0], &told, sizeof told) == sizeof told)
            last = told;
        close(pipe_ends[0]);
        read_journal(&f);
        ck_assert_int_ge(f.n, before);
        ck_assert_int_gt(f.n, last);
        ck_assert_uint_le(f.stats.skipped, (size_t)round_number);
        for (int i = 0; i < f.n; i++)
            ck_assert_int_eq(f.seq[i], i);
        written += f.n - before;
        torn = f.stats.skipped;
    }
    ck_assert_int_gt(written, rounds); // several lines in the later rounds
    ck_assert_uint_gt(torn, rounds / 2);
}
END_TEST

static pr_status_t count(void *self, const char *event, const json_t *line, pr_error_t *e)
{
    (void)event;
    (void)line;
    (void)e;
    ++*(size_t *)self;
    return PR_OK;
}

START_TEST(reads_a_long_journal_as_a_stream)
{
    enum { lines = 150000 };
    struct rusage before, after;
    size_t n = 0;
    pr_journal_stats_t stats;
    append_range(0, lines);
    getrusage(RUSAGE_SELF, &before);
    ck_assert_int_eq(pr_journal_read(path, count, &n, &stats, &err), PR_OK);
    getrusage(RUSAGE_SELF, &after);
    ck_assert_uint_eq(n, lines);
    ck_assert_uint_eq(stats.skipped, 0);
#ifndef PR_SANITIZE
    ck_assert_msg(after.ru_maxrss - before.ru_maxrss < 4096, "%ld KiB more", after.ru_maxrss - before.ru_maxrss);
#endif
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal");
    TCase *tcase = tcase_create("journal");
    tcase_add_checked_fixture(tcase, set_up, remove_folder);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, reads_what_was_written);
    tcase_add_test(tcase, lines_have_the_documented_form);
    tcase_add_test(tcase, a_callback_ends_the_reading);
    tcase_add_test(tcase, refuses_what_is_no_file);
    tcase_add_test(tcase, cut_at_every_byte);
    tcase_add_test(tcase, every_bit_flipped);
    tcase_add_test(tcase, hostile_lines);
    tcase_add_test(tcase, line_ends_of_other_systems);
    tcase_add_test(tcase, damage_is_named);
    tcase_add_test(tcase, a_line_too_long_is_skipped);
    tcase_add_test(tcase, short_writes_and_interrupts);
    tcase_add_test(tcase, disk_full);
    tcase_add_test(tcase, a_sync_that_fails_is_told);
    tcase_add_test(tcase, a_real_limit_of_the_file_size);
    tcase_add_test(tcase, killed_at_any_moment);
    tcase_add_test(tcase, reads_a_long_journal_as_a_stream);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
