"""Replications are held to what they expect: near enough, off, broken, incomplete, or derived without a second method."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from dcg_econ.experiments import replications
from dcg_econ.experiments.cli import app
from dcg_econ.experiments.datafiles import SpecificationError
from dcg_econ.experiments.expected import read_expected
from dcg_econ.experiments.progress import Quiet

HEAD = 'title = "Nobody 1900"\nreferences = ["sims_2003"]\nfast = true\n'
ROW = """
[[rows]]
name = "{name}"
result = "a number"
value = 2.0
source = "arithmetic"
kind = "{kind}"
tolerance = 0.1
reason = "to see it fail"
"""


def paper(folder, program, rows=(("two", "published"),), head=HEAD):
    folder.mkdir()
    text = head + "".join(ROW.format(name=name, kind=kind) for name, kind in rows)
    (folder / "expected.toml").write_text(text, encoding="utf-8")
    (folder / "replicate.py").write_text(program, encoding="utf-8")
    return folder


def verdicts(*folders):
    return [(each.verdict, each.remark) for each in replications.replicated(folders, Quiet())]


TWO = "def replicate():\n    return {'two': 2.05}\n"


def test_near_enough(tmp_path):
    (found,) = replications.replicated([paper(tmp_path / "good", TWO)], Quiet())
    assert found.verdict == replications.OK and found.difference == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("program", "verdict", "remark"),
    [
        ("def replicate():\n    return {'two': 2.2}\n", replications.DIFFERS, ""),
        ("def replicate():\n    return {'two': float('nan')}\n", replications.DIFFERS, ""),
        ("def replicate():\n    return {}\n", replications.MISSING, "returns no two"),
        ("def replicate():\n    return 1 / 0\n", replications.FAILED, "by zero (replicate.py, line 2)"),
        ("def replicate():\n    return {'two': 2, 'three': 3}\n", replications.FAILED, "three, which expected.toml does not"),
        ("two = 2\n", replications.FAILED, "defines no replicate()"),
        ("def replicate(:\n", replications.FAILED, "SyntaxError"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(tmp_path, program, verdict, remark):
    ((found, told),) = verdicts(paper(tmp_path / "bad", program))
    assert found == verdict and remark in told


def test_what_is_derived_needs_a_second_method_that_agrees(tmp_path):
    rows = (("two", "derived"),)
    second = TWO + "def independent():\n    return {}\n"
    for i, (program, verdict, remark) in enumerate(
        [
            (TWO, replications.FAILED, "defines no independent()"),
            (second, replications.MISSING, "independent() returns no two"),
            (second.replace("{}", "{'two': 2.3}"), replications.DIFFERS, "independent method it is 2.3"),
            (second.replace("{}", "{'two': 1.95}"), replications.OK, ""),
        ]
    ):
        ((found, told),) = verdicts(paper(tmp_path / str(i), program, rows))
        assert found == verdict and remark in told


def test_the_next_paper_runs_after_one_that_broke(tmp_path):
    broken = paper(tmp_path / "a", "raise OSError('no data')\n", (("two", "published"), ("four", "published")))
    found = [verdict for verdict, _ in verdicts(broken, paper(tmp_path / "b", TWO))]
    assert found == [replications.FAILED, replications.FAILED, replications.OK]


def test_the_table_is_written_in_four_forms_with_sources(tmp_path):
    checked = replications.replicated([paper(tmp_path / "good", TWO)], Quiet())
    table = replications.replication_table(checked)
    paths = replications.write_table(table, tmp_path / "out")
    assert [path.suffix for path in paths] == [".md", ".tex", ".html", ".csv"]
    assert all("Nobody 1900" in path.read_text(encoding="utf-8") for path in paths)
    (row,) = pd.read_csv(paths[-1]).to_dict("records")
    assert (row["here"], row["source"], row["verdict"]) == (2.05, "arithmetic", "ok")
    assert list(table.cells()) == ["Result", "Published", "Here", "Difference", "Tolerance", "Verdict"]


def test_the_command_fails_loudly_and_only_then(tmp_path):
    good, bad = paper(tmp_path / "good", TWO), paper(tmp_path / "bad", TWO.replace("2.05", "3"))
    run = CliRunner().invoke
    options = ["--out", str(tmp_path / "out"), "--quiet"]
    done = run(app, ["replicate", str(good), *options])
    assert done.exit_code == 0 and "1 of 1 within tolerance" in done.output
    done = run(app, ["replicate", str(bad), *options])
    assert done.exit_code == 1 and "Nobody 1900, two: DIFFERS" in done.output


@pytest.mark.parametrize("arguments", [[], ["--all", "--fast"], ["somewhere", "--all"]])
def test_one_thing_is_asked_for(arguments):
    done = CliRunner().invoke(app, ["replicate", *arguments])
    assert done.exit_code == 2 and "give one of" in done.output


def test_an_installed_package_without_papers_says_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(replications.dcg_econ, "__file__", str(tmp_path / "site" / "dcg_econ" / "__init__.py"))
    with pytest.raises(SpecificationError, match="clone it"):
        replications.papers(fast=False)


@pytest.mark.parametrize(
    ("head", "rows", "told"),
    [
        (HEAD.replace("sims_2003", "nobody_1900"), (("two", "published"),), "references.*nobody_1900"),
        (HEAD, (("two", "published"), ("two", "published")), "two twice"),
        (HEAD, (("two", "guessed"),), r"rows\.0\.kind"),
        (HEAD, (), "rows"),
        (HEAD + "colour = 1\n", (("two", "published"),), "colour"),
        ("title = \n", (), "no TOML"),
    ],
)
def test_malformed_expectations_name_the_file_and_the_field(tmp_path, head, rows, told):
    folder = paper(tmp_path / "odd", TWO, rows, head)
    with pytest.raises(SpecificationError, match=f"(?s)odd.expected.toml.*{told}"):
        read_expected(folder)


def test_expectations_are_read_before_the_first_program_runs(tmp_path):
    marker = tmp_path / "ran"
    first = paper(tmp_path / "a", f"open({str(marker)!r}, 'w')\n{TWO}")
    with pytest.raises(SpecificationError):
        replications.replicated([first, paper(tmp_path / "b", TWO, head="title = 1\n")], Quiet())
    assert not marker.exists()
