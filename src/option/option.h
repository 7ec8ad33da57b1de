// SPDX-License-Identifier: BSD-3-Clause
/* Options: one table of rows says each one's key, kind, default, range and help. It drives reading, messages, help,
 * the manual page and the documents, for the keys of a configuration, the options of an objective (or of anything else
 * that has a table of its own), and command lines.
 *
 * A value is JSON, wherever it was written: pr_options_read checks a group of them against a table and fills in what is
 * missing. A table whose rows say where a value lives in a structure can also write the values there, and take them
 * from it. Messages are "PLACE: KEY: found X, expected Y". */
#ifndef PR_OPTION_OPTION_H
#define PR_OPTION_OPTION_H

#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a value is; and the field that it goes into, when a row has one. */
typedef enum {
    PR_OPT_STRING,   // char *
    PR_OPT_FILE,     // char *
    PR_OPT_DIR,      // char *
    PR_OPT_BOOL,     // bool
    PR_OPT_SWITCH,   // bool: true for the second of two choices
    PR_OPT_INT,      // int
    PR_OPT_INT64,    // int64_t
    PR_OPT_REAL,     // double
    PR_OPT_DURATION, // double: "90s", or a number of seconds; resolved to seconds
    PR_OPT_STRINGS,  // pr_strings_t: a list, or one string; resolved to a list
    PR_OPT_INTS,     // pr_ints_t; with max_n: int [max_n] and a count
    PR_OPT_INT64S,   // int64_t [max_n] and a count
    PR_OPT_REALS,    // pr_reals_t; with max_n: double [max_n] and a count
    PR_OPT_COMMAND,  // a list of strings (program and arguments), or one string for /bin/sh -c; resolved to a list
    PR_OPT_GROUPS    // a list of groups with the keys of rows; only described here
} pr_option_kind_t;

typedef struct pr_option {
    const char *key; // dots are groups: "finetune.lora.r"
    pr_option_kind_t kind;
    const char *dflt; // as JSON, which is also how a .cfg writes it (of a command line: the word); "" none, and the key
                      // may be absent; NULL: required
    double min, max;  // where min < max: of numbers and durations, of each number of a list, of how many groups
    bool or_0;        // 0 is allowed beside min to max
    bool not_empty;   // of strings: "" is refused
    const char *choices; // of strings: "none|sigmoid|softmax"; NULL: any
    bool incidental;     // does not change the scores: not a part of the identity
    bool elsewhere;      // described here, but read and kept by code of its own
    const char *help;
    const char *value;            // of a command line: what help calls the value ("N", "DIR"); NULL for flags
    const struct pr_option *rows; // of groups
    size_t offset;                // of the field in the table's structure
    size_t count;                 // of a list's int that says how many, where max_n > 0
    int max_n;                    // values in a list at most; 0: any number
} pr_option_t;

/* Choices from a list of registered names, LIST(X) being X(a) X(b) X(c): "a|b|c". */
#define PR_OPTION_WORD(name) "|" #name
#define PR_OPTION_WORDS(list) &(list(PR_OPTION_WORD))[1]

typedef struct pr_strings {
    int n;
    char **item;
} pr_strings_t;
typedef struct pr_ints {
    int n;
    int *item;
} pr_ints_t;
typedef struct pr_reals {
    int n;
    double *item;
} pr_reals_t;

/* ---- reading: tables end with a NULL key ---- */

/* How a group of values is read; all zero: relative to the current directory, messages without a place. */
typedef struct pr_option_reading {
    const char *dir;   // what file names are relative to
    bool join;         // file names become dir/name, there or not; else they stay as they are and must exist
    bool others;       // keys that the table does not have are left alone
    const char *label; // put before keys in messages: "search[0]."
    const char *see;   // what shows all keys, for messages; NULL: these list them
    /* The place of a key's value, or with item >= 0 of one in its list, or of the group when there is none. */
    const char *(*where)(const void *self, const char *key, int item);
    const void *self;
} pr_option_reading_t;

/* Checks the keys, types, ranges, choices and files of given (NULL: nothing is) and fills in defaults. *out is a new
 * reference, of which a second reading changes nothing; keys with dots are in groups, as in given. how may be NULL.
 * Unknown keys name the nearest known one. Errors: PR_ERR_CONFIG, PR_ERR_NOT_FOUND. */
pr_status_t pr_options_read(const pr_option_t *table, const json_t *given, const pr_option_reading_t *how, json_t **out,
                            pr_error_t *err);
