"""What the house rules are checked on: the files of the checkout, and the imports in them."""

import ast
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("mechanisms", "experiments", "analysis")
SKIPPED = {"build", "dist", "results", "node_modules"}
BY_NAME = ("import_module", "__import__")


def files(root: Path = ROOT) -> list[Path]:
    """Every file that git tracks or would track; in a tree without git, all but hidden and built ones."""
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
    )
    if (root / ".git").exists() and listed.returncode == 0:
        found = [root / name for name in listed.stdout.split("\0") if name]
    else:
        found = []
        for folder, folders, names in os.walk(root):
            folders[:] = [f for f in folders if f not in SKIPPED and f[0] not in "._" and not f.endswith(".egg-info")]
            found += [Path(folder, name) for name in names]
    return sorted(path for path in found if path.is_file())


def package_files(root: Path = ROOT) -> list[Path]:
    """The files that are installed, or should be."""
    return [path for path in files(root) if path.relative_to(root).parts[0] in ("dcg_econ", *FOLDERS)]


def module_name(path: Path, root: Path = ROOT) -> str:
    """The name a file is imported by."""
    parts = path.relative_to(root).with_suffix("").parts
    parts = parts if parts[0] == "dcg_econ" else ("dcg_econ", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Every module of the package by its name."""
    return {module_name(path, root): path for path in package_files(root) if path.suffix == ".py"}


class Import(NamedTuple):
    line: int
    target: str
    relative: bool
    at_module_level: bool


def imports(path: Path, known: frozenset[str] | set[str]) -> Iterator[Import]:
    """Every import statement and literal `import_module` in a file; `known` tells modules from names in them."""

    def walk(node: ast.AST, outside: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            line = getattr(child, "lineno", 0)
            if isinstance(child, ast.Import):
                yield from (Import(line, alias.name, False, outside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                for alias in child.names:
                    longer = f"{child.module}.{alias.name}"
                    target = longer if longer in known else child.module or ""
                    yield Import(line, target, child.level > 0, outside)
            elif isinstance(child, ast.Call) and ast.unparse(child.func).split(".")[-1] in BY_NAME:
                names = [argument.value for argument in child.args if isinstance(argument, ast.Constant)]
                yield from (Import(line, str(name), False, outside) for name in names[:1])
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from walk(child, outside and not inside)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), True)
