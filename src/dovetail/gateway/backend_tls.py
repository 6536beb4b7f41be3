"""TLS towards backends: what is demanded of them, the same for requests, for health checks and for documents."""

import os
import ssl

from dovetail.routing.model import UpstreamTLS


def certificate_times(tls: UpstreamTLS) -> tuple[int, ...]:
    """When the gateway's own certificate for a backend was last renewed. Raises OSError when it is not there."""
    files = (tls.client_cert_file, tls.client_key_file)
    return tuple(os.stat(path).st_mtime_ns for path in files if path)


def client_context(tls: UpstreamTLS) -> ssl.SSLContext:
    """How a backend is verified. Raises ssl.SSLError or OSError for certificates that cannot be used."""
    context = ssl.create_default_context(cadata=tls.ca_pem or None)
    # Go does not ask CAs for the extensions that Python 3.13 asks for, and real clusters' CAs lack them.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.client_cert_file:
        context.load_cert_chain(tls.client_cert_file, tls.client_key_file or None)
    return context
