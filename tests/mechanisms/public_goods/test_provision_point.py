import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dcg_econ as dcg
from dcg_econ.agents.number_messages import FixedMessages
from dcg_econ.mechanisms.public_goods import (
    CobbDouglas,
    FullRefund,
    LinearPreferences,
    NoRebate,
    NoRefund,
    ProportionalRebate,
    ProvisionPoint,
    QuadraticPreferences,
    UtilizationRebate,
)

CLOSED = 1e-12  # closed forms in x64, of numbers up to 100: a hundred roundings
DIFFERENCES = (
    1e-7  # central differences of piecewise-linear and quadratic functions, steps of 1e-4: rounding over the step
)
SEARCH = 1e-8  # golden-section search stops at 1e-9 of its interval, and at a maximum its error is squared
STEP = 1e-4

VALUES, WEALTH = (30.0, 50.0, 40.0), (100.0, 100.0, 100.0)
# Threshold, values, endowments.
FOUND = {
    "nobody cut": (60.0, VALUES, WEALTH),
    "one cut": (60.0, VALUES, (100.0, 15.0, 100.0)),
    "two cut": (60.0, VALUES, (10.0, 15.0, 100.0)),
    "the values just suffice": (120.0, VALUES, WEALTH),
    "the cut values just suffice": (85.0, VALUES, (100.0, 15.0, 100.0)),
    "somebody dislikes it for nothing": (7.0, (1e-3, 9.0, 9.0), (5.0, 5.0, 5.0)),
}
NONE = {
    "the values do not suffice": (121.0, VALUES, WEALTH),
    "the cut values do not suffice, though it is efficient": (86.0, VALUES, (100.0, 15.0, 100.0)),
    "out of reach": (60.0, VALUES, (10.0, 10.0, 10.0)),
}
AROUND = [(60.0 + s * STEP, VALUES, (100.0, 15.0, 100.0)) for s in (-1, 1)]
AROUND += [(60.0, (30.0 + s * STEP, 50.0, 40.0), (100.0, 15.0, 100.0)) for s in (-1, 1)]
AROUND += [(60.0, VALUES, (100.0, 15.0 + s * STEP, 100.0)) for s in (-1, 1)]
LANES = [*FOUND.values(), *NONE.values(), *AROUND]
WEIGHTS = jnp.array([1.0, 2.0, -3.0])

RULES = list(itertools.product((FullRefund(), NoRefund()), (NoRebate(), ProportionalRebate(), UtilizationRebate())))


def rule_name(rule):
    return type(rule).__name__


def split(threshold, values, wealth):
    """The rate at which min(rate v, w) sums to the threshold, by bisection; none where it exceeds 1."""
    values, wealth = np.array(values), np.array(wealth)
    low, high = 0.0, 1.0
    if np.minimum(values, wealth).sum() < threshold - CLOSED:
        return None
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if np.minimum(middle * values, wealth).sum() < threshold else (low, middle)
    return np.minimum(high * values, wealth)


@pytest.fixture(scope="module")
def lanes():
    """Equilibria of all lanes, and derivatives of weighted payoffs in threshold, values and endowments: one compilation."""

    def at(threshold, values, wealth):
        game = ProvisionPoint(LinearPreferences(values), threshold, wealth)
        eq = dcg.solve(game)
        return WEIGHTS @ eq.payoffs, (eq, eq.strategies(game.preferences.at(jnp.zeros(()))))

    columns = (jnp.array(column) for column in zip(*LANES, strict=True))
    (goal, (eqs, given)), slopes = jax.jit(jax.vmap(jax.value_and_grad(at, (0, 1, 2), has_aux=True)))(*columns)
    return goal, eqs, given, slopes


