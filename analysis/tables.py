"""One table class for every result: raw numbers inside; Markdown, LaTeX, HTML and plain text outside."""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

TEMPLATES = Path(__file__).parent / "templates"
WIDE = 4  # LaTeX sets tables of more columns in smaller type
TEXT, LONG = 40, 60  # a column with a longer cell is text, set to the left; beyond the second LaTeX breaks its lines
WORDS = 20  # LaTeX breaks the lines of a column of words beyond this
MISSING = "–"
HEAD = 16  # LaTeX breaks the lines of a head beyond this
STARS_LEGEND = "* p < 0.10, ** p < 0.05, *** p < 0.01."

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "$": r"\$",
        "#": r"\#",
        "_": r"\_",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"$<$",
        ">": r"$>$",
        "–": "--",
        "−": "$-$",
        "±": r"$\pm$",
        "×": r"$\times$",
        "²": "$^2$",
        "∞": r"$\infty$",
    }
)
_MARKDOWN = str.maketrans({character: "\\" + character for character in "\\|*_$<>"})


@dataclass(frozen=True, eq=False)
class Table:
    """A frame of numbers with the title, notes and formats it prints with.

    `frame` holds one row per printed row, its index is the first column. `formats` maps a column to a format
    specification (",.2f"), `labels` maps a column to its printed head. `printed` replaces the formatted cells where
    the printed layout differs from the frame (estimates with standard errors below them): all strings, the first
    column holds the row labels. `name` is the LaTeX label. `text` are heads of columns that hold words: set to the left,
    lines broken. Notes are printed in every output.
    """

    frame: pd.DataFrame
    title: str
    notes: tuple[str, ...] = ()
    formats: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    printed: pd.DataFrame | None = None
    text: tuple[str, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """The unrounded numbers."""
        return self.frame.copy()

    def cells(self) -> pd.DataFrame:
        """The strings as printed; the first column holds the row labels."""
        return self.printed if self.printed is not None else _format_cells(self.frame, self.formats, self.labels)

    def to_markdown(self) -> str:
        """GitHub's Markdown: bold title, pipe table, notes in italics."""
        cells = _translated(self.cells(), lambda text: text.translate(_MARKDOWN))
        notes = "".join(f"\n\n*{note.translate(_MARKDOWN)}*" for note in self.notes)
        return f"**{self.title.translate(_MARKDOWN)}**\n\n{_grid(cells, 'pipe')}{notes}\n"

    def to_latex(self) -> str:
        """A booktabs table with its notes in threeparttable; needs both packages in the preamble."""
        cells = _translated(self.cells(), latex_text).rename(columns=_stacked)
        sizes = zip(self.cells().columns, _widths(self.cells()), strict=True)
        columns = "l" + "".join(_latex_column(size, head in self.text) for head, size in list(sizes)[1:])
        tabular = cells.style.hide(axis="index").to_latex(hrules=True, column_format=columns)
        label = [f"\\label{{tab:{self.name}}}"] if self.name else []
        notes = ["\\begin{tablenotes}[flushleft]", "\\footnotesize"]
        notes += [f"\\item {latex_text(note)}" for note in self.notes] + ["\\end{tablenotes}"]
        lines = [
            "\\begin{table}[htbp]",
            "\\centering",
            "\\begin{threeparttable}",
            f"\\caption{{{latex_text(self.title)}}}",
        ]
        small = ["\\footnotesize", "\\setlength{\\tabcolsep}{3pt}"] if cells.shape[1] > WIDE else []
        lines += [*label, *small, tabular.rstrip("\n"), *(notes if self.notes else [])]
        return "\n".join([*lines, "\\end{threeparttable}", "\\end{table}", ""])

    def to_html(self) -> str:
        """An HTML table with caption and notes, every text escaped."""
        cells = _translated(self.cells(), html_number)
        rows = [{"cells": row, "under": not row[0]} for row in cells.to_numpy().tolist()]
        sizes = zip(self.cells().columns, _widths(self.cells()), strict=True)
        text = [size > TEXT or head in self.text for head, size in sizes]
        template = environment().get_template("table.html.j2")
        return template.render(title=self.title, heads=list(cells.columns), rows=rows, text=text, notes=self.notes)

    def numbered(self, number: int) -> "Table":
        """The same table with "Table n." before its title."""
        return replace(self, title=f"Table {number}. {self.title}")

    def __str__(self) -> str:
        notes = "".join("\n" + textwrap.fill(note, 110) for note in self.notes)
        return f"{self.title}\n\n{_grid(self.cells(), 'simple')}\n{notes}"

    def _repr_html_(self) -> str:
        return self.to_html()


def environment():
    """The jinja2 environment of the templates folder, with autoescape on and undefined names refused."""
    import jinja2

    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def number_text(value: object, specification: str = "") -> str:
    """One cell as text; a missing number prints as a dash and a format is applied to numbers only."""
    if value is None or value is pd.NaT or (isinstance(value, float | np.floating) and not np.isfinite(value)):
        return MISSING
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, int | float | np.number):
        text = format(value, specification or (",d" if isinstance(value, int | np.integer) else ".4g"))
        return text[1:] if re.fullmatch(r"-0(\.0*)?", text) else text
    return str(value)


