"""What an import loads and changes, each in a fresh interpreter."""

import os
import subprocess
import sys

import pytest

from tests.house.tree import FOLDERS, ROOT

LOADS_NO_JAX = "import sys; assert not (found := {'jax', 'jaxlib', 'equinox'} & set(sys.modules)), found"

TOUCH_EVERY_NAME = """
import dcg_econ
for name in dcg_econ.__all__:
    getattr(dcg_econ, name)
"""

LIST_THE_OTHERS = f"""
import sys
{TOUCH_EVERY_NAME}
print(*(name for name in sys.modules if name.split(".")[0] not in ("dcg_econ", "__main__")))
"""

COMPARE = f"""
import contextlib, importlib, os, sys, warnings
for other in sys.stdin.read().split():
    with contextlib.suppress(Exception):
        importlib.import_module(other)
import jax, numpy

def state():
    return {{
        "x64": jax.config.jax_enable_x64,
        "platforms": jax.config.jax_platforms,
        "numpy errors": numpy.geterr(),
        "numpy printing": str(numpy.get_printoptions()),
        "warnings": list(warnings.filters),
        "environment": dict(os.environ),
    }}

before = state()
{TOUCH_EVERY_NAME}
after = state()
changed = {{key: (before[key], after[key]) for key in before if before[key] != after[key]}}
assert not changed, changed
"""


def python(code, cwd, path=ROOT, stdin=""):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "PYTHON"))}
    env |= {"PYTHONPATH": str(path)} if path else {}
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, env=env, input=stdin, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["dcg_econ", "dcg_econ.analysis", "dcg_econ.experiments", "dcg_econ.experiments.cli"])
def test_importing_loads_no_jax(name, tmp_path):
    done = python(f"import {name}; {LOADS_NO_JAX}", tmp_path)
    assert done.returncode == 0, done.stderr


def test_asking_the_command_line_for_help_loads_no_jax(tmp_path):
    code = f"""
import runpy, sys
sys.argv = ["dcg-econ", "--help"]
try:
    runpy.run_module("dcg_econ.experiments.cli", run_name="__main__", alter_sys=True)
except SystemExit as stop:
    assert not stop.code, stop.code
{LOADS_NO_JAX}
"""
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()


def test_importing_every_public_name_changes_no_global_state(tmp_path):
    others = python(LIST_THE_OTHERS, tmp_path)
    assert others.returncode == 0, others.stderr
    done = python(COMPARE, tmp_path, stdin=others.stdout)
    assert done.returncode == 0, done.stderr


def test_importing_every_public_name_starts_no_device(tmp_path):
    choose = "import jax; jax.config.update('jax_num_cpu_devices', 2); assert len(jax.devices('cpu')) == 2"
    done = python(f"{TOUCH_EVERY_NAME}\n{choose}", tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_bare_import_of_a_folder_fails_with_a_sentence(folder):
    done = python(f"import {folder}", ROOT)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert f"from dcg_econ.{folder} import ..." in last


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_file_of_the_user_by_the_same_name_is_in_nobodys_way(folder, tmp_path):
    (tmp_path / f"{folder}.py").write_text("OF_THE_USER = True\n")
    code = f"import {folder}, dcg_econ.{folder} as ours; assert {folder}.OF_THE_USER; print(ours.__file__)"
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(ROOT / folder / "__init__.py")


def test_a_plain_clone_works_from_its_root():
    code = "import dcg_econ.mechanisms as m, dcg_econ.analysis as a; print(m.__file__); print(a.__file__)"
    done = python(code, ROOT, path=None)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(ROOT / folder / "__init__.py") for folder in ("mechanisms", "analysis")]
