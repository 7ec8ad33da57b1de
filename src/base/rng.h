// SPDX-License-Identifier: BSD-3-Clause
/* Counter-based random numbers (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; Threefry-4x64-20
 * from Random123). A number is a pure function of a key (who asks) and a counter (for what), so results do not depend
 * on order, rank or batch. */
#ifndef PR_BASE_RNG_H
#define PR_BASE_RNG_H

#include <stdint.h>

typedef struct pr_rng_key {
    uint64_t k[4];
} pr_rng_key_t;

/* A key from the sweep's seed, what the numbers are for (a domain such as "roll-out"; its text is hashed) and an
 * identity. */
pr_rng_key_t pr_rng_key(uint64_t seed, const char *domain, const char *identity);
/* 64 random bits at counter (a,b,c,d). */
uint64_t pr_rng_u64(const pr_rng_key_t *key, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
/* All four words of that counter, of which pr_rng_u64 gives the first: for who needs many. */
void pr_rng_words(const pr_rng_key_t *key, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t out[4]);
/* Uniform in the open interval (0,1), 53 bits. */
double pr_rng_uniform(const pr_rng_key_t *key, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
/* Standard normal (Box-Muller on two words of one counter). */
double pr_rng_normal(const pr_rng_key_t *key, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
/* Uniform integer in [0,n), n > 0, without modulo bias beyond 2^-64. */
uint64_t pr_rng_below(const pr_rng_key_t *key, uint64_t n, uint64_t a, uint64_t b, uint64_t c, uint64_t d);

#endif
