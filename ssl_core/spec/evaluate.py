"""What an evaluation of an encoder may ask for."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ssl_core.spec.base import Auto, Spec

PerClass = Annotated[int, Field(ge=1, le=1_000_000)] | Literal["all"]


def _as_share(value: Any) -> Any:
    """A number as papers write it: "8/255"."""
    if isinstance(value, str):
        levels, slash, of = value.partition("/")
        try:
            return float(levels) / float(of) if slash else float(levels)
        except (ValueError, ZeroDivisionError):
            raise ValueError('must be a number, or a fraction such as "8/255"') from None
    return value


Epsilon = Annotated[float, BeforeValidator(_as_share), Field(gt=0, le=1, allow_inf_nan=False)]


class Knn(Spec):
    """The k most similar training images vote, weighted (Wu et al., CVPR 2018; settings of Caron et al., ICCV 2021)."""

    name: Literal["knn"] = "knn"
    """Always `knn`."""
    k: int = Field(default=20, ge=1, le=1000)
    """Voters; no more than there are training images."""
    temperature: float = Field(default=0.07, gt=0, le=10)
    """A neighbour votes with weight exp(cosine / temperature)."""


class Linear(Spec):
    """A linear classifier on the frozen features of each stage.

    How strongly it is held down, and which stage is the best, is chosen on a part of the training images, never on the test images.
    """

    name: Literal["linear"] = "linear"
    """Always `linear`."""


class Retrieval(Spec):
    """Test images ask for training images of their class: mean average precision, and neighbours to look at."""

    name: Literal["retrieval"] = "retrieval"
    """Always `retrieval`."""
    queries: int = Field(default=1000, ge=1, le=100_000)
    """Most test images that ask; drawn at random if there are more."""


class Tuned(Spec):
    """What the protocols that train a whole network have in common."""

    steps: Auto | Annotated[int, Field(ge=1, le=1_000_000)] = "auto"
    """Optimizer steps of each training. `auto`: 60 passes over the labelled images, within 100 to 1,000 steps."""
    batch_size: int = Field(default=64, ge=2, le=4096)
    """Images or clips a step; fewer if there are not as many labels."""
    learning_rates: list[Annotated[float, Field(gt=0, le=1)]] = Field(default=[1e-3, 3e-4], min_length=1, max_length=8)
    """Peak learning rates of AdamW to choose from, for each kind of initial weights by itself, on a part of the training images."""
    flip: bool = True
    """Whether half of the images are mirrored. Switch it off where that changes their class, as of digits."""


class FineTune(Tuned):
    """The whole network is trained on all labels, beginning with the encoder's weights."""

    name: Literal["fine_tune"] = "fine_tune"
    """Always `fine_tune`."""


class LabelEfficiency(Tuned):
    """Accuracy by labels per class, and how many labels pretraining saves.

    The pretrained encoder is compared with the same network from random weights, trained with the same effort.
    """

    name: Literal["label_efficiency"] = "label_efficiency"
    """Always `label_efficiency`."""
    labels_per_class: Auto | Annotated[list[PerClass], Field(min_length=1, max_length=12)] = "auto"
    """Labels per class at which both are compared. `auto`: 1, 5, 20, 100, 400, 1000, 5000 as far as the classes have that many, and
    all."""
    methods: list[Literal["fine_tune", "linear"]] = Field(default=["fine_tune", "linear"], min_length=1, max_length=2)
    """How the labels are used: by training the whole network, or a linear classifier on its frozen features."""
    draws: int = Field(default=3, ge=2, le=20)
    """How many times labels, and random weights, are drawn. Intervals are over these."""

    @model_validator(mode="after")
    def _no_doubles(self) -> Self:
        for name in ("methods", "labels_per_class"):
            value = getattr(self, name)
            if value != "auto" and len(set(value)) < len(value):
                raise ValueError(f"`{name}` has something twice")
        return self


class OnePixel(Spec):
    """The one-pixel attack (Su et al., IEEE TEVC 2019): differential evolution looks for a place and a colour, by answers alone."""

    images: int = Field(default=32, ge=1, le=10_000)
    """Most test images that are attacked; drawn from those of the protocol."""
    population: int = Field(default=400, ge=4, le=10_000)
    """Places and colours that are kept of each image."""
    generations: int = Field(default=75, ge=1, le=10_000)
    """How many times each is bred anew; an image that is fooled is done."""


