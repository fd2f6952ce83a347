"""What players come to who reckon with each other's learning: 20 sessions each of exact gradients, plain ascent, own rate and
lookahead rate the same."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from dcg_econ.learning.lookahead import (
    Mutual,
    Opponents,
    Proximal,
    ascend,
    inconsistency,
    own_directions,
    shaped_directions,
)
from dcg_econ.mechanisms.finite_games import (
    IteratedGame,
    MatrixGame,
    NormalForm,
    TandemGame,
    matching_pennies,
    payoffs_of,
    prisoners_dilemma,
)

SESSIONS, STEPS = 20, 2000
DILEMMA = IteratedGame(prisoners_dilemma(), 0.96)
PENNIES = MatrixGame(NormalForm(matching_pennies()))
KINDS = {
    "plain": lambda rate: None,
    "LOLA": Opponents,
    "proximal, 5 steps": lambda rate: Proximal(rate, 5),
    "mutual, order 2": lambda rate: Mutual(rate, 2),
    "mutual, order 3": lambda rate: Mutual(rate, 3),
}


def learner(game, make):
    """A compiled function of a rate and a spread: where the sessions end, rows (S, 2, size), and payoffs (S, 2)."""
    values = payoffs_of(game)

    def session(key, rate, spread):
        lookahead = make(rate)

        def directions(copies):
            return own_directions(values, copies) if lookahead is None else shaped_directions(values, copies, lookahead)

        end = ascend(directions, tuple(spread * jax.random.normal(key, (2, game.size))), rate, STEPS)
        return jnp.stack(end), values(end)

    sessions = jax.jit(jax.vmap(session, in_axes=(0, None, None)))
    return lambda rate, spread: sessions(jax.random.split(jax.random.key(0), SESSIONS), rate, spread)


@pytest.fixture(scope="module")
def dilemma():
    rows = []
    for name, make in KINDS.items():
        learn = learner(DILEMMA, make)
        for rate in (1.0, 0.1):
            for spread in (0.1, 1.0):
                found, values = learn(rate, spread)
                a_round = np.asarray(values * DILEMMA.per_round)
                chances = np.asarray(jax.nn.sigmoid(found)).mean(axis=(0, 1))
                together = np.sum(np.all(a_round > -1.1, axis=1)), np.sum(np.all(a_round < -1.9, axis=1))
                rows.append(
                    {"players": name, "rate": rate, "spread": spread, "a round": a_round.mean()}
                    | dict(zip(("cooperate", "defect"), together, strict=True))
                    | dict(zip(("start", "CC", "CD", "DC", "DD"), chances, strict=True))
                )
    table = pd.DataFrame(rows).set_index(["players", "rate", "spread"])
    print("\n", table.to_string(float_format="{:.3f}".format))
    return table


def test_lola_learners_cooperate_at_rate_one(dilemma):
    # Steps of this size are chaotic: the same starts, compiled two ways, gave 20 and 19, and 17 and 18 of 20. The bounds
    # are what 95 and 85 in a hundred fall short of once in fifty runs.
    assert dilemma.cooperate["LOLA", 1.0, 0.1] >= 17
    assert dilemma.cooperate["LOLA", 1.0, 1.0] >= 14
    assert dilemma["a round"]["LOLA", 1.0, 0.1] > -1.1
    answers = dilemma.loc["LOLA", 1.0, 0.1]
    assert answers.CC > 0.9 and max(answers.CD, answers.DD) < 0.5  # they repay what was done to them


def test_plain_learners_defect_whatever_the_rate(dilemma):
    assert (dilemma.loc["plain"].defect == SESSIONS).all()


def test_at_small_rates_looking_ahead_does_not_lead_out_of_defection(dilemma):
    assert (dilemma.xs((0.1, 0.1), level=("rate", "spread")).cooperate == 0).all()
    assert (dilemma.xs((0.1, 1.0), level=("rate", "spread")).cooperate <= 2).all()


def test_consistency_costs_cooperation_from_a_neutral_start(dilemma):
    assert dilemma.cooperate["mutual, order 2", 1.0, 0.1] < dilemma.cooperate["LOLA", 1.0, 0.1] - 10


def test_matching_pennies():
    rows = []
    for name, make in KINDS.items():
        learn = learner(PENNIES, make)
        for spread in (0.1, 1.0):
            found, _ = learn(1.0, spread)
            away = np.abs(np.asarray(jax.nn.softmax(found))[..., 0] - 0.5).max(axis=1)
            rows.append(
                {"players": name, "spread": spread, "at (.5, .5)": int(np.sum(away < 1e-3)), "away": away.mean()}
            )
    table = pd.DataFrame(rows).set_index(["players", "spread"])
    print("\n", table.to_string(float_format="{:.3g}".format))
    assert (table.loc["plain"]["at (.5, .5)"] == 0).all() and table.away["plain", 0.1] > 0.2
    assert (table.loc["LOLA"]["at (.5, .5)"] == SESSIONS).all()


def test_the_tandem_game():
    rows, values = [], payoffs_of(TandemGame())
    makes = [KINDS["plain"], *(lambda rate, order=order: Mutual(rate, order) for order in range(1, 5))]
    learners = [learner(TandemGame(), make) for make in makes]
    for rate in (0.02, 0.1):
        for order, make in enumerate(makes):
            found, payoffs = learners[order](rate, 1.0)
            total, welfare = np.asarray(jnp.sum(found, axis=(1, 2))), np.asarray(jnp.sum(payoffs, axis=1))
            gap = float(inconsistency(values, (found[0, 0] + 1.0, found[0, 1]), make(rate))[0]) if order else np.nan
            sizes = {"x + y": total.mean(), "sd": total.std(), "welfare": welfare.mean(), "gap": gap}
            rows.append({"rate": rate, "order": order} | sizes)
        b = (-(4 * rate + 1) + np.sqrt(8 * rate + 1)) / (4 * rate)  # consistent players stop where (x + y)(1 + b) = 1
        s = 1 / (1 + b)
        rows.append({"rate": rate, "order": np.inf, "x + y": s, "sd": 0.0, "welfare": 2 * s - 2 * s**2, "gap": 0.0})
    table = pd.DataFrame(rows).set_index(["rate", "order"])
    print("\n", table.to_string(float_format="{:.5f}".format))
    assert (table.sd < 1e-6).all()
    np.testing.assert_allclose(table.xs(0, level="order")["x + y"], 1.0, atol=1e-9)
    for rate, of in table.groupby(level="rate"):
        lola = (1 / (1 - 2 * rate) - 2 * rate) / (1 - 2 * rate)  # (x + y)(1 - 2 rate) + 2 rate = 1 / (1 - 2 rate)
        np.testing.assert_allclose(of["x + y"][rate, 1], lola, atol=1e-9)
        consistent = of["x + y"][rate, np.inf]
        assert 1 + rate < consistent < lola  # consistent players, too, leave what is stable, but less far
        assert abs(of["x + y"][rate, 4] - consistent) < 0.1 * (lola - consistent)
        assert (np.diff(of.gap.iloc[1:5]) < 0).all()
