"""Cooperative solutions of two-player bargaining: Nash, Kalai-Smorodinsky, egalitarian, utilitarian.

Along the frontier of a bargaining set (see `frontier`), with u = (u_1, u_2) at position t, u' its derivative, d the
disagreement point, I the ideal point and w weights that sum to one, the solutions are the roots of

    w_1 u_1' (u_2 - d_2) = - w_2 u_2' (u_1 - d_1)          Nash (1950): the product of gains^w is largest      (1)
    (I_1 - d_1) (u_2 - d_2) = (I_2 - d_2) (u_1 - d_1)      Kalai and Smorodinsky (1975): gains as ideal gains  (2)
    u_2 - d_2 = u_1 - d_1                                  egalitarian (Kalai 1977): equal gains               (3)
    w_1 u_1' = - w_2 u_2'                                  utilitarian: the weighted sum is largest            (4)

Each left side less its right side falls in t ((1) and (4) where the frontier is concave), so the root is unique; where
it lies beyond the end of the set the end is the solution, a corner. Only (4) can hold along a whole segment. All look at
agreements that give each player at least its disagreement payoff. Derivatives are implicit: for Nash's with transferable
utility u_i = d_i + w_i (S - d_1 - d_2).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Bool, Float

from dcg_econ._errors import EquilibriumError, InputError, is_concrete
from dcg_econ.mechanisms.bargaining.frontier import BargainingSet, Extent, crossing
from dcg_econ.priors import number

_PLAYERS = ("player 1", "player 2")
_EQUAL = (0.5, 0.5)


class Solution(eqx.Module):
    """What a solution gives: `payoffs`, `gains` over `disagreement`, and the `ideal` point, all (2,) in payoff units.

    `residual`: the gap between the sides of the solution's condition as a share of both; one that is not nil shows a kink
    in the frontier, where derivatives mean nothing. `corner`: the solution is an end of the bargaining set, where the
    condition need not hold. `found`: False, with NaN payoffs, for a lane of
    `jax.vmap` without solution. Residual and the two flags carry no derivatives.
    """

    payoffs: Float[Array, 2]
    disagreement: Float[Array, 2]
    ideal: Float[Array, 2]
    residual: Float[Array, ""]
    corner: Bool[Array, ""]
    found: Bool[Array, ""]
    name: str = eqx.field(static=True)

    @property
    def gains(self) -> Float[Array, 2]:
        """What agreement gives each player beyond disagreement."""
        return self.payoffs - self.disagreement

    def to_frame(self):
        """A pandas frame, one row a player."""
        import pandas as pd

        columns = {"payoff": self.payoffs, "disagreement": self.disagreement, "gain": self.gains, "ideal": self.ideal}
        return pd.DataFrame({name: np.asarray(value) for name, value in columns.items()}, index=list(_PLAYERS))

    def __str__(self):
        if self.found.ndim > 0:
            return f"{self.name} of {self.found.size} bargaining sets, {int(jnp.sum(self.found))} found"
        where = "at an end of the bargaining set" if bool(self.corner) else f"residual {float(self.residual):.2g}"
        return f"{self.name} ({where})\n{self.to_frame().to_string(float_format='%.6f')}"

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(float_format="%.6f")


def nash_bargaining(bargaining_set: BargainingSet, weights: ArrayLike | Sequence[float] = _EQUAL) -> Solution:
    """The Nash bargaining solution (1), asymmetric with unequal `weights` (2,) (bargaining power; they need not sum to
    one). Raises `InputError` where the frontier is not concave: the product of gains may have several maxima."""
    return _solution(_Nash(_shares(weights)), bargaining_set)


def kalai_smorodinsky(bargaining_set: BargainingSet) -> Solution:
    """The Kalai-Smorodinsky solution (2): gains in proportion to the players' best gains."""
    return _solution(_KalaiSmorodinsky(), bargaining_set)


