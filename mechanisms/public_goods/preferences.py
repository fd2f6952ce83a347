r"""Preferences for a public good Y and money x, apart from the institution that provides it.

Player i knows its own type, a few private numbers, each from a prior. Quasi-linear players have u_i = v_i(Y) + x_i, and v_i'
is their marginal willingness to pay, money per unit of the good:

    quadratic       v_i  = a_i Y - b_i Y^2,        v_i' = a_i - 2 b_i Y                                     (1)
    linear          v_i' = mpcr_i                                                                          (2)
    curves          v_i' = s_i + f_i(Y), f_i a falling curve, tabulated or fitted by a kernel                (3)

and with income effects

    Cobb-Douglas    u_i  = x_i^(1 - a_i) Y^a_i,    willingness to pay (a_i / (1 - a_i)) x_i / Y.              (4)
"""

# Annotations are not postponed here: Equinox cannot read an AbstractVar from a string.
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dcg_econ._errors import InputError, is_concrete, require_positive
from dcg_econ.mechanisms.public_goods.shifted import ShiftedCurve, span
from dcg_econ.messages.curve import AbstractCurve, AffineCurve
from dcg_econ.priors import AbstractBoundedPrior, AbstractPrior, Fixed, prior

_DRAWS = 2048  # of all types, where no cubature is exact


class AbstractPreferences(eqx.Module):
    """What N players want. A draw of their types is an array (N, k), a row of k private numbers for each player."""

    players: eqx.AbstractVar[int | None]

    @property
    @abstractmethod
    def private(self) -> dict[str, AbstractPrior]:
        """The k private numbers by name, with their priors."""

    @abstractmethod
    def concave(self) -> Array:
        """Whether they are concave, for preferences that are made inside a batch and cannot raise an error."""

    @abstractmethod
    def utility(self, types: Float[Array, "N k"], level: Float[Array, " N"], money: Float[Array, " N"]) -> Array:
        """Each player's utility of its level of the good and of its money (N,)."""

    @abstractmethod
    def willingness(self, types: Float[Array, "N k"], level: Float[Array, " N"], money: Float[Array, " N"]) -> Array:
        """Each player's marginal willingness to pay (N,), money per unit of the good."""

    @abstractmethod
    def kept(self, types: Float[Array, "N k"], level: Array, price: Array) -> Float[Array, " N"]:
        """The money (N,) with which a player at this level is willing to pay just `price`; without income effects minus
        infinity where it is willing to pay more, else infinite."""

    @property
    @abstractmethod
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of what is given, by name: (N,), or () for what is the same for all."""

    @property
    def count(self) -> int:
        """N."""
        if self.players is not None:
            return self.players
        shape = np.broadcast_shapes(*self.shapes.values())
        return shape[0] if shape else 1

    @property
    def certain(self) -> bool:
        """Whether everybody knows everybody's type."""
        return all(isinstance(p, Fixed) for p in self.private.values())

    @property
    def one_number(self) -> bool:
        """Whether only the first of the private numbers is uncertain."""
        _, *rest = self.private.values()
        return all(isinstance(p, Fixed) for p in rest)

    def sample(self, key: Array) -> Float[Array, "N k"]:
        """One draw of all types."""
        priors = list(self.private.values())
        keys = jax.random.split(key, len(priors))
        return jnp.stack([p.sample(k, (self.count,)) for p, k in zip(priors, keys, strict=True)], axis=-1)

    def at(self, deviation: Array) -> Float[Array, "N k"]:
        """Mean types, with the first number `deviation` (a number, or one each) standard deviations away from its mean."""
        first, *_ = self.private.values()
        means = [jnp.broadcast_to(p.mean(), (self.count,)) for p in self.private.values()]
        means[0] = means[0] + deviation * first.std()
        return jnp.stack(means, axis=-1)

    def own_nodes(self) -> tuple[Float[Array, "q N k"], Float[Array, " q"]]:
        """Nodes and weights for expectations over one player's type, for all players side by side."""
        rules = [p.quadrature() for p in self.private.values()]
        places = np.stack(np.meshgrid(*(np.arange(len(w)) for _, w in rules), indexing="ij"), -1).reshape(
            -1, len(rules)
        )
        columns = [nodes.reshape(len(w), -1)[place] for (nodes, w), place in zip(rules, places.T, strict=True)]
        columns = [jnp.broadcast_to(column, (len(places), self.count)) for column in columns]
        weights = jnp.prod(jnp.stack([w[place] for (_, w), place in zip(rules, places.T, strict=True)]), axis=0)
        return jnp.stack(columns, axis=-1), weights

    def joint_nodes(self) -> tuple[Float[Array, "q N k"], Float[Array, " q"]]:
        """Nodes and weights for expectations over all types together.

        One node where types are certain; 2N nodes that are exact for quadratics in the first number where only that is
        uncertain (Stroud 1957); else 2048 fixed draws, the same on every call.
        """
        n = self.count
        if self.certain:
            return self.at(jnp.zeros(()))[None], jnp.ones(1)
        if self.one_number:
            axes = np.sqrt(n) * np.eye(n)
            return jax.vmap(self.at)(jnp.asarray(np.concatenate([axes, -axes]))), jnp.full(2 * n, 1 / (2 * n))
        return self.draws()

    def draws(self) -> tuple[Float[Array, "q N k"], Float[Array, " q"]]:
        """2048 draws of all types with even weights, the same on every call."""
        return jax.vmap(self.sample)(jax.random.split(jax.random.key(0), _DRAWS)), jnp.full(_DRAWS, 1 / _DRAWS)


