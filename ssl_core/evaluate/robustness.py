"""How accuracy holds out against attacks and corruptions: the pretrained encoder beside the same network untrained.

Results are kept in the ledger as numbers within the sample of test images, so that attacks can be compared image by image.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ssl_core.data import derived_seed
from ssl_core.errors import InterruptedRun
from ssl_core.evaluate import attacks
from ssl_core.evaluate.attacks import Attacked
from ssl_core.evaluate.classifier import BATCH, Classifier, StageClassifier, as_pixels, exact_arithmetic, logits_of, margins
from ssl_core.evaluate.corruptions import CORRUPTIONS, SEVERITIES, corrupted
from ssl_core.evaluate.frozen import Frozen
from ssl_core.evaluate.ledger import Ledger
from ssl_core.evaluate.linear import linear_probe
from ssl_core.evaluate.one_pixel import one_pixel
from ssl_core.evaluate.robustness_words import LARGE, checks, robustness_sentence
from ssl_core.evaluate.samples import Pixels, Rows
from ssl_core.evaluate.scores import wilson
from ssl_core.evaluate.subject import WHO, Found, Subject
from ssl_core.evaluate.tuned import Tuned
from ssl_core.spec.evaluate import Robustness

COMPARED = {"linear": WHO, "fine_tune": ("pretrained", "scratch")}
"""Which two networks are compared, by the head."""
_ONE_PIXEL_PART = 8
"""Images of a one-pixel attack that make one result."""

_Attack = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Attacked]


class Robust:
    """Attacks and corrupts.

    Args:
        subject: what is evaluated.
        ledger: what was found before.
        frozen: chooses the stages.
        tuned: chooses the learning rates.
        asked: what is asked for.
    """

    def __init__(self, subject: Subject, ledger: Ledger, frozen: Frozen, tuned: Tuned, asked: Robustness) -> None:
        self._subject, self._ledger, self._frozen, self._tuned, self._asked = subject, ledger, frozen, tuned, asked
        self.rows = stratified(subject.parts.test, subject.parts.labels, asked.images, seed=subject.seed)
        """The sample of test images."""
        self.images: Pixels = subject.samples.shown(self.rows)
        """uint8 (n, S, S, 3), or a clip of each video (n, T, S, S, 3)."""
        self.labels = subject.parts.labels[self.rows]
        self._networks: dict[tuple[str, str], Classifier] = {}
        self._worst: dict[tuple[str, str], tuple[list[int], Attacked]] = {}

    @property
    def _still(self) -> bool:
        """Whether they are images, not clips."""
        return self.images.ndim == 4

    def measure(self) -> Found:
        """Everything."""
        asked = self._asked
        with exact_arithmetic():
            heads = {head: self._of_head(head) for head in asked.heads}
            by_kind = {kind: self._corrupted(kind) for kind in CORRUPTIONS} if asked.corruptions else {}
        for head, networks in heads.items():
            for who, found in networks.items():
                kinds = {
                    kind: {"by_severity": told[head][who], "accuracy": _mean(told[head][who])} for kind, told in by_kind.items()
                }
                found["corruptions"] = kinds or None
                found["corrupted_accuracy"] = _mean([one["accuracy"] for one in kinds.values()]) if kinds else None
        return {
            "images": len(self.rows),
            "epsilons": sorted(asked.epsilons),
            "control_epsilon": asked.compared_at,
            "attack_steps": asked.attack_steps,
            "restarts": asked.restarts,
            "control_queries": asked.control_queries,
            "left_out": {} if self._still else {"one_pixel": "a pixel of one frame is no attack on a clip that can be compared"},
            "heads": heads,
            "sentence": robustness_sentence(
                next(iter(heads.values())), asked.compared_at, len(self.rows), self._subject.samples.kind
            ),
        }

    def _of_head(self, head: str) -> Found:
        told = {who: self._of_network(head, who) for who in COMPARED[head]}
        for who, found in told.items():
            other = next(one for one in COMPARED[head] if one != who)
            found["transfer"] = self._transferred(head, who, other)
        for found in told.values():
            found["checks"] = checks(found)
            del found["fooled"]
        self._worst.clear()
        return told

    def _of_network(self, head: str, who: str) -> Found:
        asked, name = self._asked, f"robustness/{head}/{who}"
        clean = self._ledger.find(f"{name}/clean", self._clean, head, who)
        right, count = clean["right"], len(self.rows)
        share = wilson(len(right), count)
        by_epsilon = {
            epsilon: self._ledger.find(f"{name}/epsilon/{epsilon:g}", self._at, head, who, epsilon)
            for epsilon in sorted(asked.epsilons)
        }
        kinds = ("noise", "fgsm", "pgd")
        unharmed: Found = {"epsilon": 0.0, **dict.fromkeys(kinds, share.mean)}
        left = [
            {"epsilon": epsilon, **{kind: (len(right) - len(found[kind])) / count for kind in kinds}}
            for epsilon, found in by_epsilon.items()
        ]
        at_control = by_epsilon[asked.compared_at]
        control = self._ledger.find(f"{name}/control", self._controlled, head, who)
        large = self._ledger.find(f"{name}/large", self._large, head, who)
        return {
            **({"stage": self._frozen.linear_of(who)["best_stage"]} if head == "linear" else {}),
            "accuracy": share.mean,
            "interval": [share.low, share.high],
            "attacks": [unharmed, *left],
            "pgd_by_step": [(len(right) - fooled) / count for fooled in at_control["by_step"]],
            "control": {"epsilon": asked.compared_at, "accuracy": (len(right) - len(control)) / count},
            "large": {"epsilon": LARGE, "accuracy": (len(right) - len(large)) / count},
            "without_gradient": clean["without_gradient"] / max(1, len(right)),
            "one_pixel": self._one_pixel(head, who, right) if self._still else None,
            # Image by image, for the checks alone.
            "fooled": {"right": right, "epsilons": by_epsilon, "control": control, "by_step": at_control["by_step"]},
        }

    def network(self, head: str, who: str) -> Classifier:
        """What is attacked, made when it is first needed."""
        key = head, who
        if key not in self._networks:
            self._networks[key] = (self._probe(who) if head == "linear" else self._trained(who)).to(self._subject.device)
        return self._networks[key]

    def _probe(self, who: str) -> Classifier:
        subject = self._subject
        labels, truth = subject.truth
        stage = str(self._frozen.linear_of(who)["best_stage"])
        train, test = subject.divided(subject.features(who)[stage])
        head = linear_probe(train, labels, test, truth, seed=subject.seed, device=subject.device).head
        return Classifier(StageClassifier(subject.encoder(who), stage, head), subject.shown_as)

    def _trained(self, begins: str) -> Classifier:
        train, asked = self._subject.parts.train, self._asked
        effort = self._tuned.effort(asked, len(train), self._tuned.rate(asked, begins))
        return Classifier(self._subject.trained(begins, train, effort, 0), self._subject.shown_as)

    def _clean(self, head: str, who: str) -> Found:
        """Which images it gets right, and for how many of these there is no gradient at all."""
        network, right, blind = self.network(head, who), [], 0
        for places, pixels, labels in self._parts(range(len(self.rows))):
            margin, found = attacks.gradient(network, pixels, labels)
            right += [place for place, ahead in zip(places, margin.tolist(), strict=True) if ahead > 0]
            blind += int(((found == 0).flatten(1).all(1) & (margin > 0)).sum())
        return {"right": right, "without_gradient": blind}

    def _at(self, head: str, who: str, epsilon: float) -> Found:
        """Who is fooled at an epsilon, by each attack."""

        def fgsm(network: nn.Module, pixels: Tensor, labels: Tensor, _generator: torch.Generator) -> Attacked:
            return attacks.fgsm(network, pixels, labels, epsilon)

        def noise(network: nn.Module, pixels: Tensor, labels: Tensor, generator: torch.Generator) -> Attacked:
            return attacks.noise(network, pixels, labels, epsilon, generator)

        told: Found = {}
        for name, attack in (("noise", noise), ("fgsm", fgsm)):
            right, found = self._attacked(head, who, f"{name}/{epsilon:g}", attack)
            told[name] = _chosen(right, found.fooled)
        right, found = self._pgd(head, who, epsilon)
        told["pgd"] = _chosen(right, found.fooled)
        steps = self._asked.attack_steps * self._asked.restarts
        told["by_step"] = [int((found.fooled & (found.after <= step)).sum()) for step in range(steps + 1)]
        return told

    def _pgd(self, head: str, who: str, epsilon: float) -> tuple[list[int], Attacked]:
        """Which images it gets right, and what descent makes of them."""
        if epsilon == self._asked.compared_at and (head, who) in self._worst:
            return self._worst[head, who]

        def attack(network: nn.Module, pixels: Tensor, labels: Tensor, generator: torch.Generator) -> Attacked:
            return self.descent(network, pixels, labels, epsilon, generator)

        found = self._attacked(head, who, f"pgd/{epsilon:g}", attack)
        if epsilon == self._asked.compared_at:
            self._worst[head, who] = found
        return found

    def descent(self, network: nn.Module, pixels: Tensor, labels: Tensor, epsilon: float, generator: torch.Generator) -> Attacked:
        """Projected gradient descent as it was asked for."""
        steps, restarts = self._asked.attack_steps, self._asked.restarts
        return attacks.pgd(network, pixels, labels, epsilon, generator, steps=steps, restarts=restarts, stop=self._subject.stop)

    def _controlled(self, head: str, who: str) -> list[int]:
        """Who is fooled by a search without gradients."""

        def search(network: nn.Module, pixels: Tensor, labels: Tensor, generator: torch.Generator) -> Attacked:
            epsilon, queries = self._asked.compared_at, self._asked.control_queries
            return attacks.square(network, pixels, labels, epsilon, generator, queries=queries, stop=self._subject.stop)

        right, found = self._attacked(head, who, "control", search)
        return _chosen(right, found.fooled)

    def _large(self, head: str, who: str) -> list[int]:
        right, found = self._pgd(head, who, LARGE)
        return _chosen(right, found.fooled)

    def _transferred(self, head: str, who: str, other: str) -> Found:
        """How many of the images that both get right still are, once they are made against the other network."""

        def find() -> Found:
            mine = set(self._right(head, who))
            right, made = self._pgd(head, other, self._asked.compared_at)
            both = [number for number, place in enumerate(right) if place in mine]
            if not both:
                return {"images": [], "fooled": []}
            places = [right[number] for number in both]
            labels = torch.from_numpy(self.labels[places]).to(self._subject.device)
            fooled = attacks.transferred(
                self.network(head, who), made.images[both].to(self._subject.device), labels, self._subject.stop
            )
            return {"images": places, "fooled": _chosen(places, fooled)}

        found = self._ledger.find(f"robustness/{head}/{who}/transfer", find)
        count = len(found["images"])
        return {**found, "from": other, "accuracy": 1 - len(found["fooled"]) / count if count else None}

    def _one_pixel(self, head: str, who: str, right: list[int]) -> Found | None:
        asked = self._asked.one_pixel
        if asked is None:
            return None
        count, found = min(asked.images, len(self.rows)), []

        def find(start: int) -> list[Found]:
            places = [place for place in right if start <= place < min(start + _ONE_PIXEL_PART, count)]
            generator = torch.Generator().manual_seed(derived_seed(self._subject.seed, "one pixel", start))
            for _, pixels, labels in self._parts(places):
                attacked = one_pixel(
                    self.network(head, who),
                    pixels,
                    labels,
                    generator,
                    population=asked.population,
                    generations=asked.generations,
                    stop=self._subject.stop,
                )
                return [{"image": place, **one} for place, one in zip(places, attacked, strict=True)]
            return []

        for start in range(0, count, _ONE_PIXEL_PART):
            found += self._ledger.find(f"robustness/{head}/{who}/one_pixel/{start}", find, start)
        fooled = [one for one in found if one["fooled"]]
        share = wilson(len(fooled), len(found)) if found else None
        return {
            "attacked": len(found),
            "fooled": len(fooled),
            "share": share and share.mean,
            "interval": share and [share.low, share.high],
            "queries": sum(one["queries"] for one in found),
            "found": fooled,
        }

    def _corrupted(self, kind: str) -> Found:
        """Accuracy by severity, by head and network."""

        def find() -> Found:
            told: Found = {head: {who: [] for who in COMPARED[head]} for head in self._asked.heads}
            for severity in SEVERITIES:
                images = corrupted(self.images, kind, severity, seed=self._subject.seed)
                for head, networks in told.items():
                    for who, accuracies in networks.items():
                        accuracies.append(self._accuracy(self.network(head, who), images))
            return told

        return dict(self._ledger.find(f"robustness/corruptions/{kind}", find))

    def _accuracy(self, network: nn.Module, images: Pixels) -> float:
        right = 0
        for start in range(0, len(images), BATCH):
            logits = logits_of(network, as_pixels(images[start : start + BATCH], self._subject.device), self._subject.stop)
            labels = torch.from_numpy(self.labels[start : start + BATCH]).to(self._subject.device)
            right += int((margins(logits, labels) > 0).sum())
        return right / len(images)

    def _right(self, head: str, who: str) -> list[int]:
        return list(self._ledger.find(f"robustness/{head}/{who}/clean", self._clean, head, who)["right"])

    def _attacked(self, head: str, who: str, name: str, attack: _Attack) -> tuple[list[int], Attacked]:
        """Attack what the network gets right. The draws depend on the attack's name and on the place in the sample alone."""
        right, parts, network = self._right(head, who), [], self.network(head, who)
        for places, pixels, labels in self._parts(right):
            generator = torch.Generator().manual_seed(derived_seed(self._subject.seed, f"attack/{name}", places[0]))
            found = attack(network, pixels, labels, generator)
            parts.append(Attacked(*(each.cpu() for each in (found.images, found.fooled, found.after))))
        nothing = Attacked(
            torch.empty(0, *self.images.shape[1:]), torch.empty(0, dtype=torch.bool), torch.empty(0, dtype=torch.int64)
        )
        return right, Attacked.joined(parts) if parts else nothing

    def _parts(self, places: Any) -> Any:
        """Some images of the sample, in parts: their places, pixels and labels, the latter two on the device."""
        chosen = list(places)
        for start in range(0, len(chosen), BATCH):
            if self._subject.stop:
                raise InterruptedRun
            part = chosen[start : start + BATCH]
            labels = torch.from_numpy(self.labels[part]).to(self._subject.device)
            yield part, as_pixels(self.images[part], self._subject.device), labels


