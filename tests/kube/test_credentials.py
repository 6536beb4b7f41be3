"""Who we are: files that change, programs that print credentials, TLS that must be verified."""

import stat
import sys
from pathlib import Path

import orjson
import pytest

from dovetail.kube import CONFIGMAPS, Client, ClusterConfig, ConfigError, ExecPlugin, Unauthorized, Unreachable
from tests.kube.authority import Authority
from tests.kube.canned import Answer, Seen, canned, configmap, failure

VERSION = "client.authentication.k8s.io/v1"


async def accept_only(token: str, seen: Seen, answer: Answer) -> None:
    if seen.header("authorization") == [f"Bearer {token}"]:
        await answer.json(configmap("a", 1))
    else:
        await answer.json(failure(401, "Unauthorized"), 401)


def plugin(directory: Path, body: str, **fields: object) -> ExecPlugin:
    script = directory / "plugin"
    script.write_text(f"#!{sys.executable}\nimport json, os, sys, pathlib\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return ExecPlugin(VERSION, str(script), **fields)  # type: ignore[arg-type]


async def test_basic_and_fixed_token() -> None:
    async def respond(seen: Seen, answer: Answer) -> None:
        await answer.json({"got": seen.header("authorization")})

    async with canned(respond) as server:
        async with server.client(username="u", password="p") as client:
            assert (await client.get(CONFIGMAPS, "a", "n"))["got"] == ["Basic dTpw"]
        async with server.client(token="t", token_file=Path("/none")) as client:
            assert (await client.get(CONFIGMAPS, "a", "n"))["got"] == ["Bearer t"]


async def test_a_rotated_token_file_is_read_again_after_a_401(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    good = "old"

    async def respond(seen: Seen, answer: Answer) -> None:
        await accept_only(good, seen, answer)

    async with canned(respond) as server, server.client(token_file=file) as client:
        await client.get(CONFIGMAPS, "a", "n")
        good = "new"
        file.write_text("new\n")
        await client.get(CONFIGMAPS, "a", "n")
        assert len(server.seen) == 3
        good = "another"
        with pytest.raises(Unauthorized):
            await client.get(CONFIGMAPS, "a", "n")
        file.write_text("")
        with pytest.raises(ConfigError, match="is empty"):
            await client.get(CONFIGMAPS, "a", "n")
        file.unlink()
        with pytest.raises(ConfigError, match="cannot be read"):
            await client.get(CONFIGMAPS, "a", "n")


async def test_an_exec_plugin_runs_once_until_its_credential_is_refused(tmp_path: Path) -> None:
    count = tmp_path / "count"
    body = f"""
n = len(pathlib.Path({str(count)!r}).read_text()) if os.path.exists({str(count)!r}) else 0
open({str(count)!r}, "a").write("x")
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
assert info["spec"]["cluster"]["server"] == "https://c" and os.environ["A"] == "b" and sys.argv[1:] == ["arg"]
print(json.dumps({{"kind": "ExecCredential", "apiVersion": info["apiVersion"], "status": {{"token": "t%d" % n}}}}))
"""
    program = plugin(tmp_path, body, args=("arg",), env=(("A", "b"),), cluster={"server": "https://c"})
    good = "t0"

    async def respond(seen: Seen, answer: Answer) -> None:
        await accept_only(good, seen, answer)

    async with canned(respond) as server, server.client(exec=program) as client:
        await client.get(CONFIGMAPS, "a", "n")
        await client.get(CONFIGMAPS, "a", "n")
        assert count.read_text() == "x"
        good = "t1"
        await client.get(CONFIGMAPS, "a", "n")
        assert count.read_text() == "xx"


async def test_an_expired_credential_is_asked_for_again(tmp_path: Path) -> None:
    count = tmp_path / "count"
    status = {"token": "t", "expirationTimestamp": "2020-01-01T00:00:00Z"}
    program = plugin(tmp_path, f"open({str(count)!r}, 'a').write('x'); print(json.dumps({{'status': {status!r}}}))")

    async def respond(seen: Seen, answer: Answer) -> None:
        await accept_only("t", seen, answer)

    async with canned(respond) as server, server.client(exec=program) as client:
        await client.get(CONFIGMAPS, "a", "n")
        await client.get(CONFIGMAPS, "a", "n")
    assert count.read_text() == "xx"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sys.exit('log in first')", "exit code 1: log in first"),
        ("print('hello')", "did not print an ExecCredential"),
        ("print('{}')", "did not print an ExecCredential"),
        ("print(json.dumps({'status': {}}))", "neither a token nor a certificate"),
    ],
)
async def test_a_failing_plugin_says_so(tmp_path: Path, body: str, words: str) -> None:
    async with Client(ClusterConfig("http://127.0.0.1:1", exec=plugin(tmp_path, body))) as client:
        with pytest.raises(ConfigError, match=words):
            await client.get(CONFIGMAPS, "a", "n")


async def test_a_missing_plugin_names_its_install_hint() -> None:
    missing = ExecPlugin(VERSION, "/nonexistent/plugin", install_hint="get it from x")
    async with Client(ClusterConfig("http://127.0.0.1:1", exec=missing)) as client:
        with pytest.raises(ConfigError, match="get it from x"):
            await client.get(CONFIGMAPS, "a", "n")


async def whoami(seen: Seen, answer: Answer) -> None:
    await answer.json(configmap("a", 1))


async def test_tls_is_verified(tmp_path: Path) -> None:
    ours, other = Authority(), Authority()
    async with canned(whoami, ours.server_context(tmp_path)) as server:
        async with server.client(ca_data=ours.pem) as client:
            await client.get(CONFIGMAPS, "a", "n")
        (tmp_path / "ca.crt").write_text(ours.pem)
        async with server.client(ca_file=tmp_path / "ca.crt") as client:
            await client.get(CONFIGMAPS, "a", "n")
        async with server.client(insecure=True) as client:
            await client.get(CONFIGMAPS, "a", "n")
        for config in ({"ca_data": other.pem}, {}, {"ca_data": ours.pem, "tls_server_name": "elsewhere"}):
            async with server.client(**config) as client:
                with pytest.raises(Unreachable, match="not trusted"):
                    await client.get(CONFIGMAPS, "a", "n")


async def test_client_certificates_from_data_file_and_plugin(tmp_path: Path) -> None:
    ours = Authority()
    certificate, key = ours.issue("me")
    (tmp_path / "c.crt").write_text(certificate)
    (tmp_path / "c.key").write_text(key)
    status = orjson.dumps({"status": {"clientCertificateData": certificate, "clientKeyData": key}}).decode()
    ways = [
        {"client_cert_data": certificate, "client_key_data": key},
        {"client_cert_file": tmp_path / "c.crt", "client_key_file": tmp_path / "c.key"},
        {"exec": plugin(tmp_path, f"print({status!r})")},
    ]
    async with canned(whoami, ours.server_context(tmp_path, ask_client=True)) as server:
        for way in ways:
            async with server.client(ca_data=ours.pem, **way) as client:
                await client.get(CONFIGMAPS, "a", "n")
        async with server.client(ca_data=ours.pem) as client:
            with pytest.raises(Unreachable):
                await client.get(CONFIGMAPS, "a", "n")
