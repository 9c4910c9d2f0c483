"""`pretext uploads`: large uploads that were begun and not finished."""

from itertools import islice
from typing import Annotated

import typer

from pretext_client import completing
from pretext_client.cli_parts import Limit, group, listing
from pretext_client.session import session
from pretext_client.shown import bytes_, moment

app = group("Uploads that were begun and not finished: list, delete.")


@listing(app)
def list_uploads(context: typer.Context, limit: Limit = 100) -> None:
    """List the uploads that no dataset was made of yet."""
    with session(context) as run:
        found = list(islice(run.client.uploads.list(), limit))
        rows = [(one.id, f"{bytes_(one.offset)} of {bytes_(one.bytes)}", moment(one.expires_at), one.filename) for one in found]
        run.output.table(("id", "there", "kept until", "file"), found, rows)


@app.command()
def delete(
    context: typer.Context, upload: Annotated[str, typer.Argument(help="Id of the upload.", autocompletion=completing.uploads)]
) -> None:
    """Throw an upload away."""
    with session(context) as run:
        found = next((one for one in run.client.uploads.list() if one.id == upload), None)
        run.client.uploads.delete(upload)
        if run.output.as_json:
            run.output.json(found.raw if found is not None else {"id": upload})
        else:
            run.output.say(f"{upload}  deleted")
