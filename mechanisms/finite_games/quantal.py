r"""Logit quantal response equilibria (McKelvey and Palfrey 1995): players choose better actions more often, lam says how much.

With u_i(p) the payoffs of player i's actions against the others' mixed actions, and in units of 1 / payoff lam >= 0,

    p_i = softmax(lam u_i(p))     for every player i.                                                     (1)

Solved in logits, free of the constant that softmax ignores, so that probabilities near zero lose no digits:

    F(z, lam) = z_i - lam (u_i(softmax(z)) - mean of u_i) = 0,     F_z = 1 - lam (...),     F_lam = -(u_i - mean).   (2)

At lam = 0 everybody is uniform, and from there the principal branch rises without a gap for as long as F_z is regular:

    dz / dlam = -F_z^{-1} F_lam.                                                                          (3)

It is followed by Euler's predictor from (3) and Newton's corrector on (2), in steps that halve where the corrector has to
move far. det F_z is positive at lam = 0. Where it vanishes the branch turns back in lam, or meets others: it is said to have
turned where det F_z is not positive, or where no step however small is good. A point at which two eigenvalues vanish
together, as symmetries of three and more actions can bring about, leaves the sign and is not noticed.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from dcg_econ._errors import EquilibriumError, InputError, is_concrete, require_positive
from dcg_econ.equilibrium.linear import Tolerant
from dcg_econ.equilibrium.tolerances import step_tolerance
from dcg_econ.mechanisms.finite_games.normal_form import NormalForm, Profile, action_payoffs, require_profile
from dcg_econ.priors import number

_LINEAR = Tolerant(lx.LU())
_ADJOINT = optx.ImplicitAdjoint(linear_solver=_LINEAR)
_CORRECTIONS = 8  # Newton steps of the corrector, which starts near enough for four
_FINAL = 12
_FAR = 0.1  # the largest correction of a logit in a good step
_FIRST = 0.25  # the first step in lam times the span of payoffs; later ones are up to twice that, or as long as lam
_SHORTEST = 2.0**-30  # of twice the first; where no longer step is good, the branch is lost
_TRIES = 10_000  # steps between one lam asked for and the next


class QuantalResponse(eqx.Module):
    """A solution of (1): `profile`, a tuple of (A_i,), `lam`, and the evidence.

    `residual`: the largest |F| of (2). `regular`: det F_z > 0 here, and on the principal branch all the way from lam = 0.
    `found`: the residual is rounding; profile and residual are NaN where not. The evidence carries no derivatives.
    """

    profile: Profile
    lam: Float[Array, ""]
    residual: Float[Array, ""]
    regular: Bool[Array, ""]
    found: Bool[Array, ""]


class QuantalPath(eqx.Module):
    """The principal branch at L values of lam, in the order asked for.

    `profiles` and `slopes`: tuples of (L, A_i), probabilities and their derivatives (3) in lam. `residual` (L,): the
    largest |F| of (2). `turned` (L,): the branch has met a singular point at this lam or before. `found` (L,): the values
    solve (1); where the branch went on through a singular point, as symmetric ones do, they still do, and where it turned
    back in lam they do not and are NaN.
    """

    lams: Float[Array, " L"]
    profiles: tuple[Float[Array, "L _"], ...]
    slopes: tuple[Float[Array, "L _"], ...]
    residual: Float[Array, " L"]
    turned: Bool[Array, " L"]
    found: Bool[Array, " L"]


def quantal_response(game: NormalForm, lam: ArrayLike, near: Profile | None = None) -> QuantalResponse:
    """The quantal response equilibrium at `lam` (): on the principal branch, or by Newton's method from `near`.

    Differentiable implicitly in lam and payoffs. Raises `InputError`, and `EquilibriumError` where none was found, because
    the principal branch turns back before lam, say; under `jax.vmap` such a lane carries NaN. Look at `regular`.
    """
    lam = _one_lam(lam)
    if near is not None:
        require_profile(game, near)
    found = _respond(game, lam, near)
    if is_concrete(found) and not bool(found.found):
        raise EquilibriumError(
            f"no quantal response equilibrium was reached at lam {float(lam):g}: give a profile `near` one, or see by "
            "quantal_path where the principal branch turns"
        )
    return found


def quantal_path(game: NormalForm, lams: ArrayLike) -> QuantalPath:
    """The principal branch (3) from the uniform profile at lam = 0, at each of `lams` (L,), zero or more, rising.

    Look at `turned`: it does not raise. Raises `InputError` for lams that are negative or not rising.
    """
    lams = number("lams")(lams)
    if lams.ndim != 1 or lams.shape[0] == 0:
        raise InputError("lams", f"shape {lams.shape}", "give (L,), one or more values of lam")
    require_positive("lams", lams, strict=False)
    if is_concrete(lams) and np.any(np.diff(np.asarray(lams)) < 0):
        raise InputError("lams", "not rising", "sort them")
    return _path(game, lams)


def log_choices(game: NormalForm, logits: Float[Array, " Z"]) -> tuple[Float[Array, " _"], ...]:
    """Logarithms of the probabilities, a tuple of (A_i,), of all players' logits in one row."""
    ends = np.cumsum(game.actions)[:-1]
    return tuple(jax.nn.log_softmax(z) for z in jnp.split(logits, ends))


