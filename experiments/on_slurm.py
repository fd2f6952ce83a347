"""A study inside one Slurm batch job: `srun python -m dcg_econ.experiments.on_slurm my_study.toml --out results/mine`.

Every task of the job runs this program. dask-jobqueue's SLURMRunner makes the first task the Dask scheduler, the second
the run itself, and all others workers, so that a job of n tasks computes n - 2 cells at a time. The folder of the
results must lie on a file system that all nodes share.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    study: Annotated[str, typer.Argument(help="A study of the catalogue, or the path of a TOML file.")],
    out: Annotated[Path, typer.Option(help="Folder of the results, shared by all nodes.")],
    retries: Annotated[int, typer.Option(min=0, max=100, help="Further attempts at a cell after an exception.")] = 1,
    checkpoint_every: Annotated[
        float, typer.Option(min=0, help="Seconds between checkpoints of a long training.")
    ] = 30,
) -> None:
    """Runs a study on the tasks of this batch job."""
    from dask_jobqueue.slurm import SLURMRunner
    from distributed import Client

    from dcg_econ.experiments.cli import FAILED, errors
    from dcg_econ.experiments.program import prepare
    from dcg_econ.experiments.running import run_study
    from dcg_econ.experiments.where import Where

    prepare()
    out.parent.mkdir(parents=True, exist_ok=True)
    file = str(out.parent.resolve() / f".{out.name}-scheduler-{{job_id}}.json")
    with errors(), SLURMRunner(scheduler_file=file, worker_options={"nthreads": 1}) as runner, Client(runner) as client:
        client.wait_for_workers(1)
        where = Where(client=client)
        failed = run_study(
            study, out, where, short=False, quiet=False, retries=retries, checkpoint_every=checkpoint_every
        )
    Path(file.format(job_id=runner.job_id)).unlink(missing_ok=True)
    if failed:
        raise typer.Exit(FAILED)


if __name__ == "__main__":
    typer.run(main)
