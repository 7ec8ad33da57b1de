// SPDX-License-Identifier: BSD-3-Clause
/* Domains: rows of weights times searched parameters, what their coordinates say, and the searches that take them. */
#include "unit/sweeps/search_sim.h"

static const pr_option_t TABLE[] = {
    {.key = "depth", .kind = PR_OPT_INT, .dflt = "0", .min = -1, .max = 100, .help = "d"},
    {.key = "scale", .kind = PR_OPT_REAL, .dflt = "1", .min = -10, .max = 10, .help = "s"},
    {.key = "sort", .kind = PR_OPT_STRING, .dflt = "\"a\"", .choices = "a|b|c", .help = "s"},
    {.key = "on", .kind = PR_OPT_BOOL, .dflt = "true", .help = "o"},
    {.key = "list", .kind = PR_OPT_REALS, .dflt = "[]", .help = "l"},
    {.key = "rows", .kind = PR_OPT_INT, .dflt = "1", .min = 1, .max = 16, .incidental = true, .help = "r"},
    {0}};
static pr_error_t err;

static json_t *parse(const char *text)
{
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    ck_assert_msg(v != NULL, "%s", text);
    return v;
}

static pr_domain_t split(const char *text, const char *rest)
{
    pr_domain_t d;
    json_t *given = parse(text), *constants = NULL, *expected = parse(rest);
    ck_assert_msg(pr_domain_split(TABLE, given, NULL, &d, &constants, &err) == PR_OK, "%s", err.text);
    ck_assert_msg(json_equal(constants, expected), "%s", text);
    json_decref(given);
    json_decref(constants);
    json_decref(expected);
    return d;
}

START_TEST(splits_options)
{
    pr_domain_t d = split("{\"depth\": 3, \"list\": [1, 2]}", "{\"depth\": 3, \"list\": [1, 2]}");
    ck_assert_int_eq(d.n_axes, 0);
    pr_domain_clear(&d);
    d = split(
        "{\"sort\": [\"c\", \"a\"], \"scale\": {\"from\": -0.5, \"to\": 1.5}, \"depth\": {\"from\": 2, \"to\": 6}, "
        "\"on\": [true, false], \"list\": []}",
        "{\"list\": []}");
    ck_assert_int_eq(d.n_axes, 4); // in the table's order
    ck_assert_str_eq(d.axis[0].name, "depth");
    ck_assert_int_eq(pr_axis_count(&d.axis[0]), 5);
    ck_assert_str_eq(d.axis[1].name, "scale");
    ck_assert_int_eq(pr_axis_count(&d.axis[1]), 0);
    ck_assert_str_eq(d.axis[2].name, "sort");
    ck_assert_str_eq(d.axis[3].name, "on");
    pr_domain_clear(&d);
}
END_TEST

