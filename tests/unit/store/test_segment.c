// SPDX-License-Identifier: BSD-3-Clause
#include "base/hash.h"
#include "store/segment.h"

#include "store_faults.h"
#include "store_files.h"

static pr_error_t err;
static char *dir;

static void set_up(void)
{
    make_folder();
    dir = pr_strdup(in_folder("evaluations"));
    fault = (typeof(fault)){0};
}

static void tear_down(void)
{
    fault.on = false;
    remove_folder();
    free(dir);
}

/* ---- records that can be told apart ---- */

enum { SCORES = 7 };

static void id_of(int i, char id[PR_SEGMENT_ID])
{
    pr_hash_hex(&i, sizeof i, id);
}

static double score_of(int i, int at)
{
    return i * 0.37 + at;
}

static pr_status_t append(pr_segment_writer_t *w, int i, pr_segment_place_t *place)
{
    double score[SCORES];
    char id[PR_SEGMENT_ID];
    unsigned char flag[3] = {(unsigned char)i, 0, 255};
    id_of(i, id);
    for (int at = 0; at < SCORES; at++)
        score[at] = score_of(i, at);
    pr_section_t section[2] = {{"scores", sizeof *score, SCORES, score}, {"flags", 1, 3, flag}};
    json_t *meta = json_pack("{s:i}", "number", i);
    pr_status_t status = pr_segment_append(w, id, "evaluate", meta, section, 2, place, &err);
    json_decref(meta);
    return status;
}

static void check_record(int i, const pr_record_t *r)
{
    const void *data;
    ck_assert_str_eq(r->kind, "evaluate");
    ck_assert_int_eq((int)json_integer_value(json_object_get(r->meta, "number")), i);
    ck_assert_msg(pr_record_section(r, "", "scores", sizeof(double), SCORES, &data, &err) == PR_OK, "%s", err.text);
    for (int at = 0; at < SCORES; at++)
        ck_assert_double_eq(((const double *)data)[at], score_of(i, at));
    ck_assert_int_eq(pr_record_section(r, "", "flags", 1, 3, &data, &err), PR_OK);
    ck_assert_int_eq(((const unsigned char *)data)[0], (unsigned char)i);
}

static pr_status_t read_one(int i, const pr_segment_place_t *place)
{
    char id[PR_SEGMENT_ID];
    pr_record_t r;
    id_of(i, id);
    pr_status_t status = pr_segment_read(dir, place, id, "evaluate", &r, &err);
    if (status == PR_OK)
        check_record(i, &r);
    else
        ck_assert(r.n == 0 && !r.section && !r.meta && !r.id && !r.kind);
    pr_record_clear(&r);
    return status;
}

static void expect_read(int i, const pr_segment_place_t *place)
{
    pr_status_t status = read_one(i, place);
    ck_assert_msg(status == PR_OK, "record %d: %s", i, err.text);
}

static pr_segment_writer_t *open_writer(uint64_t limit)
{
    pr_segment_writer_t *w = NULL;
    ck_assert_msg(pr_segment_writer_open(dir, limit, &w, &err) == PR_OK, "%s", err.text);
    return w;
}

static void append_range(pr_segment_writer_t *w, int first, int n, pr_segment_place_t *place)
{
    for (int i = 0; i < n; i++)
        ck_assert_msg(append(w, first + i, &place[i]) == PR_OK, "%s", err.text);
}

/* Which of the records 0..n-1 an index finds, each read and checked. */
static int found_of(int n, bool *found, pr_segment_stats_t *stats)
{
    pr_segment_index_t *x = NULL;
    int count = 0;
    ck_assert_msg(pr_segment_index_open(dir, &x, stats, &err) == PR_OK, "%s", err.text);
    for (int i = 0; i < n; i++) {
        char id[PR_SEGMENT_ID];
        pr_segment_place_t place;
        id_of(i, id);
        bool there = pr_segment_index_find(x, id, "evaluate", &place);
        if (there)
            expect_read(i, &place);
        if (found)
            found[i] = there;
        count += there;
    }
    pr_segment_index_close(&x);
    return count;
}

static char *segment_path(const pr_segment_place_t *p)
{
    return pr_path_join(dir, p->file);
}

/* ---- what is written is read ---- */

