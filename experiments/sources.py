"""The specification as its author wrote it, with the data files that it names, kept beside the results."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import NamedTuple

from dcg_econ.experiments.datafiles import SpecificationError, files_named
from dcg_econ.experiments.specification import Specification, catalog, load

SOURCE = "specification"


class DataFile(NamedTuple):
    """A file that a specification names, and its column."""

    path: Path
    name: str
    column: str


class Source(NamedTuple):
    """A specification file, and the data files beside it."""

    path: Path
    files: tuple[DataFile, ...]

    @classmethod
    def of(cls, path: Path) -> Source:
        tree = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        named = dict.fromkeys(files_named(tree))
        return cls(path, tuple(DataFile(path.parent / file, file, column) for file, column in named))

    def copy(self, folder: Path) -> None:
        """Copies the specification and its data files to `folder`, which keeps their places beside each other."""
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.path, folder / self.path.name)
        for file in self.files:
            (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.path, folder / file.name)


def source_of(study: str | Path) -> Source:
    """The source of a study of the catalogue, or of a TOML file."""
    return Source.of(catalog().get(str(study), Path(study)))


def keep_source(study: str | Path, folder: Path) -> None:
    """Keeps the source of a run in `folder`, in place of an earlier one's."""
    home = folder / SOURCE
    if home.is_symlink() or home.is_file():
        home.unlink()
    shutil.rmtree(home, ignore_errors=True)
    source_of(study).copy(home)


def kept_source(folder: Path, specification: Specification) -> Source | None:
    """The source that was kept with results, if it is still that of their specification."""
    for path in sorted((folder / SOURCE).glob("*.toml")):
        try:
            if load(path) == specification:
                return Source.of(path)
        except (SpecificationError, OSError):
            continue
    return None
