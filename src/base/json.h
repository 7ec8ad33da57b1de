// SPDX-License-Identifier: BSD-3-Clause
/* Helpers over jansson: files with one clear line on error, canonical text, typed look-ups. */
#ifndef PR_BASE_JSON_H
#define PR_BASE_JSON_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Reading. Files are taken as Python's json module writes them: with NaN, Infinity, integers of any size and half
 * surrogate pairs (U+FFFD here). jansson has no such numbers: an integer past 63 bits becomes a real number, and one
 * that is not finite a null of its own, which pr_json_special() tells apart and which no look-up below takes for a
 * missing value. Two members of one name are an error. A byte order mark at the beginning is passed over. */

/* Parses a whole JSON file (at most max bytes, 0: no limit). Caller json_decref()s. Errors name file, line and column;
 * a Git LFS pointer or UTF-16 is named as such. */
pr_status_t pr_json_load(const char *path, size_t max, json_t **out, pr_error_t *err);
/* Parses text; where is put before the message. */
pr_status_t pr_json_parse(const char *text, size_t len, const char *where, json_t **out, pr_error_t *err);
enum { PR_JSON_NUL_KEYS = 1 /* keys may hold NUL: to be read with json_object_keylen_foreach */ };
/* The same with flags of PR_JSON_... */
pr_status_t pr_json_load_with(const char *path, size_t max, unsigned flags, json_t **out, pr_error_t *err);
pr_status_t pr_json_parse_with(const char *text, size_t len, unsigned flags, const char *where, json_t **out,
                               pr_error_t *err);
/* "NaN", "Infinity" or "-Infinity" for a value that was read as such, else NULL. */
const char *pr_json_special(const json_t *value);
/* A number; such a null when it is not finite. */
json_t *pr_json_any_real(double x);
/* Is the value missing (NULL) or null? A number that is not finite is not. */
bool pr_json_is_none(const json_t *value);
/* JSON lines: calls each() for every line of a file (at most max bytes) that is not blank, with its value and
 * "path:line", until one is not PR_OK. A byte order mark is passed over. Errors: those of reading, parsing and
 * each(). */
typedef pr_status_t (*pr_json_line_fn)(void *self, const json_t *value, const char *where, pr_error_t *err);
pr_status_t pr_json_lines(const char *path, size_t max, pr_json_line_fn each, void *self, pr_error_t *err);
/* The same with the line's own text too, of which JSON loses some (numbers that are too large, for one). */
typedef pr_status_t (*pr_json_raw_line_fn)(void *self, const json_t *value, const char *text, size_t len,
                                           const char *where, pr_error_t *err);
pr_status_t pr_json_raw_lines(const char *path, size_t max, pr_json_raw_line_fn each, void *self, pr_error_t *err);
/* Writing. JSON has no infinities and no NaN, and jansson answers one with NULL, which json_object_set_new() and
 * json_array_append_new() then drop without a word and json_pack() passes on: so every real number of the product goes
 * through pr_json_real() and every text through pr_json_text(); a test looks for those that do not. */

/* A number; null when it is not finite. Never NULL. */
json_t *pr_json_real(double x);
/* A list of pr_json_real(x[i]), x [n]; null for NULL. New reference. */
json_t *pr_json_reals(const double *x, size_t n);
/* The text of a value with jansson's flags (JSON_ENCODE_ANY is implied). Never NULL: a value that cannot be written,
 * such as NULL, is a programming error and aborts with one line. Caller frees. */
char *pr_json_text(const json_t *value, size_t flags);
/* The canonical text: sorted keys, no spaces, 17 significant digits. Never NULL. Caller frees. */
char *pr_json_canonical(const json_t *value);
/* The 32-digit hash of the canonical text. */
void pr_json_hash(const json_t *value, char out[33]);

/* Look-ups with a default for a missing or null key; PR_ERR_FORMAT with "where: key 'k': found X, expected a Y" for
 * another type. */
pr_status_t pr_json_get_int(const json_t *obj, const char *key, int64_t dflt, int64_t *out, const char *where,
                            pr_error_t *err);
pr_status_t pr_json_get_real(const json_t *obj, const char *key, double dflt, double *out, const char *where,
                             pr_error_t *err);
pr_status_t pr_json_get_bool(const json_t *obj, const char *key, bool dflt, bool *out, const char *where,
                             pr_error_t *err);
/* *out points into obj (or is dflt). */
pr_status_t pr_json_get_string(const json_t *obj, const char *key, const char *dflt, const char **out,
                               const char *where, pr_error_t *err);
/* PR_ERR_UNSUPPORTED with "where: key 'k': found <the value as JSON>, expected <...>". */
pr_status_t pr_json_unsupported(const json_t *v, const char *key, const char *expected, const char *where,
                                pr_error_t *err);
/* The name of a value's type for messages: "an object", "a string", "NaN", ... */
const char *pr_json_type_name(const json_t *value);

#endif
