"""Check that the tile's inner loop keeps its accumulators in registers, for each stub that this compiler can build.

Usage: check_spills.py [compiler and its flags].  Each stub is compiled to assembly; in every tile function the
innermost loops with a multiply-add must hold mr * nv of them (or a multiple) and move no vector to or from the stack.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLAGS = ["-std=gnu11", "-O3", "-ffp-contract=fast", "-S", "-o", "-"]
STUBS = {
    "x86_64": {
        "sse2": ["-msse2"],
        "avx2": ["-mavx2", "-mfma"],
        "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"],
    },
    "aarch64": {"neon": []},
    "arm64": {"neon": []},
}
MULTIPLY = re.compile(r"\b(vfn?madd\d+p[sd]|mulp[sd]|fmla)\b")
VECTOR_ON_STACK = re.compile(r"\(%rsp.*[xyz]mm|[xyz]mm.*\(%rsp|\b[qv]\d+.*\[sp")
LABEL = re.compile(r"^(\.?L\w+):")
JUMP = re.compile(r"\s(?:j[a-z]+|b(?:\.?[a-z]{2})?|cbn?z\s+\w+,)\s+(\.?L\w+)")
TILE = re.compile(r"^_?tile_(?:apart_)?(\d+)x(\d+)[\w.]*:")


def functions(assembly: str) -> dict[tuple[int, int], list[str]]:
    """Lines of the tile functions, by (mr, nv)."""
    found: dict[tuple[int, int], list[str]] = {}
    body: list[str] | None = None
    for line in assembly.splitlines():
        if tile := TILE.match(line):
            body = found.setdefault((int(tile[1]), int(tile[2])), [])
        elif body is not None:
            body.append(line)
            if ".cfi_endproc" in line:
                body = None
    return found


def innermost_loops(lines: list[str]) -> list[list[str]]:
    """Those that hold a multiplication and no other such loop: packed rows have one, rows that lie apart another."""
    labels = {m[1]: i for i, line in enumerate(lines) if (m := LABEL.match(line))}
    jumps = [(labels.get(m[1], i), i) for i, line in enumerate(lines) if (m := JUMP.search(line))]
    spans = [(a, b) for a, b in jumps if a < b and any(MULTIPLY.search(line) for line in lines[a:b])]
    return [lines[a:b] for a, b in spans if not any((a, b) != (c, d) and a <= c and d <= b for c, d in spans)]


def check(compiler: list[str], stub: str, flags: list[str], double: int) -> list[str]:
    source = ROOT / "csrc" / "isa" / f"{stub}.c"
    command = [*compiler, *FLAGS, *flags, f"-DCF_DOUBLE={double}", str(source)]
    assembly = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    tiles = functions(assembly)
    complaints = [] if tiles else [f"{stub}: no tile found"]
    for (mr, nv), lines in sorted(tiles.items()):
        name = f"{stub} f{64 if double else 32} tile {mr}x{nv}"
        loops = innermost_loops(lines)
        if len(lines) > 20 and not loops:
            complaints.append(f"{name}: no loop found")
        for loop in loops:
            multiplications = sum(bool(MULTIPLY.search(line)) for line in loop)
            spills = sum(bool(VECTOR_ON_STACK.search(line)) for line in loop)
            if spills or multiplications % (mr * nv):
                complaints.append(f"{name}: {multiplications} multiplications, {spills} stack accesses")
    print(f"{stub} f{64 if double else 32}: {len(tiles)} tiles, {len(complaints)} complaints")
    return complaints


def main() -> int:
    compiler = sys.argv[1:] or ["cc"]
    machine = subprocess.run([*compiler, "-dumpmachine"], check=True, capture_output=True, text=True).stdout
    stubs = STUBS.get(machine.partition("-")[0], {})
    complaints = [c for stub, flags in stubs.items() for d in (0, 1) for c in check(compiler, stub, flags, d)]
    print("\n".join(complaints) or "the accumulators stay in registers")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
