// SPDX-License-Identifier: BSD-3-Clause
#include "store/journal.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/hold.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
    CRC_TAIL = 18, // ,"crc":"1a2b3c4d"}
    READ_BLOCK = 1 << 18,
    MAX_LINE = 64 << 20
};

struct pr_journal {
    char *path;
    int fd;
    bool torn; // the file does not end in a newline
};

// ---- writing ----

/* Whether there is content and its last byte is not a newline; -1 with errno set when that cannot be known. */
static int ends_torn(int fd)
{
    struct stat st;
    char last;
    if (fstat(fd, &st) != 0)
        return -1;
    if (!S_ISREG(st.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    if (st.st_size == 0)
        return 0;
    ssize_t n = pread(fd, &last, 1, st.st_size - 1);
    return n == 1 ? last != '\n' : -1;
}

pr_status_t pr_journal_open(const char *path, pr_journal_t **out, pr_error_t *err)
{
    bool fresh = !pr_file_exists(path);
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    int torn = fd < 0 ? -1 : ends_torn(fd);
    if (torn < 0) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return pr_fail(err, PR_ERR_IO, "%s: cannot open the journal for appending: %s", path, strerror(error));
    }
    if (fresh)
        pr_sync_dir_of(path);
    pr_journal_t *j = pr_alloc(1, sizeof *j);
    j->path = pr_strdup(path);
    j->fd = fd;
    j->torn = torn;
    *out = j;
    return PR_OK;
}

void pr_journal_close(pr_journal_t **j)
{
    if (!*j)
        return;
    close((*j)->fd);
    free((*j)->path);
    free(*j);
    *j = NULL;
}

/* Closes the line that starts at `start` in b with its crc. */
static void add_crc(pr_buf_t *b, size_t start)
{
    pr_buf_puts(b, "}");
    uint32_t crc = pr_crc32(b->data + start, b->len - start);
    b->len--;
    pr_buf_printf(b, ",\"crc\":\"%08x\"}\n", crc);
}

static void build_line(pr_buf_t *b, const char *event, const json_t *fields)
{
    size_t start = b->len;
    json_t *name = json_string(event);
    assert(name && "an event is valid UTF-8");
    char *quoted = pr_json_canonical(name);
    pr_buf_printf(b, "{\"t\":%.6f,\"event\":%s", pr_time_wall(), quoted);
    if (json_object_size(fields) > 0) {
        char *text = pr_json_canonical(fields);
        assert(text && "fields hold what JSON can hold");
        pr_buf_puts(b, ",");
        pr_buf_add(b, text + 1, strlen(text) - 2); // without its braces
        free(text);
    }
    add_crc(b, start);
    free(quoted);
    json_decref(name);
}

/* Writes the bytes at the end of the file, or takes back the part that got there. */
static pr_status_t append_bytes(pr_journal_t *j, const pr_buf_t *b, pr_error_t *err)
{
    off_t before = lseek(j->fd, 0, SEEK_END);
    if (before >= 0 && pr_fd_write(j->fd, b->data, b->len) == 0) {
        j->torn = false;
        return PR_OK;
    }
    int error = errno;
    if (before >= 0 && ftruncate(j->fd, before) != 0)
        j->torn = true;
    return pr_fail(err, PR_ERR_IO, "%s: cannot append to the journal: %s", j->path, strerror(error));
}

pr_status_t pr_journal_append(pr_journal_t *j, const char *event, const json_t *fields, bool sync, pr_error_t *err)
{
    assert(!fields || json_is_object(fields));
    assert(!json_object_get(fields, "t") && !json_object_get(fields, "event") && !json_object_get(fields, "crc"));
    pr_buf_t b = {0};
    if (j->torn)
        pr_buf_puts(&b, "\n");
    build_line(&b, event, fields);
    pr_status_t status = append_bytes(j, &b, err);
    pr_buf_free(&b);
    PR_TRY(status);
    if (sync && fdatasync(j->fd) != 0)
        return pr_fail(err, PR_ERR_IO, "%s: cannot sync the journal: %s", j->path, strerror(errno));
    pr_hold_at("journal", event, NULL, NULL);
    return PR_OK;
}

// ---- reading ----

/* The object of one line (without its newline), or NULL when it is damaged. */
static json_t *parse_line(const char *line, size_t len)
{
    char tail[CRC_TAIL + 1];
    if (len <= CRC_TAIL)
        return NULL;
    size_t body = len - CRC_TAIL;
    unsigned long crc = crc32_z(pr_crc32(line, body), (const Bytef *)"}", 1);
    snprintf(tail, sizeof tail, ",\"crc\":\"%08lx\"}", crc);
    json_t *value = NULL;
    if (memcmp(line + body, tail, CRC_TAIL) != 0 || pr_json_parse(line, len, "journal", &value, NULL) != PR_OK)
        return NULL;
    if (json_is_number(json_object_get(value, "t")) && json_is_string(json_object_get(value, "event")))
        return value;
    json_decref(value);
    return NULL;
}

typedef struct pr_reader {
    pr_journal_fn fn;
    void *self;
    pr_error_t *err;
    pr_journal_stats_t stats;
    char *buf;       // the bytes of the line that is not whole yet
    size_t len, cap; // bytes in it
    size_t scanned;  // of which so many hold no newline
    bool skipping;   // within a line that is too long
    bool last;       // what is read now has no newline
} pr_reader_t;

/* What a tool that converts text puts around lines is not the line's. */
static void strip(bool first, const char **line, size_t *len)
{
    static const char mark[] = "\xEF\xBB\xBF";
    if (first && *len >= 3 && memcmp(*line, mark, 3) == 0) {
        *line += 3;
        *len -= 3;
    }
    if (*len > 0 && (*line)[*len - 1] == '\r')
        (*len)--;
}

static pr_status_t take_line(pr_reader_t *r, const char *line, size_t len)
{
    size_t number = r->stats.lines + r->stats.skipped + 1;
    strip(number == 1, &line, &len);
    json_t *value = r->skipping || len > MAX_LINE ? NULL : parse_line(line, len);
    r->skipping = false;
    if (!value) {
        if (r->stats.skipped < PR_JOURNAL_NAMED)
            r->stats.damaged[r->stats.skipped] = number;
        r->stats.skipped++;
        r->stats.torn = r->last;
        return PR_OK;
    }
    r->stats.lines++;
    const char *event = json_string_value(json_object_get(value, "event"));
    pr_status_t status = r->fn ? r->fn(r->self, event, value, r->err) : PR_OK;
    json_decref(value);
    return status;
}

/* Hands on the whole lines in the buffer and moves what is left to its front. */
static pr_status_t take_lines(pr_reader_t *r)
{
    size_t start = 0;
    for (char *nl; (nl = memchr(r->buf + r->scanned, '\n', r->len - r->scanned));) {
        size_t end = (size_t)(nl - r->buf);
        PR_TRY(take_line(r, r->buf + start, end - start));
        r->scanned = start = end + 1;
    }
    memmove(r->buf, r->buf + start, r->len - start);
    r->len -= start;
    if (r->len > MAX_LINE)
        r->skipping = true;
    if (r->skipping)
        r->len = 0;
    r->scanned = r->len;
    return PR_OK;
}

static pr_status_t read_all(pr_reader_t *r, int fd, const char *path)
{
    for (;;) {
        if (r->cap - r->len < READ_BLOCK) {
            r->cap = 2 * r->cap + READ_BLOCK;
            r->buf = pr_realloc(r->buf, r->cap, 1);
        }
        ssize_t n = read(fd, r->buf + r->len, r->cap - r->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pr_fail(r->err, PR_ERR_NOT_FOUND, "%s: cannot read the journal: %s", path, strerror(errno));
        r->last = n == 0;
        if (n == 0)
            return r->len > 0 || r->skipping ? take_line(r, r->buf, r->len) : PR_OK;
        r->len += (size_t)n;
        PR_TRY(take_lines(r));
    }
}

pr_status_t pr_journal_read(const char *path, pr_journal_fn fn, void *self, pr_journal_stats_t *stats, pr_error_t *err)
{
    pr_reader_t r = {.fn = fn, .self = self, .err = err};
    pr_status_t status = PR_OK;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)))
        status = pr_fail(err, PR_ERR_NOT_FOUND, "%s: the journal is not a regular file", path);
    else if (fd >= 0)
        status = read_all(&r, fd, path);
    else if (errno != ENOENT)
        status = pr_fail(err, PR_ERR_NOT_FOUND, "%s: cannot open the journal: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(r.buf);
    if (stats)
        *stats = r.stats;
    return status;
}

