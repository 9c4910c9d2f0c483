"""A request as lines of curl and of Python, to copy."""

import json
import shlex
from collections.abc import Mapping
from typing import Any


def as_curl(request: Mapping[str, Any]) -> str:
    """For a terminal, with the key in `$KEY` and the API's address in `$API`."""
    body = shlex.quote(json.dumps({"kind": "pretrain", **request}, indent=2))
    return f'curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" $API/v1/jobs \\\n     -d {body}'


def as_python(request: Mapping[str, Any]) -> str:
    """For a program or a notebook."""
    rest = {name: value for name, value in request.items() if name != "dataset_id"}
    arguments = "".join(f"    {name}={value!r},\n" for name, value in rest.items())
    return (
        "from pretext_client import Pretext\n\n"
        f"pretext = Pretext()\njob = pretext.jobs.create(\n    {request.get('dataset_id', 'ds_…')!r},\n{arguments})\n"
    )
