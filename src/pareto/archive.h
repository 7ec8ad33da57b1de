// SPDX-License-Identifier: BSD-3-Clause
/* An archive of mutually non-dominated points, each with an id, that is filled one point or one batch at a time.
 *
 * All objectives are maximised (see pareto/dominance.h). What the archive holds depends only on the set of (id, point)
 * pairs that were offered, never on their order or on how they were spread over archives that are merged later: the
 * non-dominated points, all of those with equal values under ids of their own, each pair once. -0 is stored as 0. */
#ifndef PR_PARETO_ARCHIVE_H
#define PR_PARETO_ARCHIVE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pr_archive pr_archive_t;

/* What became of an offered point. */
typedef enum {
    PR_ARCHIVE_ADDED,     // it is in the archive now, and the points it dominates are not
    PR_ARCHIVE_DUPLICATE, // an equal point is there under this id
    PR_ARCHIVE_DOMINATED, // a point there dominates it
    PR_ARCHIVE_NAN        // one value is NaN: it never enters
} pr_archive_verdict_t;

/* An empty archive of points with m >= 1 objectives. Free with pr_archive_free(). */
pr_archive_t *pr_archive_new(int m);
/* Accepts NULL, sets NULL. */
void pr_archive_free(pr_archive_t **archive);

size_t pr_archive_size(const pr_archive_t *archive);

/* Offers one point [m]. O(size m) at worst; a dominated point is usually found to be so much sooner. */
pr_archive_verdict_t pr_archive_insert(pr_archive_t *archive, int64_t id, const double *point);
/* Offers n points [n,m] with ids [n]; the same result as one by one, through the filter of pareto/dominance.h where
 * that is faster. */
void pr_archive_insert_many(pr_archive_t *archive, const int64_t *ids, const double *points, size_t n);

/* The points in the order of their ids (equal ids, if the caller used any: lexicographic order of the points). The
 * arrays belong to the archive and are good until the next call that changes it. */
const int64_t *pr_archive_ids(pr_archive_t *archive);
const double *pr_archive_points(pr_archive_t *archive); // [size,m]

/* The flat form, for messages and files on machines of one byte order: "PRarchv1", then uint64 m and uint64 size, then
 * size int64 ids, then size*m doubles, in pr_archive_ids() order; so equal archives have equal bytes. */
size_t pr_archive_bytes(const pr_archive_t *archive);
/* Writes pr_archive_bytes() bytes. */
void pr_archive_pack(pr_archive_t *archive, void *to);
/* Offers every point of a flat archive. Errors: PR_ERR_FORMAT when the bytes are not such an archive, have another
 * number of objectives, or hold a NaN; the archive is then unchanged. */
pr_status_t pr_archive_merge_packed(pr_archive_t *archive, const void *from, size_t bytes, pr_error_t *err);

#endif
