"""The size limits of a package, in bytes. The first two are Helm's own (reference/ksbuilder.md 3.4)."""

from typing import Final

MAX_FILE: Final = 5 * 1024 * 1024
"""One file inside a package."""

MAX_TOTAL: Final = 100 * 1024 * 1024
"""All files of a package together, unpacked; also the largest unpacked tar stream."""

MAX_ARCHIVE: Final = 20 * 1024 * 1024
"""A .tgz. The usual chart repository server accepts no more."""

MAX_MEMBERS: Final = 10_000
"""Files in a package. The largest published one has under 400."""

MAX_PATH: Final = 512
"""Characters in a member's path."""

MAX_CHART_DEPTH: Final = 8
"""Charts inside charts."""

MAX_YAML_DEPTH: Final = 64
"""Levels of nesting in a metadata file."""

MAX_YAML_VALUES: Final = 200_000
"""Values in a metadata file after aliases are followed."""
