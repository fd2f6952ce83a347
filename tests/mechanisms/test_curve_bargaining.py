import warnings
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import dcg_econ as dcg
from dcg_econ.mechanisms.bargaining.curve_bargaining import (
    CurveBargaining,
    HonestBoth,
    HonestBuyer,
    HonestSeller,
    NoCommitment,
)

CLOSED = 1e-10  # closed forms in x64; Newton stops at 1e-10
DERIVATIVES = 1e-6  # central differences of step 1e-4 miss the cubic term by about 1e-8
C_B, C_S = 0.8, 1.7
CURVATURE = jnp.array([C_B, C_S])
TREATMENTS = [
    (HonestSeller(), 0.0),
    pytest.param(HonestBuyer(), 0.0, marks=pytest.mark.slow),
    pytest.param(HonestBoth(), 0.0, marks=pytest.mark.slow),
    (NoCommitment(), 0.6),
    (HonestSeller(), 0.6),
    pytest.param(HonestBuyer(), 0.6, marks=pytest.mark.slow),
    pytest.param(HonestBoth(), 0.6, marks=pytest.mark.slow),
]
R = 1.3  # the outside price


def bargaining(commitment, b):
    return CurveBargaining(curvature=CURVATURE, outside_slope=b, outside_price=R, commitment=commitment)


class Numbers(NamedTuple):
    """The parameters, in the words of the head of the mechanism's file."""

    b: float
    r: float = R
    c_b: float = C_B
    c_s: float = C_S
    v_low: float = 2.0
    v_high: float = 3.0
    s_low: float = 0.0
    s_high: float = 1.0


def closed_slopes(commitment, at):
    """(3) and (4), written out."""
    b, c_b, c_s = at.b, at.c_b, at.c_s
    if isinstance(commitment, HonestSeller):
        return np.array([1 / (c_b + c_s / (1 + b * c_s)), 1 / c_s])
    if isinstance(commitment, HonestBuyer):
        return np.array([1 / c_b, 1 / (c_s + c_b / (1 + b * c_b))])
    if isinstance(commitment, HonestBoth):
        return np.array([1 / c_b, 1 / c_s])
    common = (c_b + c_s + b * c_b * c_s) / b
    root_b, root_s = np.sqrt(c_b**2 / 4 + common / (2 + b * c_s)), np.sqrt(c_s**2 / 4 + common / (2 + b * c_b))
    return np.array([1 / (c_b / 2 + root_b), 1 / (c_s / 2 + root_s)])


def closed_play(slopes, at, v, s):
    """Price, payoffs and welfare at types v and s: (1) and (5), and the surplus of the fringe."""
    price = (slopes[0] * v + slopes[1] * s + at.b * at.r) / (slopes.sum() + at.b)
    bought, sold = slopes[0] * (v - price), slopes[1] * (price - s)
    payoffs = np.array([bought**2 * (1 / slopes[0] - at.c_b / 2), sold**2 * (1 / slopes[1] - at.c_s / 2)])
    return price, payoffs, payoffs.sum(0) + at.b * (at.r - price) ** 2 / 2


def expected(commitment, at):
    """Slopes, expected payoffs and expected welfare, over uniform types by Gauss-Legendre."""
    points, weights = np.polynomial.legendre.leggauss(5)
    v, s = np.meshgrid(
        at.v_low + (at.v_high - at.v_low) * (1 + points) / 2, at.s_low + (at.s_high - at.s_low) * (1 + points) / 2
    )
    slopes, w = closed_slopes(commitment, at), np.outer(weights, weights) / 4
    _, payoffs, welfare = closed_play(slopes, at, v, s)
    return slopes, (payoffs * w).sum((1, 2)), (welfare * w).sum()


@eqx.filter_jit
def played(game, profile, types):
    outcome = game.outcome(game.reports(profile, types))
    return outcome, game.payoffs(types, outcome), game.welfare(types, outcome)


@pytest.mark.slow
@pytest.mark.parametrize("commitment, b", TREATMENTS)
def test_slopes_payoffs_and_welfare_are_the_closed_forms(commitment, b):
    game = bargaining(commitment, b)
    eq = dcg.solve(game)
    slopes, payoffs, welfare = expected(commitment, Numbers(b))
    np.testing.assert_allclose(eq.strategies.slope, slopes, atol=CLOSED)
    np.testing.assert_allclose(eq.payoffs, payoffs, atol=CLOSED)
    assert float(eq.welfare) == pytest.approx(welfare, abs=CLOSED)
    assert float(eq.first_best) == pytest.approx(expected(HonestBoth(), Numbers(b))[2], abs=CLOSED)
    assert bool(eq.converged) and float(eq.regret) < 1e-14 and float(eq.second_order) < 0
    # A side's best reply moves with the other's slope unless one of them is bound.
    assert 0 < float(eq.stability) < 1 if commitment == NoCommitment() else float(eq.stability) < 1e-12

    types = game.sample_types(jax.random.key(3))
    outcome, paid, surplus = played(game, eq.strategies, types)
    price, payoffs, welfare = closed_play(slopes, Numbers(b), *np.asarray(types.values))
    assert float(outcome.price) == pytest.approx(price, abs=CLOSED)
    np.testing.assert_allclose(paid, payoffs, atol=CLOSED)
    assert float(surplus) == pytest.approx(welfare, abs=CLOSED)
    assert float(outcome.quantities[0]) > 0 > float(outcome.quantities[1])


