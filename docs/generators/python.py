"""The reference of the Python client: a page for each resource of `Pretext`, filled in by mkdocstrings."""

import inspect
import json

import pretext_client
from pretext_client import Pretext

FOLDER = "reference/python"


def resources() -> dict[str, type]:
    """What `Pretext` has, by attribute: `datasets`, `jobs` and so on."""
    with Pretext("http://127.0.0.1:1", "no key is needed to look") as pretext:
        return {name: type(value) for name, value in vars(pretext).items() if not name.startswith("_")}


def pages() -> dict[str, str]:
    """Pages in Markdown by their path, the client itself first."""
    made = {f"{FOLDER}/index.md": _INDEX + _object("pretext_client.client.Pretext")}
    for name, class_ in resources().items():
        made[f"{FOLDER}/{name}.md"] = f"# `pretext.{name}`\n\n" + _object(
            f"{class_.__module__}.{class_.__qualname__}", show_root_heading=False, merge_init_into_class=False
        )
    made |= {
        f"{FOLDER}/{page}.md": f"# {title}\n\n{words}\n\n" + "".join(map(_object, names)) for page, title, words, names in _MORE
    }
    types = f"{pretext_client.__name__}.types"
    made[f"{FOLDER}/types.md"] = "# What is answered\n\n" + _object(types, show_root_heading=False)
    classes = [name for name in pretext_client.__all__ if inspect.isclass(getattr(pretext_client, name))]
    names = [name for name in classes if issubclass(getattr(pretext_client, name), Exception)]
    homes = [f"{inspect.getmodule(getattr(pretext_client, name)).__name__}.{name}" for name in names]  # type: ignore[union-attr]
    made[f"{FOLDER}/errors.md"] = "# Errors and retries\n\n" + "".join(map(_object, [*homes, "pretext_client.retry.Retry"]))
    return made


def _object(name: str, **options: bool) -> str:
    told = "".join(f"      {option}: {json.dumps(value)}\n" for option, value in options.items())
    return f"::: {name}\n" + (f"    options:\n{told}" if told else "") + "\n"


_MORE = (
    (
        "objects",
        "Things that can do something",
        "What `pretext.jobs` and the others give back can be asked itself: `job.wait()` is `pretext.jobs.wait(job.id)`.",
        [f"pretext_client.bound.{name}" for name in ("Dataset", "Job", "Model", "Evaluation", "Embedding")],
    ),
    (
        "async",
        "With `await`",
        "`AsyncPretext` has the same resources with the same methods, to be awaited: `job = await pretext.jobs.get(id)`.",
        ["pretext_client.aio.client.AsyncPretext"],
    ),
    (
        "functions",
        "Load an encoder, check a webhook",
        "`load` opens a downloaded folder as a network that is ready to use; `verify` checks who sent a webhook.",
        ["pretext_client.loading.load", "pretext_client.loading.module.Loaded", "pretext_client.signatures.verify"],
    ),
)
"""Pages beside those of the resources: file, title, words, and what is on it."""
_INDEX = """# Python client

`pip install ./client` is all that it needs: the client is a package of its own, without PyTorch. It finds a server on the same
machine by itself; for another, give `Pretext(url, api_key)`, or set `PRETEXT_URL` and `PRETEXT_API_KEY`.
[How to use it](../../client.md).

```python
from pretext_client import Pretext

with Pretext() as pretext:
    for model in pretext.models.list():
        print(model.id, model.name)
```

"""
