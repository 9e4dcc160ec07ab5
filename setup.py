"""Build of the one extension: the C library, a stub an instruction set with its own flags, the Cython boundary."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from pathlib import Path

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
MACHINE_STUBS = {"x86_64": X86_STUBS, "AMD64": X86_STUBS, "arm64": ARM_STUBS, "aarch64": ARM_STUBS}
STUBS: dict[str, list[str]] = {"scalar": [], **MACHINE_STUBS.get(platform.machine(), {})}

# Vector types reach a fused multiply-add through contraction only; errno and traps keep libm calls from vectorising.
FLAGS = ["-std=gnu11", "-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"]
WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wno-unknown-pragmas"]
OPENMP = (["-Xpreprocessor", "-fopenmp"], ["-lomp"]) if sys.platform == "darwin" else (["-fopenmp"], ["-fopenmp"])
OPENMP_PROBE = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"


class BuildWithStubs(build_ext):
    """Compile each stub of csrc/isa once per dtype with its own flags, and link all into the extension."""

    def build_extension(self, ext: Extension) -> None:
        compile_flags, link_flags = OPENMP if self.has_openmp() else ([], [])
        ext.extra_compile_args += compile_flags
        ext.extra_link_args += link_flags
        jobs = [(stub, double, ext) for stub in STUBS for double in (0, 1)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            ext.extra_objects += pool.map(lambda job: self.compile_stub(*job), jobs)
        super().build_extension(ext)

    def compile_stub(self, stub: str, double: int, ext: Extension) -> str:
        source = f"csrc/isa/{stub}.c"
        folder = os.path.join(self.build_temp, f"f{64 if double else 32}")
        (target,) = self.compiler.object_filenames([source], output_dir=folder)
        if self.force or newer_group([source, *ext.depends], target):
            self.compiler.compile(
                [source],
                output_dir=folder,
                macros=[("CF_DOUBLE", str(double))],
                extra_postargs=[*FLAGS, *WARNINGS, *STUBS[stub]],
            )
        return target

    def has_openmp(self) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            probe = Path(folder, "probe.c")
            probe.write_text(OPENMP_PROBE)
            try:
                objects = self.compiler.compile([str(probe)], output_dir=folder, extra_postargs=OPENMP[0])
                self.compiler.link_executable(objects, str(Path(folder, "probe")), extra_postargs=OPENMP[1])
            except Exception:
                print("cnnfast: no OpenMP found, building a serial library", file=sys.stderr)
                return False
        return True


CORE = Extension(
    "cnnfast._core",
    sources=["cnnfast/_core.pyx", *sorted(glob("csrc/core/*.c") + glob("csrc/ops/*.c"))],
    include_dirs=["csrc", numpy.get_include()],
    depends=sorted(glob("csrc/**/*.[hc]", recursive=True) + glob("cnnfast/boundary/*.pxi")),
    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION"), ("NPY_TARGET_VERSION", "NPY_1_23_API_VERSION")],
    extra_compile_args=FLAGS.copy(),
    extra_link_args=["-lm"],
)

setup(ext_modules=cythonize([CORE]), cmdclass={"build_ext": BuildWithStubs})
