/* Options of a verb: one table drives parsing, --help and the man page. GNU style: --name value, --name=value, -h, and
 * "--" before arguments that begin with '-'. */
#ifndef PR_CLI_OPTIONS_H
#define PR_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    PR_ARG_FLAG,   // bool
    PR_ARG_TEXT,   // const char *
    PR_ARG_CHOICE, // const char *, one of the words in value ("a|b|c")
    PR_ARG_INT,    // int in [min,max]
    PR_ARG_INT64,  // int64_t in [min,max]
    PR_ARG_REAL,   // double in [min,max]
    PR_ARG_TEXTS,  // pr_texts_t; the option may be repeated
    PR_ARG_INTS,   // pr_ints_t: 1,2,3, each in [min,max]
    PR_ARG_REALS   // pr_reals_t: 0.5,0.5, each in [min,max]
} pr_arg_kind_t;

typedef struct pr_texts {
    int n;
    const char **item; // texts are argv's
} pr_texts_t;
typedef struct pr_ints {
    int n;
    int32_t *item;
} pr_ints_t;
typedef struct pr_reals {
    int n;
    double *item;
} pr_reals_t;

typedef struct pr_arg {
    const char *name; // "--weights"; without dashes a positional argument, in the order of the table
    pr_arg_kind_t kind;
    size_t offset;     // of the field in the verb's structure
    const char *value; // what help calls the value: "N", "DIR", "before|after"; NULL for flags
    const char *help;
    double min, max; // of numbers; both 0: any
    bool required;
} pr_arg_t;

typedef struct pr_command {
    const char *name;     // "generate"
    const char *synopsis; // "MODEL_DIR (--prompt TEXT | ...) [options]"
    const char *summary;  // one line
    const char *help;     // more, or ""
    const pr_arg_t *args; // ends with a NULL name
} pr_command_t;

/* Fills the fields of out (which holds the defaults) from argv[1..]. Returns true when the verb should go on; false
 * when it should return *exit_code: 0 after --help, 2 after a wrong usage that was reported on stderr. Lists are freed
 * with pr_cli_free in both cases. */
bool pr_cli_parse(const pr_command_t *command, int argc, char **argv, void *out, int *exit_code);
void pr_cli_free(const pr_command_t *command, void *out);
/* Prints "paretorank VERB: text" and where help is, on stderr, and returns 2. */
int pr_cli_usage(const pr_command_t *command, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The help of a verb on stdout; as a section of the man page. */
void pr_cli_print_help(const pr_command_t *command);
void pr_cli_print_man(const pr_command_t *command);
/* Text with what roff would take for its own escaped. */
void pr_cli_print_roff(const char *text);

/* The last row of a table of options. */
#define PR_ARG_END                                                                                                     \
    {                                                                                                                  \
        0                                                                                                              \
    }

#endif
