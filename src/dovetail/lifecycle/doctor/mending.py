"""Carrying out a fix: a new value of one annotation, which asks the controllers for another attempt.

There is no other action, by design. It can be repeated, it loses nothing, it concerns one object, and whether the
attempt is made is still the controllers' decision, with all that they check. Only root causes are acted on.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from dovetail.apis.kubesphere_v1alpha1 import INSTALLPLANS, REPOSITORIES
from dovetail.kube import Client, ResourceLike, rfc3339_micro
from dovetail.lifecycle.doctor.findings import Ref, Retry
from dovetail.lifecycle.doctor.ranking import Diagnosis
from dovetail.lifecycle.interrupts import RETRY

_OF: Final[dict[str, ResourceLike]] = {"InstallPlan": INSTALLPLANS, "Repository": REPOSITORIES}


def actions(diagnoses: Iterable[Diagnosis]) -> list[Retry]:
    """What may be done about the root causes, each once."""
    found = [root.finding.action for diagnosis in diagnoses for root in diagnosis.roots]
    return list(dict.fromkeys(action for action in found if action is not None))


async def mend(client: Client, todo: Iterable[Retry], moment: datetime) -> list[Ref]:
    """Do it; what was asked to be tried again. Raises KubeError when that may not be written."""
    done: list[Ref] = []
    for action in todo:
        change = {"metadata": {"annotations": {RETRY: rfc3339_micro(moment)}}}
        await client.patch(_OF[action.of.kind], action.of.name, change)
        done.append(action.of)
    return done
