"""Oracles: the paired t test, refits without a cluster, sign patterns by statsmodels, and pyfixest where installed."""

import itertools

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from dcg_econ.analysis import CRV1, CRV3, Rademacher, Webb, WildBootstrap, market_days, treatment_effects
from dcg_econ.analysis.regression import Regression

EXACT = 1e-9  # the same sums in another order
AGREE = 1e-6  # with pyfixest, whose fits come from another decomposition


def uneven(sessions=7, rounds=5, seed=5, apart=False):
    """A regression of one treatment, round dummies and a constant, with rounds missing at random and weights."""
    random = np.random.default_rng(seed)
    rows = [
        (s, t, d)
        for s in range(sessions)
        for t in ((s % 2,) if apart else (0, 1))
        for d in range(rounds)
        if random.uniform() > 0.2
    ]
    session, treated, day = np.array(rows).T
    y = 0.3 * treated + random.standard_normal(sessions)[session] + 0.1 * day + random.standard_normal(len(rows))
    dummies = (day[:, None] == np.arange(1, rounds)).astype(float)
    z = np.column_stack([treated, np.ones(len(rows))]).astype(float)
    weights = random.uniform(0.5, 1.5, len(rows))
    return Regression(y, z, dummies, weights, session, ("treated", "constant"))


def statsmodels_fit(fit, y=None, **kwds):
    x = np.hstack([fit.z, fit.dummies])
    return sm.WLS(fit.y if y is None else y, x, weights=fit.weights).fit(**kwds)


def test_crv1_equals_statsmodels_with_every_dummy():
    fit = uneven()
    want = statsmodels_fit(fit, cov_type="cluster", cov_kwds={"groups": fit.groups}, use_t=True)
    found = CRV1().inference(fit)
    np.testing.assert_allclose(found[["b", "se", "p"]].T, [want.params[:2], want.bse[:2], want.pvalues[:2]], rtol=EXACT)
    np.testing.assert_allclose(found[["low", "high"]], want.conf_int()[:2], rtol=EXACT)
    assert fit.r_squared == pytest.approx(want.rsquared, rel=EXACT)


def test_crv3_equals_refits_without_each_session():
    fit = uneven()
    refits = []
    for g in range(7):
        keep = fit.groups != g
        x = np.hstack([fit.z, fit.dummies])[keep]
        refits.append(sm.WLS(fit.y[keep], x, weights=fit.weights[keep]).fit().params[:2])
    gaps = np.array(refits) - statsmodels_fit(fit).params[:2]
    found = CRV3().inference(fit)
    np.testing.assert_allclose(found["se"], np.sqrt(6 / 7 * (gaps**2).sum(axis=0)), rtol=EXACT)
    np.testing.assert_allclose(found["p"], 2 * stats.t.sf(np.abs(found["t"]), 6), rtol=EXACT)


def test_crv3_on_whole_sessions_is_the_paired_t_test(panel):
    days = market_days(panel)
    means = days.groupby(["treatment", "session"])["efficiency"].mean()
    want = stats.ttest_rel(means["learned_quantities"], means["nash_quantities"])
    fit = treatment_effects(panel, "efficiency", baseline="nash_quantities")
    row = fit.coefficients.loc["learned_quantities"]
    assert (row["t"], row["p"]) == pytest.approx((want.statistic, want.pvalue), rel=1e-6)
    ends = want.confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((ends.low, ends.high), rel=1e-6)


def test_what_a_left_out_cluster_takes_away_has_no_error():
    fit = uneven(apart=True)
    first = np.where(fit.groups == 1, 1.0, 0.0)  # a treatment of one session
    lone = Regression(fit.y, np.column_stack([first, fit.z[:, 1]]), fit.dummies, fit.weights, fit.groups, fit.names)
    found = CRV3().inference(lone)
    assert np.isnan(found.loc["treated", ["se", "t", "p", "low", "high"]]).all() and np.isfinite(
        found.loc["treated", "b"]
    )
    assert np.isfinite(found.loc["constant", "se"])


def wild_by_hand(fit, null):
    """p of b = null from all sign patterns, every draw a fit of statsmodels' own."""
    x, g = np.hstack([fit.z, fit.dummies]), fit.groups

    def t_value(y, centre):
        found = sm.WLS(y, x, weights=fit.weights).fit(cov_type="cluster", cov_kwds={"groups": g}, use_t=True)
        return (found.params[0] - centre) / found.bse[0]

    rest = sm.WLS(fit.y - null * x[:, 0], x[:, 1:], weights=fit.weights).fit()
    fitted = null * x[:, 0] + x[:, 1:] @ rest.params
    signs = np.array(list(itertools.product((1, -1), repeat=int(g.max()) + 1)))
    drawn = [t_value(fitted + v[g] * (fit.y - fitted), null) for v in signs]
    return np.mean(np.abs(drawn) >= abs(t_value(fit.y, null)) * (1 - EXACT))


