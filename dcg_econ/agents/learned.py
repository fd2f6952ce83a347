"""Learned agents: a net from what a player knows to the numbers of its report.

An agent speaks in two steps, `numbers` (what is learned, and what gradients meet first) and `assemble` (numbers of all
players to the mechanism's reports, in closed form), so that every player's part of a report can be told apart.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, is_concrete
from dcg_econ.agents.frozen import Frozen, learned_axes, unstack_frozen
from dcg_econ.agents.nets import AbstractNets, Net, Perceptron
from dcg_econ.agents.transformer import Layout
from dcg_econ.messages.basis import AbstractBasis
from dcg_econ.messages.curve import KernelCurve, kernel_basis
from dcg_econ.messages.kernels import AbstractKernel, Constant, Linear, Matern52
from dcg_econ.priors import as_number, number


class AbstractAgent(eqx.Module):
    """One player's net, from what the player knows and, after talk, from what it has heard."""

    @abstractmethod
    def features(self, known: Any) -> Float[Array, " F"]:
        """What the player knows as numbers of size one, for nets."""

    @abstractmethod
    def numbers_at(self, features: Float[Array, " F"], heard: Float[Array, " H"]) -> Float[Array, " k"]:
        """The k numbers of this player's report, from `features` of what it knows and from what it has heard."""

    def numbers(self, known: Any, heard: Float[Array, " H"] | None = None) -> Float[Array, " k"]:
        """The k numbers of this player's report; `heard`: what it has heard, nothing by default."""
        features = self.features(known)
        return self.numbers_at(features, jnp.zeros(0, features.dtype) if heard is None else heard)

    @abstractmethod
    def assemble(self, numbers: Float[Array, "N k"]) -> Any:
        """The reports of N such players, each from its own row."""


class CurveAgent(AbstractAgent):
    """A net from a player's type to a whole falling curve, fitted by a kernel: a trader's quantities at price knots, or
    willingness to pay at levels of a public good.

    What a player knows is one number, or a row of k; then `value_centre` and `value_unit` are rows (k,). The quantities
    fall from knot to knot by construction (steps are softplus), so any initialisation is a schedule. `value_unit` and
    `quantity_unit` are typical spreads, `value_centre` and `quantity_centre` typical values: they set the net's scale.
    `heard`: how many numbers it hears before it reports, in tokens of `token` numbers. `nets`: by default perceptrons of
    `depth` hidden layers of `width` units.

    The default kernel is a trend plus Matern 5/2 over the span of the knots: with the trend, schedules go on falling
    beyond the knots and markets clear. The ridge limits the bandwidth of the message, and that matters for learning: a
    trader's best reply multiplies the *slope* of the others' schedules, so wiggles of frequency w in price are answered
    w times as large, and groups of few traders who can say them (ridge 1e-6, N = 3) drift from Nash to wavy
    near-equilibria. With ridge 1e-2 they stay.
    """

    net: Net
    frozen: Frozen

    def __init__(
        self,
        knots: ArrayLike,
        *,
        key: Array,
        kernel: AbstractKernel | None = None,
        ridge: ArrayLike = 1e-2,
        value_centre: ArrayLike = 0.0,
        value_unit: ArrayLike = 1.0,
        quantity_unit: ArrayLike = 1.0,
        quantity_centre: ArrayLike = 0.0,
        heard: int = 0,
        token: int = 1,
        width: int = 32,
        depth: int = 2,
        nets: AbstractNets | None = None,
    ):
        knots = number("knots")(knots)
        if is_concrete(knots) and (knots.ndim != 1 or not bool(jnp.all(jnp.diff(knots) > 0))):
            raise InputError(
                "knots", "not increasing", "give prices from low to high, e.g. jnp.linspace(-1.5, 1.5, 12)"
            )
        span = knots[-1] - knots[0]
        kernel = Constant(10.0) + Linear(40.0 / span**2) + Matern52(span) if kernel is None else kernel
        units = tuple(as_number(v) for v in (value_centre, value_unit, quantity_unit, quantity_centre))
        self.frozen = Frozen((kernel_basis(knots, kernel, ridge), units))
        layout = Layout(max(units[0].size, units[1].size), heard, token)
        self.net = (nets or Perceptron(width, depth)).make(layout, knots.shape[0], key)

    @property
    def basis(self) -> AbstractBasis:
        return self.frozen.value[0]

    def features(self, known):
        centre, value_unit, *_ = self.frozen.value[1]
        return jnp.atleast_1d((known - centre) / value_unit)

    def numbers_at(self, features, heard):
        *_, quantity_unit, quantity_centre = self.frozen.value[1]
        raw = self.net(jnp.concatenate([features, heard]))
        steps = jnp.concatenate([jnp.zeros(1, raw.dtype), jnp.cumsum(jax.nn.softplus(raw[1:])) / (raw.shape[0] - 1)])
        return quantity_centre + quantity_unit * (raw[0] - steps + jnp.mean(steps))

    def assemble(self, numbers):
        return KernelCurve.on(self.basis, numbers)


