"""What the pre-print measures beside the studies: noise of gradients, and institutions of public goods by message.

    python papers/preprint/paper_measurements.py

writes data/gradients.csv (a minute or two) and data/institutions.csv (about twenty minutes on two cores).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import equinox as eqx
import jax
import numpy as np
import pandas as pd
from paper_data import DATA

import dcg_econ as dcg
from dcg_econ.diagnostics import gsnr
from dcg_econ.experiments.frontier import cases, frontier
from dcg_econ.experiments.program import prepare
from dcg_econ.experiments.referential import nets, protocol_of
from dcg_econ.experiments.specification import Training
from dcg_econ.learning import default_optimiser
from dcg_econ.mechanisms import Reconstruction, public_goods

SESSIONS, STAGES, BATCH, SAMPLES = 10, (0, 20, 60), 256, 64
ESTIMATORS = {"pathwise": dcg.Pathwise(), "score_function": dcg.ScoreFunction(dcg.LeaveOneOut())}


def gradients() -> pd.DataFrame:
    """GSNR of the sender's gradient by estimator and stage of learning: `SESSIONS` pairs, one batch of objects each held."""
    return pd.DataFrame([row for stage in STAGES for row in _at(stage)])


def _at(stage: int) -> Iterator[dict]:
    game, language = Reconstruction(), dcg.Continuous(1, 32, through=dcg.GaussianNoise(0.3))
    protocol, make = protocol_of(language), nets(game, language)
    run = dcg.train(
        game,
        make,
        protocol,
        objective=dcg.Joint(),
        optimiser=default_optimiser(200, 2e-2),
        steps=max(stage, 1),
        records=1,
        batch=512,
        sessions=SESSIONS,
        key=jax.random.key(3),
    )

    @eqx.filter_jit
    def drawn(population, estimator, key, noise):
        return dcg.gradient_samples(
            game, population, protocol, estimator=estimator, objective=dcg.Joint(), of=lambda p: p.sender,
            batch=BATCH, samples=SAMPLES, key=key, noise=noise,
        )  # fmt: skip

    for session in range(SESSIONS):
        fresh = make(jax.random.fold_in(jax.random.key(3), session))
        population = run.session(session) if stage else fresh
        keys = jax.random.key(session), jax.random.key(100 + session)
        found = {name: np.asarray(drawn(population, each, *keys)) for name, each in ESTIMATORS.items()}
        exact = found["pathwise"].mean(axis=0)
        for name, draws in found.items():
            value = gsnr(draws, exact)
            yield {
                "step": stage, "session": session, "estimator": name, "gsnr": value.value, "low": value.low,
                "high": value.high, "cosine": value.cosine,
                "efficiency": float(run.efficiency[session, -1]) if stage else np.nan,
            }  # fmt: skip


def institutions() -> pd.DataFrame:
    """Share of the possible gains by institution and message, ten learned groups each (`experiments.frontier`)."""
    preferences = public_goods.QuadraticPreferences(dcg.Uniform(4.0, 8.0), dcg.Uniform(0.5, 1.5), players=5)
    listed = cases(preferences, public_goods.QuadraticCost(5.0, 1.0), endowment=20.0, gamma=10.0)
    training = Training(steps=1000, batch=64, learning_rate=3e-3)
    return frontier(listed, training, sessions=10, words=8, progress=lambda *told: print(*told, file=sys.stderr))


def main() -> None:
    prepare()
    DATA.mkdir(exist_ok=True)
    for name, measure in (("gradients", gradients), ("institutions", institutions)):
        if len(sys.argv) == 1 or name in sys.argv[1:]:
            measure().to_csv(DATA / f"{name}.csv", index=False, float_format="%.10g", lineterminator="\n")
            print(f"wrote {DATA / name}.csv")


if __name__ == "__main__":
    main()
