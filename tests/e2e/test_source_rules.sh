#!/usr/bin/env bash
# Rules of the sources that no compiler sees. JSON has no infinities: jansson's json_real() and the f of json_pack()
# answer one with NULL, which then vanishes or ends the process, and json_dumps() may fail unread. All of them go through
# base/json.c.
# processors: 1
. "$(dirname "$0")/lib.sh"

# raw FILE...: every use of what base/json.c stands for, as FILE:the text.
raw() {
  local file
  for file in "$@"; do
    case $file in */src/base/json.c) continue ;; esac
    tr '\n' ' ' <"$file" | grep -oP '(?<!pr_)\bjson_(real|real_set|dump[a-z_]*)\s*\(|\bjson_(v?pack(_ex)?)\s*\([^;"]*("[^"]*"\s*)*"[^"]*f[^"]*"' |
      sed "s|^|$file: |" || true
  done
}

# Planted ones are found, each, and what is right is not.
cat >"$work/wrong.c" <<'X'
json_object_set_new(v, "x", json_real(x));
json_real_set(v, 1);
char *text = json_dumps(v, 0);
json_dumpf(v, stdout, 0);
json_dump_file(v, "x", 0);
v = json_pack("{s:f}", "x", x);
v = json_pack_ex(&why, 0,
                 "{s:s, "
                 "s:[f]}", "f", "x", x);
X
cat >"$work/right.c" <<'X'
v = json_pack("{s:o, s:s}", "f", pr_json_real(x), "front", "f");
text = pr_json_text(v, 0);
number = json_real_value(v);
X
[ "$(raw "$work/wrong.c" | wc -l)" = 7 ] || fail "the planted uses are not found: $(raw "$work/wrong.c")"
[ -z "$(raw "$work/right.c")" ] || fail "what is right is found: $(raw "$work/right.c")"

shopt -s globstar nullglob
sources=("$PARETORANK_SOURCE_DIR"/{src,jobs,sweeps,mpi,slurm}/**/*.[ch])
[ "${#sources[@]}" -gt 100 ] || fail "found only ${#sources[@]} sources"
found=$(raw "${sources[@]}")
[ -z "$found" ] || fail "pr_json_real() and pr_json_text() are to be used:
$found"

# CMake's version is one number.
cmake=$(sed -n 's/^cmake_minimum_required(VERSION \([0-9.]*\))/\1/p' "$PARETORANK_SOURCE_DIR/CMakeLists.txt")
presets=$(sed -n 's/.*"major": \([0-9]*\), "minor": \([0-9]*\).*/\1.\2/p' "$PARETORANK_SOURCE_DIR/CMakePresets.json")
[ -n "$cmake" ] && [ "$cmake" = "$presets" ] || fail "CMakeLists.txt needs CMake '$cmake', CMakePresets.json '$presets'"

# The program also builds where the C library is glibc 2.28 (RHEL 8): it calls nothing by name that came later.
later='close_range|closefrom|pidfd_(open|getfd|send_signal)|execveat|gettid|tgkill|getcpu|strlcpy|strlcat|arc4random(_buf|_uniform)?|sigabbrev_np|sigdescr_np|pthread_cond_clockwait|pthread_clockjoin_np|sem_clockwait|mallinfo2|posix_spawn_file_actions_add(chdir|closefrom)_np'
found=$(nm -D "$paretorank" | grep -E " U ($later)(@|$)" || true)
[ -z "$found" ] || fail "glibc 2.28 has no $found"
