"""Oracles: scipy's paired and Welch t tests, statsmodels' TOST and Holm by hand, on data where sessions have one weight."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from dcg_econ.analysis import market_days, plan_table
from dcg_econ.analysis.plan import Hypothesis

EXACT = 1e-9


def claim(name="H", outcome="mean_payoff", treatment="chat", against="silence", **other):
    return {"name": name, "outcome": outcome, "treatment": treatment, "against": against, "family": "f"} | other


def session_means(panel, treatment, column="mean_payoff"):
    """Session means, averaged over the grid points."""
    days = market_days(panel)
    return days[days["treatment"] == treatment].groupby("session")[column].mean()


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_paired_tests_equal_scipy(study, alternative):
    panel, cells = study
    row = plan_table(panel, [claim(alternative=alternative)], cells).to_frame().loc["H"]
    own, base = (session_means(panel, name) for name in ("chat", "silence"))
    want = stats.ttest_rel(own, base, alternative=alternative)
    assert row["estimate"] == pytest.approx((own - base).mean(), rel=EXACT)
    assert row["se"] == pytest.approx((own - base).std(ddof=1) / np.sqrt(6), rel=EXACT)
    assert (row["p"], row["df"], row["sessions"]) == (pytest.approx(want.pvalue, rel=1e-7), 5, 6)


def test_sessions_apart_are_compared_by_welch(study):
    panel, _ = study
    apart = panel.assign(session=panel["session"] + 100 * (panel["treatment"] == "chat"))
    apart = apart[~apart["session"].isin([4, 5])]
    apart.attrs = panel.attrs
    row = plan_table(apart, [claim(at={"outside_slope": 1.0})]).to_frame().loc["H"]
    one = apart[apart["outside_slope"] == 1.0]
    want = stats.ttest_ind(*(session_means(one, name) for name in ("chat", "silence")), equal_var=False)
    assert (row["p"], row["df"]) == pytest.approx((want.pvalue, want.df), rel=1e-7)
    assert row["test"].startswith("two-sided, Welch")


@pytest.mark.parametrize("margin", [0.02, 0.2])
def test_equality_is_tested_by_two_one_sided_tests(study, margin):
    panel, _ = study
    row = plan_table(panel, [claim(margin=margin)]).to_frame().loc["H"]
    own, base = (session_means(panel, name).to_numpy() for name in ("chat", "silence"))
    assert row["p"] == pytest.approx(ttost_paired(own, base, -margin, margin)[0], rel=1e-7)
    assert row["verdict"].startswith("equality supported" if row["p"] < 0.05 else "equality not established")


def test_efficiency_is_the_ratio_of_expectations_averaged_over_points(study):
    panel, _ = study
    row = plan_table(panel, [claim(outcome="efficiency")]).to_frame().loc["H"]
    sums = market_days(panel).groupby(["treatment", "outside_slope"])[["welfare", "first_best"]].sum()
    ratios = sums["welfare"] / sums["first_best"]
    assert row["estimate"] == pytest.approx((ratios["chat"] - ratios["silence"]).mean(), rel=EXACT)
    nash = plan_table(panel, [claim(outcome="efficiency", against="nash")]).to_frame().loc["H"]
    twin = plan_table(panel, [claim(outcome="efficiency", against="equilibrium")]).to_frame().loc["H"]
    assert nash["estimate"] == pytest.approx(twin["estimate"], rel=EXACT)
    assert nash["se"] == pytest.approx(twin["se"], rel=1e-6)


def test_holm_within_the_family_and_the_untested_keep_their_place(make_study):
    panel, cells = make_study(failed=[("silence", 2.0)])
    at = {"outside_slope": 1.0}
    declared = [
        claim("a", at=at),
        claim("b", outcome="efficiency", treatment="chat", against="nash", at=at),
        claim("c"),
        claim("d", at=at, family="g"),
    ]
    frame = plan_table(panel, declared, cells).to_frame()
    p = frame["p"]
    first, second = sorted(["a", "b"], key=lambda name: p[name])
    assert frame.loc[first, "p_adjusted"] == pytest.approx(min(1, 3 * p[first]))
    assert frame.loc[second, "p_adjusted"] == pytest.approx(min(1, max(3 * p[first], 2 * p[second])))
    assert frame.loc["d", "p_adjusted"] == pytest.approx(p["d"]) and np.isnan(frame.loc["c", "p_adjusted"])
    assert frame.loc["c", "verdict"] == "not tested" and "Silence at outside slope = 2" in frame.loc["c", "reason"]


def test_a_diverged_session_leaves_the_pair(make_study):
    whole, _ = make_study()
    panel, _ = make_study(diverged=[("chat", 1.0, 2)])
    row = plan_table(panel, [claim()]).to_frame().loc["H"]
    kept = whole[whole["session"] != 2]
    kept.attrs = whole.attrs
    assert row["sessions"] == 5
    assert row["estimate"] == pytest.approx(plan_table(kept, [claim()]).to_frame().loc["H", "estimate"], rel=EXACT)


def test_verdicts_follow_the_declared_side(study):
    panel, _ = study
    declared = [
        claim("up", alternative="greater"),
        claim("down", alternative="less"),
        claim("apart", family="x"),
        claim("same", treatment="equilibrium", against="nash", outcome="efficiency", family="y"),
    ]
    verdict = plan_table(panel, declared).to_frame()["verdict"]
    assert verdict["up"] == verdict["apart"] == "supported: Chat above Silence"
    assert verdict["down"] == "not supported; the estimate has the other sign"
    assert verdict["same"] == "not supported"


def test_what_cannot_be_tested_says_why(study):
    panel, cells = study
    declared = [
        claim("column", outcome="bids"),
        claim("treatment", treatment="telepathy"),
        claim("point", at={"outside_slope": 7.0}),
        claim("parameter", at={"curvature": 7.0}),
        claim("benchmark", against="first_best"),
    ]
    reasons = plan_table(panel, declared, cells).to_frame()["reason"]
    words = (
        "no numeric outcome `bids`",
        "Telepathy at",
        "no point with",
        "no parameter `curvature`",
        "efficiency only",
    )
    assert all(word in reason for word, reason in zip(words, reasons, strict=True))
    one = panel[panel["session"] == 0]
    one.attrs = panel.attrs
    assert "run more sessions" in plan_table(one, [claim()]).to_frame().loc["H", "reason"]
    empty = plan_table(panel.head(0), [claim()], cells)
    assert empty.to_frame().loc["H", "reason"] == "no session has finished" and "nan" not in str(empty)


def test_malformed_hypotheses_name_the_field():
    with pytest.raises(ValueError, match=r"no field `outcom`; did you mean `outcome`"):
        Hypothesis.read({"name": "a", "outcom": "x"})
    with pytest.raises(ValueError, match="lacks `against`"):
        Hypothesis.read({"name": "a", "outcome": "x", "treatment": "t"})
    with pytest.raises(ValueError, match="alternative `more` is not one of"):
        Hypothesis.read(claim(alternative="more"))
    with pytest.raises(ValueError, match="margin -1"):
        Hypothesis.read(claim(margin=-1.0))
    with pytest.raises(ValueError, match="two hypotheses have one name"):
        plan_table(pd.DataFrame(), [claim(), claim()])


def test_the_table_shows_claim_test_and_rule(study):
    text = " ".join(str(plan_table(study[0], [claim(margin=0.5), claim("G", alternative="less")])).split())
    assert "mean payoff: Chat equals Silence within ±0.5" in text and "mean payoff: Chat is below Silence" in text
    assert "TOST, paired t, 5 df" in text and "Declared: 2; tested: 2" in text and "(units: mean_payoff: money)" in text
