# SPDX-License-Identifier: BSD-3-Clause
# spack repo add packaging/spack; then, in the source tree:
#   spack dev-build paretorank@0.1.0
from spack.package import *


class Paretorank(CMakePackage):
    """Fine-tunes a language model towards several objectives at once and finds the Pareto front over preference weights:
    one MPI program in C."""

    license("BSD-3-Clause")

    version("0.1.0")

    variant("native", default=False, description="Compile its own loops for this machine only")

    depends_on("c", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("ninja", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi")
    depends_on("netlib-scalapack")
    depends_on("openblas threads=pthreads")
    depends_on("onednn@2:3")
    depends_on("libconfig")
    depends_on("zlib-api")
    depends_on("jansson@2.13:")
    depends_on("pcre2")
    depends_on("utf8proc")
    depends_on("icu4c")
    depends_on("random123")
    depends_on("xxhash")
    depends_on("check", type="test")
    depends_on("python@3:", type=("test", "run"))
    depends_on("py-jinja2@3.1:", type=("test", "run"))  # chat templates

    generator("ninja")

    def cmake_args(self):
        return [
            self.define("PARETORANK_TESTS", self.run_tests),
            self.define_from_variant("PARETORANK_NATIVE", "native"),
        ]

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def check_install(self):
        Executable(self.prefix.bin.paretorank)("--version")
