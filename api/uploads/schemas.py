"""What uploads look like from outside."""

from typing import Literal, Self

from api.pages import Metadata, Moment, Resource
from records.models import Upload


class UploadOut(Resource):
    """A file that arrives over one or more requests."""

    object: Literal["upload"] = "upload"
    """Always `upload`."""
    id: str
    """Begins with `up_`."""
    filename: str
    """Name of the file."""
    bytes: int
    """Bytes of the whole file."""
    offset: int
    """Bytes that are here. The next request goes on behind them."""
    complete: bool
    """Whether all are here, so that a dataset can be made of it."""
    dataset_id: str | None
    """The dataset that was made of it."""
    created_at: Moment
    """When it was announced."""
    expires_at: Moment
    """When it is thrown away, unless more of it comes or a dataset is made of it."""
    metadata: Metadata

    @classmethod
    def of(cls, upload: Upload, offset: int) -> Self:
        """Show a record, and how much of it is here."""
        return cls(
            id=upload.id,
            filename=upload.filename,
            bytes=upload.bytes,
            offset=offset,
            complete=offset == upload.bytes,
            dataset_id=upload.dataset_id,
            created_at=upload.created_at,
            expires_at=upload.expires_at,
            metadata=upload.notes,
        )
