// SPDX-License-Identifier: BSD-3-Clause
/* The journal: journal.jsonl, one JSON object per line, appended and synced, never rewritten; a sweep's state is a fold
 * over it.
 *
 *   {"t":1700000000.123456,"event":"job_done",...context...,"crc":"1a2b3c4d"}
 *
 * crc is the CRC-32 (8 lower-case hexadecimal digits) of the line's bytes before `,"crc":`, closed with `}`; it is
 * always the last key. A line that is cut short, whose crc does not fit or that is not such an object is skipped and
 * counted; appending after a cut line starts on a new line. A last line that lacks nothing but its newline is good: it
 * becomes whole with the next append, and a line that one reader skipped as torn must never become valid for a later one. A carriage
 * return at a line's end and a byte order mark at the file's beginning, as tools that convert text leave them, are no
 * damage. Rank 0 is the only writer.
 *
 *   pr_journal_read(path, fold, self, &stats, err);            what is there, line by line
 *   pr_journal_open(path, &j, err);
 *   pr_journal_append(j, "job_done", fields, true, err);       true: it is on disk when this returns
 *   pr_journal_close(&j); */
#ifndef PR_STORE_JOURNAL_H
#define PR_STORE_JOURNAL_H

#include "base/error.h"
#include "base/json.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct pr_journal pr_journal_t;

/* Opens path for appending (makes it where there is none). Errors: PR_ERR_IO. */
pr_status_t pr_journal_open(const char *path, pr_journal_t **out, pr_error_t *err);
void pr_journal_close(pr_journal_t **j);
/* Appends one event with the time now. fields: an object, borrowed (NULL: none); it must not hold t, event or crc.
 * sync: the line is on disk before this returns; without it, it is handed to the kernel and synced with the next synced
 * event (for many small events such as training steps). Errors: PR_ERR_IO; a line that could not be written whole is
 * taken back, one that could not be synced stays. */
pr_status_t pr_journal_append(pr_journal_t *j, const char *event, const json_t *fields, bool sync, pr_error_t *err);

/* Called for each good line in order; returns a status that, when not PR_OK, ends the reading. line is borrowed. */
typedef pr_status_t (*pr_journal_fn)(void *self, const char *event, const json_t *line, pr_error_t *err);
/* For such a function: keeps a line, or a value in it, in the place of what *kept held (NULL at first). The reference
 * is the caller's. */
void pr_journal_keep(json_t **kept, const json_t *value);
enum { PR_JOURNAL_NAMED = 8 };
typedef struct pr_journal_stats {
    size_t lines;                     // good lines
    size_t skipped;                   // torn or damaged lines
    size_t damaged[PR_JOURNAL_NAMED]; // the numbers of the first of those, from 1
    bool torn;                        // the last of those has no newline: the writer was stopped within it
} pr_journal_stats_t;
/* Reads a journal as a stream; one that is not there has no lines. Lines over 64 MiB are skipped. fn and stats may be
 * NULL. Errors: what fn returned, PR_ERR_NOT_FOUND (cannot be read). */
pr_status_t pr_journal_read(const char *path, pr_journal_fn fn, void *self, pr_journal_stats_t *stats, pr_error_t *err);
/* "2 lines damaged (lines 3 and 7)", "its last line is cut short (line 9)"; "" when nothing was skipped. */
void pr_journal_damage(const pr_journal_stats_t *stats, char *out, size_t size);

#endif
