"""The lam of a logit quantal response equilibrium that makes observed choices most likely (McKelvey and Palfrey 1995).

With c_ia the number of times that player i chose a and p the principal branch, lam maximises L = sum_ia c_ia ln p_ia(lam).
It is bracketed among values of lam that rise by a constant factor, and then found as the root of dL / dlam.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from dcg_econ._errors import InputError, is_concrete, require_positive
from dcg_econ.mechanisms.finite_games.normal_form import NormalForm, Profile
from dcg_econ.mechanisms.finite_games.quantal import Place, begin, followed, log_choices, logit_slopes, span_of
from dcg_econ.priors import number

_LAMS = (1e-2, 1e3, 81)  # in units of 1 / span of payoffs: where the likelihood is looked at first
_HALVINGS = 60
_ROUNDING = 100  # times the precision, the counts and the span: a slope of L that is none


class LamFit(NamedTuple):
    """The estimate `lam` (), in units of 1 / payoff, its `standard_error` from the observed information -L'', the largest
    `log_likelihood`, without the multinomial constant, and the choice probabilities `profile` there.

    `interior`: L' = 0 and L'' < 0. Where not, the likelihood is largest at an end (lam = 0: no better than chance; the largest
    lam looked at, 1000 over the span of payoffs; or where the principal branch turns) and the standard error is NaN.
    `turned`: the branch turns before the largest lam looked at, so that greater lams were not compared.
    """

    lam: Float[Array, ""]
    standard_error: Float[Array, ""]
    log_likelihood: Float[Array, ""]
    profile: Profile
    interior: Bool[Array, ""]
    turned: Bool[Array, ""]


def fit_lam(game: NormalForm, counts: tuple[ArrayLike, ...]) -> LamFit:
    """The most likely lam on the principal branch for `counts`, N arrays (A_i,): how often each action was chosen.

    Counts need not be whole numbers. Raises `InputError` for counts of the wrong shapes, negative or all zero, and for
    payoffs that do not depend on actions, which say nothing of lam.
    """
    observed = tuple(number("counts")(c) for c in counts)
    shapes = tuple(c.shape for c in observed)
    if shapes != tuple((n,) for n in game.actions):
        raise InputError("counts", f"shapes {shapes}", f"give a count for each of {game.actions} actions")
    require_positive("counts", jnp.concatenate(observed), strict=False)
    if is_concrete(observed) and not any(float(jnp.sum(c)) > 0 for c in observed):
        raise InputError("counts", "all are zero", "give the observed choices")
    axes = tuple(range(1, game.payoffs.ndim))
    if is_concrete(game) and not np.any(np.ptp(np.asarray(game.payoffs), axis=axes) > 0):
        raise InputError("payoffs", "they do not depend on actions", "give a game in which choices matter")
    return _fit(game, observed)


@eqx.filter_jit
def _fit(game: NormalForm, counts: Profile) -> LamFit:
    def likelihood(place):
        each = zip(counts, log_choices(game, place.logits), strict=True)
        return sum((jnp.sum(c * x) for c, x in each), jnp.zeros(()))

    def on(place, high):
        place = followed(game, place, high)
        return place, place

    low, high, many = _LAMS
    lams = jnp.geomspace(low, high, many, dtype=game.payoffs.dtype) / span_of(game)
    zero = begin(game)
    _, rest = jax.lax.scan(on, zero, lams)
    places = jax.tree.map(lambda first, x: jnp.concatenate([first[None], x]), zero, rest)
    last = jnp.sum(~places.turned) - 1
    likelihoods = jnp.where(places.turned, -jnp.inf, jax.vmap(likelihood)(places))
    best = jnp.argmax(likelihoods)
    ends = jnp.maximum(best - 1, 0), jnp.minimum(best + 1, last)
    left, right = (jax.tree.map(lambda x, i=i: x[i], places) for i in ends)

    def narrowed(bracket, _):
        low, high = bracket
        middle = followed(game, low, 0.5 * (low.lam + high))
        rising = _score(game, counts, middle) > 0
        low = jax.tree.map(lambda new, old: jnp.where(rising, new, old), middle, low)
        return (low, jnp.where(rising, high, middle.lam)), None

    (place, _), _ = jax.lax.scan(narrowed, (left, right.lam), length=_HALVINGS)
    curvature = _curvature(game, counts, place)
    none = _ROUNDING * jnp.finfo(lams.dtype).eps * sum(jnp.sum(c) for c in counts) * span_of(game)
    interior = (_score(game, counts, left) > none) & (_score(game, counts, right) < -none) & (curvature < 0)
    error = jnp.where(interior, 1 / jnp.sqrt(jnp.where(interior, -curvature, 1.0)), jnp.nan)
    profile = tuple(jnp.exp(x) for x in log_choices(game, place.logits))
    return LamFit(place.lam, error, likelihood(place), profile, interior, jnp.any(places.turned))


def _score(game: NormalForm, counts: Profile, place: Place) -> Float[Array, ""]:
    """dL / dlam at a point on the branch."""
    _, moved = jax.jvp(lambda z: log_choices(game, z), (place.logits,), (place.slopes,))
    return sum((jnp.sum(c * m) for c, m in zip(counts, moved, strict=True)), jnp.zeros(()))


def _curvature(game: NormalForm, counts: Profile, place: Place) -> Float[Array, ""]:
    """d^2 L / dlam^2 along the branch."""

    def score(logits, lam):
        slopes, _ = logit_slopes(game, logits, lam)
        return _score(game, counts, Place(logits, slopes, lam, place.turned, place.lost))

    along = place.slopes, jnp.ones_like(place.lam)
    _, curvature = jax.jvp(score, (place.logits, place.lam), along)
    return curvature
