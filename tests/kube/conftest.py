"""Two settings that this room's tests need of the whole run.

looptime asks the event loop policy for a loop even in synchronous tests; in Python 3.11 the policy then makes one
that nobody closes. Saying "there is none" beforehand keeps it from that. Hypothesis' deadline measures a shared
machine, not our code.
"""

import asyncio

from hypothesis import settings

asyncio.set_event_loop(None)
settings.register_profile("dovetail", deadline=None)
settings.load_profile("dovetail")
