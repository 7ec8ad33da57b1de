// SPDX-License-Identifier: BSD-3-Clause
#include "report/costs.h"
#include "report/metrics.h"
#include "report/samples.h"
#include "report/table.h"
#include "report/text.h"

#include "report_files.h"

#include <math.h>

static pr_error_t err;

static const char *const names[] = {"reflection", "=empathy,1", "br\"evity\xff"};
static const double w0[] = {1.0 / 3, 0.5, 1.0 / 6}, m0[] = {0.9123456789012345, -0.25, 1e-7}, s0[] = {0.01, 0, NAN};
static const double w1[] = {0, 0, 1}, m1[] = {0.1, 0.2, 0.30000000000000004}, s1[] = {0.001, 0.002, INFINITY};
static const pr_table_point_t points[] = {
    {"p0", "states", 1, 2, w0, m0, s0, 128, 4096, 0.25, "j0", true, false, NULL, NULL, 0, NULL},
    {"p1", "states", 1, 0, w1, m0, s1, 128, 99, 0, "j0", false, false, NULL, NULL, 0, NULL},
    {"p2", "+states", 2, 0, w1, m1, s1, 64, 5000000000, NAN, "j1", true, false, NULL, NULL, 0, NULL}};
static const pr_table_t table = {.k = 3, .objective = names, .point = points, .n = 3};

/* Checks one row of a csv against its point. */
static void expect_row(const char **s, const pr_table_point_t *p, const char *search)
{
    char field[256];
    const double *group[] = {p->w, p->mean, p->se};
    next_field(s, field);
    ck_assert_str_eq(field, search);
    next_field(s, field);
    ck_assert_int_eq(atoi(field), p->seed);
    next_field(s, field);
    ck_assert_int_eq(atoi(field), p->level);
    for (int i = 0; i < 9; i++) {
        double expected = group[i / 3][i % 3];
        next_field(s, field);
        double found = strtod(field, NULL);
        bool none = i / 3 == 2 && isnan(expected); // a standard error that there is not is an empty field
        ck_assert_msg(none ? field[0] == '\0' : found == expected || (isnan(found) && isnan(expected)),
                      "%s, expected %.17g", field, expected);
    }
    next_field(s, field);
    ck_assert_int_eq(atoi(field), p->n_prompts);
    next_field(s, field);
    ck_assert_int_eq(atol(field), p->tokens);
    next_field(s, field); // not known: empty
    ck_assert(isnan(p->cut) ? field[0] == 0 : strtod(field, NULL) == p->cut);
    next_field(s, field);
    ck_assert_str_eq(field, p->front ? "1" : "0");
    next_field(s, field);
    ck_assert_str_eq(field, p->id);
    ck_assert_int_eq(next_field(s, field), '\n');
    ck_assert_str_eq(field, p->job);
}

static void expect_headings(const char **s)
{
    static const char *const headings[] = {"search",        "seed",          "level",
                                           "w_reflection",  "w_=empathy,1",  "w_br\"evity\xEF\xBF\xBD",
                                           "reflection",    "'=empathy,1",   "br\"evity\xEF\xBF\xBD",
                                           "se_reflection", "se_=empathy,1", "se_br\"evity\xEF\xBF\xBD",
                                           "prompts",       "new_tokens",    "cut",
                                           "front",         "point",         "job"};
    char field[256];
    for (size_t i = 0; i < sizeof headings / sizeof *headings; i++) {
        next_field(s, field);
        ck_assert_str_eq(field, headings[i]);
    }
}

START_TEST(cells_csv)
{
    ck_assert_int_eq(pr_write_cells_csv(path, &table, &err), PR_OK);
    char *text = get_text();
    const char *s = text;
    expect_headings(&s);
    expect_row(&s, &points[0], "states");
    expect_row(&s, &points[1], "states");
    expect_row(&s, &points[2], "'+states");
    ck_assert_str_eq(s, "");
    ck_assert_ptr_nonnull(
        strstr(text, "states,1,2,0.3333333333333333,0.5,0.16666666666666666,0.9123456789012345,-0.25,1e-07,"));
    free(text);
}
END_TEST

START_TEST(front_csv)
{
    ck_assert_int_eq(pr_write_front_csv(path, &table, &err), PR_OK);
    char *text = get_text();
    const char *s = text;
    expect_headings(&s);
    expect_row(&s, &points[0], "states");
    expect_row(&s, &points[2], "'+states");
    ck_assert_str_eq(s, "");
    free(text);
    const pr_table_t empty = {.k = 3, .objective = names};
    ck_assert_int_eq(pr_write_front_csv(path, &empty, &err), PR_OK);
    text = get_text();
    s = text;
    expect_headings(&s);
    ck_assert_str_eq(s, "");
    free(text);
}
END_TEST

