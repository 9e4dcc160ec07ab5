"""Check the sizes that the project promises: no function over 80 lines, no file over 400."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

FUNCTION_LINES, FILE_LINES = 80, 400
SOURCES = ("*.py", "*.pyx", "*.pxi", "*.pxd", "*.pyi", "*.c", "*.h")
C_FUNCTION = re.compile(r"^[A-Za-z_].*\)\s*$|^[A-Za-z_].*\)\s*\{\s*$")
CYTHON_FUNCTION = re.compile(r"^(\s*)(?:def|cdef|cpdef)\b.*[:(,]\s*$")


def python_functions(text: str) -> list[tuple[str, int]]:
    return [
        (node.name, (node.end_lineno or node.lineno) - node.lineno + 1 - docstring_lines(node))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node) is None:
        return 0
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1


def c_functions(text: str) -> list[tuple[str, int]]:
    """A function runs from a brace in column 0 to the closing brace in column 0."""
    found, start, name = [], 0, ""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line == "{":
            start, name = number, lines[number - 1]
        elif line == "}" and start:
            found.append((name.strip(), number - start + 1))
            start = 0
    return found


def cython_functions(text: str) -> list[tuple[str, int]]:
    """A function runs to the next line of its own indentation or less."""
    found, lines = [], text.splitlines()
    for number, line in enumerate(lines):
        if (start := CYTHON_FUNCTION.match(line)) is None:
            continue
        indent, length = len(start[1]), 1
        for later in lines[number + 1 :]:
            if later.strip() and len(later) - len(later.lstrip()) <= indent and not later.strip().startswith(")"):
                break
            length += 1
        found.append((line.strip(), length))
    return found


READERS = {
    ".py": python_functions,
    ".c": c_functions,
    ".h": c_functions,
    ".pyx": cython_functions,
    ".pxi": cython_functions,
}


def main() -> int:
    names = subprocess.run(["git", "ls-files", *SOURCES], check=True, capture_output=True, text=True).stdout.split()
    complaints = []
    for name in names:
        text = Path(name).read_text()
        if (length := len(text.splitlines())) > FILE_LINES:
            complaints.append(f"{name}: {length} lines (at most {FILE_LINES})")
        for function, lines in READERS.get(Path(name).suffix, lambda _: [])(text):
            if lines > FUNCTION_LINES:
                complaints.append(f"{name}: {function}: {lines} lines (at most {FUNCTION_LINES})")
    print("\n".join(complaints) or f"{len(names)} files: sizes kept")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
