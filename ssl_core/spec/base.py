"""The common ground of every spec."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Auto = Literal["auto"]


class Spec(BaseModel):
    """A frozen value that names every field it knows and refuses the rest."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class SpecError(ValueError):
    """A spec that is well formed, and impossible on this dataset."""

    def __init__(self, param: str, message: str) -> None:
        self.param = param
        super().__init__(message)
