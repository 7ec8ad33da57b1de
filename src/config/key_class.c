// SPDX-License-Identifier: BSD-3-Clause
#include "config/key_class.h"

#include <stddef.h>
#include <string.h>

pr_key_class_t pr_key_class(const char *key)
{
#define ROW(name, class) {name, PR_KEY_##class},
    static const struct {
        const char *key;
        pr_key_class_t class;
    } rows[] = {PR_KEY_CLASS_LIST(ROW)};
#undef ROW
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].key, key) == 0)
            return rows[i].class;
    return PR_KEY_RESULT;
}
