"""What other rooms' tests ask: does the doctor find anything wrong where nothing is?"""

from collections.abc import Iterable

from dovetail.kube import Client
from dovetail.lifecycle.doctor import report
from dovetail.lifecycle.doctor.diagnosing import examine, examine_platform
from dovetail.lifecycle.doctor.waiting import Patience


async def all_well(client: Client, extensions: Iterable[str]) -> None:
    """No problem in any of these extensions, nor in an overview; everything could be read."""
    patience = Patience(still=2.0)
    found = [await examine(client, name, patience) for name in extensions]
    found += await examine_platform(client, patience)
    assert report.exit_code(found) == 0, report.as_text(found, "en")
