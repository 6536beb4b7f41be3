"""The modules that this version of the console gives to bundles, with their exports (empty: any).

The list is made from the console's source by scripts/list_console_modules.mjs.
"""

import json
from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=1)
def provided_modules() -> dict[str, frozenset[str]]:
    """Module name -> names of its exports."""
    text = files("dovetail.packaging").joinpath("console_modules.json").read_text("utf-8")
    listed: dict[str, list[str]] = json.loads(text)
    return {name: frozenset(exports) for name, exports in listed.items()}
