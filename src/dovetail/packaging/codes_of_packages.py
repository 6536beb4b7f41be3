"""The explanations of findings about a package's files and metadata (see `codes`)."""

# ruff: noqa: E501 - a sentence a line: the blocks are text

from typing import Final

BLOCKS: Final = """
archive-broken
The archive cannot be read.
A package is a gzip-compressed tar archive; this one is cut short, damaged, has bytes after its end, or is something else.
Build it again with `ksbuilder package`, or download it again and compare the digest.

chart-invalid
A chart inside the package would be refused by Helm.
Helm loads every chart of a package before it installs anything, so one bad Chart.yaml stops the whole extension.
Correct the Chart.yaml (or values.schema.json, or requirements.yaml) at the place that is named.

permissions-invalid
permissions.yaml cannot be understood as a whole.
Half of a permission file is a different permission file: nothing of it is granted, rather than what came before the fault.
Write each document like a Kubernetes ClusterRole or Role with `kind` and `rules`; every rule needs verbs, apiGroups and resources.

yaml-invalid
A file is not valid YAML.
Nothing after the fault can be read.
Correct the file at the line that is named; tabs and unquoted `: ` or `#` are the usual reasons.

too-large
A size limit is passed.
Helm refuses files over 5 MiB and packages over 100 MiB unpacked; chart repositories refuse archives over 20 MiB.
Move large files out of the package, or list them in `.helmignore`.

tree-unreadable
The directory cannot be read as an extension.
It is missing, is a file, has no extension.yaml, or its `.helmignore` has a rule that Helm does not understand.
Give the directory that holds extension.yaml, or correct the rule.

member-unsafe
A file has a name or a kind that no package may contain.
Links, devices, paths that lead out of the package and members given twice could write outside of it or mean different things to different readers.
Replace the link by the file, or rename the file, and build again.

package-invalid
The package cannot be read.
Something else than the cases with a code of their own.
Do what the sentence says.

metadata-missing
The package has no extension.yaml.
Only the oldest packages say everything in Chart.yaml; display names, categories and modes are lost.
Add extension.yaml and build the package with `ksbuilder package`.

identity-mismatch
extension.yaml and Chart.yaml name different extensions or versions.
Installers go by one, catalogues by the other: what is shown would not be what is installed.
Build the package again with `ksbuilder package`, which writes Chart.yaml from extension.yaml.

root-mismatch
The folder inside the archive is not named like the extension.
Helm looks for files below the chart's name.
Build the package again with `ksbuilder package`.

field-missing
A required field of extension.yaml is missing or empty.
The catalogue shows the field, and the published tool refuses packages without it.
Add the field.

wrong-type
A value in extension.yaml has the wrong shape.
A list where a mapping must be (or the other way round) cannot be converted.
Write the shape that is named.

unknown-key
A key of extension.yaml is not known.
It is ignored, which is how a typing error goes unnoticed.
Correct its name, or remove it.

key-case
A key is written in another case than documented.
It is understood, because the published tool understands it, but other readers may not.
Write it as the fix says.

text-not-quoted
A number or a boolean stands where text is wanted.
YAML reads `1.10` as the number 1.1 and `no` as false; what is packaged is not what was written.
Put the value in quotes.

repeated-key
A key is given twice in one mapping.
The later one counts and the first is lost without a word.
Remove one of them.

name-invalid
The extension's name cannot be used everywhere.
It becomes the name of a Helm release, of its agent's release and of a namespace, which are limited to lower-case letters, digits and hyphens.
Use lower-case letters, digits and hyphens, at most 47 characters.

version-invalid
The version is not semantic, or cannot be part of an object's name.
Versions are ordered by semantic versioning, and `<name>-<version>` names an object: no `+build`, no capitals.
Write MAJOR.MINOR.PATCH, for example 1.2.0 or 1.2.0-rc.1.

category-invalid
The category cannot be the name of an object.
It becomes a label and a Category object, and the cluster would refuse it.
Use one of the platform's categories; `ksbuilder category` lists them.

category-unknown
The category is not one that every platform has.
It is created at publish, without a translated title or an icon.
Use one of the platform's categories if one fits; `ksbuilder category` lists them.

namespace-invalid
The namespace is not a possible name.
The platform creates it at install.
Use lower-case letters, digits and hyphens.

language-invalid
A language is not a two-letter code of ISO 639-1.
The published tool refuses it. YAML 1.1 reads an unquoted `no` as false, which hits Norwegian.
Use two letters, such as en or zh; quote `"no"`.

english-missing
A translated text has no English version.
English is what most readers fall back to; Helm's description is the English one, and would be empty.
Add the key `en`.

languages-differ
The translated fields have different sets of languages.
A reader sees a page half in one language and half in another.
Translate displayName and description into the same languages.

external-dependency-invalid
An external dependency does not name an extension.
It could never be fulfilled, so the extension could never be installed.
Give the name of the extension that is needed.

constraint-invalid
A version constraint cannot be read.
A constraint that cannot be read fits no version: the extension is offered to nobody.
Write it like `>=1.2.0-0`, `^1.4` or `>=1.0.0 <2.0.0`.

constraint-excludes-vendors
A constraint on Kubernetes leaves out clusters of vendors.
Versions such as v1.30.0-tke.1 count as pre-releases, which `>=1.19.0` does not accept.
Write `>=1.19.0-0`.

dependency-invalid
A dependency has no name, a bad alias, or is given twice.
Helm refuses the chart.
Name each sub-chart once; give a second use of it an alias.

dependency-missing
A declared sub-chart is not in charts/.
Extensions carry their sub-charts; nothing is downloaded at install, so Helm refuses the package.
Add the chart to charts/, or remove the dependency.

dependency-nested-missing
A sub-chart declares a chart that it does not carry.
If its condition is ever switched on, nothing is installed for it and nobody is told.
Run `helm dependency update` in the sub-chart and pack again, or remove the dependency from its Chart.yaml.

sub-chart-undeclared
A sub-chart is not declared in dependencies.
It is installed in both releases, on the host and on every member, because no tag says otherwise.
Declare it with the tag `extension` or `agent`.

mode-invalid
installationMode is neither HostOnly nor Multicluster.
The cluster refuses the ExtensionVersion.
Use `HostOnly` or `Multicluster`.

agent-never-installed
A sub-chart is tagged agent, and the extension is HostOnly.
HostOnly extensions have no agents, so the sub-chart is never installed anywhere. The published scaffold has this fault.
Tag it `extension`, or set `installationMode: Multicluster`.

both-tags-never-installed
A sub-chart has both tags and a condition.
The published platform sets the condition of every agent sub-chart to false on the host and of every extension sub-chart to false on members, so it is never installed.
Remove one of the tags, or the condition.

condition-without-value
A condition names a value that values.yaml does not have.
Helm ignores a condition without a value, so the switch that it promises does not exist.
Add the value (true or false) to values.yaml.

icon-missing
The icon's file is not in the extension.
It is carried inside Chart.yaml, so the package cannot be built.
Add the file, or correct the path.

icon-large
The icon is large.
It is copied into Chart.yaml, into the repository's index and into two objects of the cluster.
Use an SVG, or a picture under 64 KiB.

screenshot-missing
A screenshot's file is not in the extension.
The catalogue shows a broken picture.
Add the file, or correct the path.

url-invalid
An address is not an absolute http(s) URL.
The catalogue links to it.
Write it with `https://`.

maintainer-invalid
A maintainer has no name, or an e-mail address that is none.
Helm's lint refuses it.
Give a name, and a plain address.

readme-missing
The extension has no README.md.
It is the page that the catalogue shows.
Add README.md, and README_zh.md for Chinese readers.

permissions-kind
permissions.yaml has a document that is neither ClusterRole nor Role.
It is ignored.
Put other objects into the templates.

secret-in-file
A file contains what looks like a credential.
Packages are public; what is in one is in every copy of it for ever.
Remove it, make the credential invalid, and let users give their own as a value.

file-unneeded
A file has no place in a package.
It was probably left behind by an editor, a package manager or version control, and makes the package larger.
List it in `.helmignore`.

file-large
A file is large.
The package travels through objects of the cluster that hold 1 MiB.
Leave it out, or fetch it at run time.

archive-large
The archive does not fit into a ConfigMap.
An object of a cluster holds 1 MiB. `ksbuilder publish` divides larger packages, which Dovetail puts together again and KubeSphere does not.
Leave files out with `.helmignore`, or offer the package in a repository.

bundle-unreadable
A bundle's header cannot be read.
What the bundle needs cannot be told before it runs.
Build it with a bundler that writes the SystemJS format, or as an ES module.

bundle-module-unknown
A bundle imports a module that the console does not provide.
The import fails and the page stays empty.
Carry the module in the bundle (take it off the list of externals).

bundle-export-unknown
A bundle uses an export that the console's module does not have.
It is undefined, which shows as an error when the page is drawn.
Use an export that exists, or carry the module in the bundle.

bundle-link-invalid
A JSBundle is served at a place that is not its extension's.
The cluster refuses a link outside of `/dist/<extension>`.
Set `status.link` to `/dist/<extension>/index.js`, or leave it out.

menu-parent-unknown
A menu entry's parent is no mount point of the console.
The entry is nowhere to be seen.
Use global, access, cluster, workspace, platformSettings or toolbox, or an item below one of them.

menu-parent-removed
A menu entry's parent was removed in KubeSphere 4.2.
The entry is shown elsewhere, or not at all, on newer platforms.
Use `global` in place of `topbar`, and `workspace` in place of `project`.
"""
