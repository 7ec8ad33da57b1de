// SPDX-License-Identifier: BSD-3-Clause
#include "store/record.h"
#include "base/hash.h"
#include "base/mem.h"
#include "store/pack.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CRC_HEAD 18 // {"crc":"1a2b3c4d",

enum { MAX_ELEM = 16, MAX_HEADER = 16 << 20 };

typedef struct pr_stored {
    size_t bytes;
    uint32_t crc, stored_crc;
} pr_stored_t;

static void hex8(uint32_t crc, char out[9])
{
    snprintf(out, 9, "%08x", crc);
}

// ---- packing ----

static json_t *section_entry(const pr_section_t *s, const pr_stored_t *stored)
{
    char crc[9], stored_crc[9];
    hex8(stored->crc, crc);
    hex8(stored->stored_crc, stored_crc);
    return json_pack("{s:s, s:I, s:I, s:I, s:s, s:s}", "name", s->name, "elem", (json_int_t)s->elem, "count",
                     (json_int_t)s->count, "stored", (json_int_t)stored->bytes, "crc", crc, "stored_crc", stored_crc);
}

/* The header line, after the lead. */
static pr_buf_t build_header(const pr_record_what_t *w, const pr_stored_t *stored)
{
    pr_buf_t b = {0};
    char crc[9];
    json_t *list = json_array(), *copy = json_deep_copy(w->meta);
    for (size_t i = 0; i < w->n; i++)
        json_array_append_new(list, section_entry(&w->section[i], &stored[i]));
    json_t *header = json_pack("{s:s, s:s*, s:o, s:o}", "kind", w->kind, "id", w->id, "meta", copy, "sections", list);
    assert(header && "kind, id and meta are valid UTF-8");
    char *text = pr_json_canonical(header);
    hex8(pr_crc32(text, strlen(text)), crc);
    pr_buf_printf(&b, "%s" PR_RECORD_HEAD "%s\",", w->lead, crc);
    pr_buf_puts(&b, text + 1);
    pr_buf_puts(&b, "\n");
    free(text);
    json_decref(header);
    return b;
}

static pr_status_t check_section(const char *path, const pr_section_t *s, json_t *seen, pr_error_t *err)
{
    if (!memchr(s->name, 0, sizeof s->name) || !s->name[0])
        return pr_fail(err, PR_ERR_FORMAT, "%s: a section's name has 1 to %zu bytes", path, sizeof s->name - 1);
    if (json_object_get(seen, s->name))
        return pr_fail(err, PR_ERR_FORMAT, "%s: section '%s' is given twice", path, s->name);
    if (json_object_set_new(seen, s->name, json_true()) != 0)
        return pr_fail(err, PR_ERR_FORMAT, "%s: section '%s': the name is not valid UTF-8", path, s->name);
    if (s->elem < 1 || s->elem > MAX_ELEM || s->count > (size_t)INT64_MAX / s->elem)
        return pr_fail(err, PR_ERR_FORMAT, "%s: section '%s': %zu elements of %zu bytes; expected 1 to %d bytes", path,
                       s->name, s->count, s->elem, MAX_ELEM);
    return PR_OK;
}

static pr_status_t check_sections(const char *path, const pr_section_t *sections, size_t n, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    json_t *seen = json_object();
    for (size_t i = 0; i < n && status == PR_OK; i++)
        status = check_section(path, &sections[i], seen, err);
    json_decref(seen);
    return status;
}

static void pack_section(const pr_section_t *s, pr_stored_t *stored, pr_buf_t *body)
{
    size_t start = body->len;
    pr_pack(s->data, s->elem, s->count, body);
    stored->bytes = body->len - start;
    stored->crc = pr_crc32(s->data, s->elem * s->count);
    stored->stored_crc = pr_crc32(body->data + start, stored->bytes);
}

