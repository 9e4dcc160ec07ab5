"""Build of the one extension: the C library, a stub an instruction set with its own flags, the Cython boundary.

The environment variable CNNFAST_OPENMP=0 builds without OpenMP where there is one.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from pathlib import Path
from typing import NamedTuple

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.modified import newer_group

X86_STUBS = {
    "sse2": ["-msse2"],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"],
}
ARM_STUBS: dict[str, list[str]] = {"neon": []}
MACHINE_STUBS = {"x86_64": X86_STUBS, "arm64": ARM_STUBS, "aarch64": ARM_STUBS}
STUBS: dict[str, list[str]] = {"scalar": [], **MACHINE_STUBS.get(platform.machine(), {})}

# Vector types reach a fused multiply-add through contraction only; errno and traps keep libm calls from vectorising.
# Python's own flags ask for debug information, which would be four fifths of the wheel.
FLAGS = [
    "-std=gnu11",
    "-O3",
    "-g0",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fvisibility=hidden",
]
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion"]

# Flags of compiler and linker, the first that work: gcc and clang, then Apple's clang with Homebrew's libomp, which is
# where no compiler looks.
OPENMP = [(["-fopenmp"], ["-fopenmp"])] + [
    (["-Xpreprocessor", "-fopenmp", f"-I{prefix}/include"], [f"-L{prefix}/lib", "-lomp"])
    for prefix in ("/opt/homebrew/opt/libomp", "/usr/local/opt/libomp")
]
OPENMP_PROBE = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"

if sys.platform == "darwin":  # a Python of two architectures would compile every stub for both
    os.environ.setdefault("ARCHFLAGS", f"-arch {platform.machine()}")


class Unit(NamedTuple):
    """A compilation of the C library: a file, the subfolder of its object, flags of its own."""

    source: str
    folder: str = ""
    flags: tuple[str, ...] = ()


LIBRARY = [Unit(source) for source in sorted(glob("csrc/core/*.c") + glob("csrc/ops/*.c"))] + [
    Unit(f"csrc/isa/{stub}.c", f"f{32 << double}", (*flags, f"-DCF_DOUBLE={double}"))
    for stub, flags in STUBS.items()
    for double in (0, 1)
]


class BuildWithLibrary(build_ext):
    """Compile the C library, each stub once per dtype, and link it into the extension."""

    def build_extension(self, ext: Extension) -> None:
        if self.compiler.compiler_type == "msvc":
            raise SystemExit("cnnfast: MSVC has no vector types, which the kernels are written in (use gcc or clang)")
        openmp, link_flags = self.find_openmp()
        ext.extra_link_args += link_flags
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            ext.extra_objects += pool.map(lambda unit: self.compile_unit(unit, ext, openmp), LIBRARY)
        super().build_extension(ext)

    def compile_unit(self, unit: Unit, ext: Extension, openmp: list[str]) -> str:
        folder = os.path.join(self.build_temp, unit.folder)
        (target,) = self.compiler.object_filenames([unit.source], output_dir=folder)
        if self.force or newer_group([unit.source, *ext.depends], target):
            flags = [*FLAGS, *WARNINGS, *openmp, *unit.flags]
            self.compiler.compile([unit.source], output_dir=folder, extra_postargs=flags)
        return target

    def find_openmp(self) -> tuple[list[str], list[str]]:
        if os.environ.get("CNNFAST_OPENMP") != "0":
            for flags in OPENMP:
                if self.builds_with(*flags):
                    return flags
        print("cnnfast: without OpenMP, the library runs on one thread", file=sys.stderr)
        return [], []

    def builds_with(self, compile_flags: list[str], link_flags: list[str]) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            probe = Path(folder, "probe.c")
            probe.write_text(OPENMP_PROBE)
            try:
                objects = self.compiler.compile([str(probe)], output_dir=folder, extra_postargs=compile_flags)
                self.compiler.link_executable(objects, str(Path(folder, "probe")), extra_postargs=link_flags)
            except Exception:
                return False
        return True


CORE = Extension(
    "cnnfast._core",
    sources=["cnnfast/_core.pyx"],
    include_dirs=["csrc", numpy.get_include()],
    depends=sorted(glob("csrc/**/*.[hc]", recursive=True) + glob("cnnfast/boundary/*.pxi")),
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), ("NPY_TARGET_VERSION", "NPY_1_23_API_VERSION")],
    extra_compile_args=FLAGS,
    extra_link_args=["-lm"],
)

setup(ext_modules=cythonize([CORE]), cmdclass={"build_ext": BuildWithLibrary})
