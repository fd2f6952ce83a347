import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import dcg_econ.analysis

FOLDER = Path(dcg_econ.analysis.__file__).parent


def test_importing_the_layer_loads_neither_jax_nor_the_slow_libraries():
    code = (
        "import sys, dcg_econ.analysis; "
        "print([m for m in ('jax', 'equinox', 'statsmodels', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_module_imports_the_other_folders():
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert not name.startswith(("jax", "equinox")), (path.name, name)
                assert not name.startswith("dcg_econ") or name.startswith("dcg_econ.analysis"), (path.name, name)


def test_the_bare_name_is_refused_with_a_sentence():
    spec = importlib.util.spec_from_file_location("analysis", FOLDER / "__init__.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.raises(ImportError, match=r"from dcg_econ\.analysis import"):
        spec.loader.exec_module(module)


def test_files_stay_short():
    assert all(len(path.read_text(encoding="utf-8").splitlines()) < 300 for path in FOLDER.glob("*.py"))
