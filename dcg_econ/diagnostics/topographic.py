"""Topographic similarity: whether like meanings are said in like messages (Brighton and Kirby 2006).

It measures how a language is laid out, and foretells no generalisation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Float, Int
from scipy.spatial.distance import pdist, squareform
from scipy.stats import rankdata

from dcg_econ._errors import InputError, require_finite

Distance = Callable[[Any, Any], float]


class Topographic(NamedTuple):
    """`similarity`: Spearman's correlation of distances; NaN where all messages, or all meanings, are equally far apart.

    `p_value`: of as much or more where messages are dealt out at random; `null_mean`: of those; both NaN with the similarity.
    `used`: the messages looked at.
    """

    similarity: float
    p_value: float
    null_mean: float
    used: int


def topographic_similarity(
    meanings: Array | np.ndarray,
    messages: Array | np.ndarray,
    stop: int | None = 0,
    meaning_distance: Distance | None = None,
    message_distance: Distance | None = None,
    at_most: int = 300,
    permutations: int = 999,
    seed: int = 0,
) -> Topographic:
    """Spearman's correlation of the distances between n meanings and between their messages, with a permutation test.

    Meanings (n, A) of attributes, or (n, ...) with a distance of two of them; by default the share of attributes that
    differ. Messages: tokens (n, L), whole numbers cut at `stop`, by `edit_distances`; or numbers (n, ...) by Euclid; or
    anything by a distance of two of them. Of more than `at_most` a sample is looked at. `InputError` below three, or where
    lengths differ.
    """
    meanings, messages = np.asarray(meanings), np.asarray(messages)
    if len(meanings) != len(messages) or len(meanings) < 3:
        raise InputError(
            "messages", f"{len(messages)} for {len(meanings)} meanings", "give three or more of each, paired"
        )
    rng = np.random.default_rng(seed)
    kept = np.sort(rng.permutation(len(meanings))[: max(at_most, 3)])
    first = _distances(meanings[kept], meaning_distance, hamming_shares)
    whole = np.issubdtype(messages.dtype, np.integer)
    second = _distances(messages[kept], message_distance, (lambda m: edit_distances(m, stop)) if whole else _euclidean)
    similarity, p_value, null_mean = _mantel(first, second, len(kept), permutations, rng)
    return Topographic(similarity, p_value, null_mean, len(kept))


def hamming_shares(attributes: Int[Array | np.ndarray, "n A"]) -> Float[np.ndarray, " pairs"]:
    """The share of attributes that differ, of every pair in the order of `scipy.spatial.distance.pdist`."""
    return pdist(np.asarray(attributes), "hamming")


def edit_distances(tokens: Int[Array | np.ndarray, "n L"], stop: int | None = 0) -> Float[np.ndarray, " pairs"]:
    """Levenshtein's distance over the mean length, both cut before the first `stop`, of every pair as in `pdist`.

    From 0 to 2; 0 between two empty messages. With `stop` None nothing is cut.
    """
    tokens = np.asarray(tokens)
    lengths = said_lengths(tokens, stop)
    left, right = np.triu_indices(len(tokens), 1)
    mean = (lengths[left] + lengths[right]) / 2
    return _edits(tokens, lengths, left, right) / np.where(mean > 0, mean, 1)


def said_lengths(tokens: Int[Array | np.ndarray, "*batch L"], stop: int | None = 0) -> Int[np.ndarray, "*batch"]:
    """How many tokens come before the first `stop`; all of them where there is none."""
    return np.asarray(np.sum(~_ended(np.asarray(tokens), stop), -1))


def cut(tokens: Int[Array | np.ndarray, "*batch L"], stop: int = 0) -> Int[np.ndarray, "*batch L"]:
    """The tokens, all that follow the first `stop` replaced by it."""
    return np.where(_ended(np.asarray(tokens), stop), stop, np.asarray(tokens))


def _ended(tokens, stop):
    return np.zeros(tokens.shape, bool) if stop is None else np.logical_or.accumulate(tokens == stop, -1)


def _edits(tokens, lengths, left, right):
    """The table of Wagner and Fischer, row by row for all pairs at once; read where both messages end."""
    size, pairs = tokens.shape[1], np.arange(len(left))
    row = np.broadcast_to(np.arange(size + 1), (len(left), size + 1))
    found = np.where(lengths[left] == 0, lengths[right], 0)
    for i in range(size):
        following = np.empty_like(row)
        following[:, 0] = i + 1
        for j in range(size):
            swap = row[:, j] + (tokens[left, i] != tokens[right, j])
            following[:, j + 1] = np.minimum(np.minimum(row[:, j + 1], following[:, j]) + 1, swap)
        row = following
        found = np.where(lengths[left] == i + 1, row[pairs, lengths[right]], found)
    return found


def _euclidean(messages):
    require_finite("messages", messages)
    return pdist(messages.reshape(len(messages), -1).astype(float))


def _distances(things, distance, default):
    if distance is None:
        return default(things)
    return np.array([float(distance(a, b)) for a, b in combinations(things, 2)])


def _mantel(first, second, n, permutations, rng):
    """Spearman's correlation of two sets of distances, its one-sided p-value and its mean where one side is shuffled."""
    if np.all(first == first[0]) or np.all(second == second[0]):
        return math.nan, math.nan, math.nan
    one, two = (ranks - np.mean(ranks) for ranks in (rankdata(first), rankdata(second)))
    scale = np.linalg.norm(one) * np.linalg.norm(two)
    square, pairs = squareform(two), np.triu_indices(n, 1)
    orders = (rng.permutation(n) for _ in range(permutations))
    null = np.array([one @ square[order[pairs[0]], order[pairs[1]]] for order in orders]) / scale
    found = one @ two / scale
    as_much = np.sum(null >= found - len(one) * np.finfo(float).eps)
    return float(found), float((1 + as_much) / (1 + permutations)), float(np.mean(null)) if permutations else math.nan
