"""Where the time of a call goes, op by op: what CNNFAST_VERBOSE=1 tells, added up."""

from __future__ import annotations

import contextlib
import io
import re
from collections import defaultdict
from collections.abc import Iterator
from time import perf_counter

from cnnfast import _config
from cnnfast.bench.tasks import Call

LINE = re.compile(r"cnnfast: (?P<text>.*), (?P<ms>[\d.]+) ms")
PASS = re.compile(r"\b(forward|backward_data|backward_weights)\b")
PROBLEM = re.compile(r"^n\d+c\d+\S*_(?P<kind>[ot])")
CALLS = 5


def profile(call: Call) -> Iterator[str]:
    """Yield a line for each kind of op: milliseconds a call, share, number of calls; the fastest of a few counts."""
    seconds, found = min((measured(call) for _ in range(CALLS)), key=lambda one: one[0])
    total = seconds * 1e3
    for kind, (ms, count) in sorted(found.items(), key=lambda item: -item[1][0]):
        yield f"    {kind:32}{ms:10.3f} ms{100 * ms / total:7.1f} %{count:6} calls"
    rest = total - sum(ms for ms, _ in found.values())
    yield f"    {'between the ops':32}{rest:10.3f} ms{100 * rest / total:7.1f} %"


def measured(call: Call) -> tuple[float, dict[str, tuple[float, int]]]:
    """Return the seconds of a call, and of each kind of op the milliseconds and the number of times it ran."""
    with _config.verbose(), contextlib.redirect_stderr(io.StringIO()) as lines:
        start = perf_counter()
        call()
        seconds = perf_counter() - start
    found: dict[str, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    for line in LINE.finditer(lines.getvalue()):
        kind = kind_of(line["text"])
        ms, count = found[kind]
        found[kind] = ms + float(line["ms"]), count + 1
    return seconds, found


def kind_of(text: str) -> str:
    """Return the op of a verbose line: its first word, or of a problem string what it is a problem of, and the pass."""
    first = text.split(maxsplit=1)[0]
    which = PASS.search(text)
    problem = PROBLEM.match(first)
    name = {"o": "conv", "t": "conv_transpose"}[problem["kind"]] if problem else first.rstrip(",")
    return f"{name} {which[0]}" if problem and which else name
