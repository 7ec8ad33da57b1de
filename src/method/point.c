// SPDX-License-Identifier: BSD-3-Clause
/* Points with exact rational coordinates, and their text. */
#include "method/point.h"

#include "base/mem.h"

#include <assert.h>
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of a point stay below this, so that the product of two fits 128 bits and every comparison is exact. */
static const int64_t LIMIT = INT64_C(1) << 62;

int64_t pr_gcd64(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

void pr_point_reduce(pr_point_t *p, int d)
{
    assert(p->den > 0 && d >= 1 && d <= PR_MAX_COORDINATES);
    int64_t g = p->den;
    for (int i = 0; i < d && g != 1; i++)
        g = pr_gcd64(g, p->num[i]);
    p->den /= g;
    for (int i = 0; i < d; i++)
        p->num[i] /= g;
    for (int i = d; i < PR_MAX_COORDINATES; i++)
        p->num[i] = 0;
}

int pr_point_compare(const pr_point_t *a, const pr_point_t *b, int d)
{
    for (int i = 0; i < d; i++) {
        __int128 left = (__int128)a->num[i] * b->den, right = (__int128)b->num[i] * a->den;
        if (left != right)
            return left < right ? -1 : 1;
    }
    return 0;
}

void pr_point_weights(const pr_point_t *p, int d, double *x)
{
    for (int i = 0; i < d; i++)
        x[i] = (double)p->num[i] / (double)p->den;
}

void pr_point_store(const pr_point_t *p, int d, int64_t *flat)
{
    flat[0] = p->den;
    memcpy(flat + 1, p->num, (size_t)d * sizeof *flat);
}

pr_point_t pr_point_load(const int64_t *flat, int d)
{
    pr_point_t p = {.den = flat[0]};
    memcpy(p.num, flat + 1, (size_t)d * sizeof *flat);
    return p;
}

void pr_point_text(const pr_point_t *p, int d, char *out, size_t size)
{
    pr_buf_t b = {0};
    for (int i = 0; i < d; i++) {
        int64_t g = pr_gcd64(p->den, p->num[i]);
        pr_buf_printf(&b, "%s%" PRId64, i > 0 ? "," : "", p->num[i] / g);
        if (p->den / g != 1)
            pr_buf_printf(&b, "/%" PRId64, p->den / g);
    }
    if (size > 0)
        snprintf(out, size, "%s", b.data ? b.data : "");
    pr_buf_free(&b);
}

/* A number as read: num/den, not reduced. */
typedef struct ratio {
    int64_t num, den;
} ratio_t;

/* Appends decimal digits to *value; false when it would pass the limit. *count: digits read. */
static bool read_digits(const char **at, const char *end, int64_t *value, int *count)
{
    for (; *at < end && isdigit((unsigned char)**at); (*at)++, (*count)++) {
        if (*value > (LIMIT - 10) / 10)
            return false;
        *value = *value * 10 + (**at - '0');
    }
    return true;
}

/* Multiplies by 10^e, or divides when e < 0. */
static bool scale_ten(ratio_t *r, int64_t e)
{
    for (; e > 0 && r->num > 0; e--) {
        if (r->num > LIMIT / 10)
            return false;
        r->num *= 10;
    }
    for (; e < 0 && r->num > 0; e++) {
        if (r->num % 10 == 0) {
            r->num /= 10;
        } else {
            if (r->den > LIMIT / 10)
                return false;
            r->den *= 10;
        }
    }
    return true;
}

/* TOO_FINE: what is written is a number, but not one of 62 bits. */
typedef enum { NUMBER_OK, NUMBER_BAD, NUMBER_TOO_FINE } number_t;

static number_t read_exponent(const char **at, const char *end, int64_t *exponent)
{
    if (*at == end || (**at != 'e' && **at != 'E'))
        return NUMBER_OK;
    (*at)++;
    bool minus = *at < end && **at == '-';
    if (*at < end && (**at == '-' || **at == '+'))
        (*at)++;
    int64_t e = 0;
    int digits = 0;
    if (!read_digits(at, end, &e, &digits) || e > 1000)
        return NUMBER_TOO_FINE;
    *exponent += minus ? -e : e;
    return digits > 0 ? NUMBER_OK : NUMBER_BAD;
}

/* The digits after a decimal point; zeros at the end say nothing and are passed over. */
static bool read_fraction(const char **at, const char *end, int64_t *value, int *count, int64_t *exponent)
{
    const char *first = ++*at, *stop = first;
    while (stop < end && isdigit((unsigned char)*stop))
        stop++;
    const char *last = stop;
    while (last > first && last[-1] == '0')
        last--;
    bool fits = read_digits(at, last, value, count);
    *exponent = -*count;
    *count += (int)(stop > last);
    *at = stop;
    return fits;
}

/* -0 as printf and NumPy write it: "-0", "-0.0", "-0.000e+00". */
static bool is_negative_zero(const char *at, const char *end)
{
    if (at == end || *at != '-' || ++at == end || *at != '0')
        return false;
    while (at < end && (*at == '0' || *at == '.'))
        at++;
    if (at < end && (*at == 'e' || *at == 'E'))
        for (at++; at < end && (isdigit((unsigned char)*at) || *at == '+' || *at == '-');)
            at++;
    return at == end;
}

/* One of "3", "0.25", "1e-3", "1/4", the whole of [at, end). */
static number_t read_number(const char *at, const char *end, ratio_t *r)
{
    *r = (ratio_t){0, 1};
    int whole = 0, part = 0;
    int64_t exponent = 0;
    if (at < end && *at == '+')
        at++;
    else if (is_negative_zero(at, end))
        return NUMBER_OK;
    if (!read_digits(&at, end, &r->num, &whole))
        return NUMBER_TOO_FINE;
    if (at < end && *at == '/' && whole > 0) {
        at++;
        r->den = 0;
        if (!read_digits(&at, end, &r->den, &part))
            return NUMBER_TOO_FINE;
        return part > 0 && at == end && r->den > 0 ? NUMBER_OK : NUMBER_BAD;
    }
    if (at < end && *at == '.' && !read_fraction(&at, end, &r->num, &part, &exponent))
        return NUMBER_TOO_FINE;
    if (whole + part == 0)
        return NUMBER_BAD;
    number_t status = read_exponent(&at, end, &exponent);
    if (status != NUMBER_OK)
        return status;
    if (at != end)
        return NUMBER_BAD;
    return scale_ten(r, exponent) ? NUMBER_OK : NUMBER_TOO_FINE;
}

/* Appends r to the first n coordinates of p, over a common denominator. */
static bool append_ratio(pr_point_t *p, int n, ratio_t r)
{
    int64_t g = pr_gcd64(r.den, r.num);
    r.num /= g;
    r.den /= g;
    __int128 den = (__int128)p->den / pr_gcd64(p->den, r.den) * r.den;
    if (den > LIMIT)
        return false;
    __int128 up = den / p->den, last = den / r.den * r.num;
    for (int i = 0; i < n; i++) {
        if (up * p->num[i] > LIMIT)
            return false;
        p->num[i] = (int64_t)(up * p->num[i]);
    }
    if (last > LIMIT)
        return false;
    p->num[n] = (int64_t)last;
    p->den = (int64_t)den;
    return true;
}

static bool is_separator(char c)
{
    return c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The next field of [*at, end): skips white space and at most one comma before it (none before the first). False at the
 * end; an empty field between commas has length 0. */
static bool next_field(const char **at, const char *end, bool first, const char **field, size_t *len)
{
    const char *p = *at;
    bool comma = first;
    while (p < end && is_separator(*p) && !(*p == ',' && comma)) {
        comma = comma || *p == ',';
        p++;
    }
    if (p == end && (first || !comma || p == *at))
        return false;
    *field = p;
    while (p < end && !is_separator(*p))
        p++;
    *len = (size_t)(p - *field);
    *at = p;
    return true;
}

/* ---- numbers that no 62 bits hold ---- */

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && isdigit((unsigned char)*at))
        at++;
    return at;
}

