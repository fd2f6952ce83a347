"""Oracles: scipy on session means, all sign flips by hand, the noncentral t law, statsmodels' power and mixed models."""

import itertools
from unittest import mock

import numpy as np
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.power import TTestPower

from dcg_econ.analysis import (
    effect_size,
    effect_sizes,
    market_days,
    minimum_detectable_effect,
    mixed_effects,
    permutation_test,
    power,
    rank_test,
)
from dcg_econ.analysis.effect_sizes import _noncentrality
from dcg_econ.analysis.sessions import session_values

EXACT = 1e-9
PAIR = ("chat", "silence")


@pytest.fixture(scope="module")
def one(make_study):
    """One point of the study, efficiency varying by session and round, with rounds missing."""
    panel, _ = make_study(slopes=(1.0,), sessions=7)
    random = np.random.default_rng(2)
    noise = random.normal(0, 0.02, (7, 1, 1)) + random.normal(0, 0.01, (7, 1, 3)) + random.normal(0, 0.01, (7, 4, 3))
    index = panel["session"], panel["round"], panel["treatment"].factorize()[0]
    shifted = panel.assign(welfare=panel["welfare"] + noise[index] * panel["first_best"])
    shifted = shifted[(panel["session"] != 2) | (panel["round"] < 2)]
    shifted.attrs = panel.attrs
    return shifted


@pytest.fixture(scope="module")
def apart(one):
    """The same with session numbers of their own in each treatment."""
    moved = one.assign(session=one["session"] + 100 * (one["treatment"] == "chat"))
    moved = moved[~moved["session"].isin([5, 6])]
    moved.attrs = one.attrs
    return moved


def ratios(panel, treatment):
    days = market_days(panel)
    sums = days[days["treatment"] == treatment].groupby("session")[["welfare", "first_best"]].sum()
    return (sums["welfare"] / sums["first_best"]).to_numpy()


def test_session_values_by_hand(one, study):
    both = session_values(one, "efficiency", *PAIR)
    np.testing.assert_allclose([both.own, both.base], [ratios(one, name) for name in PAIR], rtol=EXACT)
    assert both.paired and both.difference == pytest.approx(both.gaps.mean())
    panel, _ = study
    days = market_days(panel)
    cell = days[days["treatment"] == "chat"].groupby(["session", "outside_slope"])["mean_payoff"].mean()
    grid = session_values(panel, "payoff", *PAIR)
    np.testing.assert_allclose(grid.own, cell.groupby("session").mean(), rtol=EXACT)
    nash = session_values(panel, "efficiency", "equilibrium", "nash")
    assert (nash.gaps == 0).all()  # play of the equilibrium is Nash's: what rounding leaves has no sign


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_sign_flips_are_exact_and_equal_scipy(one, alternative):
    gaps = ratios(one, "chat") - ratios(one, "silence")
    means = np.array([np.mean(signs * gaps) for signs in itertools.product((1, -1), repeat=7)])
    upper = np.mean(means >= gaps.mean() - 1e-12)
    lower = np.mean(means <= gaps.mean() + 1e-12)
    found = permutation_test(one, "efficiency", *PAIR, alternative=alternative)
    want = {"greater": upper, "less": lower, "two-sided": min(1.0, 2 * min(upper, lower))}[alternative]
    assert found.p == pytest.approx(want, abs=EXACT) and found.exact and found.arrangements == 128
    ranks = rank_test(one, "efficiency", *PAIR, alternative=alternative)
    assert ranks.p == stats.wilcoxon(gaps, method="exact", alternative=alternative).pvalue


