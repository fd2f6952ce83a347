"""One self-contained HTML page with its figures and tables beside it, written whole or not at all."""

import base64
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from dcg_econ.analysis.escape import file_name, one_line
from dcg_econ.analysis.export import spreadsheet_safe
from dcg_econ.analysis.field_figure import animate_message_field
from dcg_econ.analysis.figures import save_figure
from dcg_econ.analysis.material import Animation, Picture, ReportMaterial, Section
from dcg_econ.analysis.sections import sections
from dcg_econ.analysis.tables import Table, environment, html_number

__all__ = ["ReportMaterial", "write_report"]


def write_report(material: ReportMaterial, folder: str | Path) -> Path:
    """Writes report.html, figures/ (PNG, PDF) and tables/ (LaTeX, Markdown) into `folder`; returns the page's path.

    Everything is made in a temporary folder inside `folder` and moved when complete: an error leaves what was there
    before. Other files in `folder` stay. The same material gives the same bytes.
    """
    folder = Path(folder)
    made = sections(material)
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _write(material, made, folder)
    except BaseException:
        if new:
            shutil.rmtree(folder)
        raise
    return folder / "report.html"


def _write(material: ReportMaterial, made: Sequence[Section], folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as temporary:
        built = Path(temporary) / "report"
        built.mkdir()
        _write_text(built / "report.html", _page(material, made, built))
        if material.cells is not None and "treatment" in material.cells:
            text = spreadsheet_safe(material.cells).to_csv(index=False, lineterminator="\n")
            _write_text(built / "tables" / "cells.csv", text)
        _publish(built, folder)


def _page(material: ReportMaterial, made: Sequence[Section], built: Path) -> str:
    """Saves every figure and table under `built` and renders the page that holds them all."""
    counts = {"figure": 0, "table": 0}
    shown = []
    for section in made:
        blocks = [_block(block, built, counts) for block in section.blocks]
        shown.append({"anchor": section.anchor, "title": section.title, "blocks": blocks})
    template = environment().get_template("report.html.j2")
    return template.render(title=one_line(material.title), question=one_line(material.question), sections=shown)


def _block(block: str | Table | Picture | Animation, built: Path, counts: dict[str, int]) -> dict:
    if isinstance(block, str):
        return {"kind": "text", "text": html_number(one_line(block))}
    if isinstance(block, Table):
        counts["table"] += 1
        name = file_name(block.name)
        _write_text(built / "tables" / f"{name}.tex", block.to_latex())
        _write_text(built / "tables" / f"{name}.md", block.to_markdown())
        return {"kind": "table", "html": Markup(block.numbered(counts["table"]).to_html())}
    counts["figure"] += 1
    if isinstance(block, Animation):
        (built / "figures").mkdir(exist_ok=True)
        made, form = animate_message_field(block.frames, built / "figures" / f"{block.name}.gif"), "gif"
    else:
        (made, _), form = save_figure(block.figure, built / "figures", block.name), "png"
    image = base64.b64encode(made.read_bytes()).decode("ascii")
    found = {"number": counts["figure"], "image": image, "form": form, "caption": block.caption, "alt": block.alt}
    return {"kind": "figure"} | found


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _publish(built: Path, folder: Path) -> None:
    """Moves what was built to `folder`, file by file, the page last."""
    files = sorted(path for path in built.rglob("*") if path.is_file())
    for source in sorted(files, key=lambda path: path.name == "report.html"):
        target = folder / source.relative_to(built)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)
