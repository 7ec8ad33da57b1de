// SPDX-License-Identifier: BSD-3-Clause
/* The reference page of the search strategies, written from the registry so that it cannot fall behind. */
#include "base/mem.h"
#include "sweeps/search/search.h"

static const char intro[] =
    "# Searches\n"
    "\n"
    "Made by `paretorank help searches --markdown`; do not edit.\n"
    "\n"
    "A search chooses the points, that is the preference weights, which are evaluated: on the simplex (they sum to 1) "
    "or in the cube (each between 0 and 1). A sweep names its strategy as `type`, without which it is `auto` "
    "([`search.md`](search.md) says how that works and how it compares); the keys are described in "
    "[`configuration.md`](configuration.md):\n"
    "\n"
    "```\n"
    "search = { budget = 60; };\n"
    "```\n";

char *pr_search_page(void)
{
    size_t n;
    pr_buf_t b = {0};
    const pr_search_strategy_t *const *strategy = pr_search_strategies(&n);
    pr_buf_puts(&b, intro);
    for (size_t i = 0; i < n; i++)
        pr_buf_printf(&b, "\n## %s\n\n%s\n\n- Keys that it reads: %s\n- Asks for all its points at once: %s\n",
                      strategy[i]->name, strategy[i]->help, strategy[i]->keys, strategy[i]->asks_once ? "yes" : "no");
    return b.data;
}
