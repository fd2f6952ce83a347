import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

import dcg_econ as dcg
from dcg_econ.mechanisms.bargaining.cooperative import (
    disagreement_effects,
    egalitarian,
    kalai_smorodinsky,
    nash_bargaining,
    utilitarian,
)
from dcg_econ.mechanisms.bargaining.frontier import BargainingSet, CRRAFrontier, FunctionFrontier, LinearFrontier
from tests.oracles import alternating_offers as oracle

CLOSED = 1e-12  # roots are halved to the last digit
SEARCHED = 1e-7  # an outside minimiser finds a maximum to the square root of machine precision
LANES = 16
NASH, KALAI_SMORODINSKY, EGALITARIAN, UTILITARIAN = range(4)


class Arch(eqx.Module):
    """u_2 = lift + height (1 - ((u_1 - shift) / width)^power), concave for power >= 1."""

    shift: jax.Array
    width: jax.Array
    lift: jax.Array
    height: jax.Array
    power: jax.Array

    def __call__(self, u):
        return self.lift + self.height * (1 - ((u - self.shift) / self.width) ** self.power)


def arch(shift=0.0, width=1.0, lift=0.0, height=1.0, power=2.0, high=None):
    """The frontier over the arch's falling side, or a part of it."""
    numbers = [jnp.asarray(x, float) for x in (shift, width, lift, height, power)]
    return FunctionFrontier(Arch(*numbers), shift, shift + width if high is None else high)


PARABOLA = arch()


def all_four(bargaining_set, weights):
    found = (
        nash_bargaining(bargaining_set, weights),
        kalai_smorodinsky(bargaining_set),
        egalitarian(bargaining_set),
        utilitarian(bargaining_set, weights),
    )
    return jnp.stack([s.payoffs for s in found]), jnp.stack([s.found for s in found])


@eqx.filter_jit
@eqx.filter_vmap
def _mapped(numbers, disagreement, weights):
    frontier = arch(*numbers)

    def payoffs(d):
        values, found = all_four(BargainingSet(frontier, d), weights)
        return values, (values, found)

    slopes, (values, found) = jax.jacfwd(payoffs, has_aux=True)(disagreement)
    return values, found, slopes


def solve(disagreement=(0.0, 0.0), weights=(0.5, 0.5), **numbers):
    """The four solutions on up to sixteen arches, compiled once: payoffs (n, 4, 2), found (n, 4), slopes (n, 4, 2, 2)."""
    numbers = {"shift": 0.0, "width": 1.0, "lift": 0.0, "height": 1.0, "power": 2.0} | numbers
    numbers.setdefault("high", np.add(numbers["shift"], numbers["width"]))
    d, w = np.atleast_2d(disagreement).astype(float), np.atleast_2d(weights).astype(float)
    columns = [np.atleast_1d(x).astype(float) for x in numbers.values()]
    n = max(len(x) for x in (d, w, *columns))
    assert n <= LANES
    columns = [np.resize(np.broadcast_to(x, (n,)), (LANES,)) for x in columns]
    pairs = [np.resize(np.broadcast_to(x, (n, 2)), (LANES, 2)) for x in (d, w)]
    return tuple(np.asarray(x)[:n] for x in _mapped(tuple(columns), *pairs))


@pytest.fixture(scope="module")
def random_sets():
    rng = np.random.default_rng(3)
    return {
        "shift": rng.normal(size=LANES),
        "width": rng.uniform(0.5, 3.0, LANES),
        "lift": rng.normal(size=LANES),
        "height": rng.uniform(0.5, 3.0, LANES),
        "power": rng.uniform(1.2, 4.0, LANES),
        "share": rng.uniform(0.05, 0.45, (LANES, 2)),
        "weights": rng.uniform(0.2, 0.8, LANES),
    }


def placed(sets):
    """The sets as arguments of `solve`: disagreement at a share of the way from the arch's foot to its ends."""
    s = dict(sets)
    share, w = s.pop("share"), s.pop("weights")
    s["disagreement"] = np.stack([s["shift"] + share[:, 0] * s["width"], s["lift"] + share[:, 1] * s["height"]], 1)
    s["weights"] = np.stack([w, 1 - w], 1)
    return s


