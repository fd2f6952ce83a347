"""Every replication is a page of code from the public face, with a README and expectations that can be read."""

import ast
import importlib
import re

import pytest

from dcg_econ.experiments.expected import EXPECTED, PROGRAM, read_expected
from tests.house.tree import ROOT

FOLDERS = sorted(path.parent for path in (ROOT / "papers").glob(f"*/{EXPECTED}"))
PAGE = 75  # lines
CLASSICS = 19  # of the literature, as papers/README.md says


def imported(tree):
    """Every module that a program imports, and every name with the module that it is taken from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)


def is_face(module):
    """Whether a module is a package, which hands names on, and no file of its own."""
    return hasattr(importlib.import_module(module), "__path__")


def test_the_classics_are_there():
    assert len(FOLDERS) >= CLASSICS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_replication_is_a_page_from_the_public_face(folder):
    text = (folder / PROGRAM).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= PAGE
    for module, name in imported(ast.parse(text)):
        if module.split(".")[0] == "dcg_econ":
            assert is_face(module), f"{module} is inside"
            assert not any(part.startswith("_") for part in [*module.split("."), name or ""])
        else:
            assert module.split(".")[0] not in ("tests", "papers", "mechanisms", "experiments", "analysis")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_replication_says_what_it_is(folder):
    expected = read_expected(folder)
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert f"dcg-econ replicate papers/{folder.name}" in readme
    for year in re.findall(r"\d{4}", folder.name):
        assert year in readme and any(year in key for key in expected.references)
