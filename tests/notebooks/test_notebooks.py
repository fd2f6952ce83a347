"""The notebooks of papers/notebooks run from top to bottom without a network, and say what they should."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "papers" / "notebooks"
PATIENCE = 240  # seconds: machines of continuous integration are slow and busy


@pytest.fixture(scope="module")
def environment():
    root = str(FOLDER.parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path, "MPLBACKEND": "agg"}


def test_the_marimo_notebook_runs_as_a_script(environment, tmp_path):
    script = FOLDER / "welfare_comparison.py"
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    expected = float(re.search(r"efficiency of Nash: (\S+) in expectation", done.stdout)[1])
    found = dict(line.split() for line in done.stdout.splitlines()[2:])
    assert float(found["price_taking"]) == pytest.approx(1.0, abs=1e-6)  # first best, to as many digits as are printed
    assert float(found["nash"]) == pytest.approx(expected, abs=0.005)  # 200 rounds: seven standard errors
    assert float(found["quarter"]) < expected


def test_the_jupyter_notebook_runs(environment, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    notebook = nbformat.read(FOLDER / "simulated_and_human.ipynb", as_version=4)
    nbformat.validate(notebook)
    resources = {"metadata": {"path": str(FOLDER)}}
    nbclient.NotebookClient(notebook, timeout=PATIENCE, kernel_name="python3", resources=resources).execute()
    said = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()) if "text" in output
    )
    assert "in 48 sessions, t on 47 degrees of freedom" in said
    assert "Efficiency (% of first best)" in said and "Human high" in said
    assert re.search(r"human sessions: 0\.\d+ of the endowment more is given, exact p = 0\.0\d+", said)
