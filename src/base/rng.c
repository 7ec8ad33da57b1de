// SPDX-License-Identifier: BSD-3-Clause
#include "base/rng.h"
#include "base/hash.h"

#include <Random123/threefry.h>
#include <math.h>
#include <string.h>

pr_rng_key_t pr_rng_key(uint64_t seed, const char *domain, const char *identity)
{
    return (pr_rng_key_t){{seed, pr_hash64(domain, strlen(domain)), pr_hash64(identity, strlen(identity)), 0}};
}

static threefry4x64_ctr_t draw(const pr_rng_key_t *key, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    threefry4x64_ctr_t ctr = {{a, b, c, d}};
    threefry4x64_key_t k = {{key->k[0], key->k[1], key->k[2], key->k[3]}};
    return threefry4x64(ctr, k);
}

static double to_unit(uint64_t bits)
{
    return ((double)(bits >> 12) + 0.5) * 0x1p-52;
}

uint64_t pr_rng_u64(const pr_rng_key_t *key, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return draw(key, a, b, c, d).v[0];
}

void pr_rng_words(const pr_rng_key_t *key, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t out[4])
{
    threefry4x64_ctr_t r = draw(key, a, b, c, d);
    memcpy(out, r.v, sizeof r.v);
}

double pr_rng_uniform(const pr_rng_key_t *key, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    return to_unit(pr_rng_u64(key, a, b, c, d));
}

double pr_rng_normal(const pr_rng_key_t *key, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    threefry4x64_ctr_t r = draw(key, a, b, c, d);
    return sqrt(-2.0 * log(to_unit(r.v[0]))) * cos(2.0 * M_PI * to_unit(r.v[1]));
}

uint64_t pr_rng_below(const pr_rng_key_t *key, uint64_t n, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    __extension__ typedef unsigned __int128 wide_t;
    return (uint64_t)(((wide_t)pr_rng_u64(key, a, b, c, d) * n) >> 64);
}