/* Puts the header right before the body, into the room that was kept for it, so that one buffer serves for all. */
static pr_status_t put_header(const char *path, const pr_record_what_t *w, const pr_stored_t *stored, size_t room,
                              pr_buf_t *body, size_t *start, pr_error_t *err)
{
    pr_buf_t header = build_header(w, stored);
    pr_status_t status = PR_OK;
    assert(header.len <= room);
    if (header.len > MAX_HEADER)
        status = pr_fail(err, PR_ERR_FORMAT, "%s: a header of %zu bytes; at most %d", path, header.len, MAX_HEADER);
    *start = room - header.len;
    memcpy(body->data + *start, header.data, header.len);
    pr_buf_free(&header);
    return status;
}

pr_status_t pr_record_pack(const char *path, const pr_record_what_t *w, pr_buf_t *body, size_t *start, pr_error_t *err)
{
    assert(json_is_object(w->meta) && body->len == 0);
    PR_TRY(check_sections(path, w->section, w->n, err));
    pr_stored_t *stored = pr_alloc(w->n, sizeof *stored);
    for (size_t i = 0; i < w->n; i++)
        stored[i].bytes = INT64_MAX; // no header is longer than one with these
    pr_buf_t longest = build_header(w, stored);
    size_t room = longest.len;
    pr_buf_add(body, longest.data, room);
    for (size_t i = 0; i < w->n; i++)
        pack_section(&w->section[i], &stored[i], body);
    pr_status_t status = put_header(path, w, stored, room, body, start, err);
    pr_buf_free(&longest);
    free(stored);
    return status;
}

// ---- reading ----

/* The bytes of the header line, without its newline. */
static pr_status_t read_header_line(pr_record_input_t *in, pr_buf_t *line, pr_error_t *err)
{
    for (int c; (c = getc(in->f)) != '\n';) {
        if (c == EOF && ferror(in->f))
            return pr_fail(err, PR_ERR_NOT_FOUND, "%s: cannot read: %s", in->path, strerror(errno));
        if (c == EOF || in->at + line->len >= in->size)
            return pr_fail(err, PR_ERR_FORMAT, "%s: offset %zu: the file ends within its header", in->path,
                           in->at + line->len);
        if (line->len >= MAX_HEADER)
            return pr_fail(err, PR_ERR_FORMAT, "%s: the header has no end within %d bytes", in->path, MAX_HEADER);
        char byte = (char)c;
        pr_buf_add(line, &byte, 1);
    }
    in->at += line->len + 1;
    return PR_OK;
}

/* line: without its newline; changed. */
static pr_status_t parse_header(const char *path, size_t at, char *line, size_t len, json_t **header, pr_error_t *err)
{
    char crc[9], found[9] = "";
    if (len <= CRC_HEAD || memcmp(line, PR_RECORD_HEAD, sizeof PR_RECORD_HEAD - 1) != 0 ||
        memcmp(line + CRC_HEAD - 2, "\",", 2) != 0)
        return pr_fail(err, PR_ERR_FORMAT, "%s: offset %zu: the header does not start with its crc", path, at);
    memcpy(found, line + sizeof PR_RECORD_HEAD - 1, 8);
    line[CRC_HEAD - 1] = '{'; // the text that the crc is of
    line += CRC_HEAD - 1;
    len -= CRC_HEAD - 1;
    hex8(pr_crc32(line, len), crc);
    if (memcmp(crc, found, 8) != 0)
        return pr_fail(err, PR_ERR_FORMAT, "%s: offset %zu: damaged header: crc is %s, the file says %s", path, at, crc,
                       found);
    return pr_json_parse(line, len, path, header, err);
}

static pr_status_t check_header(const char *path, const json_t *header, const char *what, const char *kind,
                                pr_error_t *err)
{
    const char *found = json_string_value(json_object_get(header, "kind"));
    if (!found || !json_is_object(json_object_get(header, "meta")) ||
        !json_is_array(json_object_get(header, "sections")))
        return pr_fail(err, PR_ERR_FORMAT, "%s: header: expected a string kind, an object meta and an array sections",
                       path);
    if (kind && strcmp(kind, found) != 0)
        return pr_fail(err, PR_ERR_FORMAT, "%s: a %s of kind '%s', expected '%s'", path, what, found, kind);
    return PR_OK;
}

