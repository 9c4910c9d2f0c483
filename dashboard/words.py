"""Numbers, sizes and times as people say them."""

from datetime import UTC, datetime

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def count(number: float, one: str, many: str | None = None) -> str:
    """`1 image`, `2,000 images`."""
    return f"{number:,.0f} {one if number == 1 else many or one + 's'}"


def size(number: float) -> str:
    """Bytes, in decimal units as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.0f} {unit}" if number >= 99.5 or unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def duration(seconds: float) -> str:
    """`42 s`, `3 min 10 s`, `2 h 5 min`: the two largest units."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for unit, length in _UNITS:
        amount, left = divmod(left, length)
        if amount or parts:
            parts.append(f"{amount} {unit}" if amount else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part) or "0 s"


def ago(moment: datetime) -> str:
    """How long ago something was, in one unit. The page's script keeps it up to date."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    if seconds < 5:
        return "just now"
    unit, length = next((unit, length) for unit, length in _UNITS if seconds >= length)
    return f"{seconds // length:.0f} {unit} ago"


def figure(value: float) -> str:
    """A figure with about four digits that matter."""
    if value == 0 or 0.001 <= abs(value) < 100_000:
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:.2e}"


def percent(share: float) -> str:
    """A share of 1."""
    return f"{share:.1%}"


_PROPER = {"gan": "GAN", "simclr": "SimCLR", "simmim": "SimMIM", "video_gan": "Video GAN", "barlow_twins": "Barlow Twins"}


def named(identifier: str) -> str:
    """`relative_position` as a heading: `Relative position`."""
    if identifier in _PROPER:
        return _PROPER[identifier]
    text = identifier.replace("_", " ").strip()
    return text[:1].upper() + text[1:]
