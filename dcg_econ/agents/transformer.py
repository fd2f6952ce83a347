"""A small transformer over what a player knows, what it has heard and what it says, told how much each token matters.

Pre-norm blocks (Xiong et al. 2020) of attention (Vaswani et al. 2017) whose logits get

    beta_h log(g_j / mean g + eps)                                                                       (1)

for key j in head h, with g_j the norm of the objective's derivative in token j (`sensitivity`) and beta_h >= 0 learned for each
head; zero is plain attention. Speaker and listener are one net: types, words heard and words to be said are tokens alike.
"""

# Annotations are not postponed here: Equinox cannot read an AbstractVar from a string.
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dcg_econ._errors import InputError
from dcg_econ.agents.inner import Bottleneck
from dcg_econ.agents.sensitivity import AbstractNorms, NoNorms


class Layout(eqx.Module):
    """The tokens of a net: `types` tokens for `known` numbers, one for each `size` of `heard` numbers, and `says` to be said.

    Shares must be whole; a net without a token for types gets one that knows nothing, to answer from.
    """

    known: int = eqx.field(static=True)
    heard: int = eqx.field(static=True, default=0)
    size: int = eqx.field(static=True, default=1)
    says: int = eqx.field(static=True, default=0)
    types: int = eqx.field(static=True, default=1)

    def __check_init__(self):
        for field, whole, part in (("types", self.known, self.types), ("size", self.heard, self.size)):
            if part < 1 or whole % part:
                raise InputError(field, f"{part} does not divide {whole}", "give tokens of equal size")

    @property
    def inputs(self) -> int:
        return self.known + self.heard

    @property
    def tokens(self) -> int:
        return self.types + self.heard // self.size + self.says


class Attention(eqx.Module):
    """Attention of every token to every token, weighted by (1)."""

    query: eqx.nn.Linear
    key: eqx.nn.Linear
    value: eqx.nn.Linear
    out: eqx.nn.Linear
    beta: Float[Array, " h"]
    heads: int = eqx.field(static=True)

    def __init__(self, width: int, heads: int, beta: float, *, key: Array):
        keys = jax.random.split(key, 4)
        self.query, self.key, self.value, self.out = (eqx.nn.Linear(width, width, use_bias=False, key=k) for k in keys)
        self.beta, self.heads = jnp.full(heads, beta, float), heads

    def __call__(
        self, tokens: Float[Array, "T w"], bias: Float[Array, " T"], read: slice = slice(None)
    ) -> Float[Array, "Q w"]:
        """What the tokens in `read` see of all T."""
        asked = tokens[read]
        query = jax.vmap(self.query)(asked).reshape(asked.shape[0], self.heads, -1)
        key, value = (jax.vmap(f)(tokens).reshape(tokens.shape[0], self.heads, -1) for f in (self.key, self.value))
        # Held at zero from below; the derivative goes on, so that a head which fell silent may come back.
        beta = self.beta + jax.lax.stop_gradient(jax.nn.relu(self.beta) - self.beta)
        weights = (beta[:, None] * bias)[None, :, None, :]
        seen = jax.nn.dot_product_attention(query, key, value, bias=weights)
        return jax.vmap(self.out)(seen.reshape(asked.shape))


class Block(eqx.Module):
    """Attention, then a layer of its own for each token, both added to what came in."""

    first: eqx.nn.LayerNorm
    attention: Attention
    second: eqx.nn.LayerNorm
    wide: eqx.nn.Linear
    narrow: eqx.nn.Linear

    def __init__(self, width: int, heads: int, beta: float, *, key: Array):
        keys = jax.random.split(key, 3)
        self.first, self.second = eqx.nn.LayerNorm(width), eqx.nn.LayerNorm(width)
        self.attention = Attention(width, heads, beta, key=keys[0])
        self.wide, self.narrow = (
            eqx.nn.Linear(width, 2 * width, key=keys[1]),
            eqx.nn.Linear(2 * width, width, key=keys[2]),
        )

    def __call__(self, tokens, bias, read: slice = slice(None)):
        tokens = tokens[read] + self.attention(jax.vmap(self.first)(tokens), bias, read)
        inner = jax.nn.gelu(jax.vmap(self.wide)(jax.vmap(self.second)(tokens)))
        return tokens + jax.vmap(self.narrow)(inner)


