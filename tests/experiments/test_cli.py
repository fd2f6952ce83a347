import subprocess
import sys

import pytest
from typer.testing import CliRunner

from dcg_econ.experiments.cli import app


def call(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_the_catalogue_is_listed():
    result = call("list")
    assert result.exit_code == 0 and "fish_market" in result.stdout and "Fulton" in result.stdout


@pytest.mark.parametrize("study", ["fish_markt", "missing.toml"])
def test_an_unknown_study_is_refused_and_nothing_is_written(study, tmp_path):
    result = call("run", study, "--out", str(tmp_path / "out"))
    assert result.exit_code == 2 and "known" in result.stderr and not any(tmp_path.iterdir())


def test_a_bad_specification_is_refused_and_nothing_is_written(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('title = "x"\nsesions = 3\n')
    result = call("run", str(path), "--out", str(tmp_path / "out"))
    assert result.exit_code == 2 and "did you mean `sessions`" in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["mine.toml"]


def test_a_folder_without_results_has_no_report(tmp_path):
    result = call("report", str(tmp_path))
    assert result.exit_code == 2 and "dcg-econ run" in result.stderr


def test_help_does_not_load_jax():
    code = "import sys, dcg_econ.experiments.cli as c\ntry: c.app(['--help'])\nfinally: print('jax' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert out.strip().endswith("False")