def test_contributions_are_in_proportion_to_values_and_cut_at_endowments(lanes):
    _, eqs, given, _ = lanes
    for i, (threshold, values, wealth) in enumerate(FOUND.values()):
        np.testing.assert_allclose(given[i], split(threshold, values, wealth), atol=100 * CLOSED)
        assert float(given[i].sum()) == pytest.approx(threshold, rel=CLOSED)
        best = sum(wealth) + max(sum(values) - threshold, 0.0)
        assert float(eqs.first_best[i]) == pytest.approx(best, rel=CLOSED)
        assert float(eqs.welfare[i]) == pytest.approx(best, rel=CLOSED)
        np.testing.assert_allclose(eqs.payoffs[i], np.array(wealth) + values - given[i], atol=100 * CLOSED)
    assert eqs.converged[: len(FOUND)].all() and float(eqs.regret[: len(FOUND)].max()) <= CLOSED
    assert jnp.isnan(eqs.stability).all()


def test_where_cut_values_miss_the_threshold_the_lane_is_flagged_and_the_others_stay_whole(lanes):
    goal, eqs, _, slopes = lanes
    none = slice(len(FOUND), len(FOUND) + len(NONE))
    assert not eqs.solved[none].any() and not eqs.converged[none].any() and jnp.isnan(eqs.welfare[none]).all()
    rest = np.r_[: len(FOUND), none.stop : len(LANES)]
    assert eqs.converged[rest].all()
    assert all(np.isfinite(leaf[rest]).all() for leaf in (goal, *slopes))


def test_derivatives_are_the_closed_form_and_central_differences(lanes):
    goal, _, _, (in_threshold, in_values, in_wealth) = lanes
    at, around = list(FOUND).index("one cut"), len(FOUND) + len(NONE)
    below, above = goal[around::2], goal[around + 1 :: 2]
    found = [in_threshold[at], in_values[at, 0], in_wealth[at, 1]]
    np.testing.assert_allclose(found, (above - below) / (2 * STEP), atol=DIFFERENCES)
    # Players 1 and 3 share T - 15 as 30 to 40, so that they pay 3/7 and 4/7 of one more.
    assert float(in_threshold[at]) == pytest.approx(-1 * 3 / 7 + 3 * 4 / 7, abs=CLOSED)
    # u_1 has the value itself and pays 45 * 40 / 70^2 more of each unit of it, which player 3 saves.
    assert float(in_values[at, 0]) == pytest.approx(1 - 4 * 45 * 40 / 4900, abs=CLOSED)


def numpy_outcome(game, given):
    """Level and payments, as the head of the file says."""
    total, threshold = given.sum(), float(game.threshold)
    if total < threshold * (1 - 1e-13):
        return 0.0, np.zeros_like(given) if isinstance(game.refund, FullRefund) else given
    if isinstance(game.rebate, UtilizationRebate):
        return total / threshold, given
    return 1.0, given * (threshold / total if isinstance(game.rebate, ProportionalRebate) else 1.0)


A, B, RICH = np.array([60.0, 80.0, 50.0]), np.array([10.0, 25.0, 5.0]), np.array([70.0, 90.0, 60.0])
PROFILES = np.array(
    [
        [0.0, 0.0, 0.0],
        [10.0, 5.0, 10.0],  # exactly the threshold
        [10.0, 5.0, 9.0],
        [30.0, 40.0, 0.0],
        [0.0, 25.0, 0.0],
        [70.0, 90.0, 60.0],
        [3.7, 0.0, 14.1],
    ]
)


def value(level):
    return A * level - B * level**2


