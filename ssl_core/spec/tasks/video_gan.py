"""The video GAN's settings."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field

from ssl_core.spec.base import Auto
from ssl_core.spec.tasks.base import SMALL_IMAGE, Circumstances, Concern, OptimizerDefaults, Task
from ssl_core.statistics import Statistics

_NARROWEST = 8


class VideoGan(Task):
    """Tell real clips from those that a generator makes of a still background and a moving foreground.

    The encoder is the trunk of the discriminator. Vondrick, Pirsiavash and Torralba, "Generating Videos with Scene Dynamics",
    NeurIPS 2016; trained by the relativistic loss with both gradient penalties of Huang et al., "The GAN is dead; long live the
    GAN! A Modern GAN Baseline", NeurIPS 2024, and beside a critic of single frames as of Tulyakov et al., "MoCoGAN: Decomposing
    Motion and Content for Video Generation", CVPR 2018.
    """

    modality: ClassVar[Literal["image", "video"]] = "video"
    summary: ClassVar[str] = "Tell real clips from those of a generator that learns to deceive."
    learns_from: ClassVar[str] = "what makes clips real: things and how they move; wants a camera that stands still and many steps"
    preview: ClassVar[str] = (
        "Frames of real clips; below, the same with their frames shuffled; at the bottom, what a generator makes that has "
        "learnt nothing yet. The network has to tell which are real."
    )
    paper: ClassVar[str] = "https://arxiv.org/abs/1609.02612"
    loss_tells: ClassVar[bool] = False
    optimizer: ClassVar[Literal["sgd", "adamw"] | None] = "adamw"
    adamw: ClassVar[OptimizerDefaults] = OptimizerDefaults(5e-4, None, 0.0, 0.0, 0.99)
    sgd: ClassVar[OptimizerDefaults] = OptimizerDefaults(0.01, None, 0.0, 0.0)

    name: Literal["video_gan"] = "video_gan"
    """The task's name."""
    latent: int = Field(default=64, ge=8, le=1024)
    """Length of the generator's random input. 8 to 1024."""
    width: Auto | Annotated[int, Field(ge=_NARROWEST, le=512)] = "auto"
    """Channels of the generator's last stage; the stages before have up to 8 times as many. `auto`: 8 beside `tiny3d`, else 32."""
    gamma: Auto | Annotated[float, Field(ge=0, le=1000)] = "auto"
    """Weight of the gradient penalties R1 and R2. `auto`: 5 at 32 px, growing with the number of pixels."""
    sparsity: float = Field(default=0.0, ge=0, le=10)
    """Weight of the mean of the mask that puts the foreground before the background. Vondrick et al. have 0.1; where what moves is
    small that leaves no foreground at all, and clips that stand still. 0 to 10."""
    frame_critic: bool = True
    """Whether a small network of its own, which is not handed out, judges single frames beside the encoder, which judges clips."""
    shuffled: bool = True
    """Whether the encoder has to tell real clips from the same with their frames shuffled as well, so that it looks at the motion
    however soon the pictures alone give a made clip away."""
    augment: float = Field(default=0.3, ge=0, le=1)
    """Probability of each change (shift, colour, cut-out) to what the discriminator sees, real or not, the same for all frames of a
    clip. 0 to 1."""
    ema_images: int = Field(default=20_000, ge=1, le=10_000_000)
    """Half-life, in clips seen, of the mean of the generator's weights that makes the samples; shorter at the start."""
    flip: bool = True
    """Mirror half of the real clips left to right."""

    def auto_batch(self, image_size: int) -> int:
        return 32 if image_size <= SMALL_IMAGE else 16

    def resolved(self, about: Circumstances) -> Self:
        width = (8 if about.encoder.name in {"tiny", "tiny3d"} else 32) if self.width == "auto" else self.width
        gamma = round(5.0 * (about.image_size / 32) ** 2, 4) if self.gamma == "auto" else self.gamma
        return self.model_copy(update={"width": width, "gamma": gamma})

    def sketched(self) -> Self:
        return self.model_copy(update={"width": _NARROWEST})

    def concerns(self, about: Statistics) -> list[Concern]:
        return [*about.still("the generator has no motion to make"), *about.few(500, "the discriminator will learn them by heart")]
