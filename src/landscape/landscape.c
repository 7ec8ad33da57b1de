// SPDX-License-Identifier: BSD-3-Clause
#include "landscape/landscape.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

static double squares(const double *v, int k)
{
    double sum = 0;
    for (int j = 0; j < k; j++)
        sum += v[j] * v[j];
    return sum;
}

static double centre(int k, int j)
{
    return (j + 1.3) / (0.5 * k * (k - 1) + 1.3 * k);
}

static void concave(const double *w, int k, double *f)
{
    double s = squares(w, k);
    for (int j = 0; j < k; j++)
        f[j] = (1 + 2 * w[j] - s) / 2;
}

static void hull(const double *w, int k, double *f)
{
    double a = 1.0 / (2 * k);
    for (int j = 0; j < k; j++)
        f[j] = fmin(0.7 * w[j] / a, 0.7 + 0.3 * (w[j] - a) / (1 - a));
}

static void dominated(const double *w, int k, double *f)
{
    f[0] = 0.3 + 0.6 * w[0];
    for (int j = 1; j < k; j++)
        f[j] = 0.3 + 0.5 * w[0] + 0.1 * w[j] + 1.2 * w[0] * w[j];
}

static void bump(const double *w, int k, double *f)
{
    double s = 0.045 * sqrt(k), d2 = 0;
    for (int j = 0; j < k; j++)
        d2 += (w[j] - centre(k, j)) * (w[j] - centre(k, j));
    double b = exp(-d2 / (2 * s * s));
    for (int j = 0; j < k; j++)
        f[j] = 0.1 + 0.4 * w[j] + 0.5 * b;
}

static void step(const double *w, int k, double *f)
{
    for (int j = 0; j < k; j++) {
        double r = 1 / (1 + exp(-(w[j] - 0.7 * centre(k, j)) / 0.004));
        f[j] = 0.25 * w[j] + (0.45 + 0.3 * w[j]) * r;
    }
}

static void ridge(const double *w, int k, double *f)
{
    double s = 0.04 * sqrt(k), whole = 0.5 * k * (k - 1) + 0.3 * (k - 1), d2 = 0;
    for (int j = 1; j < k; j++) {
        double d = w[j] - (1 - w[0]) * (j + 0.3) / whole;
        d2 += d * d;
    }
    double g = 0.3 + 0.7 * exp(-d2 / (2 * s * s));
    f[0] = g * (1 - (1 - w[0]) * (1 - w[0]));
    for (int j = 1; j < k; j++)
        f[j] = g * (1 - w[0] * w[0]) * (0.75 + 0.25 * w[j]);
}

static void flat(const double *w, int k, double *f)
{
    double rest = 1 - w[0];
    f[0] = 1 - exp(-w[0] / 0.02);
    for (int j = 1; j < k; j++)
        f[j] = rest * rest * (0.3 + 0.7 * (1 - (1 - w[j]) * (1 - w[j])));
}

static void disconnected(const double *w, int k, double *f)
{
    double sum = 0;
    for (int j = 0; j < k - 1; j++) {
        f[j] = w[j];
        sum += w[j] * (1 + sin(5 * PI * w[j])) / 2;
    }
    f[k - 1] = 1 - sum;
}

static void scales(const double *w, int k, double *f)
{
    static const double lowest[] = {0, 0, 0.9}, range[] = {1, 0.01, 0.1};
    double u[PR_MAX_OBJECTIVES], sum = 0;
    for (int j = 0; j < k; j++) {
        u[j] = w[j] * pow(20, -(double)j / (k - 1));
        sum += u[j];
    }
    for (int j = 0; j < k; j++)
        u[j] /= sum;
    concave(u, k, f);
    for (int j = 0; j < k; j++)
        f[j] = lowest[j % 3] + range[j % 3] * f[j];
}

static void multimodal(const double *w, int k, double *f)
{
    double m = 0;
    for (int j = 0; j < k; j++) {
        double c = cos(3 * PI * (w[j] - 0.1));
        m += c * c;
    }
    concave(w, k, f);
    for (int j = 0; j < k; j++)
        f[j] *= 0.5 + 0.5 * (m / k);
}