void pr_journal_keep(json_t **kept, const json_t *value)
{
    json_decref(*kept);
    *kept = json_incref((json_t *)(uintptr_t)value);
}

/* "lines 3, 7 and 9", "lines 1, 2, ... and 8, and 4 more". */
static void name_lines(const pr_journal_stats_t *s, size_t n, pr_buf_t *b)
{
    size_t named = n < PR_JOURNAL_NAMED ? n : PR_JOURNAL_NAMED;
    pr_buf_puts(b, n == 1 ? "line " : "lines ");
    for (size_t i = 0; i < named; i++)
        pr_buf_printf(b, "%s%zu", i == 0 ? "" : i + 1 == named ? " and " : ", ", s->damaged[i]);
    if (n > named)
        pr_buf_printf(b, ", and %zu more", n - named);
}

void pr_journal_damage(const pr_journal_stats_t *s, char *out, size_t size)
{
    pr_buf_t b = {0};
    size_t whole = s->skipped - s->torn, last = s->lines + s->skipped;
    pr_buf_puts(&b, "");
    if (whole > 0) {
        pr_buf_printf(&b, "%zu line%s damaged (", whole, whole == 1 ? "" : "s");
        name_lines(s, whole, &b);
        pr_buf_puts(&b, ")");
    }
    if (s->torn)
        pr_buf_printf(&b, "%sits last line is cut short (line %zu)", whole ? ", and " : "", last);
    snprintf(out, size, "%s", b.data);
    pr_buf_free(&b);
}
