/* Helpers over jansson: files with one clear line on error, canonical text, typed look-ups. */
#ifndef PR_BASE_JSON_H
#define PR_BASE_JSON_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Parses a whole JSON file (at most max bytes, 0: no limit). Caller json_decref()s. Errors name file, line and column.
 */
pr_status_t pr_json_load(const char *path, size_t max, json_t **out, pr_error_t *err);
/* Parses text; where is put before the message. */
pr_status_t pr_json_parse(const char *text, size_t len, const char *where, json_t **out, pr_error_t *err);
/* JSON lines: calls each() for every line of a file (at most max bytes) that is not blank, with its value and
 * "path:line", until one is not PR_OK. A byte order mark is passed over. Errors: those of reading, parsing and each().
 */
typedef pr_status_t (*pr_json_line_fn)(void *self, const json_t *value, const char *where, pr_error_t *err);
pr_status_t pr_json_lines(const char *path, size_t max, pr_json_line_fn each, void *self, pr_error_t *err);
/* The canonical text: sorted keys, no spaces, 17 significant digits. Caller frees. */
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
/* The name of a value's type for messages: "an object", "a string", ... */
const char *pr_json_type_name(const json_t *value);

#endif
