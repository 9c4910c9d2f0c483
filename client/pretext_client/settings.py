"""`--set optimizer.learning_rate=0.05`: settings of a job from the command line."""

import json
from collections.abc import Iterable
from typing import Any

_NO_SETTINGS = {"kind", "dataset_id", "idempotency_key"}
"""What the command itself decides."""


class SettingError(ValueError):
    """A `--set` that cannot be understood."""


def parse(texts: Iterable[str]) -> dict[str, Any]:
    """Put settings together to one nested object. A value is JSON if it can be read as that, else a text.

    Raises:
        SettingError: one has no `=` or no name, or two contradict each other.
    """
    settings: dict[str, Any] = {}
    for text in texts:
        dotted, equals, value = text.partition("=")
        path = dotted.strip().split(".")
        if not equals or not all(path):
            raise SettingError(f"{text!r} is no setting; write key=value, such as steps=300 or optimizer.learning_rate=0.05")
        if path[0] in _NO_SETTINGS:
            raise SettingError(f"{path[0]!r} is no setting of a job")
        _put(settings, path, _value(value), text)
    return settings


def _put(settings: dict[str, Any], path: list[str], value: Any, text: str) -> None:
    *outer, name = path
    inner = settings
    for key in outer:
        inner = inner.setdefault(key, {})
        if not isinstance(inner, dict):
            raise SettingError(f"{text!r} contradicts an earlier setting, which gives {key!r} a value of its own")
    if name in inner:
        raise SettingError(f"{text!r} sets {'.'.join(path)!r} a second time")
    inner[name] = value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def named(settings: dict[str, Any], key: str, name: str | None) -> dict[str, Any]:
    """Take an object that has a `name`, such as the task, out of the settings and give it its name.

    Raises:
        SettingError: it has a name of its own, or is something else.
    """
    inner = settings.pop(key, {})
    if isinstance(inner, str):
        inner = {"name": inner}
    if not isinstance(inner, dict):
        raise SettingError(f"{key} takes settings by name, such as --set {key}.name=…")
    if name is not None and inner.setdefault("name", name) != name:
        raise SettingError(f"--{key} {name} and --set {key}.name={inner['name']} contradict each other; give one")
    return inner


PROTOCOLS = ("knn", "linear", "retrieval", "label_efficiency", "fine_tune", "robustness")
_BY_DEFAULT = PROTOCOLS[:4]


def protocols(settings: dict[str, Any], names: list[str] | None) -> list[dict[str, Any]] | None:
    """Take the protocols of an evaluation out of the settings, where each has its own under its name. None: as by default.

    Raises:
        SettingError: there are settings of a protocol that is not asked for.
    """
    given = {name: settings.pop(name) for name in PROTOCOLS if name in settings}
    if not names and not given:
        return None
    wanted = list(dict.fromkeys(names or _BY_DEFAULT))
    for name, inner in given.items():
        if name not in wanted:
            raise SettingError(f"--set {name}.… is of a protocol that is not asked for; add --protocol {name}")
        if not isinstance(inner, dict):
            raise SettingError(f"{name} takes settings by name, such as --set {name}.k=10")
    return [{**given.get(name, {}), "name": name} for name in wanted]


def single(settings: dict[str, Any], key: str, value: str | list[str] | None) -> Any:
    """Take a value out of the settings that has an option of its own, such as --init-from.

    Raises:
        SettingError: both say something else.
    """
    found = settings.pop(key, value)
    if value is not None and found != value:
        raise SettingError(f"--{key.replace('_', '-')} {value} and --set {key}={found} contradict each other; give one")
    return found
