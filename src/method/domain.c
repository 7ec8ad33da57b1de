// SPDX-License-Identifier: BSD-3-Clause
#include "method/domain.h"

#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Steps of a range of real numbers: a power of ten, so that decimals that people write are met. */
static const int64_t STEPS = 1000000000;

/* ---- from options ---- */

static bool is_list_option(const pr_option_t *o)
{
    return o->kind == PR_OPT_STRINGS || o->kind == PR_OPT_INTS || o->kind == PR_OPT_INT64S || o->kind == PR_OPT_REALS ||
           o->kind == PR_OPT_COMMAND || o->kind == PR_OPT_GROUPS;
}

static bool is_number_option(const pr_option_t *o)
{
    return o->kind == PR_OPT_INT || o->kind == PR_OPT_INT64 || o->kind == PR_OPT_REAL;
}

/* One value, as the option has it. New reference. */
static pr_status_t check_value(const pr_option_t *o, const json_t *value, const char *dir, json_t **out,
                               pr_error_t *err)
{
    pr_option_reading_t how = {.dir = dir};
    pr_status_t status = pr_option_check(o, value, &how, out, NULL, err);
    return status == PR_OK ? PR_OK : pr_fail_in(err, "%s", o->key);
}

static pr_status_t add_range(const pr_option_t *o, const json_t *given, const char *dir, pr_axis_t *a, pr_error_t *err)
{
    enum { MOST = 4096 };
    const json_t *from = json_object_get(given, "from"), *to = json_object_get(given, "to");
    json_t *lo = NULL, *hi = NULL;
    if (!from || !to || json_object_size(given) != 2)
        return pr_fail(err, PR_ERR_CONFIG, "%s: found a group, expected a value, [ from, to ] or ( values )", o->key);
    if (!is_number_option(o))
        return pr_fail(err, PR_ERR_CONFIG,
                       "%s: found a range, expected a value or ( values ): only numbers have ranges", o->key);
    pr_status_t status = check_value(o, from, dir, &lo, err);
    if (status == PR_OK)
        status = check_value(o, to, dir, &hi, err);
    if (status == PR_OK && !(json_number_value(lo) < json_number_value(hi)))
        status = pr_fail(err, PR_ERR_CONFIG, "%s: found a range from %g to %g, expected one that rises", o->key,
                         json_number_value(lo), json_number_value(hi));
    if (status == PR_OK && o->kind == PR_OPT_REAL) {
        *a = (pr_axis_t){.name = o->key, .real = true, .lo = json_number_value(lo), .hi = json_number_value(hi)};
    } else if (status == PR_OK && json_integer_value(hi) - json_integer_value(lo) >= MOST) {
        status = pr_fail(err, PR_ERR_CONFIG, "%s: found a range of more than %d whole numbers", o->key, (int)MOST);
    } else if (status == PR_OK) {
        *a = (pr_axis_t){.name = o->key, .values = json_array()};
        for (json_int_t i = json_integer_value(lo); i <= json_integer_value(hi); i++)
            json_array_append_new(a->values, json_integer(i));
    }
    json_decref(lo);
    json_decref(hi);
    return status;
}

static pr_status_t add_values(const pr_option_t *o, const json_t *given, const char *dir, pr_axis_t *a, pr_error_t *err)
{
    *a = (pr_axis_t){.name = o->key, .values = json_array()};
    for (size_t i = 0; i < json_array_size(given); i++) {
        json_t *value = NULL;
        PR_TRY(check_value(o, json_array_get(given, i), dir, &value, err));
        for (size_t j = 0; j < i; j++)
            if (json_equal(value, json_array_get(a->values, j))) {
                json_decref(value);
                return pr_fail(err, PR_ERR_CONFIG, "%s: found the value at place %zu again at place %zu", o->key, j + 1,
                               i + 1);
            }
        json_array_append_new(a->values, value);
    }
    if (json_array_size(a->values) < 2)
        return pr_fail(err, PR_ERR_CONFIG, "%s: found a list of %zu, expected a value, or two values or more", o->key,
                       json_array_size(a->values));
    return PR_OK;
}

pr_status_t pr_domain_split(const pr_option_t *table, const json_t *given, const char *dir, pr_domain_t *d,
                            json_t **constants, pr_error_t *err)
{
    *d = (pr_domain_t){.rows = 1};
    json_t *rest = given ? json_copy((json_t *)(uintptr_t)given) : json_object();
    pr_status_t status = PR_OK;
    for (const pr_option_t *o = table; o->key && status == PR_OK; o++) { // in the order of the table
        const json_t *value = json_object_get(given, o->key);
        if (is_list_option(o) || (!json_is_object(value) && !json_is_array(value)))
            continue;
        if (o->incidental) { // it says what a point is
            status = pr_fail(err, PR_ERR_CONFIG, "%s: found a range or list, expected one value", o->key);
            break;
        }
        if (d->n_axes == PR_MAX_AXES) {
            status = pr_fail(err, PR_ERR_CONFIG, "%s: found more than %d searched parameters", o->key, PR_MAX_AXES);
            break;
        }
        pr_axis_t *a = &d->axis[d->n_axes++];
        status = json_is_object(value) ? add_range(o, value, dir, a, err) : add_values(o, value, dir, a, err);
        json_object_del(rest, o->key);
    }
    if (status == PR_OK)
        *constants = rest;
    else
        json_decref(rest);
    return status;
}

