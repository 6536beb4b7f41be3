"""No loop before the first test makes one:

pytest-asyncio asks for the current loop and would leave the answer unclosed.
"""

import asyncio

asyncio.set_event_loop(None)
