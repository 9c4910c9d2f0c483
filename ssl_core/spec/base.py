"""The common ground of every spec."""

from pydantic import BaseModel, ConfigDict


class Spec(BaseModel):
    """A frozen value that names every field it knows and refuses the rest."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
