"""BibTeX of what a study used: the package, the programs beneath it, and the literature behind its parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import dcg_econ
from dcg_econ.experiments.bibliography import entries
from dcg_econ.experiments.datafiles import SpecificationError
from dcg_econ.experiments.specification import Specification, load

BENEATH = ("bradbury_2018", "kidger_2021", "rader_2023", "rader_2024", "deepmind_jax_2020")
# By the kind of a part, as specifications call it.
SOURCES: dict[str, tuple[str, ...]] = {
    "alternating_offers": ("rubinstein_1982",),
    "cheap_talk": ("crawford_sobel_1982",),
    "clarke_pivot": ("clarke_1971", "groves_1973"),
    "cobb_douglas": ("bergstrom_blume_varian_1986",),
    "curve_market": ("kyle_1989", "klemperer_meyer_1989", "rostek_weretka_2012", "ausubel_2014"),
    "discrete_choice": ("matejka_mckay_2015",),
    "discrimination": ("lazaridou_2017", "lazaridou_2018"),
    "double_auction": (
        "chatterjee_samuelson_1983",
        "myerson_satterthwaite_1983",
        "rustichini_satterthwaite_williams_1994",
    ),
    "first_price_auction": ("vickrey_1961",),
    "fulton_fish": ("graddy_1995", "wooldridge_2013"),
    "gaussian_choice": ("sims_2003",),
    "groves_ledyard": ("groves_ledyard_1977", "chen_tang_1998"),
    "iterated_game": ("foerster_2018",),
    "opponents": ("foerster_2018",),
    "planned_negotiation": ("cao_2018",),
    "reconstruction": ("lazaridou_2018",),
    "relaxed": ("jang_2017",),
    "score_function": ("williams_1992",),
    "soft_auction": ("chatterjee_samuelson_1983",),
    "soft_negotiation": ("cao_2018",),
    "transformer": ("vaswani_2017",),
    "voluntary_contribution": ("bergstrom_blume_varian_1986",),
    "walker": ("walker_1981",),
}
NAMING = {"kind", "mechanism", "conduct", "protocol", "objective", "estimator", "data"}


def citation(*used: Any) -> str:
    """BibTeX entries of what was used, sorted by key, the package's own first.

    `used`: studies (`dcg.Study`, a study's name in the catalogue, a TOML file, a folder of results), specifications, or
    parts of one (mechanisms, languages, protocols, estimators, objectives, nets). Nothing: the package and the programs
    beneath it. Parts without a source in the literature add nothing. Raises `SpecificationError` for what is none of these.
    """
    keys = set(BENEATH)
    for each in used:
        for kind in _kinds(_tree(each)):
            keys |= set(SOURCES.get(kind, ()))
    return "\n".join([_own(), *(entries()[key] for key in sorted(keys))]) + "\n"


def _own() -> str:
    lines = ("@misc{dcg_econ,", "  author = {{The dcg\\_econ authors}},")
    title = "  title = {dcg\\_econ: Differentiable Communication Games for Economics},"
    return "\n".join([*lines, title, f"  howpublished = {{Software, version {dcg_econ.__version__}}}", "}"])


def _tree(used: Any) -> Any:
    """A thing as the tables of a specification."""
    if isinstance(used, str | Path):
        return _stored(Path(used)) if Path(used).is_dir() else load(str(used)).model_dump()
    specification = getattr(used, "specification", used)
    if isinstance(specification, Specification):
        return specification.model_dump()
    from dcg_econ.experiments.codec import describe

    if isinstance(used, type):
        raise SpecificationError(f"{used.__name__} is a class; give an object, {used.__name__}(...)")
    found = describe(used, spell_out=True) if is_dataclass(used) else None
    if isinstance(found, str):
        return {"kind": found}
    if not isinstance(found, Mapping) or "kind" not in found:
        raise SpecificationError(
            f"{used!r} has no citation: give a study, its name, or a mechanism, language, estimator, objective or net"
        )
    return found


def _stored(folder: Path) -> Any:
    from dcg_econ.experiments.results import Results
    from dcg_econ.experiments.store import Store

    return Results(Store(folder)).specification.model_dump()


def _kinds(tree: Any, key: str = "") -> Iterator[str]:
    """Every name of a part in nested tables."""
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from _kinds(value, str(name))
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _kinds(value, key)
    elif isinstance(tree, str) and key in NAMING:
        yield tree
