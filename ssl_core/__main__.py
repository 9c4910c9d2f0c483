"""`python -m ssl_core`: ingest, pretrain, evaluate, embed or export, alone at a shell or supervised by a worker.

Torch is imported only by the commands that need it, and after their data is decoded; or before there is anything to do, by `wait`.
"""

import argparse
import json
import sys
from itertools import zip_longest
from pathlib import Path

from ssl_core.errors import InterruptedRun, UserError
from ssl_core.events import Events, PipeEvents, TextEvents
from ssl_core.process import EXIT_INTERRUPTED, EXIT_OK, EXIT_USER_ERROR, StopRequest, die_with


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m ssl_core", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    ingest = commands.add_parser("ingest", help="check an archive of images or videos and write it as Parquet shards")
    ingest.add_argument("source", type=Path, help="zip, tar, tar.gz, tar.zst, a folder, or a single image or video")
    ingest.add_argument("--filename", help="the name the source was uploaded under, if it is stored under another")
    ingest.add_argument("--kind", choices=["auto", "image", "video"], default="auto", help="what is in it (default: guessed)")
    ingest.add_argument("--limits", type=json.loads, default={}, help="JSON object that overrides single limits")
    ingest.add_argument("--base", type=Path, help="folder with the shards of a dataset that has the files left out")

    pretrain = commands.add_parser("pretrain", help="train an encoder")
    pretrain.add_argument("spec", type=Path, help="JSON file with the spec; what it leaves open is resolved for the data")
    pretrain.add_argument("--data", type=Path, required=True, help="folder with Parquet shards, or with images in any layout")
    pretrain.add_argument("--weights", type=Path, help="safetensors file that the encoder begins with (default: random weights)")
    pretrain.add_argument("--resume", type=Path, help="checkpoint to go on from (default: the one in OUT, if any)")
    pretrain.add_argument("--checkpoint-seconds", type=float, default=30, help="seconds between checkpoints")

    evaluate = commands.add_parser("evaluate", help="find out how much an encoder knows of labels")
    evaluate.add_argument("spec", type=Path, help="JSON file with the spec; {} for everything by default")
    evaluate.add_argument("--model", type=Path, required=True, help="folder with encoder.safetensors and config.json")
    evaluate.add_argument(
        "--reference", type=Path, action="append", default=[], help="folder of another model to compare with; several times"
    )
    evaluate.add_argument(
        "--reference-name", action="append", default=[], help="what it is called, once for each in order (default: as its folder)"
    )
    evaluate.add_argument(
        "--data", type=Path, required=True, help="folder with labelled Parquet shards, or a folder for each class"
    )
    evaluate.add_argument("--checkpoint-seconds", type=float, default=30, help="seconds between checkpoints")

    embed = commands.add_parser("embed", help="embed every image or video of a dataset into Parquet files")
    embed.add_argument("spec", type=Path, help="JSON file with the spec; {} for everything by default")
    embed.add_argument("--model", type=Path, required=True, help="folder with encoder.safetensors and config.json")
    embed.add_argument("--model-id", help="what the model is called in the files")
    embed.add_argument("--data", type=Path, required=True, help="folder with Parquet shards, or with images in any layout")
    embed.add_argument("--checkpoint-seconds", type=float, default=30, help="seconds between checkpoints")

    export = commands.add_parser("export", help="make another bundle of an encoder: with another end, or in other formats")
    export.add_argument("spec", type=Path, help="JSON file with the spec; {} for all formats of the encoder as it is")
    export.add_argument("--model", type=Path, required=True, help="folder with encoder.safetensors and config.json")
    export.add_argument("--report", type=Path, help="report.json of an evaluation, which knows the stage that is `best`")

    wait = commands.add_parser("wait", help="load what a training needs, and do what standard input then says (for a worker)")

    answer = commands.add_parser("answer", help="embed the images that standard input brings, at once (for a worker)")
    answer.add_argument("--device", choices=["auto", "cpu", "cuda"], default="cpu", help="where to compute")
    answer.add_argument("--threads", type=int, default=1, help="most threads of a computation")
    answer.add_argument("--model-bytes", type=int, default=1 << 30, help="bound of the models in memory, in bytes")
    answer.add_argument("--supervisor", type=int, help="process id without which this process has nothing to live for")

    for command in (pretrain, evaluate, embed):
        command.add_argument("--cache", type=Path, help="folder for decoded images (default: OUT/cache)")
        command.add_argument("--cache-bytes", type=int, default=50 * 2**30, help="bound of that folder, in bytes")
        command.add_argument("--dataset-key", help="name of the dataset version in the cache (default: made from its files)")
    for command in (ingest, pretrain, evaluate, embed, export):
        command.add_argument("--out", type=Path, required=True, help="folder for what the command makes")
    for command in (ingest, pretrain, evaluate, embed, export, wait):
        command.add_argument("--events-fd", type=int, help="file descriptor that events are written to as JSON lines")
        command.add_argument("--supervisor", type=int, help="process id without which this process has nothing to live for")
    return parser