def small_percent(share: float) -> str:
    """A share in per cent with two significant digits; what is numerically nothing prints as a bound."""
    return "< 0.0001" if 0 <= 100 * share < 1e-4 else number_text(100 * share, ",.0f" if 100 * share >= 99.5 else ".2g")


def in_brackets(value: float, specification: str) -> str:
    """A standard error in round brackets, or a dash where there is none."""
    return f"({number_text(value, specification)})" if np.isfinite(value) else MISSING


def interval_text(low: float, high: float, specification: str) -> str:
    """An interval in square brackets, or a dash where there is none."""
    if not (np.isfinite(low) and np.isfinite(high)):
        return MISSING
    return f"[{number_text(low, specification)}, {number_text(high, specification)}]"


def stars(p: float) -> str:
    """Stars at the ten, five and one per cent level."""
    return "*" * sum(p < level for level in (0.10, 0.05, 0.01)) if np.isfinite(p) else ""


def decimals(values, smallest: int = 2, largest: int = 6, zero: float = 1e-9) -> int:
    """Decimals that show two significant digits of the smallest of `values` not below `zero`."""
    sizes = np.abs(np.asarray(values, dtype=float))
    sizes = sizes[np.isfinite(sizes) & (sizes > zero)]
    if not sizes.size:
        return smallest
    return int(np.clip(1 - np.floor(np.log10(sizes.min())), smallest, largest))


def latex_text(text: str) -> str:
    """Text made safe for LaTeX; a leading minus and trailing stars of a number become mathematics."""
    match = re.fullmatch(r"(-?)(\[?\(?-?[\d.,]+.*?)(\*{0,3})", text)
    if not match:
        guard = "{}" if text[:1] in ("[", "*") else ""  # after a line break either would be read as its option
        return guard + text.translate(_LATEX)
    sign, body, marks = match.groups()
    body = re.sub(r"(^|[\[( ])-(?=[\d.])", r"\1−", body).translate(_LATEX)
    return ("$-$" if sign else "") + body + (f"$^{{{marks}}}$" if marks else "")


def html_number(text: str) -> str:
    """A hyphen before a digit becomes a true minus sign."""
    return re.sub(r"(^|[\[( ])-(?=[\d.])", r"\1−", text)


def _format_cells(frame: pd.DataFrame, formats: Mapping[str, str], labels: Mapping[str, str]) -> pd.DataFrame:
    printed = {str(frame.index.name or ""): [str(row) for row in frame.index]}
    for column in frame.columns:
        head = str(labels.get(column, column))
        printed[head] = [number_text(value, formats.get(column, "")) for value in frame[column].tolist()]
    return pd.DataFrame(printed, dtype=object)


def _translated(cells: pd.DataFrame, translate) -> pd.DataFrame:
    return cells.map(translate).rename(columns=translate)


def _stacked(head: str) -> str:
    """A head such as "Nash (schedules)" on two lines in LaTeX, a long one on more, so that it does not widen its column."""
    first, bracket, rest = head.partition(" (")
    parts = [first, f"({rest}"] if bracket and first else [head]
    lines = [line for part in parts for line in textwrap.wrap(part, HEAD, break_long_words=False)]
    return "\\shortstack[r]{" + r"\\".join(lines) + "}" if len(lines) > 1 else head


def _widths(cells: pd.DataFrame) -> list[int]:
    """Characters in the longest cell of each column, heads apart."""
    return [max((len(cell) for cell in cells.iloc[:, i]), default=0) for i in range(cells.shape[1])]


def _latex_column(size: int, text: bool) -> str:
    if text:
        return "p{0.15\\linewidth}" if size > WORDS else "l"
    return "p{0.6\\linewidth}" if size > LONG else "l" if size > TEXT else "r"


def _grid(cells: pd.DataFrame, style: str) -> str:
    align = ("left", *("left" if size > TEXT else "right" for size in _widths(cells)[1:]))
    return cells.to_markdown(index=False, tablefmt=style, disable_numparse=True, colalign=align)
