"""How far a stage is, from what ``shared`` logs: a bar on a terminal, else a line now and then.

due = 500, counts = "steps"            begins something that is counted, inside of what is counted already
done = 40, counts = "steps"            so many of them are done
counts = "steps", or no more           words about it; without ``counts``, one more of what was begun without it
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from functions import _terminal as terminal
from functions._secrets import hidden

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDE = 120  # columns of a terminal that has room for all
A_DAY_S = 86_400  # over which the bar's pace is taken: a step may take minutes, and evaluations come in between


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Show how far it is, and the time left; where there is no terminal, a line a tenth of it and an evaluation."""
    wide = terminal.errors.width >= WIDE
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=40 if wide else 8),
        TextColumn("{task.fields[count]}"),
        *([TimeElapsedColumn()] if wide else []),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    bar = Progress(
        *columns,
        console=terminal.errors,
        transient=True,
        disable=not terminal.errors.is_terminal,
        speed_estimate_period=A_DAY_S,
    )
    handler = _OnLog(bar, what)
    log = logging.getLogger("almanac")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        with bar:
            yield
    finally:
        log.removeHandler(handler)


@dataclass
class _Counted:
    counts: str
    due: int
    done: int
    said: int = 0  # tenths of it that a line was printed of

    def __str__(self) -> str:
        return f"{self.done} of {self.due} {self.counts}".rstrip()


class _OnLog(logging.Handler):
    """Moves the bar with the innermost of what is counted, or prints lines."""

    def __init__(self, bar: Progress, what: str) -> None:
        super().__init__()
        self._bar, self._task = bar, bar.add_task(what, total=None, count="")
        self._stages: list[_Counted] = []  # the innermost last

    def emit(self, record: logging.LogRecord) -> None:
        if hasattr(record, "serving"):  # until somebody interrupts it
            self._bar.stop()
            return
        words, begins = hidden(record.getMessage()), hasattr(record, "due")
        moved = None if record.levelno > logging.INFO else self._begun(record) if begins else self._moved(record)
        one_date = moved is not None and moved.counts.startswith("dates") and moved.due <= 1  # nothing to be counted
        due_a_line = not one_date and (moved is None or begins or _tenth(moved) > moved.said)
        if due_a_line and (self._bar.disable or record.levelno > logging.INFO):
            terminal.say_aside(words if begins else f"{words}{self._left(moved)}")
        if moved:
            moved.said = _tenth(moved)
        while len(self._stages) > 1 and self._stages[-1].done >= self._stages[-1].due:
            self._stages.pop()
        if not (one_date and begins):
            of_steps = words.partition(": ")[2] if getattr(record, "counts", "") == "steps" else ""
            self._bar.update(self._task, description=of_steps or words)  # steps without the name of their run
        self._draw(begins)

    def _begun(self, record: logging.LogRecord) -> _Counted:
        counts = getattr(record, "counts", "")
        if counts:  # one that ended early is still there
            self._drop(counts)
        self._stages.append(_Counted(counts, record.__dict__["due"], getattr(record, "done", 0)))
        return self._stages[-1]

    def _moved(self, record: logging.LogRecord) -> _Counted | None:
        """Return what moved, None where the record is but words."""
        counts, done = getattr(record, "counts", ""), getattr(record, "done", None)
        if counts and done is None:
            return None
        place = next((at for at in reversed(range(len(self._stages))) if self._stages[at].counts == counts), None)
        if place is None:
            return None
        del self._stages[place + 1 :]  # they ended early
        self._stages[place].done = self._stages[place].done + 1 if done is None else done
        return self._stages[place]

    def _drop(self, counts: str) -> None:
        names = [stage.counts for stage in self._stages]
        if counts in names:
            del self._stages[names.index(counts) :]

    def _draw(self, begins: bool) -> None:
        told = [str(stage) for stage in self._stages if stage.due > 1 and stage.counts != "steps"]  # words tell steps
        inner = self._stages[-1] if self._stages and self._stages[-1].due > 1 else None
        if begins and inner:  # the pace of what came before is another
            self._bar.reset(self._task, total=inner.due, completed=inner.done, count="".join(told[-1:]))
        total, done = (inner.due, inner.done) if inner else (None, 0)
        self._bar.update(self._task, total=total, completed=done, count="".join(told[-1:]))

    def _left(self, moved: _Counted | None) -> str:
        """Return the count, where the words do not tell it, and the time left."""
        count = [str(moved)] if moved and moved.counts != "steps" else []
        if moved and moved is self._stages[-1]:
            self._bar.update(self._task, completed=moved.done)
        remaining = self._bar.tasks[0].time_remaining if moved and moved.done < moved.due else None
        told = [*count, f"{timedelta(seconds=int(remaining))} left"] if remaining else count
        return f" ({', '.join(told)})" if told else ""


def _tenth(stage: _Counted) -> int:
    return 10 * stage.done // stage.due if stage.due else 10
