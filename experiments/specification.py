"""A study as a TOML file, checked before anything is run or written. Loads no JAX."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from dcg_econ._names import nearest
from dcg_econ.experiments.datafiles import SpecificationError, read_text, shown, with_data

CATALOG = Path(__file__).resolve().parent / "catalog"
MOST_CELLS = 100_000
ROUNDS = 100
OUTCOMES = (
    "efficiency",
    "welfare",
    "welfare_loss",
    "welfare_loss_share",
    "payoff",
    "regret",
    "bits",
    "price",
    "log_price",
    "markdown",
    "revenue",
    "revenue_loss",
    "quantity",
    "level",
    "budget_surplus",
    "buyers_payoff",
    "fringe_payoff",
    "seller_payoff",
)
BENCHMARKS = ("nash", "second_best", "first_best")  # what efficiency may be compared with besides treatments
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(10))}

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39}){0,3}$")]


def _plain(value: Any, depth: int = 0) -> Any:
    """Refuses, in a table of parameters, what is no number, text, list or table of these."""
    if depth > 5:
        raise ValueError("nested too deeply; use at most five levels")
    if isinstance(value, Mapping):
        for key, item in value.items():
            _plain(item, depth + 1)
            if not str(key).isidentifier():
                raise ValueError(f"{key!r} is no parameter's name; use letters, digits and underscores")
    elif isinstance(value, list):
        for item in value:
            _plain(item, depth + 1)
    elif isinstance(value, str):
        if len(value) > 200 or not value.isprintable():
            raise ValueError("text too long or not printable; use at most 200 characters")
    elif not isinstance(value, bool | int | float):
        raise ValueError(f"a {type(value).__name__} is no parameter; give numbers, text, lists or tables")
    elif isinstance(value, int) and abs(value) > 2**53:
        raise ValueError(f"{str(value)[:20]}... is too large; whole numbers go up to 2^53")
    elif isinstance(value, float) and math.isnan(value):
        raise ValueError("nan is no number; give one")
    return value


Plain = Annotated[Any, AfterValidator(_plain)]
Table = Annotated[dict[str, Any], AfterValidator(_plain)]
Named = Annotated[str | dict[str, Any], AfterValidator(_plain)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Calibration(_Strict):
    """A market calibrated to data, in place of a mechanism with given parameters."""

    data: Literal["fulton_fish"] = Field(description="the data set: Graddy's Fulton fish market")
    buyers: int = Field(ge=2, le=50, description="number of strategic buyers")
    fringe_share: float = Field(gt=0, lt=1, description="share of the demand slope that belongs to price takers")
    value_spread: float = Field(ge=0, le=1, description="private values are uniform within +- this share of the price")


class Training(_Strict):
    """How learned treatments learn."""

    steps: int = Field(default=1500, ge=1, le=1_000_000, description="gradient steps")
    batch: int = Field(default=128, ge=1, le=65_536, description="episodes in a step")
    knots: int = Field(default=12, ge=3, le=200, description="price knots of a demand schedule")
    width: int = Field(default=32, ge=1, le=1024, description="units in each of the two hidden layers")
    learning_rate: float = Field(default=1e-2, gt=0, le=1, description="initial step of Adam, cosine decay to zero")
    softness: float = Field(
        default=0.02, gt=0, le=1, description="width of a softened rule of trade after talk, share of possible prices"
    )
    records: int = Field(default=20, ge=1, le=1000, description="records of efficiency and regret over training")
    # What is left out here stays out of a cell's document, so that studies which do not use it keep their results.
    nets: Named | None = Field(default=None, description="nets of players: perceptron (the default), transformer")
    optimiser: Literal["adam", "gradient_ascent"] | None = Field(
        default=None, description="adam (the default), or plain steps of learning_rate times the gradient"
    )
    spread: float | None = Field(
        default=None, gt=0, description="standard deviation of fresh strategies in finite games; by default 0.1"
    )
    regret: Named | None = Field(
        default=None, description="retrained: regret from below, by best replies that learn; by default by search"
    )
    field: bool | None = Field(
        default=None, description="keep how a speaker's payoff pulls at its messages over training, for the report"
    )


class Tolerances(_Strict):
    """What counts as done."""

    regret: float = Field(default=1e-6, gt=0, le=1, description="a learned session with less regret has converged")


class Treatment(_Strict):
    """One treatment: how players decide, over which protocol, and what they climb."""

    name: Slug = Field(description="short name, a column of the panel")
    mechanism: Named | None = Field(default=None, description="in place of the study's: a kind, or a whole table")
    conduct: Named = Field(default="learned", description="learned, nash, price_taking, or a table of a fixed strategy")
    protocol: Named = Field(default="silence", description="the talk before the reports")
    estimator: Named | None = Field(
        default=None, description="how gradients are estimated; by default what suits the mechanism"
    )
    objective: Named = Field(default="selfish", description="whose payoffs a player's gradient follows")
    training: Table = Field(default_factory=dict, description="what differs from the study's [training]")


class Hypothesis(_Strict):
    """A comparison fixed beforehand: treatment minus against."""

    name: Slug = Field(description="short name")
    outcome: Slug = Field(default="efficiency", description="one of the study's outcomes")
    treatment: Slug = Field(description="a treatment's name")
    against: Slug = Field(
        description="the treatment it is compared with; for efficiency also nash, second_best, first_best"
    )
    alternative: Literal["two-sided", "greater", "less"] = Field(default="two-sided", description="treatment is ...")
    margin: float | None = Field(
        default=None, gt=0, description="claims equality within +- this, in place of a difference"
    )
    family: Slug = Field(default="primary", description="p-values are adjusted within a family, see correction")


class Specification(_Strict):
    """A study."""

    title: str = Field(min_length=1, max_length=200)
    question: str = Field(default="", max_length=500)
    mechanism: Table | None = Field(default=None, description="kind and parameters; or give [calibration]")
    calibration: Calibration | None = Field(default=None, description="a market calibrated to data")
    sessions: int = Field(ge=1, le=10_000, description="independently trained groups, fixed beforehand")
    rounds: int | None = Field(
        default=None, ge=1, le=100_000, description=f"plays a session on which it is evaluated; {ROUNDS} by default"
    )
    seed: int = Field(default=0, ge=0, lt=2**31)
    precision: Literal["float64", "float32"] = "float64"
    training: Training = Training()
    tolerances: Tolerances = Tolerances()
    treatments: list[Treatment] = Field(min_length=1, max_length=1000)
    grid: dict[Key, Annotated[list[Plain], Field(min_length=1)]] = Field(
        default_factory=dict, description="lists of values of parameters; every combination is run"
    )
    outcomes: list[Slug] = Field(default=["efficiency", "regret"], min_length=1, description="declared beforehand")
    hypotheses: list[Hypothesis] = Field(default_factory=list, description="declared beforehand")
    correction: Literal["holm", "romano_wolf"] = Field(
        default="holm", description="how p-values are adjusted within a family: Holm's method, or Romano and Wolf's"
    )

    @model_validator(mode="after")
    def _consistent(self):
        if (self.mechanism is None) == (self.calibration is None):
            raise ValueError("mechanism: give either [mechanism] or [calibration]")
        if self.calibration is not None and self.rounds is not None:
            raise ValueError("rounds: the data say how many market days there are; leave it out")
        for what, names in {
            "treatments": [t.name for t in self.treatments],
            "hypotheses": [h.name for h in self.hypotheses],
        }.items():
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"{what}: the name `{twice[0]}` is given twice; give each its own name")
            reserved = sorted(_RESERVED.intersection(names))
            if reserved:
                raise ValueError(f"{what}: Windows lets no file be called `{reserved[0]}`; choose another name")
        self._check_hypotheses()
        cells = len(self.treatments) * math.prod(len(values) for values in self.grid.values())
        if cells > MOST_CELLS:
            raise ValueError(f"grid: {cells} cells; at most {MOST_CELLS} in one study")
        for i, treatment in enumerate(self.treatments):
            self.training_of(treatment, f"treatments[{i}].training")
        return self

    def _check_hypotheses(self) -> None:
        names = [t.name for t in self.treatments]
        for i, hypothesis in enumerate(self.hypotheses):
            benchmarks = BENCHMARKS if hypothesis.outcome == "efficiency" else ()
            for key, known in (("treatment", names), ("against", [*names, *benchmarks])):
                if getattr(hypothesis, key) not in known:
                    hint = nearest(getattr(hypothesis, key), known)
                    raise ValueError(f"hypotheses[{i}].{key}: no treatment `{getattr(hypothesis, key)}`; {hint}")
            if hypothesis.treatment == hypothesis.against:
                raise ValueError(f"hypotheses[{i}].against: the same treatment; name another")
            if hypothesis.outcome not in self.outcomes:
                hint = nearest(hypothesis.outcome, self.outcomes)
                raise ValueError(f"hypotheses[{i}].outcome: `{hypothesis.outcome}` is not among the outcomes; {hint}")

    def training_of(self, treatment: Treatment, where: str = "training", **changes: Any) -> Training:
        """The study's training with what a treatment, and a point of the grid, say otherwise."""
        try:
            return Training.model_validate(self.training.model_dump() | treatment.training | changes)
        except ValidationError as error:
            raise ValueError(fault(error.errors()[0], Training, where)) from None

    def short(self) -> Specification:
        """The same study on two sessions and 60 steps: to see that it runs, not to learn anything from."""
        small = {"steps": min(60, self.training.steps), "batch": min(32, self.training.batch)}
        treatments = [t.model_copy(update={"training": _without(t.training, small)}) for t in self.treatments]
        training = self.training.model_copy(update=small)
        changes: dict[str, Any] = {"sessions": min(2, self.sessions), "training": training, "treatments": treatments}
        return self.model_copy(update=changes | ({"rounds": min(20, self.rounds or ROUNDS)} if self.mechanism else {}))


