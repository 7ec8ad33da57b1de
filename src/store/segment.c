// SPDX-License-Identifier: BSD-3-Clause
#include "store/segment.h"
#include "base/file.h"
#include "base/mem.h"
#include "store/layout.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "paretorank segment 1\n"
#define MAGIC_LEN (sizeof MAGIC - 1)
#define ENDING PR_END_SEGMENT

/* ---- places ---- */

/* Is it the name of a segment, and of nothing elsewhere? */
static bool is_segment(const char *name)
{
    size_t len = strlen(name), ending = sizeof ENDING - 1;
    return len > ending && len < PR_SEGMENT_FILE && name[0] != '.' && !strchr(name, '/') &&
           strcmp(name + len - ending, ENDING) == 0;
}

json_t *pr_segment_place_json(const pr_segment_place_t *p)
{
    json_t *value =
        json_pack("{s:s, s:I, s:I}", "file", p->file, "offset", (json_int_t)p->offset, "length", (json_int_t)p->length);
    assert(value && "a segment's name is ASCII");
    return value;
}

pr_status_t pr_segment_place_parse(const json_t *value, const char *where, pr_segment_place_t *out, pr_error_t *err)
{
    const char *file;
    int64_t offset, length;
    if (!json_is_object(value))
        return pr_fail(err, PR_ERR_FORMAT, "%s: found %s, expected an object with file, offset and length", where,
                       value ? pr_json_type_name(value) : "nothing");
    PR_TRY(pr_json_get_string(value, "file", "", &file, where, err));
    PR_TRY(pr_json_get_int(value, "offset", -1, &offset, where, err));
    PR_TRY(pr_json_get_int(value, "length", -1, &length, where, err));
    if (!is_segment(file))
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: key 'file': found '%.100s', expected the name of a segment (*" ENDING ")", where, file);
    if (offset < (int64_t)MAGIC_LEN || length < 1 || offset > INT64_MAX - length)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: keys 'offset' and 'length': found %lld and %lld, expected %zu or more and 1 or more", where,
                       (long long)offset, (long long)length, MAGIC_LEN);
    snprintf(out->file, sizeof out->file, "%s", file);
    out->offset = (uint64_t)offset;
    out->length = (uint64_t)length;
    return PR_OK;
}

/* ---- writing ---- */

struct pr_segment_writer {
    char *dir;
    char *path; // of the open file
    char file[PR_SEGMENT_FILE];
    uint64_t limit, size; // size: bytes of the open file that are records on disk
    long count;           // files that were made
    int fd;               // -1: none
};

pr_status_t pr_segment_writer_open(const char *dir, uint64_t limit, pr_segment_writer_t **out, pr_error_t *err)
{
    PR_TRY(pr_mkdirs(dir, err));
    pr_segment_writer_t *w = pr_alloc(1, sizeof *w);
    w->dir = pr_strdup(dir);
    w->limit = limit ? limit : PR_SEGMENT_LIMIT;
    w->fd = -1;
    *out = w;
    return PR_OK;
}

/* The next record goes into a new file. */
static void leave_file(pr_segment_writer_t *w)
{
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    w->size = 0;
    free(w->path);
    w->path = NULL;
}

void pr_segment_writer_close(pr_segment_writer_t **w)
{
    if (!*w)
        return;
    leave_file(*w);
    free((*w)->dir);
    free(*w);
    *w = NULL;
}

/* The host's name as a part of a file name. */
static void host_part(char *out, size_t size)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    size_t n = strcspn(host, ".");
    n = n < size ? n : size - 1;
    for (size_t i = 0; i < n; i++) {
        bool plain = (host[i] >= 'a' && host[i] <= 'z') || (host[i] >= 'A' && host[i] <= 'Z') ||
                     (host[i] >= '0' && host[i] <= '9') || host[i] == '-';
        out[i] = plain ? host[i] : '_';
    }
    out[n] = 0;
    if (n == 0)
        snprintf(out, size, "host");
}

