import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.mechanisms.bargaining.double_auction import DoubleAuction
from dcg_econ.mechanisms.bargaining.smooth import smooth_bids

ENDS = 2e-9  # paths end 1e-5 of the range of types before trade does: about 14 times its square of surplus
REGRET = 1e-9  # of first best, at this degree
ODE = 1e-8  # the oracle's integration up to 1e-6 before the ends
DIFFERENCES = 1e-6  # central differences, steps of 1e-3
DEGREE = 64


def beta(k=0.5):
    return DoubleAuction(k=k, values=dcg.Beta(2.0, 3.0), costs=dcg.Beta(3.0, 2.0))


@pytest.fixture(scope="module")
def start():
    return smooth_bids(beta(), 0.08, degree=DEGREE)


@pytest.mark.slow
def test_the_path_meets_the_first_order_conditions_of_the_linear_equilibrium():
    auction = DoubleAuction()
    start = smooth_bids(auction, 0.125, degree=DEGREE)
    assert float(jnp.abs(start.unknowns(auction.residuals(start, start))).max()) <= 1e-6  # of the fit, before `solve`
    types = jnp.linspace(0.3, 0.7, 9)
    np.testing.assert_allclose(start.report(0, types), 2 * types / 3 + 1 / 12, atol=ODE)
    np.testing.assert_allclose(start.report(1, types), 2 * types / 3 + 1 / 4, atol=ODE)


def test_without_a_markup_the_regular_equilibrium_is_meant():
    start = smooth_bids(DoubleAuction(), degree=DEGREE)
    np.testing.assert_allclose(start.given.value[0], [0.5, 0.625, 0.375], atol=1e-8)  # of the affine equilibrium


@pytest.mark.slow
def test_the_start_says_which_equilibrium_is_meant(start):
    price, value, cost = np.asarray(start.given.value[0])
    assert (price, value, cost) == (0.5, 0.58, 0.42)
    assert float(start.report(0, jnp.asarray(0.58))) == pytest.approx(0.5, abs=ODE)
    assert float(start.report(1, jnp.asarray(0.42))) == pytest.approx(0.5, abs=ODE)
    assert bool(start.increasing()) and "start's value and cost" in start.selection


@pytest.mark.parametrize("k", [0.0, 1.0])
def test_one_side_that_names_the_price_has_no_family(k):
    with pytest.raises(dcg.InputError, match=r"^k: .*0 < k < 1"):
        smooth_bids(beta(k), 0.08)


@pytest.mark.parametrize("markup", [0.0, -0.1, 0.6])
def test_markups_outside_the_types_are_named(markup):
    with pytest.raises(dcg.InputError, match=r"^markup: "):
        smooth_bids(beta(), markup)


def test_markups_that_lead_nowhere_say_so():
    with pytest.raises(dcg.EquilibriumError, match="change `markup`"):
        smooth_bids(DoubleAuction(buyers=2, sellers=2), 0.3)
