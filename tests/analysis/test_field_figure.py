"""Figures of message fields. Oracle: a field whose arrows, messages and codewords are worked out by hand."""

import base64
import re
import types

import numpy as np
import pandas as pd
import pytest

from dcg_econ.analysis.field_figure import ALONG, LONGEST, animate_message_field, animation_html, draw_message_field

Image = pytest.importorskip("PIL.Image")


def field(steepness=1.0, line=False, words=2, shift=0.0):
    """Payoff steepness * (first + second / 2) on a grid of 5 by 3 over [-2, 2] x [-1, 1] (5 on a line)."""
    sides = [np.linspace(-2, 2, 5)] if line else [np.linspace(-2, 2, 5), np.linspace(-1, 1, 3)]
    points = np.stack([side.ravel() for side in np.meshgrid(*sides, indexing="ij")], axis=1)
    slope = steepness * np.array([1.0, 0.5])[: points.shape[1]]
    messages = np.array([[-1.5, 0.5], [0.0, -0.5], [1.0, 0.25]])[:, : points.shape[1]] + shift
    codewords = np.array([[1.0, -0.5], [-1.0, 0.75]])[:words, : points.shape[1]]

    def frame(places, **columns):
        second = np.zeros(len(places)) if line else places[:, 1]
        return pd.DataFrame({"first": places[:, 0], "second": second} | columns)

    slopes = np.tile(slope, (len(points), 1))
    return types.SimpleNamespace(
        player="receiver",
        sender="sender",
        plane=types.SimpleNamespace(shares=np.array([0.62, 0.3])[: points.shape[1]]),
        shape=tuple(len(side) for side in sides),
        points=points,
        field=slopes,
        payoff=points @ slope,
        types=np.array([0.1, 0.5, 0.9]),
        field_frame=lambda: frame(
            points, d_first=slopes[:, 0], d_second=0 * points[:, 0] if line else slopes[:, 1], payoff=points @ slope
        ),
        messages_frame=lambda: frame(messages, type=np.array([0.1, 0.5, 0.9])),
        codewords_frame=lambda: frame(codewords, word=np.arange(words)),
    )


def quivers(axes):
    return [made for made in axes.collections if type(made).__name__ == "Quiver"]


def labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


@pytest.fixture(scope="module")
def axes():
    return draw_message_field(field(), type_label="Value ($)", payoff_unit="$")


def test_axes_and_bars_say_what_they_measure(axes):
    assert axes.get_xlabel() == "Messages, first principal direction (62% of variance)"
    assert axes.get_ylabel() == "Second principal direction (30% of variance)"
    bars = {bar.get_ylabel() for bar in axes.child_axes}
    assert bars == {"Value ($)", "Mean payoff of the receiver ($)"}
    steepest = np.hypot(1, 0.5)
    assert f"longest: {steepest:.2g} $ per unit of message" in " ".join(labels(axes)).replace("\n", " ")
    assert axes.get_aspect() == 1


def test_arrows_point_up_the_payoff_and_do_not_overlap(axes):
    (arrows,) = quivers(axes)
    np.testing.assert_allclose(arrows.XY, field().points)
    np.testing.assert_allclose(arrows.V / arrows.U, 0.5)
    np.testing.assert_allclose(np.hypot(arrows.U, arrows.V), LONGEST)  # the grid's step is one


def test_messages_and_codewords_stand_where_the_frames_say(axes):
    dots, crosses = (made for made in axes.collections if type(made).__name__ == "PathCollection")
    np.testing.assert_allclose(dots.get_offsets(), field().messages_frame()[["first", "second"]])
    np.testing.assert_allclose(dots.get_array(), [0.1, 0.5, 0.9])
    np.testing.assert_allclose(crosses.get_offsets(), field().codewords_frame()[["first", "second"]])
    assert [text.get_text() for text in axes.texts] == ["0", "1"]
    bare = draw_message_field(field(words=0))
    assert not bare.texts and "Codewords, by number" not in labels(bare)


def test_a_flat_payoff_has_no_arrows_and_says_so():
    flat = draw_message_field(field(steepness=0.0))
    assert not quivers(flat) and "does not depend on the message" in " ".join(labels(flat))
    flat.figure.canvas.draw()


def test_messages_of_one_number_lie_below_the_curve_of_payoff():
    line = draw_message_field(field(line=True))
    curve = line.get_lines()[0]
    np.testing.assert_allclose(curve.get_xydata(), np.column_stack([np.linspace(-2, 2, 5)] * 2))
    (arrows,) = quivers(line)
    np.testing.assert_allclose(np.column_stack([arrows.U, arrows.V]), [[ALONG, 0]] * 5)
    heights = np.concatenate([made.get_offsets()[:, 1] for made in line.collections if made.get_offsets().size == 6])
    assert np.all(heights < curve.get_ydata().min()) and np.all(heights > line.get_ylim()[0])
    assert line.get_ylabel() == "Mean payoff of the receiver (payoff units)"


def test_it_draws_on_axes_that_are_given():
    figure = draw_message_field(field()).figure
    axes = figure.add_axes((0.1, 0.1, 0.3, 0.3))
    assert draw_message_field(field(), axes) is axes and axes.figure is figure


@pytest.fixture(scope="module")
def gif(tmp_path_factory):
    frames = [(step, field(steepness, shift=shift)) for step, steepness, shift in ((0, 0.1, 0.0), (50, 1.0, 0.5))]
    return frames, animate_message_field(frames, tmp_path_factory.mktemp("gif") / "field.gif", seconds=0.4)


def test_an_animation_has_all_frames_and_loops_for_ever(gif):
    frames, file = gif
    with Image.open(file) as image:
        assert image.format == "GIF" and image.n_frames == len(frames)
        assert image.info["loop"] == 0 and image.info["duration"] == 400
        first = np.asarray(image.convert("RGB"))
        image.seek(1)
        assert np.any(first != np.asarray(image.convert("RGB")))


def test_the_page_holds_the_gif_itself(gif):
    frames, _ = gif
    text = animation_html(frames, width=500)
    found = re.fullmatch(r'<img src="data:image/gif;base64,([^"]+)" alt="([^"]+)" width="500">', text)
    assert base64.b64decode(found[1])[:6] == b"GIF89a"
    assert "from training step 0 to 50" in found[2] and "messages of the sender" in found[2]


def test_frames_that_make_no_film_are_refused(tmp_path):
    for frames, message in (
        ([], "is empty"),
        ([(1, field()), (1, field())], "repeats a step"),
        ([(1, field()), (2, field(line=True))], "mixes messages"),
    ):
        with pytest.raises(ValueError, match=message):
            animate_message_field(frames, tmp_path / "none.gif")
    assert not list(tmp_path.iterdir())
