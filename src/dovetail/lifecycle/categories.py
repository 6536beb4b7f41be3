"""Category: how many extensions are on the shelf, as the published annotation `kubesphere.io/count`."""

from collections.abc import Iterable

from dovetail.apis import labels
from dovetail.apis.kubesphere_v1alpha1 import CATEGORIES
from dovetail.kube import Client, Informer, Key, annotations_of, is_deleting, labels_of
from dovetail.kube.resources import Object

BY_CATEGORY = "category"


def category_of(extension: Object) -> Iterable[str]:
    """The shelf of an Extension, in either spelling."""
    marks = labels_of(extension)
    name = marks.get(labels.CATEGORY) or marks.get(labels.SEED_CATEGORY)
    return (name,) if name else ()


class CategoryReconciler:
    """Counts."""

    def __init__(self, client: Client, categories: Informer, extensions: Informer) -> None:
        self._client = client
        self._categories = categories
        self._extensions = extensions

    async def reconcile(self, key: Key) -> None:
        obj = self._categories.lister.get(key.name)
        if obj is None or is_deleting(obj):
            return
        count = str(len(self._extensions.lister.by_index(BY_CATEGORY, key.name)))
        if annotations_of(obj).get(labels.COUNT) != count:
            await self._client.patch(CATEGORIES, key.name, {"metadata": {"annotations": {labels.COUNT: count}}})
