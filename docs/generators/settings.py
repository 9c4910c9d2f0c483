"""Tables of settings: of the server, of a training and of each pretext task, from the docstrings under their fields."""

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from docs.generators.schema import Schemas, table
from records.settings import Settings
from ssl_core.spec import TASKS
from ssl_core.spec.evaluate import PROTOCOLS, EvaluateSpec
from ssl_core.spec.pretrain import PretrainSpec


def server() -> str:
    """Every variable of the server."""
    schemas = Schemas({})
    about = Settings.model_json_schema()["properties"]
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default is PydanticUndefined or field.default in {None, ""} else f"`{field.default}`"
        rows.append([f"`PRETEXT_{name.upper()}`", schemas.type_of(about[name]), default, field.description or ""])
    return table(["variable", "type", "default", "what it is"], rows)


def task(name: str) -> str:
    """What can be set of a pretext task."""
    return _of(TASKS[name], skip=("name",))


def training() -> str:
    """What can be set of every training."""
    return _of(PretrainSpec, skip=("task",))


def evaluation() -> str:
    """What can be set of an evaluation, and of each of its protocols."""
    parts = [_of(EvaluateSpec)]
    for name, protocol in PROTOCOLS.items():
        told = _of(protocol, skip=("name",))
        parts.append(f"### `{name}`\n\n{_words(protocol)}\n\n{told}")
    return "\n".join(parts)


def _of(spec: type[BaseModel], skip: tuple[str, ...] = ()) -> str:
    schema = spec.model_json_schema()
    fields = [one for one in Schemas(schema.get("$defs", {})).fields(schema) if one.name.split(".")[0] not in skip]
    if not fields:
        return "It has no settings of its own.\n"
    rows = [[f"`{one.name}`", one.type, one.default or ("required" if one.required else "none"), one.text] for one in fields]
    return table(["setting", "type", "default", "what it is"], rows)


def _words(of: type[BaseModel]) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (of.__doc__ or "").split("\n\n"))
