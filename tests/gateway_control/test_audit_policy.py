"""The policy of the audit and how it is read: first match wins, as in Kubernetes; what is not understood is refused."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dovetail.gateway.audit.policy import DEFAULT, AuditPolicy, AuditRule, decide
from dovetail.gateway.audit.reading import BadConfiguration, read_policy, read_webhook
from dovetail.gateway.audit.redaction import is_secret, redacted_body, redacted_uri
from dovetail.iam.attributes import parse

# The example of Kubernetes' own documentation (tasks/debug/debug-cluster/audit), shortened.
KUBERNETES = """
apiVersion: audit.k8s.io/v1
kind: Policy
maxBodyBytes: 1024
omitStages: ["RequestReceived"]
rules:
  - level: RequestResponse
    resources:
    - group: ""
      resources: ["pods"]
  - level: Metadata
    resources:
    - group: ""
      resources: ["pods/log", "pods/status"]
  - level: None
    resources:
    - group: ""
      resources: ["configmaps"]
      resourceNames: ["controller-leader"]
  - level: None
    users: ["system:kube-proxy"]
    verbs: ["watch"]
    resources:
    - group: ""
      resources: ["endpoints", "services"]
  - level: None
    userGroups: ["system:authenticated"]
    nonResourceURLs: ["/api*", "/version"]
  - level: Request
    resources:
    - group: ""
      resources: ["configmaps"]
    namespaces: ["kube-system"]
  - level: Metadata
    resources:
    - group: ""
      resources: ["secrets", "configmaps"]
  - level: Request
    resources:
    - group: ""
    - group: "extensions"
