"""The card of a model, written anew when there is something more to say of it."""

import json
from hashlib import sha256

from sqlalchemy.orm import Session

from records.blobs import Blobs
from records.database import after_commit
from records.models import Evaluation, Model, ModelFile
from records.queries import datasets, evaluations, models
from ssl_core.card import Evaluated, model_card
from ssl_core.card.files import CARD, SUMS, sums


def rewrite(session: Session, blobs: Blobs, model_id: str, edition: str) -> None:
    """Put what evaluations have found onto a model's card: of each dataset the newest.

    The card becomes another blob, and the one before it goes when the transaction is safe: a model is never without.

    Args:
        session: a transaction that writes; the new evaluation is in it.
        blobs: where the files lie.
        model_id: of the model.
        edition: tells this card's key from all others'; `discard` takes the same.
    """
    model = models.locked(session, model_id)
    config = json.loads(blobs.path(models.file(session, model_id, models.CONFIG).key).read_text(encoding="utf-8"))
    found = [_shown(session, one) for one in evaluations.newest_by_dataset(session, model_id)]
    card = _stored(blobs, model_id, edition, CARD, model_card(config, found, model_id))
    digests = {file.name: file.sha256 for file in model.files}
    new = [card]
    if SUMS in digests:
        new.append(_stored(blobs, model_id, edition, SUMS, sums({**digests, CARD: card.sha256})))
    for file in new:
        _replace(session, blobs, model, file)


def discard(blobs: Blobs, model_id: str, edition: str) -> None:
    """Delete a card that nothing refers to, because it was not published."""
    blobs.delete(_folder(model_id, edition))


def _folder(model_id: str, edition: str) -> str:
    return f"models/{model_id}/{edition}"


def _shown(session: Session, found: Evaluation) -> Evaluated:
    dataset_id = found.dataset_id or "unknown"
    name = datasets.name_of(session, dataset_id) or dataset_id
    return Evaluated(found.id, dataset_id, name, found.created_at, found.report)


def _stored(blobs: Blobs, model_id: str, edition: str, name: str, text: str) -> ModelFile:
    key, content = f"{_folder(model_id, edition)}/{name}", text.encode()
    with blobs.writer(key) as writer:
        writer.write(content)
    return ModelFile(model_id=model_id, name=name, key=key, bytes=len(content), sha256=sha256(content).hexdigest())


def _replace(session: Session, blobs: Blobs, model: Model, new: ModelFile) -> None:
    old = next((file for file in model.files if file.name == new.name), None)
    if old is None:
        model.files.append(new)
        return
    before = old.key
    old.key, old.bytes, old.sha256 = new.key, new.bytes, new.sha256
    after_commit(session, lambda: blobs.delete(before))
