// SPDX-License-Identifier: BSD-3-Clause
#include "pareto/archive.h"
#include "base/mem.h"
#include "pareto/dominance.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char MAGIC[8] = "PRarchv1";
enum { HEADER_BYTES = 24 };

struct pr_archive {
    size_t m;
    size_t size, capacity;
    int64_t *ids;   // [capacity]
    double *points; // [capacity,m]
    bool sorted;
};

pr_archive_t *pr_archive_new(int m)
{
    assert(m >= 1);
    pr_archive_t *a = pr_alloc(1, sizeof *a);
    a->m = (size_t)m;
    a->sorted = true;
    return a;
}

void pr_archive_free(pr_archive_t **archive)
{
    if (*archive) {
        free((*archive)->ids);
        free((*archive)->points);
        free(*archive);
    }
    *archive = NULL;
}

size_t pr_archive_size(const pr_archive_t *a)
{
    return a->size;
}

static void reserve(pr_archive_t *a, size_t size)
{
    if (size <= a->capacity)
        return;
    a->capacity = size > 2 * a->capacity ? size : 2 * a->capacity;
    a->ids = pr_realloc(a->ids, a->capacity, sizeof *a->ids);
    a->points = pr_realloc(a->points, a->capacity, a->m * sizeof *a->points);
}

static double *point_at(const pr_archive_t *a, size_t i)
{
    return a->points + i * a->m;
}

static void put(pr_archive_t *a, size_t i, int64_t id, const double *point)
{
    a->ids[i] = id;
    for (size_t k = 0; k < a->m; k++)
        point_at(a, i)[k] = point[k] + 0.0; // -0 becomes 0, so that equal archives have equal bytes
}

static void swap(pr_archive_t *a, size_t i, size_t j)
{
    int64_t id = a->ids[i];
    a->ids[i] = a->ids[j];
    a->ids[j] = id;
    double *p = point_at(a, i);
    double *q = point_at(a, j);
    for (size_t k = 0; k < a->m; k++) {
        double x = p[k];
        p[k] = q[k];
        q[k] = x;
    }
}

/* Bit 0: a point of the pair is worse somewhere; bit 1: it is better somewhere. */
static unsigned compare(const double *p, const double *q, size_t m)
{
    unsigned seen = 0;
    for (size_t k = 0; k < m && seen != 3; k++)
        seen |= (unsigned)(p[k] < q[k]) | (unsigned)(p[k] > q[k]) << 1;
    return seen;
}

pr_archive_verdict_t pr_archive_insert(pr_archive_t *a, int64_t id, const double *point)
{
    if (pr_row_has_nan(point, (int)a->m))
        return PR_ARCHIVE_NAN;
    for (size_t i = 0; i < a->size;) {
        unsigned seen = compare(point_at(a, i), point, a->m);
        if (seen == 0 && a->ids[i] == id)
            return PR_ARCHIVE_DUPLICATE;
        if (seen == 2) { // the same few points dominate most newcomers: let them be met first
            if (i > 0) {
                swap(a, i, i / 2);
                a->sorted = false;
            }
            return PR_ARCHIVE_DOMINATED;
        }
        if (seen == 1) {
            swap(a, i, --a->size);
            a->sorted = false;
        } else {
            i++;
        }
    }
    reserve(a, a->size + 1);
    put(a, a->size++, id, point);
    a->sorted = false;
    return PR_ARCHIVE_ADDED;
}

/* A row with what it is sorted by. */
typedef struct row {
    int64_t id;
    const double *point;
    size_t m;
} row_t;

static int by_id(const void *left, const void *right)
{
    const row_t *a = left;
    const row_t *b = right;
    if (a->id != b->id)
        return a->id < b->id ? -1 : 1;
    for (size_t k = 0; k < a->m; k++)
        if (a->point[k] != b->point[k])
            return a->point[k] < b->point[k] ? -1 : 1;
    return 0;
}

static void sort_by_id(pr_archive_t *a)
{
    if (a->sorted)
        return;
    row_t *rows = pr_alloc(a->size, sizeof *rows);
    for (size_t i = 0; i < a->size; i++)
        rows[i] = (row_t){a->ids[i], point_at(a, i), a->m};
    qsort(rows, a->size, sizeof *rows, by_id);
    pr_archive_t sorted = {.m = a->m, .size = a->size, .sorted = true};
    reserve(&sorted, a->size);
    for (size_t i = 0; i < a->size; i++)
        put(&sorted, i, rows[i].id, rows[i].point);
    free(rows);
    free(a->ids);
    free(a->points);
    *a = sorted;
}

