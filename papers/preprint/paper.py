"""Builds the pre-print: tables, figures and numbers from `data/`, then the PDF where a TeX is installed, and a page of HTML.

    python papers/preprint/paper.py [OUT]

OUT is build/paper by default: main.tex with all that it needs, main.pdf, main.html. Exit code 1 where a build fails.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from paper_data import DATA, HERE
from paper_figures import figures
from paper_numbers import macros, written
from paper_tables import load, tables

import dcg_econ
from dcg_econ.analysis import Table, save_figure
from dcg_econ.analysis.tables import latex_text
from dcg_econ.experiments.bibliography import BIBLIOGRAPHY

ROOT = HERE.parents[1]
WIDE = 8  # columns
LONG = "replications"  # a table of more than a page


def write_sources(out: Path, data: Path = DATA) -> Path:
    """main.tex and all that it needs; returns its path."""
    shutil.rmtree(out, ignore_errors=True)
    (out / "tables").mkdir(parents=True)
    studies = load(data)
    made = tables(studies, data)
    for name, table in made.items():
        text = long_table(table) if name == LONG else set_small(table.to_latex(), table.cells().shape[1])
        (out / "tables" / f"{name}.tex").write_text(text, encoding="utf-8")
    for name, figure in figures(studies, data).items():
        save_figure(figure, out / "figures", name)
    found = macros(made, studies) | {"PaperVersion": dcg_econ.__version__, "PaperLevel": r"95\%"}
    (out / "numbers.tex").write_text(written(found), encoding="utf-8")
    shutil.copytree(HERE / "sections", out / "sections")
    shutil.copy(HERE / "main.tex", out)
    shutil.copy(BIBLIOGRAPHY, out)
    return out / "main.tex"


def set_small(text: str, columns: int) -> str:
    """A table in the small type of this paper, smaller still where it has many columns; words ragged, and with room."""
    size = "\\scriptsize\\setlength{\\tabcolsep}{2pt}" if columns >= WIDE else "\\footnotesize"
    text = text.replace("\\begin{tabular}", f"{size}\n\\begin{{tabular}}", 1)
    return text.replace("p{0.15\\linewidth}", ">{\\raggedright\\arraybackslash}p{0.26\\linewidth}")


def long_table(table: Table) -> str:
    """A table that breaks over pages: booktabs in longtable."""
    cells = table.cells().map(latex_text)
    head = " & ".join(f"{latex_text(name)}" for name in cells) + r" \\"
    rows = [" & ".join(row) + r" \\" for row in cells.to_numpy().tolist()]
    columns = "p{0.52\\linewidth}" + "r" * (cells.shape[1] - 1)
    notes = " ".join(latex_text(note) for note in table.notes)
    return "\n".join(
        [
            "{\\footnotesize\\setlength{\\tabcolsep}{3pt}",
            f"\\begin{{longtable}}{{{columns}}}",
            f"\\caption{{{latex_text(table.title)}}}\\label{{tab:{table.name}}}\\\\",
            "\\toprule", head, "\\midrule", "\\endfirsthead", "\\toprule", head, "\\midrule", "\\endhead",
            "\\bottomrule", "\\endfoot", *rows, "\\end{longtable}", f"\\noindent {notes}", "}", "",
        ]
    )  # fmt: skip


def build_pdf(source: Path) -> Path | None:
    """main.pdf, or None where no TeX is installed; RuntimeError with TeX's own words where it fails."""
    if not all(shutil.which(program) for program in ("pdflatex", "bibtex")):
        return None
    latex = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", source.name]
    for command in (latex, ["bibtex", source.stem], latex, latex):
        done = subprocess.run(command, cwd=source.parent, capture_output=True, text=True, errors="replace")
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n" + done.stdout[-2000:])
    log = source.with_suffix(".log").read_text(encoding="utf-8", errors="replace")
    undefined = sorted(set(re.findall(r"(?:Citation|Reference) `([^']+)' on", log)))
    if undefined:
        raise RuntimeError(f"undefined in the text: {', '.join(undefined)}")
    return source.with_suffix(".pdf")


