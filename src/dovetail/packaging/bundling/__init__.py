"""Bundles: one file with everything that a site without a network needs to install extensions.

    bundle.json                       what is in the bundle: every file with size and SHA-256, every package and image
    bundle.json.sha256                the SHA-256 of that
    index.yaml                        a Helm repository's index of the packages
    charts/NAME-VERSION.tgz[.prov]    the packages, and who signed them
    images/...                        an OCI layout (oci-layout, index.json, blobs/sha256/...) of their images

A bundle is a plain tar archive with members in this order, and nothing in it is left to chance: headers are the only
ones that could be there, padding is zero. So every byte has one right value, and the first that has not is told with
the name of its file. Unpacked, it is what `ksbuilder serve` and any tool for OCI layouts understand.
"""
