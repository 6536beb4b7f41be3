"""Where a browser may be sent back to after a log-in: a path of this very site, and nothing else. Pure.

A browser reads `//host`, `/\\host` and a path with a tab or a line break in front of it as another site.
"""

import re
from typing import Final

_OWN: Final = re.compile(r"/(?![/\\])[^\x00-\x20\x7f\\]*\Z")


def own_path(text: str, otherwise: str = "/") -> str:
    """The address if it is a path here, else `otherwise`."""
    return text if _OWN.match(text) else otherwise
