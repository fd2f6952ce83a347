"""Sections of sentences and tables as one page: Markdown, or self-contained HTML. Pictures belong to reports."""

from collections.abc import Sequence

from markupsafe import Markup

from dcg_econ.analysis.material import Section
from dcg_econ.analysis.tables import Table, environment, html_number

_MARKDOWN = str.maketrans({character: "\\" + character for character in "\\`|*_$<>[]#"} | {"\n": " "})


def markdown_text(text: object) -> str:
    """Text that Markdown shows as it is, on one line."""
    return str(text).translate(_MARKDOWN)


def markdown_page(title: str, question: str, sections: Sequence[Section]) -> str:
    """The page in GitHub's Markdown, its tables numbered."""
    parts, number = [f"# {markdown_text(title)}", *([f"*{markdown_text(question)}*"] if question else [])], 0
    for section in sections:
        parts.append(f"## {section.title}")
        for block in section.blocks:
            if isinstance(block, Table):
                number += 1
                parts.append(block.numbered(number).to_markdown().rstrip("\n"))
            else:
                parts.append(markdown_text(block))
    return "\n\n".join(parts) + "\n"


def html_page(title: str, question: str, sections: Sequence[Section]) -> str:
    """The page in HTML with the style of reports, every text escaped, its tables numbered."""
    shown, number = [], 0
    for section in sections:
        blocks: list[dict] = []
        for block in section.blocks:
            if isinstance(block, Table):
                number += 1
                blocks.append({"kind": "table", "html": Markup(block.numbered(number).to_html())})
            else:
                blocks.append({"kind": "text", "text": html_number(str(block))})
        shown.append({"anchor": section.anchor, "title": section.title, "blocks": blocks})
    return environment().get_template("report.html.j2").render(title=title, question=question, sections=shown)
