"""The `pretext` command: groups of commands about nouns, and short verbs for what is done most."""

from importlib.metadata import version as version_of
from typing import Annotated, Literal

import typer

from pretext_client import (
    cli_access,
    cli_admin,
    cli_catalogue,
    cli_compare,
    cli_completion,
    cli_datasets,
    cli_embeddings,
    cli_estimate,
    cli_evaluations,
    cli_jobs,
    cli_labels,
    cli_models,
    cli_start,
    cli_webhooks,
)
from pretext_client.cli_parts import Root
from pretext_client.console import Output
from pretext_client.session import Options

_EXITS = """Exit status: 0 done; 1 refused, failed, or a job that was watched has not succeeded; 2 wrong usage; 3 the server cannot
be reached; 4 the key is missing, not valid, or may not do this; 130 Ctrl-C, which leaves jobs running."""

app = typer.Typer(
    cls=Root,
    help="Upload unlabelled images or videos to a Pretext Server, pretrain an encoder on them, download it.",
    epilog=_EXITS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for verb in (
    cli_datasets.upload,
    cli_start.train,
    cli_estimate.estimate,
    cli_jobs.watch,
    cli_jobs.logs,
    cli_jobs.pictures,
    cli_models.download,
    cli_start.evaluate,
    cli_start.embed,
    cli_start.export,
    cli_compare.compare,
    cli_jobs.pause,
    cli_jobs.resume,
    cli_jobs.cancel,
    cli_jobs.retry,
    cli_datasets.report,
    cli_datasets.delete,
    cli_labels.label,
    cli_labels.labels,
    cli_admin.usage,
    cli_access.login,
    cli_access.logout,
    cli_access.whoami,
    cli_completion.completion,
):
    app.command()(verb)

cli_jobs.app.command("create")(cli_start.train)
cli_jobs.app.command()(cli_estimate.estimate)
for verb in (cli_start.evaluate, cli_start.embed, cli_start.export, cli_compare.compare):
    cli_models.app.command()(verb)

for name, group in (
    ("datasets", cli_datasets.app),
    ("jobs", cli_jobs.app),
    ("models", cli_models.app),
    ("evaluations", cli_evaluations.app),
    ("embeddings", cli_embeddings.app),
    ("tasks", cli_catalogue.tasks),
    ("encoders", cli_catalogue.encoders),
    ("webhooks", cli_webhooks.app),
    ("keys", cli_admin.keys),
    ("members", cli_admin.members),
    ("projects", cli_admin.projects),
    ("workers", cli_admin.workers),
    ("audit", cli_admin.audit),
):
    app.add_typer(group, name=name)


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
        str | None, typer.Option(help="A server that `pretext login` has stored. Default: PRETEXT_PROFILE, else `default`.")
    ] = None,
    color: Annotated[
        Literal["auto", "always", "never"], typer.Option(help="auto: on a terminal alone, unless NO_COLOR is set.")
    ] = "auto",
) -> None:
    """Options in front of every command."""
    context.obj = Options(url, api_key, json, profile, color)


@app.command()
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