def test_the_wild_bootstrap_equals_refits_over_all_signs():
    fit = uneven(sessions=5)
    found = WildBootstrap(weights=Rademacher()).inference(fit).loc["treated"]
    assert found["p"] == pytest.approx(wild_by_hand(fit, 0.0), abs=EXACT)
    whole = uneven()
    row = WildBootstrap().inference(whole).loc["constant"]
    want = CRV1().inference(whole).loc["constant", ["b", "se", "t"]]
    np.testing.assert_allclose(row[["b", "se", "t"]].astype(float), want, rtol=1e-7)
    assert row["low"] < row["b"] < row["high"]


def test_the_wild_interval_holds_what_the_test_does_not_reject():
    fit = uneven()
    way = WildBootstrap(draws=499, seed=3, weights=Webb())
    low, high = way.inference(fit).loc["treated", ["low", "high"]]
    for null, rejected in ((low - 1e-6, True), (low + 1e-6, False), (high - 1e-6, False), (high + 1e-6, True)):
        shifted = Regression(fit.y - null * fit.z[:, 0], fit.z, fit.dummies, fit.weights, fit.groups, fit.names)
        assert (way.inference(shifted).loc["treated", "p"] <= 0.05) == rejected
    five = WildBootstrap(weights=Rademacher()).inference(uneven(sessions=5)).loc["treated"]
    assert (
        five["p"] >= 1 / 16 and np.isinf(five[["low", "high"]]).all()
    )  # 16 patterns of |t|: nothing is rejected at 5%


def test_weights_have_mean_zero_and_variance_one():
    for law in (Rademacher(), Webb()):
        v, whole = law.sample(20, 4000, 1)
        assert v.shape == (4000, 20) and not whole
        assert np.abs(v.mean()) < 0.02 and np.abs((v**2).mean() - 1) < 0.02  # 80,000 numbers: four errors are 0.014
    v, whole = Rademacher().sample(4, 99, 0)
    assert whole and v.shape == (8, 4) and len(np.unique(v, axis=0)) == 8


def test_few_sessions_carry_a_warning_and_the_default_says_how_errors_are_made(panel):
    few = panel[panel["session"] < 6]
    assert treatment_effects(few, "efficiency").cautions == ()
    for way in (CRV1(), WildBootstrap(draws=99)):
        fit = treatment_effects(few, "efficiency", vcov=way)
        assert f"{way.label} with 6 clusters" in " ".join(str(fit).split())
        assert fit.__maketables_vcov_info__["vcov_type"] == way.label
    assert "CRV3, the cluster jackknife" in str(treatment_effects(few, "efficiency"))
    thin = panel[(panel["treatment"] != "learned_schedules") | (panel["session"] < 2)]
    assert "Learned (schedules) in 2" in " ".join(str(treatment_effects(thin, "efficiency")).split())
    with pytest.raises(ValueError, match="needs 19 draws"):
        WildBootstrap(draws=5)


def test_agreement_with_pyfixest(study):
    pyfixest = pytest.importorskip("pyfixest")
    panel, _ = study
    gone = panel[(panel["session"] + panel["round"] + panel["treatment"].eq("chat")) % 5 > 0]
    gone.attrs = {**panel.attrs, "parameters": []}
    one = gone[gone["outside_slope"] == 1.0]
    days = market_days(one).assign(chat=lambda d: 1.0 * (d["treatment"] == "chat"))
    days["equilibrium"] = 1.0 * (days["treatment"] == "equilibrium")
    names, g = ["chat", "equilibrium"], days["session"].nunique()
    plain = pyfixest.ssc(k_adj=False, G_adj=False)
    crv1 = pyfixest.feols("efficiency ~ chat + equilibrium | round", days, vcov={"CRV1": "session"})
    crv3 = pyfixest.feols("efficiency ~ chat + equilibrium + C(round)", days, vcov={"CRV3": "session"}, ssc=plain)
    # pyfixest leaves the jackknife's own factor (G - 1)/G to the user and by default multiplies by CRV1's correction.
    for other, way, factor in ((crv1, CRV1(), 1.0), (crv3, CRV3(), np.sqrt((g - 1) / g))):
        found = treatment_effects(one, "efficiency", vcov=way).coefficients.loc[names]
        np.testing.assert_allclose(found["b"], other.coef()[names], rtol=AGREE)
        np.testing.assert_allclose(found["se"], factor * other.se()[names], rtol=AGREE)