def test_independent_sessions_equal_scipy(apart):
    sides = [ratios(apart, name) for name in PAIR]
    found = permutation_test(apart, "efficiency", *PAIR)
    want = stats.permutation_test(sides, lambda x, y: x.mean() - y.mean(), n_resamples=10_000)
    assert (found.p, found.arrangements) == (pytest.approx(want.pvalue, abs=EXACT), 792)  # 12 over 5
    assert rank_test(apart, "efficiency", *PAIR).p == stats.mannwhitneyu(*sides, method="exact").pvalue
    forced = permutation_test(apart.assign(session=apart["session"] % 100), "efficiency", *PAIR, paired=False)
    assert forced.p == pytest.approx(found.p) and not forced.sessions.paired


def test_drawn_arrangements_and_ties_say_so(one):
    drawn = permutation_test(one, "efficiency", *PAIR, draws=99)
    assert not drawn.exact and "99 drawn arrangements and the data's own" in " ".join(str(drawn).split())
    tied = one.assign(score=(one["session"] % 3 + (one["treatment"] == "chat")).astype(float))
    tied.attrs = one.attrs
    found = rank_test(tied, "score", *PAIR)
    assert found.p == pytest.approx(2 / 2**7) and found.exact and found.arrangements == 128


def test_hedges_g_and_its_interval(one, apart):
    gaps = ratios(one, "chat") - ratios(one, "silence")
    found = effect_size(one, "efficiency", *PAIR)
    d = gaps.mean() / gaps.std(ddof=1)
    assert found.g == pytest.approx(d * (1 - 3 / (4 * 6 - 1)), rel=2e-3)  # Hedges' own approximation to J
    for end, tail in ((found.low, 0.975), (found.high, 0.025)):
        assert stats.nct.cdf(d * np.sqrt(7), 6, end * np.sqrt(7)) == pytest.approx(tail, abs=1e-6)
    near = _noncentrality(9.0, 20, 0.975)
    with mock.patch.object(effect_sizes, "FURTHEST", 0.0):
        assert _noncentrality(9.0, 20, 0.975) == pytest.approx(near, abs=2e-3)  # (3) on 20,000 quantiles
    own, base = (ratios(apart, name) for name in PAIR)
    t = stats.ttest_ind(own, base).statistic
    wide = effect_size(apart, "efficiency", *PAIR)
    assert wide.g == pytest.approx(t * np.sqrt(1 / 7 + 1 / 5) * (1 - 3 / (4 * 10 - 1)), rel=2e-3) and wide.df == 10


def test_the_detectable_effect_has_the_power_it_says(one, apart):
    found = minimum_detectable_effect(one, "efficiency", *PAIR, sessions=[5, 20], power=0.9)
    spread = (ratios(one, "chat") - ratios(one, "silence")).std(ddof=1)
    for count, row in found.frame.iterrows():
        df, shift = count - 1, row["effect"] / spread * np.sqrt(count)
        edge = stats.t.ppf(0.975, df)
        assert stats.nct.sf(edge, df, shift) + stats.nct.cdf(-edge, df, shift) == pytest.approx(0.9, abs=1e-6)
    assert minimum_detectable_effect(apart, "efficiency", *PAIR).frame.index.tolist() == [5]
    less = minimum_detectable_effect(one, "efficiency", *PAIR, sessions=20, alternative="less")
    more = minimum_detectable_effect(one, "efficiency", *PAIR, sessions=20, alternative="greater")
    assert less.frame["effect"].iloc[0] == pytest.approx(more.frame["effect"].iloc[0], rel=1e-4)
    with pytest.raises(ValueError, match="sessions=1"):
        minimum_detectable_effect(one, "efficiency", *PAIR, sessions=1)


def test_simulated_power_is_the_analytic_on_a_normal_pilot(make_study):
    panel, _ = make_study(slopes=(1.0,), sessions=40, rounds=1)
    calls = []
    found = power(
        panel, "efficiency", *PAIR, sessions=[8, 16], effect=0.004, draws=2000, progress=lambda *c: calls.append(c)
    )
    gaps = ratios(panel, "chat") - ratios(panel, "silence")
    for count, row in found.frame.iterrows():
        want = TTestPower().power(0.004 / gaps.std(ddof=1), count, 0.05)
        assert row["analytic"] == pytest.approx(want, rel=EXACT)
        assert row["power"] == pytest.approx(want, abs=0.04)  # four Monte Carlo errors of 0.011
    assert calls[-1] == (4000, 4000)
    none = power(panel, "efficiency", *PAIR, sessions=16, effect=0.0, draws=2000)
    assert none.frame["power"].iloc[0] == pytest.approx(0.05, abs=0.02)


