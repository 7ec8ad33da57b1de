#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
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

# The version is that of CMakeLists.txt wherever it has to be said again.
version=$(sed -n 's/^project(paretorank VERSION \([0-9.]*\) .*/\1/p' "$PARETORANK_SOURCE_DIR/CMakeLists.txt")
[ "$("$paretorank" --version)" = "paretorank $version" ] || fail "--version: $("$paretorank" --version), CMakeLists.txt says '$version'"
says() { # file, the line's pattern
  local found
  found=$(sed -n "s/$2/\1/p" "$PARETORANK_SOURCE_DIR/$1")
  [ "$found" = "$version" ] || fail "$1: found version '$found', CMakeLists.txt says '$version'"
}
says CITATION.cff '^version: \(.*\)$'
says python/pyproject.toml '^version = "\(.*\)"$'
says packaging/spack/packages/paretorank/package.py '^    version("\([0-9.]*\)").*$'
says packaging/spack/packages/paretorank/package.py '^# *spack dev-build paretorank@\([0-9.]*\)$'

# The program also builds where the C library is glibc 2.28 (RHEL 8): it calls nothing by name that came later.
later='close_range|closefrom|pidfd_(open|getfd|send_signal)|execveat|gettid|tgkill|getcpu|strlcpy|strlcat|arc4random(_buf|_uniform)?|sigabbrev_np|sigdescr_np|pthread_cond_clockwait|pthread_clockjoin_np|sem_clockwait|mallinfo2|posix_spawn_file_actions_add(chdir|closefrom)_np'
found=$(nm -D "$paretorank" | grep -E " U ($later)(@|$)" || true)
[ -z "$found" ] || fail "glibc 2.28 has no $found"
# Names of what is in a results directory are spelled in store/layout.* alone; messages and helps, which have blanks in
# them, may speak of them. names.py LAYOUT.H FILE...: every other literal that has one, as FILE:LINE: the literal.
cat >"$work/names.py" <<'P'
import re, sys
layout = open(sys.argv[1]).read()
files = re.findall(r'#define PR_FILE_\w+ "([^"]+)"', layout) + ["head.safetensors"]
folders = re.findall(r'#define PR_FOLDER_\w+ "([^"]+)"', layout)
ends = re.findall(r'#define PR_END_\w+ "([^"]+)"', layout)
assert len(files) > 10 and len(folders) > 3 and ends, (files, folders, ends)
# Comments, #includes, characters, literals. A word such as "heads" is a folder's name where a path is made of it.
token = re.compile(r"""//[^\n]*|/\*.*?\*/|^[ \t]*\#[ \t]*include[^\n]*|'(?:\\.|[^'\\])+'|"((?:\\.|[^"\\])*)\"""", re.S | re.M)
path = re.compile(r"(path|mkdirs?|open|access|stat|unlink|rename)\w*\([^;]*$")
for name in sys.argv[2:]:
    text = open(name).read()
    for m in token.finditer(text):
        word = m[1]
        if not word or re.search(r"\s|\\n", word):
            continue
        parts = word.split("/")
        made = len(parts) > 1 or path.search(text[max(0, m.start() - 80) : m.start()])
        if any(p in files or p.endswith(tuple(ends)) or (made and p in folders) for p in parts):
            print('%s:%d: "%s"' % (name, text.count("\n", 0, m.start()) + 1, word))
P
cat >"$work/wrong.c" <<'X'
char *path = pr_path_join(dir, "cells.csv");
snprintf(path, sizeof path, "%s/checkpoints/evaluate-%s", dir, id);
pr_buf_puts(&b, "/front.json");
char *folder = pr_path_join(dir,
                            "heads");
is_end(name, ".ckpt");
"head.safetensors";
X
cat >"$work/right.c" <<'X'
#include "heads/heads.h"
// "cells.csv" is a comment's, /* and so is
/* "journal.jsonl" */
json_object_get(v, "heads");
.name = "experts",
fail("%s: no journal.jsonl here", '"', "cells.csv of the sweep");
pr_path_join(dir, PR_FILE_CELLS);
PR_FOLDER_EXPERTS "/*/adapter_model.safetensors";
X
layout=$PARETORANK_SOURCE_DIR/src/store/layout.h
found=$(python3 "$work/names.py" "$layout" "$work/wrong.c" | cut -d: -f2 | tr '\n' ' ')
[ "$found" = '1 2 3 5 6 7 ' ] || fail "the planted names are found in lines $found"
found=$(python3 "$work/names.py" "$layout" "$work/right.c")
[ -z "$found" ] || fail "what is right is found: $found"
others=()
for file in "${sources[@]}"; do
  case $file in */src/store/layout.[ch]) ;; *) others+=("$file") ;; esac
