"""The `pretext` command: groups of commands about nouns, and short verbs for what is done most."""

from collections.abc import Callable
from importlib.metadata import version as version_of
from typing import Annotated, Literal

import typer

from pretext_client import (
    cli_access,
    cli_admin,
    cli_catalogue,
    cli_changes,
    cli_compare,
    cli_completion,
    cli_datasets,
    cli_embeddings,
    cli_estimate,
    cli_evaluations,
    cli_jobs,
    cli_keys,
    cli_labels,
    cli_models,
    cli_start,
    cli_uploads,
    cli_webhooks,
    completing,
)
from pretext_client.cli_parts import DO, NOUNS, RUN, SELF, STEER, USE, Root
from pretext_client.console import Output
from pretext_client.session import Options

app = typer.Typer(
    cls=Root,
    help="Upload unlabelled images or videos to a Pretext Server, pretrain an encoder on them, download it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_VERBS: tuple[tuple[str, tuple[Callable[..., None], ...]], ...] = (
    (
        DO,
        (
            cli_datasets.upload,
            cli_start.train,
            cli_estimate.estimate,
            cli_jobs.watch,
            cli_jobs.logs,
            cli_jobs.pictures,
            cli_models.download,
        ),
    ),
    (USE, (cli_start.evaluate, cli_compare.compare, cli_start.embed, cli_start.export)),
    (
        STEER,
        (
            cli_jobs.pause,
            cli_jobs.resume,
            cli_jobs.cancel,
            cli_jobs.retry,
            cli_jobs.checkpoints,
            cli_datasets.report,
            cli_labels.label,
            cli_labels.labels,
            cli_datasets.delete,
        ),
    ),
)
for section, verbs in _VERBS:
    for verb in verbs:
        app.command(rich_help_panel=section)(verb)

for section, nouns in (
    (
        NOUNS,
        {
            "datasets": cli_datasets.app,
            "uploads": cli_uploads.app,
            "jobs": cli_jobs.app,
            "models": cli_models.app,
            "evaluations": cli_evaluations.app,
            "embeddings": cli_embeddings.app,
            "tasks": cli_catalogue.tasks,
            "encoders": cli_catalogue.encoders,
        },
    ),
    (
        RUN,
        {
            "projects": cli_admin.projects,
            "members": cli_keys.members,
            "keys": cli_keys.keys,
            "webhooks": cli_webhooks.app,
            "workers": cli_admin.workers,
            "audit": cli_admin.audit,
        },
    ),
):
    for name, noun in nouns.items():
        app.add_typer(noun, name=name, rich_help_panel=section)

app.command(rich_help_panel=RUN)(cli_admin.usage)
app.command(rich_help_panel=SELF)(cli_access.login)
app.command(rich_help_panel=SELF)(cli_access.logout)
app.command(rich_help_panel=SELF)(cli_access.whoami)
app.command(rich_help_panel=SELF)(cli_completion.completion)

cli_jobs.app.command("create")(cli_start.train)
cli_jobs.app.command()(cli_estimate.estimate)
for verb in dict(_VERBS)[USE]:
    cli_models.app.command()(verb)

cli_changes.add_to(
    datasets=cli_datasets.app,
    jobs=cli_jobs.app,
    models=cli_models.app,
    evaluations=cli_evaluations.app,
    embeddings=cli_embeddings.app,
)


@app.callback()
def options(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(help="The server. Default: PRETEXT_URL, else the server on this machine.")] = None,
    api_key: Annotated[
        str | None, typer.Option(help="The key. Default: PRETEXT_API_KEY, else that of the server on this machine.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Write results as JSON, with all that the server answered; may stand anywhere.")
    ] = False,
    profile: Annotated[
        str | None,
        typer.Option(
            help="A server that `pretext login` has stored. Default: PRETEXT_PROFILE, else `default`.",
            autocompletion=completing.profiles,
        ),
    ] = None,
    color: Annotated[
        Literal["auto", "always", "never"], typer.Option(help="auto: on a terminal alone, unless NO_COLOR is set.")
    ] = "auto",
) -> None:
    """Options in front of every command."""
    context.obj = Options(url, api_key, json, profile, color)


@app.command(rich_help_panel=SELF)
def version(context: typer.Context) -> None:
    """Tell the version of this command."""
    number = version_of("pretext-client")
    output = Output(as_json=context.obj.json)
    if output.as_json:
        output.json({"version": number})
    else:
        typer.echo(f"pretext {number}")


def main() -> None:
    """Run the command, under its name even as `python -m pretext_client.cli`."""
    app(prog_name="pretext")


if __name__ == "__main__":
    main()
