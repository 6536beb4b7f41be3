"""Errors of this room.

CaddyfileError      the text is no Caddyfile; the sentence begins with file:line
"""


class CaddyfileError(Exception):
    """The text is no Caddyfile."""

    def __init__(self, file: str, line: int, why: str) -> None:
        self.file, self.line, self.why = file, line, why
        super().__init__(f"{file}:{line}: {why}")
