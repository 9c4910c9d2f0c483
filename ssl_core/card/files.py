"""Names of the files of a bundle."""

from collections.abc import Mapping

WEIGHTS = "encoder.safetensors"
CONFIG = "config.json"
CARD = "README.md"
SUMS = "SHA256SUMS"
CURVES = "curves.png"


def sums(digests: Mapping[str, str]) -> str:
    """What `sha256sum --check` reads, of the SHA-256 of each file by its name."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()) if name != SUMS)
