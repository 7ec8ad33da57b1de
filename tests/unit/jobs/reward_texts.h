// SPDX-License-Identifier: BSD-3-Clause
/* Data for fits of reward heads: kind and unkind answers to prompts, as pairs or with labels. */
#ifndef PR_TESTS_REWARD_TEXTS_H
#define PR_TESTS_REWARD_TEXTS_H

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

static inline const char *reward_answer(int i, bool kind)
{
    static const char *const kind_ones[] = {" That sounds hard. I am here for you.", " I hear you, and I care.",
                                            " It makes sense that you feel this way."};
    static const char *const others[] = {" You should just get over it.", " Stop complaining.", " That is your fault."};
    pr_rng_key_t key = pr_rng_key(1, "answer", "");
    uint64_t which = pr_rng_below(&key, 3, (uint64_t)i, 0, 0, 0);
    return kind ? kind_ones[which] : others[which];
}

/* n samples, the first of them number `first`; one in ten says the opposite. Errors as those of writing. */
static inline pr_status_t reward_texts(const char *path, bool pairs, int first, int n, pr_error_t *err)
{
    pr_buf_t b = {0};
    pr_rng_key_t key = pr_rng_key(2, "texts", "");
    for (int i = first; i < first + n; i++) {
        bool odd = pr_rng_uniform(&key, (uint64_t)i, 0, 0, 0) < 0.1, good = i % 2 == 0;
        pr_buf_printf(&b, "{\"prompt\": \"Client: I lost %d things and feel %s.\\nCounselor:\", ", i % 37,
                      i % 3 ? "tired" : "sad");
        if (pairs)
            pr_buf_printf(&b, "\"chosen\": \"%s\", \"rejected\": \"%s\"}\n", reward_answer(i, !odd),
                          reward_answer(i + 1, odd));
        else
            pr_buf_printf(&b, "\"response\": \"%s\", \"label\": %d}\n", reward_answer(i, good), good != odd);
    }
    pr_status_t status = pr_file_write(path, b.data, b.len, err);
    pr_buf_free(&b);
    return status;
}

#endif