def conditions(game: NormalForm, logits: Float[Array, " Z"], lam: Float[Array, ""]) -> Float[Array, " Z"]:
    """F of (2)."""
    profile = tuple(jnp.exp(x) for x in log_choices(game, logits))
    centred = [u - jnp.mean(u) for u in action_payoffs(game, profile)]
    return logits - lam * jnp.concatenate(centred)


def logit_slopes(game: NormalForm, logits: Float[Array, " Z"], lam: Float[Array, ""]):
    """dz / dlam of (3), zero where F_z is singular, and the sign of det F_z."""
    by_z, by_lam = jax.jacfwd(conditions, argnums=(1, 2))(game, logits, lam)
    sign, _ = jnp.linalg.slogdet(by_z)
    slopes = lx.linear_solve(lx.MatrixLinearOperator(by_z), -by_lam, _LINEAR, throw=False).value
    return slopes, sign


def corrected(game: NormalForm, logits: Float[Array, " Z"], lam: Float[Array, ""], steps: int = _CORRECTIONS):
    """Newton's method on (2) from `logits`, with implicit derivatives in the game and lam; and the largest |F|."""

    def residual(z, args):
        return conditions(args[0], z, args[1])

    tolerance = step_tolerance(logits.dtype) ** 1.2
    solver = optx.Newton(rtol=tolerance, atol=tolerance, linear_solver=_LINEAR)
    start = jax.lax.stop_gradient(logits)
    found = optx.root_find(residual, solver, start, (game, lam), max_steps=steps, adjoint=_ADJOINT, throw=False).value
    left = jnp.max(jnp.abs(conditions(*jax.lax.stop_gradient((game, found, lam)))))
    return found, left


def solves(residual: Array, logits: Float[Array, " Z"]) -> Bool[Array, ""]:
    """Whether what is left of (2) is rounding, for logits of this size."""
    return residual <= step_tolerance(logits.dtype) * (1 + jnp.max(jnp.abs(logits)))


def span_of(game: NormalForm) -> Float[Array, ""]:
    """The largest difference between payoffs of a player, or one where there is none: the unit of 1 / lam."""
    axes = tuple(range(1, game.payoffs.ndim))
    span = jnp.max(jnp.max(game.payoffs, axis=axes) - jnp.min(game.payoffs, axis=axes))
    return jnp.where(span > 0, span, 1.0)


class Place(eqx.Module):
    """Where a branch has been followed to: `logits` at `lam`; whether it has met a singular point (`turned`), and whether it
    could not be followed further (`lost`). `slopes`: dz / dlam of (3) there."""

    logits: Float[Array, " Z"]
    slopes: Float[Array, " Z"]
    lam: Float[Array, ""]
    turned: Bool[Array, ""]
    lost: Bool[Array, ""]


