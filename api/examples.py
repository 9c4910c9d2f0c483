"""An example of each call for the shell, with `$API` and `$KEY` as in the README, and ids from variables such as `$DATASET_ID`."""

import json
import re
import shlex
from typing import Any

_Json = dict[str, Any]
_PARTS = {
    "create_dataset": ["-F file=@pictures.zip"],
    "create_model": ["-F encoder=tiny -F image_size=32 -F file=@encoder.safetensors"],
    "embed_images": ["-F file=@cat.jpg -F file=@dog.jpg"],
    "put_labels": ["-F file=@labels.csv"],
    "create_upload": [
        "-H 'Tus-Resumable: 1.0.0' -H 'Upload-Length: 12'",
        "-H 'Upload-Metadata: filename cGljdHVyZXMuemlw' -D -",
    ],
    "append": [
        "-H 'Tus-Resumable: 1.0.0' -H 'Upload-Offset: 0'",
        "-H 'Content-Type: application/offset+octet-stream' --data-binary @part",
    ],
    "delete_upload": ["-H 'Tus-Resumable: 1.0.0'"],
    "describe": ["-D -"],
    "list_events": ["-N -H 'Accept: text/event-stream'"],
}
"""What a call's example has beside its address, where the document does not say it."""
_BODIES: dict[str, _Json] = {
    "create_job": {
        "kind": "pretrain",
        "dataset_id": "$DATASET_ID",
        "task": {"name": "rotation"},
        "encoder": {"name": "resnet18"},
        "epochs": 100,
    },
    "estimate_job": {"kind": "pretrain", "dataset_id": "$DATASET_ID", "task": {"name": "jigsaw"}, "encoder": {"name": "resnet18"}},
    "retry_job": {"from_start": True},
    "create_project": {"name": "vision-lab", "most_running": 2},
    "update_project": {"most_running": 4},
    "update_dataset": {"name": "birds of Oslo", "metadata": {"place": "Oslo"}},
    "update_job": {"metadata": {"team": "birds"}},
    "update_model": {"name": "birds, 100 epochs"},
    "put_alias": {"model_id": "$MODEL_ID"},
    "update_evaluation": {"metadata": {"team": "birds"}},
    "update_embedding": {"metadata": {"team": "birds"}},
    "update_member": {"role": "admin"},
    "update_key": {"name": "desk"},
    "create_member": {"name": "Ada", "role": "write"},
    "create_key": {"name": "laptop", "scope": "write"},
    "create_webhook": {"url": "https://example.com/pretext", "events": ["job.*", "model.created"]},
    "update_webhook": {"events": ["job.failed"]},
    "rotate_webhook_secret": {"keep_hours": 24},
}
_NAMES = {"models": "config.json", "evaluations": "report.json", "embeddings": "embeddings-00000.parquet"}
_QUERIES = {"put_labels": "?mode=merge"}
_FILES = {"image/png", "image/webp", "application/octet-stream"}
_VARIABLE = re.compile(r"\$[A-Z_]+")


def example(path: str, method: str, call: _Json) -> str:
    """A command that makes a call of the OpenAPI document.

    Raises:
        KeyError: it takes a JSON body, and no example of one is known here.
    """
    name, parts = call["operationId"], list(_PARTS.get(call["operationId"], []))
    sends = bool(parts) and any("-F" in part or "--data" in part for part in parts)
    if not parts and "application/json" in call.get("requestBody", {}).get("content", {}):
        parts += ['-H "Content-Type: application/json"', f"-d {_quoted(_BODIES[name])}"]
        sends = True
    words = ["curl" if method == "get" or (method == "post" and sends) else f"curl -X {method.upper()}"]
    if call.get("security"):
        words.append('-H "Authorization: Bearer $KEY"')
    if _FILES & set(call["responses"].get("200", {}).get("content", {})):
        parts.append("-O")
    words.append(f'"{_address(path, call)}{_QUERIES.get(name, "")}"')
    return " \\\n  ".join([" ".join(words), *parts])


def _quoted(body: _Json) -> str:
    """For the shell, which puts the variables in."""
    return _VARIABLE.sub(lambda found: f"'{found[0]}'", shlex.quote(json.dumps(body, ensure_ascii=False)))


def _address(path: str, call: _Json) -> str:
    """With ids from variables, and other parameters as they may look."""
    for parameter in call.get("parameters", []):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", _value(path, parameter))
    return path.replace("/v1/", "$API/", 1) if path.startswith("/v1/") else f"${{API%/v1}}{path}"


def _value(path: str, parameter: _Json) -> str:
    if parameter["name"] == "name":
        return _NAMES[path.split("/")[2]]
    if "enum" in parameter["schema"]:
        return str(parameter["schema"]["enum"][0])
    return f"${parameter['name'].upper()}" if parameter["schema"].get("type") == "string" else "0"
