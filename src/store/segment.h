// SPDX-License-Identifier: BSD-3-Clause
/* Segments: append-only files of records, for results of which there are far too many for a file each, such as what
 * every evaluation says of every prompt.
 *
 *   pr_segment_writer_t *w = NULL;                          each rank that writes, once
 *   pr_segment_writer_open(dir, 0, &w, &err);
 *   pr_segment_append(w, id, "evaluate", meta, section, n, &place, &err);
 *   result.place = pr_segment_place_json(&place);           into the job's result, and so into the journal
 *   pr_segment_writer_close(&w);
 *
 *   pr_segment_place_parse(result.place, where, &place, &err);               any rank, at any time
 *   pr_segment_read(dir, &place, id, "evaluate", &record, &err);
 *   pr_record_section(&record, place.file, "scores", 8, n, &data, &err);
 *   pr_record_clear(&record);
 *
 *   pr_segment_index_open(dir, &index, &stats, &err);       where the journal does not say the place
 *   if (pr_segment_index_find(index, id, "evaluate", &place)) ...
 *   pr_segment_index_close(&index);
 *
 * A file is DIR/HOST-PID-COUNT.seg: the line "paretorank segment 1\n", then records (store/record.h), each with an id,
 * one after the other. Every writer makes files of its own, at the first record that goes into one, and never opens one
 * that is there: no file ever has two writers, and what a killed process left is only read. After a record that could
 * not be written whole, and where a file was touched by somebody else, the writer goes on in a new file. A reader
 * passes over what is cut short or damaged and finds the next whole record after it. */
#ifndef PR_STORE_SEGMENT_H
#define PR_STORE_SEGMENT_H

#include "store/record.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    PR_SEGMENT_FILE = 96, // bytes of a file's name, with the NUL
    PR_SEGMENT_ID = 33    // and of an id, at most: an identity (base/hash.h)
};
#define PR_SEGMENT_LIMIT (64u << 20) // bytes after which a writer begins a new file, unless told otherwise

/* Where a record is. */
typedef struct pr_segment_place {
    char file[PR_SEGMENT_FILE]; // its name in the directory
    uint64_t offset, length;    // bytes
} pr_segment_place_t;

/* {"file": "node7-4711-0.seg", "offset": 21, "length": 480}; a new reference. */
json_t *pr_segment_place_json(const pr_segment_place_t *p);
/* Back from such a value. Errors: PR_ERR_FORMAT (where; key; found; expected), also for a file name that leads
 * elsewhere. */
pr_status_t pr_segment_place_parse(const json_t *value, const char *where, pr_segment_place_t *out, pr_error_t *err);

typedef struct pr_segment_writer pr_segment_writer_t;

/* A writer for segments in dir, which is made where needed. A file that has `limit` bytes or more (0: PR_SEGMENT_LIMIT)
 * is not added to. Errors: PR_ERR_IO. */
pr_status_t pr_segment_writer_open(const char *dir, uint64_t limit, pr_segment_writer_t **out, pr_error_t *err);
void pr_segment_writer_close(pr_segment_writer_t **w);
/* Appends a record and syncs it: when this returns PR_OK it is on disk, at *place. id: 1 to 32 bytes. meta: an object,
 * borrowed, as the sections are. Needs memory for the compressed bytes. Errors: PR_ERR_IO (the file and the offset),
 * PR_ERR_FORMAT (an id, a name or an element size that a record cannot hold); *place is then as it was, and no reader
 * finds a part of the record. */
pr_status_t pr_segment_append(pr_segment_writer_t *w, const char *id, const char *kind, const json_t *meta,
                              const pr_section_t *sections, size_t n, pr_segment_place_t *place, pr_error_t *err);

/* Reads the record at *place, which must have that id and kind (NULL: any). On error *out is empty. Errors:
 * PR_ERR_NOT_FOUND (no such file), PR_ERR_FORMAT (damage of any kind, or another record: file, offset; found;
 * expected), PR_ERR_MEMORY. */
pr_status_t pr_segment_read(const char *dir, const pr_segment_place_t *place, const char *id, const char *kind,
                            pr_record_t *out, pr_error_t *err);

typedef struct pr_segment_stats {
    size_t files, records; // segments read, whole records in them
    size_t torn;           // files whose last record is cut short
    size_t damaged;        // stretches of bytes, before another whole record, that are none
} pr_segment_stats_t;
/* Called for each whole record, by the files' names and then by offset; a status that is not PR_OK ends it. */
typedef pr_status_t (*pr_segment_fn)(void *self, const char *id, const char *kind, const json_t *meta,
                                     const pr_segment_place_t *place, pr_error_t *err);
/* Reads all segments of dir, one file at a time in memory, without unpacking the sections; a directory that is not
 * there has none. stats may be NULL. Errors: PR_ERR_NOT_FOUND (cannot be read), what fn returned. */
pr_status_t pr_segment_scan(const char *dir, pr_segment_fn fn, void *self, pr_segment_stats_t *stats, pr_error_t *err);

typedef struct pr_segment_index pr_segment_index_t;

/* Where each id's record is, from a scan; about 64 bytes of memory per record. stats may be NULL. Errors: those of
 * pr_segment_scan. */
pr_status_t pr_segment_index_open(const char *dir, pr_segment_index_t **out, pr_segment_stats_t *stats,
                                  pr_error_t *err);
/* The first whole record of that id and kind, in the order of the scan; false where there is none. */
bool pr_segment_index_find(const pr_segment_index_t *x, const char *id, const char *kind, pr_segment_place_t *place);
void pr_segment_index_close(pr_segment_index_t **x);

#endif
