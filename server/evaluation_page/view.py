"""The page's sections: which tables stand where, and what is missing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from server.evaluation_page.density import DENSITY, density_table
from server.evaluation_page.headline import HeadFigure, head_figures
from server.evaluation_page.links import Links
from server.evaluation_page.plots import Plots, plots_of
from server.evaluation_page.tables import Shower, ShownTable
from sparc_core.evaluation.results import Settings

if TYPE_CHECKING:
    from server.explorer import Explorer

_COMMAND = "sparc-build evaluate BUNDLE"


class Missing(NamedTuple):
    """What was not measured and why, both in words; "" where nobody said."""

    what: str
    reason: str


class _Place(NamedTuple):
    """Where tables stand.

    Attributes:
        id: Of the section.
        title: Its title.
        question: That it answers.
        tables: By name, in order.
        groups: What `Evaluation.skipped` may name, and in words.
        command: That measures it.
    """

    id: str
    title: str
    question: str
    tables: tuple[str, ...]
    groups: dict[str, str]
    command: str = _COMMAND


_PLACES = (
    _Place(
        "alignment",
        "Alignment",
        "Does a latent stand for the same in every stream?",
        ("profiles", "active-items"),
        {"alignment": "Alignment", "profiles": "Agreement on classes"},
    ),
    _Place(
        "latents",
        "Latents",
        "How much of the dictionary is used, and how often?",
        ("dead-latents", DENSITY, "pure-objects"),
        {"liveness": "Dead latents", "pure_objects": "Objects with a latent of their own"},
    ),
    _Place(
        "probes",
        "Probes",
        "How well does a single latent tell a class?",
        ("probes", "probe-classes"),
        {"probes": "Probes"},
    ),
    _Place(
        "classification",
        "Classification",
        "What do all latents together know about the classes?",
        ("classification", "classification-classes"),
        {"classification": "Classification"},
    ),
    _Place(
        "retrieval",
        "Retrieval",
        "Does an item find its counterpart in another stream?",
        ("retrieval", "vector-recall"),
        {"retrieval": "Retrieval"},
    ),
    _Place(
        "reconstruction",
        "Reconstruction and sparsity",
        "How much of the features do how few latents keep?",
        ("reconstruction", "sparsity"),
        {"reconstruction": "Reconstruction", "sparsity": "Sparsity"},
    ),
    _Place(
        "segmentation",
        "Segmentation",
        "Do heatmaps lie where the named thing is?",
        ("segmentation",),
        {"segmentation": "Heatmaps"},
        f"{_COMMAND} --config sparc.toml",
    ),
    _Place(
        "names",
        "Names",
        "Does a latent’s name say when it is active?",
        ("names", "weakest-names"),
        {"names": "Names"},
    ),
    _Place(
        "stability",
        "Stability",
        "Does another model have the same latents?",
        ("stability",),
        {"stability": "Stability"},
        f"{_COMMAND} --against ANOTHER",
    ),
)


@dataclass(frozen=True)
class Section:
    """A section.

    Attributes:
        id, title, question, command: Of its place.
        tables: Those that were measured.
        missing: Why others are not there.
    """

    id: str
    title: str
    question: str
    command: str
    tables: list[ShownTable]
    missing: list[Missing]


@dataclass(frozen=True)
class EvaluationView:
    """What the template shows; no sections where nothing at all was measured."""

    settings: Settings
    figures: list[HeadFigure]
    sections: list[Section]
    plots: Plots


def evaluation_view(explorer: "Explorer") -> EvaluationView:
    """The served bundle's evaluation as the page shows it.

    Raises:
        BundleError: Its file is damaged.
    """
    evaluation, streams = explorer.evaluated.evaluation, explorer.info().streams
    labels = {label for label in explorer.bundle.latents.label if label is not None}
    shower = Shower(streams, explorer.latents.names, Links(evaluation, streams, labels))
    tables = {table.name: shower.table(table) for table in explorer.evaluated.tables}
    density = density_table(evaluation)
    if density.rows:
        tables[DENSITY] = shower.table(density)
    return EvaluationView(
        settings=evaluation.settings,
        figures=list(head_figures(evaluation, streams)),
        sections=[_section(place, tables, evaluation.skipped) for place in _PLACES]
        if tables or evaluation.skipped
        else [],
        plots=plots_of(evaluation, [stream.name for stream in streams], explorer.latents.names),
    )


def _section(place: _Place, tables: dict[str, ShownTable], skipped: dict[str, str]) -> Section:
    there = [tables[name] for name in place.tables if name in tables]
    missing = [Missing(what, skipped[group]) for group, what in place.groups.items() if group in skipped]
    if not there and not missing:
        missing = [Missing(place.title, "")]
    return Section(place.id, place.title, place.question, place.command, there, missing)
