"""`update` and `rename` of all nouns, and the aliases of models."""

from collections.abc import Callable
from typing import Annotated, Any

import typer

from pretext_client.cli_notes import Metadata, notes
from pretext_client.cli_parts import ModelId
from pretext_client.client import Pretext
from pretext_client.session import session
from pretext_client.shown import moment

Id = Annotated[str, typer.Argument(help="Id, or the name of a dataset or the alias of a model.")]
AliasName = Annotated[str, typer.Argument(help="The name, such as production.")]
Without = Annotated[list[str] | None, typer.Option("--without", metavar="KEY", help="A note to delete; several times.")]
NewName = Annotated[str, typer.Argument(help="What it shall be called.")]


def add_to(
    *, datasets: typer.Typer, jobs: typer.Typer, models: typer.Typer, evaluations: typer.Typer, embeddings: typer.Typer
) -> None:
    """Add these commands to their groups."""
    for group, noun in ((datasets, "datasets"), (models, "models")):
        group.command("rename")(_rename(noun))
    for group, noun in (
        (datasets, "datasets"), (jobs, "jobs"), (models, "models"), (evaluations, "evaluations"), (embeddings, "embeddings"),
    ):  # fmt: skip
        group.command("update")(_update(noun))
    for command in (aliases, alias, unalias):
        models.command()(command)


def _id(client: Pretext, noun: str, given: str) -> str:
    return client.datasets.find(given).id if noun == "datasets" else given


def _rename(noun: str) -> Callable[..., None]:
    def rename(context: typer.Context, thing: Id, name: NewName) -> None:
        """Give it another name."""
        with session(context) as run:
            found = getattr(run.client, noun).update(_id(run.client, noun, thing), name=name)
            run.output.value(found, f"{found.id}  {found.name}")

    return rename


def _update(noun: str) -> Callable[..., None]:
    def update(context: typer.Context, thing: Id, metadata: Metadata = None, without: Without = None) -> None:
        """Change its notes. Those that are not named stay."""
        changes: dict[str, Any] = {**notes(metadata), **dict.fromkeys(without or ())}
        if not changes:
            raise typer.BadParameter("say what shall change: --metadata KEY=VALUE, or --without KEY")
        with session(context) as run:
            found = getattr(run.client, noun).update(_id(run.client, noun, thing), metadata=changes)
            told = "  ".join(f"{key}={value}" for key, value in found.metadata.items()) or "no notes"
            run.output.value(found, f"{found.id}  {told}")

    return update


def aliases(context: typer.Context) -> None:
    """List the names that stand for models."""
    with session(context) as run:
        found = list(run.client.aliases.list())
        rows = [(one.name, one.model_id, moment(one.updated_at)) for one in found]
        run.output.table(("name", "model", "since"), found, rows)


def alias(context: typer.Context, name: AliasName, model: ModelId) -> None:
    """Have a name stand for a model, wherever a model's id is taken; it may have stood for another."""
    with session(context) as run:
        found = run.client.aliases.put(name, model)
        run.output.value(found, f"{found.name}  {found.model_id}")


def unalias(context: typer.Context, name: AliasName) -> None:
    """Delete a name. The model stays."""
    with session(context) as run:
        found = run.client.aliases.get(name)
        run.client.aliases.delete(name)
        run.output.value(found, f"{found.name}  deleted; {found.model_id} stays")
