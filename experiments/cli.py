"""The command line. Heavy imports happen inside the commands, so that help answers at once.

Exit codes: 0 done; 1 a cell failed, no equilibrium, or a replication differs; 2 wrong input; 3 the folder is in use;
4 stopped before the end (full disk, lost scheduler, closed folder); 130 interrupted; 143 terminated.
"""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

FAILED, BAD_INPUT, BUSY, STOPPED, INTERRUPTED, TERMINATED = 1, 2, 3, 4, 130, 143
_CODES = (
    "Exit codes: 0 done, 1 a cell failed or a result differs, 2 wrong input, 3 the folder is in use, "
    "4 stopped before the end, 130 interrupted, 143 terminated."
)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Differentiable communication games for economics.",
    epilog=_CODES,
)

StudyName = Annotated[str, typer.Argument(help="A study of the catalogue, or the path of a TOML file.")]
Folder = Annotated[Path, typer.Argument(help="A folder of results.")]


@app.command("list")
def list_() -> None:
    """Lists the studies that come with the package, and the mechanisms."""
    from dcg_econ.experiments.specification import catalog, load

    typer.echo("Studies (dcg-econ run NAME):")
    for name in catalog():
        typer.echo(f"  {name:<20} {load(name).title}")
    from dcg_econ.experiments.solving import mechanism_lines

    typer.echo("Mechanisms (dcg-econ solve NAME):")
    for line in mechanism_lines():
        typer.echo(f"  {line}")


@app.command()
def show(
    study: StudyName,
    schema: Annotated[bool, typer.Option("--schema", help="The JSON schema of specifications, for editors.")] = False,
) -> None:
    """Shows a study's treatments, cells, hypotheses and settings, without running it."""
    with errors():
        if schema:
            from dcg_econ.experiments.schema import json_schema

            typer.echo(json.dumps(json_schema(), indent=2))
            return
        from dcg_econ.experiments.showing import described

        typer.echo(described(study))


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("my_study.toml"),
) -> None:
    """Writes a commented starter specification."""
    from dcg_econ.experiments.specification import SpecificationError

    with errors():
        if path.suffix != ".toml":
            raise SpecificationError(f"{path}: give a name that ends in .toml")
        text = (Path(__file__).parent / "starter.toml").read_text(encoding="utf-8")
        try:
            with open(path, "x", encoding="utf-8", newline="\n") as file:
                file.write(text.replace("my_study.toml", path.name))
        except FileExistsError:
            raise SpecificationError(f"{path} is there already; choose another name") from None
        except OSError as error:
            raise SpecificationError(f"{path}: cannot be written: {error.strerror}") from None
        typer.echo(f"wrote {path}; run it with: dcg-econ run {shlex.quote(str(path))}")


@app.command()
def plan(
    study: StudyName,
    out: Annotated[
        Path | None, typer.Option(help="The page to write: .md or .html. [default: standard output]")
    ] = None,
    register: Annotated[
        Path | None, typer.Option(help="Folder of results to come: plan.json and plan.md are written there, once.")
    ] = None,
) -> None:
    """Writes the pre-analysis plan of a study from its specification, before there are data."""
    with errors():
        from dcg_econ.experiments.registration import planned

        text, written = planned(study, out, register)
        for path in written:
            typer.echo(f"wrote {path}")
        if not written:
            typer.echo(text, nl=False)


@app.command()
def run(
    study: StudyName,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results. [default: results/STUDY; results/STUDY-short]")
    ] = None,
    short: Annotated[bool, typer.Option("--short", help="Two sessions of 60 steps: does it run?")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Dask workers on this machine.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler that exists.")] = None,
    scheduler_file: Annotated[Path | None, typer.Option(help="Its scheduler file.")] = None,
    retries: Annotated[int, typer.Option(min=0, max=100, help="Further attempts at a cell after an exception.")] = 1,
    checkpoint_every: Annotated[
        float, typer.Option(min=0, help="Seconds between checkpoints of a long training.")
    ] = 30,
) -> None:
    """Runs a study, or what is missing of it, and writes its data and its report."""
    with errors():
        from dcg_econ.experiments.running import run_study
        from dcg_econ.experiments.where import Where

        folder = out or Path("results") / (Path(study).stem + ("-short" if short else ""))
        where = Where(workers, scheduler, scheduler_file)
        failed = run_study(study, folder, where, short, quiet, retries, checkpoint_every)
    if failed:
        raise typer.Exit(FAILED)


@app.command()
def status(folder: Folder) -> None:
    """Says which cells of a study are done, failed or missing."""
    with errors():
        from dcg_econ.experiments.showing import status_lines

        for line in status_lines(folder):
            typer.echo(line)


