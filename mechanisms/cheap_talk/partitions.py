r"""Cheap talk between a biased sender who knows t and a receiver who acts, with quadratic losses (Crawford and Sobel 1982).

The sender's payoff from the action a is -(a - t - b)^2, the receiver's -(a - t)^2; t has a density on [low, high]. Talk
costs nothing and proves nothing. In every equilibrium the types form cells, low = t_0 < t_1 < ... < t_n = high, and the
receiver learns the cell and no more:

    a_i = m(t_{i-1}, t_i),     m(x, y) = E[t | x <= t <= y],                                              (1)
    t_i + b = (a_i + a_{i+1}) / 2,     i = 1, ..., n-1:                                                   (2)

the type on an edge is indifferent between the two actions beside it. By (1) the action is right on average, so that

    receiver's loss = sum_i P_i Var(t | cell i),     sender's loss = receiver's loss + b^2.               (3)

Given its first edge, (1) and (2) determine each further edge from the two before, going away from where the bias points
(upwards for b > 0; types are mirrored for b < 0). A partition with n cells is a first edge from which the nth edge is
the end of the support. As the first cell becomes empty the edges lie closest, at least where the solutions do not cross
(condition M of the source, true of log-concave densities), and one with n cells exists if and only if one with N does
and n <= N. For t uniform on [0, 1]

    t_i = i/n - 2 b i (n - i),     n <= N = ceil(-1/2 + sqrt(1 + 2/|b|) / 2),                             (4)
    receiver's loss = 1 / (12 n^2) + b^2 (n^2 - 1) / 3.                                                   (5)

With b = 0 any number of cells is an equilibrium, and so is telling the whole truth.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import optimistix as optx
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from dcg_econ._errors import EquilibriumError, InputError, is_concrete, require_finite
from dcg_econ.equilibrium.tolerances import residual_tolerance
from dcg_econ.priors import AbstractBoundedPrior, AbstractPrior, number
from dcg_econ.priors.rules import expectation_shares

_SAFE = lx.AutoLinearSolver(well_posed=False)
_ADJOINT = optx.ImplicitAdjoint(linear_solver=_SAFE)
_HALVINGS = 46
_STEPS = 30
_FIRST_EDGES = 17  # among which a bracket is sought; the empty cell would do for a count under condition M
_ROUNDS = 9  # each narrows the bracket by eight or more
# Where integrals are split, beside the kinks, so that a narrow density is not stepped over.
_LANDMARKS = (0.001, 0.03, 0.25, 0.75, 0.97, 0.999)


class Partition(eqx.Module):
    """A partition equilibrium of n cells, in the units of the type.

    `edges` (e,), e = n + 1, both ends of the support among them; `actions` (n,), (1); `probabilities` (n,) of the cells; the
    expected losses (3) of both; `residual`: what is left of (2), at most. NaN throughout where there is no such
    equilibrium. The residual carries no derivatives.
    """

    edges: Float[Array, " e"]
    actions: Float[Array, " n"]
    probabilities: Float[Array, " n"]
    receiver_loss: Float[Array, ""]
    sender_loss: Float[Array, ""]
    residual: Float[Array, ""]

    def talk(self, types: Float[Array, " g"]) -> Float[Array, "g n"]:
        """The chance of each word at each type: one for the cell the type lies in (on an edge, the upper one)."""
        cell = jnp.sum(types[:, None] >= self.edges[1:-1], axis=-1)
        return jax.nn.one_hot(cell, self.actions.shape[0], dtype=self.actions.dtype)


def most_cells(prior: AbstractPrior, bias: ArrayLike) -> int:
    """The largest number of cells of a partition equilibrium; (4) for the uniform.

    A cell narrower than about 1e-9 of the support does not count. Raises `InputError` for bias zero, where there is no
    largest number, and for what cannot be used; concrete numbers only.
    """
    prior, bias = bounded(prior), _one_number(bias)
    if not is_concrete(prior, bias):
        raise InputError("bias", "being traced, but a count is not differentiable", "call most_cells outside jit")
    if float(bias) == 0:
        raise InputError("bias", "at zero any number of cells is an equilibrium", "choose the number of cells yourself")
    view = _View(prior, bias)
    cells, walk = 1, _start(view, _first_edges(view))
    while True:
        walk = _walk(view, walk)
        if not bool(jnp.any(walk[1] < 1 - residual_tolerance(walk[1].dtype) / 10)):
            return cells
        cells += 1


def partition(prior: AbstractPrior, bias: ArrayLike, cells: int) -> Partition:
    """The partition equilibrium with so many `cells`: (1) and (2), differentiable in the bias and in the prior.

    Should there be several (condition M failing), the one with the largest cell at the end that the bias points away from.
    Raises `InputError`, and `EquilibriumError` where there is none; under `jax.vmap` such a lane carries NaN.
    """
    prior, bias = bounded(prior), _one_number(bias)
    if isinstance(cells, bool) or not isinstance(cells, int) or cells < 1:
        raise InputError("cells", f"found {cells!r}", "give a whole number, 1 or more")
    start, exists = jax.lax.stop_gradient(_shoot(*jax.lax.stop_gradient((prior, bias)), cells))
    found = _solve(prior, bias, start, exists)
    if is_concrete(found) and not bool(jnp.isfinite(found.residual)):
        most = most_cells(prior, bias) if float(bias) != 0 else cells
        few = f"at most {most} here" if most < cells else "the outermost are too narrow, or too improbable, to compute"
        raise EquilibriumError(
            f"no partition equilibrium has {cells} cells with bias {float(bias):g}: {few}; ask for fewer cells or bring "
            "the bias nearer to zero"
        )
    return found


def babbling(prior: AbstractPrior, bias: ArrayLike) -> Partition:
    """The equilibrium in which nothing is learned: one cell. It exists always."""
    return partition(prior, bias, 1)


def bounded(prior: AbstractPrior) -> AbstractBoundedPrior:
    """The same prior, if it is one of one type with a density on an interval; raises `InputError` if not."""
    if not isinstance(prior, AbstractBoundedPrior):
        raise InputError("prior", f"{prior!r} has no density on an interval", "give dcg.Uniform, dcg.Beta ...")
    if jnp.ndim(prior.mean()) > 0:
        raise InputError("prior", f"parameters of shape {jnp.shape(prior.mean())}", "give scalars, and use jax.vmap")
    low, high = prior.support()
    if is_concrete(low, high) and float(low) >= float(high):
        raise InputError("prior", f"all mass lies at {float(low):g}", "give low < high")
    return prior


def _one_number(bias) -> Array:
    bias = number("bias")(bias)
    if bias.ndim > 0:
        raise InputError("bias", f"shape {bias.shape}", "give one number, and use jax.vmap")
    require_finite("bias", bias)
    return bias


class _Cells(eqx.Module):
    """A prior on [0, 1], as share of the support, with its integrals split at `marks` (k,)."""

    prior: AbstractBoundedPrior
    marks: Array

    def __init__(self, prior):
        low, high = prior.support()
        landmarks = jax.lax.stop_gradient(prior.quantile(jnp.asarray(_LANDMARKS, jnp.result_type(float))))
        marks = jnp.concatenate([jnp.atleast_1d(prior.knots()), landmarks])
        self.prior = prior
        self.marks = jnp.sort((marks - low) / (high - low))

    def moments(self, x, y):
        """The mean of the types between the shares x <= y, and their variance; the middle where there are none."""
        low, high = self.prior.support()
        width = jnp.where(y > x, y - x, 1.0)
        ends = jnp.clip((self.marks - x) / width, 0.0, jnp.where(y > x, 1.0, 0.0))
        ends = jnp.concatenate([jnp.zeros(1, ends.dtype), ends, jnp.where(y > x, jnp.ones(1, ends.dtype), 0.0)])
        u, weights = expectation_shares(ends.dtype)
        lengths = jnp.diff(ends)[:, None]
        shares = ends[:-1, None] + lengths * u
        mass = lengths * weights * self.prior.density(low + (high - low) * jnp.clip(x + width * shares, 0.0, 1.0))
        total = jnp.sum(mass)
        some = total > 0
        total = jnp.where(some, total, 1.0)
        mean = jnp.where(some, jnp.sum(mass * shares) / total, 0.5)
        variance = jnp.sum(mass * (shares - mean) ** 2) / total
        return x + (y - x) * mean, (y - x) ** 2 * variance

    def mean(self, x, y):
        return self.moments(x, y)[0]


class _View(eqx.Module):
    """The game on [0, 1] with a bias of zero or more: types mirrored where the bias is negative."""

    cells: _Cells
    mirrored: Array
    bias: Array

    def __init__(self, prior, bias):
        low, high = prior.support()
        self.cells = _Cells(prior)
        self.mirrored = bias < 0
        self.bias = jnp.abs(bias) / (high - low)

    def mean(self, x, y):
        left, right = jnp.where(self.mirrored, 1 - y, x), jnp.where(self.mirrored, 1 - x, y)
        value = self.cells.mean(left, right)
        return jnp.where(self.mirrored, 1 - value, value)

    def step(self, walk):
        """The next edge by (2) and (1) from (the last action, the last edge); beyond the end the mean goes on rising."""
        action, edge = walk
        target = 2 * (edge + self.bias) - action
        begin = jnp.minimum(edge, 1.0)

        def excess(y, _):
            return self.mean(begin, jnp.minimum(y, 1.0)) + jnp.maximum(y - 1, 0.0) - target

        tolerance = 4 * float(jnp.finfo(target.dtype).eps)
        solver = optx.Bisection(rtol=tolerance, atol=tolerance, flip=False)
        ends = {"lower": begin, "upper": 1 + target}
        found = optx.root_find(excess, solver, 0.5 * (begin + 1), options=ends, max_steps=_HALVINGS, throw=False)
        return target, found.value


@eqx.filter_jit
def _start(view, edges):
    return jax.vmap(lambda edge: (view.mean(jnp.zeros_like(edge), edge), edge))(edges)


@eqx.filter_jit
def _walk(view, walk):
    return jax.vmap(view.step)(walk)


@eqx.filter_jit
def _shoot(prior, bias, cells):
    """Interior edges (cells - 1,), near enough, and whether there is a first edge from which the last one is the end.

    It is bracketed between the last first edge from which the last falls short, and the next; again and again.
    """
    view = _View(prior, bias)

    def path(first):
        start = view.mean(jnp.zeros_like(first), first), first
        return jax.lax.scan(lambda walk, _: (view.step(walk), walk[1]), start, length=cells)[1]

    def narrowed(bracket, _):
        low, high = bracket
        firsts = low + (high - low) * _first_edges(view)
        edges = jax.vmap(path)(firsts)
        short = (edges[:, -1] <= 1).at[-1].set(False)
        at = jnp.minimum(short.shape[0] - 1 - jnp.argmax(short[::-1]), short.shape[0] - 2)
        return (firsts[at], firsts[at + 1]), (edges[at, :-1], jnp.any(short))

    everything = jnp.zeros_like(view.bias), jnp.ones_like(view.bias)
    _, (edges, exists) = jax.lax.scan(narrowed, everything, length=_ROUNDS)
    return jnp.where(view.mirrored, 1 - edges[-1][::-1], edges[-1]), exists[0]


def _first_edges(view):
    """First edges from an empty cell to everything, close together near the empty one."""
    return jnp.linspace(0.0, 1.0, _FIRST_EDGES, dtype=view.bias.dtype) ** 2


@eqx.filter_jit
def _solve(prior, bias, start, exists) -> Partition:
    """Newton's method on (2) from interior edges at `start` (n - 1,), as shares of the support."""
    low, high = prior.support()
    width = high - low
    within = _Cells(prior)

    def all_edges(inner):
        return jnp.concatenate([jnp.zeros(1, bias.dtype), inner, jnp.ones(1, bias.dtype)])

    def residual(inner, args):
        within, share = args
        edges = all_edges(inner)
        actions = jax.vmap(within.mean)(edges[:-1], edges[1:])
        return 0.5 * (actions[:-1] + actions[1:]) - inner - share

    inner, left = start, jnp.zeros((), bias.dtype)
    if start.shape[0] > 0:
        tolerance = 16 * float(jnp.finfo(bias.dtype).eps)
        solver = optx.Newton(rtol=tolerance, atol=tolerance, linear_solver=_SAFE)
        args = within, bias / width
        inner = optx.root_find(residual, solver, start, args, max_steps=_STEPS, adjoint=_ADJOINT, throw=False).value
        left = jnp.max(jnp.abs(residual(*jax.lax.stop_gradient((inner, args)))))
    edges = all_edges(inner)
    actions, variances = jax.vmap(within.moments)(edges[:-1], edges[1:])
    probabilities = jnp.diff(prior.cdf(low + width * edges))
    loss = width**2 * jnp.sum(probabilities * variances)
    good = exists & (left <= residual_tolerance(left.dtype)) & jnp.all(jnp.diff(edges) > 0)
    numbers = low + width * edges, low + width * actions, probabilities, loss, loss + bias**2, width * left
    return Partition(*(jnp.where(good, value, jnp.nan) for value in numbers))