class GradientAwareTransformer(eqx.Module):
    """From a row of numbers, known and then heard (`layout`), to `out` numbers.

    With words to be said these are read off their tokens in equal shares, else off the first token. `norms` knows how much
    tokens matter; `bottleneck`: a priced channel that every token passes between blocks. `listens`: while a training pulls
    gradients back, the norms take note; forward-mode derivatives need it off, as it is otherwise.
    """

    types: eqx.nn.Linear
    words: eqx.nn.Linear
    places: Float[Array, "T w"]
    blocks: tuple[Block, ...]
    bottleneck: Bottleneck | None
    last: eqx.nn.LayerNorm
    read: eqx.nn.Linear
    norms: AbstractNorms
    layout: Layout
    listens: bool

    def __init__(
        self,
        layout: Layout,
        out: int,
        *,
        key: Array,
        width: int = 32,
        layers: int = 2,
        heads: int = 4,
        beta: float = 1.0,
        norms: AbstractNorms | None = None,
        bottleneck: Bottleneck | None = None,
    ):
        _check(layout, out, width, layers, heads, beta)
        keys = jax.random.split(key, layers + 4)
        self.types = eqx.nn.Linear(layout.known // layout.types, width, key=keys[0])
        self.words = eqx.nn.Linear(layout.size, width, key=keys[1])
        # Smaller than what tokens say: with places of size one some pairs in a referential game never understand each other.
        self.places = 0.3 * jax.random.normal(keys[2], (layout.tokens, width))
        self.blocks = tuple(Block(width, heads, beta, key=k) for k in keys[4:])
        self.last = eqx.nn.LayerNorm(width)
        self.read = eqx.nn.Linear(width, out // max(layout.says, 1), key=keys[3])
        self.norms, self.bottleneck = NoNorms() if norms is None else norms, bottleneck
        self.layout, self.listens = layout, False

    def __call__(self, inputs: Float[Array, " n"]) -> Float[Array, " k"]:
        layout = self.layout
        if inputs.shape != (layout.inputs,):
            raise InputError(
                "inputs",
                f"shape {inputs.shape}, not ({layout.inputs},)",
                f"the net was made for {layout.known} numbers known and {layout.heard} heard; give a layout that fits",
            )
        tokens = self._tokens(inputs)
        bias = self.norms.bias(tokens)
        tokens = self.norms.tapped(tokens) if self.listens else tokens
        answer = slice(-layout.says, None) if layout.says else slice(1)
        for number, block in enumerate(self.blocks, 1):
            if number > 1 and self.bottleneck is not None:
                tokens = self.bottleneck(tokens, number - 1)
            # Of the last block only what is read: half of the work of a net of few layers.
            tokens = block(tokens, bias, answer if number == len(self.blocks) else slice(None))
        return jax.vmap(self.read)(jax.vmap(self.last)(tokens)).ravel()

    def _tokens(self, inputs):
        known, heard = inputs[: self.layout.known], inputs[self.layout.known :]
        width = self.places.shape[1]
        rows = [jax.vmap(self.types)(known.reshape(self.layout.types, -1))]
        rows += [jax.vmap(self.words)(heard.reshape(-1, self.layout.size))] if heard.size else []
        rows += [jnp.zeros((self.layout.says, width), inputs.dtype)] if self.layout.says else []
        return jnp.concatenate(rows) + self.places


def listening(tree: Any, on: bool = True) -> Any:
    """The same agents, their transformers taking note of gradients that are pulled back."""

    def is_net(node):
        return isinstance(node, GradientAwareTransformer)

    return jax.tree.map(lambda n: eqx.tree_at(lambda net: net.listens, n, on) if is_net(n) else n, tree, is_leaf=is_net)


def _check(layout: Layout, out: int, width: int, layers: int, heads: int, beta: float) -> None:
    for field, value in (("out", out), ("width", width), ("layers", layers), ("heads", heads)):
        if not isinstance(value, int) or value < 1:
            raise InputError(field, f"{value!r}", "give a whole number above zero")
    if width % heads:
        raise InputError("heads", f"{heads} do not divide width {width}", "give heads of equal width")
    if layout.says and out % layout.says:
        raise InputError("out", f"{out} numbers on {layout.says} words", "give a whole share to each word")
    if not beta >= 0:
        raise InputError("beta", f"{beta}", "give a number of zero or more; zero is plain attention")
