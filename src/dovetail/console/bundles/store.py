"""What is served now: outcomes by bundle, and who owns which public path.

Only the keeper writes; everybody else reads. A path that nobody owns is absent; a path whose bytes are missing answers
with the reason.
"""

from collections.abc import Callable

from dovetail.console.bundles.model import BundleId, File, Missing, Outcome


class BundleStore:
    """`on_change` is called after each change of what is served."""

    def __init__(self, on_change: Callable[[], None] = lambda: None) -> None:
        self._outcomes: dict[BundleId, Outcome] = {}
        self._by_link: dict[str, BundleId] = {}
        self._on_change = on_change

    def put(self, outcome: Outcome) -> None:
        """Serve this bundle; equal outcomes change nothing."""
        bundle = outcome.plan.id
        if self._outcomes.get(bundle) == outcome:
            return
        self._forget(bundle)
        self._outcomes[bundle] = outcome
        for link, part in outcome.parts.items():
            if not (isinstance(part, Missing) and part.reason == "LinkTaken"):
                self._by_link[link] = bundle
        self._on_change()

    def remove(self, bundle: BundleId) -> None:
        """Serve it no more: it is gone or disabled."""
        if bundle in self._outcomes:
            self._forget(bundle)
            self._on_change()

    def find(self, link: str) -> File | Missing | None:
        """What to answer for a public path; None when no enabled bundle has it."""
        owner = self._by_link.get(link)
        return self._outcomes[owner].parts.get(link) if owner else None

    def outcome(self, bundle: BundleId) -> Outcome | None:
        return self._outcomes.get(bundle)

    def served(self) -> list[Outcome]:
        """The bundles whose JavaScript is there, in the order of their names."""
        ready = [outcome for outcome in self._outcomes.values() if isinstance(outcome.main, File)]
        return sorted(ready, key=lambda outcome: (outcome.plan.id.name, outcome.plan.id.group))

    def _forget(self, bundle: BundleId) -> None:
        self._outcomes.pop(bundle, None)
        self._by_link = {link: owner for link, owner in self._by_link.items() if owner != bundle}
