"""The report's part on message fields: the last one as a figure, and all of them as an animation."""

import pandas as pd

from dcg_econ.analysis.field_figure import draw_message_field
from dcg_econ.analysis.field_frames import stored_fields
from dcg_econ.analysis.material import Animation, Picture
from dcg_econ.analysis.style import treatment_label


def field_blocks(kept: pd.DataFrame | None) -> tuple:
    """A figure and an animation for each cell that kept its fields (`ReportMaterial.field`); of a grid, every point."""
    if kept is None:
        return ()
    blocks: list = []
    for number, (_, rows) in enumerate(kept.groupby("cell", sort=False)):
        fields, name = stored_fields(rows), treatment_label(str(rows["treatment"].iloc[0]))
        last, suffix = fields[-1][1], f"_{number + 1}" if number else ""
        said = (
            f"{name}, one session: messages of the {last.sender}, coloured by its type, on the plane of their first two "
            f"principal directions; shades are the mean payoff of the {last.player} when it says that, whatever its type, "
            "and arrows its derivative"
        )
        alt = "Dots coloured by type on a shaded plane with arrows."
        drawn = draw_message_field(last).figure
        blocks.append(Picture(f"field{suffix}", drawn, f"{said}; after training.", alt))
        if len(fields) > 1:
            span = f"from step {fields[0][0]:,} to {fields[-1][0]:,}"
            caption = f"The same over training, on the plane of the last language, {span}."
            blocks.append(Animation(f"field_over_training{suffix}", fields, caption, f"{alt} It plays by itself."))
    return tuple(blocks)
