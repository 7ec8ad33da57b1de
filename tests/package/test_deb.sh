#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# test_deb.sh PACKAGE.deb: the package installs into a new, minimal Debian with what it says that it needs and nothing else,
# runs there, and leaves nothing behind when it is removed. As root, with mmdebstrap and a Debian mirror; where no mirror
# is reached it is skipped: exit code 77. DEBIAN_MIRROR: another one.
set -euo pipefail
deb=$(readlink -f "$1")
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
work=$(mktemp -d)
root=$work/root
mounted=
end() {
  [ -z "$mounted" ] || umount "$root/proc"
  rm -rf --one-file-system "$work"
}
trap end EXIT
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

suite=$(. /etc/os-release && echo "$VERSION_CODENAME") # what the package was built on
mkdir "$root"
if ! mmdebstrap --variant=minbase "$suite" "$root" "$mirror" >"$work/log" 2>&1; then
  if python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=20)' "$mirror/dists/$suite/Release" 2>/dev/null; then
    tail -n 15 "$work/log" >&2
    fail "no $suite could be made from $mirror"
  fi
  echo "skipped: $mirror is not reached"
  exit 77
fi
mount -t proc proc "$root/proc"
mounted=yes
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "$deb" "$root/tmp/paretorank.deb"
within() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive OPENBLAS_NUM_THREADS=1 \
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_plm=isolated \
    OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none chroot "$root" "$@"
}
# Every file and folder that is not another package's own business.
files() { (cd "$root" && find usr etc opt srv -xdev \( -name '*.pyc' -o -path etc/ld.so.cache \) -prune -o -print | sort); }

within apt-get update >"$work/log" 2>&1 || fail "apt-get update: $(tail -n 3 "$work/log")"
within apt-get install -y --no-install-recommends /tmp/paretorank.deb >"$work/log" 2>&1 || {
  tail -n 15 "$work/log" >&2
  fail "it does not install"
}
version=$(dpkg-deb -f "$deb" Version)
[ "$(within paretorank --version)" = "paretorank $version" ] || fail "--version: $(within paretorank --version), expected $version"
missing=$(within ldd /usr/bin/paretorank | grep 'not found' || true)
[ -z "$missing" ] || fail "libraries: $missing"
within paretorank help --man | cmp -s - "$root/usr/share/man/man1/paretorank.1" || fail "the manual page is not the program's"
within sh -c 'cd /tmp && mpirun -n 3 paretorank run /usr/share/paretorank/sweeps/tiny/sweep.cfg --quiet' >"$work/out" 2>"$work/err" || {
  tail -n 15 "$work/err" >&2
  fail "it does not run a sweep"
}
[ "$(wc -l <"$root/tmp/results/tiny/cells.csv")" -eq 17 ] || fail "cells.csv: $(wc -l <"$root/tmp/results/tiny/cells.csv") lines, expected 17"
within paretorank status /tmp/results/tiny | grep -q '^state  *finished' || fail "status: $(within paretorank status /tmp/results/tiny)"

within dpkg -L paretorank | sort >"$work/own"
files >"$work/with"
within apt-get purge -y paretorank >"$work/log" 2>&1 || {
  tail -n 15 "$work/log" >&2
  fail "it is not removed"
}
files >"$work/without"
left=$(grep -c paretorank "$work/without" || true)
[ "$left" -eq 0 ] || fail "it leaves behind: $(grep paretorank "$work/without" | head -5)"
[ "$(grep -c paretorank "$work/own")" -gt 40 ] || fail "the package has hardly any files"
comm -13 "$work/with" "$work/without" | grep . && fail "removing it made files"
comm -23 "$work/with" "$work/without" | sed 's|^|/|' | while read -r gone; do
  grep -qxF "$gone" "$work/own" || fail "removing it took $gone, which is not its own"
done
echo "installs, runs and removes in a new $suite"
