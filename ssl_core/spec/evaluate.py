"""What an evaluation of an encoder may ask for."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ssl_core.spec.base import Auto, Spec

PerClass = Annotated[int, Field(ge=1, le=1_000_000)] | Literal["all"]


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


def _as_object(protocol: Any) -> Any:
    return {"name": protocol} if isinstance(protocol, str) else protocol


Protocol = Annotated[
    Annotated[Knn | Linear | Retrieval | FineTune | LabelEfficiency, Field(discriminator="name")], BeforeValidator(_as_object)
]
PROTOCOLS: dict[str, type[Spec]] = {
    "knn": Knn,
    "linear": Linear,
    "retrieval": Retrieval,
    "fine_tune": FineTune,
    "label_efficiency": LabelEfficiency,
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


class EvaluateAfter(EvaluateSpec):
    """An evaluation of what a pretraining will have made."""

    dataset_id: str | None = Field(default=None, max_length=100)
    """The labelled dataset to evaluate on. None: the one that is learned from, whose labels the pretraining itself never sees."""


class ModelEvaluation(EvaluateSpec):
    """An evaluation of a model on this server."""

    model_id: str = Field(max_length=100)
    """The model whose encoder is evaluated."""
