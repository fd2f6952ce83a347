"""Which way payoffs pull messages: arrows over payoff, the messages that are said and the codewords, still and over training.

What is drawn is a `MessageField` of `dcg_econ.diagnostics`. Shades of grey are payoff, colours the speaker's type.
"""

import base64
import html
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dcg_econ.analysis.figures import WIDTH, figure_of, styled
from dcg_econ.analysis.style import BLACK, GREY, ORANGE

LEVELS = 12  # steps of the payoff's shading
SHADES = (0.04, 0.5)  # how dark payoffs are shaded, low to high: neither arrows nor messages drown
TYPES = "cividis"  # rises in lightness, for every eye
LONGEST = 0.9  # of the distance between grid points: the longest arrow
ALONG = 2.0  # the same on a line, whose arrows follow each other
PANEL, AROUND = 4.5, 1.25  # inches: the width of the axes, and what stands above and below them
FLATTEST = 0.62  # height over width: below, the labels of the colour bars have no room
BAR, NEXT_BAR = 0.14, 0.95  # inches: the width of a colour bar, and how far the second stands from the first
SHOWN = 150  # messages that are drawn: more hide the arrows
GIF_DPI = 100


@dataclass(frozen=True)
class _Scale:
    """What the frames of one animation share: limits of both axes, ranges of payoff and type, the steepest slope, and how
    long an arrow is for a slope of one."""

    first: tuple[float, float]
    second: tuple[float, float]
    payoff: tuple[float, float]
    types: tuple[float, float]
    steepest: float
    length: float

    @classmethod
    def of(cls, fields: Sequence[Any]) -> "_Scale":
        payoff, types = (np.concatenate([getattr(f, name) for f in fields]) for name in ("payoff", "types"))
        points = np.concatenate([f.points for f in fields])
        steepest = float(max(np.linalg.norm(f.field, axis=1).max() for f in fields))
        step = min(np.ptp(f.points[:, i]) / (f.shape[i] - 1) for f in fields for i in range(f.points.shape[1]))
        room = step * (LONGEST if points.shape[1] > 1 else ALONG)  # for arrows that start at the edge
        margin = room * (0.6 if points.shape[1] > 1 else 1.05)  # arrows on a line point outwards at their longest
        sides = [(side.min() - margin, side.max() + margin) for side in points.T]
        first, second = sides[0], sides[1] if len(sides) > 1 else _room(payoff, below=0.25)
        length = room / steepest if steepest else 0.0
        return cls(first, second, _room(payoff), _room(types), steepest, length)

    def size(self, line: bool) -> tuple[float, float]:
        """Of a figure, in inches: a plane has one scale on both axes."""
        shape = 0.7 if line else max(np.ptp(self.second) / np.ptp(self.first), FLATTEST)
        return WIDTH, AROUND + PANEL * shape


@styled
def draw_message_field(found: Any, axes: Any = None, type_label: str | None = None, payoff_unit: str = "payoff units"):
    """The field as arrows over mean payoff, messages coloured by their speaker's type, codewords as numbered crosses.

    `found`: a `MessageField`. `axes`: where to draw, by default on a figure of its own, `.figure` of what is returned.
    `type_label`: name and unit of the type, such as "Buyer's value ($)"; `payoff_unit`: of the payoff. Messages of one
    number are drawn below the curve of mean payoff, with arrows along it. Of more than 150 messages the first are drawn.
    Returns the Axes.
    """
    scale = _Scale.of([found])
    if axes is None:
        _, axes = figure_of(*scale.size(_is_line(found)))
    _draw(axes, found, scale, type_label, payoff_unit)
    return axes