def run(arguments: argparse.Namespace, events: Events, stop: StopRequest) -> None:
    """Run one command to its end."""
    if arguments.command == "ingest":
        from ssl_core.ingest import run_ingest

        run_ingest(
            arguments.source,
            arguments.out,
            events,
            stop,
            filename=arguments.filename,
            kind=arguments.kind,
            limits=arguments.limits,
            base=arguments.base,
        )
    elif arguments.command == "evaluate":
        from ssl_core.evaluation import run_evaluate

        run_evaluate(
            arguments.spec,
            model=arguments.model,
            data=arguments.data,
            out=arguments.out,
            cache=arguments.cache or arguments.out / "cache",
            cache_bytes=arguments.cache_bytes,
            dataset_key=arguments.dataset_key,
            checkpoint_seconds=arguments.checkpoint_seconds,
            events=events,
            stop=stop,
            references=[
                (name or folder.name, folder)
                for folder, name in zip_longest(arguments.reference, arguments.reference_name[: len(arguments.reference)])
            ],
        )
    elif arguments.command == "embed":
        from ssl_core.embedding import run_embed

        run_embed(
            arguments.spec,
            model=arguments.model,
            model_id=arguments.model_id,
            data=arguments.data,
            out=arguments.out,
            cache=arguments.cache or arguments.out / "cache",
            cache_bytes=arguments.cache_bytes,
            dataset_key=arguments.dataset_key,
            checkpoint_seconds=arguments.checkpoint_seconds,
            events=events,
            stop=stop,
        )
    elif arguments.command == "export":
        from ssl_core.exporting import run_export

        run_export(arguments.spec, model=arguments.model, out=arguments.out, report=arguments.report, events=events)
    else:
        from ssl_core.pretrain import run_pretrain

        run_pretrain(
            arguments.spec,
            data=arguments.data,
            out=arguments.out,
            cache=arguments.cache or arguments.out / "cache",
            cache_bytes=arguments.cache_bytes,
            dataset_key=arguments.dataset_key,
            weights=arguments.weights,
            resume=arguments.resume,
            checkpoint_seconds=arguments.checkpoint_seconds,
            events=events,
            stop=stop,
        )


def main() -> int:
    """Run the command line; the exit status tells a supervisor how it ended."""
    arguments = parser().parse_args()
    if arguments.supervisor is not None:
        die_with(arguments.supervisor)
    if arguments.command == "answer":
        from ssl_core.answering import run_answers

        run_answers(arguments.device, arguments.threads, arguments.model_bytes)
        return EXIT_OK
    events: Events = TextEvents() if arguments.events_fd is None else PipeEvents(arguments.events_fd)
    stop = StopRequest()
    stop.install()
    if arguments.command == "wait":
        from ssl_core.warm import wait_for_work

        command = wait_for_work()
        if command is None:
            return EXIT_OK
        arguments = parser().parse_args(command)
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        run(arguments, events, stop)
    except UserError as error:
        events.emit("error", code=error.code, message=str(error))
        return EXIT_USER_ERROR
    except InterruptedRun:
        return EXIT_INTERRUPTED
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