@app.command()
def report(folder: Folder) -> None:
    """Writes the report of stored results again."""
    with errors():
        from dcg_econ.experiments.report import write_study_report
        from dcg_econ.experiments.results import Results
        from dcg_econ.experiments.showing import incomplete
        from dcg_econ.experiments.store import Store

        results = Results(Store(folder))
        typer.echo(f"report: {write_study_report(results)}")
        if left_out := incomplete(results):
            typer.echo(left_out, err=True)


@app.command()
def solve(
    mechanism: Annotated[str, typer.Argument(help="A mechanism, e.g. curve_market; `dcg-econ list` names them.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter, as in TOML: --set 'curvature=[0.5, 1, 2]'.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Solves a mechanism for its equilibrium, with the derivatives of welfare and efficiency in every parameter."""
    with errors():
        _prepare_jax()
        from dcg_econ.experiments.solving import solved

        text = solved(mechanism, set_ or [], as_json)
        typer.echo(text)


@app.command()
def export(
    folder: Folder,
    to: Annotated[Path, typer.Option(help="The file to write: .csv or .dta.")],
    otree: Annotated[bool, typer.Option("--otree", help="Columns as in an oTree export of one app (CSV).")] = False,
) -> None:
    """Writes the panel for other programs: CSV with a codebook, Stata with labels, or oTree-shaped CSV."""
    with errors():
        from dcg_econ.experiments.showing import exported

        paths, left_out = exported(folder, to, otree)
        for path in paths:
            typer.echo(f"wrote {path}")
        if left_out:
            typer.echo(left_out, err=True)


@app.command()
def replicate(
    folder: Annotated[
        Path | None, typer.Argument(help="A folder of results, or one of papers/ with an expected.toml.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every replication in papers/.")] = False,
    fast: Annotated[bool, typer.Option("--fast", help="The replications that take seconds.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Where results go. [default: FOLDER-again; results/replications for papers]")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Runs a stored study anew and compares it bit for bit, or computes results of the literature again (--all)."""
    with errors():
        from dcg_econ.experiments.replications import replicated_anew

        same = replicated_anew(folder, every, fast, out, quiet)
    if not same:
        raise typer.Exit(FAILED)


@app.command()
def package(
    study: Annotated[str, typer.Argument(help="A study of the catalogue, a TOML file, or a folder of results.")],
    out: Annotated[Path, typer.Option(help="The folder to write: new, or empty.")],
    results: Annotated[Path | None, typer.Option(help="Where the results lie, or go. [default: results/STUDY]")] = None,
    author: Annotated[list[str] | None, typer.Option(help="An author's name; repeat it for each.")] = None,
    data_license: Annotated[str, typer.Option(help="Licence of the data, an SPDX identifier.")] = "CC-BY-4.0",
    check: Annotated[bool, typer.Option("--check", help="Run it again from the package, and compare.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Writes a replication package: README, data, codebook, code, results, and a main script that runs it again."""
    with errors():
        _prepare_jax()
        from dcg_econ.experiments.packaging import package_study

        same = package_study(study, out, results, author or (), data_license, quiet, check)
    if not same:
        raise typer.Exit(FAILED)


@contextmanager
def errors() -> Iterator[None]:
    """Turns what a user can mend into a sentence and an exit code; nothing else is hidden."""
    before = signal.signal(signal.SIGTERM, _terminated)  # a batch system's notice
    try:
        yield
    except _Terminated:
        _refuse("stopped by SIGTERM: what is finished is kept, and the same command goes on", TERMINATED)
    except KeyboardInterrupt:
        _refuse("interrupted: what is finished is kept, and the same command goes on", INTERRUPTED)
    except Exception as error:
        code = _code(error)
        if code is None:
            raise
        _refuse(_sentence(error), code)
    finally:
        signal.signal(signal.SIGTERM, before)


class _Terminated(KeyboardInterrupt):
    pass


def _terminated(*_: object) -> None:
    raise _Terminated


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}; check the path and its permissions"
    return str(error)


def _code(error: Exception) -> int | None:
    """The exit code of an error that has a sentence for the user."""
    from dcg_econ.experiments.specification import SpecificationError

    if isinstance(error, SpecificationError):
        return BAD_INPUT
    names = [cls.__name__ for cls in type(error).__mro__]
    codes = {
        "BusyError": BUSY,
        "StoppedError": STOPPED,
        "WriteError": STOPPED,
        "StoreError": BAD_INPUT,
        "InputError": BAD_INPUT,
        "EquilibriumError": FAILED,
        "ClearingError": FAILED,
        "OSError": STOPPED,
    }
    return next((codes[name] for name in names if name in codes), None)


def _prepare_jax() -> None:
    """A program's own choices: 64-bit numbers, and compiled code kept between runs."""
    from dcg_econ.experiments.program import prepare

    prepare()


def _refuse(text: str, code: int) -> None:
    typer.echo(text, err=True)
    raise typer.Exit(code) from None


def main() -> None:
    """The entry point `dcg-econ`."""
    app()


if __name__ == "__main__":
    main()
