"""The table of pretext tasks."""

from docs.generators.schema import table
from ssl_core.spec import TASKS


def overview() -> str:
    """Every task in a row, with a link to its guide."""
    rows = [[f"[`{name}`]({name}.md)", task.modality, task.summary, task.learns_from] for name, task in TASKS.items()]
    return table(["task", "of", "what the network has to do", "what it learns by that"], rows)


def about(name: str) -> str:
    """What the code says of a task, in front of its guide."""
    task = TASKS[name]
    words = [" ".join(part.split()) for part in (task.__doc__ or "").split("\n\n")]
    chance = "" if task.chance_accuracy is None else f" Guessing is right in {task.chance_accuracy:.4g} of the cases."
    return "\n\n".join([*words, f"It learns {task.learns_from}.{chance} [The paper]({task.paper})."]) + "\n"
