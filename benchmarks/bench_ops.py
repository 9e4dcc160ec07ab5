"""Is an op fast on real layers?  Each result is checked before it is timed."""

from __future__ import annotations

from typing import Any

import pytest

from cnnfast import _config, _core
from cnnfast.bench.machine import Limits
from cnnfast.bench.session import prepare
from cnnfast.bench.suites import Entry
from cnnfast.bench.tasks import Contender, Task
from cnnfast.bench.timing import in_turns

LIMIT_SECONDS = 0.1


def test_op(benchmark: Any, row: tuple[Entry, str], task: Task, contender: Contender, limits: Limits) -> None:
    call = prepare(task, [contender]).get(contender.name)
    if call is None:
        pytest.skip(f"{contender.name} lacks {task.op} {task.which}")
    entry, which = row
    benchmark.group = f"{entry} {which}"
    benchmark(call)
    if benchmark.stats is None:
        return
    limits.update(task.bytes, in_turns(limits.calls(task.bytes), LIMIT_SECONDS))
    bound, memory = limits.bound(task.flops, task.bytes)
    least = benchmark.stats["min"]
    benchmark.extra_info.update(
        layer=entry.layer,
        gflops=task.flops / least * 1e-9,
        bytes=task.bytes,
        percent_of_limit=100 * bound / least,
        limit="memory" if memory else "FMA",
        isa=_core.isa_name(_config.current().isa),
        threads=_config.get_num_threads(),
    )