def egalitarian(bargaining_set: BargainingSet) -> Solution:
    """The egalitarian solution (3): equal gains, as far as the frontier reaches."""
    return _solution(_Egalitarian(), bargaining_set)


def utilitarian(bargaining_set: BargainingSet, weights: ArrayLike | Sequence[float] = _EQUAL) -> Solution:
    """The utilitarian solution (4): the largest weighted sum of payoffs, `weights` (2,).

    Raises `InputError` where a whole segment has it (a straight frontier whose slope is that of the weights), or where
    the frontier is not concave.
    """
    return _solution(_Utilitarian(_shares(weights)), bargaining_set)


def disagreement_effects(solution: Callable[..., Solution], bargaining_set: BargainingSet, **settings: Any):
    """d payoff / d disagreement as a pandas frame (2, 2): a row for whose payoff, a column for whose disagreement payoff.

    `solution` is one of the functions of this file and `settings` its further arguments. For other parameters take
    `jax.jacobian` of `solution(...).payoffs`.
    """
    import pandas as pd

    solution(bargaining_set, **settings)

    def payoffs(disagreement):
        return solution(eqx.tree_at(lambda s: s.disagreement, bargaining_set, disagreement), **settings).payoffs

    effects = jax.jacfwd(payoffs)(bargaining_set.disagreement)
    rows, columns = (pd.Index([f"{what} of {player}" for player in _PLAYERS]) for what in ("payoff", "disagreement"))
    return pd.DataFrame(np.asarray(effects) + 0.0, index=rows, columns=columns)


class _AbstractRule(eqx.Module):
    """One of the conditions (1) to (4)."""

    @abstractmethod
    def sides(self, gains: Array, slope: Array, ideal_gains: Array) -> tuple[Array, Array]:
        """The left side and the right side at a point with these `gains` (2,) and this `slope` u' (2,)."""

    @property
    @abstractmethod
    def wants_concave(self) -> bool:
        """Whether the root is the maximum only on a concave frontier."""

    @property
    @abstractmethod
    def title(self) -> str:
        """The name to print."""


class _Nash(_AbstractRule):
    weights: Array

    def sides(self, gains, slope, ideal_gains):
        return self.weights[0] * slope[0] * gains[1], -self.weights[1] * slope[1] * gains[0]

    @property
    def wants_concave(self):
        return True

    @property
    def title(self):
        return "Nash bargaining solution"


class _KalaiSmorodinsky(_AbstractRule):
    def sides(self, gains, slope, ideal_gains):
        return ideal_gains[0] * gains[1], ideal_gains[1] * gains[0]

    @property
    def wants_concave(self):
        return False

    @property
    def title(self):
        return "Kalai-Smorodinsky solution"


class _Egalitarian(_AbstractRule):
    def sides(self, gains, slope, ideal_gains):
        return gains[1], gains[0]

    @property
    def wants_concave(self):
        return False

    @property
    def title(self):
        return "Egalitarian solution"


class _Utilitarian(_AbstractRule):
    weights: Array

    def sides(self, gains, slope, ideal_gains):
        return self.weights[0] * slope[0], -self.weights[1] * slope[1]

    @property
    def wants_concave(self):
        return True

    @property
    def title(self):
        return "Utilitarian solution"


class _Evidence(NamedTuple):
    """What stands between a root and a solution; `dents`: at which grid points the frontier is not concave."""

    room: Array
    falls: Array
    unique: Array
    dents: Array
    points: Array


def _solution(rule: _AbstractRule, bargaining_set: BargainingSet) -> Solution:
    found, evidence = _solve(rule, bargaining_set)
    if is_concrete(found, evidence) and found.found.ndim == 0 and not bool(found.found):
        raise _why(rule, evidence)
    return found