@pytest.mark.parametrize("refund, rebate", RULES[::2], ids=rule_name)  # every rule, in half of the pairs
def test_outcomes_and_regret_are_brute_force(refund, rebate):
    game = ProvisionPoint(QuadraticPreferences(A, B), 25.0, RICH, refund, rebate)
    types = game.preferences.at(jnp.zeros(()))

    @eqx.filter_jit
    @jax.vmap
    def at(given):
        outcome = game.outcome(given)
        found = dcg.regret(game, FixedMessages(given))
        return outcome, game.payoffs(types, outcome), game.welfare(types, outcome), found

    outcomes, payoffs, welfare, found = at(jnp.asarray(PROFILES))
    for i, given in enumerate(PROFILES):
        level, paid = numpy_outcome(game, given)
        assert float(outcomes.built[i]) == pytest.approx(level, abs=CLOSED) and bool(outcomes.found[i])
        np.testing.assert_allclose(payoffs[i], RICH - paid + value(level), atol=100 * CLOSED)
        # Money is neither made nor lost: what is kept is a surplus.
        assert float(welfare[i]) == pytest.approx(RICH.sum() + value(level).sum() - 25.0 * level, rel=CLOSED)
        for player in range(3):
            gap = 25.0 - (given.sum() - given[player])
            builds_on = 25.0 * (A[player] - 25.0) / (2 * B[player]) - 25.0 + gap  # where v'(Y) = T
            tried = np.clip([0.0, gap, builds_on, RICH[player]], 0.0, RICH[player])

            def earns(report, given=given, player=player):
                said = np.where(np.arange(3) == player, report, given)
                level, paid = numpy_outcome(game, said)
                return RICH[player] - paid[player] + value(level)[player]

            gain = max(map(earns, tried)) - earns(given[player])
            assert float(found.by_player[i, player]) == pytest.approx(max(gain, 0.0), abs=100 * SEARCH)


@pytest.mark.parametrize("refund, rebate", RULES, ids=rule_name)
def test_all_equilibria_in_whole_numbers_are_those_that_the_theory_names(refund, rebate):
    choices = np.arange(5)
    profiles = np.array(list(itertools.product(choices, repeat=3)))

    @jax.jit
    @jax.vmap
    def payoffs(threshold, values):
        game = ProvisionPoint(LinearPreferences(values), threshold, 4.0, refund, rebate)
        return jax.vmap(lambda given: game.payoffs(values[:, None], game.outcome(given)))(jnp.asarray(profiles, float))

    cases = [
        (6.0, (1.5, 3.0, 4.5)),
        (6.0, (1.5, 1.0, 2.5)),
        (3.0, (1.5, 2.5, 2.5)),
        (3.0, (1.5, 5.5, 2.5)),
        (11.0, [4.5] * 3),
    ]
    for (threshold, values), table in zip(cases, payoffs(*map(jnp.array, zip(*cases, strict=True))), strict=True):
        if isinstance(rebate, UtilizationRebate) and max(values) > threshold:
            continue  # somebody builds on alone
        table = np.asarray(table).reshape(5, 5, 5, 3)
        for given in profiles:
            gains = [
                table[tuple(np.where(np.arange(3) == i, choice, given))][i] - table[tuple(given)][i]
                for i in range(3)
                for choice in choices
            ]
            assert (max(gains) <= CLOSED) == is_equilibrium(given, threshold, np.array(values), refund, rebate), given


def is_equilibrium(given, threshold, values, refund, rebate):
    total, alone = given.sum(), (given > 0).sum() == 1
    sole = isinstance(rebate, ProportionalRebate) and alone and total > threshold and values[given > 0][0] >= threshold
    if total >= threshold:
        return sole or (total == threshold and bool((given <= values).all()))
    if isinstance(refund, NoRefund) and total > 0:
        return False
    gaps = threshold - (total - given)
    return bool(((gaps > 4.0) | (gaps >= values)).all())


def test_nobody_giving_is_certified_where_nobody_alone_can_and_wants_to_pay():
    game = ProvisionPoint(LinearPreferences(VALUES), 60.0, WEALTH)
    assert float(dcg.regret(game, game.contributions(0.0))) == 0.0
    payoffs, welfare = game.expectations(game.contributions(0.0))
    np.testing.assert_array_equal(payoffs, WEALTH)
    assert float(welfare) == sum(WEALTH)
    alone = ProvisionPoint(LinearPreferences(VALUES), 45.0, WEALTH)
    found = dcg.regret(alone, alone.contributions(0.0))
    np.testing.assert_allclose(found.by_player, [0.0, 5.0, 0.0], atol=SEARCH)
    assert float(found) == pytest.approx(5.0 / (sum(WEALTH) + 75.0), rel=SEARCH)


