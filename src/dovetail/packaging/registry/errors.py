"""What is wrong with an address, or with what a registry says."""

from dovetail.packaging.errors import PackagingError


class InvalidReference(PackagingError):
    """Not an address of something in a registry."""

    def __init__(self, text: str, reason: str) -> None:
        self.text = text
        super().__init__(
            f"{text!r} is not an address in a registry: {reason}. Write it as oci://HOST/PATH/NAME:VERSION."
        )


class UnusableManifest(PackagingError):
    """What a registry gave is not a package, or not what was asked for."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where} cannot be used: {reason}. Push it again, or ask whoever runs the registry.")


class RegistryRefused(PackagingError):
    """A registry does not give, or does not take. `status` is what it answered, 0 if it was not its answer."""

    def __init__(self, what: str, reason: str, status: int = 0) -> None:
        self.status = status
        super().__init__(f"{what}: {reason.rstrip('.')}. Check the address and the login.")
