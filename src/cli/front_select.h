// SPDX-License-Identifier: BSD-3-Clause
/* Which points of a front are shown, and in which order. */
#ifndef PR_CLI_FRONT_SELECT_H
#define PR_CLI_FRONT_SELECT_H

#include "cli/options.h"
#include "report/table.h"

typedef struct pr_front_wish {
    const pr_texts_t *where; // "NAME OP VALUE" each: all must hold
    const char *sort;        // NULL: as they stand
    bool knee;               // the knee alone
} pr_front_wish_t;

/* t: the points of the front, and after them rows of the base model and the experts. minimize [t->k]. index [t->n]: the
 * rows chosen, *n of them; rows beside the front are chosen only where nothing is left out, and stay last. *distance: of
 * the knee; *spanned: as pr_knee has it. Errors: PR_ERR_USAGE. */
pr_status_t pr_front_select(const pr_table_t *t, const bool *minimize, const pr_front_wish_t *wish, size_t *index,
                            size_t *n, double *distance, bool *spanned, pr_error_t *err);

#endif
