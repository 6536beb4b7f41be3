"""Places inside Helm's own messages: which template, which line, and the reason without the journey there."""

import re
from collections.abc import Mapping
from typing import Final

_PLACE: Final = re.compile(r"([\w@+.-]+(?:/[\w@+. -]+)+\.\w+):(\d+)(?::\d+)?")
_NOISE: Final = re.compile(
    r"^(?:\([\w@+. /-]+\.\w+(?::\d+)+\): |template: |execution error at |error calling \w+: |parse error at )"
)


def place_of_render_error(message: str, chart: str, files: Mapping[str, bytes]) -> tuple[str, str]:
    """(file:line in the package, the reason in one line) of a message such as Helm gives when a template fails.

    The innermost place that is a file of the package counts: that is where the author has to look.
    """
    flat = " ".join(message.split())
    places = [(match[1].removeprefix(f"{chart}/"), match[2]) for match in _PLACE.finditer(flat)]
    known = [(path, line) for path, line in places if path in files]
    place = ":".join(known[-1]) if known else "the package"
    reason = flat.rpartition(">: ")[2] if ">: " in flat else flat
    while _NOISE.match(reason):
        reason = _NOISE.sub("", reason)
    return place, reason[:300].rstrip(".")
