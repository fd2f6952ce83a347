"""The wheel holds every file of the package, and its modules import from a neutral directory."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.tree import FOLDERS, ROOT, files, modules, package_files

NOT_PACKAGED = {".md"}

IMPORT_ALL = """
import importlib, pathlib, sys
home = pathlib.Path(sys.argv[1])
for name in sys.argv[2:]:
    file = pathlib.Path(importlib.import_module(name).__file__)
    assert file.is_relative_to(home), (name, file)
print(len(sys.argv[2:]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for path in files():
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(built)]
    done = subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = built.glob("dcg_econ-*.whl")
    return path


def test_the_wheel_holds_every_file_of_the_package_and_no_other(wheel):
    expected = set()
    for path in package_files():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix not in NOT_PACKAGED:
            expected.add(name if name.startswith("dcg_econ/") else f"dcg_econ/{name}")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert expected - held == set(), "in the tree, not in the wheel"
    assert held - expected == set(), "in the wheel, not in the tree"
    for folder in FOLDERS:
        assert f"dcg_econ/{folder}/__init__.py" in held


def test_the_wheel_names_the_command(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt")]
    assert "dcg-econ = dcg_econ.experiments.cli:main" in archive.read(name).decode()


def test_every_module_of_the_wheel_imports_away_from_the_checkout(wheel, tmp_path):
    home, neutral = tmp_path / "site", tmp_path / "neutral"
    neutral.mkdir()
    zipfile.ZipFile(wheel).extractall(home)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, str(home.resolve()), *modules()],
        cwd=neutral,
        env=env | {"PYTHONPATH": str(home.resolve())},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) == len(modules())
    assert not Path(home, "pyproject.toml").exists()
