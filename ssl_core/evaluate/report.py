"""The report of an evaluation: every protocol that was asked for, in figures, in pictures and in a sentence."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ssl_core.data import derived_seed
from ssl_core.evaluate import plots, robustness_plots
from ssl_core.evaluate.frozen import Frozen
from ssl_core.evaluate.ledger import Ledger
from ssl_core.evaluate.retrieval import nearest
from ssl_core.evaluate.robustness import Robust, robustness_results
from ssl_core.evaluate.robustness_words import robustness_headline
from ssl_core.evaluate.subject import WHO, Found, Subject
from ssl_core.evaluate.tuned import Tuned, label_counts
from ssl_core.events import Events
from ssl_core.process import StopRequest
from ssl_core.spec.evaluate import EvaluateSpec, FineTune, Knn, LabelEfficiency, Linear, Protocol, Retrieval, Robustness

REPORT = "report.json"
_SHOWN_QUERIES, _SHOWN_NEIGHBOURS = 8, 8


@dataclass(frozen=True)
class Report:
    """What came of an evaluation."""

    files: list[str]
    headline: dict[str, float]
    """The figures that stand for it."""


class Evaluation:
    """Everything that was asked for.

    Args:
        spec: what that is.
        subject: what is evaluated.
        out: folder for `report` and `checkpoints`.
        events: told of everything.
        stop: looked at often.
        checkpoint_seconds: seconds between checkpoints.

    Raises:
        UserError: the dataset has too few labels for it.
    """

    def __init__(
        self, spec: EvaluateSpec, subject: Subject, out: Path, events: Events, stop: StopRequest, *, checkpoint_seconds: float
    ) -> None:
        self._asked = {type(protocol): protocol for protocol in spec.protocols}
        self._subject, self._out = subject, out
        parts = subject.parts
        about = {
            "spec": spec.model_dump(mode="json"),
            "train": len(parts.train),
            "test": len(parts.test),
            "references": list(subject.references),
            "labels": subject.labels_version,
        }
        total = sum(self._results(protocol) for protocol in spec.protocols) + self._results_for_stages()
        ledger = Ledger(out / "checkpoints", about, total, events, stop, seconds=checkpoint_seconds)
        self._frozen, self._tuned = Frozen(subject, ledger), Tuned(subject, ledger)
        asked = self._asked.get(Robustness)
        self._robust = Robust(subject, ledger, self._frozen, self._tuned, asked) if isinstance(asked, Robustness) else None

    def run(self) -> Report:
        """Measure everything and write it down."""
        told: Found = {"classes": list(self._subject.parts.names), **self._subject.data()}
        measures: dict[type, Callable[..., Found]] = {
            Knn: self._frozen.knn,
            Linear: lambda _: self._frozen.linear(),
            Retrieval: lambda asked: self._frozen.retrieval(asked, self._best_stage(told)),
            FineTune: self._tuned.fine_tune,
            LabelEfficiency: self._tuned.label_efficiency,
            Robustness: lambda _: self._robust.measure() if self._robust else {},
        }
        for protocol, measure in measures.items():
            if protocol in self._asked:
                asked = self._asked[protocol]
                told[asked.name] = measure(asked)
        told |= self._summary(told)
        folder = self._out / "report"
        partial = folder.with_name(".report.new")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        told["pictures"] = self._draw(told, partial)
        (partial / REPORT).write_text(json.dumps(told, indent=1), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        return Report(sorted(path.name for path in folder.iterdir()), self._headline(told))

    def _results_for_stages(self) -> int:
        """How many results are found only to choose stages by: neighbours for retrieval, linear probes for robustness."""
        asked = self._asked.get(Robustness)
        probed = isinstance(asked, Robustness) and "linear" in asked.heads and Linear not in self._asked
        chooses = Retrieval in self._asked and not {Knn, Linear} & set(self._asked)
        return probed * self._stages_of(*WHO) + chooses * self._stages_of("pretrained")

    def _stages_of(self, *who: str) -> int:
        return sum(len(self._subject.stages(one)) for one in who)

    def _best_stage(self, told: Found) -> str:
        """The stage with the best linear probe in validation, or else the best kNN."""
        measured = told.get("linear") or told.get("knn")
        return str((measured["pretrained"] if measured else self._frozen.knn_of(Knn(), "pretrained"))["best_stage"])

    def _results(self, asked: Protocol) -> int:
        """How many results a protocol has."""
        if isinstance(asked, Knn | Linear):
            return self._stages_of(*self._subject.who)
        if isinstance(asked, Retrieval):
            return len(WHO)
        if isinstance(asked, Robustness):
            return robustness_results(self._subject, asked)
        both = isinstance(asked, FineTune) or "fine_tune" in asked.methods
        given = 1 + (len(self._subject.references) if isinstance(asked, LabelEfficiency) else 0)
        rates = (1 + both * given) * len(asked.learning_rates) if len(asked.learning_rates) > 1 else 0
        if isinstance(asked, FineTune):
            return rates + 2
        return rates + (1 + given * len(asked.methods)) * len(label_counts(self._subject, asked)) * asked.draws

    def _summary(self, told: Found) -> Found:
        """The answer in words, and the labels saved behind it."""
        robust = f" {told['robustness']['sentence']}" if "robustness" in told else ""
        efficiency = told.get("label_efficiency")
        if efficiency is None:
            return {"labels_saved": None, "sentence": f"{self._without_label_efficiency(told)}{robust}".strip()}
        best, saved, says = _standing_for(efficiency)
        beside = []
        for one in told["references"]:
            by, one["labels_saved"], one["sentence"] = _standing_for(efficiency["references"][one["id"]])
            one["labels_saved_by"] = by.removeprefix(f"{one['id']}_")
            beside.append(f" {one['sentence']}")
        return {"labels_saved": saved, "labels_saved_by": best, "sentence": f"{says}{''.join(beside)}{robust}"}

    @staticmethod
    def _without_label_efficiency(told: Found) -> str:
        for name, called in (("linear", "A linear probe"), ("knn", "Nearest neighbours")):
            if name in told:
                ours, theirs = told[name]["pretrained"], told[name]["untrained"]
                low, high = ours["interval"]
                apart = low > theirs["interval"][1]
                verdict = "better than" if apart else "not certainly better than"
                return (
                    f"{called} of your encoder's features is right for {ours['accuracy']:.1%} of the test images (95%: {low:.1%} "
                    f"to {high:.1%}), {verdict} of the untrained network's ({theirs['accuracy']:.1%})."
                )
        if "fine_tune" in told:
            ours, theirs = told["fine_tune"]["pretrained"], told["fine_tune"]["scratch"]
            return (
                f"Fine-tuned on all labels your encoder is {ours['accuracy']:.1%} accurate, from scratch {theirs['accuracy']:.1%}."
            )
        if "retrieval" not in told:
            return ""
        return f"Mean average precision of retrieval: {told['retrieval']['pretrained']['mean_average_precision']:.3f}."

    @staticmethod
    def _headline(told: Found) -> dict[str, float]:
        found: dict[str, float] = {
            name: told[name]["pretrained"]["accuracy"] for name in ("knn", "linear", "fine_tune") if name in told
        }
        if "retrieval" in told:
            found["mean_average_precision"] = told["retrieval"]["pretrained"]["mean_average_precision"]
        if "robustness" in told:
            found |= robustness_headline(told["robustness"])
        return found

    def _draw(self, told: Found, folder: Path) -> list[str]:
        names: list[str] = []
        if "label_efficiency" in told:
            called = {one["id"]: one["name"] for one in told["references"]}
            figure = plots.label_efficiency(told["label_efficiency"]["points"], told["chance"], called)
            names += plots.save(figure, folder, "label_efficiency")
        probed = {name: told[name] for name in ("linear", "knn") if name in told}
        if probed:
            curves: dict[str, Found] = {
                name: {
                    self._subject.named(who): {stage: one["accuracy"] for stage, one in found["stages"].items()}
                    for who in self._subject.who
                    if (found := of[who] if who in WHO else of["references"][who])
                }
                for name, of in probed.items()
            }
            names += plots.save(plots.stages(curves), folder, "stages")
        for name in ("fine_tune", "linear", "knn"):
            if name in told:
                figure = plots.confusion(told[name]["pretrained"]["confusion"], self._subject.parts.names, name)
                names += plots.save(figure, folder, "confusion")
                break
        if "retrieval" in told:
            names += plots.save(self._neighbours(told["retrieval"]["stage"]), folder, "neighbours")
        if self._robust is not None:
            for name, figure in robustness_plots.figures(told["robustness"], self._robust, self._subject).items():
                names += plots.save(figure, folder, name)
        return names

    def _neighbours(self, stage: str) -> Figure:
        generator = np.random.default_rng(derived_seed(self._subject.seed, "neighbours", 0))
        train, test = self._subject.divided(self._subject.features("pretrained")[stage])
        rows = np.sort(generator.permutation(len(test))[:_SHOWN_QUERIES])
        found = nearest(train, test[rows], min(_SHOWN_NEIGHBOURS, len(train)))
        labels, truth = self._subject.truth
        names = self._subject.parts.names
        return plots.neighbours(
            self._subject.samples.pictures(self._subject.parts.test[rows]),
            [self._subject.samples.pictures(self._subject.parts.train[places]) for places in found],
            [names[truth[row]] for row in rows],
            [[names[labels[place]] for place in places] for places in found],
        )


def _standing_for(efficiency: Found) -> tuple[str, list[Found], str]:
    """Which use of an encoder stands for it, the one that is more accurate over the whole curve, and what it saves."""
    saved = efficiency["labels_saved"]
    best = max(saved, key=lambda kind: float(np.mean([one["accuracy"] for one in saved[kind]])))
    return best, saved[best], efficiency["sentences"][best]
