import numpy as np
import pandas as pd
import pytest

from dcg_econ.analysis import Table
from dcg_econ.analysis.tables import decimals, interval_text, latex_text, number_text, small_percent, stars


@pytest.fixture
def table():
    index = pd.Index(["nash_schedules", "a & b"], name="row")
    frame = pd.DataFrame({"loss_%": [-0.81567, np.nan], "days": [97, 1234]}, index=index)
    return Table(
        frame, "Loss of 5% <of> $1", ("A note_with 100% & <b>.",), {"loss_%": ".3f"}, {"days": "Days"}, "loss_t"
    )


def test_to_frame_keeps_all_digits_and_is_a_copy(table):
    copy = table.to_frame()
    copy.loc["a & b", "days"] = 0
    assert table.to_frame().loc["nash_schedules", "loss_%"] == -0.81567
    assert table.to_frame().loc["a & b", "days"] == 1234


def test_latex_has_booktabs_notes_and_escapes(table):
    lines = table.to_latex().splitlines()
    order = [r"\begin{table}[htbp]", r"\begin{threeparttable}", r"\begin{tabular}{lrr}", r"\toprule", r"\midrule"]
    order += [r"\bottomrule", r"\end{tabular}", r"\begin{tablenotes}[flushleft]", r"\end{tablenotes}"]
    order += [r"\end{threeparttable}", r"\end{table}"]
    places = [lines.index(line) for line in order]
    assert places == sorted(places)
    assert r"\caption{Loss of 5\% $<$of$>$ \$1}" in lines
    assert r"row & loss\_\% & Days \\" in lines
    assert r"nash\_schedules & $-$0.816 & 97 \\" in lines
    assert r"a \& b & -- & 1,234 \\" in lines
    assert r"\item A note\_with 100\% \& $<$b$>$." in lines


def test_latex_numbers_with_signs_stars_and_brackets():
    assert latex_text("-0.816**") == "$-$0.816$^{**}$"
    assert latex_text("[-0.02, 0.01]") == "[$-$0.02, 0.01]"
    assert latex_text("[note]") == "{}[note]"
    assert r" & \shortstack[r]{Nash\\(schedules)} \\" in Table(pd.DataFrame({"Nash (schedules)": [1]}), "t").to_latex()
    assert latex_text("a-b_c") == r"a-b\_c"


def test_html_is_escaped_and_has_scopes(table):
    html = table.to_html()
    assert "Loss of 5% &lt;of&gt; $1" in html and "<b>" not in html
    assert '<th scope="row">a &amp; b</th>' in html
    assert "<td>−0.816</td>" in html
    assert html == table._repr_html_()


def test_markdown_escapes_what_markdown_would_eat(table):
    text = table.to_markdown()
    assert text.startswith("**Loss of 5% \\<of\\> \\$1**")
    assert "| nash\\_schedules" in text and "\n*A note\\_with 100% & \\<b\\>.*" in text


def test_notes_are_in_every_output(table):
    for text in (str(table), table.to_markdown(), table.to_latex(), table.to_html()):
        assert "note" in text and "100" in text


def test_numbers_as_text():
    assert number_text(np.nan, ".2f") == "–" and number_text(None) == "–"
    assert number_text(-0.0001, ".2f") == "0.00"
    assert number_text(True) == "yes" and number_text(12345) == "12,345"
    assert interval_text(np.nan, 1.0, ".1f") == "–"
    assert small_percent(1e-9) == "< 0.0001" and small_percent(2.34e-4) == "0.023"
    assert [stars(p) for p in (0.2, 0.09, 0.04, 0.009, np.nan)] == ["", "*", "**", "***", ""]


def test_decimals_show_two_digits_of_the_smallest():
    assert decimals([0.0123, 0.5]) == 3
    assert decimals([0.0, np.nan]) == 2
    assert decimals([1e-12, 0.5]) == 2
    assert decimals([123.0]) == 2 and decimals([1e-8], largest=5) == 5


def test_columns_of_text_are_set_to_the_left_and_break_in_latex():
    frame = pd.DataFrame({"short": ["1", "2"], "text": ["a" * 45, "1"], "long": ["b " * 40, "2"]})
    table = Table(frame.set_index("short"), "t")
    assert r"\begin{tabular}{llp{0.6\linewidth}}" in table.to_latex()
    assert table.to_html().count('class="text"') == 2 * 3 and "|:--" in table.to_markdown()
