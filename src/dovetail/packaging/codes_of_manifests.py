"""The explanations of findings about templates, rendered objects, permissions, images and values (see `codes`)."""

# ruff: noqa: E501 - a sentence a line: the blocks are text

from typing import Final

BLOCKS: Final = """
render-failed
The templates do not render with the default values.
Neither does an install with the default values.
Correct the template at the place that is named, or give the value that it needs in values.yaml.

kubernetes-unsupported
The extension does not support the version of Kubernetes that it was rendered for.
Helm refuses to install it there.
Correct `kubeVersion` in extension.yaml, or give the version that you mean with `--kube-version`.

nothing-rendered
The package installs nothing.
A release without objects is green and does nothing; usually the tags or conditions of the dependencies are wrong.
Tag at least one sub-chart `extension`, and look at the conditions.

template-extension
A file in templates/ has an extension that Helm does not expect.
Helm renders it all the same and sends the result to the cluster.
Name it .yaml, .yml, .tpl or .txt, or move it out of templates/.

release-time
A template uses `.Release.Time`.
Helm removed it; the template does not render.
Use `now`, or leave the time out: objects that differ at every upgrade restart their pods.

crd-install-hook
A CRD uses the hook crd-install.
Helm 3 and 4 ignore it.
Put the CRD into the chart's crds/ folder.

first-line-indented
A template's first line is indented.
The document becomes a part of nothing; some parsers refuse it.
Begin the document at column 1.

manifest-not-yaml
A template renders to something that is not YAML.
Helm refuses the release.
Correct the indentation of the template; `ksbuilder template` shows what it renders to.

manifest-not-object
A template renders to a document without apiVersion, kind or name.
The cluster refuses it.
Add what is missing, or render nothing at all.

object-repeated
Two templates render the same object.
One overwrites the other, and with post-rendering (kustomize) the install fails.
Remove one of them.

object-name-invalid
An object's name is not possible for its kind.
The cluster refuses it.
Use lower-case letters, digits and hyphens, at most 63 characters.

object-invalid
An object of the platform's own kinds breaks its schema.
The cluster refuses it, or the platform reports it in the object's status and does not use it.
Correct the field that is named; `ksbuilder schema` prints the schema for your editor.

selector-missing
A workload has no selector.
The cluster refuses it.
Give `spec.selector.matchLabels`.

api-removed
An object uses an API version that Kubernetes has removed.
The cluster of that version refuses it.
Use the version that the fix names.

resource-policy-in-list
`helm.sh/resource-policy` is set on an item of a List.
Helm looks at whole documents only and deletes the item all the same.
Write the item as a document of its own.

crd-invalid
A CustomResourceDefinition is not valid.
The cluster refuses it, and everything that needs the kind.
Correct the field that is named.

image-unpinned
An image has no tag, or the tag `latest`.
What runs changes without a new version of the extension, and a bad image cannot be rolled back.
Give the image's version as its tag, or its digest.

image-without-digest
Images are named by tag only.
A tag can be moved; a digest cannot. `ksbuilder package --annex` writes the digests of the day.
Add `@sha256:...` where you can.

images-missing
extension.yaml does not list the images.
Mirrors and bundles for air-gapped sites are made from the list.
Add `images:`; `ksbuilder package --annex` writes what the templates use.

image-not-declared
An image that is used is not listed in extension.yaml.
It is missing from mirrors and air-gapped bundles.
Add it to `images`.

image-not-used
A listed image is not used by any object.
Mirrors carry it for nothing, or its name is misspelt. Images that an operator starts later are listed rightly.
Correct or remove it, unless the extension starts it at run time.

image-invalid
An image's name cannot be read.
No container runtime can pull it.
Write it as registry/name:tag.

image-registry-ignored
Images do not follow `global.imageRegistry`.
A site that sets one registry for all extensions still pulls from the internet.
Put `{{ .Values.global.imageRegistry }}` in front of the image's name.

node-selector-ignored
Pods do not follow `global.nodeSelector`.
A site that keeps extensions on certain nodes finds them elsewhere.
Merge `.Values.global.nodeSelector` into the pods' nodeSelector.

image-not-found
A registry does not have an image.
The pods never start.
Push the image, or correct its name.

image-architecture-missing
An image is not built for an architecture.
Pods on such nodes do not start. ARM machines are common in clusters by now.
Build the image for linux/amd64 and linux/arm64 (`docker buildx build --platform`).

image-not-asked
A registry could not be asked for an image.
Whether it exists is not known.
Check the network, or log in with `ksbuilder login`.

permission-missing
permissions.yaml does not allow what the package installs.
Helm acts as the extension's own account; the install, the upgrade or the removal is refused half-way.
Add the rule that is named. For cluster-wide objects it belongs into the ClusterRole.

permission-escalation
The package creates a role with rights that it does not have itself.
Kubernetes refuses to let anybody hand out more than they hold.
Add the rights to permissions.yaml, or the verbs `escalate` and `bind` on roles, which is nearly everything.

permission-everything
permissions.yaml asks for everything in the cluster.
The extension, and whoever breaks into it, is an administrator of the cluster.
List what is installed; `ksbuilder check` says what is needed.

permission-risky
A rule lets the extension become an administrator, or read everybody's secrets.
Reviewers ask for a reason for each of them.
Name the resources and verbs that are needed, with `resourceNames` where possible, or move the rule to the Role.

permission-group-unknown
A rule's apiGroup is not a group.
It is the name of a resource, or misspelt; the rule allows nothing.
Give the group of the API, such as `apiextensions.k8s.io`, and put the resource into `resources`.

permission-repeated
A rule is given twice.
Nobody knows which one to change.
Remove one.

permission-unused
A rule allows what nothing in the package needs.
Rights that are not needed are only of use to an attacker. Rights that the extension needs at run time belong to its own service account.
Remove the rule, unless other values of the package need it.

value-dead
A value in values.yaml is not used by any template.
Setting it does nothing, which users find out the hard way.
Correct its name or its place: values of a sub-chart belong below the sub-chart's name.
"""
