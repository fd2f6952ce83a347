"""The replication package of a study: what a data editor asks for, in one folder that runs to the same numbers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import dcg_econ
from dcg_econ.experiments.package_data import write_data
from dcg_econ.experiments.package_facts import facts_of
from dcg_econ.experiments.pins import pins, requirements
from dcg_econ.experiments.repeating import CHECKSUMS, RESULTS, checksums
from dcg_econ.experiments.results import Results, counts
from dcg_econ.experiments.sources import SOURCE, Source, kept_source, source_of
from dcg_econ.experiments.specification import load
from dcg_econ.experiments.store import DONE, FAILED, MISSING, PLAN, PLAN_WORDS, STUDY, Store, StoreError

TEMPLATES = Path(__file__).resolve().parent / "templates"
SUBPACKAGES = ("mechanisms", "experiments", "analysis")
FILES = {
    "main.py": "main.py.j2",
    "CITATION.cff": "citation.cff.j2",
    "LICENSE-CODE.txt": "license_code.txt.j2",
    "LICENSE-DATA.txt": "license_data.txt.j2",
    "README.md": "package_readme.md.j2",  # last: it says how large the rest is
}


def package_study(
    study: str, out: Path, results: Path | None, authors: Sequence[str], data_license: str, quiet: bool, check: bool
) -> bool:
    """Writes the replication package of a study into `out`, a new or empty folder; whether its check passed, or was not asked.

    `study`: a folder of results, or a name or TOML file whose results lie in `results` (default: where `run` puts them);
    what is missing of these is run first. Raises `StoreError` with the remedy.
    """
    check_target(out)
    _license(data_license)
    found, source = _results_of(study, results, quiet)
    _check_whole(found)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=out.parent) as temporary:
        home = Path(temporary) / "package"
        build(found, source, home, authors, data_license, quiet)
        if out.is_dir():
            out.rmdir()
        home.chmod(0o755)
        shutil.move(home, out)
    print(f"package: {out}", flush=True)
    if not check:
        print(f"check it with: {Path(sys.executable).name} main.py --check, in that folder")
        return True
    command = [sys.executable, "main.py", "--check", *(["--quiet"] if quiet else [])]
    return subprocess.run(command, cwd=out, check=False).returncode == 0


def check_target(out: Path) -> None:
    """Refuses, before any work, a folder that holds something."""
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise StoreError(f"{out} is a link or a file; name a new folder with --out")
    if out.is_dir() and any(out.iterdir()):
        raise StoreError(f"{out} is not empty; name a new folder with --out, or empty it")


def build(
    found: Results, source: Source | None, home: Path, authors: Sequence[str], data_license: str, quiet: bool
) -> None:
    """Writes all of the package into `home`, a folder that is not there yet."""
    from dcg_econ.analysis import write_report
    from dcg_econ.experiments.report import material_of

    def say(text: str) -> None:
        if not quiet:
            print(text, file=sys.stderr, flush=True)

    home.mkdir()
    say("results")
    copy_results(found, home / RESULTS)
    if source is not None:
        source.copy(home / SOURCE)
    say("report, tables and figures")
    material = material_of(Results(Store(home / RESULTS)))
    write_report(material, home / "output")
    say("data and codebook")
    datasets = write_data(found, material.labelled(), home / "data")
    say("code")
    copy_code(home / "code")
    run = found.run()
    _write(home / "requirements.txt", requirements())
    _write(home / "constraints.txt", pins(run.get("versions", {})))
    facts = facts_of(found, source, material, datasets, home) | {"authors": list(authors), "data_license": data_license}
    _render(home, facts)
    say("checksums")
    (home / CHECKSUMS).write_text(checksums(home), encoding="utf-8", newline="\n")


def copy_results(found: Results, folder: Path) -> None:
    """The plan and the cells of this study alone, without tracebacks, which name places of one machine."""
    from dcg_econ.experiments.store import to_json

    home = found.store.folder
    (folder / "cells").mkdir(parents=True)
    (folder / "failed").mkdir()
    for name in (STUDY, PLAN, PLAN_WORDS):
        if (home / name).is_file():
            shutil.copyfile(home / name, folder / name)
    for cell, status in found.states:
        if status.state == DONE:
            shutil.copytree(home / "cells" / cell["id"], folder / "cells" / cell["id"])
        elif status.state == FAILED:
            record = {key: value for key, value in status.manifest.items() if key != "traceback"}
            (folder / "failed" / f"{cell['id']}.json").write_text(to_json(record), encoding="utf-8")


def copy_code(folder: Path) -> None:
    """The package's own source, as it is imported here."""
    skip = shutil.ignore_patterns("__pycache__", "*.pyc")
    own = folder / "dcg_econ"
    shutil.copytree(Path(dcg_econ.__file__).resolve().parent, own, ignore=skip)
    for name in SUBPACKAGES:
        home = Path(import_module(f"dcg_econ.{name}").__path__[0]).resolve()
        shutil.copytree(home, own / name, ignore=skip, dirs_exist_ok=True)


def _results_of(study: str, folder: Path | None, quiet: bool) -> tuple[Results, Source | None]:
    """The results to package, run where they are not whole, and the specification as written, where that is known."""
    if (Path(study) / STUDY).is_file():
        found = Results(Store(study))
        return found, kept_source(Path(study), found.specification)
    if Path(study).is_dir():
        raise StoreError(f"{study} holds no results (no {STUDY}); make them with `dcg-econ run`")
    specification = load(study)
    home = folder or Path("results") / Path(study).stem
    if (home / STUDY).is_file():
        found = Results(Store(home))
        if found.specification != specification:
            raise StoreError(f"{home} holds results of another specification; name a folder with --results")
        if (found.status()["status"] != MISSING).all():
            return found, source_of(study)
    from dcg_econ.experiments.running import run_study
    from dcg_econ.experiments.where import Where

    run_study(study, home, Where(), short=False, quiet=quiet, retries=1, checkpoint_every=30.0)
    return Results(Store(home)), source_of(study)


def _check_whole(found: Results) -> None:
    own, home = found.store.plan().get("own_classes", []), found.store.folder
    if own:
        raise StoreError(
            f"the study uses classes of its own program ({', '.join(own)}), which a specification cannot name: package "
            "that program by hand, with `dcg-econ export` for the data"
        )
    status = found.status()
    if (status["status"] == MISSING).any() or not (status["status"] == DONE).any():
        said = "; ".join(found.store.aside)
        raise StoreError(f"{home} is not whole: {counts(status)}. Run it to the end with `dcg-econ run` {said}".strip())


def _license(name: str) -> None:
    if not name or not all(c.isalnum() or c in ".-+" for c in name):
        raise StoreError(f"data license {name!r}: give an SPDX identifier, such as CC-BY-4.0, CC0-1.0 or ODbL-1.0")


def _render(home: Path, facts: dict[str, Any]) -> None:
    import jinja2

    from dcg_econ.analysis.pages import markdown_text

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    made.filters["md"] = markdown_text
    made.filters["quoted"] = lambda value: json.dumps(value, ensure_ascii=False)  # as Python and YAML read it
    made.filters["counted"] = lambda count, word: f"{count:,d} {word}" + ("" if count == 1 else "s")
    for name, template in FILES.items():
        text = made.get_template(template).render(facts)
        (home / name).write_text(text, encoding="utf-8", newline="\n")
        if name == "main.py":
            lines = text.splitlines()
            facts["line"] = 1 + next(i for i, line in enumerate(lines) if "repeating.reproduce(" in line)


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