typedef struct pr_entry {
    const char *crc, *stored_crc;
    int64_t elem, count, stored;
} pr_entry_t;

static pr_status_t parse_name(const char *where, const json_t *entry, pr_section_t *s, pr_error_t *err)
{
    const json_t *name = json_object_get(entry, "name");
    size_t len = json_string_length(name);
    if (len < 1 || len >= sizeof s->name || strlen(json_string_value(name)) != len)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'name': expected a string of 1 to %zu bytes without NUL", where,
                       sizeof s->name - 1);
    memcpy(s->name, json_string_value(name), len + 1);
    return PR_OK;
}

/* Checks all of an entry that can be checked before memory is asked for. left: stored bytes left in the file. */
static pr_status_t parse_entry(const char *where, const json_t *json, size_t left, pr_section_t *s, pr_entry_t *e,
                               pr_error_t *err)
{
    PR_TRY(parse_name(where, json, s, err));
    PR_TRY(pr_json_get_int(json, "elem", -1, &e->elem, where, err));
    PR_TRY(pr_json_get_int(json, "count", -1, &e->count, where, err));
    PR_TRY(pr_json_get_int(json, "stored", -1, &e->stored, where, err));
    PR_TRY(pr_json_get_string(json, "crc", "", &e->crc, where, err));
    PR_TRY(pr_json_get_string(json, "stored_crc", "", &e->stored_crc, where, err));
    if (e->elem < 1 || e->elem > MAX_ELEM)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'elem': found %lld, expected 1 to %d", where, (long long)e->elem,
                       MAX_ELEM);
    if (e->stored < 0 || (uint64_t)e->stored > left)
        return pr_fail(err, PR_ERR_FORMAT, "%s: key 'stored': found %lld, but %zu bytes are left in the file", where,
                       (long long)e->stored, left);
    if (e->count < 0 || e->count > INT64_MAX / e->elem || e->count * e->elem / PR_PACK_MAX_RATIO > e->stored)
        return pr_fail(err, PR_ERR_FORMAT,
                       "%s: key 'count': found %lld elements of %lld bytes, which %lld bytes cannot hold", where,
                       (long long)e->count, (long long)e->elem, (long long)e->stored);
    s->elem = (size_t)e->elem;
    s->count = (size_t)e->count;
    return PR_OK;
}

static pr_status_t check_crc(const char *where, const char *of, uint32_t crc, const char *expected, pr_error_t *err)
{
    char found[9];
    hex8(crc, found);
    if (strcmp(found, expected) == 0)
        return PR_OK;
    return pr_fail(err, PR_ERR_FORMAT, "%s: damaged: crc of the %s is %s, the header says %s", where, of, found,
                   expected);
}

static pr_status_t read_section(pr_record_input_t *in, const json_t *json, pr_section_t *s, pr_error_t *err)
{
    pr_entry_t e;
    char where[4352];
    uint32_t stored_crc;
    const char *name = json_string_value(json_object_get(json, "name"));
    snprintf(where, sizeof where, "%s: offset %zu: section '%.63s'", in->path, in->at, name ? name : "");
    PR_TRY(parse_entry(where, json, in->size - in->at, s, &e, err));
    s->data = pr_alloc_matrix(s->count, s->elem);
    if (!s->data)
        return pr_fail(err, PR_ERR_MEMORY, "%s: no memory for %zu elements of %zu bytes", where, s->count, s->elem);
    PR_TRY(pr_unpack(in->f, (size_t)e.stored, s->data, s->elem, s->count, &stored_crc, where, err));
    in->at += (size_t)e.stored;
    PR_TRY(check_crc(where, "compressed bytes", stored_crc, e.stored_crc, err));
    return check_crc(where, "data", pr_crc32(s->data, s->elem * s->count), e.crc, err);
}

static pr_status_t check_names(const pr_record_t *c, const char *path, pr_error_t *err)
{
    pr_status_t status = PR_OK;
    json_t *seen = json_object();
    for (size_t i = 0; i < c->n && status == PR_OK; i++)
        if (json_object_get(seen, c->section[i].name))
            status = pr_fail(err, PR_ERR_FORMAT, "%s: section '%s' is there twice", path, c->section[i].name);
        else
            json_object_set_new(seen, c->section[i].name, json_true());
    json_decref(seen);
    return status;
}

