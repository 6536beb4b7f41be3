"""The snapshot: everything a gateway worker serves from, as one immutable value.

Control compiles it from the objects of the cluster and sends it to the workers over a Unix socket; a worker swaps it
between two requests and never waits for anything else. On the wire a snapshot is one frame: four bytes of length,
big-endian, then msgpack. The worker answers each frame with the eight-byte generation it now serves. After the first
frame of a connection the ones that follow say what changed (`dovetail.gateway.delta`).
"""

import struct

import msgspec

from dovetail.gateway.audit.policy import DEFAULT as AUDIT_BY_DEFAULT
from dovetail.gateway.audit.policy import AuditPolicy
from dovetail.iam.assertions import AssertionKey
from dovetail.iam.policy import Policy
from dovetail.routing.model import RouteTable

LENGTH = struct.Struct(">I")
ACK = struct.Struct(">Q")
MAX_FRAME = 256 << 20


class VerificationKey(msgspec.Struct, frozen=True):
    """A public key that signs tokens, as a JWK in JSON text."""

    kid: str
    jwk: str


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, tag="snapshot"):
    """What is in force. `generation` grows by one with each different snapshot of one control process."""

    generation: int
    issuer: str = ""
    table: RouteTable = RouteTable()
    policy: Policy = Policy()
    keys: tuple[VerificationKey, ...] = ()
    revoked_sessions: tuple[str, ...] = ()
    audit: AuditPolicy = AUDIT_BY_DEFAULT
    assertion_key: AssertionKey | None = None
    """Signs what backends are told of users; not the key that signs tokens."""
    password_socket: str = ""
    """Where control checks the passwords of Basic log-ins; empty where those are not allowed."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Snapshot)


def encode(snapshot: Snapshot) -> bytes:
    """The frame for a snapshot, length first."""
    body = _encoder.encode(snapshot)
    return LENGTH.pack(len(body)) + body


def decode(body: bytes) -> Snapshot:
    """The snapshot in a frame's body. Raises msgspec.DecodeError on anything else."""
    return _decoder.decode(body)