def test_transferable_utility_has_closed_forms():
    s, rate, d = 2.0, 3.0, np.array([0.3, 0.6])
    bargaining_set = BargainingSet(LinearFrontier(s, rate), d)
    surplus = s - d[0] - d[1] / rate
    for w in ((0.5, 0.5), (0.7, 0.3), (3.0, 1.0), (1.0, 0.0)):
        share = np.array(w) / sum(w)
        found = nash_bargaining(bargaining_set, w)
        np.testing.assert_allclose(found.payoffs, d + share * np.array([1, rate]) * surplus, atol=CLOSED)
        assert float(found.residual) < CLOSED or bool(found.corner)
    np.testing.assert_allclose(
        kalai_smorodinsky(bargaining_set).payoffs, d + 0.5 * surplus * np.array([1, rate]), atol=CLOSED
    )
    equal = egalitarian(bargaining_set)
    np.testing.assert_allclose(equal.gains, surplus * rate / (1 + rate), atol=CLOSED)
    np.testing.assert_allclose(equal.ideal, [s - d[1] / rate, rate * (s - d[0])], atol=CLOSED)
    greedy = utilitarian(bargaining_set, (0.9, 0.1))
    assert bool(greedy.corner)
    np.testing.assert_allclose(greedy.payoffs, [s - d[1] / rate, d[1]], atol=CLOSED)


@pytest.mark.slow
def test_effects_of_disagreement_with_transferable_utility():
    effects = disagreement_effects(nash_bargaining, BargainingSet(LinearFrontier(), [0.1, 0.2]))
    np.testing.assert_allclose(effects, [[0.5, -0.5], [-0.5, 0.5]], atol=CLOSED)
    assert effects.loc["payoff of player 1", "disagreement of player 2"] == pytest.approx(-0.5)
    tilted = disagreement_effects(nash_bargaining, BargainingSet(LinearFrontier(), [0.1, 0.2]), weights=(0.7, 0.3))
    np.testing.assert_allclose(tilted, [[0.3, -0.7], [-0.3, 0.7]], atol=CLOSED)


@pytest.mark.slow
def test_a_parabola_by_hand():
    payoffs, found, slopes = solve()
    u = np.array([1 / np.sqrt(3), (np.sqrt(5) - 1) / 2, (np.sqrt(5) - 1) / 2, 0.5])
    assert found.all()
    np.testing.assert_allclose(payoffs[0], np.stack([u, 1 - u**2], 1), atol=CLOSED)
    # Nash: 1 - 3 u^2 - d_2 + 2 u d_1 = 0. Egalitarian: u - d_1 = 1 - u^2 - d_2. Utilitarian: nothing.
    np.testing.assert_allclose(slopes[0, NASH, 0], [1 / 3, -1 / (6 * u[0])], atol=CLOSED)
    e = 1 / (1 + 2 * u[2])
    np.testing.assert_allclose(slopes[0, EGALITARIAN], [[e, -e], [-2 * u[2] * e, 2 * u[2] * e]], atol=CLOSED)
    np.testing.assert_allclose(slopes[0, UTILITARIAN], 0.0, atol=CLOSED)
    # Kalai-Smorodinsky: (1 - u^2 - d_2)(I_1 - d_1) = (u - d_1)(I_2 - d_2), I = (sqrt(1 - d_2), 1 - d_1^2).
    np.testing.assert_allclose(slopes[0, KALAI_SMORODINSKY, 0], [u[1] ** 2 * e, -(1 - u[1] / 2) * e], atol=1e-10)


def test_all_solutions_agree_with_an_outside_search(random_sets):
    sets = placed(random_sets)
    payoffs, found, _ = solve(**sets)
    assert found.all()
    for i in range(LANES):
        shift, width, lift, height, power = (sets[k][i] for k in ("shift", "width", "lift", "height", "power"))
        (d1, d2), (w1, w2) = sets["disagreement"][i], sets["weights"][i]

        def g(u, shift=shift, width=width, lift=lift, height=height, power=power):
            return lift + height * (1 - ((u - shift) / width) ** power)

        top = brentq(lambda u: g(u) - d2, d1, shift + width, xtol=1e-15)  # noqa: B023
        most = g(d1)
        product = minimize_scalar(
            lambda u: -w1 * np.log(u - d1) - w2 * np.log(g(u) - d2),  # noqa: B023
            bounds=(d1, top), method="bounded", options={"xatol": 1e-12},
        ).x  # fmt: skip
        total = minimize_scalar(
            lambda u: -w1 * u - w2 * g(u),  # noqa: B023
            bounds=(d1, top), method="bounded", options={"xatol": 1e-12},
        ).x  # fmt: skip
        ks = brentq(lambda u: (g(u) - d2) * (top - d1) - (u - d1) * (most - d2), d1, top, xtol=1e-15)  # noqa: B023
        equal = brentq(lambda u: g(u) - d2 - u + d1, d1, top, xtol=1e-15)  # noqa: B023
        np.testing.assert_allclose(payoffs[i, :, 0], [product, ks, equal, total], atol=SEARCHED)
        np.testing.assert_allclose(payoffs[i, 1:3, 0], [ks, equal], atol=1e-11)


