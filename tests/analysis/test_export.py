"""Oracles: pandas reads back what was written, value by value; Stata's own rules for names and types."""

import re

import numpy as np
import pandas as pd
import pytest
from pandas.io.stata import StataReader

from dcg_econ.analysis import write_csv, write_stata
from dcg_econ.analysis.stata import RESERVED, stata_labels, stata_names

LONG = "a_treatment_variable_with_a_name_longer_than_stata_allows"


@pytest.fixture
def odd(study):
    """A panel with everything that a file format may trip over."""
    panel = study[0].copy()
    n = len(panel)
    half = np.arange(n) % 2 == 0
    panel[LONG + "_1"], panel[LONG + "_2"] = 1.5, np.arange(n)
    panel["if"], panel["2 way"] = True, 0.1
    panel["maybe"] = pd.Series(np.where(half, True, None), dtype=object)
    panel["count"] = pd.array([7 if even else None for even in half], dtype="Int64")
    panel["huge"], panel["wide"] = 2**60, 2**40
    panel["endless"] = np.where(half, np.inf, 1.0)
    panel["words"] = np.where(half, 'café, "q"', None)
    panel["nothing"] = np.nan
    panel.attrs["variable_labels"] = panel.attrs["variable_labels"] | {
        "converged": "Converged",
        LONG + "_1": "A label that is much longer than the eighty characters which Stata keeps of any label at all",
    }
    return panel


def test_csv_keeps_every_value(odd, tmp_path):
    path = write_csv(odd, tmp_path / "deep" / "panel.csv")
    back = pd.read_csv(path)
    assert list(back) == list(odd) and b"\r" not in path.read_bytes()
    for name in ("welfare", "payoff", "outside_slope"):
        np.testing.assert_array_equal(back[name], odd[name])
    assert set(back["converged"]) == {1} and back["maybe"].dropna().eq(1).all() and back["maybe"].isna().sum() > 0
    assert back["words"].dropna().eq('café, "q"').all() and back["huge"].eq(2**60).all()
    assert back["endless"].isna().mean() == 0.5
    assert ",7," in path.read_text(encoding="utf-8").splitlines()[1]
    assert sorted(p.name for p in path.parent.iterdir()) == ["panel.csv", "panel_codebook.csv"]


def test_codebook_names_label_and_type(odd, tmp_path):
    write_csv(odd, tmp_path / "p.csv")
    book = pd.read_csv(tmp_path / "p_codebook.csv", keep_default_na=False).set_index("variable")
    assert list(book.index) == list(odd) and book.loc["payoff", "label"] == "Payoff, money"
    kinds = {"session": "integer", "welfare": "number", "converged": "yes/no (1/0)", "maybe": "yes/no (1/0)"}
    kinds |= {"count": "integer", "words": "text", "cell": "text", "nothing": "empty"}
    assert book.loc[list(kinds), "type"].to_dict() == kinds


def test_stata_round_trip(odd, tmp_path):
    path = write_stata(odd, tmp_path / "panel.dta")
    back = pd.read_stata(path)
    names = stata_names(list(odd))
    assert list(back) == list(names.values()) and len(back) == len(odd)
    for name in ("welfare", "payoff", "outside_slope", "treat_chat"):
        np.testing.assert_array_equal(back[names[name]], odd[name])
    for name in ("treatment", "cell", "participant"):
        assert list(back[name]) == list(odd[name])
    assert back["converged"].dtype == np.int8 and back["session"].dtype == np.int32
    assert back["wide"].dtype == np.float64 and back["wide"].eq(2**40).all() and back["huge"].eq(str(2**60)).all()
    assert back["maybe"].isna().mean() == 0.5 and back["count"].dropna().eq(7).all()
    assert back["endless"].isna().mean() == 0.5 and set(back["words"]) == {"", 'café, "q"'}
    assert back["nothing"].isna().all()


def test_stata_labels_state_the_replaced_name(odd, tmp_path):
    path = write_stata(odd, tmp_path / "panel.dta")
    with StataReader(path) as reader:
        labels, note = reader.variable_labels(), reader.data_label
    assert labels["payoff"] == "Payoff, money" and labels["if_"] == "[if]" and labels["v_2_way"] == "[2 way]"
    new = stata_names(list(odd))[LONG + "_1"]
    assert labels[new].endswith(f"[{LONG}_1]") and labels[new].startswith("A label") and len(labels[new]) <= 80
    assert note == f"Infinite or too large numbers set to missing: {len(odd) // 2}"
    book = pd.read_csv(tmp_path / "panel_codebook.csv", keep_default_na=False).set_index("variable")
    assert book["stata_name"].to_dict() == stata_names(list(odd))


def test_stata_names_are_legal_unique_and_stable():
    names = [LONG + "_1", LONG + "_2", "if", "str5", "2", "é", "", "a b", "a_b", "A_B", "_n", "ok"]
    made = stata_names(names)
    assert made == stata_names(names) and len(set(made.values())) == len(names)
    assert all(re.fullmatch(r"[A-Za-z_]\w{0,31}", new, re.ASCII) for new in made.values())
    assert not set(made.values()) & RESERVED and made["a_b"] == "a_b" and made["a b"] == "a_b_2" and made["ok"] == "ok"
    assert len(stata_labels({"x" * 100: "x"}, {})["x"]) <= 80


def test_the_same_panel_gives_the_same_bytes_and_a_failure_leaves_the_old_file(study, tmp_path, monkeypatch):
    one, two = (write_stata(study[0], tmp_path / name / "p.dta") for name in ("a", "b"))
    assert one.read_bytes() == two.read_bytes()

    def broken(self, target, **kwargs):
        target.write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_stata", broken)
    with pytest.raises(OSError, match="disk full"):
        write_stata(study[0], one)
    assert one.read_bytes() == two.read_bytes() and len(list(one.parent.iterdir())) == 2


def test_an_empty_panel_can_be_exported(study, tmp_path):
    empty = study[0].head(0)
    assert list(pd.read_stata(write_stata(empty, tmp_path / "e.dta"))) == list(empty)
    assert list(pd.read_csv(write_csv(empty, tmp_path / "e.csv"))) == list(empty)
