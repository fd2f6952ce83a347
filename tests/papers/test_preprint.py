"""The pre-print's numbers come from its data: none is typed, all exist, and they change when a result does."""

import json
import re
import shutil
import sys

import numpy as np
import pandas as pd
import pytest

from dcg_econ import analysis
from dcg_econ.experiments.bibliography import entries, fields, kind
from dcg_econ.experiments.citations import BENEATH, SOURCES
from dcg_econ.experiments.expected import EXPECTED, read_expected
from dcg_econ.experiments.specification import load
from tests.house.tree import ROOT

PREPRINT = ROOT / "papers" / "preprint"
sys.path.insert(0, str(PREPRINT))

import paper_data  # noqa: E402
import paper_numbers  # noqa: E402
import paper_tables  # noqa: E402

THEORY = {"model.tex", "estimators.tex"}  # equations; every other section speaks of results
NOT_TEXT = r"%.*|\\(?:input|label|ref|eqref|cite[a-z]*|includegraphics(?:\[[^\]]*\])?|begin|end)\{[^}]*\}|\\[A-Za-z]+"
NEEDED = {"article": {"journal", "volume", "pages", "doi"}, "inproceedings": {"booktitle"}, "book": {"publisher"}}
ROUNDING = 1e-12


def sections():
    return sorted((PREPRINT / "sections").glob("*.tex"))


def typed_numerals(text):
    return re.findall(r"\d[\d.,]*", re.sub(NOT_TEXT, " ", text))


@pytest.fixture(scope="module")
def studies():
    return paper_tables.load()


@pytest.fixture(scope="module")
def made(studies):
    return paper_tables.tables(studies)


@pytest.fixture(scope="module")
def numbers(made, studies):
    return paper_numbers.macros(made, studies)


def test_no_numeral_is_typed_by_hand_where_results_are_told():
    results = [path for path in sections() if path.name not in THEORY]
    assert len(results) >= 9
    assert {path.name: found for path in results if (found := typed_numerals(path.read_text(encoding="utf-8")))} == {}


def test_the_search_for_numerals_finds_one():
    assert typed_numerals(r"reach 84.2 per cent \citep{cao_2018} in Table~\ref{tab:x2} \Macro{} % 7") == ["84.2"]


def test_every_macro_of_the_text_is_written(numbers):
    known = {*numbers, "PaperVersion", "PaperLevel"}
    text = "\n".join(path.read_text(encoding="utf-8") for path in [*sections(), PREPRINT / "main.tex"])
    used = set(re.findall(r"\\([A-Z][A-Za-z]+)", text)) - {"E"}
    assert used - known == set()
    assert len(used) > 100


def test_no_macro_of_the_text_is_unknown(numbers):
    text = "\n".join(path.read_text(encoding="utf-8") for path in sections())
    used = set(re.findall(r"\\([A-Z][A-Za-z]+)", text))
    assert {name for name in used if numbers.get(name) in ("unknown", "nan")} == set()


def test_every_table_and_figure_of_the_text_is_made(made):
    text = "\n".join(path.read_text(encoding="utf-8") for path in sections())
    shown = set(re.findall(r"\\input\{tables/([a-z_]+)\}", text))
    assert shown <= set(made)
    assert {name for name in re.findall(r"\\ref\{tab:([a-z_]+)\}", text)} <= shown


def test_a_changed_result_changes_the_text(tmp_path, numbers):
    data = tmp_path / "data"
    shutil.copytree(paper_data.DATA, data)
    path = data / "double_blind" / "panel.csv"
    panel = pd.read_csv(path)
    panel.loc[panel["treatment"] == "continuous_joint", "welfare"] *= 0.9
    panel.to_csv(path, index=False)
    found = paper_numbers.macros(paper_tables.tables(paper_tables.load(data), data), paper_tables.load(data))
    abstract = (PREPRINT / "sections" / "abstract.tex").read_text(encoding="utf-8")
    changed = {name for name in found if found[name] != numbers[name]}
    assert {"DoubleBlindContinuousJoint", "DoubleBlindContinuousPrice"} <= changed
    assert changed & set(re.findall(r"\\([A-Z][A-Za-z]+)", abstract))
    assert "DoubleBlindSilencePrice" not in changed


@pytest.mark.parametrize("name", paper_tables.STUDIES)
def test_data_are_of_the_specification_as_it_stands(name):
    about = json.loads((paper_data.DATA / name / "study.json").read_text(encoding="utf-8"))
    assert about["specification"] == json.loads(load(name).model_dump_json())
    assert about["sessions"] == load(name).sessions


def long_panel():
    """Two treatments and their joint counterparts, six sessions of seven rounds, two players, random surplus."""
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product(
        [["talk", "talk_joint"], range(6), range(7), ["buyer", "seller"]],
        names=["treatment", "session", "round", "role"],
    )
    frame = index.to_frame(index=False)
    day = frame.groupby(["treatment", "session", "round"]).ngroup()
    best = rng.uniform(0.5, 1.5, day.max() + 1)[day]
    welfare = best * rng.uniform(0.3, 1.0, day.max() + 1)[day]
    return frame.assign(
        cell=frame["treatment"], participant=frame["role"], mechanism="double_auction", agent_type="learned",
        payoff=welfare / 2, welfare=welfare, first_best=best, nash_welfare=0.8 * best, regret=0.01, converged=True,
        bits=1.0, capacity=2.0,
    )  # fmt: skip


def test_means_over_rounds_give_the_tables_of_all_rounds():
    whole = long_panel()
    short = paper_data.reduced(whole)
    assert len(short) == len(whole) / 7
    makers = (analysis.incentives_table, analysis.welfare_table, analysis.talk_table)
    for make in makers:
        first, second = (make(panel).to_frame().select_dtypes("number") for panel in (whole, short))
        pd.testing.assert_frame_equal(first, second, rtol=ROUNDING, atol=ROUNDING)


def cited():
    tex = "\n".join(path.read_text(encoding="utf-8") for path in [*sections()])
    keys = {key.strip() for group in re.findall(r"\\cite[a-z]*\{([^}]*)\}", tex) for key in group.split(",")}
    for path in (ROOT / "papers").glob(f"*/{EXPECTED}"):
        keys |= set(read_expected(path.parent).references)
    return keys


def test_the_bibliography_is_whole():
    used = cited() | set(BENEATH) | {key for keys in SOURCES.values() for key in keys}
    assert used - set(entries()) == set()
    assert set(entries()) - used == set(), "in the bibliography and cited nowhere"
    for key in entries():
        have = fields(key)
        assert {"author", "title"} | NEEDED.get(kind(key), set()) <= set(have), key
        assert re.fullmatch(r"(1[89]|20)\d\d", have["year"]) and have["year"] == key.rsplit("_", 1)[1], key
        assert re.fullmatch(r"10\.\d{4,}/\S+", have.get("doi", "10.1000/none")), key
        assert re.fullmatch(r"[\d–]+(--\d+)?", have.get("pages", "1")), key


def test_the_text_cites_what_the_bibliography_has():
    text = "\n".join(path.read_text(encoding="utf-8") for path in sections())
    keys = {key.strip() for group in re.findall(r"\\cite[a-z]*\{([^}]*)\}", text) for key in group.split(",")}
    assert keys and keys <= set(entries())
