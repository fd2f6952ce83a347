"""Specifications that are wrong in a known way, and some that may be: what the fuzzing of this folder is fed with."""

import copy
import json
import math

from hypothesis import strategies as st

GOOD = {
    "title": "A study",
    "question": "Is it so?",
    "sessions": 2,
    "rounds": 3,
    "seed": 1,
    "mechanism": {
        "kind": "curve_market",
        "curvature": [1.0, 1.0, 1.0],
        "values": {"kind": "uniform", "low": -1.0, "high": 1.0},
        "outside_slope": 0.5,
    },
    "training": {"steps": 10, "batch": 4},
    "tolerances": {"regret": 1e-4},
    "grid": {"outside_slope": [0.5, 1.0], "values.high": [1.0, 2.0]},
    "treatments": [
        {"name": "nash", "conduct": "nash"},
        {"name": "learned", "objective": "joint", "training": {"knots": 5}},
    ],
    "hypotheses": [{"name": "h", "treatment": "learned", "against": "nash", "margin": 0.1}],
}

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats()
LEAVES = st.one_of(st.booleans(), NUMBERS, TEXT)
TREES = st.recursive(LEAVES, lambda c: st.lists(c, max_size=3) | st.dictionaries(TEXT, c, max_size=3), max_leaves=8)
UNKNOWN = st.from_regex(r"[a-z]{3,12}_zz", fullmatch=True)

# Where a key is, and values that it must refuse.
BAD_VALUES = {
    ("title",): ["", 3, [], {}, "x" * 300],
    ("question",): [1.5, [], "x" * 501],
    ("sessions",): [0, -1, 2.0, "2", True, 10**6, [], {}],
    ("rounds",): [0, 1.5, "many", 10**9],
    ("seed",): [-1, 2**31, 0.5, "one"],
    ("precision",): ["float16", 64, True],
    ("mechanism",): [3, "curve_market", [], {}, {"kind": 3}, {"curvature": [1.0]}],
    ("mechanism", "kind"): ["curve_markt", "uniform", "nash", "os.system", "__import__", 1, True, ""],
    ("mechanism", "curvature"): [
        0.0,
        -1.0,
        [],
        [0.0, 1.0],
        [1.0, -1.0],
        "one",
        [[1.0], [1.0, 2.0]],
        {},
        [math.nan],
        ["a"],
    ],
    ("mechanism", "outside_slope"): [-1.0, "steep", [1.0, 2.0], math.nan, math.inf, [], {}],
    ("mechanism", "values"): ["uniform", {}, {"kind": "unifrom", "low": 0, "high": 1}, [0, 1], {"kind": "silence"}],
    ("mechanism", "values", "low"): [3.0, "low", math.nan, [0.0, 0.0]],
    ("mechanism", "price_bounds"): [1.0, [1.0, 0.0], [1.0], "wide", [1.0, 1.0]],
    ("training", "steps"): [0, 10.0, "ten", 10**7],
    ("training", "knots"): [2, 1000, "few"],
    ("training", "learning_rate"): [0.0, -1.0, 2.0, math.nan, "fast"],
    ("tolerances", "regret"): [0.0, -1e-3, 2.0, math.nan],
    ("grid",): [[], 1, {"outside_slope": []}, {"outside_slope": 1.0}, {"../x": [1.0]}, {"outside_slop": [1.0]}],
    ("grid", "outside_slope"): [[], ["steep"], [-1.0], [math.nan], 0.5, [[1.0, 2.0]], [{}]],
    ("grid", "values.high"): [["high"], [-2.0], [math.nan]],
    ("grid", "training.stepz"): [[1]],
    ("grid", "values.top"): [[1.0]],
    ("grid", "price_bounds.low"): [[1.0]],
    ("treatments",): [[], {}, 3, [3], ["nash"]],
    ("treatments", 0, "name"): ["", "Nash", "../../etc/passwd", "a b", "nash\n", 3, "learned", "x" * 50, "con/../x"],
    ("treatments", 0, "conduct"): ["nesh", "curve_market", {}, {"kind": "affine_demnd"}, 3, {"kind": "silence"}],
    ("treatments", 0, "mechanism"): ["fish", {}, {"kind": "uniform"}, 3, {"kind": "curve_market"}],
    ("treatments", 1, "protocol"): ["chatt", "selfish", 3, {"kind": "silence", "loud": True}],
    ("treatments", 1, "estimator"): ["pathwse", "silence", 3],
    ("treatments", 1, "objective"): ["joynt", "silence", {}],
    ("treatments", 1, "training"): [3, {"stepz": 3}, {"steps": 0}, {"steps": "many"}],
    ("outcomes",): [[], "efficiency", ["Not A Name"], [3]],
    ("correction",): ["bonferroni", 3, {}],
    ("hypotheses", 0, "treatment"): ["nsh", 3, ""],
    ("hypotheses", 0, "against"): ["learned", "nobody"],
    ("hypotheses", 0, "outcome"): ["welfar", 3],
    ("hypotheses", 0, "margin"): [0.0, -1.0, "small", math.nan],
    ("hypotheses", 0, "alternative"): ["bigger", 3],
}
REQUIRED = [
    ("title",),
    ("sessions",),
    ("mechanism",),
    ("mechanism", "kind"),
    ("mechanism", "curvature"),
    ("treatments",),
    ("treatments", 0, "name"),
    ("hypotheses", 0, "name"),
    ("hypotheses", 0, "treatment"),
    ("hypotheses", 0, "against"),
]
TABLES = [
    (),
    ("mechanism",),
    ("mechanism", "values"),
    ("training",),
    ("tolerances",),
    ("treatments", 0),
    ("hypotheses", 0),
]


@st.composite
def surely_bad(draw):
    """The text of a specification with one fault that is certain."""
    tree, fault = copy.deepcopy(GOOD), draw(st.sampled_from(["value", "missing", "unknown"]))
    if fault == "value":
        path = draw(st.sampled_from(sorted(BAD_VALUES, key=str)))
        _put(tree, path, draw(st.sampled_from(BAD_VALUES[path])))
    elif fault == "missing":
        path = draw(st.sampled_from(REQUIRED))
        del _at(tree, path[:-1])[path[-1]]
    else:
        _at(tree, draw(st.sampled_from(TABLES)))[draw(UNKNOWN)] = draw(TREES)
    return toml(tree)


@st.composite
def perhaps_bad(draw):
    """The text of a specification with anything anywhere, or cut, or scribbled upon."""
    tree = copy.deepcopy(GOOD)
    if draw(st.booleans()):
        for _ in range(draw(st.integers(1, 3))):
            place = _at(tree, draw(st.sampled_from([p for p in TABLES if _there(tree, p)])))
            place[draw(st.sampled_from(sorted(place, key=str) or ["kind"]) | TEXT)] = draw(TREES)
        return toml(tree)
    text = toml(tree)
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(TEXT) + text[at + draw(st.integers(0, 200)) :]


def _there(tree, path):
    try:
        return isinstance(_at(tree, path), dict)
    except (KeyError, IndexError, TypeError):
        return False


def _at(tree, path):
    for part in path:
        tree = tree[part]
    return tree


def _put(tree, path, value):
    _at(tree, path[:-1])[path[-1]] = value


def toml(tree):
    """TOML for a tree, inline but for the top."""
    return "".join(f"{json.dumps(str(key))} = {_inline(value)}\n" for key, value in tree.items())


def _inline(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(k))} = {_inline(v)}" for k, v in value.items()) + "}"
    return "[" + ", ".join(map(_inline, value)) + "]"