static pr_status_t read_sections(pr_record_input_t *in, const json_t *list, pr_record_t *c, pr_error_t *err)
{
    c->n = json_array_size(list);
    c->section = pr_alloc(c->n, sizeof *c->section);
    for (size_t i = 0; i < c->n; i++)
        PR_TRY(read_section(in, json_array_get(list, i), &c->section[i], err));
    if (in->at != in->size)
        return pr_fail(err, PR_ERR_FORMAT, "%s: offset %zu: found %zu bytes after the last section, expected none",
                       in->path, in->at, in->size - in->at);
    return check_names(c, in->path, err);
}

pr_status_t pr_record_read(pr_record_input_t *in, const char *what, const char *kind, pr_record_t *out, pr_error_t *err)
{
    pr_buf_t line = {0};
    json_t *header = NULL;
    pr_status_t status;
    size_t at = in->at;
    *out = (pr_record_t){0};
    PR_GO(read_header_line(in, &line, err));
    PR_GO(parse_header(in->path, at, line.data, line.len, &header, err));
    PR_GO(check_header(in->path, header, what, kind, err));
    PR_GO(read_sections(in, json_object_get(header, "sections"), out, err));
    out->kind = pr_strdup(json_string_value(json_object_get(header, "kind")));
    if (json_is_string(json_object_get(header, "id")))
        out->id = pr_strdup(json_string_value(json_object_get(header, "id")));
    out->meta = json_incref(json_object_get(header, "meta"));
done:
    json_decref(header);
    pr_buf_free(&line);
    if (status != PR_OK)
        pr_record_clear(out);
    return status;
}

pr_status_t pr_record_verify(const char *path, size_t offset, char *bytes, size_t left, json_t **header, size_t *len,
                             pr_error_t *err)
{
    char *end = memchr(bytes, '\n', left < MAX_HEADER ? left : MAX_HEADER);
    if (!end)
        return pr_fail(err, PR_ERR_FORMAT, "%s: offset %zu: the file ends within its header", path, offset);
    json_t *h = NULL;
    pr_section_t s;
    pr_entry_t e;
    char where[4352];
    size_t i, at = (size_t)(end - bytes) + 1;
    json_t *entry;
    pr_status_t status;
    PR_GO(parse_header(path, offset, bytes, (size_t)(end - bytes), &h, err));
    PR_GO(check_header(path, h, "record", NULL, err));
    json_array_foreach(json_object_get(h, "sections"), i, entry)
    {
        snprintf(where, sizeof where, "%s: offset %zu: section %zu", path, offset + at, i);
        PR_GO(parse_entry(where, entry, left - at, &s, &e, err));
        PR_GO(check_crc(where, "compressed bytes", pr_crc32(bytes + at, (size_t)e.stored), e.stored_crc, err));
        at += (size_t)e.stored;
    }
    *header = json_incref(h);
    *len = at;
done:
    json_decref(h);
    return status;
}

pr_status_t pr_record_section(const pr_record_t *r, const char *path, const char *name, size_t elem, size_t count,
                              const void **data, pr_error_t *err)
{
    for (size_t i = 0; i < r->n; i++) {
        const pr_section_t *s = &r->section[i];
        if (strcmp(s->name, name) != 0)
            continue;
        if (s->elem != elem || s->count != count)
            return pr_fail(err, PR_ERR_FORMAT, "%s: section '%s': found %zu elements of %zu bytes, expected %zu of %zu",
                           path, name, s->count, s->elem, count, elem);
        *data = s->data;
        return PR_OK;
    }
    return pr_fail(err, PR_ERR_FORMAT, "%s: section '%s' is missing", path, name);
}

void pr_record_clear(pr_record_t *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->section[i].data);
    free(r->section);
    free(r->kind);
    free(r->id);
    json_decref(r->meta);
    *r = (pr_record_t){0};
}
