/* The table of verbs. */
#include "cli/cli.h"
#include "cli/point_verbs.h"

#include <string.h>

const pr_verb_t pr_verbs[] = {
    {"plan", pr_cmd_plan, &pr_command_plan, false},
    {"run", pr_cmd_run, &pr_command_run, true},
    {"status", pr_cmd_status, &pr_command_status, false},
    {"front", pr_cmd_front, &pr_command_front, false},
    {"export", pr_cmd_export, &pr_command_export, false},
    {"clean", pr_cmd_clean, &pr_command_clean, false},
    {"tokenize", pr_cmd_tokenize, &pr_command_tokenize, false},
    {"generate", pr_cmd_generate, &pr_command_generate, false},
    {"logits", pr_cmd_logits, &pr_command_logits, false},
    {"score", pr_cmd_score, &pr_command_score, false},
    {"fit-reward", pr_cmd_fit_reward, &pr_command_fit_reward, false},
    {"nondominated", pr_cmd_nondominated, &pr_command_nondominated, false},
    {"indicators", pr_cmd_indicators, &pr_command_indicators, false},
    {"bench", pr_cmd_bench, &pr_command_bench, true},
    {"help", pr_cmd_help, &pr_command_help, false},
    {0},
};

const pr_verb_t *pr_verb_find(const char *name)
{
    for (const pr_verb_t *v = pr_verbs; v->name; v++)
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}
