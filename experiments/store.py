"""What a study leaves in its folder. A finished cell is written whole or not at all, and is never written again.

    plan.json, plan.md         the plan as registered before the first cell
    study.json                 the specification and its cells, as of the last run
    cells/NAME-HASH/           a finished cell: its frames (Parquet) and manifest.json with their checksums
    failed/NAME-HASH.json      a cell that raised, with its error; tried again by the next run
    checkpoints/NAME-HASH.eqx  how far a long training has come
    aside/                     what was found damaged, under its own name with a number
    .lock                      held while a run is at work here

Frames are read from Parquet and manifests from JSON; nothing is unpickled, and no link is followed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import traceback
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from dcg_econ.experiments.provenance import provenance

STUDY, MANIFEST, FORMAT = "study.json", "manifest.json", 1
PLAN, PLAN_WORDS = "plan.json", "plan.md"
FIELDS = {"files": dict, "warnings": list, "facts": dict, "sessions": int, "unconverged": int, "seconds": int | float}
DONE, FAILED, MISSING = "ok", "failed", "missing"
_LEFTOVER = ".new-"


class StoreError(ValueError):
    """A results folder that cannot be written or read, with the remedy."""


DAMAGE = (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError)  # of what is read from a file


class WriteError(StoreError):
    """Results cannot be written: the disk or the quota is full, or the folder is closed to us."""

    def __init__(self, what: str, error: OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "make room and run again" if full else "check the folder and its permissions, and run again"
        super().__init__(f"{what} could not be written ({error.strerror or error}); {remedy}: what is finished is kept")


@dataclass(frozen=True)
class Status:
    """A cell's state: `state` is ok, failed or missing; `manifest` what was kept of it."""

    name: str
    state: str
    manifest: Mapping[str, Any] = field(default_factory=dict)