class AbstractQuasiLinear(AbstractPreferences):
    """u_i = v_i(Y) + x_i."""

    @abstractmethod
    def value(self, types: Float[Array, "N k"], level: Float[Array, " N"]) -> Float[Array, " N"]:
        """v_i, money."""

    @abstractmethod
    def curves(self, types: Float[Array, "N k"]) -> AbstractCurve:
        """The players' marginal willingness to pay as functions of the level, batched over N."""

    def utility(self, types, level, money):
        return self.value(types, level) + money

    def willingness(self, types, level, money):
        del money
        return self.curves(types)(level)

    def kept(self, types, level, price):
        return jnp.where(self.curves(types)(level) > price, -jnp.inf, jnp.inf)


class QuadraticPreferences(AbstractQuasiLinear):
    """(1). `intercept` a: numbers, one a player, or a prior of private ones; `curvature` b >= 0 likewise.

    `players` is needed where both are given as one for all. Errors: b below zero (not concave), unequal lengths.
    """

    intercept: AbstractPrior = eqx.field(  # type: ignore[misc]  # it comes before `players`
        converter=lambda v: each("preferences.intercept")(v)
    )
    curvature: AbstractPrior = eqx.field(converter=lambda v: each("preferences.curvature")(v), default=1.0)
    players: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_count(self)
        if is_concrete(self.curvature) and not bool(self.concave()):
            raise InputError(
                "preferences.curvature",
                f"found {float(least(self.curvature)):g}: willingness to pay would rise with the level",
                "give numbers (or priors with a support) at zero or above",
            )

    @property
    def private(self):
        return {"intercept": self.intercept, "curvature": self.curvature}

    @property
    def shapes(self):
        return _shapes(self)

    def concave(self):
        return least(self.curvature) >= 0

    def value(self, types, level):
        return types[:, 0] * level - types[:, 1] * level**2

    def curves(self, types):
        return AffineCurve(types[:, 0], -2 * types[:, 1])


class LinearPreferences(AbstractQuasiLinear):
    """(2), the laboratory's voluntary contributions game: `mpcr`, money per unit, numbers or a prior of private ones."""

    mpcr: AbstractPrior = eqx.field(converter=lambda v: each("preferences.mpcr")(v), default=0.5)
    players: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_count(self)
        require_positive("preferences.mpcr", least(self.mpcr))

    @property
    def private(self):
        return {"mpcr": self.mpcr}

    @property
    def shapes(self):
        return _shapes(self)

    def concave(self):
        return jnp.asarray(True)

    def value(self, types, level):
        return types[:, 0] * level

    def curves(self, types):
        return AffineCurve(types[:, 0], jnp.zeros_like(types[:, 0]))


