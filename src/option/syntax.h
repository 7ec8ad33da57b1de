// SPDX-License-Identifier: BSD-3-Clause
/* The pieces of a text in libconfig's syntax, and what is wrong with one that libconfig refuses: its own messages do not
 * say which setting is there twice, nor that a file is in another format. */
#ifndef PR_OPTION_SYNTAX_H
#define PR_OPTION_SYNTAX_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* The length of the string or comment that starts at p, or 0; *closed: it has an end. */
size_t pr_syntax_opaque(const char *p, bool *closed);
/* The length of the name or number that starts at p, or 0. */
size_t pr_syntax_token(const char *p);
/* PR_ERR_CONFIG for a text that begins as no configuration does: JSON, a section of TOML. path: for messages. */
pr_status_t pr_syntax_begins(const char *text, const char *path, pr_error_t *err);
/* PR_ERR_CONFIG in words for what libconfig refused at a line with its own. */
pr_status_t pr_syntax_refused(const char *text, const char *path, int line, const char *why, pr_error_t *err);

#endif
