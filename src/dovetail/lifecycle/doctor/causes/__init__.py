"""The causes, one module a family. Each has `look(picture) -> Iterable[Finding]` and holds its own words."""