class Store:
    """The folder of one study's results; see the head of this file."""

    def __init__(self, folder: str | Path, writing: bool = False):
        self.folder = Path(folder)
        self.writing = writing
        self.aside: list[str] = []

    def prepare(self) -> None:
        """Makes the folders and clears away what a killed run left half written; refuses links out of the folder.

        For who holds the lock: another run's half-written files would go too.
        """
        for part in ("cells", "failed", "checkpoints", "aside", "figures", "tables"):
            path = self.folder / part
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                raise StoreError(
                    f"{path} is a link or a file, not a folder of results; remove it or choose another --out"
                )
        for part in ("cells", "failed", "checkpoints"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        for home in (self.folder, self.folder / "cells", self.folder / "failed"):
            for leftover in home.glob(f"{_LEFTOVER}*"):
                if leftover.is_dir() and not leftover.is_symlink():
                    shutil.rmtree(leftover, ignore_errors=True)
                else:
                    leftover.unlink(missing_ok=True)

    def checkpoint(self, cell_id: str) -> Path:
        return self.folder / "checkpoints" / f"{cell_id}.eqx"

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        """Keeps the specification and the list of cells."""
        write_text(self.folder / STUDY, to_json(dict(plan) | {"format": FORMAT}))

    def keep_plan(self) -> str:
        """Gives the plan that is there another name, and says which."""
        path = self.folder / STUDY
        name = f"study-{_sha256(path)[:8]}.json"
        os.replace(path, path.with_name(name))
        return name

    def plan(self) -> dict[str, Any]:
        """The specification and cells of the last run."""
        path = self.folder / STUDY
        if not path.is_file() or path.is_symlink():
            raise StoreError(f"{self.folder} holds no results (no {STUDY}); make them with `dcg-econ run`")
        try:
            plan = json.loads(path.read_text(encoding="utf-8"))
            if plan["format"] > FORMAT:
                raise StoreError(
                    f"{path} was written by a newer dcg_econ (format {plan['format']}); update the package"
                )
            _check_names(cell["id"] for cell in plan["cells"])
            shapes: list[tuple[Any, type]] = [(plan["specification"], dict), (plan["run"], dict)]
            for cell in plan["cells"]:
                shapes += [(cell["name"], str), (cell["treatment"], str), (cell["parameters"], dict)]
            _check_shapes(shapes)
            return plan
        except DAMAGE as error:
            if isinstance(error, StoreError):
                raise
            raise StoreError(
                f"{path} is damaged ({error}); the cells are whole: `dcg-econ run` writes it anew"
            ) from None

    def finished(self, name: str, cell_id: str) -> Status:
        """The state of a cell; what is found damaged is set aside and the cell counts as missing."""
        folder = self.folder / "cells" / cell_id
        if folder.is_symlink() or folder.exists():
            found = _verified(folder, cell_id)
            if not isinstance(found, str):
                return Status(name, DONE, found)
            self.set_aside(folder, found)
        failure = self.folder / "failed" / f"{cell_id}.json"
        if failure.is_symlink() or failure.exists():
            try:
                if failure.is_symlink():
                    raise ValueError("a link")
                found = json.loads(failure.read_text(encoding="utf-8"))
                _check_shapes([(found, dict), (found["error"], str)])
                return Status(name, FAILED, found)
            except DAMAGE as error:
                self.set_aside(failure, f"not a record of a failure ({error})")
        return Status(name, MISSING)

    def write_cell(self, cell_id: str, frames: Mapping[str, pd.DataFrame], manifest: Mapping[str, Any]) -> None:
        """Writes a finished cell into a temporary folder that then takes its name; raises `WriteError` if it cannot."""
        target = self.folder / "cells" / cell_id
        temporary = Path(tempfile.mkdtemp(prefix=_LEFTOVER, dir=target.parent))
        try:
            files = {name: _write_frame(temporary / f"{name}.parquet", frame) for name, frame in frames.items()}
            text = to_json({"format": FORMAT, "id": cell_id} | dict(manifest) | {"files": files})
            _write_synced(temporary / MANIFEST, text.encode())
            temporary.chmod(0o755)
            try:
                os.replace(temporary, target)
            except OSError:
                if not (target / MANIFEST).is_file():  # else somebody finished the same cell first: the same numbers
                    raise
            _sync_folder(target.parent)
        except OSError as error:
            raise WriteError(f"cell {cell_id}", error) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        (self.folder / "failed" / f"{cell_id}.json").unlink(missing_ok=True)

    def write_failure(self, name: str, cell_id: str, error: BaseException | str, attempts: int) -> dict[str, Any]:
        """Keeps a cell's error; the next run tries the cell again."""
        record: dict[str, Any] = {"name": name, "id": cell_id, "attempts": attempts} | provenance()
        if isinstance(error, str):
            record |= {"error": error, "traceback": ""}
        else:
            text = " ".join(str(error).split())
            record |= {
                "error": f"{type(error).__name__}: {text}"[:1000],
                "traceback": "".join(traceback.format_exception(error))[-20_000:],
            }
        write_text(self.folder / "failed" / f"{cell_id}.json", to_json(record))
        return record

    def frames(
        self, cell_id: str, manifest: Mapping[str, Any], only: Iterable[str] | None = None
    ) -> dict[str, pd.DataFrame]:
        """The frames of a finished cell."""
        wanted = [name for name in manifest["files"] if only is None or name in set(only)]
        return {name: pd.read_parquet(self.folder / "cells" / cell_id / f"{name}.parquet") for name in wanted}

    def set_aside(self, path: Path, why: str) -> None:
        """Moves something damaged out of the way, and remembers it for the run's last words.

        A store that is only read leaves it where it is.
        """
        if not self.writing:
            self.aside.append(f"{path.relative_to(self.folder)}: {why}")
            return
        home = self.folder / "aside"
        home.mkdir(exist_ok=True)
        os.rename(path, home / f"{path.name}.{uuid.uuid4().hex[:8]}")
        self.aside.append(f"{path.relative_to(self.folder)}: {why}; moved to aside/")


def _verified(folder: Path, cell_id: str) -> dict[str, Any] | str:
    """The manifest of a cell whose files are all as they were written, or what is wrong."""
    path = folder / MANIFEST
    if folder.is_symlink() or not folder.is_dir() or path.is_symlink() or not path.is_file():
        return "a link, or no manifest in it"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        files = manifest["files"]
        if manifest["id"] != cell_id:
            return f"its manifest belongs to {str(manifest['id'])[:100]}"
        if manifest["format"] > FORMAT:
            return f"it was written by a newer dcg_econ (format {manifest['format']})"
        _check_shapes([(manifest[key], kind) for key, kind in FIELDS.items()])
        _check_names(files)
        if not files:
            return "it holds no frame"
        for name, expected in files.items():
            data = folder / f"{name}.parquet"
            if data.is_symlink() or not data.is_file():
                return f"{name}.parquet is missing or a link"
            if _sha256(data) != expected["sha256"]:
                return f"{name}.parquet is not as it was written"
        return manifest
    except DAMAGE as error:
        return f"its manifest is damaged ({type(error).__name__}: {str(error)[:100]})"


def _check_shapes(shapes: Iterable[tuple[Any, Any]]) -> None:
    for value, kind in shapes:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"{str(value)[:50]!r} where a {getattr(kind, '__name__', 'number')} belongs")


def _check_names(names: Iterable[str]) -> None:
    for name in names:
        if not isinstance(name, str) or not name or name.startswith(".") or Path(name).name != name or "\\" in name:
            raise ValueError(f"{str(name)[:100]!r} is no name of a cell or frame")


def check_folder(folder: Path) -> None:
    """Refuses, before any work, a folder that holds something other than results."""
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file; name a folder with --out")
    foreign = folder.is_dir() and not (folder / STUDY).exists() and not (folder / "cells").is_dir()
    if foreign and any(path.name not in (".lock", PLAN, PLAN_WORDS) for path in folder.iterdir()):
        raise StoreError(f"{folder} holds files that are not results; name another folder with --out")


def to_json(value: Any) -> str:
    return json.dumps(value, indent=1, default=str) + "\n"


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all: to a temporary name beside it, synchronised, and renamed."""
    temporary = path.with_name(f"{_LEFTOVER}{uuid.uuid4().hex}")
    try:
        _write_synced(temporary, data)
        os.replace(temporary, path)
    except OSError as error:
        raise WriteError(str(path), error) from error
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _write_frame(path: Path, frame: pd.DataFrame) -> dict[str, Any]:
    frame.to_parquet(str(path), index=False)
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
    return {"sha256": _sha256(path), "rows": len(frame)}


def _write_synced(path: Path, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Makes a rename last through a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass  # some network file systems cannot
    finally:
        os.close(handle)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
