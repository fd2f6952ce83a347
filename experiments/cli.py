"""The command line. Heavy imports happen inside the commands, so that help answers at once."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Differentiable communication games for economics.")

FAILED, BAD_INPUT = 1, 2


@app.command("list")
def list_() -> None:
    """Lists the studies that come with the package."""
    from dcg_econ.experiments.specification import catalog, load

    for name in catalog():
        typer.echo(f"{name:<20} {load(name).title}")


@app.command()
def run(
    study: Annotated[str, typer.Argument(help="A study of the catalogue, or the path of a TOML file.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the results. [default: results/STUDY]")] = None,
    short: Annotated[bool, typer.Option("--short", help="Two sessions of 60 steps: does it run?")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Runs a study, writes its data and its report."""
    from dcg_econ.experiments.specification import SpecificationError, load
    from dcg_econ.experiments.store import StoreError, check_folder

    try:
        specification = load(study)
        folder = out or Path("results") / Path(study).stem
        check_folder(folder)
    except (SpecificationError, StoreError) as error:
        _refuse(error)
    if short:
        specification = specification.short()
    _prepare_jax()
    from dcg_econ.experiments.report import make_report
    from dcg_econ.experiments.store import commit, hardware, versions, write_results
    from dcg_econ.experiments.study import run_study

    start = time.perf_counter()
    with _Bars(quiet) as bars:
        frames, facts = run_study(specification, bars.update)
    settings = _settings(specification) | {"seconds": round(time.perf_counter() - start, 1)}
    manifest = facts | {
        "title": specification.title,
        "question": specification.question,
        "specification": specification.model_dump(),
        "settings": settings,
        "versions": versions(),
        "hardware": hardware(),
        "commit": commit(),
    }
    write_results(folder, frames, manifest)
    page = make_report(folder)
    cells = frames["cells"]
    poor = cells[cells["unconverged"] > 0]
    typer.echo(f"{len(cells)} cells, {len(poor)} with sessions that did not converge")
    for row in poor.itertuples():
        typer.echo(f"  {row.cell}: {row.warnings}")
    typer.echo(f"report: {page}")


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="A folder of results.")]) -> None:
    """Writes the report of stored results again."""
    from dcg_econ.experiments.store import StoreError

    try:
        from dcg_econ.experiments.report import make_report

        typer.echo(f"report: {make_report(folder)}")
    except StoreError as error:
        _refuse(error)


def _settings(specification) -> dict[str, str]:
    """The specification in flat rows, and the precision."""
    flat = {}
    for key, value in specification.model_dump(exclude={"title", "question", "treatments"}).items():
        for name, entry in value.items() if isinstance(value, dict) else [(None, value)]:
            flat[f"{key}.{name}" if name else key] = str(entry)
    flat["treatments"] = str(len(specification.treatments))
    return flat | {"precision": "float64"}


def _prepare_jax() -> None:
    """A program's own choices: 64-bit numbers, and compiled code kept between runs."""
    import os

    import jax

    jax.config.update("jax_enable_x64", True)
    cache = Path(os.environ.get("JAX_COMPILATION_CACHE_DIR") or Path.home() / ".cache" / "dcg_econ" / "jax")
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    jax.config.update("jax_compilation_cache_dir", str(cache))


class _Bars:
    """One bar for each learned treatment; plain lines where there is no terminal."""

    def __init__(self, quiet: bool):
        self.quiet = quiet
        self.bars: dict[str, Any] = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for bar in self.bars.values():
            bar.close()

    def update(self, name: str, done: int, total: int, text: str) -> None:
        if self.quiet:
            return
        if not sys.stderr.isatty():
            print(f"{name}: step {done} of {total}, {text}", file=sys.stderr, flush=True)
            return
        from tqdm.auto import tqdm

        bar = self.bars.setdefault(name, None) or tqdm(total=total, desc=name, unit="step")
        self.bars[name] = bar
        bar.set_postfix_str(text, refresh=False)
        bar.update(done - bar.n)
        if done >= total:
            bar.close()


def _refuse(error: Exception) -> None:
    typer.echo(str(error), err=True)
    raise typer.Exit(BAD_INPUT) from None


def main() -> None:
    """The entry point `dcg-econ`."""
    app()


if __name__ == "__main__":
    main()