def test_derivatives_agree_with_central_differences(random_sets):
    sets, h = placed(random_sets), 1e-5
    _, _, slopes = solve(**sets)
    at_the_end = np.abs(slopes).max((2, 3)) == 0
    assert not at_the_end[:, :3].any()
    for j, step in enumerate(h * np.eye(2)):
        ahead, behind = (solve(**sets | {"disagreement": sets["disagreement"] + s})[0] for s in (step, -step))
        np.testing.assert_allclose(slopes[..., j], (ahead - behind) / (2 * h), atol=1e-6)


def test_units_do_not_matter_to_nash_and_kalai_smorodinsky(random_sets):
    rng = np.random.default_rng(4)
    scale, origin = rng.uniform(1e-3, 1e3, (LANES, 2)), rng.normal(size=(LANES, 2))
    sets = placed(random_sets)
    moved = sets | {
        "shift": scale[:, 0] * sets["shift"] + origin[:, 0],
        "width": scale[:, 0] * sets["width"],
        "lift": scale[:, 1] * sets["lift"] + origin[:, 1],
        "height": scale[:, 1] * sets["height"],
        "disagreement": scale * sets["disagreement"] + origin,
    }
    before, after = solve(**sets)[0], solve(**moved)[0]
    back = (after - origin[:, None]) / scale[:, None]
    np.testing.assert_allclose(back[:, :2], before[:, :2], atol=1e-9)
    assert np.abs(back[:, EGALITARIAN] - before[:, EGALITARIAN]).max() > 0.01


def test_nash_ignores_what_is_not_chosen_and_kalai_smorodinsky_does_not():
    whole, cut = solve(high=[1.0, 0.7])[0]
    np.testing.assert_allclose(cut[NASH], whole[NASH], atol=CLOSED)
    assert cut[KALAI_SMORODINSKY, 0] < whole[KALAI_SMORODINSKY, 0] - 0.01


def test_larger_sets_harm_nobody_under_monotone_solutions():
    # Rising powers enlarge the set and leave the ideal point; rising heights favour player 2 alone.
    powers = solve(power=np.linspace(1.0, 5.0, LANES), weights=(0.6, 0.4))[0]
    assert (np.diff(powers[:, KALAI_SMORODINSKY], axis=0) > 0).all()
    heights = solve(height=np.linspace(0.5, 4.0, LANES))[0]
    assert (np.diff(heights[:, KALAI_SMORODINSKY, 1]) > 0).all()
    for payoffs in (powers, heights):
        assert (np.diff(payoffs[:, EGALITARIAN], axis=0) > 0).all()
    # Nash takes the height for a change of player 2's unit.
    np.testing.assert_allclose(heights[:, NASH, 0], 1 / np.sqrt(3), atol=CLOSED)


def test_equal_players_get_equal_payoffs():
    circle = BargainingSet(FunctionFrontier(lambda u: jnp.sqrt(1 - u**2), 0.0, 1.0))
    for solution in (nash_bargaining, egalitarian):
        np.testing.assert_allclose(solution(circle).payoffs, np.sqrt(0.5), atol=CLOSED)


def test_corners_are_solutions_too():
    # Player 1 can get .3 at most, whatever player 2 gives up: it gets that.
    payoffs, found, slopes = solve(high=0.3)
    at_the_end = [NASH, EGALITARIAN, UTILITARIAN]
    assert found.all()
    np.testing.assert_allclose(payoffs[0, at_the_end], [[0.3, 0.91]] * 3, atol=CLOSED)
    np.testing.assert_allclose(slopes[0, at_the_end], 0.0, atol=CLOSED)
    assert bool(nash_bargaining(BargainingSet(arch(high=0.3))).corner)


