// SPDX-License-Identifier: BSD-3-Clause
#include "parallel/inverse.h"

#include <stddef.h>

void pr_inverse_begin(int d, double ridge, double *inverse)
{
    for (int i = 0; i < d; i++)
        inverse[(ptrdiff_t)i * (d + 1)] = 1 / ridge;
}

double pr_inverse_times(int d, const double *inverse, const double *x, double *y)
{
    double sum = 0;
    for (int i = 0; i < d; i++, inverse += d) {
        y[i] = 0;
        for (int j = 0; j < d; j++)
            y[i] += inverse[j] * x[j];
        sum += x[i] * y[i];
    }
    return sum;
}

void pr_inverse_add(int d, double *inverse, const double *x, double *y)
{
    double share = 1 / (1 + pr_inverse_times(d, inverse, x, y));
    for (int i = 0; i < d; i++, inverse += d)
        for (int j = 0; j < d; j++)
            inverse[j] -= share * (y[i] * y[j]); // the product first: i,j and j,i stay the same to the bit
}
