"""A table as a Word document, through python-docx, which the extra `econ` installs: three rules, caption above, notes below."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dcg_econ.analysis.tables import html_number

if TYPE_CHECKING:
    from dcg_econ.analysis.tables import Table

POINTS, NOTE_POINTS = 9, 8
THICK, THIN = 12, 6  # eighths of a point
UNDATED = "2000-01-01T00:00:00"  # the date in every document: it tells nothing of the numbers


def write_docx(table: Table, path: str | Path, left: list[bool]) -> Path:
    """Writes the table as printed; `left` says which columns are set to the left. Raises ImportError without python-docx."""
    docx = _docx()
    document = docx.Document()
    _date(document)
    caption = document.add_paragraph(style="Caption")
    caption.add_run(table.title)
    caption.paragraph_format.keep_with_next = True
    _rows(document, table, left)
    for note in table.notes:
        paragraph = document.add_paragraph()
        paragraph.paragraph_format.space_after = 0
        paragraph.add_run(note).font.size = docx.shared.Pt(NOTE_POINTS)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    document.save(str(path))
    return path


def _docx() -> Any:
    try:
        import docx
        import docx.shared
    except ImportError:
        raise ImportError(
            'a Word document needs python-docx: pip install "dcg_econ[econ]", or use to_html(), which Word opens too'
        ) from None
    return docx


def _date(document: Any) -> None:
    from datetime import datetime

    properties = document.core_properties
    properties.author = properties.comments = ""
    properties.created = properties.modified = datetime.fromisoformat(UNDATED)


def _rows(document: Any, table: Table, left: list[bool]) -> None:
    cells = table.cells()
    texts = [list(cells.columns), *cells.to_numpy().tolist()]
    grid = document.add_table(rows=len(texts), cols=cells.shape[1])
    grid.autofit = True
    last = len(texts) - 1
    for i, (row, made) in enumerate(zip(texts, grid.rows, strict=True)):
        for text, cell, to_left in zip(row, made.cells, left, strict=True):
            _fill(cell, text, to_left, bold=i == 0, keep=i < last)
            _rules(cell, top=THICK if i == 0 else 0, bottom=THIN if i == 0 else THICK if i == last else 0)
    _repeat_head(grid.rows[0])


def _fill(cell: Any, text: str, left: bool, bold: bool, keep: bool) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Pt

    paragraph = cell.paragraphs[0]
    paragraph.alignment = WD_ALIGN_PARAGRAPH.LEFT if left else WD_ALIGN_PARAGRAPH.RIGHT
    paragraph.paragraph_format.space_after = Pt(0)
    paragraph.paragraph_format.keep_with_next = keep
    run = paragraph.add_run(html_number(text))
    run.bold = bold
    run.font.size = Pt(POINTS)


def _rules(cell: Any, top: int, bottom: int) -> None:
    """Borders of one cell, in eighths of a point; python-docx has no words for them."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    borders = OxmlElement("w:tcBorders")
    for side, size in (("top", top), ("bottom", bottom)):
        if size:
            line = OxmlElement(f"w:{side}")
            for key, value in (("val", "single"), ("sz", str(size)), ("space", "0"), ("color", "000000")):
                line.set(qn(f"w:{key}"), value)
            borders.append(line)
    cell._tc.get_or_add_tcPr().append(borders)


def _repeat_head(row: Any) -> None:
    """The heads again on top of every page the table runs over."""
    from docx.oxml import OxmlElement

    row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
