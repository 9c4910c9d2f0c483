"""Every code of an error, as it stands in the code, with its status and with what to do."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import api
from api.errors import STATUS, phrase_of
from docs.generators.schema import table
from records.errors import RecordsError

ROOT = Path(__file__).parents[2]
_JOB_PACKAGES = ("ssl_core", "worker", "records")


@dataclass(frozen=True)
class Code:
    """What a program sees of an error."""

    code: str
    status: int
    words: str
    """What the server says where it has no more to say; empty if it always has."""


def of_requests() -> list[Code]:
    """Codes of problems that HTTP answers, from the classes of errors and from `api/errors.py`."""
    for module in pkgutil.walk_packages(api.__path__, "api."):
        importlib.import_module(module.name)
    found = {code.code: code for code in _of_classes(RecordsError)}
    tree = ast.parse((ROOT / "api" / "errors.py").read_text(encoding="utf-8"))
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node.func) == "problem"):
        match call.args:
            case [_, ast.Constant(value=int(status)), ast.Constant(value=str(code)), ast.Constant(value=str(words)), *_]:
                found.setdefault(code, Code(code, status, words))
            case [_, ast.Constant(value=int(status)), ast.Constant(value=str(code)), *_]:
                found.setdefault(code, Code(code, status, ""))
            case _:
                pass
    return sorted(found.values(), key=lambda one: (one.status, one.code))


def of_jobs() -> list[str]:
    """Codes that jobs fail with, from where they are raised."""
    found = set()
    for package in _JOB_PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            found |= set(_raised(ast.parse(path.read_text(encoding="utf-8"))))
    return sorted(found)


def requests_table() -> str:
    """The table of what HTTP answers."""
    rows = [
        [
            f"`{one.code}`",
            f"{one.status} {phrase_of(one.status)}",
            REMEDIES.get(one.code) or one.words or "Its `detail` says what to do.",
        ]
        for one in of_requests()
    ]
    return table(["`code`", "status", "what to do"], rows)


def jobs_table() -> str:
    """The table of what jobs fail with."""
    rows = [
        [f"`{code}`", JOB_REMEDIES.get(code, "The error's `message` says what is wrong and what to change.")] for code in of_jobs()
    ]
    return table(["`error.code`", "what to do"], rows)


def _of_classes(class_: type[RecordsError]) -> Iterator[Code]:
    for below in class_.__subclasses__():
        status = next((STATUS[one] for one in below.__mro__ if one in STATUS), None)
        if "code" in vars(below) and status is not None:
            yield Code(below.code, status, " ".join((below.__doc__ or "").split("\n\n")[0].split()))
        yield from _of_classes(below)


def _raised(tree: ast.AST) -> Iterator[str]:
    """Codes that are given to a `UserError`, or written beside a `message`, or stand in for one that an error does not have."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(args=[ast.Constant(value=str(code)), *_]) if _name(node.func) == "UserError":
                yield code
            case ast.Dict(
                keys=[ast.Constant(value="code"), ast.Constant(value="message"), *_], values=[ast.Constant(value=str(code)), *_]
            ):
                yield code
            case ast.Assign(targets=[ast.Name(id="code")], value=ast.IfExp(orelse=ast.Constant(value=str(code)))):
                yield code
            case _:
                pass


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