@pytest.mark.slow
def test_without_a_fringe_efficiency_is_a_matter_of_curvatures():
    seller, buyer, both = (dcg.solve(bargaining(c, 0.0)) for c in (HonestSeller(), HonestBuyer(), HonestBoth()))
    assert float(seller.efficiency) == pytest.approx(1 - (C_S / (C_B + 2 * C_S)) ** 2, abs=CLOSED)
    assert float(buyer.efficiency) == pytest.approx(1 - (C_B / (2 * C_B + C_S)) ** 2, abs=CLOSED)
    assert float(both.efficiency) == pytest.approx(1.0, abs=CLOSED)
    gap = 4 + 1 / 6  # E (v - s)^2
    assert float(both.welfare) == pytest.approx(gap / (2 * (C_B + C_S)), abs=CLOSED)
    assert float(seller.payoffs[0]) == pytest.approx(gap / (2 * (C_B + 2 * C_S)), abs=CLOSED)
    assert float(seller.payoffs[1]) == pytest.approx(C_S * gap / (2 * (C_B + 2 * C_S) ** 2), abs=CLOSED)
    # Honesty costs the side that is bound and serves the other.
    assert float(seller.payoffs[1]) < float(both.payoffs[1]) < float(buyer.payoffs[1])
    assert float(buyer.payoffs[0]) < float(both.payoffs[0]) < float(seller.payoffs[0])


@pytest.mark.slow
def test_two_selfish_parties_alone_do_not_trade():
    with pytest.raises(
        dcg.EquilibriumError, match=r"two selfish parties.*`outside_slope` above zero.*HonestSeller\(\)"
    ):
        dcg.solve(bargaining(NoCommitment(), 0.0))
    assert "one slope a party" in bargaining(HonestSeller(), 0.0).no_equilibrium()


@pytest.mark.slow
def test_welfare_rises_with_honesty_and_so_does_a_fringe_bring_trade_back():
    for b in (0.01, 0.6):
        welfare = [
            float(dcg.solve(bargaining(c, b)).welfare)
            for c in (HonestBoth(), HonestSeller(), HonestBuyer(), NoCommitment())
        ]
        assert welfare[0] > max(welfare[1:3]) > min(welfare[1:3]) > welfare[3] > 0

    def lane(b):
        eq = dcg.solve(bargaining(NoCommitment(), b))
        return eq.converged, eq.strategies.slope[0], eq.efficiency

    found, slope, efficiency = eqx.filter_jit(eqx.filter_vmap(lane))(jnp.array([0.0, 1e-3, 0.1, 10.0]))
    assert found.tolist() == [False, True, True, True] and np.isnan(slope[0])
    assert np.all(np.diff(efficiency[1:]) > 0)
    # As the fringe vanishes trade does too, with its square root: (3) at small b.
    assert float(slope[1]) == pytest.approx(np.sqrt(2e-3 / (C_B + C_S)), rel=0.05)


@pytest.mark.parametrize("commitment", [NoCommitment(), HonestSeller()])
def test_schedules_of_three_coefficients_meet_the_same_conditions(commitment):
    game, slopes = bargaining(commitment, 0.6), closed_slopes(commitment, Numbers(0.6))
    profile = dcg.AffineDemand(intercept=jnp.zeros(2), weight=slopes, slope=slopes)
    np.testing.assert_allclose(game.residuals(profile, profile), 0.0, atol=1e-14)
    moved = dcg.AffineDemand(intercept=jnp.full(2, 0.1), weight=slopes, slope=slopes)
    assert np.all(np.abs(game.residuals(moved, profile)[:, 0]) > 0.01)


@pytest.mark.slow
def test_only_deviations_that_are_open_are_regretted():
    truth = dcg.ProportionalDemand(1 / CURVATURE)
    selfish = dcg.regret(bargaining(NoCommitment(), 0.6), truth)
    assert np.all(np.asarray(selfish.by_player) > 1e-3)
    seller_bound = dcg.regret(bargaining(HonestSeller(), 0.6), truth)
    assert float(seller_bound.by_player[0]) > 1e-3 and float(seller_bound.by_player[1]) == pytest.approx(0, abs=1e-14)
    assert float(dcg.regret(bargaining(HonestBoth(), 0.6), truth)) == pytest.approx(0, abs=1e-14)
    best = closed_slopes(HonestSeller(), Numbers(0.6))
    perturbed = dcg.regret(bargaining(HonestSeller(), 0.6), dcg.ProportionalDemand(best * np.array([1.1, 1.0])))
    assert float(perturbed) > 1e-5
    # What a committed side hands in does not count.
    ignored = dcg.regret(bargaining(HonestSeller(), 0.6), dcg.ProportionalDemand(best * np.array([1.0, 0.3])))
    assert float(ignored) < 1e-14