class Robustness(Tuned):
    """How accuracy holds out against attacks and common corruptions, of the pretrained encoder and of the same network untrained.

    Both with the same kind of head, on the same labels. A comparison of encoders, no verdict: no network that was not trained to
    withstand attacks does.
    """

    name: Literal["robustness"] = "robustness"
    """Always `robustness`."""
    heads: list[Literal["linear", "fine_tune"]] = Field(default=["linear"], min_length=1, max_length=2)
    """What is attacked: a linear head on the frozen features of each encoder's best stage, or the whole network, trained on all
    labels. The settings `steps`, `batch_size`, `learning_rates` and `flip` are of the latter."""
    images: int = Field(default=500, ge=2, le=100_000)
    """Most test images that are attacked and corrupted, in the classes' proportions; drawn at random if there are more."""
    epsilons: list[Epsilon] = Field(default=[0.5 / 255, 1 / 255, 2 / 255, 4 / 255, 8 / 255], min_length=1, max_length=12)
    """How far an attack may move each value of a pixel, where black is 0 and white 1. "8/255" is understood as well."""
    control_epsilon: Auto | Epsilon = "auto"
    """Where attacks are compared with a search that needs no gradients, and with images made against the other encoder. One of
    `epsilons`; `auto`: the middle one."""
    attack_steps: int = Field(default=20, ge=1, le=1000)
    """Steps of projected gradient descent."""
    restarts: int = Field(default=1, ge=1, le=20)
    """How many random beginnings it has, for each image that is not fooled yet."""
    control_queries: int = Field(default=300, ge=1, le=100_000)
    """Questions to the network that the search without gradients may ask, for each image."""
    one_pixel: OnePixel | None = Field(default_factory=OnePixel)
    """The attack on a single pixel. None: without it; it is the dearest, with up to `population` times `generations` questions for
    each image."""
    corruptions: bool = True
    """Whether common corruptions are measured: ten kinds in five severities each."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        for name in ("heads", "epsilons"):
            value = getattr(self, name)
            if len(set(value)) < len(value):
                raise ValueError(f"`{name}` has something twice")
        if self.control_epsilon != "auto" and self.control_epsilon not in self.epsilons:
            raise ValueError("`control_epsilon` has to be one of `epsilons`")
        return self

    @property
    def compared_at(self) -> float:
        """`control_epsilon`, decided."""
        if self.control_epsilon != "auto":
            return self.control_epsilon
        return sorted(self.epsilons)[len(self.epsilons) // 2]


def _as_object(protocol: Any) -> Any:
    return {"name": protocol} if isinstance(protocol, str) else protocol


Protocol = Annotated[
    Annotated[Knn | Linear | Retrieval | FineTune | LabelEfficiency | Robustness, Field(discriminator="name")],
    BeforeValidator(_as_object),
]
PROTOCOLS: dict[str, type[Spec]] = {
    "knn": Knn,
    "linear": Linear,
    "retrieval": Retrieval,
    "fine_tune": FineTune,
    "label_efficiency": LabelEfficiency,
    "robustness": Robustness,
}


class EvaluateSpec(Spec):
    """An evaluation: how much an encoder's features know of labels."""

    protocols: list[Protocol] = Field(
        default=[Knn(), Linear(), Retrieval(), LabelEfficiency()], min_length=1, max_length=len(PROTOCOLS)
    )
    """What to measure: names, or objects with settings."""
    test_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of each class that is held out for testing, if the dataset has no test split of its own."""
    duplicates: Literal["remove", "keep"] = "remove"
    """What is done with training images that are, exactly or nearly, among the test images too. They are reported in any case."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute. `auto`: a GPU if a worker has one."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """Seed of the held-out split, the draws of labels and the random weights."""

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        names = [protocol.name for protocol in self.protocols]
        if len(set(names)) < len(names):
            raise ValueError("`protocols` has one of them twice")
        return self


ModelId = Annotated[str, Field(max_length=100)]


class ComparedEvaluation(EvaluateSpec):
    """An evaluation on a server, which has other models to compare with."""

    references: list[ModelId] = Field(default=[], max_length=3)
    """Other models on this server that are measured beside by `knn`, `linear` and `label_efficiency`: trained here, or uploaded,
    such as one that was pretrained on ImageNet. Each sees the images in the size that it was made for."""

    @model_validator(mode="after")
    def _references_once(self) -> Self:
        if len(set(self.references)) < len(self.references):
            raise ValueError("`references` has a model twice")
        return self


class EvaluateAfter(ComparedEvaluation):
    """An evaluation of what a pretraining will have made."""

    dataset_id: str | None = Field(default=None, max_length=100)
    """The labelled dataset to evaluate on. None: the one that is learned from, whose labels the pretraining itself never sees."""


class ModelEvaluation(ComparedEvaluation):
    """An evaluation of a model on this server."""

    model_id: str = Field(max_length=100)
    """The model whose encoder is evaluated."""