REMEDIES: dict[str, str] = {
    "bad_image": "`detail` names the image and says why it cannot be used. Send the others without it, or save it as JPEG or PNG.",
    "broken_off": "The connection ended before the body did. Send it again; if that happens often, upload resumably.",
    "checksum_mismatch": "The bytes changed on their way, and none of them was kept. Send that part again.",
    "conflict": "`detail` says which state stands in the way: a job that has ended cannot be paused, a dataset that is being ingested "
    "not be trained on. Wait for it, or take another.",
    "disk_full": "Make room on the disk of the blobs: delete datasets, models and embeddings. See `PRETEXT_MIN_FREE_BYTES`.",
    "forbidden": "The key's scope is too narrow, the call is for the server's administrators alone, or the `Host` or `Origin` of the "
    "request is not one of `PRETEXT_ALLOWED_HOSTS`. `detail` says which.",
    "gone": "An upload's time is over (`PRETEXT_UPLOAD_HOURS`), or what you ask for was deleted. Begin anew.",
    "idempotency_key_reused": "The same `Idempotency-Key` came with another request before. Take a new key for each thing that you make.",
    "internal_error": "A defect of the server. Its log has more under the answer's `request_id`; please report both.",
    "invalid_header": "`detail` names the header and says what it has to look like.",
    "invalid_labels": "`detail` names the line. The table is CSV in UTF-8 with the columns `file` and `label`; a dry run changes nothing.",
    "invalid_request": "`param` names the field and `detail` says what it may be; `errors` has all of them if there are several.",
    "locked": "Another request sends to the same upload. Try again in a second; the client does so by itself.",
    "not_embedded": "`detail` says why: no such stage, or an encoder of videos, which embeds datasets by a job.",
    "not_found": "There is no such thing, or it is another project's. Look at the id, and whose key you use (`pretext projects`).",
    "not_safetensors": "Convert a `.pt` file where you trust it: `safetensors.torch.save_file(torch.load(\"encoder.pt\", "
    "weights_only=True), \"encoder.safetensors\")`.",
    "quota_exceeded": "Delete what is no longer needed, wait until GPU time is 30 days old, or have the quota raised by an "
    "administrator of the server.",
    "rate_limited": "Wait as long as `Retry-After` says. Follow a job by its events instead of asking for it again and again.",
    "too_large": "Split the upload, or have `PRETEXT_MAX_UPLOAD_BYTES` raised. Bodies of JSON are held to 1 MiB.",
    "too_many_uploads": "Finish or delete unfinished uploads (`GET /v1/uploads`), or have `PRETEXT_MAX_UNFINISHED_UPLOADS` raised.",
    "unauthorized": "Send `Authorization: Bearer KEY` with a key that is neither revoked nor expired. A local server's is in `api-key` "
    "of its data folder.",
    "unavailable": "The database, the broker or a worker does not answer. `GET /readyz` and `pretext workers` tell which; clients try "
    "again as `Retry-After` says.",
    "unsupported_media_type": "Parts of an upload are sent as `application/offset+octet-stream`.",
    "upload_incomplete": "Send the rest of the upload first; `GET /v1/uploads` tells how far it is.",
    "upload_used": "A dataset was made of this upload before; `detail` names it.",
    "version_not_supported": "Send `Tus-Resumable: 1.0.0`; clients of other versions of tus cannot be used.",
    "wrong_offset": "Ask by HEAD where the upload ends, and go on from there.",
}
"""What to do about each code of a problem, where the words of its class do not say it all."""

JOB_REMEDIES: dict[str, str] = {
    "archive_bomb": "The archive unpacks to far more than it is. Pack the images anew.",
    "archive_too_large": "Split the archive; `message` names the bound.",
    "cache_full": "Make room on the worker's disk, lower `image_size`, or give it a larger one by `PRETEXT_CACHE_DIR`.",
    "cancelled": "The ingest was cancelled. Delete the dataset and upload it again.",
    "cannot_write": "The worker's disk is full, or may not be written to.",
    "collapsed": "All images had nearly the same features. Lower `optimizer.learning_rate`, lengthen `optimizer.warmup`, or take a "
    "larger batch.",
    "crashed": "The job's process ended by itself; `message` has its last words. If it repeats, report it.",
    "damaged_checkpoint": "The file given to `--resume` cannot be read. Leave it out.",
    "damaged_dataset": "The stored files cannot be read as they were written: look at the disk, restore a backup, or upload again.",
    "decoder_crashed": "An image or video ended the process that decodes. `message` tells which; take it out.",
    "disk_full": "Make room on the worker's disk; `message` says where and how much.",
    "diverged": "The loss was no longer a number. Lower `optimizer.learning_rate`, or set `precision` to `fp32`.",
    "embedder_crashed": "These images ended the process that embeds, twice. Send them one by one to find which.",
    "empty_archive": "The archive has no files.",
    "invalid_spec": "`message` names the field. What could be known when the job was made is refused then; the rest depends on the data.",
    "killed": "Most likely memory ran out: take a smaller `batch_size`, `image_size` or encoder.",
    "no_data": "None of the files could be used; `pretext report` says why.",
    "no_evaluation": "`stage=best` needs an evaluation of the model: evaluate it first, or name the stage.",
    "no_gpu": "`device` is `cuda`, and the worker has no GPU. Look at `nvidia-smi` there, or leave it at `auto`.",
    "no_labels": "An evaluation needs labels: upload folders for the classes, or give a table (`pretext label`).",
    "no_such_stage": "`message` lists the encoder's stages.",
    "not_an_archive": "The file is damaged or none of the formats that are read. Upload it again, whole.",
    "other_checkpoint": "The folder holds another training's checkpoints. Take an empty one.",
    "out_of_memory": "The GPU's memory ran out: take a smaller `batch_size` or `image_size`, or `precision=bf16`.",
    "storage_failed": "The result could not be stored; `message` says why. Look at the disk of the blobs.",
    "too_few_labels": "Each class needs some labelled images to train and some to test with; `message` says how many.",
    "too_short": "No video is long enough for a clip: lower `clip_frames` or `frame_stride`.",
    "unsuitable_data": "The data cannot teach this task; `message` says why and names another.",
    "weights_do_not_fit": "The file is of another encoder, or of another stem. `message` names keys that differ.",
    "weights_not_finite": "The weights hold values that are no numbers; their training had diverged.",
    "weights_unreadable": "The file is damaged, or no safetensors.",
    "worker_lost": "The worker vanished several times in a row without a new checkpoint. Most likely memory ran out on its machine.",
}
"""What to do about each code that a job fails with."""