class QuantityAgent(AbstractAgent):
    """A net from a trader's value and the supply to one quantity."""

    net: Net
    frozen: Frozen

    def __init__(
        self,
        *,
        key: Array,
        value_centre: ArrayLike = 0.0,
        value_unit: ArrayLike = 1.0,
        supply_centre: ArrayLike = 0.0,
        supply_unit: ArrayLike = 1.0,
        quantity_unit: ArrayLike = 1.0,
        heard: int = 0,
        token: int = 1,
        width: int = 32,
        depth: int = 2,
        nets: AbstractNets | None = None,
    ):
        units = (value_centre, value_unit, supply_centre, supply_unit, quantity_unit)
        self.frozen = Frozen(tuple(as_number(v) for v in units))
        self.net = (nets or Perceptron(width, depth)).make(Layout(2, heard, token), 1, key)

    def features(self, known):
        centre, value_unit, supply_centre, supply_unit, _ = self.frozen.value
        value, supply = known
        return jnp.stack([(value - centre) / value_unit, (supply - supply_centre) / supply_unit])

    def numbers_at(self, features, heard):
        return self.frozen.value[-1] * self.net(jnp.concatenate([features, heard]))

    def assemble(self, numbers):
        return numbers[:, 0]


class NumberAgent(AbstractAgent):
    """A net from a row of k private numbers to one number, between `low` and `high` where these are finite.

    `type_centre`, `type_unit` (k,) and `message_centre`, `message_unit`: typical values and spreads, which set the net's scale.
    """

    net: Net
    frozen: Frozen

    def __init__(
        self,
        type_centre: ArrayLike,
        type_unit: ArrayLike,
        *,
        key: Array,
        message_centre: ArrayLike = 0.0,
        message_unit: ArrayLike = 1.0,
        low: ArrayLike = -jnp.inf,
        high: ArrayLike = jnp.inf,
        heard: int = 0,
        token: int = 1,
        width: int = 32,
        depth: int = 2,
        nets: AbstractNets | None = None,
    ):
        units = tuple(as_number(v) for v in (type_centre, type_unit, message_centre, message_unit, low, high))
        if is_concrete(units) and not bool(units[4] < units[5]):
            raise InputError("low", f"{float(units[4])} is not below high, {float(units[5])}", "give low < high")
        self.frozen = Frozen(units)
        self.net = (nets or Perceptron(width, depth)).make(Layout(units[0].shape[0], heard, token), 1, key)

    def features(self, known):
        centre, unit, *_ = self.frozen.value
        return (known - centre) / unit

    def numbers_at(self, features, heard):
        *_, message_centre, message_unit, low, high = self.frozen.value
        raw = self.net(jnp.concatenate([features, heard]))
        bounded = jnp.isfinite(low) & jnp.isfinite(high)
        floor, span = jnp.where(bounded, low, 0.0), jnp.where(bounded, high - low, 1.0)
        return jnp.where(bounded, floor + span * jax.nn.sigmoid(raw), message_centre + message_unit * raw)

    def assemble(self, numbers):
        return numbers[:, 0]


class AbstractPopulation(eqx.Module):
    """A profile made of agents: who uses which net."""

    @abstractmethod
    def numbers(self, known: Any, heard: Float[Array, "N H"] | None = None) -> Float[Array, "N k"]:
        """The numbers of every player's report; `heard`: what each has heard, nothing by default."""

    @abstractmethod
    def assemble(self, numbers: Float[Array, "N k"]) -> Any:
        """All reports, each player's from its own row."""

    def __call__(self, known: Any) -> Any:
        return self.assemble(self.numbers(known))


class AbstractReporters(AbstractPopulation):
    """A population whose reports are its nets' answers to rows of numbers of size one."""

    @abstractmethod
    def features(self, known: Any) -> Float[Array, "N F"]:
        """What each player knows as numbers of size one."""

    @abstractmethod
    def numbers_at(self, features: Float[Array, "N F"], heard: Float[Array, "N H"]) -> Float[Array, "N k"]:
        """The numbers of every player's report from the features of what it knows."""

    def numbers(self, known, heard=None):
        features = self.features(known)
        nothing = jnp.zeros((features.shape[0], 0), features.dtype)
        return self.numbers_at(features, nothing if heard is None else heard)


class Shared(AbstractReporters):
    """All players use one net on their own types: players that are alike but for their types."""

    agent: AbstractAgent

    def features(self, known):
        return jax.vmap(self.agent.features)(known)

    def numbers_at(self, features, heard):
        return jax.vmap(self.agent.numbers_at)(features, heard)

    def assemble(self, numbers):
        return self.agent.assemble(numbers)


class Separate(AbstractReporters):
    """Each player has its own net: `Separate(make, n, key=key)` with `make(key)` an agent."""

    agents: AbstractAgent

    def __init__(self, make, n: int, *, key: Array):
        stacked = eqx.filter_vmap(make)(jax.random.split(key, n))
        self.agents = unstack_frozen(stacked)

    def features(self, known):
        axes = learned_axes(self.agents)
        return eqx.filter_vmap(lambda agent, k: agent.features(k), in_axes=(axes, 0))(self.agents, known)

    def numbers_at(self, features, heard):
        axes = learned_axes(self.agents)
        return eqx.filter_vmap(lambda agent, x, h: agent.numbers_at(x, h), in_axes=(axes, 0, 0))(
            self.agents, features, heard
        )

    def assemble(self, numbers):
        return self.agents.assemble(numbers)
