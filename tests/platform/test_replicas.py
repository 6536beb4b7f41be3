"""Two replicas of control on one cluster: they sign with the same key, and know each other's."""

import asyncio
import time

from dovetail.iam import token_keys
from dovetail.iam.token_keys import SCHEDULE
from dovetail.iam.tokens import Subject, TokenIssuer, TokenVerifier

from .conftest import ISSUER, Platform


async def test_replicas_turn_to_the_same_key(platform: Platform) -> None:
    client, now = platform.deps.client, [time.time()]
    first, second = await asyncio.gather(*(token_keys.ensure(client, lambda: now[0]) for _ in range(2)))
    before = first.kid
    assert second.kid == before
    now[0] += SCHEDULE.life - SCHEDULE.lead + 60
    assert all(await asyncio.gather(first.renew(client), second.renew(client)))
    await asyncio.gather(first.renew(client), second.renew(client))
    assert first.public() == second.public()
    assert first.kid == second.kid == before, "the next key is known and does not sign yet"
    now[0] += SCHEDULE.lead
    assert first.kid == second.kid != before
    user = await platform.user()
    uid = platform.deps.policy().accounts[user].uid
    token = TokenIssuer(ISSUER, first).access(Subject(user, uid, "s"), int(now[0]) + 60, now[0])
    assert TokenVerifier(ISSUER, second.public(), platform.deps.policy().accounts).verify(token, now[0])