START_TEST(reads_what_was_appended)
{
    pr_segment_place_t place[20];
    pr_segment_writer_t *w = open_writer(0);
    ck_assert_int_eq(count_files(dir), 0); // a rank that has nothing to write makes no file
    append_range(w, 0, 20, place);
    for (int i = 0; i < 20; i++) {
        ck_assert_str_eq(place[i].file, place[0].file);
        ck_assert_uint_eq(place[i].offset, i ? place[i - 1].offset + place[i - 1].length : 21);
        expect_read(i, &place[i]); // while the writer has the file open
    }
    pr_segment_writer_close(&w);
    ck_assert_ptr_null(w);
    pr_segment_writer_close(&w);
    for (int i = 19; i >= 0; i--)
        expect_read(i, &place[i]);
    pr_segment_stats_t stats;
    ck_assert_int_eq(found_of(25, NULL, &stats), 20);
    ck_assert(stats.files == 1 && stats.records == 20 && stats.torn == 0 && stats.damaged == 0);
}
END_TEST

START_TEST(the_header_is_readable)
{
    pr_segment_place_t place;
    size_t len;
    char id[PR_SEGMENT_ID], head[128];
    pr_segment_writer_t *w = open_writer(0);
    append_range(w, 3, 1, &place);
    char *path = segment_path(&place), *bytes = get_file(path, &len);
    id_of(3, id);
    ck_assert_int_eq(strncmp(bytes, "paretorank segment 1\n{\"crc\":\"", 29), 0);
    snprintf(head, sizeof head, "\"id\":\"%s\",\"kind\":\"evaluate\",\"meta\":{\"number\":3},\"sections\":[{", id);
    ck_assert_ptr_nonnull(strstr(bytes, head));
    ck_assert_uint_eq(len, place.offset + place.length);
    free(bytes);
    free(path);
    pr_segment_writer_close(&w);
}
END_TEST

START_TEST(another_id_kind_or_place_is_refused)
{
    pr_segment_place_t place[2], wrong;
    pr_record_t r;
    char id[PR_SEGMENT_ID];
    pr_segment_writer_t *w = open_writer(0);
    append_range(w, 0, 2, place);
    pr_segment_writer_close(&w);
    ck_assert_int_eq(read_one(1, &place[0]), PR_ERR_FORMAT);
    ck_assert_msg(strstr(err.text, place[0].file) && strstr(err.text, "offset 21: found the record of '"), "%s",
                  err.text);
    id_of(0, id);
    ck_assert_int_eq(pr_segment_read(dir, &place[0], id, "collect", &r, &err), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "a record of kind 'evaluate', expected 'collect'"));
    ck_assert_int_eq(pr_segment_read(dir, &place[0], NULL, NULL, &r, &err), PR_OK);
    ck_assert_str_eq(r.id, id);
    pr_record_clear(&r);
    for (int by = -3; by <= 3; by++) {
        wrong = place[0];
        wrong.length = (uint64_t)((int64_t)wrong.length + by);
        ck_assert_int_eq(read_one(0, &wrong), by ? PR_ERR_FORMAT : PR_OK);
        wrong = place[0];
        wrong.offset = (uint64_t)((int64_t)wrong.offset + by);
        ck_assert_int_eq(read_one(0, &wrong), by ? PR_ERR_FORMAT : PR_OK);
    }
    wrong = place[1];
    wrong.length += 1000;
    ck_assert_int_eq(read_one(1, &wrong), PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "but the file ends at"));
    wrong.offset = UINT64_MAX - 5;
    ck_assert_int_eq(read_one(1, &wrong), PR_ERR_FORMAT);
    strcpy(wrong.file, "gone-1-0.seg");
    ck_assert_int_eq(read_one(1, &wrong), PR_ERR_NOT_FOUND);
}
END_TEST

START_TEST(refuses_what_a_record_cannot_hold)
{
    pr_segment_place_t place = {.length = 77};
    pr_segment_writer_t *w = open_writer(0);
    json_t *meta = json_object();
    double x = 1;
    pr_section_t good = {"a", 8, 1, &x}, bad = {"a", 17, 1, &x};
    ck_assert_int_eq(pr_segment_append(w, "", "k", meta, &good, 1, &place, &err), PR_ERR_FORMAT);
    ck_assert_int_eq(pr_segment_append(w, "0123456789012345678901234567890123", "k", meta, &good, 1, &place, &err),
                     PR_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "an id of 34 bytes, expected 1 to 32"));
    ck_assert_int_eq(pr_segment_append(w, "i", "k", meta, &bad, 1, &place, &err), PR_ERR_FORMAT);
    ck_assert_uint_eq(place.length, 77);
    ck_assert_int_eq(count_files(dir), 0);
    ck_assert_int_eq(pr_segment_append(w, "i", "k", meta, &good, 1, &place, &err), PR_OK);
    json_decref(meta);
    pr_segment_writer_close(&w);
}
END_TEST