/* The same for files that must exist, relative to dir (NULL: the current directory). */
pr_status_t pr_options_resolve(const pr_option_t *table, const json_t *given, const char *dir, json_t **out,
                               pr_error_t *err);

/* A choice among things that each have a table: "NAME", or {"type": NAME, options}. Its name, "" where it says none;
 * points into value. */
const char *pr_typed_name(const json_t *value);
/* Its options by the table of what has that name, resolved, without the type: a new reference. Errors: as
 * pr_options_read. */
pr_status_t pr_typed_options(const pr_option_t *table, const json_t *value, json_t **out, pr_error_t *err);

/* One value: *out is what it resolves to, a new reference; *item (may be NULL) the place in its list of the one that is
 * wrong, or -1. Errors: PR_ERR_CONFIG "found X, expected Y", PR_ERR_NOT_FOUND. */
pr_status_t pr_option_check(const pr_option_t *o, const json_t *value, const pr_option_reading_t *how, json_t **out,
                            int *item, pr_error_t *err);
/* A value as a word of a command line has it, not yet checked: "3", "1/4", "1,2,3". New reference; NULL when it is no
 * value of that kind. */
json_t *pr_option_parse(const pr_option_t *o, const char *text);
/* The default; NULL when there is none. New reference. */
json_t *pr_option_default(const pr_option_t *o);
/* The row of a key, or NULL. */
const pr_option_t *pr_option_find(const pr_option_t *table, const char *key);
size_t pr_option_count(const pr_option_t *table);

/* Values of what was read, by a key without dots. An option with a default, or a required one, is always there; asking
 * for an absent number is a programming error. */
bool pr_option_given(const json_t *options, const char *key);
/* Points into options; NULL when absent. */
const char *pr_option_string(const json_t *options, const char *key);
int pr_option_int(const json_t *options, const char *key);
double pr_option_real(const json_t *options, const char *key);
bool pr_option_bool(const json_t *options, const char *key);
/* Of a list of numbers: how many there are (0 when absent), and the i-th. */
int pr_option_length(const json_t *options, const char *key);
double pr_option_item(const json_t *options, const char *key, int i);
/* The file or directory, joined with dir; NULL when absent. Caller frees. */
char *pr_option_path(const json_t *options, const char *key, const char *dir);

/* ---- structures ---- */

/* Writes what pr_options_read resolved into the fields; those of absent keys stay as they are. */
void pr_options_store(const pr_option_t *table, const json_t *resolved, void *base);
void pr_option_store(const pr_option_t *o, const json_t *value, void *base);
/* Frees what was stored, and sets those fields to nothing. */
void pr_options_clear(const pr_option_t *table, void *base);
void pr_option_clear(const pr_option_t *o, void *base);
/* The fields as JSON, keys with dots in groups; without texts that are not set. New reference. */
json_t *pr_options_json(const pr_option_t *table, const void *base);

/* ---- words ---- */

/* "the integer 5", "the string \"abc\"", "a list of 3": what was found. */
void pr_option_describe(const json_t *value, char *out, size_t size);
/* "an integer 1 to 100", "one of a | b": what was expected. */
void pr_option_expected(const pr_option_t *o, char *out, size_t size);
/* "integer; 1 to 100; default 3". */
void pr_option_facts(pr_buf_t *b, const pr_option_t *o);
/* The help of a command line's word, with its default. */
void pr_option_say(pr_buf_t *b, const pr_option_t *o);
/* A table's rows: for a terminal, indented; as Markdown, with this heading over the keys; for a manual page, with what
 * the words of a command line stand for in place of the facts. Keys of groups follow them, as "groups[].key". */
void pr_options_help(pr_buf_t *b, const pr_option_t *table, const char *indent);
/* The same of the rows alone whose key this is, whole ("finetune.steps", "objectives.name") or from a dot on ("steps").
 * Returns how many. */
int pr_options_help_of(pr_buf_t *b, const pr_option_t *table, const char *key);
/* Calls each() with every row's whole key, "objectives[].name". */
void pr_options_each(const pr_option_t *table, void (*each)(void *self, const char *key), void *self);
void pr_options_markdown(pr_buf_t *b, const pr_option_t *table, const char *heading);
void pr_options_roff(pr_buf_t *b, const pr_option_t *table, bool command_line);
/* Text with what roff would take for its own escaped. */
void pr_roff_text(pr_buf_t *b, const char *text);

#endif
