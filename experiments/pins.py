"""What must be installed to run the package's code: names from its metadata, versions of this environment."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path


def requirements() -> list[str]:
    """What the package needs, with its bounds, without its extras."""
    try:
        found = requires("dcg_econ") or []
    except PackageNotFoundError:  # a plain clone, or the copy in a replication package
        project = Path(__file__).resolve().parent.parent / "pyproject.toml"
        found = (
            tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"] if project.is_file() else []
        )
    return sorted(line for line in found if "extra ==" not in line)


def pins(recorded: Mapping[str, str]) -> list[str]:
    """`name==version` of everything that is needed, directly or not: as `recorded` by the run, else as installed here."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    known = {canonicalize_name(name): text for name, text in recorded.items() if text[:1].isdigit()}
    waiting, found = list(requirements()), {}
    while waiting:
        need = Requirement(waiting.pop())
        name = canonicalize_name(need.name)
        if name in found or (need.marker is not None and not need.marker.evaluate({"extra": ""})):
            continue
        try:
            found[name] = known.get(name) or version(name)
            waiting += [line for line in requires(name) or [] if "extra ==" not in line]
            extras = {extra for extra in need.extras}
            waiting += [
                line.partition(";")[0]
                for line in requires(name) or []
                if any(f"extra == {mark}{extra}{mark}" in line for extra in extras for mark in "'\"")
            ]
        except PackageNotFoundError:
            continue
    return [f"{name}=={text}" for name, text in sorted(found.items())]