def test_contributions_miss_the_threshold_by_roundings_only():
    game = ProvisionPoint(LinearPreferences(VALUES), 60.0, WEALTH)
    shares = jnp.array([0.1, 0.2, 0.7])
    for short, met in ((0.0, True), (1e-14, True), (2e-14, False), (1e-9, False)):
        outcome = game.outcome(60.0 * (1 - short) * shares)
        assert bool(outcome.built == 1.0) is met and bool((outcome.taxes > 0).all()) is met
    assert not bool(game.outcome(jnp.array([101.0, 0.0, 0.0])).found)
    assert not bool(game.outcome(jnp.array([-1.0, 50.0, 50.0])).found)


def test_without_a_provision_equilibrium_the_reason_is_said():
    with pytest.raises(dcg.EquilibriumError, match=r"sum to 120, below the `threshold` of 121"):
        dcg.solve(ProvisionPoint(LinearPreferences(VALUES), 121.0, WEALTH))
    with pytest.raises(dcg.EquilibriumError, match="UtilizationRebate"):
        dcg.solve(ProvisionPoint(LinearPreferences(VALUES), 45.0, WEALTH, rebate=UtilizationRebate()))


def test_an_equilibrium_shows_who_gives_what_wherever_it_started():
    game = ProvisionPoint(LinearPreferences(VALUES), 60.0, WEALTH)
    elsewhere = ProvisionPoint(LinearPreferences((20.0, 10.0, 70.0)), 60.0, WEALTH).contributions(0.9)
    frame = dcg.solve(game, elsewhere).to_frame()
    np.testing.assert_allclose(frame["contribution"], [15.0, 25.0, 20.0], rtol=CLOSED)
    assert list(frame["value"]) == list(VALUES) and list(frame.index) == ["player 1", "player 2", "player 3"]


def test_private_values_and_starts_of_another_kind_are_refused():
    private = ProvisionPoint(LinearPreferences(dcg.Uniform(20.0, 40.0), players=3), 60.0, 100.0)
    with pytest.raises(dcg.InputError, match=r"^preferences: .*; give numbers in place of priors"):
        dcg.solve(private)
    with pytest.raises(dcg.InputError, match=r"^preferences: "):
        dcg.regret(private, private.contributions(0.5))
    game = ProvisionPoint(LinearPreferences(VALUES), 60.0, WEALTH)
    with pytest.raises(dcg.InputError, match=r"^strategies: FixedMessages"):
        dcg.solve(game, FixedMessages(jnp.full(3, 20.0)))
    with pytest.raises(dcg.InputError, match=r"^strategies: a rate of shape"):
        dcg.solve(game, game.contributions(jnp.full(3, 0.5)))


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"threshold": 0.0}, r"^threshold: found 0"),
        ({"threshold": -3.0}, r"^threshold: found -3"),
        ({"threshold": jnp.array([1.0, 2.0])}, r"^threshold: shape"),
        ({"threshold": 301.0}, r"^threshold: 301 is above the endowments' sum, 300"),
        ({"endowment": 0.0}, r"^endowment: zero"),
        ({"endowment": jnp.array([0.0, 100.0, 100.0])}, r"^endowment: zero"),
        ({"endowment": jnp.array([100.0, 100.0])}, r"^endowment: shape"),
        (
            {"preferences": QuadraticPreferences([90.0, 90.0, 90.0], 40.0), "threshold": 40.0},
            r"^preferences: a fraction",
        ),
    ],
)
def test_bad_fields_are_named(fields, message):
    with pytest.raises(dcg.InputError, match=message):
        ProvisionPoint(**({"preferences": LinearPreferences(VALUES), "threshold": 60.0, "endowment": 100.0} | fields))


def test_income_effects_are_refused():
    # A user sees the InputError; the checker of types that watches the tests may be the first to see the field.
    with pytest.raises(Exception, match="preferences"):
        ProvisionPoint(CobbDouglas(0.5, players=3), 1.0)
