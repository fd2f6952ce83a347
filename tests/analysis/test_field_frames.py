"""Fields as a study keeps them: what goes in comes out."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from dcg_econ.analysis.field_frames import field_frame, stored_fields
from dcg_econ.analysis.field_sections import field_blocks


def made(step, dims):
    """A field by hand, with the frames that a `MessageField` gives."""
    rng = np.random.default_rng(step)
    shape = (4, 3)[:dims]
    size = int(np.prod(shape))
    points, field, messages = (rng.normal(size=(n, dims)) for n in (size, size, 9))
    second = lambda rows: rows[:, 1] if dims > 1 else np.zeros(len(rows))  # noqa: E731
    payoff, types, words = rng.normal(size=size), rng.normal(size=9), rng.normal(size=(4 * (step > 10), dims))
    places = {"first": points[:, 0], "second": second(points)}
    found = SimpleNamespace(
        player="buyer",
        sender="seller",
        shape=shape,
        plane=SimpleNamespace(shares=np.array([0.7, 0.2])[:dims]),
        points=points,
        field=field,
        payoff=payoff,
        messages=messages,
        types=types,
        field_frame=lambda: pd.DataFrame(
            places | {"d_first": field[:, 0], "d_second": second(field), "payoff": payoff}
        ),
        messages_frame=lambda: pd.DataFrame({"first": messages[:, 0], "second": second(messages), "type": types}),
        codewords_frame=lambda: pd.DataFrame(
            {"first": words[:, 0], "second": second(words), "word": np.arange(len(words))}
        ),
    )
    return step, found


def test_what_is_kept_comes_back():
    for dims in (1, 2):
        given = [made(10, dims), made(20, dims)]
        back = stored_fields(field_frame(given).sample(frac=1, random_state=0).sort_index())
        assert [step for step, _ in back] == [10, 20]
        for (_, one), (_, other) in zip(given, back, strict=True):
            assert (one.player, one.sender, one.shape) == (other.player, other.sender, other.shape)
            for name in ("points", "field", "payoff", "messages", "types"):
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            np.testing.assert_array_equal(one.plane.shares, other.plane.shares)
            pd.testing.assert_frame_equal(one.field_frame(), other.field_frame(), check_dtype=False)
            pd.testing.assert_frame_equal(one.messages_frame(), other.messages_frame(), check_dtype=False)
            pd.testing.assert_frame_equal(one.codewords_frame(), other.codewords_frame(), check_dtype=False)


def test_frames_from_before_codewords_were_kept_have_none():
    old = field_frame([made(10, 2)]).drop(columns="word")
    assert stored_fields(old)[0][1].codewords_frame().empty


def test_a_cell_has_a_figure_and_an_animation():
    rows = field_frame([made(10, 2), made(20, 2)]).assign(cell="a", treatment="continuous")
    blocks = field_blocks(pd.concat([rows, rows.assign(cell="b", treatment="other")]))
    assert [block.name for block in blocks] == ["field", "field_over_training", "field_2", "field_over_training_2"]
    assert [step for step, _ in blocks[1].frames] == [10, 20] and "Other" in blocks[2].caption
    assert field_blocks(None) == ()
