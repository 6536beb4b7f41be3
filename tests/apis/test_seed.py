"""Every YAML example of the seed document is accepted as printed and means what the text says."""

import pytest

from dovetail.apis import dialects
from dovetail.apis.errors import InvalidObject
from tests.apis.documents import seed_examples, shape_examples
from tests.apis.schemas import refusals

READERS = {
    "APIService": dialects.api_service,
    "JSBundle": dialects.js_bundle,
    "ReverseProxy": dialects.reverse_proxy,
    "Category": dialects.category,
    "Repository": dialects.repository,
    "Extension": dialects.extension,
    "ExtensionVersion": dialects.extension_version,
    "Subscription": dialects.install_plan,
}


@pytest.fixture(params=[seed_examples, shape_examples], ids=["seed", "shape"])
def examples(request):
    return request.param()


def test_nothing_printed_is_left_out(examples):
    assert set(examples) == set(READERS)


@pytest.mark.parametrize("kind", READERS)
def test_is_accepted_as_printed(examples, kind):
    assert refusals(examples[kind]) == []


def test_api_service(examples):
    model = dialects.api_service(examples["APIService"])
    assert (model.group, model.version) == ("devops.kubesphere.io", "v1alpha1")
    assert (model.backend.scheme, model.backend.host, model.backend.port) == (
        "https", "ks-devops.kubesphere-devops-system.svc", 443,
    )  # fmt: skip
    assert model.backend.service == dialects.ServiceRef("kubesphere-devops-system", "ks-devops", 443)


def test_api_service_with_the_lines_that_are_commented_out(examples):
    example = examples["APIService"]
    service = {"namespace": "kubesphere-devops-system", "name": "ks-devops", "path": "/v1alpha1", "port": 80}
    spec = {**example["spec"], "insecureSkipTLSVerify": True, "caBundle": "", "service": service}
    del spec["url"]
    obj = {**example, "spec": spec}
    assert refusals(obj) == []
    backend = dialects.api_service(obj).backend
    assert backend.insecure_skip_verify
    assert backend.path == "/v1alpha1"
    assert backend.service == dialects.ServiceRef("kubesphere-devops-system", "ks-devops", 80)


def test_js_bundle(examples):
    model = dialects.js_bundle(examples["JSBundle"])
    assert model.link == dialects.bundle_link(examples["JSBundle"]) == "/dist/devops/index.js"
    assert model.backend is not None
    assert model.backend.path == "/dist/devops.kubesphere.io/v1alpha1/index.js"


def test_reverse_proxy(examples):
    model = dialects.reverse_proxy(examples["ReverseProxy"])
    assert model.matchers == (dialects.Matcher("/res/devops.kubesphere.io/images/*", "GET"),)
    assert model.backend.host == "ks-devops.kubesphere-system.svc"
    assert not model.backend.insecure_skip_verify
    assert "placeholder" in model.backend.note
    assert model.health_check == dialects.HealthCheck(url="/healthz", interval=15.0, timeout=15.0, status="200")
    assert [(pair.first, pair.second) for pair in model.rewrites] == [("/old-prefix/*", "/new-prefix{path}")]
    edit = dialects.HeaderEdit(op="set", name="Foo", value="Bar")
    assert (model.header_up, model.header_down) == ((edit,), (edit,))


def test_category(examples):
    assert dialects.category(examples["Category"]).display_name == {"en": "DevOps"}


def test_repository(examples):
    model = dialects.repository(examples["Repository"])
    assert model.image == examples["Repository"]["spec"]["image"]
    assert model.interval == 600.0
    assert model.publisher == "admin@kubesphere.io"
    assert model.display_name == {"en": "Builtin Repository"}


def test_extension_labels_are_the_documents_own_mistake(examples):
    with pytest.raises(InvalidObject) as caught:
        dialects.extension(examples["Extension"])
    (mistake,) = caught.value.errors
    assert mistake.path == "metadata.labels"
    assert "must be a map" in mistake.message
    assert "extensions.kubesphere.io/category: devops" in mistake.message


def test_extension_once_the_labels_are_a_map(examples):
    example = examples["Extension"]
    key, _, value = example["metadata"]["labels"].partition("=")
    model = dialects.extension({**example, "metadata": {**example["metadata"], "labels": {key: value}}})
    assert model.category == "devops"
    assert model.state == "Installed"
    assert model.installed_version == model.recommended_version == "v0.10.1"
    assert model.info.maintainers[0].name == "kubesphere"


def test_extension_version(examples):
    model = dialects.extension_version(examples["ExtensionVersion"])
    assert (model.extension, model.version) == ("devops", "0.10.0")
    assert model.kube_version == ">=1.17.0"
    assert model.repository == "builtin"
    assert model.sources == ("https://github.com/kubesphere/ks-devops",)


def test_subscription(examples):
    model = dialects.install_plan(examples["Subscription"])
    assert (model.extension, model.version, model.enabled) == ("devops", "0.10.0", True)
    assert model.target_namespace == "kubesphere-devops-system"
    assert model.config == "foo: bar"
    assert model.from_subscription
