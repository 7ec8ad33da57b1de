// SPDX-License-Identifier: BSD-3-Clause
/* Internal: the non-dominated filter for m >= 4. */
#ifndef PR_PARETO_KDFILTER_H
#define PR_PARETO_KDFILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* rank [n,m]: dense ranks of each coordinate (greater is better, below 2^31), of n distinct points. Sets dominated
 * [n]. */
void pr_kd_filter(const int32_t *rank, size_t n, int m, bool *dominated);

#endif