def test_the_mixed_model_equals_statsmodels_formula(one):
    days = market_days(one)
    size = days["efficiency"].std()  # on its own scale statsmodels' optimisers stop short of the optimum
    days["scaled"] = days["efficiency"] / size
    formula = "scaled ~ C(treatment, Treatment('silence')) + C(round)"
    other = smf.mixedlm(formula, days, groups="session", re_formula="1", vc_formula={"cell": "0 + C(treatment)"})
    want = other.fit(reml=True)
    found = mixed_effects(one, "efficiency")
    name = "C(treatment, Treatment('silence'))[T.chat]"
    row = found.coefficients.loc["chat"]
    assert (row["b"], row["se"]) == pytest.approx(
        (size * want.params[name], size * want.bse[name]), rel=1e-3
    )  # two optimisers
    assert row["p"] == pytest.approx(2 * stats.t.sf(abs(row["t"]), 6)) and (found.clusters, found.df) == (7, 6)
    assert found.variances["residual"] == pytest.approx(size**2 * want.scale, rel=1e-2)
    plain = mixed_effects(one, "efficiency", nested=False)
    assert np.isnan(plain.variances["session x treatment"]) and plain.coefficients.loc["chat", "se"] != row["se"]


def test_the_mixed_model_reports_its_convergence(one):
    found = mixed_effects(one, "efficiency")
    text = " ".join(str(found).split())
    assert found.converged and "Converged: yes" in text and "6 degrees of freedom" in text and "7 clusters" in text
    assert "share of first best" in text and "* p < 0.10" in text
    flat = one.assign(score=(one["treatment"] == "chat").astype(float))
    flat.attrs = one.attrs
    exact = mixed_effects(flat, "score")  # nothing is left for the variances: a boundary, which the optimiser reports
    assert exact.warning and np.isfinite(exact.coefficients.loc["chat", "b"]) == exact.coefficients["se"].notna().any()


def test_every_result_states_unit_sessions_and_rule(one):
    made = [
        permutation_test(one, "efficiency", *PAIR),
        rank_test(one, "efficiency", *PAIR),
        effect_size(one, "efficiency", *PAIR),
        minimum_detectable_effect(one, "efficiency", *PAIR),
        power(one, "efficiency", *PAIR, sessions=7, effect=0.01, draws=100),
    ]
    for result in made:
        for printed in (str(result), result.to_latex(), result.to_markdown(), result._repr_html_()):
            text = " ".join(printed.split())
            assert "7 sessions" in text and "share of first best" in text and "degrees of freedom" in text
            assert "nan" not in text


def test_errors_name_the_remedy(one, study):
    with pytest.raises(ValueError, match=r"no numeric outcome `efficency`.*did you mean `efficiency`"):
        permutation_test(one, "efficency", *PAIR)
    with pytest.raises(ValueError, match=r"against: the panel has no treatment `slence`; did you mean `silence`"):
        rank_test(one, "efficiency", "chat", "slence")
    with pytest.raises(ValueError, match="alternative `more`"):
        permutation_test(one, "efficiency", *PAIR, alternative="more")
    with pytest.raises(ValueError, match="run more sessions"):
        effect_size(one[one["session"] == 0], "efficiency", *PAIR)
    with pytest.raises(ValueError, match="does not vary"):
        effect_size(study[0], "efficiency", "equilibrium", "nash")
    with pytest.raises(ValueError, match="ranks tell nothing"):
        rank_test(study[0], "efficiency", "equilibrium", "nash")