START_TEST(refuses_options)
{
    static const char *const bad[][2] = {
        {"{\"depth\": {\"from\": 6, \"to\": 2}}", "depth: found a range from 6 to 2"},
        {"{\"depth\": {\"from\": 1, \"to\": 1}}", "depth: found a range from 1 to 1"},
        {"{\"depth\": {\"from\": 0, \"to\": 500}}", "depth: found the integer 500"},
        {"{\"depth\": {\"from\": 0}}", "depth: found a group"},
        {"{\"sort\": {\"from\": \"a\", \"to\": \"b\"}}", "sort: found a range"},
        {"{\"sort\": [\"a\", \"d\"]}", "sort: found the string \"d\""},
        {"{\"scale\": [0.5]}", "scale: found a list of 1"},
        {"{\"scale\": []}", "scale: found a list of 0"},
        {"{\"scale\": [0.5, 1, 0.5]}", "scale: found the value at place 1 again at place 3"},
        {"{\"rows\": [1, 2]}", "rows: found a range or list, expected one value"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pr_domain_t d;
        json_t *given = parse(bad[i][0]), *constants = NULL;
        ck_assert_int_eq(pr_domain_split(TABLE, given, NULL, &d, &constants, &err), PR_ERR_CONFIG);
        ck_assert_msg(strstr(err.text, bad[i][1]) != NULL, "%s: %s", bad[i][0], err.text);
        ck_assert_ptr_null(constants);
        pr_domain_clear(&d);
        json_decref(given);
    }
}
END_TEST

/* Every value of a set is found at its own coordinate, and the nearest of each is it. */
START_TEST(axes_go_both_ways)
{
    pr_domain_t d =
        split("{\"depth\": {\"from\": -1, \"to\": 9}, \"scale\": {\"from\": 0.1, \"to\": 0.9}, \"sort\": [\"b\", "
              "\"a\"]}",
              "{}");
    int64_t num, den;
    for (int i = 0; i < 11; i++) {
        json_t *value = json_integer(i - 1), *back;
        ck_assert(pr_axis_find(&d.axis[0], value, &num, &den));
        ck_assert_int_eq(den, 16);
        ck_assert_int_eq(num, i);
        back = pr_axis_value(&d.axis[0], num, den);
        ck_assert(json_equal(value, back));
        pr_axis_nearest(&d.axis[0], (double)num / (double)den + 0.02, 0, &num, &den);
        ck_assert_int_eq(num, i);
        json_decref(value);
        json_decref(back);
    }
    pr_axis_nearest(&d.axis[0], 1, 0, &num, &den); // past the last
    ck_assert_int_eq(num, 10);
    static const double numbers[] = {0.1, 0.3, 0.55, 0.9};
    for (int i = 0; i < 4; i++) {
        json_t *value = json_real(numbers[i]), *back;
        ck_assert(pr_axis_find(&d.axis[1], value, &num, &den));
        back = pr_axis_value(&d.axis[1], num, den);
        ck_assert_double_eq(json_real_value(back), numbers[i]); // as people wrote it
        json_decref(value);
        json_decref(back);
    }
    json_t *outside = json_real(0.95), *word = json_string("c");
    ck_assert(!pr_axis_find(&d.axis[1], outside, &num, &den));
    ck_assert(!pr_axis_find(&d.axis[2], word, &num, &den));
    json_decref(outside);
    json_decref(word);
    pr_domain_clear(&d);
}
END_TEST

START_TEST(points_say_what_they_are)
{
    pr_domain_t d = split("{\"depth\": {\"from\": 0, \"to\": 4}, \"sort\": [\"b\", \"a\", \"c\"]}", "{}");
    d.k = 2;
    d.rows = 2;
    pr_point_t p = {.den = 3, .num = {1, 2, 3, 0}};
    pr_domain_middle(&d, &p);
    double w[4];
    json_t *params, *expected = parse("{\"depth\": 2, \"sort\": \"a\"}");
    pr_domain_choice(&d, &p, w, &params);
    ck_assert(json_equal(params, expected));
    ck_assert_double_eq(w[0], 1.0 / 3);
    ck_assert_double_eq(w[2], 1);
    char text[PR_POINT_TEXT];
    pr_domain_text(&d, &p, text, sizeof text);
    ck_assert_str_eq(text, "1/3,2/3; 1,0; depth=2; sort=a");
    json_decref(params);
    json_decref(expected);
    pr_domain_alone(&d, 1, &p);
    pr_domain_text(&d, &p, text, sizeof text);
    ck_assert_str_eq(text, "0,1; 0,1; depth=2; sort=a");
    pr_domain_alone(&d, -1, &p);
    pr_domain_text(&d, &p, text, sizeof text);
    ck_assert_str_eq(text, "0,0; 0,0; depth=2; sort=a");
    pr_point_t large = {.den = INT64_C(1) << 61, .num = {1, (INT64_C(1) << 61) - 1}};
    ck_assert(!pr_point_append(&large, 2, 1, 3)); // no 62 bits hold that
    pr_domain_clear(&d);
}
END_TEST

/* ---- searches ---- */

/* Two objectives whose trade-off is w of the second row, and which are the better the nearer scale is to .8 and the sort
 * is "c"; the first row says nothing. */
static void product_at(const pr_domain_t *d, const pr_point_t *p, double *f)
{
    double w[PR_MAX_COORDINATES];
    json_t *params;
    pr_domain_choice(d, p, w, &params);
    double off = json_number_value(json_object_get(params, "scale")) - 0.8, good = exp(-8 * off * off);
    if (strcmp(json_string_value(json_object_get(params, "sort")), "c") != 0)
        good *= 0.5;
    f[0] = good * sqrt(w[2]);
    f[1] = good * sqrt(w[3]);
    json_decref(params);
}

typedef struct product {
    pr_search_t search;
    pr_search_spec_t spec;
    pr_domain_t domain;
    pr_observation_t obs[400];
    double mean[400][2];
    size_t n;
} product_t;

static product_t *product_new(const char *type, const char *domain)
{
    static const double zero[2] = {0, 0}, one[2] = {1, 1};
    product_t *t = pr_alloc(1, sizeof *t);
    t->domain = split("{\"scale\": {\"from\": -1, \"to\": 1}, \"sort\": [\"a\", \"b\", \"c\"]}", "{}");
    t->domain.k = 2;
    t->domain.rows = 2;
    t->domain.cube = strcmp(domain, "cube") == 0;
    t->spec = (pr_search_spec_t){.type = (char *)(uintptr_t)type, .domain = (char *)(uintptr_t)domain, .alpha = 1};
    t->search = (pr_search_t){.spec = &t->spec,
                              .k = 2,
                              .domain = &t->domain,
                              .n_prompts = 1,
                              .seed = 3,
                              .lo = zero,
                              .hi = one,
                              .reference = zero};
    return t;
}

static void product_free(product_t *t)
{
    for (size_t i = 0; i < t->n; i++)
        free((int64_t *)(uintptr_t)t->obs[i].point);
    pr_domain_clear(&t->domain);
    free(t);
}

static void check_point(const product_t *t, const pr_point_t *p)
{
    const pr_domain_t *d = &t->domain;
    pr_point_t reduced = *p;
    pr_point_reduce(&reduced, pr_domain_size(d));
    ck_assert(memcmp(&reduced, p, sizeof reduced) == 0);
    for (int r = 0; r < d->rows; r++) {
        ck_assert(p->num[2 * r] >= 0 && p->num[2 * r + 1] >= 0);
        if (!d->cube)
            ck_assert_int_eq(p->num[2 * r] + p->num[2 * r + 1], p->den);
    }
    for (int i = 0; i < d->n_axes; i++) {
        int64_t at = p->num[4 + i], places = p->den / 2; // of three values
        ck_assert(at >= 0 && at <= p->den);
        ck_assert(d->axis[i].real || at == 0 || at == places || at == p->den);
    }
}

static void product_run(product_t *t)
{
    for (;;) {
        pr_requests_t q = {0};
        ck_assert_msg(pr_search_next(&t->search, t->obs, t->n, &q, &err) == PR_OK, "%s", err.text);
        for (size_t i = 0; i < q.n; i++) {
            pr_request_t one = pr_requests_at(&q, i);
            ck_assert_uint_lt(t->n, 400);
            check_point(t, &one.point);
            product_at(&t->domain, &one.point, t->mean[t->n]);
            t->obs[t->n] = (pr_observation_t){.point = sim_flat(&one.point, q.d),
                                              .level = one.level,
                                              .n_prompts = 1,
                                              .mean = t->mean[t->n],
                                              .core_seconds = 1};
            t->n++;
        }
        pr_requests_free(&q);
        if (q.done)
            return;
    }
}

/* The volume under the front of the points, of two objectives. */
static double product_volume(const product_t *t)
{
    enum { STEPS = 1000 };
    double sum = 0;
    for (int i = 0; i < STEPS; i++) {
        double most = 0;
        for (size_t j = 0; j < t->n; j++)
            if (t->mean[j][0] >= (i + 0.5) / STEPS)
                most = fmax(most, t->mean[j][1]);
        sum += most / STEPS;
    }
    return sum;
}

/* The model finds the parameters that matter; random points do not. The whole volume is pi / 4. */
START_TEST(auto_searches_products)
{
    const char *domain = _i ? "cube" : "simplex";
    product_t *t = product_new("auto", domain), *random = product_new("random", domain);
    t->spec.budget = 50;
    random->spec.points = 50;
    product_run(t);
    product_run(random);
    ck_assert_uint_eq(t->n, 50);
    ck_assert_uint_eq(random->n, 50);
    double found = product_volume(t), by_chance = product_volume(random);
    ck_assert_msg(found > 0.85 * (_i ? 1 : M_PI / 4) && found > by_chance + 0.05, "%g, by chance %g", found, by_chance);
    product_free(t);
    product_free(random);
}
END_TEST

/* Of a lattice; and where every point is a different one, there is an end. */
START_TEST(auto_on_lattices_of_products)
{
    product_t *t = product_new("auto", "simplex");
    t->spec.lattice = 2;
    t->spec.budget = 200;
    t->spec.min_gain = 1e-12;
    product_run(t);
    ck_assert_uint_le(t->n, 3 * 3 * 3 * 3); // two rows, a scale, a sort
    for (size_t i = 0; i < t->n; i++)
        ck_assert_int_eq(2 % (int)t->obs[i].point[0], 0);
    product_free(t);
}
END_TEST

START_TEST(others_refuse_products)
{
    static const char *const types[] = {"hierarchical", "grid", "ols"};
    product_t *t = product_new(types[_i], "simplex");
    pr_requests_t q = {0};
    t->spec.divisions = t->spec.levels = 2;
    t->spec.select = (char *)(uintptr_t) "front";
    ck_assert_int_eq(pr_search_next(&t->search, NULL, 0, &q, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "leaves scale open; expected one of auto | random | list"));
    ck_assert_int_eq(pr_search_check(&t->search, &err), PR_ERR_CONFIG);
    int axes = t->domain.n_axes;
    t->domain.n_axes = 0;
    ck_assert_int_eq(pr_search_check(&t->search, &err), PR_ERR_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "but its policy has 2; expected one of auto | random | list"));
    t->domain.n_axes = axes;
    product_free(t);
}
END_TEST

