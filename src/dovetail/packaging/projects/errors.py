"""What a new project is refused for."""

from dovetail.packaging.errors import PackagingError


class InvalidAnswer(PackagingError):
    """An answer that no extension could be made from. `option` is the flag that gives it."""

    def __init__(self, option: str, value: str, fix: str) -> None:
        self.option, self.value, self.fix = option, value, fix
        super().__init__(f"{option} cannot be {value!r}. {fix}.")
