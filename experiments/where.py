"""Where the cells of a study are computed: in this process, on Dask workers of this machine, or by a scheduler elsewhere."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple


class Where(NamedTuple):
    """Here if nothing is given; else on so many local workers, by a scheduler that exists, or by a Dask client."""

    workers: int | None = None
    scheduler: str | None = None
    scheduler_file: str | Path | None = None
    client: Any = None

    def connect(self, retries: int) -> AbstractContextManager[Any]:
        """A context manager of a Dask client, or of None for this process; raises `InputError` where two are given."""
        from dcg_econ._errors import InputError
        from dcg_econ.experiments.runner import local_client, remote_client

        given = [name for name, value in self._asdict().items() if value is not None]
        if len(given) > 1:
            raise InputError(given[0], f"and {' and '.join(given[1:])}", f"give one of {', '.join(self._fields)}")
        if self.workers is not None:
            return local_client(self.workers, retries)
        if self.scheduler or self.scheduler_file:
            return remote_client(self.scheduler, self.scheduler_file)
        return nullcontext(self.client)