static char path[] = "/tmp/pr-domain-XXXXXX";

static pr_status_t list(product_t *t, const char *text)
{
    FILE *f = fopen(path, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
    t->spec.file = path;
    return pr_search_check(&t->search, &err);
}

START_TEST(lists_of_products)
{
    static const char *const bad[][2] = {
        {"1 0 0 1 0.5\n", "found 5 numbers, expected 6: 4 of weights and 2 of parameters"},
        {"1 0 0 1 0.5 a a\n", "found 7 numbers"},
        {"1 0 0 0 0.5 a\n", "row 2: found weights whose sum is 0"},
        {"1 0 x 1 0.5 a\n", "row 2: weight 1: found 'x'"},
        {"1 0 0 1 2 a\n", "scale: found '2', expected one of its values"},
        {"1 0 0 1 0.5 d\n", "sort: found 'd'"}};
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    product_t *t = product_new("list", "simplex");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_ne(list(t, bad[i][0]), PR_OK);
        ck_assert_msg(strstr(err.text, bad[i][1]) != NULL, "%s: %s", bad[i][0], err.text);
    }
    ck_assert_msg(list(t, "# two\n1 3, 0 1, -0.5 c\n1/3 2/3 1 0 1e-1 \"a\"\n") == PR_OK, "%s", err.text);
    product_run(t);
    ck_assert_uint_eq(t->n, 2);
    char text[2][PR_POINT_TEXT];
    for (int i = 0; i < 2; i++) {
        pr_point_t p = pr_point_load(t->obs[i].point, 6);
        pr_domain_text(&t->domain, &p, text[i], sizeof text[i]);
    }
    ck_assert_str_eq(text[0], "1/4,3/4; 0,1; scale=-0.5; sort=c");
    ck_assert_str_eq(text[1], "1/3,2/3; 1,0; scale=0.1; sort=a");
    unlink(path);
    product_free(t);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("domains");
    TCase *c = tcase_create("domain");
    tcase_add_test(c, splits_options);
    tcase_add_test(c, refuses_options);
    tcase_add_test(c, axes_go_both_ways);
    tcase_add_test(c, points_say_what_they_are);
    suite_add_tcase(suite, c);
    c = tcase_create("searches");
    tcase_add_loop_test(c, auto_searches_products, 0, 2);
    tcase_add_test(c, auto_on_lattices_of_products);
    tcase_add_loop_test(c, others_refuse_products, 0, 3);
    tcase_add_test(c, lists_of_products);
    suite_add_tcase(suite, c);
    return sim_main(suite);
}
