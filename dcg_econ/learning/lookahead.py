r"""Gradients that reckon with the others' learning: opponent shaping in differentiable games of any kind.

`values(copies) -> (N,)` are the players' payoffs, `copies` a tuple of N trees of parameters, the kth of which player k acts
on. Plain learning climbs dV_i / dcopy_i with the others held. A lookahead says what each player takes the others to become
before they act, copy_j + Delta_j(copies), and then climbs, with s a function of its own copy too,

    d/dcopy_i V_i(copy_i, s_-i),     s_j = copy_j + Delta_j(copies),                                      (1)

the derivative taken through s_j: a player gains from moving where that moves the others' learning its way. For two players
and Delta_2 = eta dV_2 / dcopy_2, with the first derivatives of V_1 at (copy_1, s_2) and those of V_2 at the copies,

    (1) = d_1 V_1 + eta (d_12 V_2)' d_2 V_1.                                                              (2)

The first-order expansion of V_1 in eta, by which Foerster et al. (2018) present (2), is not made here.

A lookahead is *consistent* where players do what the others expect: Delta_j = rate times the direction that j follows. One
that assumes plain learners of the others, who in truth look ahead themselves, is not (Willi et al. 2022).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, require_positive
from dcg_econ.priors import number

Copies = tuple[Any, ...]
Values = Callable[[Copies], Float[Array, " N"]]
Directions = Callable[[Copies], Copies]


class AbstractLookahead(eqx.Module):
    """What players take each other to become. `rate`: the step that they take each other to make, above zero, in units of
    parameter squared per payoff."""

    rate: eqx.AbstractVar[Array]

    @abstractmethod
    def assumed(self, values: Values, copies: Copies) -> Copies:
        """What the others take each player's parameters to become from `copies`; a function to be differentiated."""


class Opponents(AbstractLookahead):
    """Opponent-learning awareness, LOLA: the others make one plain gradient step of `rate` (Foerster et al. 2018).

    The step is differentiated as it is, (2), as LOLA-DiCE does. Not consistent: two such players each take the other for a
    plain learner. Stable fixed points of plain learning need not be fixed points (Letcher et al. 2019).
    """

    rate: Array = eqx.field(converter=number("rate"))

    def __check_init__(self):
        _require_rate("rate", self.rate)

    def assumed(self, values, copies):
        return _moved(copies, own_directions(values, copies), self.rate)


class Proximal(AbstractLookahead):
    """The others answer by the best reply near where they stand: copy_j' that maximises V_j - |copy_j' - copy_j|^2 / (2 rate).

    Towards it they make `steps` unrolled gradient steps of `inner_rate` (by default `rate`: one step is then the step of
    `Opponents`, and many are an implicit Euler step). They converge where `inner_rate` is less than 2 / (1 / rate + the
    largest curvature of -V_j). After the proximal steps of POLA (Zhao et al. 2022), with distance between parameters in
    the place of divergence between policies, so that unlike POLA the result depends on how policies are parametrised; and
    the player's own step is a gradient step. Not consistent: the others are taken to answer, not to look ahead.
    """

    rate: Array = eqx.field(converter=number("rate"))
    steps: int = eqx.field(static=True)
    inner_rate: Array = eqx.field(converter=number("inner_rate"))

    def __init__(self, rate, steps: int, inner_rate=None):
        self.rate, self.steps = rate, steps
        self.inner_rate = rate if inner_rate is None else inner_rate

    def __check_init__(self):
        _require_rate("rate", self.rate)
        _require_rate("inner_rate", self.inner_rate)
        _require_count("steps", self.steps)

    def assumed(self, values, copies):
        return tuple(self._answer(values, copies, player) for player in range(len(copies)))

    def _answer(self, values, copies, player):
        begin, rest = eqx.partition(copies[player], eqx.is_inexact_array)

        def step(at, _):
            climb = jax.grad(lambda own: values(_with(copies, player, eqx.combine(own, rest)))[player])(at)
            pulled = jax.tree.map(lambda g, x, x0: g - (x - x0) / self.rate, climb, at, begin)
            return _moved(at, pulled, self.inner_rate), None

        after, _ = jax.lax.scan(step, begin, length=self.steps)
        return eqx.combine(after, rest)


