"""From a profile to rows of the panel: one row per session x round x player."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from dcg_econ.experiments.specification import Treatment
from dcg_econ.mechanisms.market import AbstractMarket, MarketTypes

LABELS = {
    "session": "Session (independently trained group)",
    "round": "Market day",
    "participant": "Participant",
    "role": "Role",
    "mechanism": "Mechanism",
    "treatment": "Treatment",
    "type_value": "Private value, $/lb",
    "report_slope": "Slope of the schedule at the price, lb per $/lb",
    "quantity": "Quantity bought, lb",
    "price": "Price, $/lb",
    "payoff": "Payoff, $",
    "welfare": "Surplus of everyone, $ per day",
    "first_best": "First-best surplus, $ per day",
    "nash_welfare": "Surplus in the Nash equilibrium in schedules, $ per day",
    "competitive_price": "Competitive price, $/lb",
    "supply": "Catch, lb",
    "bits": "Information in the message, bits (not priced: missing)",
    "regret": "Regret, one buyer's expected gain from the best deviation, share of first best",
    "converged": "Converged",
    "agent_type": "Agent",
}


class Days(eqx.Module):
    """Draws that all treatments share: values (S, T, N) in normalised units, and each day's price and catch (T,)."""

    values: jax.Array
    price: jax.Array
    catch: jax.Array


def draw_days(mechanism: AbstractMarket, sessions: int, price: Any, catch: Any, key: jax.Array) -> Days:
    """Private values for every session and day; session s of a key does not depend on how many there are."""

    def session(s):
        keys = jax.random.split(jax.random.fold_in(key, s), len(price))
        return jax.vmap(lambda k: mechanism.sample_types(k).values)(keys)

    return Days(jax.vmap(session)(jnp.arange(sessions)), jnp.asarray(price), jnp.asarray(catch))


@eqx.filter_jit
def settle(mechanism: AbstractMarket, profile: Any, axes: Any, days: Days) -> dict[str, jax.Array]:
    """Outcomes of every session and day in normalised units; `axes` says which leaves of `profile` go by session."""

    def day(profile, values):
        types = MarketTypes(values, jnp.ones(()))
        reports = mechanism.reports(profile, types)
        outcome = mechanism.outcome(reports)
        schedules = getattr(reports, "schedules", None)
        nothing = jnp.full(values.shape, jnp.nan)
        return {
            "price": outcome.price,
            "quantity": outcome.quantities,
            "outside_quantity": outcome.outside_quantity,
            "payoff": mechanism.payoffs(types, outcome),
            "welfare": mechanism.welfare(types, outcome),
            "first_best": mechanism.first_best(types),
            "competitive_price": mechanism.walras_price(values, types.supply),
            "slope": nothing if schedules is None else schedules.slope(outcome.price),
            "cleared": outcome.cleared,
        }

    def session(profile, values):
        return jax.vmap(lambda v: day(profile, v))(values)

    return eqx.filter_vmap(session, in_axes=(axes, 0))(profile, days.values)


def frame(
    treatment: Treatment,
    mechanism: AbstractMarket,
    days: Days,
    settled: dict[str, jax.Array],
    nash_welfare: np.ndarray,
    regret: np.ndarray,
    converged: np.ndarray,
) -> pd.DataFrame:
    """The rows of one treatment, in dollars and pounds: N buyers, the fringe and the seller for every session and day.

    `nash_welfare` (S, T) normalised; `regret` and `converged` (S,).
    """
    get = {name: np.asarray(value) for name, value in settled.items()}
    price, catch = np.asarray(days.price), np.asarray(days.catch)
    money = (price * catch)[None, :]
    values = np.asarray(days.values)
    sessions, rounds, n = values.shape
    b, r = float(mechanism.outside_slope), float(mechanism.outside_price)
    fringe_payoff = 0.5 * b * (r - get["price"]) ** 2
    empty = np.full((sessions, rounds, 1), np.nan)

    def players(buyers, fringe, seller):
        return np.concatenate([buyers, np.asarray(fringe)[..., None], np.asarray(seller)[..., None]], axis=2).ravel()

    def each(per_day):
        return np.repeat(np.asarray(per_day).ravel(), n + 2)

    def by_session(per_session):
        return np.repeat(np.asarray(per_session), rounds * (n + 2))

    lots = sessions * rounds
    agent = "learned" if treatment.conduct == "learned" else "analytic"
    cleared = get["cleared"] & np.asarray(converged, bool)[:, None]
    day_price, day_catch = price[None, :, None], catch[None, :, None]
    return pd.DataFrame(
        {
            "session": by_session(np.arange(sessions)),
            "round": each(np.broadcast_to(np.arange(rounds), (sessions, rounds))),
            "participant": np.tile([*(f"buyer {i + 1}" for i in range(n)), "fringe", "seller"], lots),
            "role": np.tile(["buyer"] * n + ["fringe", "seller"], lots),
            "mechanism": "curve_market" if treatment.report == "schedule" else "quantity_market",
            "treatment": treatment.name,
            "type_value": players(values * day_price, empty[..., 0], empty[..., 0]),
            "report_slope": players(-get["slope"] * day_catch / day_price, empty[..., 0], empty[..., 0]),
            "quantity": players(
                get["quantity"] * day_catch,
                get["outside_quantity"] * catch,
                -np.broadcast_to(catch, (sessions, rounds)),
            ),
            "price": each(get["price"] * price),
            "payoff": players(get["payoff"] * money[..., None], fringe_payoff * money, get["price"] * money),
            "welfare": each(get["welfare"] * money),
            "first_best": each(get["first_best"] * money),
            "nash_welfare": each(nash_welfare * money),
            "competitive_price": each(get["competitive_price"] * price),
            "supply": each(np.broadcast_to(catch, (sessions, rounds))),
            "bits": np.nan,
            "regret": by_session(regret),
            "converged": each(cleared),
            "agent_type": np.where(np.tile([True] * n + [False, False], lots), agent, "analytic"),
        }
    )


def join(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """All treatments in one panel, with a 0/1 column for each and labels in `attrs`."""
    panel = pd.concat(frames, ignore_index=True)
    names = list(dict.fromkeys(panel["treatment"]))
    for name in names:
        panel[f"treat_{name}"] = (panel["treatment"] == name).astype(float)
    treats = {f"treat_{name}": f"Treatment: {name.replace('_', ' ')}" for name in names}
    panel.attrs["variable_labels"] = LABELS | treats
    return panel
