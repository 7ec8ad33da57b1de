// SPDX-License-Identifier: BSD-3-Clause
/* Sizes that more than one layer counts on. */
#ifndef PR_BASE_LIMITS_H
#define PR_BASE_LIMITS_H

enum { PR_MAX_OBJECTIVES = 16 };

#endif
