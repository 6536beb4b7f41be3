"""Texts that come from packages, pods and the cluster, for a terminal: nothing in them is an order to it. Pure."""


def visible(text: str) -> str:
    """The text with its lines; what moves the cursor, colours, hides or turns text around is spelled out."""
    return "".join(char if char.isprintable() or char in "\n\t" else _spelled(char) for char in text)


def _spelled(char: str) -> str:
    return char.encode("unicode_escape").decode()
