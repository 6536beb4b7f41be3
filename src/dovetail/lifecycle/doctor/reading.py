"""Reading a cluster in bounds: one page of a list, and what could not be read is remembered instead of raised.

Every list is one request with a limit; where there is more, that is noted like what is forbidden. Only a cluster that
does not answer at all is an error.
"""

import email.utils
from collections.abc import Sequence
from typing import Any, Final, cast

import orjson

from dovetail.kube import ApiError, Client, NotFound, Object, ResourceLike, Unreachable, path_of
from dovetail.kube.answers import complete
from dovetail.kube.errors import UnreadableAnswer
from dovetail.lifecycle.doctor.picture import Unread
from dovetail.lifecycle.objects import mapping

MOST: Final = 500
_METADATA_LIST: Final = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"}


class Reader:
    """Reads through `client` as whoever that is. `unread` is what could not be looked at."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.unread: list[Unread] = []
        self.now = ""

    async def page(
        self, resource: ResourceLike, namespace: str | None = None, *, selector: str = "", fields: str = "",
        limit: int = MOST, metadata_only: bool = False,
    ) -> list[Object] | None:  # fmt: skip
        """Objects of a kind, at most `limit`; None when they may not be read. A kind that is not served is empty."""
        what = f"{resource.plural}{f'.{resource.group}' if resource.group else ''}"
        where = f"{what} in {namespace}" if namespace else what
        query = {"limit": str(limit), "labelSelector": selector, "fieldSelector": fields}
        try:
            document = await self._get(path_of(resource, namespace), query, metadata_only)
        except NotFound:
            return []
        except (ApiError, UnreadableAnswer) as error:
            self.unread.append(Unread(where, str(error)))
            return None
        items: list[Object] = document.get("items") or []
        if mapping(document.get("metadata")).get("continue"):
            self.unread.append(Unread(where, f"only the first {len(items)} were looked at"))
        complete(items, resource, metadata_only)
        return items

    async def one(self, resource: ResourceLike, name: str, namespace: str | None = None) -> Object | None:
        """One object; None when there is none, or when it may not be read (which is remembered)."""
        try:
            return await self._client.get(resource, name, namespace)
        except NotFound:
            return None
        except (ApiError, UnreadableAnswer) as error:
            self.unread.append(Unread(f"{resource.kind} {name}", str(error)))
            return None

    async def served(self) -> Sequence[Any] | None:
        """Everything the cluster serves (kube's ServedResource); None when it does not say."""
        try:
            return await self._client.discover_all()
        except Unreachable:
            raise
        except (ApiError, UnreadableAnswer) as error:
            self.unread.append(Unread("what the cluster serves", str(error)))
            return None

    async def tell_time(self) -> None:
        """The server's clock, as its answers carry it."""
        answer = await self._client.request("GET", "/version")
        dated = answer.headers.get("date", "")
        if dated:
            self.now = email.utils.parsedate_to_datetime(dated).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def _get(self, path: str, query: dict[str, str], metadata_only: bool) -> Object:
        query = {name: value for name, value in query.items() if value}
        answer = await self._client.request("GET", path, query=query, headers=_METADATA_LIST if metadata_only else None)
        try:
            document: Any = orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            raise UnreadableAnswer(f"GET {path}", "it is not JSON") from error
        if not isinstance(document, dict):
            raise UnreadableAnswer(f"GET {path}", "it is not a JSON object")
        document = cast("Object", document)
        if answer.status != 200:
            raise ApiError.of({**document, "code": answer.status})
        return document