/* Is [at, end) written as read_number() has it, at any length? */
static bool is_number(const char *at, const char *end)
{
    const char *first = at += at < end && *at == '+', *part;
    at = skip_digits(at, end);
    bool digits = at > first;
    if (digits && at < end && *at == '/')
        return skip_digits(at + 1, end) == end && at + 1 < end;
    if (at < end && *at == '.') {
        part = skip_digits(at + 1, end);
        digits = digits || part > at + 1;
        at = part;
    }
    if (digits && at < end && (*at == 'e' || *at == 'E')) {
        at += 1 + (at + 1 < end && (at[1] == '-' || at[1] == '+'));
        part = skip_digits(at, end);
        digits = part > at;
        at = part;
    }
    return digits && at == end;
}

/* The nearest double of a field that is_number(); it may be infinite. */
static double nearest_double(const char *at, size_t len)
{
    char *copy = pr_strndup(at, len), *slash = strchr(copy, '/');
    double x = strtod(copy, NULL);
    if (slash)
        x /= strtod(slash + 1, NULL);
    free(copy);
    return x;
}

/* k doubles over a power of two that leaves room for their sum: exact where they are not smaller than it by 2^9. */
static bool round_point(const double *x, int k, pr_point_t *out)
{
    double sum = 0;
    int exponent;
    for (int i = 0; i < k; i++)
        sum += x[i];
    if (!isfinite(sum))
        return false;
    frexp(sum, &exponent); // sum < 2^exponent
    int shift = 61 - (exponent > 1 ? exponent : 1);
    if (shift < 0)
        return false;
    *out = (pr_point_t){.den = INT64_C(1) << shift};
    for (int i = 0; i < k; i++)
        out->num[i] = llround(ldexp(x[i], shift));
    pr_point_reduce(out, k);
    return true;
}