def _without(table: dict, names: Mapping[str, Any]) -> dict:
    return {key: value for key, value in table.items() if key not in names}


def catalog() -> dict[str, Path]:
    """The studies that come with the package, by name."""
    return {path.stem: path for path in sorted(CATALOG.glob("*.toml"))}


def load(name: str | Path) -> Specification:
    """Reads a specification: the name of a study in the catalogue, or the path of a TOML file."""
    path = _find(name)
    return parse(read_text(path, path.name), path.name, path.parent)


def parse(text: str, file: str = "specification", folder: Path | None = None) -> Specification:
    """A specification from its text; `folder` holds the data files that it may name (none otherwise)."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecificationError(f"{file}: not valid TOML: {error}; mend that line") from None
    except (RecursionError, ValueError, OverflowError) as error:
        raise SpecificationError(
            f"{file}: cannot be read: {str(error)[:100]}; nest less, write shorter numbers"
        ) from None
    return validate(with_data(raw, file, folder), file)


def validate(raw: Mapping[str, Any], file: str = "study") -> Specification:
    """A specification from a tree of plain values."""
    try:
        return Specification.model_validate(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise SpecificationError("\n".join(f"{file}: {fault(e, Specification)}" for e in faults[:20])) from None
    except RecursionError:
        raise SpecificationError(f"{file}: nested too deeply; use at most five levels") from None


def stored(tree: dict[str, Any]) -> Specification:
    """A specification as another version kept it: keys that this version does not know are left out."""
    for _ in range(100):
        try:
            return Specification.model_validate(tree)
        except ValidationError as error:
            unknown = [e["loc"] for e in error.errors() if e["type"] == "extra_forbidden"]
            if not unknown:
                said = fault(error.errors()[0], Specification)
                raise SpecificationError(f"the stored specification is of another version: {said}") from None
            for *path, key in unknown:
                place: Any = tree
                for part in path:
                    place = place[part]
                del place[key]
    raise SpecificationError("the stored specification is of another version, and cannot be read")


def _find(name: str | Path) -> Path:
    known = catalog()
    if str(name) in known:
        return known[str(name)]
    path = Path(name)
    if path.suffix != ".toml":
        raise SpecificationError(f"{name}: no such study; {nearest(str(name), known)}")
    if not path.is_file():
        raise SpecificationError(f"{name}: no such file; known studies: {', '.join(known)}")
    return path


def fault(error: Any, model: type[BaseModel], prefix: str = "") -> str:
    """One fault in words: where, what, and what to do."""
    loc = error["loc"]
    where = prefix + "".join(f"[{part}]" if isinstance(part, int) else f".{_key(part)}" for part in _shown_loc(loc))
    where = where.lstrip(".") or "specification"
    match error["type"]:
        case "extra_forbidden":
            return f"{where}: unknown key; {nearest(str(loc[-1]), _keys_at(loc[:-1], model))}"
        case "missing":
            return f"{where}: missing; add it"
        case "literal_error":
            return f"{where}: {shown(error['input'])} is not one of {error['ctx']['expected']}; choose one of these"
        case "value_error":
            text = str(error["ctx"]["error"])
            return text if where == "specification" else f"{where}: {text}"
        case _:
            return f"{where}: got {shown(error['input'])}; {error['msg'][0].lower()}{error['msg'][1:]}"


def _key(part: Any) -> str:
    """A key as it stands, or quoted where it is no name."""
    text = str(part)
    return text if all(name.isidentifier() for name in text.split(".")) else shown(text)


def _shown_loc(loc: tuple) -> list:
    """The location without pydantic's own marks for the members of a union and for keys."""
    marks = ("str", "dict[str,any]", "[key]")
    return [part for part in loc if str(part) not in marks and "function-after" not in str(part)]


def _keys_at(loc: tuple, model: Any) -> list[str]:
    """The keys that a model knows at a location."""
    inner = {"treatments": Treatment, "hypotheses": Hypothesis, "calibration": Calibration}
    inner |= {"training": Training, "tolerances": Tolerances}
    for part in loc:
        model = inner.get(part, model)
    return list(model.model_fields)