START_TEST(front_json)
{
    json_t *front = NULL;
    ck_assert_int_eq(pr_write_front_json(path, &table, &err), PR_OK);
    ck_assert_msg(pr_json_load(path, 0, &front, &err) == PR_OK, "%s", err.text);
    const json_t *list = json_object_get(front, "points"), *p = json_array_get(list, 1);
    ck_assert_uint_eq(json_array_size(list), 2);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(front, "objectives"), 2)),
                     "br\"evity\xEF\xBF\xBD");
    ck_assert_str_eq(json_string_value(json_object_get(p, "search")), "+states");
    ck_assert_int_eq(json_integer_value(json_object_get(p, "seed")), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(p, "tokens")), 5000000000);
    ck_assert_double_eq(json_real_value(json_object_get(json_object_get(p, "mean"), "br\"evity\xEF\xBF\xBD")),
                        0.30000000000000004);
    ck_assert_double_eq(json_real_value(json_object_get(json_object_get(p, "se"), "reflection")), 0.001);
    ck_assert(json_is_null(json_object_get(json_object_get(p, "se"), "br\"evity\xEF\xBF\xBD")));
    ck_assert_double_eq(json_real_value(json_object_get(json_object_get(p, "weights"), "reflection")), 0);
    json_decref(front);
    char *text = get_text(), *at = text;
    static const char *const order[] = {"\"objectives\"", "\"searches\"", "\"seeds\"",   "\"points\"", "\"search\"",
                                        "\"seed\"",       "\"level\"",    "\"weights\"", "\"mean\"",   "\"se\"",
                                        "\"prompts\"",    "\"tokens\"",   "\"point\"",   "\"job\""};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        at = strstr(at, order[i]);
        ck_assert_msg(at, "%s is out of order", order[i]);
    }
    ck_assert_ptr_nonnull(strstr(text, ": 0.30000000000000004,\n") ?: strstr(text, ": 0.30000000000000004\n"));
    free(text);
}
END_TEST

START_TEST(writing_fails_clearly)
{
    char missing[256];
    snprintf(missing, sizeof missing, "%s/no/file", folder);
    json_t *object = json_object();
    ck_assert_int_eq(pr_write_cells_csv(missing, &table, &err), PR_ERR_IO);
    ck_assert_int_eq(pr_write_front_csv(missing, &table, &err), PR_ERR_IO);
    ck_assert_int_eq(pr_write_front_json(missing, &table, &err), PR_ERR_IO);
    ck_assert_int_eq(pr_write_costs_csv(missing, NULL, 0, &err), PR_ERR_IO);
    ck_assert_int_eq(pr_write_samples(missing, 0, 0, NULL, NULL, 0, &err), PR_ERR_IO);
    ck_assert_int_eq(pr_write_metrics(missing, object, &err), PR_ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.text, missing));
    json_decref(object);
}
END_TEST

// ---- the terminal ----

static const char *const samples[] = {"I hear you.\nIt \x1b[31mhurts\x1b[0m when a friend leaves, and it takes time.",
                                      "not on the front",
                                      "日本語の返事はここに長く長く長く長く長く長く書かれています。"};

static void expect_no_wider(const char *text, int columns)
{
    char line[2048];
    for (const char *s = text; *s; s += strcspn(s, "\n") + 1) {
        snprintf(line, sizeof line, "%.*s", (int)strcspn(s, "\n"), s);
        ck_assert_msg(pr_text_width(line) <= columns, "%d columns: \"%s\"", columns, line);
        ck_assert(valid_utf8(line, strlen(line)));
        ck_assert_ptr_null(strchr(line, 0x1b));
    }
}

START_TEST(front_table_at_every_width)
{
    for (int columns = 20; columns < 200; columns++) {
        char *text = pr_front_table(&table, samples, columns, 0, NULL);
        expect_no_wider(text, columns);
        ck_assert_ptr_null(strstr(text, "not on the front"));
        ck_assert(columns < 24 || strstr(text, "I hear you. It"));
        ck_assert(columns < 84 || strstr(text, "0.912 ± 0.010"));
        ck_assert(columns < 80 || strstr(text, "0.333 0.500 0.167"));
        ck_assert_ptr_nonnull(strstr(text, "p0"));
        // Where there is no room side by side, all numbers are there all the same.
        ck_assert_ptr_nonnull(strstr(text, "0.912"));
        ck_assert_ptr_nonnull(strstr(text, "-0.250"));
        ck_assert_ptr_nonnull(strstr(text, "0.300"));
        free(text);
    }
}
END_TEST