def test_regret_of_a_monopsonist_agrees_with_brute_force():
    """The best affine demand against an honest supply, its gain averaged over draws of both types."""
    slope, profile = 0.9, dcg.ProportionalDemand(jnp.array([0.9, 5.0]))
    found = dcg.regret(bargaining(HonestSeller(), 0.0), profile).by_player[0]
    points, weights = np.polynomial.legendre.leggauss(5)
    v, s = np.meshgrid(2.5 + points / 2, 0.5 + points / 2)

    def payoff(beta):
        q = (v - s) / (1 / beta + C_S)
        return (np.outer(weights, weights) / 4 * ((v - s - C_S * q) * q - C_B * q**2 / 2)).sum()

    best = minimize_scalar(lambda beta: -payoff(beta), bounds=(0.01, 5.0), method="bounded", options={"xatol": 1e-10})
    assert float(found) == pytest.approx(-best.fun - payoff(slope), abs=1e-9)
    assert best.x == pytest.approx(closed_slopes(HonestSeller(), Numbers(0.0))[0], abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("commitment", [NoCommitment(), HonestSeller()])
def test_derivatives_in_every_parameter_are_those_of_the_closed_forms(commitment):
    found = dcg.sensitivity(
        bargaining(commitment, 0.6), lambda eq: jnp.concatenate([eq.strategies.slope, eq.payoffs, eq.efficiency[None]])
    )

    def answers(at):
        slopes, payoffs, welfare = expected(commitment, at)
        return np.array([*slopes, *payoffs, welfare / expected(HonestBoth(), at)[2]])

    at, step = Numbers(0.6), 1e-4
    np.testing.assert_allclose(found.value, answers(at), atol=CLOSED)
    for field, derivative in {
        "b": found["outside_slope"],
        "r": found["outside_price"],
        "c_b": found["curvature"][:, 0],
        "c_s": found["curvature"][:, 1],
        "v_low": found["values.low"],
        "v_high": found["values.high"],
        "s_low": found["costs.low"],
        "s_high": found["costs.high"],
    }.items():
        above, below = (at._replace(**{field: getattr(at, field) + move}) for move in (step, -step))
        central = (answers(above) - answers(below)) / (2 * step)
        np.testing.assert_allclose(derivative, central, atol=DERIVATIVES, err_msg=field)


def test_kernel_schedules_meet_a_true_one():
    game = bargaining(HonestSeller(), 0.0)
    types = game.sample_types(jax.random.key(8))
    knots = jnp.linspace(-1.0, 4.0, 9)
    basis = dcg.kernel_basis(knots, dcg.Constant(10.0) + dcg.Linear(10.0) + dcg.Matern52(2.0), 1e-8)
    slopes = jnp.array([closed_slopes(HonestSeller(), Numbers(0.0))[0], 9.0])
    curves = dcg.KernelCurve.on(basis, slopes[:, None] * (types.values[:, None] - knots))
    kernel = eqx.filter_jit(lambda curves: game.outcome(game.handed_in(curves, types)))(curves)
    affine, _, _ = played(game, dcg.ProportionalDemand(slopes), types)
    # The ridge bends the copies by less than this.
    np.testing.assert_allclose(kernel.price, affine.price, atol=1e-4)
    assert float(kernel.quantities[1]) == pytest.approx((float(types.values[1]) - float(kernel.price)) / C_S, abs=1e-12)


@pytest.mark.parametrize(
    "fields, name",
    [
        ({"values": dcg.Uniform(0.0, 1.0), "costs": dcg.Uniform(1.0, 2.0)}, "values"),
        ({"curvature": jnp.array([1.0, -1.0])}, "curvature"),
        ({"curvature": jnp.ones(3)}, "curvature"),
        ({"commitment": "honest"}, "commitment"),
        ({"outside_slope": -1.0}, "outside_slope"),
        ({"price_bounds": (1.0, -1.0)}, "price_bounds"),
        ({"values": jnp.array([2.0, 3.0])}, "values"),
        ({"costs": (0.0, 1.0)}, "costs"),
    ],
)
def test_bad_fields_are_named(fields, name):
    with pytest.raises(dcg.InputError, match=f"^{name}: "):
        CurveBargaining(**fields)


def test_overlapping_priors_are_taken_with_a_warning():
    with pytest.warns(UserWarning, match="the seller buys"):
        CurveBargaining(values=dcg.Uniform(0.0, 1.0), costs=dcg.Uniform(0.0, 1.0))
    with pytest.warns(UserWarning, match="the seller buys"):
        CurveBargaining(values=dcg.Normal(2.0, 1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        CurveBargaining()
        CurveBargaining(values=2.0, costs=dcg.Empirical(jnp.array([0.5, 1.5])))


def test_a_price_outside_the_bounds_is_refused():
    game = CurveBargaining(commitment=HonestBoth(), price_bounds=(0.0, 0.1))
    with pytest.raises(dcg.ClearingError, match=r"no clearing price in \[0, 0.1\].*widen `price_bounds`"):
        dcg.play(game, dcg.ProportionalDemand(jnp.ones(2)), key=jax.random.key(0))
