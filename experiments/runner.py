"""Runs the cells that are missing, in this process or on Dask workers, one run at a time in a folder."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from dcg_econ._errors import InputError
from dcg_econ.experiments.plan import Cell
from dcg_econ.experiments.progress import AbstractProgress
from dcg_econ.experiments.store import DONE, FAILED, Store, StoreError
from dcg_econ.experiments.work import Order, Outcome, perform

STEPS_TOPIC = "dcg-econ-steps"
SECONDS_BETWEEN_LOOKS = 5.0
AHEAD = 0.2  # seconds of work that a worker may have before it


class BusyError(StoreError):
    """Another run is at work in the folder."""


class StoppedError(RuntimeError):
    """The run ended before its cells did: what is finished is kept, and the same command goes on."""


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Holds the folder for one run; the system lets go of it when the process ends, however it ends."""
    lock = FileLock(store.folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise BusyError(
            f"another run is at work in {store.folder}: wait for it, or choose another folder; "
            f"`dcg-econ status {store.folder}` says how far it is"
        ) from None
    try:
        yield
    finally:
        lock.release()


def run_cells(
    store: Store, cells: Sequence[Cell], order: Order, progress: AbstractProgress, client: Any = None
) -> list[Outcome]:
    """Does every cell that is not finished; failed ones are tried again. `client`: a Dask client, or None for here."""
    todo = [cell for cell in cells if store.finished(cell.name, cell.id).state != DONE]
    progress.start(len(cells) - len(todo), len(cells))
    outcomes: list[Outcome] = []
    for outcome in _here(todo, order, progress) if client is None else _on_dask(todo, order, progress, client):
        outcomes.append(outcome)
        progress.cell(outcome.name, said(outcome))
    return outcomes


def said(outcome: Outcome) -> str:
    """An outcome in a few words."""
    if outcome.state == FAILED:
        return f"failed: {outcome.error[:120]}"
    bad = f", {outcome.unconverged} sessions did not converge" if outcome.unconverged else ""
    return f"{outcome.seconds:.1f} s{bad}"


def _here(todo: Sequence[Cell], order: Order, progress: AbstractProgress) -> Iterator[Outcome]:
    for cell in todo:
        yield perform(cell, order, progress.steps)


def _on_dask(todo: Sequence[Cell], order: Order, progress: AbstractProgress, client: Any) -> Iterator[Outcome]:
    """Cells as Dask tasks: the worker writes the store, and only outcomes come back.

    No more tasks are out than there are threads: Dask would hand out short lists at once, and cells of unknown length
    would wait behind a long one while another worker idles. Where cells take no time, more are out, so that none
    waits for the next one to be sent.
    """
    from distributed import wait

    client.subscribe_topic(STEPS_TOPIC, lambda event: progress.steps(*event[1]))
    rest, recent = iter(todo), deque([1.0], maxlen=20)
    out: dict[Any, Cell] = {}
    try:
        while True:
            ahead = 1 + min(10, int(AHEAD * len(recent) / sum(recent)))
            for cell in islice(rest, max(0, ahead * max(1, _threads(client)) - len(out))):
                out[client.submit(perform_on_worker, cell, order, key=cell.id, pure=False)] = cell
            if not out:
                return
            with suppress(TimeoutError, CancelledError):  # then look for workers that have joined, or for the end
                wait(list(out), timeout=SECONDS_BETWEEN_LOOKS, return_when="FIRST_COMPLETED")
            for future in [future for future in out if future.done() or client.status != "running"]:
                outcome = _received(future, out.pop(future), order, client)
                future.release()
                recent.append(max(outcome.seconds, 1e-3))
                yield outcome
    finally:
        if client.status == "running":
            client.cancel(list(out), force=True)
            client.unsubscribe_topic(STEPS_TOPIC)


def _threads(client: Any) -> int:
    return sum(client.nthreads().values()) if client.status == "running" else 0


def _received(future: Any, cell: Cell, order: Order, client: Any) -> Outcome:
    """What became of a task: an outcome, a failure kept on behalf of a dead worker, or the end of the run."""
    if future.status == "finished":
        return future.result()
    if future.status in ("cancelled", "lost") or client.status != "running":
        raise StoppedError("the Dask scheduler is gone: start it again and run the same command to go on")
    error = future.exception()
    if isinstance(error, StoreError):
        raise error
    text = f"{type(error).__name__}: {error}"
    if type(error).__name__ == "KilledWorker":
        text = f"KilledWorker: its workers died {order.retries + 1} times at this cell: give them more memory, or ask for less"
    Store(order.folder, writing=True).write_failure(cell.name, cell.id, text, order.retries + 1)
    return Outcome(cell.name, cell.id, FAILED, error=text)


def perform_on_worker(cell: Cell, order: Order) -> Outcome:
    """`perform` on a Dask worker, unless somebody finished the cell while it waited."""
    from distributed import get_worker

    worker = get_worker()
    found = Store(order.folder).finished(cell.name, cell.id)  # which reads, and moves nothing
    if found.state == DONE:
        return Outcome(cell.name, cell.id, DONE, found.manifest["seconds"], found.manifest["unconverged"])
    return perform(cell, order, lambda *event: worker.log_event(STEPS_TOPIC, event))


@contextmanager
def local_client(workers: int, retries: int) -> Iterator[Any]:
    """Dask workers on this machine, a process each, on the loopback interface."""
    _need_dask()
    if workers < 1:
        raise InputError("workers", f"{workers}", "give one or more, or none at all for this process")
    import dask
    from distributed import Client, LocalCluster

    settings = {
        "distributed.admin.low-level-log-length": 100,  # Dask's own diary and profile grow with every cell
        "distributed.worker.profile.enabled": False,
        "distributed.scheduler.allowed-failures": retries,
        "distributed.admin.large-graph-warning-threshold": "1GB",
    }
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # Dask opens one whatever it is told: on any free port, and here only
            silence_logs="CRITICAL",
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def remote_client(address: str | None, file: str | Path | None, timeout: float = 60) -> Iterator[Any]:
    """A client of a scheduler that exists, by address or scheduler file."""
    _need_dask()
    from distributed import Client

    where = {"address": address} if address else {"scheduler_file": str(file)}
    try:
        client = Client(**where, timeout=timeout)
    except (OSError, TimeoutError, ValueError) as error:
        raise StoppedError(
            f"no Dask scheduler answers at {address or file} ({error}); start one with `dask scheduler`"
        ) from None
    with _hushed():
        try:
            yield client
        finally:
            client.close(timeout=5)


@contextmanager
def _hushed() -> Iterator[None]:
    """Keeps Dask's loggers quiet: a lost scheduler is told once, in a sentence."""
    loggers = [log for name, log in logging.root.manager.loggerDict.items() if name.startswith("distributed")]
    levels = {log: log.level for log in loggers if isinstance(log, logging.Logger)}
    for log in levels:
        log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for log, level in levels.items():
            log.setLevel(level)


def _need_dask() -> None:
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise StoreError('workers need Dask: pip install "dcg_econ[cluster]"') from None
