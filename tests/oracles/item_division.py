"""Divisions of a pool of items by brute force, in plain Python, written from the definitions and not from the package."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

Items = tuple[int, ...]


def divisions(pool: Sequence[int]) -> list[tuple[Items, Items]]:
    """Every way to give each item to one of two players."""
    firsts = itertools.product(*(range(n + 1) for n in pool))
    return [(first, tuple(n - x for n, x in zip(pool, first, strict=True))) for first in firsts]


def worth(values: Sequence[float], items: Sequence[int]) -> float:
    return sum(v * x for v, x in zip(values, items, strict=True))


def payoffs(pool: Sequence[int], values: Sequence[Sequence[float]]) -> dict[tuple[Items, Items], tuple[float, float]]:
    """The payoffs of both players in every division."""
    return {d: (worth(values[0], d[0]), worth(values[1], d[1])) for d in divisions(pool)}


def dominated(one: tuple[float, float], others) -> bool:
    """Whether some other pair is better for one player and no worse for the other."""
    return any(o[0] >= one[0] and o[1] >= one[1] and o != one for o in others)


def pareto(pool, values) -> set[tuple[Items, Items]]:
    """The divisions that no other dominates."""
    found = payoffs(pool, values)
    pairs = set(found.values())
    return {d for d, pair in found.items() if not dominated(pair, pairs)}


def best_joint(pool, values) -> float:
    """The largest sum of payoffs over all divisions."""
    return max(map(sum, payoffs(pool, values).values()))


def best_product(pool, values) -> float:
    return max(a * b for a, b in payoffs(pool, values).values())


def best_minimum(pool, values) -> float:
    return max(map(min, payoffs(pool, values).values()))


class Talks:
    """The rules of play, one move after the other: ("accept", None), or ("propose", what the mover keeps)."""

    def __init__(self, pool, values, limit):
        self.pool, self.values, self.limit = pool, values, limit
        self.turn, self.standing, self.division, self.refused = 0, None, None, [0, 0]

    @property
    def over(self):
        return self.division is not None or self.turn >= self.limit

    def move(self, accept: bool, kept: Sequence[int]) -> None:
        if self.over:
            return
        mover = self.turn % 2
        legal = all(0 <= x <= n for x, n in zip(kept, self.pool, strict=True))
        if accept and self.standing is not None:
            left = tuple(n - x for n, x in zip(self.pool, self.standing, strict=True))
            self.division = (left, self.standing) if mover == 0 else (self.standing, left)
        elif not accept and legal:
            self.standing = tuple(kept)
        else:
            self.standing = None
            self.refused[mover] += 1
        self.turn += 1

    def payoffs(self) -> tuple[float, float]:
        if self.division is None:
            return 0.0, 0.0
        return worth(self.values[0], self.division[0]), worth(self.values[1], self.division[1])
