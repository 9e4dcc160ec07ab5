"""How many random problems of each op were compared with PyTorch, at the end of the report."""

from __future__ import annotations

from collections import Counter

import pytest

COUNTS = pytest.StashKey[dict[str, Counter[bool]]]()


@pytest.fixture
def counts(request: pytest.FixtureRequest) -> dict[str, Counter[bool]]:
    """Per op, how many problems PyTorch took (True) and how many it refused (False)."""
    return request.config.stash.setdefault(COUNTS, {})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counts = config.stash.get(COUNTS, {})
    if counts:
        total = sum(counts.values(), Counter())
        text = f"random problems as in PyTorch: {total[True]} solved, {total[False]} refused"
        terminalreporter.section(text)
        terminalreporter.write_line(", ".join(f"{op} {n[True]} + {n[False]}" for op, n in counts.items()))
