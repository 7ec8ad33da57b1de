// SPDX-License-Identifier: BSD-3-Clause
/* The hypervolume indicator, exact: the volume of the union of the boxes between a reference point and each point.
 * E. Zitzler & L. Thiele (1998), "Multiobjective optimization using evolutionary algorithms", PPSN V.
 *
 * All objectives are maximised: a point that is not strictly greater than the reference in every objective adds
 * nothing, nor does a NaN. Points need not be non-dominated or distinct. Where one point is infinite the volume is
 * INFINITY.
 *
 * m = 1, 2: a sort.
 * m = 3: sweep over the third objective, O(n log n) (Fonseca, Paquete & Lopez-Ibanez 2006, "An improved dimension-sweep
 *     algorithm for the hypervolume indicator"; Beume et al. 2009, "On the complexity of computing the hypervolume
 *     indicator", IEEE TEVC 13(5)), the staircase being a trie of 64-bit words over coordinate ranks.
 * m = 4: sweep over the fourth objective that adds each point's exclusive 3-D volume in O(n), O(n^2) in all
 *     (Guerreiro, Fonseca & Emmerich 2012, "A fast dimension-sweep algorithm for the hypervolume indicator in four
 *     dimensions"; Guerreiro & Fonseca 2018, "Computing and updating hypervolume contributions in up to four
 *     dimensions").
 * m >= 5: the same sweep, each point's exclusive volume found by clipping the others to its box (While, Bradstreet &
 *     Barone 2012, "A fast way of calculating exact hypervolumes", IEEE TEVC 16(1)) down to three or four
 *     objectives. */
#ifndef PR_PARETO_HYPERVOLUME_H
#define PR_PARETO_HYPERVOLUME_H

#include <stdbool.h>
#include <stddef.h>

/* points [n,m], reference [m]. 0 for no points; INFINITY also where the volume is above the range of numbers. From five
 * objectives on the time may grow beyond all bounds with n and m: see pr_hypervolume_within(). */
double pr_hypervolume(const double *points, size_t n, int m, const double *reference);
/* The same within a bound of work: false, and *volume as it was, when it takes more than *steps steps. What was taken
 * is subtracted from *steps. A step is about a nanosecond; steps are counted, not timed, so that what is found does not
 * depend on the machine. */
bool pr_hypervolume_within(const double *points, size_t n, int m, const double *reference, double *steps,
                           double *volume);

/* contributions [n]: how much each point alone adds, that is the hypervolume of all minus that of all but it (so what a
 * dominated point would still cover does not count for the one that dominates it); 0 for dominated points, for each of
 * several equal points, and for points that are not better than the reference. All NaN when a point is infinite.
 * O(n log n) for m = 2, O(n^2) for m = 3. */
void pr_hypervolume_contributions(const double *points, size_t n, int m, const double *reference,
                                  double *contributions);
/* The same within a bound of work; false: contributions hold nothing. */
bool pr_hypervolume_contributions_within(const double *points, size_t n, int m, const double *reference, double *steps,
                                         double *contributions);

#endif
