// SPDX-License-Identifier: BSD-3-Clause
/* Text for files and terminals: numbers, CSV fields, JSON, and strings that came from a model and may hold anything. */
#ifndef PR_REPORT_TEXT_H
#define PR_REPORT_TEXT_H

#include "base/json.h"
#include "base/mem.h"

#include <stddef.h>

/* Appends the first of %.15g, %.16g and %.17g that reads back as the same double; "nan", "inf", "-inf". */
void pr_text_number(pr_buf_t *b, double value);

/* Appends valid UTF-8: each byte that belongs to no well-formed sequence becomes U+FFFD (as many as Unicode's
 * recommended practice: one for each maximal ill-formed part). NULs are kept. */
void pr_text_utf8(pr_buf_t *b, const char *bytes, size_t len);

/* Appends one CSV field of text: valid UTF-8, control characters other than tab and line ends replaced, a leading '
 * where a spreadsheet could take it for a formula (first character behind any spaces one of = + - @, their full-width
 * forms, or a tab or line end), quoted as in RFC 4180 where needed. */
void pr_text_csv(pr_buf_t *b, const char *text);
/* Appends n further fields, a comma before each; what is not known (NaN) is an empty one. */
void pr_text_csv_known(pr_buf_t *b, const double *values, int n);

/* A JSON string of bytes that may be invalid UTF-8 (see pr_text_utf8). Caller json_decref()s. */
json_t *pr_text_json_string(const char *bytes, size_t len);
/* Appends the JSON text of a value with its keys in the order they were set and reals as in pr_text_number. indent:
 * spaces per level, 0: all in one line without spaces. */
void pr_text_json(pr_buf_t *b, const json_t *value, int indent);
/* Writes that text and a newline to a file, atomically. Errors: PR_ERR_IO. */
pr_status_t pr_text_json_write(const char *path, const json_t *value, int indent, pr_error_t *err);

/* Columns a terminal needs for this text once pr_text_cut has cleaned it. */
int pr_text_width(const char *text);
/* Appends text as one line of at most `columns` columns, cut at character bounds with "…" where it was too long;
 * returns the columns used. White space becomes single spaces, none at the ends; control characters, escape sequences'
 * bytes, bidirectional overrides, unassigned characters and invalid bytes become U+FFFD; no more than four combining
 * marks follow one another. */
int pr_text_cut(pr_buf_t *b, const char *text, int columns);

#endif
