"""Oracles: statsmodels' Holm, sign flips by hand, and a step-down over independent hypotheses."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from dcg_econ.analysis import Holm, RomanoWolf, comparisons_table, market_days, plan_table
from dcg_econ.analysis.corrections import Claim
from dcg_econ.analysis.inference import SessionTerms

EXACT = 1e-9


def claim_on(own, base=None, side="two-sided", null=0.0, first=0):
    """A hypothesis on session values; without `base` these are differences within sessions, numbered from `first`."""
    own = pd.Series(own, range(first, first + len(own)))
    other = own * 0.0 if base is None else pd.Series(base, range(100, 100 + len(base)))
    sides = [(float(v.mean()), (v - v.mean()) / len(v)) for v in (own, other)]
    terms = SessionTerms(*sides[0], *sides[1], base is None)
    estimate = terms.estimate()
    p = estimate.p(side) if null == 0 else estimate.p_equal(abs(null))
    return Claim(p, null, side, estimate.df, terms)


def draws(seed, shape, shift=0.0):
    return np.random.default_rng(seed).standard_normal(shape) + shift


def test_a_families_of_one_is_the_sign_flip_test():
    values = draws(1, 8, 0.9)
    flips = np.array(list(itertools.product((1.0, -1.0), repeat=8))) * values
    t = np.abs(flips.mean(axis=1)) / flips.std(axis=1, ddof=1)
    share = np.mean(t >= t[0] * (1 - EXACT))
    item = claim_on(values)
    assert RomanoWolf().adjust([item]) == pytest.approx([max(item.p, share)], abs=EXACT)
    upper = claim_on(values, side="greater")
    means = flips.mean(axis=1) / flips.std(axis=1, ddof=1)
    assert RomanoWolf().adjust([upper]) == pytest.approx([max(upper.p, np.mean(means >= means[0] * (1 - EXACT)))])


def test_equality_is_flipped_about_the_nearer_margin():
    values = draws(2, 9, 0.1)
    item = claim_on(values, side="less", null=0.8)
    flips = np.array(list(itertools.product((1.0, -1.0), repeat=9))) * (values - 0.8)
    t = flips.mean(axis=1) / flips.std(axis=1, ddof=1)
    assert RomanoWolf().adjust([item]) == pytest.approx([max(item.p, np.mean(t <= t[0] * (1 - EXACT)))])


def test_copies_cost_nothing_and_strangers_what_holm_asks():
    values = draws(3, 12, 0.7)
    one = RomanoWolf().adjust([claim_on(values)])[0]
    assert RomanoWolf().adjust([claim_on(values), claim_on(2 * values)]) == pytest.approx([one, one])
    far = [claim_on(draws(10 + i, 12, 0.7), first=20 * i) for i in range(3)]  # sessions of their own: independent
    found = RomanoWolf(draws=19_999, seed=1).adjust(far)
    holm = Holm().adjust(far)
    np.testing.assert_allclose(holm, multipletests([item.p for item in far], method="holm")[1])
    order = np.argsort([item.p for item in far])
    p = np.array([item.p for item in far])[order]
    sidak = np.maximum.accumulate(1 - (1 - p) ** np.arange(3, 0, -1))
    np.testing.assert_allclose(found[order], sidak, atol=0.012)  # sign flips for t, and 20,000 draws


def test_order_untested_and_independent_sides():
    items = [
        claim_on(draws(4, 10, 0.8)),
        Claim(np.nan),
        claim_on(draws(5, 10, 0.5)),
        claim_on(draws(6, 6, 1.0), draws(7, 7)),
    ]
    found = RomanoWolf(draws=4999).adjust(items)
    assert np.isnan(found[1]) and (found[[0, 2, 3]] >= [items[i].p for i in (0, 2, 3)]).all()
    alone = RomanoWolf(draws=4999).adjust([items[0], items[2], items[3]])
    assert (found[[0, 2, 3]] >= alone).all()  # what could not be tested makes no other claim easier
    order = np.argsort([items[i].p for i in (0, 2, 3)])
    assert (np.diff(alone[order]) >= 0).all() and np.isnan(RomanoWolf().adjust([Claim(np.nan)])).all()
    welch = stats.ttest_ind(draws(6, 6, 1.0), draws(7, 7), equal_var=False)
    assert items[3].p == pytest.approx(welch.pvalue, rel=1e-7)
    with pytest.raises(ValueError, match="needs 99 draws"):
        RomanoWolf(draws=20)


def test_the_plan_says_which_correction(study):
    panel, cells = study
    claims = [
        {"name": name, "outcome": "efficiency", "treatment": name, "against": "silence", "family": "f"}
        for name in ("chat", "equilibrium")
    ]
    frames = {way.label: plan_table(panel, claims, cells, correction=way) for way in (Holm(), RomanoWolf())}
    for label, table in frames.items():
        frame = table.to_frame()
        assert (frame["correction"] == label).all() and (frame["p_adjusted"] >= frame["p"]).all()
        text = " ".join(str(table).split())
        assert f"p ({label})" in text and "sessions - 1" in text
        assert ("signs flipped" in text) == (label == "Romano-Wolf")
    np.testing.assert_array_equal(*(table.to_frame()["p"] for table in frames.values()))


def test_comparisons_with_nash_first_best_and_chat(study):
    panel, _ = study
    one = panel[panel["outside_slope"] == 1.0]
    one.attrs = panel.attrs
    frame = comparisons_table(one, ("nash", "first_best", "chat"), margin=0.02).to_frame()
    days = market_days(one)
    sums = days.groupby(["treatment", "session"])[["welfare", "nash_welfare", "first_best"]].sum().loc["chat"]
    gap = (sums["welfare"] - sums["nash_welfare"]).sum() / sums["first_best"].sum()
    row = frame.loc[("chat", "nash")]
    assert row["difference"] == pytest.approx(gap, rel=EXACT)
    shares = (sums["welfare"] - sums["nash_welfare"] - gap * sums["first_best"]) / sums["first_best"].sum() * 6
    values = gap + shares
    assert row["p"] == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-6)
    p = max(
        stats.ttest_1samp(values, -0.02, alternative="greater").pvalue,
        stats.ttest_1samp(values, 0.02, alternative="less").pvalue,
    )
    assert row["p_equal"] == pytest.approx(p, rel=1e-6) and row["equal"] == (p < 0.05) and row["df"] == 5
    assert ("chat", "chat") not in frame.index and ("silence", "chat") in frame.index
    assert frame.loc[("equilibrium", "nash"), "p_equal"] == 0.0
    text = " ".join(str(comparisons_table(panel, margin=0.02)).split())
    for word in ("pp", "6 sessions", "degrees of freedom", "* p < 0.10", "TOST", "first best", "outside slope"):
        assert word in text
    with pytest.raises(ValueError, match=r"unknown benchmark `nsh`; did you mean `nash`"):
        comparisons_table(panel, "nsh")
    with pytest.raises(ValueError, match="margin=-1"):
        comparisons_table(panel, margin=-1.0)


def test_comparisons_of_sessions_apart_are_welchs(study):
    panel, _ = study
    apart = panel.assign(session=panel["session"] + 100 * (panel["treatment"] == "chat"))
    apart.attrs = panel.attrs
    row = comparisons_table(apart, "silence").to_frame().loc["chat"].iloc[0]
    assert not row["paired"] and row["sessions"] == 12 and row["df"] != round(row["df"])