/* Makes a file that was not there before, however many processes of whatever machines do so at once. */
static pr_status_t make_file(pr_segment_writer_t *w, pr_error_t *err)
{
    char host[49];
    host_part(host, sizeof host);
    for (;;) {
        snprintf(w->file, sizeof w->file, "%s-%ld-%ld" ENDING, host, (long)getpid(), w->count++);
        w->path = pr_path_join(w->dir, w->file);
        w->fd = open(w->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
        if (w->fd >= 0)
            break;
        int error = errno;
        if (error != EEXIST) {
            pr_status_t status = pr_fail(err, PR_ERR_IO, "%s: cannot make it: %s", w->path, strerror(error));
            leave_file(w);
            return status;
        }
        free(w->path);
    }
    pr_sync_dir_of(w->path);
    return PR_OK;
}

/* Is the open file there, and as this writer left it? */
static bool is_ours(const pr_segment_writer_t *w)
{
    struct stat st;
    return fstat(w->fd, &st) == 0 && st.st_nlink > 0 && (uint64_t)st.st_size == w->size;
}

/* Writes at the end of the file and syncs; takes back what got there when it is not all. A file that a sync failed for
 * is left: what the kernel still holds of it is not known. */
static pr_status_t append_bytes(pr_segment_writer_t *w, const char *bytes, size_t len, pr_error_t *err)
{
    bool whole = pr_fd_write(w->fd, bytes, len) == 0;
    if (whole && fdatasync(w->fd) == 0) {
        w->size += len;
        return PR_OK;
    }
    pr_status_t status = pr_fail(err, PR_ERR_IO, "%s: offset %" PRIu64 ": cannot %s %zu bytes: %s", w->path, w->size,
                                 whole ? "sync" : "append", len, strerror(errno));
    if (w->size == 0)
        unlink(w->path);
    else if (ftruncate(w->fd, (off_t)w->size) == 0 && !whole)
        return status;
    leave_file(w);
    return status;
}

static pr_status_t append_record(pr_segment_writer_t *w, const char *bytes, size_t len, pr_segment_place_t *place,
                                 pr_error_t *err)
{
    size_t lead = MAGIC_LEN; // of a new file; the bytes begin with it
    if (w->fd >= 0 && (w->size >= w->limit || !is_ours(w)))
        leave_file(w);
    if (w->fd < 0)
        PR_TRY(make_file(w, err));
    else {
        bytes += lead;
        len -= lead;
        lead = 0;
    }
    pr_segment_place_t at = {.offset = w->size + lead, .length = len - lead};
    memcpy(at.file, w->file, sizeof at.file);
    PR_TRY(append_bytes(w, bytes, len, err));
    *place = at;
    return PR_OK;
}

pr_status_t pr_segment_append(pr_segment_writer_t *w, const char *id, const char *kind, const json_t *meta,
                              const pr_section_t *sections, size_t n, pr_segment_place_t *place, pr_error_t *err)
{
    size_t len = strlen(id), start;
    pr_buf_t body = {0};
    if (len < 1 || len >= PR_SEGMENT_ID)
        return pr_fail(err, PR_ERR_FORMAT, "%s: an id of %zu bytes, expected 1 to %d", w->dir, len, PR_SEGMENT_ID - 1);
    pr_record_what_t what = {.lead = MAGIC, .kind = kind, .id = id, .meta = meta, .section = sections, .n = n};
    pr_status_t status = pr_record_pack(w->dir, &what, &body, &start, err);
    if (status == PR_OK)
        status = append_record(w, body.data + start, body.len - start, place, err);
    pr_buf_free(&body);
    return status;
}

/* ---- reading one record ---- */

/* Opens a segment to be read at a place. */
static pr_status_t open_at(const char *path, const pr_segment_place_t *place, pr_record_input_t *in, pr_error_t *err)
{
    struct stat st;
    uint64_t end = place->offset + place->length;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    pr_status_t status = PR_OK;
    if (fd < 0)
        return pr_fail(err, PR_ERR_NOT_FOUND, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        PR_GO(pr_fail(err, PR_ERR_NOT_FOUND, "%s: not a regular file", path));
    if (end < place->offset || (uint64_t)st.st_size < end)
        PR_GO(pr_fail(err, PR_ERR_FORMAT,
                      "%s: offset %" PRIu64 ": a record of %" PRIu64 " bytes, but the file ends at %lld", path,
                      place->offset, place->length, (long long)st.st_size));
    if (lseek(fd, (off_t)place->offset, SEEK_SET) < 0 || !(in->f = fdopen(fd, "rb")))
        PR_GO(pr_fail(err, PR_ERR_NOT_FOUND, "%s: cannot read: %s", path, strerror(errno)));
    in->path = path;
    in->at = (size_t)place->offset;
    in->size = (size_t)end;
done:
    if (status != PR_OK)
        close(fd);
    return status;
}

static pr_status_t read_at(const char *path, const pr_segment_place_t *place, const char *id, const char *kind,
                           pr_record_t *out, pr_error_t *err)
{
    pr_record_input_t in = {0};
    PR_TRY(open_at(path, place, &in, err));
    pr_status_t status = pr_record_read(&in, "record", kind, out, err);
    fclose(in.f);
    if (status == PR_OK && id && (!out->id || strcmp(out->id, id) != 0)) {
        status =
            pr_fail(err, PR_ERR_FORMAT, "%s: offset %" PRIu64 ": found the record of '%.40s', expected that of '%.40s'",
                    path, place->offset, out->id ? out->id : "", id);
        pr_record_clear(out);
    }
    return status;
}

pr_status_t pr_segment_read(const char *dir, const pr_segment_place_t *place, const char *id, const char *kind,
                            pr_record_t *out, pr_error_t *err)
{
    *out = (pr_record_t){0};
    char *path = pr_path_join(dir, place->file);
    pr_status_t status = read_at(path, place, id, kind, out, err);
    free(path);
    return status;
}

/* ---- reading all ---- */

typedef struct scan {
    pr_segment_fn fn;
    void *self;
    pr_segment_stats_t stats;
    pr_segment_place_t place;
    const char *path;
} scan_t;

/* Tells of the whole record at `at`, if there is one; *len: its bytes, else 0. */
static pr_status_t scan_record(scan_t *s, char *data, size_t size, size_t at, size_t *len, pr_error_t *err)
{
    json_t *header = NULL;
    *len = 0;
    if (pr_record_verify(s->path, at, data + at, size - at, &header, len, NULL) != PR_OK)
        return PR_OK;
    const json_t *id = json_object_get(header, "id");
    pr_status_t status = PR_OK;
    size_t id_len = json_string_length(id);
    if (id_len < 1 || id_len >= PR_SEGMENT_ID) { // a record, but none that a segment holds
        *len = 0;
    } else {
        s->stats.records++;
        s->place.offset = at;
        s->place.length = *len;
        status = s->fn(s->self, json_string_value(id), json_string_value(json_object_get(header, "kind")),
                       json_object_get(header, "meta"), &s->place, err);
    }
    json_decref(header);
    return status;
}

/* Where the next record may begin, after `at`; size where none does. */
static size_t next_head(const char *data, size_t size, size_t at)
{
    const char *next = memmem(data + at, size - at, PR_RECORD_HEAD, sizeof PR_RECORD_HEAD - 1);
    return next ? (size_t)(next - data) : size;
}

static pr_status_t scan_bytes(scan_t *s, char *data, size_t size, pr_error_t *err)
{
    bool lost = size < MAGIC_LEN || memcmp(data, MAGIC, MAGIC_LEN) != 0; // since the last whole record
    for (size_t at = lost ? next_head(data, size, 0) : MAGIC_LEN, len; at < size;) {
        PR_TRY(scan_record(s, data, size, at, &len, err));
        s->stats.damaged += lost && len > 0;
        lost = len == 0;
        at = lost ? next_head(data, size, at + 1) : at + len;
    }
    s->stats.torn += lost;
    return PR_OK;
}

static pr_status_t scan_file(scan_t *s, const char *dir, const char *name, pr_error_t *err)
{
    char *path = pr_path_join(dir, name), *data = NULL;
    size_t size = 0;
    snprintf(s->place.file, sizeof s->place.file, "%s", name);
    s->path = path;
    s->stats.files++;
    pr_status_t status = pr_file_read(path, 0, &data, &size, err);
    if (status == PR_OK)
        status = scan_bytes(s, data, size, err);
    free(data);
    free(path);
    return status;
}

pr_status_t pr_segment_scan(const char *dir, pr_segment_fn fn, void *self, pr_segment_stats_t *stats, pr_error_t *err)
{
    char **names;
    size_t n;
    scan_t s = {.fn = fn, .self = self};
    PR_TRY(pr_dir_names(dir, &names, &n, err));
    pr_status_t status = PR_OK;
    for (size_t i = 0; i < n; i++) {
        if (status == PR_OK && is_segment(names[i]))
            status = scan_file(&s, dir, names[i], err);
        free(names[i]);
    }
    free(names);
    if (stats)
        *stats = s.stats;
    return status;
}

/* ---- the index ---- */

typedef struct entry {
    char id[PR_SEGMENT_ID];
    unsigned short kind; // in kinds
    uint32_t file;       // in files
    uint64_t offset, length;
} entry_t;

struct pr_segment_index {
    entry_t *entry; // by id, then kind, then place
    size_t n, room;
    char **files, **kinds;
    size_t n_files, n_kinds;
};

static size_t name_in(char ***list, size_t *n, const char *name)
{
    for (size_t i = *n; i-- > 0;)
        if (strcmp((*list)[i], name) == 0)
            return i;
    *list = pr_realloc(*list, *n + 1, sizeof **list);
    (*list)[*n] = pr_strdup(name);
    return (*n)++;
}

static pr_status_t add_entry(void *self, const char *id, const char *kind, const json_t *meta,
                             const pr_segment_place_t *place, pr_error_t *err)
{
    (void)meta;
    pr_segment_index_t *x = self;
    if (x->n == x->room) {
        x->room = x->room ? 2 * x->room : 64;
        x->entry = pr_realloc(x->entry, x->room, sizeof *x->entry);
    }
    size_t k = name_in(&x->kinds, &x->n_kinds, kind);
    if (k > USHRT_MAX)
        return pr_fail(err, PR_ERR_FORMAT, "%s: offset %" PRIu64 ": more than %d kinds of records", place->file,
                       place->offset, USHRT_MAX);
    // Files come in order, so that the last one is this one or none is.
    bool same = x->n_files > 0 && strcmp(x->files[x->n_files - 1], place->file) == 0;
    if (!same) {
        x->files = pr_realloc(x->files, x->n_files + 1, sizeof *x->files);
        x->files[x->n_files++] = pr_strdup(place->file);
    }
    entry_t *e = &x->entry[x->n++];
    *e = (entry_t){.kind = (unsigned short)k,
                   .file = (uint32_t)(x->n_files - 1),
                   .offset = place->offset,
                   .length = place->length};
    snprintf(e->id, sizeof e->id, "%s", id);
    return PR_OK;
}

static int compare(const entry_t *a, const char *id, size_t kind)
{
    int c = strcmp(a->id, id);
    return c ? c : (a->kind > kind) - (a->kind < kind);
}

static int by_id(const void *a, const void *b)
{
    const entry_t *p = a, *q = b;
    int c = compare(p, q->id, q->kind);
    if (c)
        return c;
    if (p->file != q->file)
        return p->file < q->file ? -1 : 1;
    return (p->offset > q->offset) - (p->offset < q->offset);
}

pr_status_t pr_segment_index_open(const char *dir, pr_segment_index_t **out, pr_segment_stats_t *stats, pr_error_t *err)
{
    pr_segment_index_t *x = pr_alloc(1, sizeof *x);
    pr_status_t status = pr_segment_scan(dir, add_entry, x, stats, err);
    if (status != PR_OK) {
        pr_segment_index_close(&x);
        return status;
    }
    if (x->n > 0)
        qsort(x->entry, x->n, sizeof *x->entry, by_id);
    *out = x;
    return PR_OK;
}

bool pr_segment_index_find(const pr_segment_index_t *x, const char *id, const char *kind, pr_segment_place_t *place)
{
    size_t k = 0, low = 0, high = x->n;
    while (k < x->n_kinds && strcmp(x->kinds[k], kind) != 0)
        k++;
    while (low < high) { // the first that is not before it
        size_t middle = low + (high - low) / 2;
        if (compare(&x->entry[middle], id, k) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == x->n || compare(&x->entry[low], id, k) != 0)
        return false;
    const entry_t *e = &x->entry[low];
    *place = (pr_segment_place_t){.offset = e->offset, .length = e->length};
    snprintf(place->file, sizeof place->file, "%s", x->files[e->file]);
    return true;
}

void pr_segment_index_close(pr_segment_index_t **index)
{
    pr_segment_index_t *x = *index;
    if (!x)
        return;
    for (size_t i = 0; i < x->n_files; i++)
        free(x->files[i]);
    for (size_t i = 0; i < x->n_kinds; i++)
        free(x->kinds[i]);
    free(x->files);
    free(x->kinds);
    free(x->entry);
    free(x);
    *index = NULL;
}
