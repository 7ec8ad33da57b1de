/* The table of verbs. */
#include "cli/cli.h"
#include "cli/point_verbs.h"

#include <string.h>

const pr_verb_t pr_verbs[] = {
    {"plan", pr_cmd_plan, "Check a sweep and say what it would run.", &pr_command_plan, false},
    {"run", pr_cmd_run, "Run a sweep under mpirun or srun, or go on with one that was stopped.", &pr_command_run, true},
    {"status", pr_cmd_status, "Say how far a sweep is.", &pr_command_status, false},
    {"front", pr_cmd_front, "Print the Pareto front of a sweep.", &pr_command_front, false},
    {"export", pr_cmd_export, "Write the adapter of one weight vector.", &pr_command_export, false},
    {"clean", pr_cmd_clean, "Free what a results directory does not need any more.", &pr_command_clean, false},
    {"tokenize", pr_cmd_tokenize, "Text to token ids and back.", &pr_command_tokenize, false},
    {"generate", pr_cmd_generate, "Continue prompts.", &pr_command_generate, false},
    {"logits", pr_cmd_logits, "Next-token logits.", &pr_command_logits, false},
    {"score", pr_cmd_score, "Log-probabilities of a text, or scores of a classifier.", &pr_command_score, false},
    {"fit-reward", pr_cmd_fit_reward, "Fit a linear reward head on labels or preference pairs.", &pr_command_fit_reward,
     false},
    {"nondominated", pr_cmd_nondominated, "The non-dominated rows of a table of numbers.", &pr_command_nondominated,
     false},
    {"indicators", pr_cmd_indicators, "Hypervolume and other indicators of sets of points.", &pr_command_indicators,
     false},
    {"bench", pr_cmd_bench, "Measure this machine: model, pareto, schedule.", &pr_command_bench, true},
    {"help", pr_cmd_help, "This list, a verb's help, the configuration's keys, the objectives, the mixes.",
     &pr_command_help, false},
    {0},
};

const pr_verb_t *pr_verb_find(const char *name)
{
    for (const pr_verb_t *v = pr_verbs; v->name; v++)
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}
