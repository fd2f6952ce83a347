"""What two players can bargain over: an efficient frontier and a disagreement point.

A frontier is a curve: at a `position` t player 1 gets u_1(t), rising in t, and player 2 gets u_2(t), falling. Payoffs
below the frontier are feasible too (free disposal). The bargaining set is the part at which both get at least their
disagreement payoffs, between the positions

    t_low:  u_1 = d_1      and      t_high:  u_2 = d_2,                                                  (1)

or the frontier's own end where it stops before. The ideal point is what each gets at its own best end of that part,

    I = (u_1(t_high), u_2(t_low)).                                                                      (2)
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
from jaxtyping import Array, Bool, Float

from dcg_econ._errors import InputError, is_concrete, require_finite, require_positive
from dcg_econ.priors import number

_GRID = 65  # positions at which the shape of a frontier is looked at
_ROUNDING = 1e3  # in machine precisions, of a root's share of the span
_HALVINGS = 60  # of an interval of five spans
_SCALAR = frozenset({lx.diagonal_tag})
_ADJOINT = optx.ImplicitAdjoint(linear_solver=lx.AutoLinearSolver(well_posed=False))


class AbstractFrontier(eqx.Module):
    """The efficient payoffs of two players, along positions from the worst for player 1 to the best."""

    @abstractmethod
    def first(self, position: Float[Array, ""]) -> Float[Array, ""]:
        """Player 1's payoff, rising in the position."""

    @abstractmethod
    def second(self, position: Float[Array, ""]) -> Float[Array, ""]:
        """Player 2's payoff, falling in the position."""

    @abstractmethod
    def ends(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """The first and the last position; infinite where payoffs can be transferred without limit."""

    @abstractmethod
    def where_first(self, payoff: Float[Array, ""]) -> Float[Array, ""]:
        """The position at which player 1 gets `payoff`; the nearer end where there is none."""

    @abstractmethod
    def where_second(self, payoff: Float[Array, ""]) -> Float[Array, ""]:
        """The position at which player 2 gets `payoff`; the nearer end where there is none."""


class LinearFrontier(AbstractFrontier):
    """u_2 = rate (size - u_1): player 2 gains `rate` for each unit that player 1 gives up, without limit.

    With `rate` one this is transferable utility: `size` is to be divided.
    """

    size: Array = eqx.field(converter=number("size"), default=1.0)
    rate: Array = eqx.field(converter=number("rate"), default=1.0)

    def __check_init__(self):
        require_finite("size", self.size)
        require_positive("rate", self.rate)

    def first(self, position):
        return position

    def second(self, position):
        return self.rate * (self.size - position)

    def ends(self):
        infinite = jnp.full_like(self.size, jnp.inf)
        return -infinite, infinite

    def where_first(self, payoff):
        return payoff

    def where_second(self, payoff):
        return self.size - payoff / self.rate


class CRRAFrontier(AbstractFrontier):
    """Money `size` divided between players with utilities x^(1 - risk_i), `risk` (2,) in [0, 1); the position is
    player 1's money."""

    risk: Array = eqx.field(converter=number("risk"))
    size: Array = eqx.field(converter=number("size"), default=1.0)

    def __check_init__(self):
        if self.risk.shape != (2,):
            raise InputError("risk", f"shape {self.risk.shape}", "give two numbers")
        if is_concrete(self.risk) and not bool(jnp.all((self.risk >= 0) & (self.risk < 1))):
            raise InputError("risk", f"found {self.risk}", "give relative risk aversion in [0, 1)")
        require_positive("size", self.size)

    def first(self, position):
        return position ** (1 - self.risk[0])

    def second(self, position):
        return (self.size - position) ** (1 - self.risk[1])

    def ends(self):
        return jnp.zeros_like(self.size), self.size

    def where_first(self, payoff):
        return self._money(payoff, 0)

    def where_second(self, payoff):
        return self.size - self._money(payoff, 1)

    def _money(self, payoff, player):
        money = jnp.where(payoff < 0, 0.0, payoff) ** (1 / (1 - self.risk[player]))
        return jnp.where(money > self.size, self.size, money)


class FunctionFrontier(AbstractFrontier):
    """u_2 = function(u_1) for u_1 in [`low`, `high`]: any falling, smooth function in JAX; the position is u_1.

    Its parameters have derivatives if `function` is an `eqx.Module` (or a `jax.tree_util.Partial`) that holds them.
    Raises `InputError` where the function rises or is no number.
    """

    function: Callable[[Array], Array]
    low: Array = eqx.field(converter=number("low"))
    high: Array = eqx.field(converter=number("high"))

    def __check_init__(self):
        require_finite("low", self.low)
        require_finite("high", self.high)
        if is_concrete(self.low, self.high) and not bool(self.low < self.high):
            raise InputError("high", f"{self.high} is not above low = {self.low}", "give low < high")
        positions = self.low + (self.high - self.low) * _even(self.low.dtype)
        values = jax.vmap(self.function)(positions)
        if is_concrete(values) and not bool(jnp.all(jnp.isfinite(values))):
            bad = float(positions[jnp.argmin(jnp.isfinite(values))])
            raise InputError("function", f"no finite number at {bad:g}", "narrow `low` and `high`")
        if is_concrete(values) and bool(jnp.any(jnp.diff(values) >= 0)):
            at = int(jnp.argmax(jnp.diff(values) >= 0))
            where = f"between {float(positions[at]):g} and {float(positions[at + 1]):g}"
            raise InputError(
                "function",
                f"does not fall {where}",
                "give what player 2 gets at most, where more for one is less for the other",
            )

    def first(self, position):
        return position

    def second(self, position):
        return self.function(position)

    def ends(self):
        return self.low, self.high

    def where_first(self, payoff):
        return jnp.where(payoff < self.low, self.low, jnp.where(payoff > self.high, self.high, payoff))

    def where_second(self, payoff):
        best, worst = self.function(self.low), self.function(self.high)
        payoff = jnp.where(payoff > best, best, jnp.where(payoff < worst, worst, payoff))
        return crossing(lambda u: (self.function(u) - payoff) / (best - worst), self.low, self.high)[0]


class Extent(eqx.Module):
    """The positions `low` and `high` (1), the `ideal` point (2), and a grid of `positions` with `points` (g, 2) there."""

    low: Float[Array, ""]
    high: Float[Array, ""]
    ideal: Float[Array, 2]
    positions: Float[Array, " g"]
    points: Float[Array, "g 2"]

    def has_room(self) -> Bool[Array, ""]:
        """Whether some agreement gives both more than disagreement."""
        return (self.low < self.high) & jnp.all(jnp.isfinite(self.points))

    def falls(self) -> Bool[Array, ""]:
        """Whether, from point to point of the grid, player 1 gains and player 2 loses."""
        steps = jnp.diff(self.points, axis=0)
        return jnp.all(steps[:, 0] > 0) & jnp.all(steps[:, 1] < 0)

    def dents(self) -> Bool[Array, " inner"]:
        """Whether the frontier is not concave at each inner point of the grid."""
        steps = jnp.diff(self.points, axis=0)
        slopes = steps[:, 1] / steps[:, 0]
        rounding = jnp.sqrt(jnp.finfo(slopes.dtype).eps) * (jnp.abs(slopes[1:]) + jnp.mean(jnp.abs(slopes)))
        return jnp.diff(slopes) > rounding


class BargainingSet(eqx.Module):
    """A `frontier` and what each player gets without agreement, `disagreement` (2,), in the frontier's units.

    Raises `InputError` where no point of the frontier gives both more than disagreement.
    """

    frontier: AbstractFrontier
    disagreement: Array = eqx.field(converter=number("disagreement"), default=(0.0, 0.0))

    def __check_init__(self):
        if self.disagreement.shape != (2,):
            raise InputError(
                "disagreement", f"shape {self.disagreement.shape}", "give two numbers; for many sets use jax.vmap"
            )
        require_finite("disagreement", self.disagreement)
        if is_concrete(self):
            self._check_room()

    def _check_room(self):
        room, most, falling = _shape(self)
        if not is_concrete(room, most, falling):
            return
        if not bool(room):
            d = ", ".join(f"{float(x):g}" for x in self.disagreement)
            raise InputError(
                "disagreement",
                f"({d}) is outside the frontier or on it (beside that of the other, the players can get at most "
                f"{float(most[0]):g} and {float(most[1]):g}): there is nothing to bargain over",
                "lower a disagreement payoff, or give a larger frontier",
            )
        if not bool(falling):
            raise InputError(
                "frontier", "does not fall everywhere", "let `first` rise and `second` fall in the position"
            )

    def extent(self) -> Extent:
        """The part to bargain over: (1), (2), and its shape."""
        low, high = self.frontier.ends()
        # Not minimum and maximum: where both agree, these halve the derivative in the disagreement point.
        first = self.frontier.where_first(self.disagreement[0])
        second = self.frontier.where_second(self.disagreement[1])
        low, high = jnp.where(first < low, low, first), jnp.where(second > high, high, second)
        ideal = jnp.stack([self.frontier.first(high), self.frontier.second(low)])
        positions = low + (high - low) * _even(low.dtype)
        points = jnp.stack(
            [jax.vmap(self.frontier.first)(positions), jax.vmap(self.frontier.second)(positions)], axis=1
        )
        return Extent(low, high, ideal, positions, points)


def crossing(
    excess: Callable[[Array], Array], low: Float[Array, ""], high: Float[Array, ""]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The position in [low, high] at which a falling `excess`, between -1 and 1, is zero (the end that comes nearest if
    it is nowhere), and what is left of it there. The derivative in all that `excess` closes over is implicit."""

    def clipped(share):
        # Rounding beyond an end is no corner: the value is the end's, the derivative that of the inside.
        end = jnp.clip(share, 0, 1)
        near = jnp.abs(share - end) <= _ROUNDING * jnp.finfo(share.dtype).eps
        return jnp.where(near, share + jax.lax.stop_gradient(end - share), end)

    def extended(share, _):
        # Beyond the ends the function goes on as a straight line, so that it has one root somewhere.
        inside = clipped(share)
        return excess(low + (high - low) * inside) - (share - inside)

    # Halving has no trouble with the vertical and flat ends of frontiers, and goes on to the last digit.
    solver = optx.Bisection(rtol=0.0, atol=0.0, flip=True)
    sol = optx.root_find(
        extended, solver, jnp.full_like(low, 0.5), options={"lower": -2.0, "upper": 3.0}, max_steps=_HALVINGS,
        adjoint=_ADJOINT, tags=_SCALAR, throw=False,
    )  # fmt: skip
    return low + (high - low) * clipped(sol.value), extended(jax.lax.stop_gradient(sol.value), None)


@eqx.filter_jit
def _shape(bargaining_set: BargainingSet):
    extent = bargaining_set.extent()
    return extent.has_room(), extent.ideal, extent.falls()


def _even(dtype) -> Array:
    return jnp.asarray(np.linspace(0, 1, _GRID), dtype)