def robustness_results(subject: Subject, asked: Robustness) -> int:
    """How many results it has in the ledger, those of the probes that choose stages aside."""
    pixels = 0
    if asked.one_pixel is not None and subject.samples.kind == "image":
        pixels = -(-min(asked.one_pixel.images, asked.images, len(subject.parts.test)) // _ONE_PIXEL_PART)
    tuning = len(COMPARED["fine_tune"]) * len(asked.learning_rates) if len(asked.learning_rates) > 1 else 0
    each = 4 + len(asked.epsilons) + pixels  # the clean images, the control, the large epsilon, the other's images
    return 2 * len(asked.heads) * each + ("fine_tune" in asked.heads) * tuning + asked.corruptions * len(CORRUPTIONS)


def stratified(rows: Rows, labels: Rows, count: int, *, seed: int) -> Rows:
    """At most `count` of the rows, the classes in proportion; the first of them are such a sample too. Drawn at random, but fixed.

    Args:
        rows: int64 (M,), in order.
        labels: int64 (N,), classes by row.
        count: how many.
        seed: of the draw.
    """
    generator = np.random.default_rng(derived_seed(seed, "stratified", 0))
    shuffled = generator.permutation(rows)
    place = np.empty(len(shuffled))
    for label in np.unique(labels[shuffled]):
        of_class = np.flatnonzero(labels[shuffled] == label)
        place[of_class] = (np.arange(len(of_class)) + generator.random()) / len(of_class)
    chosen: Rows = shuffled[np.argsort(place, kind="stable")][:count]
    return chosen


def _chosen(places: list[int], mask: Tensor) -> list[int]:
    return [place for place, chosen in zip(places, mask.tolist(), strict=True) if chosen]


def _mean(values: list[float]) -> float:
    return float(np.mean(values))
