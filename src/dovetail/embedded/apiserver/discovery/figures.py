"""How much is stored, as kube-apiserver's metrics say it: read from the database at each scrape."""

from __future__ import annotations

from collections.abc import Mapping

from ..storage.database import Database

_COUNTS = "SELECT resource, count(*) FROM cur GROUP BY resource"


def storage_figures(database: Database) -> Mapping[str, Mapping[str, float]]:
    """Objects by resource, under the old and the new name of the metric, and the bytes of the database."""
    old: dict[str, float] = {}
    new: dict[str, float] = {}
    for resource, count in database.reader.execute(_COUNTS):
        group, _, plural = str(resource).partition("/")
        old[f'resource="{plural}.{group}"' if group else f'resource="{plural}"'] = count
        new[f'group="{group}",resource="{plural}"'] = count
    pages, size = (database.reader.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    return {
        "apiserver_storage_objects": old,
        "apiserver_resource_objects": new,
        "apiserver_storage_size_bytes": {'storage_cluster_id="etcd-0"': pages * size},
    }
