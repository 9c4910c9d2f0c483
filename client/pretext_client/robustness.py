"""How accuracy holds out against attacks and corruptions, as lines of text."""

from collections.abc import Iterator
from typing import Any

_HEADS = {"linear": "linear head", "fine_tune": "fine-tuned"}


def robustness(found: dict[str, Any]) -> list[str]:
    """A table for each head, the pretrained encoder beside the other network, and every doubt about the attacks."""
    lines: list[str] = []
    for head, networks in found["heads"].items():
        lines += ["", *_table(head, networks)]
        lines += [f"{who}: {check['says']}" for who, one in networks.items() for check in one["checks"] if not check["holds"]]
    return lines


def _table(head: str, networks: dict[str, Any]) -> Iterator[str]:
    yield f"{f'under attack, {_HEADS.get(head, head)}':<34}" + "".join(f"{who:>12}" for who in networks)
    attacks = [one["attacks"] for one in networks.values()]
    for at in zip(*attacks, strict=True):
        if not at[0]["epsilon"]:
            yield _row("clean", [one["pgd"] for one in at])
            continue
        levels = f"{255 * at[0]['epsilon']:.3g}/255"
        for attack, called in (("noise", "random noise"), ("fgsm", "FGSM"), ("pgd", "PGD")):
            yield _row(f"{called}, {levels}", [one[attack] for one in at])
    controls = [one["control"] for one in networks.values()]
    yield _row(f"search, {255 * controls[0]['epsilon']:.3g}/255", [one["accuracy"] for one in controls])
    pixels = [one["one_pixel"] for one in networks.values()]
    if all(pixels):
        yield _row("fooled by one pixel", [one["share"] for one in pixels])
    corrupted = [one["corruptions"] for one in networks.values()]
    if all(corrupted):
        yield _row("corrupted", [one["corrupted_accuracy"] for one in networks.values()])
        for kind in corrupted[0]:
            yield _row(f"  {kind.replace('_', ' ')}", [one[kind]["accuracy"] for one in corrupted])


def _row(called: str, shares: list[float | None]) -> str:
    return f"{called:<34}" + "".join(f"{'-' if share is None else f'{share:.1%}':>12}" for share in shares)
