"""Files that a specification may name: text of modest size in its own folder, and nothing else. Loads no JAX."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from dcg_econ._names import nearest

LARGEST_FILE = 2_000_000  # bytes, of a specification or of a file that it reads


class SpecificationError(ValueError):
    """A specification that cannot be run: one line for each fault, naming the key and the remedy."""


def read_text(path: Path, file: str) -> str:
    """The text of a file of modest size."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise SpecificationError(f"{file}: larger than {LARGEST_FILE} bytes; is it the right file?")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SpecificationError(f"{file}: not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise SpecificationError(f"{file}: cannot be read: {error.strerror}") from None


def with_data(value: Any, file: str, folder: Path | None, where: str = "", depth: int = 0) -> Any:
    """The tree with the columns of CSV files in place of `{ kind = "empirical", file = ..., column = ... }`."""
    if depth > 20 or not isinstance(value, dict | list):
        return value
    if isinstance(value, list):
        return [with_data(item, file, folder, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)]
    if value.get("kind") == "empirical" and "file" in value:
        return {"kind": "empirical", "values": _column(value, f"{file}: {where}", folder)}
    return {k: with_data(v, file, folder, f"{where}.{k}".lstrip("."), depth + 1) for k, v in value.items()}


def files_named(value: Any) -> list[tuple[str, str]]:
    """The (file, column) of each data file that a tree, as written, names."""
    if isinstance(value, list):
        return [found for item in value for found in files_named(item)]
    if not isinstance(value, dict):
        return []
    if value.get("kind") == "empirical" and "file" in value:
        return [(str(value["file"]), str(value.get("column")))]
    return [found for item in value.values() for found in files_named(item)]


def _column(table: dict, where: str, folder: Path | None) -> list[float]:
    """A column of numbers of a CSV file that lies in the specification's folder, links followed."""
    unknown = [key for key in table if key not in ("kind", "file", "column")]
    if unknown:
        raise SpecificationError(f"{where}.{unknown[0]}: unknown key; {nearest(unknown[0], ('file', 'column'))}")
    name, column = table["file"], table.get("column")
    if folder is None or not isinstance(name, str) or not name or "\0" in name:
        raise SpecificationError(f"{where}.file: got {shown(name)}; name a CSV file beside the specification")
    home, path = folder.resolve(), (folder / name).resolve()
    if Path(name).is_absolute() or not path.is_relative_to(home):
        raise SpecificationError(f"{where}.file: {shown(name)} lies outside the specification's folder; copy it there")
    if not path.is_file():
        raise SpecificationError(f"{where}.file: no such file {shown(name)}; put it beside the specification")
    rows = list(csv.reader(read_text(path, f"{where}.file").splitlines()))
    header = rows[0] if rows else []
    if not isinstance(column, str) or column not in header:
        raise SpecificationError(f"{where}.column: got {shown(column)}; {nearest(str(column), header)}")
    at, numbers = header.index(column), []
    for line, row in enumerate(rows[1:], start=2):
        try:
            number = float(row[at])
        except (ValueError, IndexError):
            number = math.nan
        if not math.isfinite(number):
            raise SpecificationError(
                f"{where}.file: line {line} of {name} has no number in `{column}`; drop or mend it"
            )
        numbers.append(number)
    if not numbers:
        raise SpecificationError(f"{where}.file: {name} has no rows; give observations")
    return numbers


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