def followed(game: NormalForm, place: Place, high: Float[Array, ""]) -> Place:
    """The branch from `place` on to lam = `high`, without derivatives.

    A step is good if the corrector arrives and moves no logit by more than a tenth; the next may then be twice as long, and
    half as long if not. The branch is lost where no step is good.
    """
    game, high = jax.lax.stop_gradient((game, high))
    longest = 2 * _FIRST / span_of(game)

    def going(state):
        place, _, tries = state
        return ~place.lost & (place.lam < high) & (tries < _TRIES)

    def one(state):
        place, step, tries = state
        ahead = jnp.where(place.lam + step < high, place.lam + step, high)
        guess = place.logits + (ahead - place.lam) * place.slopes
        after, left = corrected(game, guess, ahead)
        good = solves(left, after) & (jnp.max(jnp.abs(after - guess)) <= _FAR)
        lost = ~good & (step < _SHORTEST * longest)
        slopes, sign = logit_slopes(game, after, ahead)
        turned = place.turned | lost | (good & (sign <= 0))
        moved = Place(after, slopes, ahead, turned, lost)
        stayed = Place(place.logits, place.slopes, place.lam, turned, lost)
        there = jax.tree.map(lambda new, old: jnp.where(good, new, old), moved, stayed)
        return there, jnp.where(good, jnp.minimum(2 * step, jnp.maximum(longest, ahead)), 0.5 * step), tries + 1

    place, _, _ = jax.lax.while_loop(going, one, (place, 0.5 * longest, jnp.zeros((), int)))
    lost = place.lost | (place.lam < high)
    return Place(place.logits, place.slopes, place.lam, place.turned | lost, lost)


def begin(game: NormalForm) -> Place:
    """Everybody uniform, at lam = 0."""
    no, zero = jnp.asarray(False), jnp.zeros((), game.payoffs.dtype)
    logits = jnp.zeros(sum(game.actions), zero.dtype)
    return Place(logits, logit_slopes(jax.lax.stop_gradient(game), logits, zero)[0], zero, no, no)


@eqx.filter_jit
def _path(game: NormalForm, lams: Array) -> QuantalPath:
    def on(place, high):
        place = followed(game, place, high)
        return place, place

    _, places = jax.lax.scan(on, begin(game), lams)

    def at(place, lam):
        z, left = corrected(game, place.logits, lam, _FINAL)
        slopes, _ = logit_slopes(game, z, lam)
        profile, moved = jax.jvp(lambda z: tuple(jnp.exp(x) for x in log_choices(game, z)), (z,), (slopes,))
        found = ~place.lost & solves(left, jax.lax.stop_gradient(z))
        shown = jax.tree.map(lambda x: jnp.where(found, x, jnp.nan), (profile, moved, left))
        return *shown, found

    profiles, slopes, left, found = jax.vmap(at)(places, lams)
    return QuantalPath(lams, profiles, slopes, left, places.turned, found)


@eqx.filter_jit
def _respond(game: NormalForm, lam: Array, near: Profile | None) -> QuantalResponse:
    if near is None:
        place = followed(game, begin(game), lam)
        start, reached, whole = place.logits, ~place.lost, ~place.turned
    else:
        logs = [jnp.log(jnp.maximum(mixed, jnp.finfo(lam.dtype).tiny)) for mixed in near]
        yes = jnp.asarray(True)
        start, reached, whole = jnp.concatenate([x - jnp.mean(x) for x in logs]), yes, yes
    z, left = corrected(game, start, lam, _FINAL if near is None else 4 * _FINAL)
    _, sign = logit_slopes(*jax.lax.stop_gradient((game, z, lam)))
    found = reached & solves(left, jax.lax.stop_gradient(z))
    profile = tuple(jnp.where(found, jnp.exp(x), jnp.nan) for x in log_choices(game, z))
    return QuantalResponse(profile, lam, jnp.where(found, left, jnp.nan), found & whole & (sign > 0), found)


def _one_lam(lam) -> Array:
    lam = number("lam")(lam)
    if lam.ndim > 0:
        raise InputError("lam", f"shape {lam.shape}", "give one number; for many use quantal_path or jax.vmap")
    require_positive("lam", lam, strict=False)
    return lam
