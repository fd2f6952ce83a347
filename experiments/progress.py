"""How a run shows how far it has come: bars in a terminal or a notebook, lines elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from typing import Any

SECONDS_BETWEEN_LINES = 10.0


class AbstractProgress(ABC):
    """Told of cells that are done and of the steps of those at work."""

    def __enter__(self) -> AbstractProgress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def start(self, done: int, total: int) -> None:
        """`done` of `total` cells are there already."""

    @abstractmethod
    def steps(self, name: str, done: int, total: int, text: str) -> None:
        """A cell has learned `done` of `total` steps."""

    @abstractmethod
    def cell(self, name: str, text: str) -> None:
        """One more cell is finished, or failed."""

    @abstractmethod
    def close(self) -> None:
        """Nothing more comes."""


class Quiet(AbstractProgress):
    """Says nothing."""

    def start(self, done, total):
        pass

    def steps(self, name, done, total, text):
        pass

    def cell(self, name, text):
        pass

    def close(self):
        pass


class Lines(AbstractProgress):
    """A line for each finished cell, and now and then one for the steps of a long one, on standard error."""

    def __init__(self) -> None:
        self.done = self.total = 0
        self.last = 0.0

    def start(self, done, total):
        self.done, self.total = done, total
        if done:
            _line(f"{done} of {total} cells are there from an earlier run")

    def steps(self, name, done, total, text):
        now = time.monotonic()
        if now - self.last >= SECONDS_BETWEEN_LINES:
            self.last = now
            _line(f"{name}: step {done} of {total}, {text}")

    def cell(self, name, text):
        self.done += 1
        _line(f"cell {self.done} of {self.total}: {name}: {text}")

    def close(self):
        pass


class Bars(AbstractProgress):
    """One bar for cells, one for the steps of the cell that spoke last, with its running objective."""

    def __init__(self) -> None:
        self.cells: Any = None
        self.steps_bar: Any = None
        self.name = ""

    def start(self, done, total):
        from tqdm.auto import tqdm

        self.cells = tqdm(total=total, initial=done, desc="cells", unit="cell", position=0)

    def steps(self, name, done, total, text):
        from tqdm.auto import tqdm

        if self.steps_bar is None:
            self.steps_bar = tqdm(total=total, unit="step", position=1, leave=False)
        bar = self.steps_bar
        if name != self.name or bar.total != total:
            bar.reset(total)
            self.name = name
            bar.set_description_str(name, refresh=False)
        bar.set_postfix_str(text, refresh=False)
        bar.n = done
        bar.refresh()

    def cell(self, name, text):
        self.cells.set_postfix_str(f"{name}: {text}"[:60], refresh=False)
        self.cells.update(1)

    def close(self):
        for bar in (self.steps_bar, self.cells):
            if bar is not None:
                bar.close()


def progress_for(quiet: bool) -> AbstractProgress:
    """Bars where somebody looks, lines where a file does."""
    if quiet:
        return Quiet()
    return Bars() if sys.stderr.isatty() or _in_notebook() else Lines()


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def _line(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
