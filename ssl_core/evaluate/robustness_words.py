"""Whether attacks were as strong as they should be, and what came of them, in words."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

Found = dict[str, Any]
ByEpsilon = dict[float, Found]
"""Which images each attack fools, by epsilon."""

LARGE = 0.5
"""An epsilon at which any image can be made plain grey, so that every attack worth its name succeeds."""
_NEAR_ZERO = 0.05
_BLIND = 0.01
_Z95 = 1.645
_CALLED = {"pretrained": "your encoder", "untrained": "the untrained network", "scratch": "training from scratch"}


def checks(found: Found) -> list[Found]:
    """What has to be true of attacks that are worth something, of one network: `name`, `holds` and, in words, `says`.

    Args:
        found: what `Robust` found of it, with the fooled images one by one.
    """
    fooled = found["fooled"]
    by_epsilon = fooled["epsilons"]
    return [
        _noise(by_epsilon),
        _one_step(by_epsilon),
        _falls(by_epsilon),
        _steps(fooled["by_step"]),
        _large(found["large"], len(fooled["right"])),
        _gradients(found["without_gradient"]),
        _control(found["control"]["epsilon"], fooled),
        _transfer(found, by_epsilon[found["control"]["epsilon"]]["pgd"]),
    ]


def certainly_more(ours: Sequence[int], theirs: Sequence[int]) -> bool:
    """Whether one attack fools more images than another on the same ones, beyond chance: a sign test at 5%, one-sided."""
    only_ours, only_theirs = len(set(ours) - set(theirs)), len(set(theirs) - set(ours))
    return only_ours - only_theirs > _Z95 * math.sqrt(only_ours + only_theirs)


def called(epsilon: float) -> str:
    """An epsilon as papers write it, such as 8/255."""
    return f"{255 * epsilon:.3g}/255"


def _check(name: str, says: str, *, holds: bool = True) -> Found:
    return {"name": name, "holds": holds, "says": says}


def _noise(by_epsilon: ByEpsilon) -> Found:
    worse = [epsilon for epsilon, one in by_epsilon.items() if certainly_more(one["noise"], one["pgd"])]
    if worse:
        return _check(
            "noise_hurts_less", f"At {called(worse[0])} random noise fools more images than PGD, which fails there.", holds=False
        )
    return _check("noise_hurts_less", "Random noise as large as the attacks fools no more images than PGD does.")


def _one_step(by_epsilon: ByEpsilon) -> Found:
    worse = [epsilon for epsilon, one in by_epsilon.items() if certainly_more(one["fgsm"], one["pgd"])]
    if worse:
        return _check(
            "pgd_beats_fgsm", f"At {called(worse[0])} one step fools more images than PGD: gradients mislead it.", holds=False
        )
    return _check("pgd_beats_fgsm", "PGD fools at least as many images as a single step, FGSM.")


def _falls(by_epsilon: ByEpsilon) -> Found:
    epsilons = list(by_epsilon)
    rising = [wider for narrow, wider in pairwise(epsilons) if certainly_more(by_epsilon[narrow]["pgd"], by_epsilon[wider]["pgd"])]
    if rising:
        return _check(
            "falls_with_epsilon", f"PGD fools fewer images at {called(rising[0])} than with less room: it gets stuck.", holds=False
        )
    return _check("falls_with_epsilon", "The more room an attack has, the more images PGD fools.")


def _steps(by_step: Sequence[int]) -> Found:
    late = by_step[-1] - by_step[-1 - len(by_step) // 4]
    tells = "more `attack_steps` would find more" if late > 0.05 * max(1, by_step[-1]) else "more would hardly find more"
    holds = all(before <= after for before, after in pairwise(by_step))
    return _check(
        "more_steps_never_weaker", f"In the last quarter of PGD's steps {late} more images were fooled; {tells}.", holds=holds
    )


def _large(large: Found, right: int) -> Found:
    share = large["accuracy"]
    near = share <= _NEAR_ZERO or not right
    says = f"At {called(large['epsilon'])}, where any image can be made grey, PGD leaves {share:.1%} of the images right."
    return _check("near_zero_when_large", says if near else f"{says} It should be near 0: gradients do not lead it.", holds=near)


def _gradients(share: float) -> Found:
    if share > _BLIND:
        says = f"For {share:.1%} of the images the gradient is zero everywhere, and attacks that follow it see nothing."
        return _check("gradients_are_there", says, holds=False)
    return _check("gradients_are_there", "Gradients are there to follow.")


def _control(epsilon: float, fooled: Found) -> Found:
    search, descent = fooled["control"], fooled["epsilons"][epsilon]["pgd"]
    masked = certainly_more(search, descent)
    says = (
        f"At {called(epsilon)} a search without gradients (Square attack) fools {len(search)} images and PGD {len(descent)} of "
        f"{len(fooled['right'])}"
    )
    told = "gradients are masked, and the network is weaker than PGD's curve says" if masked else "no sign of masked gradients"
    return _check("no_masked_gradients", f"{says}: {told}.", holds=not masked)


def _transfer(found: Found, descent: Sequence[int]) -> Found:
    transfer = found["transfer"]
    images, other = set(transfer["images"]), transfer.pop("fooled")
    transfer["images"] = len(images)
    if not images:
        return _check("transfer_is_weaker", "There are no images that both networks get right, and nothing to transfer.")
    stronger = certainly_more(other, [place for place in descent if place in images])
    made = "made against the other network"
    if stronger:
        return _check(
            "transfer_is_weaker", f"Images {made} fool this one more often than PGD does: gradients are masked.", holds=False
        )
    return _check("transfer_is_weaker", f"Images {made} fool this one for {len(other)} of {len(images)}, no more than PGD does.")


def robustness_sentence(networks: Found, epsilon: float, count: int, kind: str) -> str:
    """The comparison in words.

    Args:
        networks: what was found of the two that are compared, the pretrained first.
        epsilon: at which.
        count: test images.
        kind: `image` or `video`.
    """
    (_, ours), (other, theirs) = networks.items()
    under = [next(one["pgd"] for one in found["attacks"] if one["epsilon"] == epsilon) for found in (ours, theirs)]
    attacked = (
        f"Of {count} test {kind}s, attacks that move each value by {called(epsilon)} (PGD) leave {under[0]:.1%} right with your "
        f"encoder and {under[1]:.1%} with {_CALLED[other]} (without them: {ours['accuracy']:.1%} and {theirs['accuracy']:.1%})"
    )
    parts = [attacked]
    if ours["corrupted_accuracy"] is not None:
        parts.append(f"common corruptions leave {ours['corrupted_accuracy']:.1%} and {theirs['corrupted_accuracy']:.1%}")
    pixel = [found["one_pixel"] for found in (ours, theirs)]
    if all(one and one["attacked"] for one in pixel):
        parts.append(f"one pixel fools {pixel[0]['share']:.0%} and {pixel[1]['share']:.0%}")
    weak = [_CALLED[who] for who, found in networks.items() if not all(check["holds"] for check in found["checks"])]
    doubt = f" The attacks on {' and '.join(weak)} were not as strong as they should be: see `checks`." if weak else ""
    return f"{'; '.join(parts)}.{doubt}"


def robustness_headline(told: Found) -> dict[str, float]:
    """The figures of the pretrained encoder that stand for it, 0 to 1, by the first head."""
    ours = next(iter(told["heads"].values()))["pretrained"]
    at = next(one for one in ours["attacks"] if one["epsilon"] == told["control_epsilon"])
    figures = {"attacked": at["pgd"], "corrupted": ours["corrupted_accuracy"]}
    return {name: value for name, value in figures.items() if value is not None}