@eqx.filter_jit
def _solve(rule: _AbstractRule, bargaining_set: BargainingSet) -> tuple[Solution, _Evidence]:
    extent = bargaining_set.extent()
    excess = _excess(rule, bargaining_set, extent.ideal)
    position, left_over = crossing(excess, extent.low, extent.high)
    frontier, disagreement = bargaining_set.frontier, bargaining_set.disagreement
    payoffs = jnp.stack([frontier.first(position), frontier.second(position)])
    gaps = jax.lax.stop_gradient(jax.vmap(excess)(jnp.append(extent.positions, position)))
    evidence = _evidence(rule, jax.lax.stop_gradient(extent), gaps[:-1])
    found = jnp.isfinite(left_over) & evidence.room & evidence.falls & evidence.unique & ~jnp.any(evidence.dents)
    found = found & jnp.all(jnp.isfinite(payoffs))
    corner = (position <= extent.low) | (position >= extent.high)
    payoffs = jnp.where(found, payoffs, jnp.nan)
    return Solution(payoffs, disagreement, extent.ideal, jnp.abs(gaps[-1]), corner, found, rule.title), evidence


def _excess(rule, bargaining_set, ideal) -> Callable[[Array], Array]:
    """Left less right side of a rule's condition, as a share of both, as a function of the position."""
    frontier, disagreement = bargaining_set.frontier, bargaining_set.disagreement

    def at(position):
        first, first_slope = jax.jvp(frontier.first, (position,), (jnp.ones_like(position),))
        second, second_slope = jax.jvp(frontier.second, (position,), (jnp.ones_like(position),))
        gains = jnp.stack([first, second]) - disagreement
        left, right = rule.sides(gains, jnp.stack([first_slope, second_slope]), ideal - disagreement)
        # Where a frontier ends vertically or flat, one side is infinite or both are nil.
        ordinary = jnp.isfinite(left + right) & (left + right != 0)
        return jnp.where(ordinary, (left - right) / jnp.where(ordinary, left + right, 1.0), jnp.sign(left - right))

    return at


def _evidence(rule, extent: Extent, gaps: Array) -> _Evidence:
    level = jnp.abs(gaps) <= jnp.sqrt(jnp.finfo(gaps.dtype).eps)
    dents = extent.dents()
    dents = dents if rule.wants_concave else jnp.zeros_like(dents)
    return _Evidence(extent.has_room(), extent.falls(), jnp.sum(level) < 2, dents, extent.points)


def _why(rule: _AbstractRule, evidence: _Evidence) -> Exception:
    """What to tell the user where there is no solution."""
    if not bool(evidence.room):
        return InputError(
            "bargaining_set", "no agreement gives both more than disagreement", "lower a disagreement payoff"
        )
    if not bool(evidence.falls):
        return InputError("frontier", "does not fall everywhere", "let player 2 get less where player 1 gets more")
    if bool(jnp.any(evidence.dents)):
        where = float(evidence.points[1:-1][int(jnp.argmax(evidence.dents)), 0])
        return InputError(
            "frontier",
            f"is not concave where player 1 gets {where:g}, so that there may be several maxima",
            "give its concave hull (players can draw lots), or take kalai_smorodinsky or egalitarian",
        )
    if not bool(evidence.unique):
        return InputError(
            "weights",
            "every point of a straight part of the frontier has the same weighted sum",
            "give weights that differ from the frontier's slope, or take another solution",
        )
    return EquilibriumError(
        f"the search for the {rule.title} failed: give a frontier whose payoffs are finite between its ends"
    )


def _shares(weights: ArrayLike | Sequence[float]) -> Array:
    """Weights that sum to one."""
    weights = number("weights")(weights)
    if weights.shape != (2,):
        raise InputError("weights", f"shape {weights.shape}", "give two numbers")
    if is_concrete(weights) and not bool(jnp.all(weights >= 0) & jnp.all(jnp.isfinite(weights)) & jnp.any(weights > 0)):
        raise InputError("weights", f"found {weights}", "give two numbers of zero or more, not both zero")
    return weights / jnp.sum(weights)
