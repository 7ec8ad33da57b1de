# SPDX-License-Identifier: BSD-3-Clause
# One interface target carries how every file of ours is compiled.
add_library(pr_compile INTERFACE)
target_compile_definitions(pr_compile INTERFACE _GNU_SOURCE PR_VERSION="${PROJECT_VERSION}")
target_compile_options(pr_compile INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
  $<$<CONFIG:Release,RelWithDebInfo>:-O3> -fno-math-errno -fno-trapping-math)
if(PARETORANK_WERROR)
  target_compile_options(pr_compile INTERFACE -Werror)
endif()
if(PARETORANK_NATIVE)
  target_compile_options(pr_compile INTERFACE -march=native)
endif()
if(PARETORANK_SANITIZE)
  target_compile_options(pr_compile INTERFACE -fsanitize=${PARETORANK_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_definitions(pr_compile INTERFACE PR_SANITIZE=1)
  target_link_options(pr_compile INTERFACE -fsanitize=${PARETORANK_SANITIZE})
endif()
if(PARETORANK_COVERAGE)
  target_compile_options(pr_compile INTERFACE --coverage)
  target_link_options(pr_compile INTERFACE --coverage)
endif()
