"""Labels from outside come back as they were, or as what was promised instead, in every format."""

import csv
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from dcg_econ.analysis import Table, read_csv, spreadsheet_safe, write_csv
from dcg_econ.analysis.escape import file_name, guarded, latex_escaped, markdown_escaped, one_line, unguarded

HOSTILE = (
    "<script>alert(1)</script>",
    "50% & $x_1$ #~^\\`",
    "🎉 שלום",
    "\u202etxt.exe",
    "word " * 40,
    "two\nlines\r\nthree\tfour",
    "=HYPERLINK(1)",
    "[x](javascript:alert(1))",
    "a|b",
    "[1] first",
    "*star",
    "",
)
RUN = ("=1+1", "+1+1", "-x", "@SUM(1)", "\tx", "\rx", "＝1", " =1", "-", "=")
CALM = ("-5", "+1e5", "-.5", "a=b", "1-2", "'quoted'", "", "NA", "nan", "3", "a\rb")


def hostile_table():
    index = pd.Index(HOSTILE, name=HOSTILE[1])
    frame = pd.DataFrame({HOSTILE[0]: np.arange(12), HOSTILE[1]: 0.5, HOSTILE[2]: HOSTILE}, index=index)
    return Table(frame, " ".join(HOSTILE), HOSTILE, name="a/b_%")


def test_one_line_has_no_control_characters_and_no_marks_of_direction():
    assert one_line(HOSTILE[5]) == "two lines three four" and one_line("\u202etxt\u2066.exe\x00") == "txt.exe"
    assert one_line("  a  b ") == "a b" and one_line(3) == "3" and one_line("עולם") == "עולם"


def test_latex_escapes_and_falls_back_on_code_points():
    assert latex_escaped(HOSTILE[1]) == r"50\% \& \$x\_1\$ \#\textasciitilde{}\textasciicircum{}\textbackslash{}\`{}"
    assert latex_escaped("🎉 שלום") == r"\texttt{U+1F389} \texttt{U+05E9 U+05DC U+05D5 U+05DD}"
    assert latex_escaped("λ ≤ é, Łódź, 20 €") == r"$\lambda$ $\leq$ é, Łódź, 20 €"


def test_what_latex_is_given_is_plain_or_known_to_be_set():
    text = hostile_table().to_latex()
    assert not re.search("[^\x00-\x7f]", text) and "\r" not in text and "\t" not in text
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == len(HOSTILE) and all(len(re.findall(r"(?<!\\)&", row)) == 3 for row in rows)
    assert not re.search(r"\\\\\s*[\[*]", text) and text.count("{") - text.count(r"\{") == text.count("}") - text.count(
        r"\}"
    )
    assert r"\label{tab:a-b_-}" in text and r"p{0.3\linewidth}" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.slow
def test_latex_compiles(tmp_path):
    heads = [r"\documentclass{article}", r"\usepackage{booktabs,threeparttable}", r"\begin{document}"]
    (tmp_path / "t.tex").write_text(
        "\n".join([*heads, hostile_table().to_latex(), r"\end{document}"]), encoding="utf-8"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-500:]