/* ---- a point's text ---- */

typedef struct field {
    const char *at;
    size_t len;
} field_t;

static pr_status_t bad_field(const field_t *f, int i, const char *expected, pr_error_t *err)
{
    return pr_fail(err, PR_ERR_FORMAT, "weight %d: found '%.*s', expected %s", i + 1, f->len < 40 ? (int)f->len : 40,
                   f->at, expected);
}

/* As it is written; *fine: that takes more than 62 bits. */
static pr_status_t exact_point(const field_t *f, int k, pr_point_t *out, bool *fine, pr_error_t *err)
{
    pr_point_t p = {.den = 1};
    *fine = false;
    for (int i = 0; i < k; i++) {
        ratio_t r;
        number_t status = read_number(f[i].at, f[i].at + f[i].len, &r);
        if (status == NUMBER_TOO_FINE && !is_number(f[i].at, f[i].at + f[i].len))
            status = NUMBER_BAD;
        if (status == NUMBER_BAD)
            return bad_field(&f[i], i, "a non-negative number such as 0.25 or 1/4", err);
        *fine = *fine || status == NUMBER_TOO_FINE || !append_ratio(&p, i, r);
    }
    if (*fine)
        return PR_OK;
    pr_point_reduce(&p, k);
    *out = p;
    return PR_OK;
}

/* Of doubles, as they were before they were printed with all their digits. */
static pr_status_t rounded_point(const field_t *f, int k, pr_point_t *out, pr_error_t *err)
{
    double x[PR_MAX_COORDINATES];
    int largest = 0;
    for (int i = 0; i < k; i++) {
        x[i] = nearest_double(f[i].at, f[i].len);
        if (!isfinite(x[i]))
            return bad_field(&f[i], i, "a number that a double holds", err);
        largest = x[i] > x[largest] ? i : largest;
    }
    return round_point(x, k, out) ? PR_OK : bad_field(&f[largest], largest, "weights whose sum is below 2^61", err);
}

pr_status_t pr_point_parse_span(const char *text, const char *end, int k, pr_point_t *out, pr_error_t *err)
{
    field_t field[PR_MAX_COORDINATES], f = {0};
    bool fine;
    int n = 0;
    for (; next_field(&text, end, n == 0, &f.at, &f.len); n++)
        if (n < k)
            field[n] = f;
    if (n != k)
        return pr_fail(err, PR_ERR_FORMAT, "found %d weights, expected %d", n, k);
    PR_TRY(exact_point(field, k, out, &fine, err));
    return fine ? rounded_point(field, k, out, err) : PR_OK;
}

bool pr_point_field(const char *text, const char *end, int i, const char **field, size_t *len)
{
    for (int n = 0; next_field(&text, end, n == 0, field, len); n++)
        if (n == i)
            return true;
    return false;
}

bool pr_point_normalise(pr_point_t *p, int k)
{
    __int128 sum = 0;
    for (int i = 0; i < k; i++)
        sum += p->num[i];
    if (sum <= 0)
        return false;
    p->den = 1;
    /* Up to 16 numbers of 62 bits: the sum may need more, but what they have in common may still be divided out. */
    int64_t g = 0;
    for (int i = 0; i < k; i++)
        g = pr_gcd64(p->num[i], g);
    sum /= g;
    if (sum > LIMIT)
        return false;
    for (int i = 0; i < k; i++)
        p->num[i] /= g;
    p->den = (int64_t)sum;
    return true;
}

void pr_point_quantise(const double *w, int k, pr_point_t *out)
{
    const int64_t den = INT64_C(1) << 30;
    *out = (pr_point_t){.den = den};
    double rest[PR_MAX_OBJECTIVES];
    int64_t left = den;
    for (int i = 0; i < k; i++) {
        double x = fmin(fmax(w[i], 0), 1) * (double)den;
        out->num[i] = (int64_t)floor(x);
        rest[i] = x - floor(x);
        left -= out->num[i];
    }
    /* Largest remainders first; a surplus (weights that sum to more than 1 by rounding) comes off the largest
     * weight. */
    while (left > 0) {
        int best = 0;
        for (int i = 1; i < k; i++)
            best = rest[i] > rest[best] ? i : best;
        // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): k >= 1
        int64_t add = rest[best] > 0 ? 1 : left;
        out->num[best] += add;
        rest[best] -= 1;
        left -= add;
    }
    for (; left < 0; left++) {
        int best = 0;
        for (int i = 1; i < k; i++)
            best = out->num[i] > out->num[best] ? i : best;
        out->num[best]--;
    }
    pr_point_reduce(out, k);
}
