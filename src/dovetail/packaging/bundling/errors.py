"""What is wrong with a bundle."""

from dovetail.packaging.errors import PackagingError


class DamagedBundle(PackagingError):
    """A bundle that is not as it was made. `file` is the first member that is not."""

    def __init__(self, file: str, reason: str) -> None:
        self.file, self.reason = file, reason
        super().__init__(f"{file}: {reason}. Copy the bundle again, or make it again; do not install from it.")


class IncompleteBundle(PackagingError):
    """A bundle that is whole, but lacks something that an installation needs."""

    def __init__(self, missing: str, needed_by: str) -> None:
        self.missing, self.needed_by = missing, needed_by
        super().__init__(f"{missing} is missing, and {needed_by} needs it. Make the bundle again where it can be had.")