START_TEST(front_table_without_samples_and_rows)
{
    char *text = pr_front_table(&table, NULL, 100, 1, NULL);
    ck_assert_ptr_nonnull(strstr(text, "… and 1 more\n"));
    ck_assert_ptr_null(strstr(text, "sample"));
    ck_assert_ptr_nonnull(strstr(text, "   search  seed  weights"));
    ck_assert_ptr_nonnull(strstr(text, "cut   point\n"));
    ck_assert_ptr_nonnull(strstr(text, "25 %  p0\n"));
    free(text);
    const pr_table_t empty = {.k = 3, .objective = names};
    text = pr_front_table(&empty, NULL, 100, 0, NULL);
    ck_assert_ptr_nonnull(strstr(text, "weights  reflection"));
    ck_assert_ptr_null(strstr(text, "search"));
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    free(text);
}
END_TEST

/* Terminal columns of the text from s to end. */
static int columns_between(const char *s, const char *end)
{
    int n = 0;
    while (s < end) {
        utf8proc_int32_t c;
        s += utf8proc_iterate((const utf8proc_uint8_t *)s, end - s, &c);
        n += utf8proc_charwidth(c);
    }
    return n;
}

/* A sweep of several searches says of each row which it is from, though all are from one; rows have numbers, those of the
 * base model and the experts have none; what is left out is said, and where it is to be seen. */
START_TEST(front_table_cannot_be_misread)
{
    static const pr_table_point_t p[] = {
        {"p0", "states", 1, 2, w0, m0, m1, 128, 4096, 0, "j0", true, false, NULL, NULL, 0, NULL},
        {"p1", "states", 1, 2, w1, m0, m1, 128, 4096, 0, "j1", true, false, NULL, NULL, 0, NULL},
        {"p2", "base", 1, 0, w1, m1, m1, 64, 50, 0, "j2", false, true, NULL, NULL, 0, NULL}};
    const pr_table_t t = {.k = 3, .objective = names, .point = p, .n = 2, .n_searches = 2, .n_seeds = 2};
    char *text = pr_front_table(&t, NULL, 120, 0, "results/x");
    ck_assert_ptr_nonnull(strstr(text, "search  seed  weights"));
    ck_assert_ptr_nonnull(strstr(text, "\n1  states  1 "));
    ck_assert_ptr_nonnull(strstr(text, "\n2  states  1 "));
    ck_assert_ptr_null(strstr(text, "left out"));
    ck_assert_ptr_null(strstr(text, "more"));
    free(text);
    const pr_table_t all = {.k = 3, .objective = names, .point = p, .n = 3};
    text = pr_front_table(&all, NULL, 120, 1, "results/x");
    ck_assert_ptr_nonnull(strstr(text, "\n… and 1 more: paretorank front results/x\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n   base "));
    free(text);
    for (int columns = 40; columns < 120; columns++) {
        text = pr_front_table(&all, NULL, columns, 1, "results/x");
        expect_no_wider(text, columns);
        ck_assert_msg((strstr(text, "0.912 ± 0.100") == NULL) == (strstr(text, "(±) are left out") != NULL), "%s",
                      text);
        free(text);
    }
}
END_TEST

/* Sixteen weights in a line of 40 columns: broken between numbers, never within one. */
START_TEST(front_table_of_many_objectives)
{
    enum { K = 16 };
    static const char *const wide[K] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"};
    double w[K], m[K];
    for (int k = 0; k < K; k++) {
        w[k] = 0.001 * (k + 11);
        m[k] = 0.001 * (k + 211);
    }
    const pr_table_point_t p = {"p", "states", 1, 0, w, m, m, 9, 9, 0, "j", true, false, NULL, NULL, 0, NULL};
    const pr_table_t t = {.k = K, .objective = wide, .point = &p, .n = 1};
    for (int columns = 40; columns < 300; columns += 13) {
        char *text = pr_front_table(&t, NULL, columns, 0, NULL), word[16];
        expect_no_wider(text, columns);
        for (int k = 0; k < K; k++) {
            snprintf(word, sizeof word, "%.3f", w[k]);
            ck_assert_msg(strstr(text, word) != NULL, "%d: %s in %s", columns, word, text);
            snprintf(word, sizeof word, "%.3f", m[k]);
            ck_assert_msg(strstr(text, word) != NULL, "%d: %s in %s", columns, word, text);
        }
        free(text);
    }
}
END_TEST