class CurvePreferences(AbstractQuasiLinear):
    """(3). `curve`: marginal willingness to pay over levels, batched over N, or one for all; `shift` s, money per unit.

    Errors: a curve that rises between its outer knots (not concave).
    """

    curve: AbstractCurve  # type: ignore[misc]  # it comes before `players`
    shift: AbstractPrior = eqx.field(converter=lambda v: each("preferences.shift")(v), default=0.0)
    players: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_count(self)
        knots = span(self.curve)
        slopes = self.curve.slope(knots if self.alike else knots[:, None])
        if is_concrete(slopes) and bool(jnp.any(slopes > 0)):
            where = float(knots[jnp.argmax(jnp.max(slopes.reshape(knots.shape[0], -1), axis=1))])
            raise InputError(
                "preferences.curve",
                f"it rises at level {where:.4g}: preferences are not concave",
                "give willingness to pay that falls with the level (dcg.monotone projects a kernel curve)",
            )

    @property
    def alike(self) -> bool:
        """Whether one curve serves all players."""
        return self.shapes["curve"] == ()

    @property
    def private(self):
        return {"shift": self.shift}

    @property
    def shapes(self):
        return _shapes(self) | {"curve": jnp.shape(self.curve(span(self.curve)[0]))}

    def concave(self):
        knots = span(self.curve)
        return jnp.all(self.curve.slope(knots if self.alike else knots[:, None]) <= 0)

    def value(self, types, level):
        return types[:, 0] * level + self.curve.integral(jnp.zeros_like(level), level)

    def curves(self, types):
        return ShiftedCurve(self.curve, types[:, 0])


class CobbDouglas(AbstractPreferences):
    """(4). `share` a in (0, 1) of income that goes to the good; numbers, or a prior of private ones."""

    share: AbstractPrior = eqx.field(converter=lambda v: each("preferences.share")(v), default=0.5)
    players: int | None = eqx.field(static=True, default=None)

    def __check_init__(self):
        check_count(self)
        if is_concrete(self.share) and not bool(self.concave()):
            raise InputError(
                "preferences.share", "outside (0, 1): preferences are not concave", "give shares between 0 and 1"
            )

    @property
    def private(self):
        return {"share": self.share}

    @property
    def shapes(self):
        return _shapes(self)

    def concave(self):
        return (least(self.share) > 0) & (-least_of(self.share, -1) < 1)

    def utility(self, types, level, money):
        share = types[:, 0]
        good = (level > 0) & (money > 0)
        inside = jnp.where(good, money, 1.0) ** (1 - share) * jnp.where(good, level, 1.0) ** share
        return jnp.where(good, inside, jnp.where((level >= 0) & (money >= 0), 0.0, jnp.nan))

    def willingness(self, types, level, money):
        share = types[:, 0]
        return share / (1 - share) * money / level

    def kept(self, types, level, price):
        share = types[:, 0]
        return price * level * (1 - share) / share


def each(field: str) -> Callable[[Any], AbstractPrior]:
    """A converter for numbers, one a player or one for all, or a prior of private ones."""

    def convert(value):
        return prior(field)(jnp.asarray(value, jnp.result_type(float)) if isinstance(value, list | tuple) else value)

    return convert


def least(numbers: AbstractPrior) -> Array:
    """The lowest value that a prior gives, at its quadrature nodes and their limits where it has bounds."""
    return least_of(numbers, 1)


def least_of(numbers: AbstractPrior, sign: int) -> Array:
    """The lowest of sign * value."""
    ends = numbers.support() if isinstance(numbers, AbstractBoundedPrior) else (numbers.quadrature()[0],)
    return jnp.min(jnp.stack([jnp.min(sign * jnp.asarray(end)) for end in ends]))


def _shapes(preferences: AbstractPreferences) -> dict[str, tuple[int, ...]]:
    return {name: jnp.shape(p.mean()) for name, p in preferences.private.items()}


def check_count(preferences: AbstractPreferences) -> None:
    """Raises `InputError` where the numbers do not tell, or contradict, how many players there are."""
    shapes = preferences.shapes
    sizes = {shape for shape in shapes.values() if shape}
    if preferences.players is not None:
        sizes.add((preferences.players,))
    if len(sizes) > 1 or any(len(shape) > 1 for shape in sizes):
        raise InputError(f"preferences.{next(iter(shapes))}", f"shapes {shapes}", "give one number for each player")
    if not sizes:
        raise InputError("preferences.players", "missing", "say how many there are, or give one number for each")