done
found=$(python3 "$work/names.py" "$layout" "${others[@]}")
[ -z "$found" ] || fail "names in a results directory are those of store/layout.h:
$found"

# MPI is known in mpi/ and where the program begins; a header is named from the root of its layer, not by a way around.
found=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]mpi\.h' "${sources[@]}")
grep -q "^$PARETORANK_SOURCE_DIR/mpi/" <<<"$found" || fail "nothing in mpi/ includes mpi.h, or it is not found"
found=$(grep -v "^$PARETORANK_SOURCE_DIR/\(mpi/\|src/cli/main\.c:\)" <<<"$found" || true)
[ -z "$found" ] || fail "mpi.h outside of mpi/: $found"
found=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]([^>"]*/)?\.\./' "${sources[@]}" || true)
[ -z "$found" ] || fail "headers by a way around their layers: $found"

# A layer sees the headers of what it depends on, by the CMakeLists.txt, and no others.
cat >"$work/layers.py" <<'P'
import glob, json, os, re, shlex, subprocess, sys
source, build, work = sys.argv[1:]
folder, depends = {}, {}
for name in glob.glob(source + "/src/*/CMakeLists.txt") + [source + "/%s/CMakeLists.txt" % d for d in ("jobs", "sweeps", "mpi")]:
    text = open(name).read()
    m = re.search(r"pr_module\((pr_\w+)([^)]*)\)", text) or re.search(r"target_link_libraries\((paretorank)([^)]*)\)", text)
    folder[m[1]] = os.path.dirname(name)
    depends[m[1]] = set(re.findall(r"\bpr_\w+", m[2]))
def below(layer):
    return depends[layer].union(*map(below, depends[layer]))
assert len(folder) >= 17 and below("paretorank") == set(folder) - {"paretorank"}, (folder, below("paretorank"))
command = {}
for c in json.load(open(build + "/compile_commands.json")):
    for layer, f in folder.items():
        if "/%s.dir/" % layer in c["command"]:
            command[layer] = (c["directory"], shlex.split(c["command"]), c["file"])
assert set(command) == set(folder), set(folder) - set(command)
def says(layer, header):  # what the layer's compiler says of a file that includes it; "": it compiles
    directory, words, file = command[layer]
    words = [w for w in words if w != file]
    at = words.index("-o")
    with open(work + "/include.c", "w") as f:
        f.write('#include "%s"\n' % header)
    run = subprocess.run(words[:at] + words[at + 2:] + ["-fsyntax-only", f.name], cwd=directory, capture_output=True, text=True)
    return "" if run.returncode == 0 else run.stderr or "nothing"
for layer in sorted(folder):
    for other in sorted(folder):
        header = min(h for h in os.listdir(folder[other]) if h.endswith(".h"))
        header = os.path.basename(folder[other]) + "/" + header
        said = says(layer, header)
        if other == layer or other in below(layer):
            if said:
                print("%s cannot include %s: %s" % (layer, header, said))
        elif header not in said or not re.search("No such file|file not found", said):
            print("%s does not depend on %s and can include %s: %s" % (layer, other, header, said))
P
found=$(python3 "$work/layers.py" "$PARETORANK_SOURCE_DIR" "$(dirname "$paretorank")" "$work")
[ -z "$found" ] || fail "layers: $found"

# Every source file names its licence, on its first line or after that of its interpreter.
found=$(cd "$PARETORANK_SOURCE_DIR" && find src jobs sweeps mpi slurm tests cmake python packaging docs bootstrap CMakeLists.txt -type f \
  \( -name '*.[ch]' -o -name '*.sh' -o -name '*.py' -o -name '*.cmake' -o -name '*.sbatch' -o -name '*.gp' -o -name '*.def' -o -name Dockerfile -o \
     -name CMakeLists.txt -o -name bootstrap \) -exec sh -c '
    for f; do head -n 2 "$f" | grep -q "SPDX-License-Identifier: BSD-3-Clause$" || echo "$f"; done' sh {} +)
[ -z "$found" ] || fail "no SPDX-License-Identifier in the first lines of: $found"
