"""Runs the market study of a specification: calibrate, solve or learn each treatment, settle every market day."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd

from dcg_econ.agents import CurveAgent, ProportionalDemand, QuantityAgent, Shared
from dcg_econ.agents.learned import learned_axes
from dcg_econ.analysis import InstrumentalVariables, fulton_demand
from dcg_econ.equilibrium import Draws, Equilibrium, regret, solve
from dcg_econ.experiments import fulton, panel, theory
from dcg_econ.experiments.specification import Specification, Training, Treatment
from dcg_econ.learning import Run, train
from dcg_econ.mechanisms.market import AbstractMarket

Progress = Callable[[str, int, int, str], None]


class Played(NamedTuple):
    """One treatment: its profile (stacked over sessions along `axes`), and the evidence by session (S,)."""

    profile: Any
    axes: Any
    regret: np.ndarray
    converged: np.ndarray
    history: pd.DataFrame | None
    seconds: float
    warnings: str


def run_study(specification: Specification, progress: Progress | None = None) -> tuple[dict[str, pd.DataFrame], dict]:
    """All frames of the study, by name, and the facts that stand in its manifest."""
    data = fulton.fulton_data()
    estimate = fulton_demand(data)
    calibration = fulton.calibrate(estimate.elasticity, specification.market)
    points, curves, kernel_facts = fulton.demand_curves(data, estimate)
    markets = {"schedule": fulton.schedule_market(calibration), "quantity": fulton.quantity_market(calibration)}
    key = jax.random.key(specification.seed)
    price, catch = data["avgprc"].to_numpy(float), data["totqty"].to_numpy(float)
    days = panel.draw_days(markets["schedule"], specification.sessions, price, catch, jax.random.fold_in(key, 0))

    nash = solve(markets["schedule"])
    nash_welfare = np.asarray(panel.settle(markets["schedule"], nash.strategies, None, days)["welfare"])
    played, frames, prices = {}, [], []
    for treatment in specification.treatments:
        market = markets[treatment.report]
        done = play_treatment(treatment, market, specification, calibration, key, progress)
        settled = panel.settle(market, done.profile, done.axes, days)
        if treatment.report == "schedule":
            prices.append(np.asarray(settled["price"]))
        frames.append(panel.frame(treatment, market, days, settled, nash_welfare, done.regret, done.converged))
        played[treatment.name] = done

    results = {
        "panel": panel.join(frames),
        "demand_points": points,
        "demand_curves": curves,
        "schedules": schedules(specification, markets["schedule"], played, nash, price.mean(), catch.mean()).assign(
            **_range(prices, price.mean())
        ),
        "history": _history(played, markets, specification),
        "sensitivities": theory.sensitivities(markets["schedule"]),
        "robustness": theory.robustness(estimate.elasticity, specification.market),
        "estimation": theory.estimation_error(
            estimate.elasticity, estimate.elasticity_se, specification.market, _interval(estimate)
        ),
        "spread": theory.spread(estimate.elasticity, specification.market),
        "cells": _cells(played, specification),
    }
    plain = {name: float(value) for name, value in calibration._asdict().items()}
    facts = {"calibration": plain, "kernel demand": kernel_facts, "days": len(data)}
    return {name: frame for name, frame in results.items() if len(frame)}, facts


def play_treatment(
    treatment: Treatment,
    market: AbstractMarket,
    specification: Specification,
    calibration: fulton.Calibration,
    key: jax.Array,
    progress: Progress | None,
) -> Played:
    """The profile of a treatment: price taking, the solved equilibrium, or trained populations."""
    start, sessions = time.perf_counter(), specification.sessions
    if treatment.conduct == "learned":
        cell = jax.random.fold_in(key, zlib.crc32(treatment.name.encode()))
        run = learn(treatment, market, specification, calibration, cell, progress)
        draws = Draws(512, jax.random.fold_in(key, 1))
        epsilon = np.asarray(run.map(lambda population: regret(market, population, draws).epsilon))
        failed = np.asarray(run.failed[:, -1])
        tolerance = specification.training.regret_tolerance
        converged = (epsilon <= tolerance) & (failed == 0)
        warnings = "" if converged.all() else f"{(~converged).sum()} sessions with regret above {tolerance:g}"
        history = run.to_frame().assign(treatment=treatment.name)
        seconds = time.perf_counter() - start
        return Played(run.agents, learned_axes(run.agents), epsilon, converged, history, seconds, warnings)
    if treatment.conduct == "nash":
        eq = solve(market)
        profile, found = eq.strategies, float(eq.regret)
    else:
        profile = ProportionalDemand(1 / market.curvature)
        found = float(regret(market, profile))
    seconds = time.perf_counter() - start
    return Played(profile, None, np.full(sessions, found), np.ones(sessions, bool), None, seconds, "")


def learn(
    treatment: Treatment,
    market: AbstractMarket,
    specification: Specification,
    calibration: fulton.Calibration,
    key: jax.Array,
    progress: Progress | None,
) -> Run:
    """Trains all sessions of a learned treatment."""
    training = specification.training
    schedule = optax.cosine_decay_schedule(training.learning_rate, training.steps)
    report = None if progress is None else lambda done, total, text: progress(treatment.name, done, total, text)
    return train(
        market,
        _agents(treatment, training, calibration),
        optimiser=optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule)),
        steps=training.steps,
        batch=training.batch,
        sessions=specification.sessions,
        key=key,
        progress=report,
    )


def _agents(treatment: Treatment, training: Training, c: fulton.Calibration) -> Callable[[jax.Array], Shared]:
    """Fresh agents of a treatment: one net for all buyers, who differ in their private values only."""
    scale = {
        "value_centre": c.choke_price,
        "value_unit": max(float(c.spread), 1e-3),
        "quantity_unit": 1 / float(c.curvature * jnp.abs(jnp.asarray(c.elasticity))),
        "width": training.width,
    }
    if treatment.report == "quantity":
        return lambda key: Shared(QuantityAgent(key=key, supply_centre=1.0, **scale))
    knots = jnp.linspace(*fulton.PRICE_BOUNDS, training.knots)
    return lambda key: Shared(CurveAgent(knots, key=key, **scale))


def schedules(
    specification: Specification,
    market: AbstractMarket,
    played: dict[str, Played],
    nash: Equilibrium,
    price: float,
    catch: float,
) -> pd.DataFrame:
    """One buyer's schedules on a day of average price and catch, for the lowest, the mean and the highest value."""
    grid = jnp.linspace(0.7, 1.3, 61)
    spread = np.sqrt(3) * market.values.std()  # the half-width of a uniform prior
    types = market.values.mean() + jnp.array([-1.0, 0.0, 1.0]) * spread
    n = len(market.players)

    def ask(profile, value):
        return jax.vmap(lambda p: profile(jnp.full(n, value))(p)[0])(grid)

    lines = {"true marginal value": ProportionalDemand(1 / market.curvature), "nash_schedules": nash.strategies}
    asked = {name: np.asarray(jax.vmap(lambda v, f=f: ask(f, v))(types))[None] for name, f in lines.items()}
    for treatment in specification.treatments:
        if treatment.conduct == "learned" and treatment.report == "schedule":
            done = played[treatment.name]
            each = eqx.filter_vmap(lambda f: jax.vmap(lambda v: ask(f, v))(types), in_axes=(done.axes,))
            asked[treatment.name] = np.asarray(each(done.profile))
    rows = []
    for name, quantities in asked.items():
        low, high = (np.quantile(quantities, q, axis=0) if len(quantities) > 1 else None for q in (0.1, 0.9))
        for i, value in enumerate(np.asarray(types)):
            rows.append(
                pd.DataFrame(
                    {
                        "treatment": name,
                        "type_value": value * price,
                        "price": np.asarray(grid) * price,
                        "quantity": quantities.mean(0)[i] * catch,
                        "quantity_low": np.nan if low is None else low[i] * catch,
                        "quantity_high": np.nan if high is None else high[i] * catch,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def _interval(estimate: InstrumentalVariables) -> tuple[float, float]:
    """The 95 % interval of the elasticity."""
    low, high = estimate.coefficients.loc[estimate.endogenous, ["low", "high"]]
    return float(low), float(high)


def _range(prices: list[np.ndarray], price: float) -> dict[str, float]:
    """Where prices fall in 90 % of cases on a day of average price, over all treatments with schedules."""
    low, high = np.quantile(np.concatenate(prices), [0.05, 0.95]) if prices else (np.nan, np.nan)
    return {"occurs_low": low * price, "occurs_high": high * price}


def _history(played: dict[str, Played], markets: dict, specification: Specification) -> pd.DataFrame:
    """Efficiency and regret over training, beside the Nash efficiency of the same message."""
    frames = []
    for treatment in specification.treatments:
        history = played[treatment.name].history
        if history is not None:
            frames.append(history.assign(nash_efficiency=float(solve(markets[treatment.report]).efficiency)))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _cells(played: dict[str, Played], specification: Specification) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "cell": name,
                "status": "ok",
                "sessions": specification.sessions,
                "unconverged": int((~done.converged).sum()),
                "seconds": round(done.seconds, 1),
                "warnings": done.warnings,
            }
            for name, done in played.items()
        ]
    )
