# SPDX-License-Identifier: BSD-3-Clause
# run.sh PYTHON TEST.py: runs the test; where there is no such Python, it is skipped and says so.
if [ ! -x "$1" ]; then
  echo "skipped: there is no $1, as no package index was reached"
  exit 77
fi
exec "$1" "$2"
