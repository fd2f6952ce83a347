"""The bibliography of the package, `references.bib`: one file for replications, citations and the pre-print. Loads no JAX."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

BIBLIOGRAPHY = Path(__file__).with_name("references.bib")


@cache
def entries() -> dict[str, str]:
    """Each entry as it is written, by its key."""
    text = BIBLIOGRAPHY.read_text(encoding="utf-8")
    parts = [part.strip() for part in re.split(r"(?m)^(?=@)", text) if part.strip()]
    return {re.match(r"@\w+\{([^,\s]+),", part).group(1): part for part in parts}  # type: ignore[union-attr]


@cache
def fields(key: str) -> dict[str, str]:
    """The fields of an entry, braces around the whole value taken away."""
    found = re.findall(r"(\w+)\s*=\s*\{((?:[^{}]|\{[^{}]*\})*)\}", entries()[key])
    return {name.lower(): re.sub(r"\s+", " ", value) for name, value in found}


def kind(key: str) -> str:
    """article, book, misc, ..."""
    return re.match(r"@(\w+)", entries()[key]).group(1).lower()  # type: ignore[union-attr]