@pytest.mark.parametrize("risk", [(0.0, 0.0), (0.6, 0.2)])
def test_nash_is_the_limit_of_alternating_offers(risk):
    # The tests of AlternatingOffers let its rounds become short and meet the same number.
    rates = np.array([0.05, 0.1])
    agreed = nash_bargaining(BargainingSet(CRRAFrontier(risk)), 1 / rates)
    money = float(agreed.payoffs[0]) ** (1 / (1 - risk[0]))
    assert money == pytest.approx(oracle.short_rounds(rates, risk), abs=CLOSED)


def test_derivatives_in_what_the_frontier_is_made_of():
    def money(frontier):
        return frontier.where_first(nash_bargaining(BargainingSet(frontier)).payoffs[0])

    # Money of player 1 is size a_1 / (a_1 + a_2), a = 1 - risk.
    slopes = eqx.filter_grad(money)(CRRAFrontier([0.6, 0.2], 3.0))
    np.testing.assert_allclose(slopes.risk, np.array([-0.8, 0.4]) * 3 / 1.2**2, atol=CLOSED)
    assert float(slopes.size) == pytest.approx(0.4 / 1.2, abs=CLOSED)


def test_a_set_with_nothing_to_gain_leaves_the_others_whole():
    payoffs, found, slopes = solve(disagreement=[[0.0, 0.0], [0.9, 0.9], [0.2, 0.1]])
    assert found.all(1).tolist() == [True, False, True]
    assert np.isnan(payoffs[1]).all()
    for values in (payoffs, slopes):
        assert np.isfinite(values[[0, 2]]).all()


def test_solutions_print_as_tables():
    found = kalai_smorodinsky(BargainingSet(PARABOLA))
    assert "Kalai-Smorodinsky solution" in str(found) and "player 2" in str(found)
    assert found.to_frame().loc["player 1", "gain"] == pytest.approx((np.sqrt(5) - 1) / 2)


@pytest.mark.parametrize(
    "make, field, remedy",
    [
        (lambda: BargainingSet(LinearFrontier(), [0.7, 0.6]), "disagreement", "lower a disagreement payoff"),
        (lambda: BargainingSet(LinearFrontier(), [0.5, 0.5]), "disagreement", "nothing to bargain over"),
        (lambda: BargainingSet(PARABOLA, [1.5, 0.0]), "disagreement", "give a larger frontier"),
        (lambda: BargainingSet(CRRAFrontier([0.5, 0.5]), [0.1, 1.2]), "disagreement", "give a larger frontier"),
        (lambda: BargainingSet(PARABOLA, [0.0, 0.0, 0.0]), "disagreement", "two numbers"),
        (lambda: BargainingSet(PARABOLA, [0.0, float("nan")]), "disagreement", "not a finite number"),
        (lambda: FunctionFrontier(lambda u: u, 0.0, 1.0), "function", "does not fall"),
        (lambda: FunctionFrontier(lambda u: 1 - u**2, -1.0, 1.0), "function", "does not fall"),
        (lambda: FunctionFrontier(lambda u: jnp.sqrt(1 - u), 0.0, 2.0), "function", "narrow `low` and `high`"),
        (lambda: FunctionFrontier(lambda u: 1 - u, 1.0, 0.0), "high", "low < high"),
        (lambda: LinearFrontier(1.0, -1.0), "rate", "above zero"),
        (lambda: CRRAFrontier([0.5, 1.0]), "risk", "in \\[0, 1\\)"),
        (lambda: nash_bargaining(BargainingSet(PARABOLA), (0.5, -0.5)), "weights", "zero or more"),
        (lambda: nash_bargaining(BargainingSet(PARABOLA), (1.0, 1.0, 1.0)), "weights", "two numbers"),
        (lambda: utilitarian(BargainingSet(LinearFrontier())), "weights", "differ from the frontier's slope"),
    ],
)
def test_bad_input_is_named_with_a_remedy(make, field, remedy):
    with pytest.raises(dcg.InputError, match=f"^{field}: .*{remedy}"):
        make()


def test_a_frontier_that_is_not_concave_has_no_unique_nash_product():
    hollow = BargainingSet(arch(power=0.5))
    for solution in (nash_bargaining, utilitarian):
        with pytest.raises(dcg.InputError, match=r"^frontier: is not concave .*kalai_smorodinsky or egalitarian"):
            solution(hollow)
    np.testing.assert_allclose(kalai_smorodinsky(hollow).payoffs, 1.5 - np.sqrt(1.25), atol=CLOSED)
