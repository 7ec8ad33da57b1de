#include "cli/point_verbs.h"

#include <math.h>
#include <stdio.h>

void pr_point_print_json(json_t *value)
{
    json_dumpf(value, stdout, JSON_REAL_PRECISION(17));
    putchar('\n');
    json_decref(value);
}

json_t *pr_point_json_number(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

json_t *pr_point_json_numbers(const double *numbers, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, pr_point_json_number(numbers[i]));
    return list;
}
