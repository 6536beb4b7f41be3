"""Reading Caddyfiles: the grammar with its positions, what becomes of directives, and that no line goes in silence."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

from dovetail.cli.dovetail import dovetail
from dovetail.gateway.caddyfile import CaddyfileError, Imported, import_caddyfile
from dovetail.gateway.caddyfile.grammar import parse
from tests.gateway_proxy.applied import compiled
from tests.gateway_proxy.test_golden_vectors import CADDYFILE


def imported(text: str) -> Imported:
    return import_caddyfile(text, "Caddyfile")


def proxies(found: Imported) -> dict[str, dict]:
    return {obj["metadata"]["name"]: obj["spec"] for obj in found.objects if obj["kind"] == "ReverseProxy"}


def only(text: str) -> dict:
    (spec,) = proxies(imported(text)).values()
    return spec


def notes(text: str) -> list[str]:
    return [f"{note.line} {note.effect} {note.directive}" for note in imported(text).notes]


# The grammar


@pytest.mark.parametrize(
    ("text", "directives"),
    [
        ("host {\n a b\n}", ["a b"]),
        ("host\na b\nc", ["a b", "c"]),
        ("host, other {\n a\n}\nthird {\n b\n}", ["a", "b"]),
        ("host,\nother {\n a\n}", ["a"]),
        ('h {\n a "b c" `d "e"` "f\\"g"\n}', ['a b c d "e" f"g']),
        ('h {\n a "b\n c" d\n e\n}', ["a b\n c d", "e"]),
        ("h { # comment\n # another\n a b#c #d\n}", ["a b#c"]),
        ("h {\n a b \\\n c\n}", ["a b c"]),
        ("(s) {\n a\n}\nh {\n import s\n b\n}", ["a", "b"]),
        ("log a\ngzip\n}", ["log a", "gzip"]),
        ("\ufeffh {\n\ta\r\n}\r\n", ["a"]),
        ('h {\n a "{" "}"\n}', ["a { }"]),
        ("", []),
    ],
)
def test_grammar(text: str, directives: list[str]) -> None:
    assert [str(directive) for site in parse(text) for directive in site.directives] == directives


def test_blocks_nest_and_lines_are_counted() -> None:
    (site,) = parse('h {\n\n a "x\ny" {\n  b {\n   c d\n  }\n }\n}')
    (a,) = site.directives
    (b,) = a.block
    assert [(d.name, d.args, d.line) for d in (a, b, *b.block)] == [
        ("a", ("x\ny",), 3), ("b", (), 5), ("c", ("d",), 6),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("h {\n a\n", 1),
        ("h {\n a {\n  b\n}", 1),
        ("h {\n a\n}\n}", 4),
        ("}", 1),
        ("h {\n {\n }\n}", 2),
        ('h {\n\n a "b\n}', 3),
        ("h {\n a { b\n }\n}", 2),
        ("h {\n a } b\n}", 2),
        ("h {\n a {\n } b\n}", 3),
        ("log\n}\n}", 2),
        ("h {\n" + " a {\n" * 20 + " }\n" * 20 + "}", 18),
        ("x" * (1 << 20) + "y", 1),
    ],
)
def test_mistakes_are_told_with_file_and_line(text: str, line: int) -> None:
    with pytest.raises(CaddyfileError, match=rf"^some/Caddyfile:{line}: "):
        parse(text, "some/Caddyfile")


# The configuration of 2.x


def test_the_configuration_of_2x() -> None:
    found = imported(CADDYFILE.read_text())
    specs = proxies(found)
    assert set(specs) == {
        "caddy-job", "caddy-kapis-jenkins-kubesphere-io", "caddy-kapis-devops-kubesphere-io-v1alpha",
        "caddy-kapis-devops-kubesphere-io-v1alpha2", "caddy-kapis-openpitrix-io", "caddy-kapis-logging-kubesphere-io",
        "caddy-kapis-alerting-kubesphere-io", "caddy-kapis-servicemesh-kubesphere-io",
        "caddy-kapis-metrics-kubesphere-io", "caddy-kapis-monitoring-kubesphere-io",
        "caddy-kapis-notification-kubesphere-io",
    }  # fmt: skip
    kept_out = {note.line for note in found.notes if note.effect == "left out" and note.directive.startswith("proxy")}
    assert kept_out == {17, 24, 46, 50, 54, 74, 81, 95}, "the paths that the platform serves itself, and no others"
    assert compiled(found.objects).problems == []
    assert specs["caddy-kapis-alerting-kubesphere-io"] == {
        "matcher": {"path": "/kapis/alerting.kubesphere.io/*", "method": "*"},
        "upstream": {"url": "http://alerting-client-server.kubesphere-alerting-system.svc:9200"},
        "directives": {"pathRegexp": [r"^/kapis/alerting\.kubesphere\.io /api"], "authProxy": True},
    }
    assert {obj["metadata"]["name"] for obj in found.objects if obj["kind"] == "GlobalRoleBinding"} == {
        "caddy-anybody", "caddy-any-user",
    }  # fmt: skip


def test_every_line_is_in_an_object_or_in_a_note() -> None:
    """A word that nobody knows, put into any block or between any two directives, is told with its line."""
    lines = CADDYFILE.read_text().splitlines()
    told_already = {note.line for note in imported("\n".join(lines)).notes}
    for place in range(2, len(lines)):
        text = "\n".join([*lines[:place], "frobnicate the gateway", *lines[place:]])
        inside = next((line for line in range(place, 0, -1) if lines[line - 1].endswith("{")), 0)
        told = [note for note in imported(text).notes if note.line == place + 1 and "frobnicate" in note.directive]
        block_is_left_out = inside in told_already and lines[inside - 1].startswith("proxy")
        assert told or block_is_left_out, (place, lines[place - 1])


def test_what_is_left_out_is_told_without_secrets() -> None:
    text = "authenticate {\n secret hunter2\n redis-url redis://:hunter2@redis:6379\n path /api\n}\n"
    told = imported(text).notes
    assert {note.directive.split()[0] for note in told} == {"authenticate", "secret", "redis-url", "path"}
    assert "hunter2" not in repr(told)


# Directives


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("proxy /a http://b", {"matcher": {"path": "/a/*", "method": "*"}, "upstream": {"url": "http://b"},
                               "directives": {"authProxy": True}}),
        ("proxy /a b:8080/c", {"upstream": {"url": "http://b:8080/c"}}),
        ("proxy /a https://b {\n insecure_skip_verify\n}", {"upstream": {"url": "https://b",
                                                                        "insecureSkipVerify": True}}),
        ("proxy /a :80 {\n without /a\n}", {"upstream": {"url": "http://localhost:80"},
                                            "directives": {"stripPathPrefix": "/a", "authProxy": True}}),
        ("proxy /a http://b/c {\n without /a\n}", {"upstream": {"url": "http://b"},
                                                   "directives": {"pathRegexp": ["^/a /c"], "authProxy": True}}),
        ("proxy /a http://b/c {\n without /other\n}", {"upstream": {"url": "http://b/c"},
                                                      "directives": {"stripPathPrefix": "/other", "authProxy": True}}),
        ("proxy /a http://b {\n header_upstream X 1\n header_upstream +Y 2\n header_upstream -Z\n"
         ' header_downstream Location "^http://b" "https://c"\n}',
         {"directives": {"headerUp": ["X: 1", "+Y: 2", "-Z"], "headerDown": ['Location "^http://b" "https://c"'],
                         "authProxy": True}}),
        ("proxy /a http://b {\n health_check /up\n health_check_interval 5s\n timeout 3s\n}",
         {"upstream": {"url": "http://b", "healthCheck": {"url": "/up", "interval": "5s"}},
          "directives": {"timeouts": {"firstByte": "3s"}, "authProxy": True}}),
        ("proxy /a http://b\nheader / -Server\nheader /a {\n X 1\n}",
         {"directives": {"headerDown": ["-Server", "X: 1"], "authProxy": True}}),
        ("proxy /a http://b\nrewrite /a/old /a/new{path}",
         {"directives": {"rewrite": ["/a/old /a/new{path}"], "authProxy": True}}),
        ("proxy /a http://b\nredir /a/old https://c/ 308",
         {"directives": {"redirect": ["/a/old https://c/ 308"], "authProxy": True}}),
        ("proxy /a http://b\nredir /a/old /a/new\nredir https://c{uri} 302",
         {"directives": {"redirect": ["/a/old /a/new 301", "* https://c{uri} 302"], "authProxy": True}}),
        ("h {\n reverse_proxy /a/* b:80 c:80\n}", {"matcher": {"path": "/a/*", "method": "*"},
                                                   "upstream": {"url": "http://b:80"}}),
        ("h {\n @m {\n  path /a /b/*\n  method get\n }\n reverse_proxy @m b\n}",
         {"matcher": [{"path": "/a", "method": "GET"}, {"path": "/b/*", "method": "GET"}]}),
        ("h {\n handle_path /a/* {\n  rewrite * /x{uri}\n  reverse_proxy b\n }\n}",
         {"matcher": {"path": "/a/*", "method": "*"},
          "directives": {"rewrite": ["* /x{uri}"], "stripPathPrefix": "/a", "authProxy": True}}),
        ("h {\n handle /a/* {\n  uri strip_suffix .html\n  uri replace x y\n  method POST\n  header X 1\n"
         "  request_header -Y\n  reverse_proxy b {\n   header_up Z 1\n   transport http {\n    tls\n"
         "    tls_insecure_skip_verify\n    dial_timeout 1s\n   }\n  }\n }\n}",
         {"upstream": {"url": "https://b", "insecureSkipVerify": True},
          "directives": {"headerUp": ["Z: 1", "-Y"], "timeouts": {"connect": "1s"}, "stripPathSuffix": ".html",
                         "replace": ["x y"], "method": "POST", "headerDown": ["X: 1"], "authProxy": True}}),
    ],
)  # fmt: skip
def test_directives(text: str, expected: dict) -> None:
    spec = only(text)
    assert {key: spec[key] for key in expected} == expected


def test_a_rewrite_moves_a_request_to_the_route_of_its_new_path() -> None:
    specs = proxies(imported("proxy /a http://b\nproxy /c http://d\nrewrite /c/old /a/new"))
    assert specs["caddy-c-old"]["upstream"] == {"url": "http://b"}
    assert specs["caddy-c-old"]["directives"]["rewrite"] == ["/c/old /a/new"]
    assert "rewrite" not in specs["caddy-a"]["directives"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tls off\nproxy /a b", ["1 left out tls off", "2 differs proxy /a b"]),
        ("h.example:80 {\n reverse_proxy /a/* b\n}", ["1 left out h.example:80"]),
        ("{\n debug\n}\nh {\n}", ["1 left out {", "4 left out h"]),
        ("h {\n reverse_proxy /a/* unix//run/x\n}", ["1 left out h", "2 left out reverse_proxy /a/* unix//run/x"]),
        ("h {\n reverse_proxy /a/*\n}", ["1 left out h", "2 left out reverse_proxy /a/*"]),
        ("h {\n reverse_proxy /a/* b c\n}", ["1 left out h", "2 left out c"]),
        ("h {\n reverse_proxy b\n}", ["1 left out h", "2 left out reverse_proxy b"]),
        ("h {\n reverse_proxy /*/a b\n}", ["1 left out h", "2 left out reverse_proxy /*/a b"]),
        ("h {\n @m header X y\n reverse_proxy @m b\n}", ["1 left out h", "3 left out reverse_proxy @m b"]),
        ("h {\n reverse_proxy /a/* b {\n  lb_policy first\n }\n}", ["1 left out h", "3 left out lb_policy first"]),
        ("h {\n reverse_proxy /a/* b {\n  header_up Host {host}\n }\n}",
         ["1 left out h", "3 left out header_up Host {host}"]),
        ("h {\n reverse_proxy /a/* b {\n  header_up X-Remote-User root\n }\n}",
         ["1 left out h", "3 left out header_up X-Remote-User root"]),
        ("h {\n reverse_proxy /a/* b\n header /a/b/* X 1\n}", ["1 left out h", "3 left out header /a/b/* X 1"]),
        ("h {\n reverse_proxy /a/* b\n rewrite /a/x /{env.HOME}\n}",
         ["1 left out h", "3 left out rewrite /a/x /{env.HOME}"]),
        ("h {\n reverse_proxy /a/* b\n redir /a/x https://{hostonly}{uri}\n}",
         ["1 left out h", "3 left out redir /a/x https://{hostonly}{uri}"]),
        ("h {\n handle /a/* {\n  uri path_regexp (a+)+ b\n  method 7\n  reverse_proxy b\n }\n}",
         ["1 left out h", "3 left out uri path_regexp (a+)+ b", "4 left out method 7"]),
        ("proxy /a b\nrewrite /oauth/x /a/y", ["1 differs proxy /a b", "2 left out rewrite /oauth/x /a/y"]),
        ("h {\n reverse_proxy /a/* b\n redir /z /y\n}", ["1 left out h", "3 left out redir /z /y"]),
        ("h {\n import other.conf\n}", ["1 left out h", "2 left out import other.conf"]),
    ],
)  # fmt: skip
def test_what_is_not_taken_over_is_told(text: str, told: list[str]) -> None:
    assert notes(text) == told


# Whatever the text

_WORDS = st.sampled_from(
    ["proxy", "reverse_proxy", "/a", "/a/*", "http://b/c", "b:80", "{", "}", "\n", "\n", "\n", " ", " ", '"', "`", "#",
     "except", "authenticate", "authentication", "*", "GET", "/kapis/x.io/v1/y", "rewrite", "header", "header_upstream",
     "without", "@m", "path", "method", "handle_path", "redir", "uri", "strip_prefix", "import", "(s)", "\\\n",
     "{path}",
     "//", "/%zz", "https://[::1", "http://b:99999", "é", "\x00", "-X", "+", "health_check", "timeout", "transport",
     "path_regexp", "(a+)+", "to", "X", "301"]
)  # fmt: skip


@given(st.lists(_WORDS, max_size=40).map(" ".join) | st.text(max_size=60))
@example("h {\n reverse_proxy /a/* http://b {\n health_check x\n timeout never\n }\n}")
@example("h {\n reverse_proxy /a//b http://b\n}")
def test_any_text_is_imported_or_refused_with_a_line(text: str) -> None:
    lines = range(1, text.count("\n") + 2)
    try:
        found = imported(text)
    except CaddyfileError as refused:
        error = refused
    else:
        error = None
    if error is not None:
        assert str(error).startswith(f"Caddyfile:{error.line}: ")
        assert error.line in lines
        return
    assert not [problem for problem in compiled(found.objects).problems if problem.reason in ("Invalid", "Reserved")]
    names = [(obj["kind"], obj["metadata"]["name"]) for obj in found.objects]
    assert len(names) == len(set(names))
    assert all(note.line in lines for note in found.notes)


# The command


def test_the_command(tmp_path: Path) -> None:
    place = tmp_path / "Caddyfile"
    place.write_text("proxy /job http://jenkins.devops.svc {\n policy random\n}\n")
    plain = CliRunner().invoke(dovetail, ["gateway", "import", str(place)])
    (obj,) = yaml.safe_load_all(plain.stdout)
    assert obj["metadata"]["annotations"] == {"dovetail.dev/imported-from": "Caddyfile:1"}
    assert "Caddyfile:2: policy random: left out: " in plain.stderr

    as_json = json.loads(CliRunner().invoke(dovetail, ["gateway", "import", str(place), "--output", "json"]).stdout)
    assert as_json["objects"] == [obj]
    assert [(note["line"], note["effect"]) for note in as_json["notes"]] == [(1, "differs"), (2, "left out")]

    into = tmp_path / "objects"
    arguments = ["gateway", "import", str(place), "--output-dir", str(into), "--name-prefix", "old"]
    written = CliRunner().invoke(dovetail, arguments)
    assert written.stdout.split() == [str(into / "reverseproxy-old-job.yaml")]
    assert yaml.safe_load((into / "reverseproxy-old-job.yaml").read_text())["spec"] == obj["spec"]


def test_the_command_refuses_what_is_no_caddyfile(tmp_path: Path) -> None:
    place = tmp_path / "Caddyfile"
    place.write_text("host {\n")
    result = CliRunner().invoke(dovetail, ["gateway", "import", str(place)])
    assert "Caddyfile:1: the block that begins here is not closed" in str(result.exception)
    assert not result.stdout
