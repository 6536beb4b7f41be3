"""The digest of a rendering: the same for the same content, blind only where two renderings differ."""

from dovetail.helm.expecting import Expected, digest, expected, fits, leaves

FIRST = {
    "c/templates/a.yaml": "kind: A\nspec: {token: x1, size: 3}\n---\nkind: B\nlist: [1, 2]\n",
    "c/templates/NOTES.txt": "at 12:00",
}
SECOND = {
    "c/templates/a.yaml": "kind: A\nspec: {size: 3, token: x2}\n---\n# said\nkind: B\nlist: [1, 2]\n",
    "c/templates/NOTES.txt": "at 12:01",
}


def approved() -> Expected:
    return expected(leaves(FIRST), leaves(SECOND))


def test_only_what_differs_is_left_out() -> None:
    assert approved().varying == ("c/templates/a.yaml#0/spec/token",)


def test_a_third_rendering_fits_with_another_random_value() -> None:
    third = {"c/templates/a.yaml": FIRST["c/templates/a.yaml"].replace("x1", "x3")}
    assert fits(approved(), third)


def test_every_other_change_is_seen() -> None:
    text = FIRST["c/templates/a.yaml"]
    for changed in (
        text.replace("size: 3", "size: 4"),
        text.replace("size: 3", "size: '3x'"),
        text.replace(", size: 3", ""),
        text.replace("[1, 2]", "[1]"),
        text.replace("[1, 2]", "[2, 1]"),
        text.replace("kind: B", "kind: C"),
        text + "---\nkind: D\n",
        text.partition("---")[0],
    ):
        assert not fits(approved(), {"c/templates/a.yaml": changed}), changed
    assert not fits(approved(), {"c/templates/b.yaml": text})
    assert not fits(approved(), FIRST, [("crds/x.yaml", "kind: CustomResourceDefinition\n")])


def test_comments_and_the_order_of_keys_are_no_change() -> None:
    assert digest(leaves({"a": "b: 1\nc: 2\n"})) == digest(leaves({"a": "# c\nc: 2\nb: 1\n"}))


def test_what_is_no_yaml_still_has_a_digest() -> None:
    assert digest(leaves({"a": "{b: ["})) != digest(leaves({"a": "{b: [ c"}))


def test_what_runs_and_what_may_be_done_is_never_left_out() -> None:
    for first, second in (
        ("kind: A\nimage: good\n", "kind: A\nimage: evil\n"),
        ("kind: A\n", "kind: A\n---\nkind: ClusterRoleBinding\n"),
        ("kind: ConfigMap\n", "kind: Pod\n"),
        ("kind: Role\nx: [{y: 1}]\n", "kind: Role\nx: [{y: 2}]\n"),
        ("kind: A\nspec: {command: [a]}\n", "kind: A\nspec: {command: [b]}\n"),
        ("kind: A\nlist: [1]\n", "kind: A\nlist: [1, 2]\n"),
    ):
        wanted = expected(leaves({"t": first}), leaves({"t": second}))
        assert wanted.varying == ()
        assert wanted.unstable
        assert not fits(wanted, {"t": second})


def test_checksums_and_passwords_may_differ() -> None:
    first, second = (
        f"kind: Deployment\nmetadata: {{name: job-{one}, annotations: {{sum: {one}}}}}\nenv: [{{value: {one}}}]\n"
        for one in ("a", "b")
    )
    wanted = expected(leaves({"t": first}), leaves({"t": second}))
    assert (len(wanted.varying), wanted.unstable) == (3, ())
