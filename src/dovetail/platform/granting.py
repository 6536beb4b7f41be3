"""Sessions as clients get them: begun with a password, gone on with a refresh token, ended with any token."""

from dovetail.iam.compiler import account_of
from dovetail.iam.oauth_clients import OAuthClient
from dovetail.iam.policy import Account
from dovetail.iam.session import Terms
from dovetail.iam.sessions import TokenPair
from dovetail.platform.callers import Origin
from dovetail.platform.deps import PlatformDeps
from dovetail.platform.login import find_user, log_in


async def begin(deps: PlatformDeps, login: str, password: str, client: OAuthClient, origin: Origin) -> TokenPair:
    """Log in and begin a session. Raises Unauthenticated, TooManyAttempts."""
    name, account = await log_in(deps, login, password, origin)
    return await deps.sessions.begin(name, account.uid, client.name, deps.clock(), terms_of(client))


def terms_of(client: OAuthClient) -> Terms:
    """On what terms a client holds the session of a user who trusted it with the password."""
    return Terms(access_life=client.access_seconds, idle_life=client.idle_life)


async def refresh(deps: PlatformDeps, token: str, client: str) -> TokenPair:
    """Trade a refresh token. Raises InvalidToken, SessionEnded."""
    now = deps.clock()
    read = deps.tokens().verify_refresh(token, now)
    return await deps.sessions.refresh(read, await account_now(deps, read.subject.user), client, now)


async def account_now(deps: PlatformDeps, name: str) -> Account | None:
    """The account of a name, as the API has it."""
    user = await find_user(deps, name)
    return account_of(user) if user is not None else None


async def end_session(deps: PlatformDeps, token: str) -> None:
    """End the session that a token of ours belongs to; anything else is fine too."""
    now = deps.clock()
    subject = deps.tokens().session_of(token, now) if token else None
    if subject is not None:
        await deps.sessions.end(subject.session, now)
