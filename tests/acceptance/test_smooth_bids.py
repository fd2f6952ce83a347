import equinox as eqx
import pytest
import scipy.stats as stats

import dcg_econ as dcg
from dcg_econ.mechanisms.bargaining.double_auction import DoubleAuction
from dcg_econ.mechanisms.bargaining.second_best import second_best
from dcg_econ.mechanisms.bargaining.smooth import smooth_bids
from tests.oracles import double_auction as oracle

ENDS = 2e-9  # paths end 1e-5 of the range of types before trade does: about 14 times its square of surplus
REGRET = 1e-9  # of first best, at this degree
ODE = 1e-8  # the oracle's integration up to 1e-6 before the ends
DIFFERENCES = 1e-6  # central differences, steps of 1e-3
DEGREE = 64


@pytest.fixture(scope="module")
def solved():
    """Equilibrium, and the derivative of its welfare in k with the start fixed; compiled once for all beta types."""

    def at(k, types, start):
        values, costs = types
        eq = dcg.solve(DoubleAuction(k=k, values=values, costs=costs), start)
        return eq.welfare, eq

    return eqx.filter_jit(eqx.filter_value_and_grad(at, has_aux=True))


def beta(k=0.5):
    return DoubleAuction(k=k, values=dcg.Beta(2.0, 3.0), costs=dcg.Beta(3.0, 2.0))


@pytest.fixture(scope="module")
def start():
    return smooth_bids(beta(), 0.08, degree=DEGREE)


def test_beta_types_are_the_differential_equations(solved, start):
    auction = beta()
    (welfare, eq), slope = solved(auction.k, (auction.values, auction.costs), start)
    assert bool(eq.converged) and float(eq.regret) <= REGRET
    assert float(welfare) == pytest.approx(0.0346458213, abs=ODE)
    surplus = oracle.smooth_surplus(stats.beta(2, 3), stats.beta(3, 2), 0.5, 0.5, 0.58, 0.42)
    assert float(welfare) == pytest.approx(surplus, abs=ODE)
    bound = second_best(auction.values, auction.costs)
    assert float(eq.first_best) == pytest.approx(float(bound.first_best), abs=ODE)
    assert float(welfare) < float(bound.surplus)
    h = 1e-3
    ends = [solved(auction.k + step, (auction.values, auction.costs), start)[0][0] for step in (-h, h)]
    assert float(slope) == pytest.approx(float(ends[1] - ends[0]) / (2 * h), abs=DIFFERENCES)


def test_the_linear_equilibrium_is_one_of_the_family():
    auction = DoubleAuction()
    eq = dcg.solve(auction, smooth_bids(auction, 0.125, degree=DEGREE))
    assert bool(eq.converged) and float(eq.regret) <= REGRET
    assert float(eq.welfare) == pytest.approx(9 / 64, abs=ENDS)
    types = jnp.linspace(0.3, 0.7, 9)
    np.testing.assert_allclose(eq.strategies.report(0, types), 2 * types / 3 + 1 / 12, atol=REGRET)
    np.testing.assert_allclose(eq.strategies.report(1, types), 2 * types / 3 + 1 / 4, atol=REGRET)
