"""Finite games of two players: all Nash equilibria, and quantal responses in batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dcg_econ.mechanisms.finite_games import NormalForm, nash, quantal_response
from tests.benchmarks.ratios import Row, against, compare, seconds, warm

GAMES, SAMPLE, LAM = 1000, 50, 1.0


def draws(games, size):
    return np.random.default_rng(3).normal(size=(games, 2, size, size))


@pytest.mark.parametrize(("peer", "size", "count"), [("nashpy", 6, 5), ("quantecon", 6, 20), ("quantecon", 9, 3)])
def test_all_equilibria(put, peer, size, count):
    """Every equilibrium; quantecon compiled and warm."""
    tables = draws(count, size)
    games = [NormalForm(table) for table in tables]
    if peer == "nashpy":
        nashpy = pytest.importorskip("nashpy", reason="the peer is nashpy")
        # Its enumeration of supports misses equilibria of such games.
        theirs = lambda: [len(list(nashpy.Game(*t).vertex_enumeration())) for t in tables]  # noqa: E731
    else:
        theory = pytest.importorskip("quantecon.game_theory", reason="the peer is quantecon")
        made = [theory.NormalFormGame((theory.Player(t[0]), theory.Player(t[1].T))) for t in tables]
        theirs = lambda: [len(theory.support_enumeration(g)) for g in made]  # noqa: E731
    ours = lambda: [len(nash(g).rows) for g in games]  # noqa: E731
    found = compare(ours, theirs, rounds=3)
    way = "nashpy, vertices" if peer == "nashpy" else "quantecon, supports"
    put(against(f"all equilibria of {count} games of {size} x {size}", way, found))
    assert ours() == theirs()


@pytest.mark.parametrize("size", [2, 4])
def test_quantal_responses(put, size):
    """The principal branch up to lam, for a batch of games in one call; pygambit's branch, one game after the other."""
    gambit = pytest.importorskip("pygambit", reason="the peer is pygambit")
    make = getattr(gambit, "StrategicGame", gambit.Game).from_arrays
    tables = draws(GAMES, size)
    batch = jax.jit(jax.vmap(lambda t: jnp.concatenate(quantal_response(NormalForm(t), LAM).profile)))
    here, cold = warm(lambda: batch(jnp.asarray(tables)))
    made = [make(*table) for table in tables[:SAMPLE]]
    solved = []
    there = (
        seconds(lambda: solved.extend(gambit.qre.logit_solve_lambda(g, lam=[LAM])[0] for g in made)) * GAMES / SAMPLE
    )
    put(Row(f"quantal responses of {GAMES:,} games of {size} x {size}", here, cold, "pygambit", there, there / here))
    for point, ours in zip(solved, np.asarray(batch(jnp.asarray(tables))), strict=False):
        players = point.profile.game.players if hasattr(point.profile, "game") else point.game.players
        flat = [x[1] if isinstance(x, tuple) else x for player in players for x in point.profile[player]]
        np.testing.assert_allclose(ours, np.asarray(flat, float), atol=1e-6)