"""
AUTHENTICATED = ("system:authenticated",)


@pytest.mark.parametrize(
    ("method", "path", "user", "level"),
    [
        ("GET", "/api/v1/namespaces/a/pods/x", "u", "RequestResponse"),
        ("GET", "/api/v1/namespaces/a/pods/x/log", "u", "Metadata"),
        ("GET", "/api/v1/namespaces/a/pods/x/exec", "u", "Request"),
        ("GET", "/api/v1/namespaces/a/configmaps/controller-leader", "u", "None"),
        ("GET", "/api/v1/namespaces/a/configmaps/other", "u", "Metadata"),
        ("GET", "/api/v1/namespaces/kube-system/configmaps/other", "u", "Request"),
        ("GET", "/api/v1/services?watch=true", "system:kube-proxy", "None"),
        ("GET", "/api/v1/services?watch=true", "u", "Request"),
        ("GET", "/api/v1/services", "system:kube-proxy", "Request"),
        ("GET", "/apis", "u", "None"),
        ("GET", "/version", "u", "None"),
        ("GET", "/versions", "u", "None"),
        ("GET", "/apis/apps/v1/deployments", "u", "None"),
    ],
)
def test_a_policy_of_kubernetes_means_here_what_it_means_there(method: str, path: str, user: str, level: str) -> None:
    bare, _, query = path.partition("?")

    assert decide(read_policy(KUBERNETES), user, AUTHENTICATED, parse(method, bare, query)).level == level


def test_paths_and_groups_of_any_name_are_ours() -> None:
    policy = AuditPolicy(
        rules=(AuditRule(level="None", paths=("/kapis/noisy.io/*",), verbs=("*",)), AuditRule(level="Metadata"))
    )

    assert decide(policy, "u", (), parse("GET", "/kapis/noisy.io/v1/things")).level == "None"
    assert decide(policy, "u", (), parse("GET", "/kapis/noisy.iox/v1/things")).level == "Metadata"


@given(st.text(), st.lists(st.text()), st.sampled_from(["GET", "POST", "FOO"]), st.text(alphabet="/ab%?*.:"))
def test_by_default_everything_is_recorded(user: str, groups: list[str], method: str, path: str) -> None:
    assert decide(DEFAULT, user, groups, parse(method, f"/x{path}")).level == "Metadata"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expected `object`"),
        ("[1", "policy.yaml"),
        ("apiVersion: v1\nkind: Policy\nrules: []", "audit.k8s.io/v1"),
        ("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Everything}]", "Everything"),
        ("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None, user: [a]}]", "user"),
        ("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Request}]", "maxBodyBytes"),
        ("apiVersion: audit.k8s.io/v1\nkind: Policy\nmaxBodyBytes: 999999\nrules: []", "maxBodyBytes"),
        ("a: &a [x,x,x,x,x,x,x,x,x]\n" + "\n".join(f"k{n}: &b{n} [*a,*a,*a,*a]" for n in range(9)), "policy.yaml"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_place(text: str, said: str) -> None:
    with pytest.raises(BadConfiguration, match=r"policy\.yaml") as caught:
        read_policy(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "url: ftp://a",
        "url: http://collector.example.org/",
        "url: https://user:password@collector.example.org/",
        "url: https://a/\ncaBundle: nonsense",
        "url: https://a/\nmaxBatch: 0",
        "url: https://a/\ntokn: x",
    ],
)
def test_a_webhook_that_would_be_unsafe_is_refused(text: str) -> None:
    with pytest.raises(BadConfiguration):
        read_webhook(text)


def test_a_webhook() -> None:
    webhook = read_webhook("url: https://collector.example.org/k8s\ntokenSecret: {name: collector}\nmaxBatch: 10")

    assert webhook.token_secret is not None
    assert (webhook.token_secret.name, webhook.token_secret.key, webhook.max_batch) == ("collector", "token", 10)


@pytest.mark.parametrize(
    ("target", "recorded"),
    [
        ("/a?token=x", "/a?token=REDACTED"),
        ("/a?b=1&access_token=x&c=2", "/a?b=1&access_token=REDACTED&c=2"),
        ("/a?%61ccess_token=x", "/a?%61ccess_token=REDACTED"),
        ("/a?%2561ccess_token=x", "/a?%2561ccess_token=REDACTED"),
        ("/a?X-Amz-Signature=x;password=y", "/a?X-Amz-Signature=REDACTED;password=REDACTED"),
        ("/a?code=x&state=y", "/a?code=REDACTED&state=REDACTED"),
        ("/a?keyword=x&author=y&continue=z", "/a?keyword=x&author=y&continue=z"),
        ("http://user:secret@host/a?b=1", "/a?b=1"),
        ("http://user:secret@host", "/"),
        ("/a?next=http://b/", "/a?next=http://b/"),
        ("", ""),
    ],
)
def test_a_query_is_recorded_without_its_secrets(target: str, recorded: str) -> None:
    assert redacted_uri(target) == recorded


@given(st.sampled_from(["token", "client_secret", "PASSWORD", "apiKey"]), st.text(alphabet="sS3crT", min_size=6))
def test_no_value_of_a_secret_stays_in_a_query_or_a_body(name: str, value: str) -> None:
    assert value not in redacted_uri(f"/p?x=1&{name}={value}&y=2")
    assert value not in str(redacted_body({"a": [{name: value}]}))


def test_of_a_secret_only_the_keys_are_recorded() -> None:
    secret = {"kind": "Secret", "data": {"tls.key": "abc"}, "metadata": {"name": "s"}}

    assert redacted_body({"kind": "List", "items": [secret]})["items"][0]["data"] == {"tls.key": "REDACTED"}
    assert redacted_body({"items": [{"data": {"a": "b"}}]}, secret_kind=True)["items"][0]["data"] == {"a": "REDACTED"}
    assert not is_secret("secretName")


def test_the_examples_of_the_documentation_are_good() -> None:
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()
    found = [yaml.safe_load(block)["data"] for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]

    policy = read_policy(next(data["policy.yaml"] for data in found if "policy.yaml" in data))
    assert decide(policy, "prometheus", AUTHENTICATED, parse("GET", "/metrics")).level == "None"
    assert decide(policy, "u", AUTHENTICATED, parse("GET", "/metrics")).level == "Metadata"
    assert (
        decide(policy, "u", (), parse("POST", "/apis/extensions.kubesphere.io/v1alpha1/apiservices")).level == "Request"
    )
    assert read_webhook(next(data["webhook.yaml"] for data in found if "webhook.yaml" in data)).max_batch == 400