/* Keeps the rows that are non-dominated, equal ones among them. */
static void filter(pr_archive_t *a)
{
    bool *kept = pr_alloc(a->size, sizeof *kept);
    pr_nondominated(a->points, a->size, (int)a->m, true, kept);
    size_t size = 0;
    for (size_t i = 0; i < a->size; i++)
        if (kept[i]) {
            if (size < i)
                put(a, size, a->ids[i], point_at(a, i));
            size++;
        }
    a->size = size;
    free(kept);
}

/* Of the same point under the same id one stays; they are neighbours once sorted. */
static void drop_repeated(pr_archive_t *a)
{
    size_t size = 0;
    for (size_t i = 0; i < a->size; i++) {
        if (size > 0 && a->ids[i] == a->ids[size - 1] && compare(point_at(a, i), point_at(a, size - 1), a->m) == 0)
            continue;
        if (size < i)
            put(a, size, a->ids[i], point_at(a, i));
        size++;
    }
    a->size = size;
}

void pr_archive_insert_many(pr_archive_t *a, const int64_t *ids, const double *points, size_t n)
{
    enum { WORTH = 64 };
    if (n < WORTH) {
        for (size_t i = 0; i < n; i++)
            pr_archive_insert(a, ids[i], points + i * a->m);
        return;
    }
    bool *kept = pr_alloc(n, sizeof *kept);
    reserve(a, a->size + pr_nondominated(points, n, (int)a->m, true, kept));
    for (size_t i = 0; i < n; i++)
        if (kept[i])
            put(a, a->size++, ids[i], points + i * a->m);
    free(kept);
    a->sorted = false;
    filter(a);
    sort_by_id(a);
    drop_repeated(a);
}

const int64_t *pr_archive_ids(pr_archive_t *a)
{
    sort_by_id(a);
    return a->ids;
}

const double *pr_archive_points(pr_archive_t *a)
{
    sort_by_id(a);
    return a->points;
}

size_t pr_archive_bytes(const pr_archive_t *a)
{
    return HEADER_BYTES + a->size * (sizeof(int64_t) + a->m * sizeof(double));
}

void pr_archive_pack(pr_archive_t *a, void *to)
{
    sort_by_id(a);
    uint64_t sizes[2] = {a->m, a->size};
    unsigned char *bytes = to;
    memcpy(bytes, MAGIC, sizeof MAGIC);
    memcpy(bytes + sizeof MAGIC, sizes, sizeof sizes);
    if (a->size) {
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): sort_by_id leaves new arrays where it frees the old
        memcpy(bytes + HEADER_BYTES, a->ids, a->size * sizeof *a->ids);
        memcpy(bytes + HEADER_BYTES + a->size * sizeof *a->ids, a->points, a->size * a->m * sizeof *a->points);
    }
}

static pr_status_t check_packed(const pr_archive_t *a, const unsigned char *bytes, size_t n_bytes, size_t *size,
                                pr_error_t *err)
{
    uint64_t sizes[2];
    if (n_bytes < HEADER_BYTES || memcmp(bytes, MAGIC, sizeof MAGIC) != 0)
        return pr_fail(err, PR_ERR_FORMAT, "packed archive: %zu bytes that do not begin with 'PRarchv1' and two sizes",
                       n_bytes);
    memcpy(sizes, bytes + sizeof MAGIC, sizeof sizes);
    if (sizes[0] != a->m)
        return pr_fail(err, PR_ERR_FORMAT, "packed archive: %llu objectives, expected %zu",
                       (unsigned long long)sizes[0], a->m);
    size_t row = sizeof(int64_t) + a->m * sizeof(double);
    if (sizes[1] != (n_bytes - HEADER_BYTES) / row || (n_bytes - HEADER_BYTES) % row != 0)
        return pr_fail(err, PR_ERR_FORMAT, "packed archive: %zu bytes for %llu points of %zu objectives", n_bytes,
                       (unsigned long long)sizes[1], a->m);
    *size = (size_t)sizes[1];
    return PR_OK;
}

pr_status_t pr_archive_merge_packed(pr_archive_t *a, const void *from, size_t bytes, pr_error_t *err)
{
    size_t n = 0;
    PR_TRY(check_packed(a, from, bytes, &n, err));
    int64_t *ids = pr_alloc(n, sizeof *ids); // copies, as from need not be aligned
    double *points = pr_alloc(n * a->m, sizeof *points);
    memcpy(ids, (const unsigned char *)from + HEADER_BYTES, n * sizeof *ids);
    memcpy(points, (const unsigned char *)from + HEADER_BYTES + n * sizeof *ids, n * a->m * sizeof *points);
    pr_status_t status = PR_OK;
    for (size_t i = 0; i < n && status == PR_OK; i++)
        if (pr_row_has_nan(points + i * a->m, (int)a->m))
            status = pr_fail(err, PR_ERR_FORMAT, "packed archive: point %zu holds a NaN", i);
    if (status == PR_OK)
        pr_archive_insert_many(a, ids, points, n);
    free(points);
    free(ids);
    return status;
}
