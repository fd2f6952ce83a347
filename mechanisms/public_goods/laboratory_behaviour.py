r"""How participants behave in the repeated linear public-goods game, and who of them behaves how.

With g the contribution, e the endowment, n the group's size and m = mpcr, and last round's own contribution and average of the
own group marked by a dash,

    conditional cooperation    g = s (o g' + (1 - o) avg') + noise,  cut to [0, e]                           (1)
    logit response             Pr(g) proportional to exp(lambda (m - 1 + alpha (n - 1) m) g), g on a grid    (2)

where (2) weighs the others' money by alpha >= 0; the payoff is linear, so that beliefs about the others drop out. If all have
the same s and o under (1), without noise or cuts, what is given in all is s times last round's, however people are matched.

Sources: (1) Fischbacher and Gachter (2010), with adaptive beliefs; (2) Anderson, Goeree and Holt (1998).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from dcg_econ._errors import InputError, is_concrete
from dcg_econ.priors import number


class Setting(NamedTuple):
    """What the instructions say: the endowment (), money, the marginal per-capita return (), and the group's size ()."""

    endowment: Array
    mpcr: Array
    size: Array


class Memory(NamedTuple):
    """Whether the round is the first; else the own contribution and the own group's average, money, of the last one."""

    first: Array
    own: Array
    average: Array


class AbstractBehaviour(eqx.Module):
    """One participant's way of choosing contributions."""

    @property
    @abstractmethod
    def agent_type(self) -> str:
        """What the panel calls it."""

    @abstractmethod
    def contribution(self, key: Array, setting: Setting, memory: Memory) -> Float[Array, ""]:
        """The contribution, money, between nothing and the endowment."""


class FixedShare(AbstractBehaviour):
    """Always `share` of the endowment: 0 is the Nash equilibrium of money maximisers for mpcr < 1, 1 the first best."""

    share: Array = eqx.field(converter=number("share"), default=0.0)

    def __check_init__(self):
        _require(self, "share", high=1.0)

    @property
    def agent_type(self):
        return "fixed_share"

    def contribution(self, key, setting, memory):
        return self.share * setting.endowment


class ConditionalCooperator(AbstractBehaviour):
    """(1): `share` s of what it remembers, `own` o the weight of its own contribution in that.

    `start`: its first contribution, a share of the endowment; `noise`: a standard deviation, a share of the endowment.
    """

    share: Array = eqx.field(converter=number("share"), default=0.9)
    own: Array = eqx.field(converter=number("own"), default=0.0)
    start: Array = eqx.field(converter=number("start"), default=0.5)
    noise: Array = eqx.field(converter=number("noise"), default=0.1)

    def __check_init__(self):
        _require(self, "share")
        _require(self, "own", high=1.0)
        _require(self, "start", high=1.0)
        _require(self, "noise")

    @property
    def agent_type(self):
        return "conditional_cooperator"

    def contribution(self, key, setting, memory):
        matched = self.share * (self.own * memory.own + (1 - self.own) * memory.average)
        wanted = jnp.where(memory.first, self.start * setting.endowment, matched)
        shaken = wanted + self.noise * setting.endowment * jax.random.normal(key, (), wanted.dtype)
        return jnp.clip(shaken, 0.0, setting.endowment)


class LogitContributor(AbstractBehaviour):
    """(2): `precision` lambda >= 0, one over money; `altruism` alpha; `grid` equally spaced contributions, ends included.

    The default grid is whole tokens for an endowment of 20.
    """

    precision: Array = eqx.field(converter=number("precision"), default=1.0)
    altruism: Array = eqx.field(converter=number("altruism"), default=0.0)
    grid: int = eqx.field(static=True, default=21)

    def __check_init__(self):
        _require(self, "precision")
        _require(self, "altruism")
        if not isinstance(self.grid, int) or self.grid < 2:
            raise InputError("grid", f"{self.grid!r}", "give a whole number of contributions, two or more")

    @property
    def agent_type(self):
        return "logit_contributor"

    def contribution(self, key, setting, memory):
        choices = jnp.linspace(0.0, setting.endowment, self.grid)
        gain = setting.mpcr - 1 + self.altruism * (setting.size - 1) * setting.mpcr
        return choices[jax.random.categorical(key, self.precision * gain * choices)]


class Population(eqx.Module):
    """P participants: those of one kind stacked, so that each kind is compiled once, and their places (k,) among the P."""

    kinds: tuple[AbstractBehaviour, ...]
    places: tuple[Array, ...]

    def __init__(self, behaviours: Sequence[AbstractBehaviour]):
        members: dict = {}
        for place, behaviour in enumerate(behaviours):
            members.setdefault(jax.tree.structure(behaviour), []).append(place)
        self.kinds = tuple(_stacked([behaviours[place] for place in places]) for places in members.values())
        self.places = tuple(jnp.asarray(places) for places in members.values())

    def contributions(
        self, key: Array, setting: Setting, first: Bool[Array, ""], own: Float[Array, " P"], average: Float[Array, " P"]
    ) -> Float[Array, " P"]:
        """Everybody's contribution; each draws from its own key, whatever the others are."""
        keys = jax.vmap(lambda place: jax.random.fold_in(key, place))(jnp.arange(own.shape[0]))
        given = jnp.zeros_like(own)
        for kind, places in zip(self.kinds, self.places, strict=True):

            def choose(behaviour, place):
                return behaviour.contribution(keys[place], setting, Memory(first, own[place], average[place]))

            given = given.at[places].set(eqx.filter_vmap(choose)(kind, places))
        return given


def _stacked(alike: Sequence[AbstractBehaviour]) -> AbstractBehaviour:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves) if eqx.is_array(leaves[0]) else leaves[0], *alike)


def _require(behaviour: AbstractBehaviour, field: str, high: float = np.inf) -> None:
    """Raises `InputError` where a field is not one number in [0, high]."""
    value = getattr(behaviour, field)
    if jnp.ndim(value):
        raise InputError(
            field, f"shape {jnp.shape(value)}", "give one number; participants that differ, one behaviour each"
        )
    if is_concrete(value) and not 0 <= float(value) <= high:
        bound = "zero or more" if np.isinf(high) else f"between 0 and {high:g}"
        raise InputError(field, f"found {float(value):g}", f"give a number {bound}")
