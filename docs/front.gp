# SPDX-License-Identifier: BSD-3-Clause
# The picture of a front in the README:
#   gnuplot -c docs/front.gp results/counsel/cells.csv docs/front.svg
# One panel per aggregation; every point of the sweep, with those that no other point beats drawn large. In both, the base
# model and each expert alone are rings with their names.
if (ARGC != 2) { print "usage: gnuplot -c docs/front.gp CELLS.csv OUT.svg"; exit status 2 }
cells = ARG1
set terminal svg size 900,440 font "Helvetica,13" background "white"
set output ARG2
set datafile separator ","
set xrange [-0.04:1.04]
set yrange [-0.04:1.04]
set cbrange [0:1]
set tics 0, 0.2 nomirror out
set grid lc rgb "#e0e0e0" lt 1
set border 3 lc rgb "#808080"
set palette defined (0 "#440154", 0.25 "#3b528b", 0.5 "#21918c", 0.75 "#5ec962", 1 "#fde725")
set xlabel "reflection: the client's words taken up"
set cblabel "brevity"
unset key

# 1 for the rows that a pass draws: the panel's aggregation, the whole front (front = "1") or the rest.
wanted(search, front) = strcol("search") eq search && strcol("front") eq front
pick(search, front, name) = wanted(search, front) ? column(name) : NaN
# The rows of the base model and of the experts.
alone(name) = strcol("search") eq "base" ? column(name) : NaN
# Their names stand beside those at the left edge and above the others, where there is room.
beside(name) = alone(name) < 0.5 ? column(name) : NaN
above(name) = alone(name) >= 0.5 ? column(name) : NaN
who(row) = column("w_reflection") > 0 ? "reflection" : column("w_empathy") > 0 ? "empathy" : column("w_brevity") > 0 ? "brevity" : "base model"

set multiplot
set size 0.455, 1
unset colorbox
set origin 0, 0
set ylabel "empathy: sentences with a kind phrase"
do for [search in "states params"] {
  if (search eq "params") {
    set size 0.545, 1
    set origin 0.455, 0
    set colorbox
    unset ylabel
  }
  set title search eq "states" ? "states: hidden states combined" : "params: weights merged"
  plot cells using (pick(search, "0", "reflection")):(column("empathy")):(column("brevity")) \
         with points pt 7 ps 0.85 lc palette, \
       cells using (pick(search, "1", "reflection")):(column("empathy")) with points pt 7 ps 1.75 lc rgb "#202020", \
       cells using (pick(search, "1", "reflection")):(column("empathy")):(column("brevity")) \
         with points pt 7 ps 1.4 lc palette, \
       cells using (alone("reflection")):(column("empathy")) with points pt 6 ps 2.4 lw 1.5 lc rgb "#d62728", \
       cells using (beside("reflection")):(column("empathy")):(who(0)) with labels left offset 1.2,0.6 tc rgb "#d62728", \
       cells using (above("reflection")):(column("empathy")):(who(0)) with labels center offset 0,1.5 tc rgb "#d62728"
}
unset multiplot