@styled
def animate_message_field(
    frames: Sequence[tuple[int, Any]],
    file: str | Path,
    type_label: str | None = None,
    payoff_unit: str = "payoff units",
    seconds: float = 0.6,
) -> Path:
    """Writes a GIF that loops for ever: `frames` of (training step, field), `seconds` each, on common axes and scales.

    Fields on one plane, `message_field(..., grid=last)`, can be followed by eye. Returns the path. Raises ValueError where
    there are no frames, a step comes twice, or messages of one number and longer ones are mixed.
    """
    from matplotlib.animation import PillowWriter
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    _require_frames(frames)
    scale = _Scale.of([found for _, found in frames])
    figure = Figure(figsize=scale.size(_is_line(frames[0][1])), layout="constrained")
    FigureCanvasAgg(figure)
    writer = PillowWriter(fps=1 / seconds)
    with writer.saving(figure, str(file), GIF_DPI):
        for step, found in frames:
            figure.clear()
            axes = figure.subplots()
            _draw(axes, found, scale, type_label, payoff_unit)
            figure.suptitle(f"Training step {step:,}", fontsize=11)
            writer.grab_frame()
    return Path(file)


def animation_html(
    frames: Sequence[tuple[int, Any]],
    type_label: str | None = None,
    payoff_unit: str = "payoff units",
    seconds: float = 0.6,
    width: int = 720,
) -> str:
    """An `<img>`, `width` pixels wide, that holds the GIF of `animate_message_field` itself, for a self-contained page."""
    with tempfile.TemporaryDirectory() as folder:
        made = animate_message_field(frames, Path(folder) / "field.gif", type_label, payoff_unit, seconds)
        image = base64.b64encode(made.read_bytes()).decode("ascii")
    found = frames[-1][1]
    said = (
        f"Animation from training step {frames[0][0]:,} to {frames[-1][0]:,}: messages of the {found.sender}, coloured by "
        f"type, and arrows that show which way the mean payoff of the {found.player} rises in the message"
    )
    return f'<img src="data:image/gif;base64,{image}" alt="{html.escape(said)}" width="{width}">'


def _require_frames(frames: Sequence[tuple[int, Any]]) -> None:
    if not frames:
        raise ValueError("`frames` is empty: give [(step, message_field(...)), ...]")
    steps = [step for step, _ in frames]
    if len(set(steps)) < len(steps):
        raise ValueError("`frames` repeats a step: give one field for each step")
    if len({_is_line(found) for _, found in frames}) > 1:
        raise ValueError("`frames` mixes messages of one number with longer ones: give fields of one language")


def _is_line(found: Any) -> bool:
    return found.points.shape[1] == 1


def _draw(axes, found: Any, scale: _Scale, type_label: str | None, payoff_unit: str) -> None:
    payoff_label = f"Mean payoff of the {found.player} ({payoff_unit})"
    axes.grid(visible=False)
    if _is_line(found):
        axes.plot(found.points[:, 0], found.payoff, color=GREY, linewidth=1.2, zorder=2, label="Mean payoff")
        axes.set_xlabel("Message (its one number, as received)")
        axes.set_ylabel(payoff_label)
    else:
        shades = _shading(axes, found, scale)
        shares = [f"principal direction ({100 * share:.0f}% of variance)" for share in found.plane.shares]
        axes.set_xlabel(f"Messages, first {shares[0]}")
        axes.set_ylabel(f"Second {shares[1]}")
        axes.set_aspect("equal")
    dots = _messages(axes, found, scale)
    _arrows(axes, found, scale, payoff_unit)
    _codewords(axes, found, scale)
    axes.set_xlim(*scale.first)
    axes.set_ylim(*scale.second)
    axes.apply_aspect()  # bars are placed by the width that the axes come to have
    _bar(axes, dots, 0, type_label or f"Type of the {found.sender}")
    if not _is_line(found):
        _bar(axes, shades, 1, payoff_label)
    where = {"loc": "lower left", "bbox_to_anchor": (-0.02, 1.01), "borderpad": 0.2}
    axes.legend(ncols=2, columnspacing=1.2, handletextpad=0.5, **where)


