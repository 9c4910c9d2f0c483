"""Makes tables of names fit for narrow screens: names break at their joints, and each cell knows what its column is called."""

import re
from itertools import chain, repeat

_TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
_HEAD = re.compile(r"<th(?:\s[^>]*)?>(.*?)</th>", re.DOTALL)
_ROW = re.compile(r"<tr>\s*<td.*?</tr>", re.DOTALL)
_CELL = re.compile(r"<td([^>]*)>")
_CODE = re.compile(r"(?<=<code>)[^<]+(?=</code>)")
_JOINT = re.compile(r"(?<=[\w\]])([_.:/])(?=\w)")


def readable(html: str) -> str:
    """A page's HTML with such tables. Those whose rows begin with anything but a name, such as figures, stay as they are."""
    return _TABLE.sub(lambda found: _table(found[0]), html)


def _table(html: str) -> str:
    html = _CODE.sub(lambda code: _JOINT.sub(r"\1<wbr>", code[0]), html)
    if not re.search(r"<td[^>]*>(<a[^>]*>)?<code>", html):
        return html
    names = _HEAD.findall(html)
    rows = _ROW.sub(lambda row: _labelled(row[0], names), html)
    return rows.replace("<table>", '<table data-names="">', 1)


def _labelled(row: str, names: list[str]) -> str:
    called = chain(names, repeat(""))
    return _CELL.sub(lambda cell: f'<td data-column="{next(called)}"{cell[1]}>', row)
