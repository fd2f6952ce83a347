import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcg_econ.experiments import Specification, SpecificationError, load
from dcg_econ.experiments.specification import catalog

GOOD = """
title = "A study"
question = "Is it so?"
data = "fulton_fish"
sessions = 2
seed = 1
[market]
buyers = 5
fringe_share = 0.5
value_spread = 0.2
[[treatments]]
name = "nash"
report = "schedule"
conduct = "nash"
"""


def written(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_catalogue_is_valid():
    assert "fish_market" in catalog()
    for name in catalog():
        assert isinstance(load(name), Specification)


def test_a_file_is_read_with_defaults(tmp_path):
    specification = load(written(tmp_path, GOOD))
    assert specification.market.buyers == 5 and specification.training.knots == 12
    short = specification.short()
    assert short.sessions == 2 and short.training.steps < specification.training.steps
    assert short.market == specification.market


@pytest.mark.parametrize(
    "old, new, expected",
    [
        ("buyers = 5", "buyerz = 5", ["market.buyerz: unknown key; did you mean `buyers`?", "market.buyers: missing"]),
        ("sessions = 2", "session = 2", ["session: unknown key; did you mean `sessions`?"]),
        ("sessions = 2", 'sessions = "two"', ["sessions: got 'two'; input should be a valid integer"]),
        ("sessions = 2", "sessions = 2.0", ["sessions: got 2.0"]),
        ("sessions = 2", "sessions = 0", ["sessions: got 0; input should be greater than or equal to 1"]),
        ("fringe_share = 0.5", "fringe_share = 1.5", ["market.fringe_share: got 1.5; input should be less than 1"]),
        ("fringe_share = 0.5", "fringe_share = nan", ["market.fringe_share"]),
        ('conduct = "nash"', 'conduct = "nesh"', ["treatments[0].conduct: 'nesh' is not one of"]),
        ('name = "nash"', 'name = "../../etc"', ["treatments[0].name"]),
        ("[[treatments]]", "[treatment]", ["treatment: unknown key; did you mean `treatments`?"]),
        ("seed = 1", "seed =", ["not valid TOML", "line 6"]),
    ],
)
def test_faults_are_located_and_remedied(tmp_path, old, new, expected):
    with pytest.raises(SpecificationError) as error:
        load(written(tmp_path, GOOD.replace(old, new, 1)))
    for text in expected:
        assert text in str(error.value)
    assert "study.toml" in str(error.value)


def test_names_given_twice_are_refused(tmp_path):
    again = GOOD + '[[treatments]]\nname = "nash"\nreport = "quantity"\nconduct = "nash"\n'
    with pytest.raises(SpecificationError, match="`nash` is given twice"):
        load(written(tmp_path, again))


def test_an_unknown_study_names_the_nearest():
    with pytest.raises(SpecificationError, match="did you mean `fish_market`"):
        load("fish_markt")
    with pytest.raises(SpecificationError, match="no such file"):
        load("nowhere/study.toml")


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
TREES = st.recursive(
    LEAVES, lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=8), c, max_size=3), max_leaves=8
)
KEYS = st.sampled_from(["title", "sessions", "market", "treatments", "training", "seed", "nonsense"])


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, TREES, max_size=5))
def test_any_tree_is_a_specification_or_a_located_error(tree):
    from pydantic import ValidationError

    from dcg_econ.experiments.specification import _sentence

    try:
        Specification.model_validate(tree)
    except ValidationError as error:
        lines = [_sentence("study.toml", fault) for fault in error.errors()]
        assert lines and all(line.startswith("study.toml: ") for line in lines)
