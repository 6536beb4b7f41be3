"""Certificates of a server that runs for longer than they live.

Every few hours each certificate is asked for anew; ``pki`` issues one again when it is due (30 days before its end).
The server shows the new one to new connections, and the kubeconfigs get the new credentials. Connections that are open
keep what they began with. The authority itself lives for ten years and is not renewed while the server runs.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable

from .pki import Credential

_log = logging.getLogger("dovetail.embedded.apiserver")

EVERY_SECONDS = 6 * 3600.0


async def renew_certificates(
    context: ssl.SSLContext, server: Callable[[], Credential], clients: Callable[[], None]
) -> None:
    """``server`` gives the server's certificate, ``clients`` writes the kubeconfigs; for ever."""
    shown = await asyncio.to_thread(server)
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        try:
            shown = await asyncio.to_thread(renew_once, context, shown, server, clients)
        except OSError as error:  # a full disk: tried again in time
            _log.error("certificates were not renewed: %s", error)


def renew_once(
    context: ssl.SSLContext, shown: Credential, server: Callable[[], Credential], clients: Callable[[], None]
) -> Credential:
    """What the server shows from now on."""
    credential = server()
    if credential.certificate != shown.certificate:
        context.load_cert_chain(credential.certificate_file, credential.key_file)
        _log.info("the server's certificate was renewed")
    clients()
    return credential
