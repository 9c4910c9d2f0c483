"""The image GAN's settings."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from ssl_core.spec.base import Auto
from ssl_core.spec.tasks.base import SMALL_IMAGE, Circumstances, Concern, OptimizerDefaults, Task
from ssl_core.statistics import Statistics

_NARROWEST = 8


class Gan(Task):
    """Tell real images from those that a generator makes, while it learns to make better ones.

    The encoder is the trunk of the discriminator. Radford, Metz and Chintala, "Unsupervised Representation Learning with Deep
    Convolutional Generative Adversarial Networks", ICLR 2016; trained by the relativistic loss with both gradient penalties of
    Huang et al., "The GAN is dead; long live the GAN! A Modern GAN Baseline", NeurIPS 2024.
    """

    summary: ClassVar[str] = "Tell real images from those of a generator that learns to deceive."
    learns_from: ClassVar[str] = "what makes images real: textures, shapes, scenes; needs thousands of images and many steps"
    preview: ClassVar[str] = (
        "Above, real images, as the network sees them; below, what a generator makes that has learnt nothing yet. It has to "
        "tell which are real."
    )
    paper: ClassVar[str] = "https://arxiv.org/abs/2501.05441"
    loss_tells: ClassVar[bool] = False
    optimizer: ClassVar[Literal["sgd", "adamw"] | None] = "adamw"
    adamw: ClassVar[OptimizerDefaults] = OptimizerDefaults(5e-4, None, 0.0, 0.0, 0.99)
    sgd: ClassVar[OptimizerDefaults] = OptimizerDefaults(0.01, None, 0.0, 0.0)

    name: Literal["gan"] = "gan"
    """The task's name."""
    latent: int = Field(default=64, ge=8, le=1024)
    """Length of the generator's random input. 8 to 1024."""
    width: Auto | Annotated[int, Field(ge=_NARROWEST, le=512)] = "auto"
    """Channels of the generator's last stage; the stages before have up to 8 times as many. `auto`: 16 beside `tiny`, else 64."""
    gamma: Auto | Annotated[float, Field(ge=0, le=100)] = "auto"
    """Weight of the gradient penalties R1 and R2. `auto`: 0.5 at 32 px, growing with the number of pixels."""
    augment: float = Field(default=0.3, ge=0, le=1)
    """Probability of each change (shift, colour, cut-out) to what the discriminator sees, real or not, so that it does not learn
    the images by heart. 0 to 1."""
    ema_images: int = Field(default=50_000, ge=1, le=10_000_000)
    """Half-life, in images seen, of the mean of the generator's weights that makes the samples; shorter at the start."""
    flip: bool = True
    """Mirror half of the real images left to right."""

    def auto_batch(self, image_size: int) -> int:
        return 64 if image_size <= SMALL_IMAGE else 32

    def resolved(self, about: Circumstances) -> Self:
        width = (16 if about.encoder.name == "tiny" else 64) if self.width == "auto" else self.width
        gamma = round(0.5 * (about.image_size / 32) ** 2, 4) if self.gamma == "auto" else self.gamma
        return self.model_copy(update={"width": width, "gamma": gamma})

    def sketched(self) -> Self:
        return self.model_copy(update={"width": _NARROWEST})

    def concerns(self, about: Statistics) -> list[Concern]:
        return [*about.flat("there is nothing to generate"), *about.few(1_000, "the discriminator will learn them by heart")]
