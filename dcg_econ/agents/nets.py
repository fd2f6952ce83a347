"""Which nets agents are made of: what makes one, given what goes in and what comes out."""

# Annotations are not postponed here: Equinox cannot read an AbstractVar from a string.
from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ.agents.inner import Bottleneck
from dcg_econ.agents.sensitivity import AbstractNorms, NoNorms, PredictedNorms, RunningNorms, ShuffledNorms
from dcg_econ.agents.transformer import GradientAwareTransformer, Layout

Net = Callable[[Float[Array, " n"]], Float[Array, " k"]]


class AbstractAwareness(eqx.Module):
    """What a transformer is told of how much its tokens matter."""

    @abstractmethod
    def norms(self, tokens: int, width: int, key: Array) -> AbstractNorms:
        """Fresh norms for T tokens of `width` numbers."""


class Plain(AbstractAwareness):
    """Nothing."""

    def norms(self, tokens, width, key):
        del tokens, width, key
        return NoNorms()


class Running(AbstractAwareness):
    """Running norms by position."""

    def norms(self, tokens, width, key):
        del width, key
        return RunningNorms(tokens)


class Predicted(AbstractAwareness):
    """Norms predicted from each token."""

    def norms(self, tokens, width, key):
        del tokens
        return PredictedNorms(width, key=key)


class Placebo(AbstractAwareness):
    """Running norms of other tokens."""

    def norms(self, tokens, width, key):
        del width, key
        return ShuffledNorms(RunningNorms(tokens), tokens)


class AbstractNets(eqx.Module):
    """Nets of one kind, for agents who talk and report."""

    @abstractmethod
    def make(self, layout: Layout, out: int, key: Array) -> Net:
        """A fresh net from `layout.inputs` numbers to `out`."""


class Perceptron(AbstractNets):
    """Multilayer perceptrons: `depth` hidden layers of `width` units, tanh."""

    width: int = eqx.field(static=True, default=32)
    depth: int = eqx.field(static=True, default=2)

    def make(self, layout, out, key):
        return eqx.nn.MLP(layout.inputs, out, self.width, self.depth, jnp.tanh, key=key)


class Transformer(AbstractNets):
    """Transformers of `layers` blocks; `inner` numbers pass between blocks at `inner_price` a nat, where it is not zero."""

    width: int = eqx.field(static=True, default=32)
    layers: int = eqx.field(static=True, default=2)
    heads: int = eqx.field(static=True, default=4)
    beta: float = eqx.field(static=True, default=1.0)
    awareness: AbstractAwareness = Running()
    inner: int = eqx.field(static=True, default=0)
    inner_price: float = eqx.field(static=True, default=0.0)

    def make(self, layout, out, key):
        first, second, third = jax.random.split(key, 3)
        return GradientAwareTransformer(
            layout,
            out,
            key=first,
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            beta=self.beta,
            norms=self.awareness.norms(layout.tokens, self.width, second),
            bottleneck=Bottleneck(self.width, self.inner, self.inner_price, key=third) if self.inner else None,
        )