/* What is only reported has no weight, and stands after the objectives, with its error. */
START_TEST(reported_objectives)
{
    static const double w[] = {0.25, 0.75}, m[] = {1, 2}, se[] = {0.1, NAN}, r[] = {5, -1}, r_se[] = {0.5, NAN};
    static const pr_table_point_t p[] = {
        {"p0", "params", 1, 0, w, m, se, 8, 9, 0, "j0", true, false, r, r_se, 0, NULL}};
    static const char *const two[] = {"a", "b"}, *const judges[] = {"judge", "a guard of many letters"};
    const pr_table_t t = {.k = 2, .objective = two, .point = p, .n = 1, .n_report = 2, .report = judges};
    char file[] = "/tmp/paretorank-test-XXXXXX", *text;
    size_t len;
    close(mkstemp(file));
    ck_assert_int_eq(pr_write_front_csv(file, &t, NULL), PR_OK);
    ck_assert_int_eq(pr_file_read(file, 0, &text, &len, NULL), PR_OK);
    ck_assert_str_eq(text, "search,seed,level,w_a,w_b,a,b,se_a,se_b,judge,a guard of many letters,se_judge,"
                           "se_a guard of many letters,prompts,new_tokens,cut,front,point,job\n"
                           "params,1,0,0.25,0.75,1,2,0.1,,5,-1,0.5,,8,9,0,1,p0,j0\n");
    free(text);
    ck_assert_int_eq(pr_write_front_json(file, &t, NULL), PR_OK);
    json_t *v = json_load_file(file, 0, NULL), *point = json_array_get(json_object_get(v, "points"), 0),
           *mean = json_object_get(point, "mean");
    ck_assert_uint_eq(json_array_size(json_object_get(v, "objectives")), 2);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(v, "reported"), 0)), "judge");
    ck_assert_uint_eq(json_object_size(json_object_get(point, "weights")), 2);
    ck_assert_double_eq(json_number_value(json_object_get(mean, "judge")), 5);
    ck_assert(json_is_null(json_object_get(json_object_get(point, "se"), judges[1])));
    json_decref(v);
    unlink(file);
    text = pr_front_table(&t, NULL, 120, 0, NULL);
    ck_assert_msg(strstr(text, "weights") && strstr(text, "(judge)") && strstr(text, "(a guard of man)"), "%s", text);
    ck_assert_msg(strstr(text, "5.000 ± 0.500") && strstr(text, "-1.000 ± –"), "%s", text);
    free(text);
}
END_TEST

START_TEST(front_table_aligns)
{
    static const pr_table_point_t p[] = {
        {"p0", "states", 1, 2, w0, m0, s0, 128, 4096, 0.25, "j0", true, false, NULL, NULL, 0, NULL},
        {"p2", "states", 1, 0, w1, m1, s0, 64, 50, 0, "j1", true, false, NULL, NULL, 0, NULL}};
    static const char *const wide[] = {"reflection of it", "日本", "e\xCC\x81"};
    static const char *const said[] = {"first row", "second row"};
    static const char *const mark[] = {"sample", "first row", "second row"};
    const pr_table_t t = {.k = 3, .objective = wide, .point = p, .n = 2};
    char *text = pr_front_table(&t, said, 120, 0, NULL);
    const char *line = text;
    int column = 0;
    for (int i = 0; i < 3; i++) {
        const char *at = strstr(line, mark[i]), *end = strchr(line, '\n');
        ck_assert(at && at < end);
        ck_assert(i == 0 || columns_between(line, at) == column);
        column = columns_between(line, at);
        line = end + 1;
    }
    ck_assert_int_eq(column, 1 + 2 + 17 + 2 + 16 + 2 + 14 + 2 + 9 + 2 + 4 + 2 + 5 + 2);
    ck_assert_ptr_nonnull(strstr(text, "25 %  p0     first row\n"));
    ck_assert_ptr_nonnull(strstr(text, "0 %   p2     second row\n"));
    ck_assert_ptr_nonnull(strstr(text, " ± –"));
    ck_assert_str_eq(line, "");
    free(text);
}
END_TEST

// ---- costs, samples, metrics ----

START_TEST(costs_csv)
{
    static const pr_cost_t cost[] = {{"j0", "finetune", "-brevity", 3, "node,7", 1.5, 4096, 2, "ok"},
                                     {"j1", "evaluate", NULL, -1, NULL, NAN, 0, 0, "numeric"}};
    ck_assert_int_eq(pr_write_costs_csv(path, cost, 2, &err), PR_OK);
    char *text = get_text();
    ck_assert_str_eq(text, "job,kind,label,rank,host,seconds,tokens,attempts,status\n"
                           "j0,finetune,'-brevity,3,\"node,7\",1.5,4096,2,ok\n"
                           "j1,evaluate,,,,,0,0,numeric\n");
    free(text);
}
END_TEST

