r"""Text from outside, treatment names above all, made safe for what it is printed in: nothing runs, nothing breaks.

Everywhere a label is one line, without control characters and without the marks that turn the direction of what follows.

- LaTeX: its special characters are escaped. What pdfLaTeX sets without more packages stays (accented Latin letters, common
  signs, Greek letters as mathematics); any other character, such as an emoji or a letter that is written from right to
  left, is printed by its code point, \texttt{U+1F600}. No font and no engine is asked for, and different names stay
  different.
- Markdown: marks, tags, links and entities are escaped.
- HTML: jinja2 escapes, see `templates`.
- Spreadsheets: a text cell that a spreadsheet would take for a formula gets an apostrophe in front; `unguarded` takes it
  away again. Numbers are left alone.
- Figures: one line, cut where it is long, `style.figure_text`; dollar signs are no mathematics, see `figures.styled`.
"""

import re
import unicodedata

_INVISIBLE = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")  # marks of direction, byte order mark
_FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

_LATEX = {
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
    "`": r"\`{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "–": "--",
    "—": "---",
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "²": "$^2$",
    "∞": r"$\infty$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≠": r"$\neq$",
    "≈": r"$\approx$",
    "√": r"$\surd$",
    "∈": r"$\in$",
    "∑": r"$\sum$",
    "→": r"$\rightarrow$",
    "←": r"$\leftarrow$",
    "·": r"$\cdot$",
    "°": r"$^{\circ}$",
}
_GREEK = {
    **{"α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "ζ": "zeta", "η": "eta", "θ": "theta"},
    **{"ι": "iota", "κ": "kappa", "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "σ": "sigma"},
    **{"τ": "tau", "υ": "upsilon", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta"},
    **{"Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega"},
}
_LATEX |= {letter: f"$\\{name}$" for letter, name in _GREEK.items()}
# Tried with pdfLaTeX, the kernel's own encodings and no font package.
_UNSET = set("«»ÐðÞþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲų")
_SET = {chr(code) for code in range(0xA1, 0x17F)} - _UNSET | set("ȘșȚț‐‑‒‘’“”†‡•…€™")
_MARKDOWN = re.compile(r"[\\|*_$<>`~]|&(?=#?\w+;)|(?<=\])\(")


def one_line(text: object) -> str:
    """Text without line breaks, control characters and marks of direction; runs of blanks are one."""
    found = _INVISIBLE.sub("", str(text))
    found = "".join(
        " " if c.isspace() else c for c in found if c.isspace() or unicodedata.category(c) not in ("Cc", "Cs")
    )
    return re.sub(" {2,}", " ", found).strip()


def latex_escaped(text: str) -> str:
    """Text that LaTeX prints as it stands, or by its code points where it has no sign for it."""
    return re.sub(r"[^\x20-\x7e]+|[\\&%$#_{}~^`<>|]", lambda found: _latex_run(found.group()), one_line(text))


def markdown_escaped(text: str) -> str:
    """Text that Markdown prints as it stands."""
    return _MARKDOWN.sub(lambda found: "\\" + found.group(), one_line(text))


def file_name(text: str) -> str:
    """A name for a file or a LaTeX label: letters, digits, hyphens and underscores."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text) or "-"


def guarded(text: str) -> str:
    """A cell of text that no spreadsheet takes for a formula: those that one would have an apostrophe in front."""
    return f"'{text}" if _would_run(text) else text


def unguarded(text: str) -> str:
    """The text that `guarded` had, exactly."""
    return text[1:] if text.startswith("'") and _would_run(text) else text


def _would_run(text: str) -> bool:
    """Whether it is a formula once its apostrophes are gone, so that text with one of its own comes back unharmed."""
    bare = text.lstrip("'")
    return bool(_FORMULA.match(bare)) and not _NUMBER.fullmatch(bare)


def _latex_run(run: str) -> str:
    """One run of characters beyond plain ASCII, or one special character."""
    parts: list[str] = []
    unset: list[str] = []
    for character in run:
        known = _LATEX.get(character) or (character if character in _SET else "")
        if known and unset:
            parts.append(_code_points(unset))
            unset = []
        if known:
            parts.append(known)
        else:
            unset.append(character)
    return "".join([*parts, _code_points(unset)] if unset else parts)


def _code_points(characters: list[str]) -> str:
    return "\\texttt{" + " ".join(f"U+{ord(character):04X}" for character in characters) + "}"
