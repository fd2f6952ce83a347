import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as stats

import dcg_econ as dcg
from dcg_econ._errors import InputError
from dcg_econ.mechanisms.bargaining.second_best import second_best
from tests.oracles import second_best as oracle

CLOSED = 1e-10  # promised in 64 bits
QUADRATURE = 1e-8  # adaptive quadrature of an integrand with roots inside, and of the oracle's tolerance
DIFFERENCES = 1e-6  # central differences, steps of 1e-4

TRIANGLE = ([0.0, 1.0], [0.0, 2.0])


def uniform_pair():
    return second_best(dcg.Uniform(), dcg.Uniform())


@pytest.mark.slow
def test_uniform_types_are_myerson_and_satterthwaite():
    found = uniform_pair()
    assert float(found.surplus) == pytest.approx(9 / 64, abs=CLOSED)
    assert float(found.first_best) == pytest.approx(1 / 6, abs=CLOSED)
    assert float(found.efficiency) == pytest.approx(27 / 32, abs=CLOSED)
    assert float(found.trade_probability) == pytest.approx(9 / 32, abs=CLOSED)
    assert float(found.weight) == pytest.approx(1 / 3, abs=CLOSED)
    assert float(found.multiplier) == pytest.approx(1 / 2, abs=CLOSED)
    assert float(found.buyer_rent) == pytest.approx(9 / 128, abs=CLOSED)
    assert float(found.seller_rent) == pytest.approx(9 / 128, abs=CLOSED)
    assert bool(found.converged) and bool(found.regular) and abs(float(found.budget)) < CLOSED
    v, c = jnp.meshgrid(jnp.linspace(0, 1, 23), jnp.linspace(0, 1, 23))
    np.testing.assert_array_equal(found.trades(v, c), v - c >= 0.25)


@pytest.mark.slow
def test_types_of_a_table():
    points = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    found = second_best(dcg.Tabulated(points, [0.0, 0.4, 0.8, 1.2, 1.6, 2.0]), dcg.Uniform())
    surplus, weight = oracle.brute_force(stats.triang(1), stats.uniform())
    assert float(found.surplus) == pytest.approx(surplus, abs=QUADRATURE)
    assert float(found.weight) == pytest.approx(weight, abs=QUADRATURE)
    assert float(found.multiplier) == pytest.approx(float(found.weight / (1 - found.weight)), abs=CLOSED)
    assert float(found.first_best) == pytest.approx(oracle.first_best(stats.triang(1), stats.uniform()), abs=QUADRATURE)
    gap = jnp.array([2.0, 2.0, 0.1, 0.1, 2.0, 2.0]) / 1.24
    with pytest.raises(InputError, match="a virtual value falls somewhere, so that the bound needs ironing"):
        second_best(dcg.Tabulated(points, gap), dcg.Uniform())


@pytest.mark.slow
@pytest.mark.parametrize(
    "ends", [(0.0, 1.0, -0.5, 0.7), (0.2, 1.0, 0.0, 1.3), (0.0, 3.0, 1.0, 1.2), (0.9, 2.0, 0.0, 1.0)]
)
def test_other_supports_are_brute_force(ends):
    low, high, cheapest, dearest = ends
    found = second_best(dcg.Uniform(low, high), dcg.Uniform(cheapest, dearest))
    laws = stats.uniform(low, high - low), stats.uniform(cheapest, dearest - cheapest)
    surplus, weight = oracle.brute_force(*laws)
    assert float(found.surplus) == pytest.approx(surplus, abs=QUADRATURE)
    assert float(found.weight) == pytest.approx(weight, abs=QUADRATURE)
    assert float(found.first_best) == pytest.approx(oracle.first_best(*laws), abs=QUADRATURE)


def test_a_linear_programme_converges_to_the_bound():
    bound, law = float(uniform_pair().surplus), stats.uniform()
    coarse, fine = (oracle.linear_programme(law, law, n) for n in (12, 24))
    assert abs(fine - bound) < 0.6 * abs(coarse - bound) and abs(fine - bound) < 0.01


def test_it_prints_with_names():
    text = str(uniform_pair())
    assert "surplus" in text and "0.140625" in text and "multiplier lam" in text
    frame = uniform_pair().to_frame()
    assert frame.shape[0] == 1 and frame["efficiency"].iloc[0] == pytest.approx(27 / 32)


@pytest.mark.parametrize(
    ("values", "costs", "text"),
    [
        (
            dcg.Uniform(0.0, 1.0),
            dcg.Uniform(1.0, 2.0),
            "no trade is possible: none lies above the lowest cost, 1; raise",
        ),
        (dcg.Normal(), dcg.Uniform(), "values: .* has no density on an interval; give"),
        (dcg.Uniform(), dcg.Fixed(0.5), "costs: .* has no density on an interval"),
        (dcg.Uniform(1.0, 1.0), dcg.Uniform(), "values: all mass lies at 1"),
        (dcg.Uniform(jnp.zeros(2), 1.0), dcg.Uniform(), r"values: parameters of shape \(2,\); give scalars"),
    ],
)
def test_what_has_no_bound_says_why(values, costs, text):
    with pytest.raises(InputError, match=text):
        second_best(values, costs)
