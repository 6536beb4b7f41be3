"""Foreign objects of either dialect, read into one model a kind.

The seed printed `kubesphere.io/v1alpha1` APIService, JSBundle, ReverseProxy and Subscription with their own spellings;
today's packages use `extensions.kubesphere.io/v1alpha1` and InstallPlan. Each function here takes an object of either
and returns a frozen value whose texts are already parsed (durations in seconds, header edits, PEM), or raises
`InvalidObject` with one FieldError for each mistake. The mapping is reference/kubesphere-core.md 2.8. Pure.
"""

from dovetail.apis.dialects.api_service import APIService, api_service
from dovetail.apis.dialects.backend import Backend, ServiceRef, service_of_host
from dovetail.apis.dialects.catalogue import (
    Category,
    Dependency,
    Extension,
    ExtensionEntry,
    ExtensionVersion,
    Repository,
    category,
    extension,
    extension_entry,
    extension_version,
    repository,
)
from dovetail.apis.dialects.header_edits import HeaderEdit
from dovetail.apis.dialects.install_plan import InstallPlan, install_plan
from dovetail.apis.dialects.js_bundle import JSBundle, bundle_link, js_bundle
from dovetail.apis.dialects.meta import Meta, State
from dovetail.apis.dialects.resilience import HealthCheck
from dovetail.apis.dialects.reverse_proxy import Matcher, ReverseProxy, reverse_proxy

__all__ = [
    "APIService",
    "Backend",
    "Category",
    "Dependency",
    "Extension",
    "ExtensionEntry",
    "ExtensionVersion",
    "HeaderEdit",
    "HealthCheck",
    "InstallPlan",
    "JSBundle",
    "Matcher",
    "Meta",
    "Repository",
    "ReverseProxy",
    "ServiceRef",
    "State",
    "api_service",
    "bundle_link",
    "category",
    "extension",
    "extension_entry",
    "extension_version",
    "install_plan",
    "js_bundle",
    "repository",
    "reverse_proxy",
    "service_of_host",
]
