"""A race on the referential game: how many episodes each channel and estimator needs, nets, data and seeds held.

Every entry learns with the same nets (GRU writer and reader), the same objects and the same seeds; what differs is the
language, the estimator and its tuned settings. Sessions that never arrive count as the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd

from dcg_econ.agents import SenderReceiver
from dcg_econ.agents.nets import AbstractNets
from dcg_econ.agents.sequences import Chooser, Describer, TokenReader, TokenWriter
from dcg_econ.agents.transformer import Layout
from dcg_econ.experiments.frontier import half_width
from dcg_econ.learning import AbstractEstimator, Joint, Protocol, Run, default_optimiser, train
from dcg_econ.mechanisms.referential import AbstractReferential, Discrimination
from dcg_econ.messages import AbstractLanguage, Continuous

TARGET = 0.95
EVERY = 20  # steps between evaluations
STEPS = 4  # of the nets that write and read a message


class Entry(NamedTuple):
    """One way to learn: a language, an estimator, and the first step of Adam."""

    name: str
    language: AbstractLanguage
    estimator: AbstractEstimator
    learning_rate: float


def protocol_of(language: AbstractLanguage) -> Protocol:
    """The sender says one message."""
    return Protocol(language, speakers=("sender",))


def nets(
    game: AbstractReferential, language: AbstractLanguage, width: int = 64, kind: AbstractNets | None = None
) -> Callable[[jax.Array], Any]:
    """A writer and a reader that suit the language, GRUs or nets of a `kind`; a function of a key.

    A single continuous token is written and read in `STEPS` steps where its width allows, as chat of that length is.
    """
    features = game.attributes * game.values
    length = getattr(language, "length", 1)
    extra = length if isinstance(language, Continuous) and length > 1 else 0  # the stop logits
    if length == 1 and isinstance(language, Continuous) and language.width % STEPS == 0:
        length = STEPS
    said, heard = (language.raw - extra) // length, language.heard // length

    def pair(first, second):
        if kind is None:
            writer = TokenWriter(features, length, said, key=first, width=width, extra=extra)
            return writer, TokenReader(length, heard, key=second, width=width)
        layout = Layout(features, says=length, types=game.attributes)
        return kind.make(layout, language.raw, first), kind.make(Layout(0, language.heard, heard), width, second)

    def make(key):
        first, second = jax.random.split(key)
        second, third = jax.random.split(second)
        writer, reader = pair(first, second)
        if isinstance(game, Discrimination):
            return SenderReceiver(writer, Chooser(reader, width, features, key=third), language.heard)
        return SenderReceiver(writer, Describer(reader, width, features, key=third), language.heard)

    return make


def learn(
    game: AbstractReferential,
    entry: Entry,
    *,
    episodes: int,
    sessions: int,
    batch: int = 512,
    width: int = 64,
    seed: int = 1,
    progress: Callable[[int, int, str], None] | None = None,
) -> Run:
    """Trains the sessions of one entry on at most `episodes` episodes each."""
    steps = max(EVERY, episodes // batch // EVERY * EVERY)
    return train(
        game,
        nets(game, entry.language, width),
        protocol_of(entry.language),
        estimator=entry.estimator,
        objective=Joint(),
        optimiser=default_optimiser(steps, entry.learning_rate),
        steps=steps,
        batch=batch,
        sessions=sessions,
        records=steps // EVERY,
        record_draws=1000,
        key=jax.random.key(seed),
        progress=progress,
    )


def arrivals(history: pd.DataFrame, batch: int = 512, target: float = TARGET) -> pd.DataFrame:
    """One row for each treatment: episodes until sessions are first evaluated at `target` or more, held to symbols.

    `history`: treatment, session, step, efficiency, soft. Sessions that never arrive count as the budget. With the 95 per cent
    interval of the mean over sessions (Student's t), and scores at the end, discretised and as trained.
    """
    return pd.DataFrame([_row(name, part, batch, target) for name, part in history.groupby("treatment", sort=False)])


def first_arrivals(history: pd.DataFrame, batch: int = 512, target: float = TARGET) -> pd.DataFrame:
    """One row for each session of one treatment: `episodes` until it is first evaluated at `target` or more, the budget where
    it never is, and whether it `arrived`."""
    efficiency = history.pivot(index="session", columns="step", values="efficiency")
    reached = efficiency.to_numpy() >= target
    arrived, steps = reached.any(axis=1), np.asarray(efficiency.columns)
    first = np.where(arrived, steps[reached.argmax(axis=1)], steps[-1])
    return pd.DataFrame({"episodes": first * float(batch), "arrived": arrived}, index=efficiency.index)


def gaps(
    history: pd.DataFrame, pairs: Sequence[tuple[str, str]], batch: int = 512, target: float = TARGET
) -> pd.DataFrame:
    """Episodes to the target that `one` needs more than `other`, one row a pair, paired by session (the same objects and
    seeds): the mean with its 95 per cent interval and p value by Student's t, adjusted by Holm's method over the pairs."""
    from scipy import stats
    from statsmodels.stats.multitest import multipletests

    first = {name: first_arrivals(own, batch, target)["episodes"] for name, own in history.groupby("treatment")}
    rows = []
    for one, other in pairs:
        gap = (first[one] - first[other]).to_numpy()
        half = half_width(gap)
        p = float(stats.ttest_1samp(gap, 0).pvalue) if gap.std() > 0 else float(not gap.any())
        rows.append((one, other, gap.mean(), gap.mean() - half, gap.mean() + half, p))
    found = pd.DataFrame(rows, columns=["one", "other", "more", "low", "high", "p"])
    return found.assign(p_holm=multipletests(found["p"], method="holm")[1])


def _row(name: Any, history: pd.DataFrame, batch: int, target: float) -> dict[str, Any]:
    efficiency = history.pivot(index="session", columns="step", values="efficiency")
    first = first_arrivals(history, batch, target)
    counted, half = first["episodes"], half_width(first["episodes"].to_numpy())
    last, soft = efficiency.iloc[:, -1], history.pivot(index="session", columns="step", values="soft").iloc[:, -1]
    return {
        "treatment": name,
        "episodes": counted.mean(),
        "low": counted.mean() - half,
        "high": counted.mean() + half,
        "median": counted.median(),
        "arrived": first["arrived"].mean(),
        "budget": float(efficiency.columns[-1]) * batch,
        "best": efficiency.max(axis=1).mean(),
        "discretised": last.mean(),
        "sd": last.std(ddof=1),
        "soft": soft.mean(),
        "sessions": len(last),
    }