def build_html(source: Path) -> Path | None:
    """main.html, one self-contained page, or None where pandoc is not installed (`make paper` installs it)."""
    try:
        import pypandoc
    except ImportError:
        return None
    page, folder = source.with_suffix(".html"), source.parent / "page"
    shutil.copytree(source.parent, folder, ignore=shutil.ignore_patterns("page", "*.pdf", "*.aux", "*.html"))
    numbers, text = equation_numbers(source), in_order(source)
    shown = {name: i for i, name in enumerate(re.findall(r"\\input\{tables/(\w+)\}", text), 1)}
    drawn = {name: i for i, name in enumerate(re.findall(r"\\includegraphics\[[^]]*\]\{figures/(\w+)\}", text), 1)}
    for path in folder.rglob("*.tex"):
        made = for_pandoc(path.read_text(encoding="utf-8"), numbers)
        if path.parent.name == "tables":
            made = made.replace("\\caption{", f"\\caption{{Table {shown.get(path.stem, 0)}. ", 1)
        for name, number in drawn.items():
            made = re.sub(rf"(\{{figures/{name}\}}\s*\\caption\{{)", rf"\1Figure {number}. ", made)
        path.write_text(made, encoding="utf-8")
    options = ["--standalone", "--embed-resources", "--mathml", "--citeproc", "--number-sections", "--toc"]
    options += ["--default-image-extension=png", f"--bibliography={BIBLIOGRAPHY.name}", f"--css={HERE / 'page.css'}"]
    done = {"to": "html5", "format": "latex", "outputfile": str(page.resolve()), "cworkdir": str(folder)}
    pypandoc.convert_file(str((folder / source.name).resolve()), extra_args=options, **done)
    shutil.rmtree(folder)
    return page


def equation_numbers(source: Path) -> dict[str, int]:
    """The number of each equation with a label, by its label, in the order of the text."""
    blocks = re.findall(r"\\begin\{equation\}(.*?)\\end\{equation\}", in_order(source), re.DOTALL)
    labels = [re.search(r"\\label\{([^}]*)\}", block) for block in blocks]
    return {label.group(1): i for i, label in enumerate(labels, 1) if label}


def in_order(source: Path) -> str:
    """The sections, one after the other."""
    names = re.findall(r"\\input\{sections/(\w+)\}", source.read_text(encoding="utf-8"))
    return "".join((source.parent / "sections" / f"{name}.tex").read_text(encoding="utf-8") for name in names)


def for_pandoc(text: str, numbers: Mapping[str, int]) -> str:
    """What pandoc does not know, said otherwise: heads on several lines, numbers of equations, run-in heads."""
    text = re.sub(r"\\shortstack\[r\]\{((?:[^{}]|\{[^{}]*\})*)\}", lambda m: m[1].replace("\\\\", " "), text)
    text = re.sub(r"\\eqref\{([^}]*)\}", lambda m: f"({numbers[m[1]]})", text)
    text = re.sub(
        r"\\label\{(eq:[^}]*)\}(.*?)(\s*)\\end\{equation\}",
        lambda m: f"{m[2]} \\qquad ({numbers[m[1]]}){m[3]}\\end{{equation}}",
        text,
        flags=re.DOTALL,
    )
    return re.sub(r"\\paragraph\{([^}]*)\}", r"\\par\\textbf{\1}", text)


def main() -> int:
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "paper"
    source = write_sources(out)
    print(f"sources: {source}")
    pdf, page = build_pdf(source), build_html(source)
    print(f"PDF: {pdf}" if pdf else "PDF: none, since pdflatex and bibtex are not installed; the sources are whole")
    print(f"HTML: {page}" if page else "HTML: none, since pandoc is not installed: pip install 'dcg_econ[paper]'")
    return 0 if pdf or page else 1


if __name__ == "__main__":
    sys.exit(main())
