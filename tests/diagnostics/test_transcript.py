import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import dcg_econ as dcg
from dcg_econ.diagnostics import codebook_table, transcript

PLAYERS = ("buyer", "ann")
TOKENS = np.array([[[3, 1, 4], [0, 5, 5]], [[2, 0, 7], [1, 1, 0]]])


def test_an_episode_reads_in_the_order_of_turns_up_to_stop():
    lines = transcript(PLAYERS, TOKENS).splitlines()
    assert lines == ["turn 1  buyer: 3 1 4", "turn 1    ann: (silent)", "turn 2  buyer: 2", "turn 2    ann: 1 1"]
    assert transcript(PLAYERS, jnp.asarray(TOKENS)).splitlines() == lines
    assert "turn 1    ann: 0 5 5" in transcript(PLAYERS, TOKENS, stop=None)
    assert "turn 1  buyer: 3\n" in transcript(PLAYERS, TOKENS, stop=1)


def test_who_had_no_turn_said_nothing():
    spoken = np.array([[True, False], [False, True]])
    assert transcript(PLAYERS, TOKENS, spoken=spoken) == "turn 1  buyer: 3 1 4\nturn 2    ann: 1 1"
    assert transcript(PLAYERS, TOKENS, spoken=jnp.asarray(~spoken)).splitlines()[0] == "turn 1    ann: (silent)"
    assert transcript(PLAYERS, TOKENS, spoken=np.zeros((2, 2), bool)) == ""


def test_values_are_said_to_three_digits():
    assert (
        transcript(["ann"], np.array([[[0.12345, -2.0]], [[1234.5, 0.0]]]))
        == "turn 1  ann: 0.123 -2\nturn 2  ann: 1.23e+03 0"
    )


def test_a_codebook_tells_what_messages_mean():
    frame = pd.DataFrame(
        {"kind": ["low", "high", "low", "low", "high"], "price": [1.0, 5.0, 2.0, 6.0, 9.0]}, index=[9] * 5
    )
    tokens = np.array([[1, 0, 7], [2, 2, 0], [1, 0, 3], [1, 0, 0], [0, 1, 1]])
    table = codebook_table(frame, tokens)
    assert list(table) == ["message", "count", "share", "meaning", "purity", "mean price"]
    assert sorted(table["message"][1:]) == ["(silent)", "2 2"]
    first = table.iloc[0]
    assert (first["message"], first["count"], first["share"], first["mean price"]) == ("1", 3, 0.6, 3.0)
    assert first["meaning"] == ("low", 1.0) and first["purity"] == pytest.approx(1 / 3)
    assert (table["count"].sum(), table["share"].sum()) == (5, pytest.approx(1))
    kinds = codebook_table(frame[["kind"]], tokens).set_index("message")
    assert kinds.loc["1", ["meaning", "purity"]].tolist() == ["low", 1]
    assert kinds.loc["2 2", "meaning"] == "high"
    assert len(codebook_table(frame, tokens, stop=None)) == 5


def test_counts_and_means_are_those_of_pandas():
    rng = np.random.default_rng(0)
    meanings, tokens = rng.integers(0, 3, (200, 2)), rng.integers(0, 3, (200, 2))
    table = codebook_table(jnp.asarray(meanings), jnp.asarray(tokens), stop=None)
    groups = pd.DataFrame(
        {"message": [f"{a} {b}" for a, b in tokens], "x": meanings[:, 0], "y": meanings[:, 1]}
    ).groupby("message")
    found = table.set_index("message").sort_index()
    np.testing.assert_array_equal(found["count"], groups.size())
    np.testing.assert_allclose(found[["mean 0", "mean 1"]], groups[["x", "y"]].mean())
    purest = groups[["x", "y"]].apply(lambda g: g.value_counts(normalize=True).max())
    np.testing.assert_allclose(found["purity"], purest)
    assert table["count"].is_monotonic_decreasing


def test_a_language_of_nothing_is_an_empty_table():
    table = codebook_table(pd.DataFrame({"price": np.zeros(0)}), np.zeros((0, 3), int))
    assert list(table) == ["message", "count", "share", "meaning", "purity", "mean price"] and table.empty


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("said", lambda: transcript(["ann"], TOKENS)),
        ("said", lambda: transcript(PLAYERS, TOKENS[0])),
        ("spoken", lambda: transcript(PLAYERS, TOKENS, spoken=np.ones((1, 2), bool))),
        ("tokens", lambda: codebook_table([1, 2], np.zeros((3, 2), int))),
        ("tokens", lambda: codebook_table([1, 2], np.zeros(2, int))),
    ],
)
def test_what_does_not_fit_together_is_refused(field, call):
    with pytest.raises(dcg.InputError, match=field):
        call()
