// SPDX-License-Identifier: BSD-3-Clause
/* The table of verbs. */
#include "cli/cli.h"

#include <string.h>

#define VERB(symbol, word, ranks) {word, pr_cmd_##symbol, &pr_command_##symbol, ranks},
const pr_verb_t pr_verbs[] = {PR_VERB_LIST(VERB){0}};

const pr_verb_t *pr_verb_find(const char *name)
{
    for (const pr_verb_t *v = pr_verbs; v->name; v++)
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}
