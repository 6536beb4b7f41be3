"""Which names, terms and bodies a tree holds. What is inside an inner body belongs to that body."""

from collections.abc import Iterator, Sequence

from dovetail.iam.rego.syntax import (
    Call,
    Collection,
    Comprehension,
    Every,
    Literal,
    Name,
    Not,
    ObjectTerm,
    Ref,
    Some,
    SomeIn,
    Term,
    Test,
    Unify,
)


def terms_of(literal: Literal) -> Iterator[Term]:
    """The terms of a literal itself."""
    if isinstance(literal, Test):
        yield literal.term
    elif isinstance(literal, Unify):
        yield literal.left
        yield literal.right
    elif isinstance(literal, SomeIn):
        yield literal.value
        yield literal.collection
        if literal.key is not None:
            yield literal.key
    elif isinstance(literal, Every):
        yield literal.collection


def bodies_of(literal: Literal) -> list[Sequence[Literal]]:
    """The bodies inside a literal."""
    return [literal.body] if isinstance(literal, Not | Every) else []


def names_in(term: Term) -> Iterator[Name]:
    """The names of a term, without those in comprehensions."""
    if isinstance(term, Name):
        yield term
    else:
        for part in _parts(term):
            yield from names_in(part)


def free_names(term: Term) -> Iterator[str]:
    """The names of a term that may be variables of the body around, those in comprehensions too."""
    if isinstance(term, Name):
        yield term.text
    elif isinstance(term, Comprehension):
        heads = [term.value] if term.key is None else [term.key, term.value]
        own = declared_by(term.body)
        names = (name for head in heads for name in free_names(head))
        yield from (name for name in (*names, *free_in(term.body)) if name not in own)
    else:
        for part in _parts(term):
            yield from free_names(part)


def free_in(literals: Sequence[Literal]) -> set[str]:
    """The names of a body that may be variables of the body around."""
    names = {name for literal in literals for term in terms_of(literal) for name in free_names(term)}
    for literal in literals:
        for body in bodies_of(literal):
            inside = set(free_in(body))
            if isinstance(literal, Every):
                inside -= {*pattern_names(literal.key), *pattern_names(literal.value)}
            names |= inside
    return names - declared_by(literals)


def _parts(term: Term) -> Sequence[Term]:
    if isinstance(term, Ref):
        return (term.head, *term.path)
    if isinstance(term, Call):
        return term.args
    if isinstance(term, Collection):
        return term.items
    if isinstance(term, ObjectTerm):
        return [part for pair in term.items for part in pair]
    return ()


def pattern_names(pattern: Term | None) -> Iterator[str]:
    """The names that a pattern gives values to."""
    if isinstance(pattern, Name):
        if pattern.text != "_":
            yield pattern.text
    elif isinstance(pattern, Collection) and pattern.kind == "array":
        for item in pattern.items:
            yield from pattern_names(item)
    elif isinstance(pattern, ObjectTerm):
        for _, value in pattern.items:
            yield from pattern_names(value)


def declared_by(literals: Sequence[Literal]) -> set[str]:
    """The names that a body declares by `:=` and `some`."""
    names: set[str] = set()
    for literal in literals:
        if isinstance(literal, Some):
            names |= set(literal.names)
        elif isinstance(literal, SomeIn):
            names |= {*pattern_names(literal.key), *pattern_names(literal.value)}
        elif isinstance(literal, Unify) and literal.declares:
            names |= set(pattern_names(literal.left))
    return names
