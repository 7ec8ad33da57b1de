// SPDX-License-Identifier: BSD-3-Clause
/* A policy as data: what it is made of, known and hashable before anything is loaded. Its JSON is canonical, so that
 * equal policies have equal hashes (pr_json_hash):
 *
 *   {"mix": "states", "options": {"layer": -1, "norm": "after"},
 *    "parts": [["job", HASH, 0.5], ["adapter", HASH, 0.5]], "condition": ...}
 *
 * options holds every option of the mix, with its default where nothing else was said; parts stand in the order given,
 * those of coefficient 0, which are not run, left out; condition, and "route": HASH, are there only where there is one.
 * Where layers are in blocks with coefficients of their own (block b of n: layers b L / n up to (b+1) L / n), a part
 * has a list of them: ["job", HASH, [0.5, 0.25]].
 *
 *   pr_policy_spec_t s;
 *   PR_TRY(pr_policy_parse(json, &s, err));
 *   ... s.part[i].source, s.part[i].coefficient[0] ...
 *   pr_policy_spec_clear(&s);
 */
#ifndef PR_POLICY_SPEC_H
#define PR_POLICY_SPEC_H

#include "base/hash.h"
#include "policy/mix.h"

enum { PR_MAX_PARTS = 32, PR_MAX_BLOCKS = 16 };

typedef struct pr_policy_part {
    char source[PR_HASH_HEX]; // identity of the job that makes the adapter, or the content hash of a given adapter
    bool job;                 // which of the two
    double coefficient[PR_MAX_BLOCKS]; // [blocks] finite
} pr_policy_part_t;

typedef struct pr_policy_spec {
    const pr_mix_t *mix;
    json_t *options; // of the mix, resolved; NULL: its defaults
    int blocks;      // of layers; 0 counts as 1
    int n;
    pr_policy_part_t part[PR_MAX_PARTS];
    json_t *condition; // NULL, or the preference as the policy is told it
    /* The job that fits which point of the parts' weights each prompt takes (route/route.h), by that preference; "": the
     * coefficients, the same for all prompts. */
    char route[PR_HASH_HEX];
} pr_policy_spec_t;

/* New reference. */
json_t *pr_policy_pack(const pr_policy_spec_t *s);
/* Inverse of pr_policy_pack; options that are not there get their defaults. The caller clears *out, which is left alone
 * after an error. Errors: PR_ERR_CONFIG (an unknown mix or option, a value of the wrong kind, a hash that is none, a
 * coefficient that is 0, a key that is not known). */
pr_status_t pr_policy_parse(const json_t *value, pr_policy_spec_t *out, pr_error_t *err);
/* Drops the references that s holds and makes it all zero. */
void pr_policy_spec_clear(pr_policy_spec_t *s);
/* For people: "states(6b1f0c2a:0.5, 91d2e07c:0.5; layer=1)", with the first 8 digits of sources and the options that
 * are not the defaults. The caller frees. */
char *pr_policy_text(const pr_policy_spec_t *s);
static inline int pr_policy_blocks(const pr_policy_spec_t *s)
{
    return s->blocks > 0 ? s->blocks : 1;
}

#endif