#define ROW(name, help) {#name, help, name},
static const pr_landscape_t landscapes[] = {PR_LANDSCAPE_LIST(ROW)};
#define ONE(name, help) +1
enum { N = PR_LANDSCAPE_LIST(ONE) };

const pr_landscape_t *pr_landscapes(int *n)
{
    *n = N;
    return landscapes;
}

const pr_landscape_t *pr_landscape_find(const char *name)
{
    for (int i = 0; i < N; i++)
        if (strcmp(landscapes[i].name, name) == 0)
            return &landscapes[i];
    return NULL;
}

/* ---- volumes ---- */

static const int known_k[] = {2, 3, 5, 8, 16};
enum { KNOWN = sizeof known_k / sizeof *known_k };
static const struct {
    const char *name;
    double volume[KNOWN], se[KNOWN];
} known[] = {
    {"concave",
     {0.833328246992689, 0.6408737410367785, 0.32986764566342613, 0.09691054560520451, 0.0018404217340730327},
     {0, 0, 8.43e-05, 0.000212, 5.13e-05}},
    {"hull",
     {0.8599951171874648, 0.7420607436260029, 0.5348754139419021, 0.3015282934487488, 0.052145324746241145},
     {0, 0, 0.00046, 0.00206, 0.00122}},
    {"dominated",
     {0.8311105007283401, 0.7426245543642095, 0.5544377184656688, 0.3206108607007376, 0.05565054434472039},
     {0, 0, 0.00131, 0.00228, 0.00148}},
    {"bump",
     {0.6374319661221485, 0.3929485188875528, 0.14551284879914986, 0.03205859259810991, 0.0005727109318629961},
     {0, 0, 0.000316, 0.000321, 4.65e-05}},
    {"step",
     {0.65371312383092, 0.3970089138350939, 0.13278645602065628, 0.022071688350826152, 0.00012954066954122835},
     {0, 0, 0.000118, 0.000132, 1.72e-06}},
    {"ridge",
     {0.7749939599947523, 0.52222949987346, 0.2510453072680055, 0.08826444461736933, 0.006247748064667579},
     {0, 0, 0.000247, 8.95e-05, 0.000789}},
    {"flat",
     {0.9602893674623524, 0.8402048682634685, 0.4874159208165166, 0.12699187765054085, 0.0006574077636429536},
     {0, 0, 0.000352, 0.000605, 1.21e-05}},
    {"disconnected",
     {0.8866664264770673, 0.4395060135271265, 0.030364353824205607, 0.0001081658307007428, 2.0543942217979319e-13},
     {0, 0, 0.000122, 2.59e-06, 8.07e-16}},
    {"scales",
     {0.00833300698419085, 0.008138613737625549, 4.5291701075824866e-05, 1.9967393843305913e-07,
      1.7272166303676241e-12},
     {0, 0, 1.38e-07, 1.07e-09, 9.92e-14}},
    {"multimodal",
     {0.5113395376046757, 0.46599022527947986, 0.17260995313265468, 0.03396298285295398, 9.073784916428313e-05},
     {0, 0, 0.000614, 2.63e-05, 3.93e-06}},
};

bool pr_landscape_volume(const pr_landscape_t *l, int k, double *volume, double *se)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        for (int j = 0; j < KNOWN; j++)
            if (strcmp(known[i].name, l->name) == 0 && known_k[j] == k) {
                *volume = known[i].volume[j];
                *se = known[i].se[j];
                return true;
            }
    return false;
}

/* ---- noise ---- */

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

double pr_landscape_noise(uint64_t seed, uint64_t i, int k)
{
    uint64_t base = mix(mix(seed) ^ i), a = mix(base ^ (2 * (uint64_t)k)), b = mix(base ^ (2 * (uint64_t)k + 1));
    double u1 = (double)((a >> 11) + 1) * 0x1p-53, u2 = (double)(b >> 11) * 0x1p-53;
    return sqrt(-2 * log(u1)) * cos(2 * PI * u2);
}
