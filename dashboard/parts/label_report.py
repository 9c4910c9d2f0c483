"""What an evaluation found: its sentence, accuracy by labels, the stages of the encoder, and which classes are taken for which."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nicegui import html, ui
from pretext_client.types import Evaluation, Json, LabelsSaved

from dashboard import words
from dashboard.parts import basics
from dashboard.parts.bands import Banded, Point, banded_chart
from dashboard.parts.charts import PALETTE, line, options
from dashboard.parts.schema_form import explained

SCRATCH = "From scratch"
_METHODS = {"fine_tune": "fine-tuned", "linear": "linear probe"}
_MOST_CLASSES = 16
"""Of a matrix that can be read."""
_MOST_TAKEN = 15
_DEEPEST = 55
"""Percent of the accent colour in a cell: more, and the words on it cannot be read."""


def show_report(found: Evaluation) -> None:
    """Everything that a page can show of an evaluation that was read whole."""
    report = found.report or {}
    html.p(explained(found.sentence)).classes("answer")
    for reference in found.references:
        if reference.sentence:
            html.p(explained(reference.sentence)).classes("quiet")
    with html.div().classes("figures"):
        if efficiency := report.get("label_efficiency"):
            _efficiency(report, efficiency, found.labels_saved or ())
        if any(report.get(name) for name in ("linear", "knn")):
            _stages(report)
        _confusion(report)


def efficiency_curves(report: Json) -> list[Banded]:
    """Accuracy by labels per class: of the encoder, of the models beside it, and of training from scratch."""
    points = (report.get("label_efficiency") or {}).get("points") or []
    called = {one["id"]: one.get("name") or one["id"] for one in report.get("references") or ()}
    kinds = dict.fromkeys(name for point in points for name, value in point.items() if isinstance(value, dict))
    first = [kind for kind in kinds if kind != "scratch"]
    return [Banded(_called(kind, called), _points(points, kind)) for kind in (*first, *(["scratch"] if "scratch" in kinds else []))]


def best_curve(report: Json) -> Sequence[Point]:
    """The curve of the way to use the encoder that stands for it in the report's sentence."""
    efficiency = report.get("label_efficiency") or {}
    return _points(efficiency.get("points") or [], str(report.get("labels_saved_by")))


def _points(points: Iterable[Json], kind: str) -> list[Point]:
    return [
        Point(float(one["labels_per_class"]), float(one[kind]["mean"]), float(one[kind]["low"]), float(one[kind]["high"]))
        for one in points
        if one.get(kind)
    ]


def _called(kind: str, references: Mapping[str, str]) -> str:
    if kind == "scratch":
        return SCRATCH
    who, method = next(
        ((kind.removesuffix(f"_{name}"), text) for name, text in _METHODS.items() if kind.endswith(name)), (kind, "")
    )
    name = "This encoder" if who == "pretrained" else references.get(who, who)
    return f"{name}, {method}"


def _efficiency(report: Json, efficiency: Json, saved: Sequence[LabelsSaved]) -> None:
    curves = efficiency_curves(report)
    with html.figure().classes("chart"):
        html.figcaption("Accuracy by labels per class, with 95% intervals")
        banded_chart(curves, report.get("chance"), f"Accuracy by labels per class: {in_words(curves)}")
        html.p(
            f"Means over {words.count(efficiency.get('draws', 1), 'draw')} of labels and weights. Go from a point of an upper "
            "curve to the right until the curve from scratch is as high: the labels between are saved. Dashed: guessing."
        ).classes("quiet small")
        with html.details().classes("fold inner"):
            html.summary("The figures as a table")
            efficiency_table(curves, saved)


def in_words(curves: Sequence[Banded]) -> str:
    """Where the curves begin and end, for who cannot see them."""
    said = []
    for curve in curves:
        if curve.points:
            first, last = curve.points[0], curve.points[-1]
            said.append(f"{curve.name} from {first.mean:.1%} with {first.place:g} to {last.mean:.1%} with {last.place:g}")
    return "; ".join(said)


def efficiency_table(curves: Sequence[Banded], saved: Sequence[LabelsSaved] = ()) -> None:
    """The figures behind the curves."""
    places = sorted({point.place for curve in curves for point in curve.points})
    needed = {one.labels: _needed(one) for one in saved}
    rows = []
    for place in places:
        cells = [next((point.told for point in curve.points if point.place == place), "") for curve in curves]
        rows.append([f"{place:,.4g}", *cells, *([needed.get(place, "")] if saved else [])])
    heads = ["Labels per class", *(curve.name for curve in curves), *(["As good from scratch"] if saved else [])]
    basics.table("Accuracy by labels per class", heads, rows)