def _shading(axes, found: Any, scale: _Scale):
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.ticker import MaxNLocator

    greys = LinearSegmentedColormap.from_list("greys", [str(1 - shade) for shade in SHADES])
    levels = MaxNLocator(LEVELS).tick_values(*scale.payoff)
    surface = [column.reshape(found.shape) for column in (*found.points.T, found.payoff)]
    shades = axes.contourf(*surface, levels=levels, cmap=greys, zorder=0)
    axes.contour(*surface, levels=levels, colors="white", linewidths=0.6, linestyles="solid", zorder=1)
    return shades


def _bar(axes, drawn, place: int, label: str) -> None:
    """A colour bar as high as the axes, the first or the second to their right."""
    inches = axes.figure.get_figwidth() * axes.get_position().width
    room = axes.inset_axes((1 + (BAR + place * NEXT_BAR) / inches, 0, BAR / inches, 1))
    bar = axes.figure.colorbar(drawn, cax=room)
    bar.set_label(label)
    bar.ax.yaxis.get_major_formatter().set_useOffset(False)


def _messages(axes, found: Any, scale: _Scale):
    shown = found.messages_frame().head(SHOWN)
    height = np.full(len(shown), _floor(scale, 0.06)) if _is_line(found) else shown["second"]
    low, high = scale.types
    style = {"cmap": TYPES, "vmin": low, "vmax": high, "edgecolor": BLACK, "linewidth": 0.5, "zorder": 3}
    handle = {"color": GREY, "marker": "o", "markersize": 5, "linestyle": ""}
    axes.plot([], [], label=f"Messages of the {found.sender}", **handle)
    return axes.scatter(shown["first"], height, c=shown["type"], s=22, **style)


def _arrows(axes, found: Any, scale: _Scale, unit: str) -> None:
    """Arrows from the grid points; none where nothing has a slope, which the legend then says."""
    frame = found.field_frame()
    label = f"Slope of mean payoff; longest:\n{scale.steepest:.2g} {unit} per unit of message"
    if scale.steepest == 0:
        label = "No arrows: the mean payoff does not depend on the message"
    else:
        height = frame["payoff"] if _is_line(found) else frame["second"]
        moves = scale.length * frame["d_first"], scale.length * frame["d_second"]
        style = {
            "color": BLACK,
            "width": 0.0036,
            "headwidth": 3.6,
            "headlength": 4.2,
            "headaxislength": 3.8,
            "zorder": 4,
        }
        axes.quiver(frame["first"], height, *moves, angles="xy", scale_units="xy", scale=1, minlength=0.3, **style)
    axes.plot([], [], color=BLACK, marker=r"$\rightarrow$", markersize=12, linestyle="", label=label)


def _codewords(axes, found: Any, scale: _Scale) -> None:
    from matplotlib.patheffects import withStroke

    words = found.codewords_frame()
    if words.empty:
        return
    height = np.full(len(words), _floor(scale, 0.14)) if _is_line(found) else words["second"]
    style = {"marker": "X", "s": 80, "color": ORANGE, "edgecolor": BLACK, "linewidth": 0.9, "zorder": 5}
    axes.scatter(words["first"], height, label="Codewords, by number", **style)
    for first, second, word in zip(words["first"], height, words["word"], strict=True):
        text = {"xytext": (6, 5), "textcoords": "offset points", "fontsize": 9, "fontweight": "bold", "zorder": 6}
        axes.annotate(str(word), (first, second), path_effects=[withStroke(linewidth=2, foreground="white")], **text)


def _floor(scale: _Scale, share: float) -> float:
    """A height below the curve of payoffs, as a share of the axis."""
    low, high = scale.second
    return low + share * (high - low)


def _room(values: np.ndarray, below: float = 0.0) -> tuple[float, float]:
    """The range of values, `below` of it more at the lower end; wide enough to be drawn where they are all the same."""
    low, high = float(np.min(values)), float(np.max(values))
    width = high - low
    if width <= 1e-9 * max(abs(low), abs(high), 1e-300):
        width = max(abs(low), 1.0)
        low, high = low - width / 2, high + width / 2
    return low - below * width, high + (0.05 * width if below else 0.0)