def test_markdown_shows_the_text_and_keeps_its_rows():
    assert markdown_escaped("[x](javascript:alert(1))") == "[x]\\(javascript:alert(1))"
    assert markdown_escaped("a|b `c` &lt; 5 & 6") == "a\\|b \\`c\\` \\&lt; 5 & 6"
    rows = [line for line in hostile_table().to_markdown().splitlines() if line.startswith("|")]
    assert len(rows) == len(HOSTILE) + 2 and {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


def test_html_is_text_only():
    html = hostile_table().to_html()
    assert "<script" not in html and "&lt;script&gt;alert(1)&lt;/script&gt;" in html and "\u202e" not in html
    assert html.count("<tr") == len(HOSTILE) + 1


@pytest.mark.parametrize("text", [*RUN, *HOSTILE])
def test_guarding_is_undone_exactly(text):
    for some in (text, f"'{text}", f"''{text}"):
        assert unguarded(guarded(some)) == some
    assert (guarded(text) == f"'{text}") == (text in RUN or text == "=HYPERLINK(1)")


@pytest.mark.parametrize("text", CALM)
def test_numbers_and_plain_text_are_left_alone(text):
    assert guarded(text) == text and unguarded(text) == text and unguarded(guarded(f"'{text}")) == f"'{text}"


def test_csv_has_no_formula_and_reads_back(tmp_path):
    words = [*RUN, *(text for text in CALM if text), *(text for text in HOSTILE if text), "'=1", None]
    panel = pd.DataFrame({"treatment": words, "=head": words, "number": -np.arange(len(words)) / 7})
    panel["session"] = range(len(words))
    panel.attrs["variable_labels"] = {"number": "=1+1", "treatment": "Treatment"}
    path = write_csv(panel, tmp_path / "p.csv")
    for name in ("p.csv", "p_codebook.csv"):
        with (tmp_path / name).open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert not [
            cell for cell in cells if re.match(r"[\t\r\n]|\s*[=+\-@＝]", cell) and not re.fullmatch(r"[-+.\de]+", cell)
        ]
    back = read_csv(path)
    assert list(back) == list(panel) and back.attrs == panel.attrs
    np.testing.assert_array_equal(back["number"], panel["number"])
    for name in ("treatment", "=head"):
        assert [None if pd.isna(x) else x for x in back[name]] == words
    book = pd.read_csv(tmp_path / "p_codebook.csv", keep_default_na=False)
    assert "apostrophe" in book["type"][0] and book["type"][2] == "number"


def test_reading_wants_the_right_codebook(tmp_path):
    path = write_csv(pd.DataFrame({"a": [1], "b": ["x"]}), tmp_path / "p.csv")
    other = write_csv(pd.DataFrame({"c": [1], "b": ["x"]}), tmp_path / "q.csv")
    (tmp_path / "q_codebook.csv").replace(tmp_path / "p_codebook.csv")
    with pytest.raises(ValueError, match=r"p_codebook\.csv is not the codebook"):
        read_csv(path)
    with pytest.raises(FileNotFoundError, match="q_codebook"):
        read_csv(other)


def test_safe_frames_leave_numbers_and_categories_of_words():
    frame = pd.DataFrame({"n": [-1.5, 2.0], "c": pd.Categorical(["=a", "b"]), "w": ["x", "y"]})
    safe = spreadsheet_safe(frame)
    assert list(safe["c"]) == ["'=a", "b"] and safe["n"].equals(frame["n"]) and safe["w"].equals(frame["w"])


def test_file_names_stay_in_their_folder():
    assert file_name("../a b%") == "-a-b-" and file_name("effects_efficiency") == "effects_efficiency"


def test_two_columns_may_have_one_head():
    frame = pd.DataFrame([[1, 2]], columns=["a", "b"], index=["r"])
    table = Table(frame, "t", labels={"a": "same", "b": "same"})
    assert list(table.cells().iloc[0]) == ["r", "1", "2"]
    assert "r & 1 & 2" in table.to_latex() and "<td>2</td>" in table.to_html() and "2" in table.to_markdown()


def test_word_documents_hold_the_same_cells(tmp_path):
    docx = pytest.importorskip("docx", reason="needs the extra econ")
    table = hostile_table()
    document = docx.Document(str(table.to_docx(tmp_path / "deep" / "t.docx")))
    (grid,) = document.tables
    cells = table.cells()
    assert [[cell.text for cell in row.cells] for row in grid.rows] == [list(cells.columns), *cells.to_numpy().tolist()]
    texts = [paragraph.text for paragraph in document.paragraphs]
    assert texts[0] == one_line(table.title) and texts[1:] == [one_line(note) for note in table.notes]


def test_word_documents_name_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(ImportError, match=r"dcg_econ\[econ\]"):
        hostile_table().to_docx(tmp_path / "t.docx")