def _needed(saved: LabelsSaved) -> str:
    if saved.needed is None:
        return "more than all"
    low, high = (f"{end:,.3g}" if end is not None else "more" for end in (saved.low, saved.high))
    return f"{saved.needed:,.3g} ({low} to {high})"


def _stages(report: Json) -> None:
    """Accuracy after each stage, beside the same network untrained."""
    measures = {name: report[name] for name in ("linear", "knn") if report.get(name)}
    stages = list(next(iter(measures.values()))["pretrained"]["stages"])
    series, said = [], []
    for number, (name, found) in enumerate(measures.items()):
        for who, kind in (("pretrained", "solid"), ("untrained", "dashed")):
            shares = [found[who]["stages"].get(stage, {}).get("accuracy") for stage in stages]
            title = _PROBES[name] if who == "pretrained" else f"{_PROBES[name]}, untrained"
            drawn = line(title, [(place, round(100 * share, 1)) for place, share in enumerate(shares) if share is not None])
            color = PALETTE[number]
            series.append({**drawn, "color": color, "lineStyle": {"width": 2, "type": kind, "color": color}, "showSymbol": True})
            said.append(
                f"{title}: " + ", ".join(f"{share:.1%} after {at}" for at, share in zip(stages, shares, strict=True) if share)
            )
    drawn_options = options(series, legend=True)
    axis: dict[str, Any] = drawn_options["xAxis"]
    axis = {**axis, "type": "category", "data": stages}
    axis.pop("min"), axis.pop("max")
    drawn_options["xAxis"] = axis
    drawn_options["yAxis"] = {**drawn_options["yAxis"], "axisLabel": {**axis["axisLabel"], "formatter": "{value}%"}}
    drawn_options["grid"] = {"left": 8, "right": 24, "top": 72, "bottom": 4, "containLabel": True}
    drawn_options.pop("dataZoom")
    best = next(iter(measures.values()))["pretrained"].get("best_stage", "")
    with html.figure().classes("chart"):
        html.figcaption("What the features after each stage know of the classes")
        ui.echart(drawn_options).style("height: 300px; width: 100%").props("role=img").props["aria-label"] = "; ".join(said)
        html.p(f"The best stage, chosen without the test images, is {best}.").classes("quiet small")


_PROBES = {"linear": "Linear probe", "knn": "Neighbours"}
_MEASURES = {"fine_tune": "fine-tuned", **{name: text.lower() for name, text in _PROBES.items()}}


def _confusion(report: Json) -> None:
    measure = next((name for name in ("fine_tune", "linear", "knn") if report.get(name)), None)
    if measure is None:
        return
    matrix, names = report[measure]["pretrained"]["confusion"], list(map(str, report.get("classes") or ()))
    with html.figure().classes("chart wide"):
        html.figcaption(f"Which classes are taken for which ({_MEASURES[measure]}), in % of each class")
        if len(names) <= _MOST_CLASSES:
            _matrix(matrix, names)
        else:
            _taken_for(matrix, names)


def _matrix(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> None:
    with html.div().classes("scroll").props('tabindex=0 role=region aria-label="Confusion matrix"'), html.table().classes("matrix"):
        html.caption("Rows are what it is, columns what it was taken for").classes("quiet small")
        with html.thead(), html.tr():
            html.td("")
            for name in names:
                html.th(name, scope="col")
        with html.tbody():
            for name, row in zip(names, matrix, strict=True):
                with html.tr():
                    html.th(name, scope="row")
                    for number in row:
                        share = number / max(1, sum(row))
                        color = f"color-mix(in srgb, var(--accent) {_DEEPEST * share:.0f}%, transparent)"
                        html.td(f"{100 * share:.0f}").classes("num").style(f"background: {color}")


def _taken_for(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> None:
    """Of many classes, those that are taken for another one most often."""
    pairs = [
        (number / max(1, sum(row)), names[truth], names[taken])
        for truth, row in enumerate(matrix)
        for taken, number in enumerate(row)
        if truth != taken and number
    ]
    most = sorted(pairs, reverse=True)[:_MOST_TAKEN]
    if not most:
        html.p("None: every test image is told right.").classes("quiet")
        return
    rows = [[truth, taken, f"{share:.0%}"] for share, truth, taken in most]
    basics.table("Classes that are taken for others most often", ["Class", "Taken for", "Of the class"], rows)