void pr_domain_clear(pr_domain_t *d)
{
    for (int i = 0; i < d->n_axes; i++)
        json_decref(d->axis[i].values);
    *d = (pr_domain_t){0};
}

/* ---- coordinates of axes ---- */

int pr_axis_count(const pr_axis_t *a)
{
    return a->real ? 0 : (int)json_array_size(a->values);
}

/* The denominator of a set's coordinates. */
static int64_t places(const pr_axis_t *a)
{
    int64_t p = 1;
    while (p < pr_axis_count(a) - 1)
        p *= 2;
    return p;
}

json_t *pr_axis_value(const pr_axis_t *a, int64_t num, int64_t den)
{
    enum { DIGITS = 12 }; // 0.1 + 0.8 / 4 is 0.3 to people
    if (!a->real) {
        __int128 place = (__int128)num * places(a) / den;
        return json_incref(json_array_get(a->values, (size_t)place));
    }
    char text[40];
    double x = num == den ? a->hi : a->lo + (a->hi - a->lo) * ((double)num / (double)den);
    snprintf(text, sizeof text, "%.*g", DIGITS, x);
    double nice = strtod(text, NULL);
    return pr_json_real(nice < a->lo || nice > a->hi ? x : nice);
}

bool pr_axis_find(const pr_axis_t *a, const json_t *value, int64_t *num, int64_t *den)
{
    for (int i = 0; i < pr_axis_count(a); i++) {
        const json_t *one = json_array_get(a->values, (size_t)i);
        if (json_equal((json_t *)(uintptr_t)one, (json_t *)(uintptr_t)value) ||
            (json_is_number(one) && json_is_number(value) && json_number_value(one) == json_number_value(value))) {
            *num = i;
            *den = places(a);
            return true;
        }
    }
    double x = json_number_value(value);
    if (!a->real || !json_is_number(value) || !(x >= a->lo && x <= a->hi))
        return false;
    pr_axis_nearest(a, (x - a->lo) / (a->hi - a->lo), 0, num, den);
    return true;
}

void pr_axis_nearest(const pr_axis_t *a, double u, int64_t steps, int64_t *num, int64_t *den)
{
    int64_t last = a->real ? (steps > 0 ? steps : STEPS) : pr_axis_count(a) - 1;
    double at = fmin(fmax(u, 0), 1);
    *den = a->real ? last : places(a);
    *num = llround(at * (double)*den);
    *num = *num > last ? last : *num;
}

bool pr_point_append(pr_point_t *p, int at, int64_t num, int64_t den)
{
    const int64_t limit = INT64_C(1) << 62;
    __int128 common = (__int128)p->den / pr_gcd64(p->den, den) * den;
    if (common > limit)
        return false;
    int64_t up = (int64_t)(common / p->den);
    for (int i = 0; i < at; i++)
        if ((__int128)p->num[i] * up > limit)
            return false;
    for (int i = 0; i < at; i++)
        p->num[i] *= up;
    p->den = (int64_t)common;
    p->num[at] = num * (p->den / den); // <= den, as num <= den
    pr_point_reduce(p, at + 1);
    return true;
}

void pr_domain_middle(const pr_domain_t *d, pr_point_t *p)
{
    for (int i = 0; i < d->n_axes; i++) {
        int64_t num = 1, den = 2;
        if (!d->axis[i].real) {
            num = (pr_axis_count(&d->axis[i]) - 1) / 2;
            den = places(&d->axis[i]);
        }
        pr_point_append(p, pr_domain_weights(d) + i, num, den);
    }
}

void pr_domain_alone(const pr_domain_t *d, int k, pr_point_t *p)
{
    *p = (pr_point_t){.den = 1};
    for (int r = 0; r < d->rows && k >= 0; r++)
        p->num[r * d->k + k] = 1;
    pr_domain_middle(d, p);
}

/* ---- what points say ---- */

void pr_domain_choice(const pr_domain_t *d, const pr_point_t *p, double *w, json_t **params)
{
    pr_point_weights(p, pr_domain_weights(d), w);
    *params = d->n_axes > 0 ? json_object() : NULL;
    for (int i = 0; i < d->n_axes; i++)
        json_object_set_new(*params, d->axis[i].name,
                            pr_axis_value(&d->axis[i], p->num[pr_domain_weights(d) + i], p->den));
}

void pr_domain_text(const pr_domain_t *d, const pr_point_t *p, char *out, size_t size)
{
    pr_buf_t b = {0};
    char text[PR_MAX_OBJECTIVES * 44];
    for (int r = 0; r < d->rows; r++) {
        pr_point_t row = {.den = p->den};
        memcpy(row.num, p->num + r * d->k, (size_t)d->k * sizeof *row.num);
        pr_point_text(&row, d->k, text, sizeof text);
        pr_buf_printf(&b, "%s%s", r ? "; " : "", text);
    }
    for (int i = 0; i < d->n_axes; i++) {
        json_t *value = pr_axis_value(&d->axis[i], p->num[pr_domain_weights(d) + i], p->den);
        char *shown =
            json_is_string(value) ? pr_strdup(json_string_value(value)) : pr_json_text(value, JSON_REAL_PRECISION(12));
        pr_buf_printf(&b, "%s%s=%s", b.len ? "; " : "", d->axis[i].name, shown);
        free(shown);
        json_decref(value);
    }
    snprintf(out, size, "%s", b.data ? b.data : "");
    pr_buf_free(&b);
}
