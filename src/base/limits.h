// SPDX-License-Identifier: BSD-3-Clause
/* Sizes that more than one layer counts on. */
#ifndef PR_BASE_LIMITS_H
#define PR_BASE_LIMITS_H

enum { PR_MAX_OBJECTIVES = 16 };
/* Numbers that a point has: a weight per objective in each row, and a value per searched parameter. */
enum { PR_MAX_COORDINATES = 64 };

#endif
