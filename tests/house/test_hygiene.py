"""Sizes, addresses, and faces that only hand names on."""

import ast
import re

import pytest

from tests.house.tree import ROOT, files, modules

LINES = 350
ADDRESSES = re.compile(
    "|".join(
        [
            "py" + r"pi\.(org|python\.org)",
            r"files\.python" + "hosted",
            r"://\S+/simple\b",
            r"(extra-)?index[-_]" + "url",
            r"find[-_]links",
            r"trusted[-_]host",
            "file:" + "///",
        ]
    ),
    re.IGNORECASE,
)
MACHINE_PATHS = re.compile(r"(?<![\w.:/~-])/(work|root|tmp)/")
ITSELF = ROOT / "tests/house/test_hygiene.py"


def texts():
    for path in files():
        if path == ITSELF:
            continue
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def hits(pattern):
    return [
        f"{path}:{number}: {line.strip()[:100]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_python_file_is_long():
    sizes = {path: len(text.splitlines()) for path, text in texts() if path.suffix == ".py"}
    assert sizes
    assert {str(path): size for path, size in sizes.items() if size > LINES} == {}


def test_no_file_names_the_address_of_a_registry():
    assert hits(ADDRESSES) == []


def test_no_file_names_a_path_of_one_machine():
    assert hits(MACHINE_PATHS) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (ADDRESSES, "--extra-index" + "-url https://example.org/simple"),
        (ADDRESSES, "numpy @ file:" + "///srv/numpy.whl"),
        (MACHINE_PATHS, 'open("/' + 'work/x")'),
        (MACHINE_PATHS, "cd /" + "root/x"),
    ],
)
def test_the_patterns_find_what_they_look_for(pattern, line):
    assert pattern.search(line)


def test_the_lock_is_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    line_form = re.compile(r"[a-z0-9-]+==[0-9][\w.+!]*( ; [\w <>=!'.()]+)?")
    assert len(lines) > 50
    assert [line for line in lines if not line_form.fullmatch(line)] == []


def test_the_lock_resolves_jax_for_old_and_new_python():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("jax==")]
    assert [line.split(" ; ")[1] for line in lines] == ["python_full_version < '3.12'", "python_full_version >= '3.12'"]


def test_faces_only_hand_names_on():
    faces = {name: path for name, path in modules().items() if path.name == "__init__.py"}
    assert "dcg_econ" in faces
    wrong = []
    for path in faces.values():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            defines = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
            if defines and getattr(node, "name", "a lambda") not in ("__getattr__", "__dir__"):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} defines {getattr(node, 'name', 'a lambda')}")
    assert wrong == []
