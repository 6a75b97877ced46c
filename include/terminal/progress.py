"""Live progress: one line a step from the night's books, the running ones moving, no more than a screen needs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

_BEAT_SECONDS = 30
_SPIN = "|/-\\"


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step as lifecycle.step tells it; ``seconds`` so far for a running one."""

    step_id: int
    step: str
    source: str | None
    state: str
    seconds: float
    counts: Mapping[str, float]
    error_code: str | None


def describe_step(row: StepRow) -> str:
    """One line: mark, step, source, counts, time."""
    mark = {"done": "ok", "failed": "!!", "running": ".."}[row.state]
    what = f"{row.step} {row.source or ''}".strip()
    counts = ", ".join(_describe_count(name, value) for name, value in row.counts.items() if value and name != "of")
    failed = f"failed: {row.error_code or 'unknown error'}" if row.state == "failed" else ""
    return f"  {mark}  {what:<32} {row.seconds:>7.1f} s   {failed or counts}".rstrip()


def _describe_count(name: str, value: float) -> str:
    # A step that found nothing new counts itself as unchanged.
    return name if (name, value) == ("unchanged", 1) else f"{_number(value)} {name.replace('_', ' ')}"


def merge_batches(rows: Sequence[StepRow]) -> list[StepRow]:
    """One row where a step went over the batches of a source one after the other: counts and seconds added up."""
    merged: list[StepRow] = []
    for row in rows:
        before = merged[-1] if merged else None
        if before is None or (before.step, before.source) != (row.step, row.source):
            merged.append(row)
            continue
        counts = {n: before.counts.get(n, 0) + row.counts.get(n, 0) for n in {**before.counts, **row.counts}}
        state = next((s for s in ("running", "failed") if s in (before.state, row.state)), "done")
        seconds = before.seconds + row.seconds
        error = before.error_code or row.error_code
        merged[-1] = StepRow(before.step_id, row.step, row.source, state, seconds, counts, error)
    return merged


@dataclass
class Screen:
    """Prints ended steps once, in the order they ended, and keeps one moving line on a terminal.

    Where the output is not a terminal, a step that takes long gives a sign of life every half minute.
    """

    out: TextIO = field(default_factory=lambda: sys.stdout)
    printed: set[int] = field(default_factory=set)
    _beats: dict[int, int] = field(default_factory=dict)
    _turn: int = 0

    @property
    def is_terminal(self) -> bool:
        return self.out.isatty()

    def show(self, steps: Sequence[StepRow], *, is_over: bool = False) -> None:
        """Bring the screen up to date with the books. The last step may go on with its next batch until all is over."""
        self.clear()
        rows = merge_batches(steps)
        for row in rows if is_over else rows[:-1]:
            if row.state != "running" and row.step_id not in self.printed:
                self.printed.add(row.step_id)
                self.say(describe_step(row))
        running = [] if is_over else [row for row in rows if row.state == "running"]
        if self.is_terminal:
            self._draw_running(running)
        else:
            self._beat(running)

    def say(self, line: str) -> None:
        """Print a whole line above the moving one."""
        self.clear()
        print(line, file=self.out, flush=True)

    def wait(self, what: str, seconds: float) -> None:
        """Show what is being waited for before the night has any step on its books."""
        if self.is_terminal:
            self._draw(f"  {self._spin()}   {what:<32} {seconds:>7.1f} s")

    def clear(self) -> None:
        """Take the moving line away."""
        if self.is_terminal:
            self.out.write("\r\x1b[2K")
            self.out.flush()

    def _draw_running(self, running: Iterable[StepRow]) -> None:
        parts = [f"{row.step} {row.source or ''}".strip() + f" {row.seconds:.0f} s" for row in running]
        if parts:
            self._draw(f"  {self._spin()}   " + " · ".join(parts))

    def _draw(self, line: str) -> None:
        width = shutil.get_terminal_size().columns
        self.out.write("\r\x1b[2K" + line[: width - 1])
        self.out.flush()

    def _beat(self, running: Iterable[StepRow]) -> None:
        for row in running:
            beats = int(row.seconds // _BEAT_SECONDS)
            if beats > self._beats.get(row.step_id, 0):
                self._beats[row.step_id] = beats
                self.say(describe_step(row))

    def _spin(self) -> str:
        self._turn += 1
        return _SPIN[self._turn % len(_SPIN)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