START_TEST(places_as_json)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"7", "found an integer, expected an object"},
        {"{}", "key 'file': found ''"},
        {"{\"file\":\"../a.seg\",\"offset\":21,\"length\":9}", "key 'file'"},
        {"{\"file\":\"/a.seg\",\"offset\":21,\"length\":9}", "key 'file'"},
        {"{\"file\":\".seg\",\"offset\":21,\"length\":9}", "key 'file'"},
        {"{\"file\":\"..seg\",\"offset\":21,\"length\":9}", "key 'file'"},
        {"{\"file\":\"a.ckpt\",\"offset\":21,\"length\":9}", "key 'file'"},
        {"{\"file\":\"a.seg\",\"offset\":20,\"length\":9}", "found 20 and 9"},
        {"{\"file\":\"a.seg\",\"offset\":21,\"length\":0}", "found 21 and 0"},
        {"{\"file\":\"a.seg\",\"offset\":-21,\"length\":9}", "found -21 and 9"},
        {"{\"file\":\"a.seg\",\"offset\":9223372036854775807,\"length\":1}", "keys 'offset' and 'length'"},
        {"{\"file\":\"a.seg\",\"offset\":\"21\",\"length\":1}", "key 'offset'"},
    };
    pr_segment_place_t place = {"node7-4711-0.seg", 21, 480}, back;
    json_t *value = pr_segment_place_json(&place);
    ck_assert_int_eq(pr_segment_place_parse(value, "here", &back, &err), PR_OK);
    ck_assert(strcmp(back.file, place.file) == 0 && back.offset == 21 && back.length == 480);
    json_decref(value);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(pr_json_parse(bad[i].text, strlen(bad[i].text), "t", &value, &err), PR_OK);
        ck_assert_msg(pr_segment_place_parse(value, "here", &back, &err) == PR_ERR_FORMAT, "%s", bad[i].text);
        ck_assert_msg(strncmp(err.text, "here: ", 6) == 0 && strstr(err.text, bad[i].says), "%s: %s", bad[i].text,
                      err.text);
        json_decref(value);
    }
    ck_assert_int_eq(pr_segment_place_parse(NULL, "here", &back, &err), PR_ERR_FORMAT);
}
END_TEST

/* ---- damage ---- */

START_TEST(a_tail_cut_at_every_byte)
{
    enum { N = 3 };
    pr_segment_place_t place[N];
    size_t len;
    pr_segment_writer_t *w = open_writer(0);
    append_range(w, 0, N, place);
    pr_segment_writer_close(&w);
    char *path = segment_path(&place[0]), *bytes = get_file(path, &len);
    for (size_t cut = 0; cut <= len; cut++) {
        put_file(path, bytes, cut);
        int whole = 0;
        for (int i = 0; i < N; i++)
            whole += place[i].offset + place[i].length <= cut;
        pr_segment_stats_t stats;
        bool found[N];
        ck_assert_int_eq(found_of(N, found, &stats), whole);
        size_t kept = whole ? place[whole - 1].offset + place[whole - 1].length : 21;
        ck_assert_msg(stats.torn == (cut != kept), "cut at %zu: torn %zu", cut, stats.torn);
        ck_assert_uint_eq(stats.damaged, 0);
        for (int i = 0; i < N; i++) {
            ck_assert_int_eq(found[i], i < whole);
            pr_status_t status = read_one(i, &place[i]);
            ck_assert_int_eq(status, i < whole ? PR_OK : PR_ERR_FORMAT);
            ck_assert(status == PR_OK || (strstr(err.text, place[0].file) && strstr(err.text, "offset ")));
        }
    }
    free(bytes);
    free(path);
}
END_TEST