START_TEST(samples_jsonl)
{
    static const pr_sample_line_t sample[] = {
        {"states", 1, w0, "How\nare \"you\"?", 0, "a\0b\xff\x1b", 5, "stop", m0, NULL, 0, NULL},
        {"+params", 2, w1, "", 0, "", 0, NULL, s1, NULL, 0, NULL},
        {.line = "{\"kept\": 1}"}};
    ck_assert_int_eq(pr_write_samples(path, 3, 3, names, sample, 3, &err), PR_OK);
    char *text = get_text(), *second = strchr(text, '\n') + 1;
    json_t *a = json_loadb(text, (size_t)(second - text), JSON_ALLOW_NUL, NULL),
           *b = json_loads(second, JSON_DISABLE_EOF_CHECK, NULL);
    ck_assert_str_eq(strchr(second, '\n') + 1, "{\"kept\": 1}\n");
    ck_assert(a && b);
    ck_assert_str_eq(json_string_value(json_object_get(a, "prompt")), "How\nare \"you\"?");
    ck_assert_uint_eq(json_string_length(json_object_get(a, "response")), 7);
    ck_assert_int_eq(memcmp(json_string_value(json_object_get(a, "response")), "a\0b\xEF\xBF\xBD\x1b", 7), 0);
    ck_assert_str_eq(json_string_value(json_object_get(a, "finish")), "stop");
    ck_assert(json_is_null(json_object_get(b, "finish"))); // not known
    ck_assert_double_eq(json_real_value(json_object_get(json_object_get(a, "weights"), "reflection")), 1.0 / 3);
    ck_assert_double_eq(json_real_value(json_object_get(json_object_get(a, "scores"), "=empathy,1")), -0.25);
    ck_assert_str_eq(json_string_value(json_object_get(b, "search")), "+params");
    ck_assert(json_is_null(json_object_get(json_object_get(b, "scores"), "br\"evity\xEF\xBF\xBD")));
    ck_assert_ptr_null(strchr(text, 0x1b));
    json_decref(a);
    json_decref(b);
    free(text);
    ck_assert_int_eq(pr_write_samples(path, 3, 3, names, NULL, 0, &err), PR_OK);
    text = get_text();
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

START_TEST(metrics_json)
{
    json_t *values = json_pack("{s:{s:f}, s:{s:s, s:s}}", "indicators", "hypervolume", 0.1, "versions", "mpi", "given",
                               "extra", "1.2"),
           *before = json_deep_copy(values), *found = NULL;
    char host[256];
    ck_assert_int_eq(pr_write_metrics(path, values, &err), PR_OK);
    ck_assert(json_equal(values, before));
    ck_assert_msg(pr_json_load(path, 0, &found, &err) == PR_OK, "%s", err.text);
    json_t *versions = json_object_get(found, "versions");
    ck_assert_double_eq(json_real_value(json_object_get(json_object_get(found, "indicators"), "hypervolume")), 0.1);
    ck_assert_str_eq(json_string_value(json_object_get(versions, "paretorank")), PR_VERSION);
    ck_assert_str_eq(json_string_value(json_object_get(versions, "jansson")), jansson_version_str());
    ck_assert_str_eq(json_string_value(json_object_get(versions, "utf8proc")), utf8proc_version());
    ck_assert_str_eq(json_string_value(json_object_get(versions, "mpi")), "given");
    ck_assert_str_eq(json_string_value(json_object_get(versions, "extra")), "1.2");
    gethostname(host, sizeof host);
    ck_assert_str_eq(json_string_value(json_object_get(found, "host")), host);
    json_decref(values);
    json_decref(before);
    json_decref(found);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("table");
    TCase *tcase = tcase_create("table");
    tcase_add_checked_fixture(tcase, make_folder, remove_folder);
    tcase_add_test(tcase, cells_csv);
    tcase_add_test(tcase, front_csv);
    tcase_add_test(tcase, front_json);
    tcase_add_test(tcase, writing_fails_clearly);
    tcase_add_test(tcase, front_table_at_every_width);
    tcase_add_test(tcase, front_table_without_samples_and_rows);
    tcase_add_test(tcase, front_table_cannot_be_misread);
    tcase_add_test(tcase, front_table_of_many_objectives);
    tcase_add_test(tcase, front_table_aligns);
    tcase_add_test(tcase, reported_objectives);
    tcase_add_test(tcase, costs_csv);
    tcase_add_test(tcase, samples_jsonl);
    tcase_add_test(tcase, metrics_json);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
