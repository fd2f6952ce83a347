"""One table class for every result: raw numbers inside; Markdown, LaTeX, HTML and plain text outside."""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dcg_econ.analysis.escape import file_name, latex_escaped, markdown_escaped, one_line

TEMPLATES = Path(__file__).parent / "templates"
WIDE = 4  # LaTeX sets tables of more columns in smaller type
TEXT, LONG = 40, 60  # a column with a longer cell is text, set to the left; beyond the second LaTeX breaks its lines
WORDS = 20  # LaTeX breaks the lines of a column of words beyond this
MISSING = "–"
FIRST = "p{0.3\\linewidth}"  # of row labels that would leave no room
HEAD = 16  # LaTeX breaks the lines of a head beyond this
STARS_LEGEND = "* p < 0.10, ** p < 0.05, *** p < 0.01."


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
        """The strings as printed, each on one line; the first column holds the row labels."""
        cells = self.printed if self.printed is not None else _format_cells(self.frame, self.formats, self.labels)
        return _translated(cells, one_line)

    def to_markdown(self) -> str:
        """GitHub's Markdown: bold title, pipe table, notes in italics."""
        cells = _translated(self.cells(), markdown_escaped)
        notes = "".join(f"\n\n*{markdown_escaped(note)}*" for note in self.notes)
        return f"**{markdown_escaped(self.title)}**\n\n{_grid(cells, 'pipe')}{notes}\n"

    def to_latex(self) -> str:
        """A booktabs table with its notes in threeparttable; needs both packages in the preamble, and no other."""
        plain = self.cells()
        cells = plain.map(latex_text).rename(columns=_latex_head)
        cells.isetitem(0, cells.iloc[:, 0].map(_after_break))
        sizes = list(zip(plain.columns, _widths(cells.map(_without_commands)), strict=True))
        columns = FIRST if sizes[0][1] > LONG else "l"
        columns += "".join(_latex_column(size, head in self.text) for head, size in sizes[1:])
        tabular = cells.style.hide(axis="index").to_latex(hrules=True, column_format=columns)
        label = [f"\\label{{tab:{file_name(self.name)}}}"] if self.name else []
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
        template = environment().get_template("table.html.j2")
        title, notes = one_line(self.title), [one_line(note) for note in self.notes]
        return template.render(title=title, heads=list(cells.columns), rows=rows, text=self._in_words(), notes=notes)

    def to_docx(self, path: str | Path) -> Path:
        """Writes a Word document; returns its path. Raises ImportError where the extra `econ` is not installed."""
        from dcg_econ.analysis.word import write_docx

        whole = replace(self, title=one_line(self.title), notes=tuple(one_line(note) for note in self.notes))
        return write_docx(whole, path, left=[True, *self._in_words()[1:]])

    def _in_words(self) -> list[bool]:
        """Which columns hold words, and are set to the left."""
        cells = self.cells()
        sizes = zip(cells.columns, _widths(cells), strict=True)
        return [size > TEXT or head in self.text for head, size in sizes]

    def numbered(self, number: int) -> "Table":
        """The same table with "Table n." before its title."""
        return replace(self, title=f"Table {number}. {self.title}")

    def __str__(self) -> str:
        notes = "".join("\n" + textwrap.fill(one_line(note), 110) for note in self.notes)
        return f"{one_line(self.title)}\n\n{_grid(self.cells(), 'simple')}\n{notes}"

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


def with_errors(values: pd.Series, errors: pd.Series, specification: str) -> list[str]:
    """Each value with its standard error in brackets behind it, where there is one."""
    texts = [
        (number_text(v, specification), in_brackets(e, specification)) for v, e in zip(values, errors, strict=True)
    ]
    return [value if error == MISSING else f"{value} {error}" for value, error in texts]


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
    text = one_line(text)
    match = re.fullmatch(r"(-?)(\[?\(?-?[\d.,]+.*?)(\*{0,3})", text)
    if not match:
        return _after_break(latex_escaped(text))
    sign, body, marks = match.groups()
    body = latex_escaped(re.sub(r"(^|[\[( ])-(?=[\d.])", r"\1−", body))
    return ("$-$" if sign else "") + body + (f"$^{{{marks}}}$" if marks else "")


def _after_break(text: str) -> str:
    """LaTeX that may follow a line break, which would take a bracket or a star for its option."""
    return "{}" + text if text[:1] in ("[", "*") else text


def _without_commands(text: str) -> str:
    """About as many characters as LaTeX prints."""
    return re.sub(r"\\[a-zA-Z]+|[\\{}$]", "", text)


def html_number(text: str) -> str:
    """A hyphen before a digit becomes a true minus sign."""
    return re.sub(r"(^|[\[( ])-(?=[\d.])", r"\1−", text)


def _format_cells(frame: pd.DataFrame, formats: Mapping[str, str], labels: Mapping[str, str]) -> pd.DataFrame:
    """Two columns may have one head."""
    columns = [[str(row) for row in frame.index]]
    for i, column in enumerate(frame.columns):
        columns.append([number_text(value, formats.get(column, "")) for value in frame.iloc[:, i].tolist()])
    printed = pd.DataFrame(dict(enumerate(columns)), dtype=object)
    return printed.set_axis([str(frame.index.name or ""), *(str(labels.get(c, c)) for c in frame.columns)], axis=1)


def _translated(cells: pd.DataFrame, translate) -> pd.DataFrame:
    return cells.map(translate).rename(columns=translate)


def _latex_head(head: str) -> str:
    """A head such as "Nash (schedules)" on two lines in LaTeX, a long one on more, so that it does not widen its column."""
    first, bracket, rest = head.partition(" (")
    parts = [first, f"({rest}"] if bracket and first else [head]
    made = [_after_break(latex_text(line)) for part in parts for line in _head_lines(part)]
    return "\\shortstack[r]{" + r"\\".join(made) + "}" if len(made) > 1 else latex_text(head)


def _head_lines(part: str) -> list[str]:
    """Lines of about `HEAD` characters as printed, a long word on one of its own."""
    lines: list[str] = []
    for word in part.split():
        longer = f"{lines[-1]} {word}" if lines else ""
        if lines and len(_without_commands(latex_text(longer))) <= HEAD:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


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