START_TEST(every_byte_changed)
{
    enum { N = 3 };
    pr_segment_place_t place[N];
    size_t len;
    pr_segment_writer_t *w = open_writer(0);
    append_range(w, 0, N, place);
    pr_segment_writer_close(&w);
    char *path = segment_path(&place[0]), *bytes = get_file(path, &len);
    for (size_t at = 0; at < len; at++)
        for (int mask = 1; mask < 256; mask = mask == 1 ? 0x20 : mask == 0x20 ? 0xff : 256) {
            bytes[at] = (char)(bytes[at] ^ mask);
            put_file(path, bytes, len);
            bytes[at] = (char)(bytes[at] ^ mask);
            bool found[N];
            pr_segment_stats_t stats;
            found_of(N, found, &stats);
            for (int i = 0; i < N; i++) {
                bool hit = at >= place[i].offset && at < place[i].offset + place[i].length;
                ck_assert_msg(found[i] == !hit, "byte %zu ^ %#x: record %d", at, (unsigned)mask, i);
                ck_assert_int_eq(read_one(i, &place[i]), hit ? PR_ERR_FORMAT : PR_OK);
            }
            bool last = at >= place[N - 1].offset;
            ck_assert_msg(stats.torn == last && stats.damaged == !last, "byte %zu", at);
        }
    free(bytes);
    free(path);
}
END_TEST

START_TEST(bytes_that_are_no_records)
{
    static const char junk[] = "{\"crc\":\"12345678\",\"id\":\"x\"}\n{\"crc\":\"{\"crc\":\"";
    pr_segment_place_t place[2];
    size_t len;
    pr_segment_stats_t stats;
    pr_segment_writer_t *w = open_writer(0);
    append_range(w, 0, 2, place);
    pr_segment_writer_close(&w);
    char *path = segment_path(&place[0]), *bytes = get_file(path, &len);
    pr_buf_t b = {0};
    pr_buf_add(&b, bytes, place[1].offset);
    pr_buf_add(&b, junk, sizeof junk - 1);
    pr_buf_add(&b, bytes + place[1].offset, place[1].length);
    put_file(path, b.data, b.len);
    ck_assert_int_eq(found_of(2, NULL, &stats), 2); // the second where it is now
    ck_assert(stats.damaged == 1 && stats.torn == 0 && stats.records == 2);
    put_file(in_folder("evaluations/notes.txt"), "x", 1);
    put_file(in_folder("evaluations/empty-1-0.seg"), "", 0);
    ck_assert_int_eq(found_of(2, NULL, &stats), 2);
    ck_assert(stats.files == 2 && stats.torn == 1);
    pr_buf_free(&b);
    free(bytes);
    free(path);
}
END_TEST

/* ---- writers ---- */

START_TEST(a_new_writer_has_a_new_file)
{
    pr_segment_place_t place[6];
    for (int run = 0; run < 3; run++) {
        pr_segment_writer_t *w = open_writer(0);
        append_range(w, 2 * run, 2, &place[2 * run]);
        pr_segment_writer_close(&w);
        ck_assert_int_eq(count_files(dir), run + 1);
    }
    pr_segment_writer_t *a = open_writer(0), *b = open_writer(0); // at once, in one process
    ck_assert_int_eq(append(a, 6, &place[0]), PR_OK);
    ck_assert_int_eq(append(b, 7, &place[1]), PR_OK);
    ck_assert_int_eq(append(a, 8, &place[2]), PR_OK);
    ck_assert_str_eq(place[0].file, place[2].file);
    ck_assert_str_ne(place[0].file, place[1].file);
    pr_segment_writer_close(&a);
    pr_segment_writer_close(&b);
    ck_assert_int_eq(found_of(9, NULL, NULL), 9);
}
END_TEST

static void write_many(int first)
{
    pr_segment_place_t place;
    pr_segment_writer_t *w = open_writer(4000);
    for (int i = first; i < first + 200; i++)
        if (append(w, i, &place) != PR_OK)
            _exit(1);
    pr_segment_writer_close(&w);
}