class Mutual(AbstractLookahead):
    """Players who look ahead at players who look ahead, `orders` deep: higher-order LOLA (Willi et al. 2022).

    Of order 1 it is `Opponents`; of order n the others are taken to make the step that players of order n - 1 make. As n
    grows the assumed steps tend to the consistent ones, wherever they converge: for a small enough `rate`. Their limit is
    what COLA is trained to find. How near it is, `inconsistency` says; where that does not fall with `orders`, there is no
    limit to be near. The work grows by a factor of N or more with every order. Consistent lookahead, too, need not keep the
    fixed points of plain learning.
    """

    rate: Array = eqx.field(converter=number("rate"))
    orders: int = eqx.field(static=True)

    def __check_init__(self):
        _require_rate("rate", self.rate)
        _require_count("orders", self.orders)

    def assumed(self, values, copies):
        directions = lambda copies: own_directions(values, copies)  # noqa: E731
        for _ in range(self.orders - 1):
            directions = _looking_ahead(values, directions, self.rate)
        return _moved(copies, directions(copies), self.rate)


def own_directions(values: Values, copies: Copies) -> Copies:
    """Plain learning: dV_i / dcopy_i with the other copies held, shaped like `copies` (None for what is no real number)."""
    return _looking_at(values, copies, lambda copies: copies)


def shaped_directions(values: Values, copies: Copies, lookahead: AbstractLookahead) -> Copies:
    """The ascent directions (1) of all players, shaped like `copies` (None for what is no real number)."""
    return _looking_at(values, copies, lambda copies: lookahead.assumed(values, copies))


def inconsistency(values: Values, copies: Copies, lookahead: AbstractLookahead) -> Float[Array, " N"]:
    """How far each player's step, `rate` times its direction (1), is from the step that the others take it to make: the
    Euclidean length of the difference, in units of parameters. Zero if and only if the lookahead is consistent here."""
    steps = shaped_directions(values, copies, lookahead)
    assumed = lookahead.assumed(values, copies)

    def distance(step, after, before):
        after, before = (eqx.filter(tree, eqx.is_inexact_array) for tree in (after, before))
        short = jax.tree.map(lambda s, a, b: lookahead.rate * s - (a - b), step, after, before)
        return jnp.linalg.norm(ravel_pytree(short)[0])

    return jnp.stack([distance(*each) for each in zip(steps, assumed, copies, strict=True)])


def ascend(directions: Directions, copies: Copies, rate: Any, steps: int) -> Copies:
    """`steps` steps of plain ascent, copies + `rate` * directions(copies), by one scan; for sessions use jax.vmap.

    Raises `InputError` for a rate that is not above zero and for fewer steps than one.
    """
    rate = number("rate")(rate)
    _require_rate("rate", rate)
    _require_count("steps", steps)
    arrays, rest = eqx.partition(copies, eqx.is_inexact_array)

    def step(arrays, _):
        copies = eqx.combine(arrays, rest)
        return eqx.filter(_moved(copies, directions(copies), rate), eqx.is_inexact_array), None

    arrays, _ = jax.lax.scan(step, arrays, length=steps)
    return eqx.combine(arrays, rest)


def _looking_at(values: Values, copies: Copies, assumed: Callable[[Copies], Copies]) -> Copies:
    """Of each player, the derivative in its own copy of its payoff against the others as `assumed`."""

    def objective(own, player):
        return values(_with(assumed(_with(copies, player, own)), player, own))[player]

    return tuple(eqx.filter_grad(objective)(own, player) for player, own in enumerate(copies))


def _looking_ahead(values: Values, directions: Directions, rate: Array) -> Directions:
    """The directions of players who take the others to make a step of these `directions`."""
    return lambda copies: _looking_at(values, copies, lambda c: _moved(c, directions(c), rate))


def _moved(tree: Any, direction: Any, rate: Array) -> Any:
    return eqx.apply_updates(tree, jax.tree.map(lambda g: rate * g, direction))


def _with(copies: Copies, player: int, own: Any) -> Copies:
    return *copies[:player], own, *copies[player + 1 :]


def _require_rate(field: str, rate: Array) -> None:
    if rate.ndim > 0:
        raise InputError(field, f"shape {rate.shape}", "give one number above zero")
    require_positive(field, rate)


def _require_count(field: str, count: int) -> None:
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InputError(field, f"found {count!r}", "give a whole number, 1 or more")
