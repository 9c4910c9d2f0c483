"""The kinds of job: for each, what its child process is given, and what is made of what it leaves."""

from worker.kinds.base import Kind, Workplace
from worker.kinds.embed import Embed
from worker.kinds.evaluate import Evaluate
from worker.kinds.export import Export
from worker.kinds.ingest import Ingest
from worker.kinds.pretrain import Pretrain

KINDS: dict[str, type[Kind]] = {
    "ingest": Ingest,
    "pretrain": Pretrain,
    "evaluate": Evaluate,
    "embed": Embed,
    "export": Export,
}

__all__ = ["KINDS", "Kind", "Workplace"]
