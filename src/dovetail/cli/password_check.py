"""Answers the workers' question about a name and a password with the platform's own log-in."""

from dovetail.gateway.passwords import Login, Verdict
from dovetail.iam.errors import HashingBusy, TooManyAttempts
from dovetail.kube.errors import KubeError
from dovetail.platform.callers import Origin
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.errors import Unauthenticated
from dovetail.platform.login import log_in


async def check_password(deps: PlatformDeps, asked: Login) -> Verdict:
    """Whose password it is. Never raises."""
    try:
        name, _ = await log_in(deps, asked.username, asked.password, Origin(asked.address))
    except Unauthenticated as error:
        return Verdict(problem=error.message)
    except TooManyAttempts as error:
        return Verdict(problem=str(error))
    except HashingBusy as error:
        return Verdict(problem=str(error), later=True)
    except KubeError:
        return Verdict(problem="the cluster does not answer", later=True)
    return Verdict(username=name)
