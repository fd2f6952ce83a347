"""How much each institution makes of each message: one number, a few words, a whole curve.

The players' willingness to pay has a private height and a private slope, so that one number cannot say it all. Groups learn
what to say; *chat* is the learned number said in one of `words` words, the middles of equally likely stretches of what the
group says. Gains are counted over the status quo, in which everybody keeps the endowment and nothing is built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array

from dcg_econ.agents.frozen import learned_axes
from dcg_econ.equilibrium import solve
from dcg_econ.experiments.learners import learner
from dcg_econ.experiments.specification import Training
from dcg_econ.learning import default_optimiser, train
from dcg_econ.mechanisms import public_goods
from dcg_econ.mechanisms.public_goods.curve_reports import AbstractCurveInstitution
from dcg_econ.mechanisms.public_goods.dynamics import first_to_stay
from dcg_econ.mechanisms.public_goods.public_good import AbstractPublicGood

NUMBER, CHAT, CURVE = "one number", "chat", "curve"
ROUNDS, NEAR, AWAY = 1000, 1e-3, 0.1  # of best replies; how close is there, and how far the start, in typical messages


class Case(NamedTuple):
    """An institution in words, the message it takes, the mechanism, and the same with everybody's type at its mean."""

    institution: str
    message: str
    mechanism: AbstractPublicGood
    certain: AbstractPublicGood


def cases(
    preferences: public_goods.QuadraticPreferences, cost: public_goods.QuadraticCost, endowment: float, gamma: float
) -> list[Case]:
    """The institutions that are compared, each with the richest message first."""
    intercept, curvature = preferences.at(jnp.zeros(())).T
    known = _listed(public_goods.QuadraticPreferences(intercept, curvature), cost, endowment, gamma)
    private = _listed(preferences, cost, endowment, gamma)
    return [Case(*case, certain) for case, (*_, certain) in zip(private, known, strict=True)]


def _listed(preferences, cost, endowment, gamma) -> list[tuple[str, str, AbstractPublicGood]]:
    rest = (preferences, cost)
    lindahl, clarke = public_goods.Lindahl(*rest), public_goods.ClarkePivot(*rest)
    return [
        ("Voluntary contributions", NUMBER, public_goods.VoluntaryContribution(preferences, endowment, cost)),
        ("Groves-Ledyard", NUMBER, public_goods.GrovesLedyard(preferences, gamma, cost)),
        ("Walker", NUMBER, public_goods.Walker(*rest)),
        ("Lindahl, reported", CURVE, lindahl),
        ("Lindahl, reported", NUMBER, public_goods.InterceptReports(lindahl)),
        ("Clarke pivot", CURVE, clarke),
        ("Clarke pivot", NUMBER, public_goods.InterceptReports(clarke)),
        ("Serial cost sharing", CURVE, public_goods.SerialCostSharing(*rest)),
        ("Serial cost sharing", NUMBER, public_goods.InterceptReports(public_goods.SerialCostSharing(*rest))),
    ]


def frontier(
    listed: list[Case],
    training: Training,
    *,
    sessions: int = 10,
    words: int = 8,
    draws: int = 2000,
    seed: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
) -> pd.DataFrame:
    """One row for each institution and message: share of the possible gains with its 95 per cent interval over sessions
    (Student's t), budget surplus as a share of the possible gains, regret, and rounds of best replies until they settle."""
    rows = []
    for done, case in enumerate(listed):
        rows += list(_rows(case, training, sessions, words, draws, jax.random.key(seed)))
        if progress is not None:
            progress(done + 1, len(listed), f"{case.institution}, {case.message}")
    return pd.DataFrame(rows)


def _rows(case: Case, training: Training, sessions: int, words: int, draws: int, key: Array) -> Iterator[dict]:
    game = case.mechanism
    optimiser = default_optimiser(training.steps, training.learning_rate)
    run = train(
        game,
        learner(game, training),
        optimiser=optimiser,
        steps=training.steps,
        batch=training.batch,
        sessions=sessions,
        records=1,
        key=key,
    )
    types = jax.vmap(game.sample_types)(jax.random.split(jax.random.fold_in(key, 1), draws))
    kinds = (case.message,) if isinstance(game, AbstractCurveInstitution) else (NUMBER, CHAT)
    for message in kinds:
        gains, surplus, possible = _played(game, run.agents, types, words if message == CHAT else 0)
        share, spread = np.asarray(gains / possible), np.asarray(surplus / possible)
        half = half_width(share)
        yield {
            "institution": case.institution,
            "message": message,
            "efficiency": share.mean(),
            "efficiency_low": share.mean() - half,
            "efficiency_high": share.mean() + half,
            "budget_surplus": spread.mean(),
            "regret": float(run.regret[:, -1].mean()) if message != CHAT else np.nan,
            "rounds_to_converge": rounds_to_converge(case.certain) if message != CHAT else np.nan,
            "sessions": sessions,
        }


@eqx.filter_jit
def _played(game: AbstractPublicGood, agents: Any, types: Array, words: int) -> tuple[Array, Array, Array]:
    """Mean gains, budget surplus and possible gains of every session (S,), money."""

    def session(population):
        said = jax.vmap(population.numbers)(types)
        if words:
            vocabulary = jnp.quantile(said, (jnp.arange(words) + 0.5) / words)
            said = vocabulary[jnp.argmin(jnp.abs(said[..., None] - vocabulary), axis=-1)]

        def one(numbers, types):
            outcome = game.outcome(population.assemble(numbers))
            kept = jnp.sum(game.status_quo(types))
            welfare, best = game.welfare(types, outcome), game.first_best(types)
            return welfare - kept, game.budget_surplus(outcome), best - kept

        return jax.tree.map(jnp.mean, jax.vmap(one)(said, types))

    return eqx.filter_vmap(session, in_axes=(learned_axes(agents),))(agents)


def rounds_to_converge(game: AbstractPublicGood) -> float:
    """Rounds of simultaneous best replies until payoffs stay within a thousandth of the possible gains of those in
    equilibrium, from messages a tenth of a typical one away; types certain. Infinite where they do not come back."""
    found = solve(game)
    own = found.strategies
    target = own.shade if isinstance(own, public_goods.ShadedCurves) else own.message
    typical = jnp.maximum(jnp.max(jnp.abs(target)), 1.0)
    pushed = target + AWAY * typical * jnp.where(jnp.arange(target.shape[0]) % 2 == 0, 1.0, 0.5)
    path = public_goods.dynamics(game, public_goods.BestResponse(), start=pushed, rounds=ROUNDS)
    possible = found.first_best - jnp.sum(game.endowments)
    return float(first_to_stay(jnp.all(jnp.abs(path.payoffs - found.payoffs) <= NEAR * possible, axis=1)))


def half_width(values: np.ndarray) -> float:
    """Of the 95 per cent interval of a mean over sessions (Student's t)."""
    from scipy import stats

    if len(values) < 2:
        return float("nan")
    return float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
