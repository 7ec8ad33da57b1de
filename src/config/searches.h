// SPDX-License-Identifier: BSD-3-Clause
/* The names of the search strategies, in order of help: all that a configuration knows of them. A strategy is one file,
 * sweeps/search/search_NAME.c, and one word here. */
#ifndef PR_CONFIG_SEARCHES_H
#define PR_CONFIG_SEARCHES_H

#define PR_SEARCH_LIST(X) X(hierarchical) X(grid) X(random) X(list) X(ols)

/* Of these, the ones whose points stand in a file: they cannot do without the key `file`. */
#define PR_SEARCH_FILE_LIST(X) X(list)

#endif
