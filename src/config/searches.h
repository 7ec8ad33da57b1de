// SPDX-License-Identifier: BSD-3-Clause
/* The names of the search strategies, in order of help, and the keys of search[] that say something to each: all that a
 * configuration knows of them. A strategy is one file, sweeps/search/search_NAME.c, one word here and its keys. */
#ifndef PR_CONFIG_SEARCHES_H
#define PR_CONFIG_SEARCHES_H

#define PR_SEARCH_LIST(X) X(auto) X(hierarchical) X(grid) X(random) X(list) X(ols)

#define PR_SEARCH_KEYS_auto "domain, budget, batch, min_gain, lattice, budget_core_hours, fidelity, recheck"
#define PR_SEARCH_KEYS_hierarchical                                                                                    \
    "domain, levels, select, beam, budget, budget_core_hours, min_gain, fidelity, scalar"
#define PR_SEARCH_KEYS_grid "domain, divisions, budget, fidelity"
#define PR_SEARCH_KEYS_random "domain, points, alpha, budget, budget_core_hours, fidelity"
#define PR_SEARCH_KEYS_list "domain, file, budget, fidelity"
#define PR_SEARCH_KEYS_ols "levels, beam, budget, budget_core_hours, min_gain, fidelity"

/* Of these, the ones whose points stand in a file: they cannot do without the key `file`. */
#define PR_SEARCH_FILE_LIST(X) X(list)

#endif