START_TEST(processes_that_write_at_once)
{
    enum { PROCESSES = 4 };
    pid_t pid[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        pid[i] = start_child(write_many, 200 * i, -1);
    for (int i = 0; i < PROCESSES; i++) {
        int how;
        ck_assert_int_eq(waitpid(pid[i], &how, 0), pid[i]);
        ck_assert_int_eq(how, 0);
    }
    pr_segment_stats_t stats;
    ck_assert_int_eq(found_of(200 * PROCESSES, NULL, &stats), 200 * PROCESSES);
    ck_assert(stats.records == 200 * PROCESSES && stats.torn == 0 && stats.damaged == 0);
    ck_assert_uint_gt(stats.files, 2 * PROCESSES);
}
END_TEST

static int kill_at;
static void append_until_killed(int told)
{
    pr_segment_place_t place;
    pr_segment_writer_t *w = open_writer(0);
    fault = (typeof(fault)){.on = true, .bytes = -1, .most = 100, .kill_at = kill_at};
    for (int i = 0;; i++)
        if (append(w, i, &place) != PR_OK || syscall(SYS_write, told, &i, sizeof i) != sizeof i)
            _exit(1);
}

/* Before each system call of the writer in turn: what it has said to be on disk is found, and nothing in part. */
START_TEST(killed_at_any_moment)
{
    for (kill_at = 1; kill_at <= 40; kill_at++) {
        int told, last = -1, how, ends[2];
        ck_assert_int_eq(pipe(ends), 0);
        pid_t pid = start_child(append_until_killed, ends[1], ends[1]);
        close(ends[1]);
        ck_assert_int_eq(waitpid(pid, &how, 0), pid);
        ck_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
        while (read(ends[0], &told, sizeof told) == sizeof told)
            last = told;
        close(ends[0]);
        int there = found_of(50, NULL, NULL);
        ck_assert_int_ge(there, last + 1);
        ck_assert_int_le(there, last + 2); // one that is whole and was not told of
        remove_folder();
        ck_assert_int_eq(mkdir(folder, 0700), 0);
    }
}
END_TEST

START_TEST(a_file_that_somebody_touched_is_left)
{
    pr_segment_place_t place[4];
    pr_segment_writer_t *w = open_writer(0);
    append_range(w, 0, 1, place);
    char *path = segment_path(&place[0]);
    FILE *f = fopen(path, "ab");
    fputs("other", f);
    fclose(f);
    append_range(w, 1, 1, place + 1);
    ck_assert_str_ne(place[0].file, place[1].file);
    free(path);
    path = segment_path(&place[1]);
    ck_assert_int_eq(unlink(path), 0); // a record in it now would be lost
    append_range(w, 2, 1, place + 2);
    ck_assert_str_ne(place[1].file, place[2].file);
    expect_read(0, &place[0]);
    expect_read(2, &place[2]);
    free(path);
    pr_segment_writer_close(&w);
}
END_TEST

/* ---- a full disk ---- */

START_TEST(a_full_disk_takes_no_part_of_a_record)
{
    pr_segment_place_t place[3], none = {.length = 77};
    pr_segment_writer_t *w = open_writer(0);
    append_range(w, 0, 1, place);
    for (long room = 0; room < (long)place[0].length - 20; room += 3) {
        fault = (typeof(fault)){.on = true, .bytes = room, .most = 50};
        ck_assert_int_eq(append(w, 1, &none), PR_ERR_IO);
        fault.on = false;
        ck_assert_uint_eq(none.length, 77);
        char offset[64];
        snprintf(offset, sizeof offset, "offset %zu: cannot append", (size_t)(place[0].offset + place[0].length));
        ck_assert_msg(strstr(err.text, place[0].file) && strstr(err.text, offset), "%s", err.text);
        char *path = segment_path(&place[0]);
        size_t len;
        free(get_file(path, &len));
        ck_assert_uint_eq(len, place[0].offset + place[0].length); // taken back
        free(path);
    }
    append_range(w, 1, 1, place + 1); // when there is room again, in the same file
    ck_assert_str_eq(place[0].file, place[1].file);
    pr_segment_writer_close(&w);
    ck_assert_int_eq(found_of(2, NULL, NULL), 2);
}
END_TEST

START_TEST(a_first_record_without_room_leaves_no_file)
{
    pr_segment_place_t place;
    pr_segment_writer_t *w = open_writer(0);
    fault = (typeof(fault)){.on = true, .bytes = 30};
    ck_assert_int_eq(append(w, 0, &place), PR_ERR_IO);
    fault.on = false;
    ck_assert_int_eq(count_files(dir), 0);
    append_range(w, 0, 1, &place);
    expect_read(0, &place);
    pr_segment_writer_close(&w);
}
END_TEST

START_TEST(what_cannot_be_taken_back_or_synced_is_left_behind)
{
    pr_segment_place_t place[4];
    pr_segment_stats_t stats;
    pr_segment_writer_t *w = open_writer(0);
    append_range(w, 0, 1, place);
    fault = (typeof(fault)){.on = true, .bytes = 100, .no_truncate = true};
    ck_assert_int_eq(append(w, 1, &place[1]), PR_ERR_IO);
    fault.on = false;
    append_range(w, 1, 1, place + 1);
    ck_assert_str_ne(place[0].file, place[1].file);
    fault = (typeof(fault)){.on = true, .bytes = -1, .no_sync = true};
    ck_assert_int_eq(append(w, 2, &place[2]), PR_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot sync"));
    fault.on = false;
    append_range(w, 2, 1, place + 2);
    ck_assert_str_ne(place[1].file, place[2].file);
    pr_segment_writer_close(&w);
    ck_assert_int_eq(found_of(3, NULL, &stats), 3);
    ck_assert(stats.records == 3 && stats.torn == 1 && stats.damaged == 0);
}
END_TEST

START_TEST(a_directory_that_cannot_be)
{
    pr_segment_writer_t *w = NULL;
    pr_segment_stats_t stats = {.files = 7};
    put_file(in_folder("file"), "x", 1);
    ck_assert_int_eq(pr_segment_writer_open(in_folder("file/below"), 0, &w, &err), PR_ERR_IO);
    ck_assert_ptr_null(w);
    ck_assert_int_eq(found_of(1, NULL, &stats), 0); // a directory that is not there has no segments
    ck_assert_uint_eq(stats.files, 0);
    pr_segment_place_t place;
    w = open_writer(0);
    ck_assert_int_eq(rmdir(dir), 0);
    ck_assert_int_eq(append(w, 0, &place), PR_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "cannot make it"));
    pr_segment_writer_close(&w);
}
END_TEST

/* ---- many ---- */

static pr_status_t count_up(void *self, const char *id, const char *kind, const json_t *meta,
                            const pr_segment_place_t *place, pr_error_t *e)
{
    (void)id, (void)kind, (void)meta, (void)place;
    size_t *left = self;
    return (*left)-- > 1 ? PR_OK : pr_fail(e, PR_ERR_INTERRUPTED, "enough");
}

START_TEST(a_hundred_thousand_records_in_few_files)
{
    enum { N = 100000 };
    pr_segment_place_t *place = pr_alloc(N, sizeof *place);
    pr_segment_writer_t *w = open_writer(8 << 20);
    fault = (typeof(fault)){.on = true, .bytes = -1, .skip_sync = true};
    append_range(w, 0, N, place);
    fault.on = false;
    pr_segment_writer_close(&w);
    int files = count_files(dir);
    ck_assert_int_gt(files, 2);
    ck_assert_int_lt(files, 20);
    for (int i = 0; i < N; i += 997)
        expect_read(i, &place[i]);
    pr_segment_stats_t stats;
    pr_segment_index_t *x = NULL;
    ck_assert_int_eq(pr_segment_index_open(dir, &x, &stats, &err), PR_OK);
    ck_assert(stats.records == N && stats.files == (size_t)files && stats.torn == 0 && stats.damaged == 0);
    for (int i = 0; i < N; i++) {
        pr_segment_place_t found;
        char id[PR_SEGMENT_ID];
        id_of(i, id);
        ck_assert(pr_segment_index_find(x, id, "evaluate", &found));
        ck_assert(strcmp(found.file, place[i].file) == 0 && found.offset == place[i].offset &&
                  found.length == place[i].length);
        ck_assert(!pr_segment_index_find(x, id, "other", &found));
    }
    pr_segment_index_close(&x);
    size_t left = 5;
    ck_assert_int_eq(pr_segment_scan(dir, count_up, &left, &stats, &err), PR_ERR_INTERRUPTED);
    ck_assert_uint_eq(stats.records, 5);
    free(place);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("segment");
    TCase *tcase = tcase_create("segment");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, reads_what_was_appended);
    tcase_add_test(tcase, the_header_is_readable);
    tcase_add_test(tcase, another_id_kind_or_place_is_refused);
    tcase_add_test(tcase, refuses_what_a_record_cannot_hold);
    tcase_add_test(tcase, places_as_json);
    tcase_add_test(tcase, a_tail_cut_at_every_byte);
    tcase_add_test(tcase, every_byte_changed);
    tcase_add_test(tcase, bytes_that_are_no_records);
    tcase_add_test(tcase, a_new_writer_has_a_new_file);
    tcase_add_test(tcase, processes_that_write_at_once);
    tcase_add_test(tcase, killed_at_any_moment);
    tcase_add_test(tcase, a_file_that_somebody_touched_is_left);
    tcase_add_test(tcase, a_full_disk_takes_no_part_of_a_record);
    tcase_add_test(tcase, a_first_record_without_room_leaves_no_file);
    tcase_add_test(tcase, what_cannot_be_taken_back_or_synced_is_left_behind);
    tcase_add_test(tcase, a_directory_that_cannot_be);
    tcase_add_test(tcase, a_hundred_thousand_records_in_few_files);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
