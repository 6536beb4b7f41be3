"""Tree -> something that runs: names are resolved, literals put in an order in which they can be done, loops made.

A reference with a variable that has no value yet (`verbs[_]`, `some i; xs[i]`) stands for all entries of a collection.
Such a reference is lifted out of the term it is in: the term gets a slot, and a step of its own before it fills the
slot with one entry after the other. After that every term has one value, or none.

The order: the first literal whose variables all have values goes next, whichever the author wrote first; when there is
none, a variable is unsafe and the module is refused. So is one whose rules lead back to themselves.
"""

from collections.abc import Iterable, Sequence

from dovetail.iam.rego import running, terms
from dovetail.iam.rego.builtins import FUNCTIONS
from dovetail.iam.rego.running import Body, Definition, Get, Match, Rule, Step
from dovetail.iam.rego.syntax import (
    Call,
    Clause,
    Collection,
    Comprehension,
    Every,
    Literal,
    Module,
    Name,
    Not,
    ObjectTerm,
    Ref,
    Scalar,
    Some,
    SomeIn,
    Term,
    Test,
    Unify,
)
from dovetail.iam.rego.values import RegoError
from dovetail.iam.rego.walking import declared_by, free_in, free_names, names_in, pattern_names, terms_of

_MOST_LITERALS = 60
_MOST_CLAUSES = 300


def compile_rules(module: Module) -> dict[str, Rule]:
    """The rules of a module by name. Raises RegoError."""
    if len(module.clauses) > _MOST_CLAUSES:
        raise RegoError(f"the module has more than {_MOST_CLAUSES} rules")
    by_name: dict[str, list[Clause]] = {}
    for clause in module.clauses:
        by_name.setdefault(clause.name, []).append(clause)
    kinds = {name: _kind(clauses) for name, clauses in by_name.items()}
    compiled = {name: _rule(module, kinds, name, clauses) for name, clauses in by_name.items()}
    _demand_acyclic({name: uses for name, (_, uses) in compiled.items()})
    return {name: rule for name, (rule, _) in compiled.items()}


def _kind(clauses: Sequence[Clause]) -> str:
    kinds = {(clause.kind, len(clause.args)) for clause in clauses}
    if len(kinds) > 1 or sum(clause.default for clause in clauses) > 1:
        raise RegoError(f"line {clauses[-1].line}: {clauses[0].name} is defined in ways that do not go together")
    return clauses[0].kind


def _rule(module: Module, kinds: dict[str, str], name: str, clauses: Sequence[Clause]) -> tuple[Rule, set[str]]:
    default: Get | None = None
    definitions: list[Definition] = []
    uses: set[str] = set()
    for clause in clauses:
        making = _Making(module, kinds, clause)
        if clause.default:
            default = making.closed(clause.value)
        else:
            definitions.append(making.definition())
        uses |= making.uses
    return Rule(name, kinds[name], definitions, default), uses


def _demand_acyclic(uses: dict[str, set[str]]) -> None:
    done: set[str] = set()

    def visit(name: str, on_the_way: tuple[str, ...]) -> None:
        if name in on_the_way:
            raise RegoError(f"{name} leads back to itself: " + " -> ".join((*on_the_way, name)))
        if len(on_the_way) > _MOST_LITERALS:
            raise RegoError("rules lead to rules too deeply")
        if name not in done:
            for other in sorted(uses[name]):
                visit(other, (*on_the_way, name))
            done.add(name)

    for name in uses:
        visit(name, ())


class _Scope:
    """The variables of one body; those of the bodies around it are seen through it."""

    def __init__(self, making: "_Making", around: "_Scope | None") -> None:
        self._making, self._around = making, around
        self.slots: dict[str, int] = {}

    def find(self, name: str) -> int | None:
        found = self.slots.get(name)
        return found if found is not None or self._around is None else self._around.find(name)

    def declare(self, name: str) -> int:
        slot = self.slots[name] = self._making.slot()
        return slot


class _Making:
    """One clause being compiled."""

    def __init__(self, module: Module, kinds: dict[str, str], clause: Clause) -> None:
        self._module, self._kinds, self._clause = module, kinds, clause
        self._slots = 0
        self.uses: set[str] = set()

    def slot(self) -> int:
        self._slots += 1
        return self._slots - 1

    def closed(self, term: Term) -> Get:
        """A term without variables."""
        return self._get(term, _Scope(self, None), set())

    def definition(self) -> Definition:
        clause, scope = self._clause, _Scope(self, None)
        bound: set[int] = set()
        for name in (name for arg in clause.args for name in pattern_names(arg)):
            if scope.find(name) is None:
                scope.declare(name)
        args = [self._match(arg, scope, bound) for arg in clause.args]
        key, value, body = self._headed(scope, bound, clause.body, clause.key, clause.value)
        return Definition(self._slots, args, body, key, value)

    def _headed(
        self, around: _Scope, bound: set[int], literals: Sequence[Literal], key: Term | None, value: Term
    ) -> tuple[Get | None, Get, Body]:
        """A body with the terms that are made for each of its solutions."""
        scope, bound = _Scope(self, around), set(bound)
        heads = [term for term in (key, value) if term is not None]
        steps = self._steps(scope, bound, literals, heads)
        lifted = [self._lifted(term, scope, bound, steps) for term in heads]
        gets = [self._get(term, scope, bound) for term in lifted]
        return (gets[0] if key is not None else None), gets[-1], Body(steps)

    def _steps(
        self, scope: _Scope, bound: set[int], literals: Sequence[Literal], heads: Sequence[Term] = ()
    ) -> list[Step]:
        if len(literals) > _MOST_LITERALS:
            raise RegoError(f"line {self._clause.line}: a body has more than {_MOST_LITERALS} literals")
        self._declare(scope, literals, heads)
        waiting = [literal for literal in literals if not isinstance(literal, Some)]
        steps: list[Step] = []
        while waiting:
            ready = next((one for one in waiting if self._ready(one, scope, bound)), None)
            if ready is None:
                raise RegoError(f"line {self._clause.line}: {self._clause.name}: a variable never gets a value")
            waiting.remove(ready)
            steps += self._literal(ready, scope, bound)
        return steps

    def _declare(self, scope: _Scope, literals: Sequence[Literal], heads: Sequence[Term]) -> None:
        """Give slots to the variables of a body: those that it declares, and those that mean nothing else."""
        assigned = [
            name for one in literals if isinstance(one, Unify) and one.declares for name in pattern_names(one.left)
        ]
        if len(assigned) != len(set(assigned)):
            raise RegoError(f"line {self._clause.line}: {self._clause.name}: a variable is assigned twice")
        for name in sorted(declared_by(literals)):
            scope.declare(name)
        found = [*heads, *(term for literal in literals for term in terms_of(literal))]
        for name in (name.text for term in found for name in names_in(term)):
            if scope.find(name) is None and not self._means(name):
                scope.declare(name)

    def _means(self, name: str) -> bool:
        return name in {"_", "input", "data"} or name in self._module.imports or name in self._kinds

    def _free(self, names: Iterable[str], scope: _Scope, bound: set[int]) -> bool:
        """Whether one of these names is a variable that has no value yet."""
        slots = (scope.find(name) for name in names)
        return any(slot is not None and slot not in bound for slot in slots)

    def _ready(self, literal: Literal, scope: _Scope, bound: set[int]) -> bool:
        if isinstance(literal, Test):
            return not self._unsafe(literal.term, scope, bound)
        if isinstance(literal, SomeIn):
            return not self._unsafe(literal.collection, scope, bound)
        if isinstance(literal, Every):
            inside = free_in([literal])
            return not self._unsafe(literal.collection, scope, bound) and not self._free(inside, scope, bound)
        if isinstance(literal, Not):
            return not self._free(free_in(literal.body), scope, bound)
        assert isinstance(literal, Unify)
        left, right = self._unsafe(literal.left, scope, bound), self._unsafe(literal.right, scope, bound)
        return (not left and not right) or self._source(literal, scope, bound) is not None

    def _source(self, literal: Unify, scope: _Scope, bound: set[int]) -> tuple[Term, Term] | None:
        """(pattern, term): the side that takes the value of the other."""
        for pattern, term in ((literal.left, literal.right), (literal.right, literal.left)):
            if not self._unsafe(term, scope, bound) and not self._unsafe(pattern, scope, bound, pattern=True):
                return pattern, term
        return None

    def _unsafe(self, term: Term, scope: _Scope, bound: set[int], *, pattern: bool = False) -> bool:
        """Whether a term needs a variable that has no value yet. A lookup key or a part of a pattern gets one."""
        if isinstance(term, Name):
            slot = scope.find(term.text)
            return not pattern and ((slot is not None and slot not in bound) or term.text == "_")
        if isinstance(term, Ref):
            steps = (step for step in term.path if not isinstance(step, Name))
            return any(self._unsafe(one, scope, bound) for one in (term.head, *steps))
        if isinstance(term, Call):
            return any(self._unsafe(arg, scope, bound) for arg in term.args)
        if isinstance(term, Collection):
            parts = pattern and term.kind == "array"
            return any(self._unsafe(item, scope, bound, pattern=parts) for item in term.items)
        if isinstance(term, ObjectTerm):
            return any(
                self._unsafe(key, scope, bound) or self._unsafe(value, scope, bound, pattern=pattern)
                for key, value in term.items
            )
        if isinstance(term, Comprehension):
            return self._free(free_names(term), scope, bound)
        return False

    def _literal(self, literal: Literal, scope: _Scope, bound: set[int]) -> list[Step]:
        steps: list[Step] = []
        if isinstance(literal, Test):
            term = self._lifted(literal.term, scope, bound, steps)
            steps.append(running.check(self._get(term, scope, bound)))
        elif isinstance(literal, Unify):
            source = self._source(literal, scope, bound)
            assert source is not None
            term = self._lifted(source[1], scope, bound, steps)
            get = self._get(term, scope, bound)
            pattern = self._lifted(source[0], scope, bound, steps, pattern=True)
            steps.append(running.bind(self._match(pattern, scope, bound), get))
        elif isinstance(literal, Not):
            inner = _Scope(self, scope)
            steps.append(running.negation(Body(self._steps(inner, set(bound), literal.body))))
        elif isinstance(literal, SomeIn):
            term = self._lifted(literal.collection, scope, bound, steps)
            get = self._get(term, scope, bound)
            key = self._match(literal.key, scope, bound) if literal.key is not None else terms.anything
            steps.append(running.enumerate_(get, key, self._match(literal.value, scope, bound)))
        elif isinstance(literal, Every):
            steps.append(self._every(literal, scope, bound, steps))
        return steps

    def _every(self, literal: Every, scope: _Scope, bound: set[int], steps: list[Step]) -> Step:
        term = self._lifted(literal.collection, scope, bound, steps)
        get = self._get(term, scope, bound)
        inner, inside = _Scope(self, scope), set(bound)
        for name in (*pattern_names(literal.key), *pattern_names(literal.value)):
            inner.declare(name)
        key = self._match(literal.key, inner, inside) if literal.key is not None else terms.anything
        value = self._match(literal.value, inner, inside)
        return running.every(get, key, value, Body(self._steps(_Scope(self, inner), inside, literal.body)))

    def _lifted(self, term: Term, scope: _Scope, bound: set[int], steps: list[Step], *, pattern: bool = False) -> Term:
        """The term with every reference to all entries of something replaced by a slot that a new step fills."""
        if isinstance(term, Ref):
            return self._lifted_ref(term, scope, bound, steps)
        if isinstance(term, Call):
            return Call(term.name, tuple(self._lifted(arg, scope, bound, steps) for arg in term.args), term.line)
        if isinstance(term, Collection):
            return Collection(
                term.kind, tuple(self._lifted(item, scope, bound, steps, pattern=pattern) for item in term.items)
            )
        if isinstance(term, ObjectTerm):
            return ObjectTerm(
                tuple(
                    (self._lifted(key, scope, bound, steps), self._lifted(value, scope, bound, steps, pattern=pattern))
                    for key, value in term.items
                )
            )
        return term

    def _lifted_ref(self, ref: Ref, scope: _Scope, bound: set[int], steps: list[Step]) -> Term:
        head, path = self._lifted(ref.head, scope, bound, steps), list[Term]()
        for step in ref.path:
            if not isinstance(step, Name):
                path.append(self._lifted(step, scope, bound, steps))
                continue
            slot = scope.find(step.text)
            if step.text != "_" and (slot is None or slot in bound):
                path.append(step)
                continue
            get = self._get(Ref(head, tuple(path)) if path else head, scope, bound)
            found = f"{step.text}@{self._slots}"  # no name of an author's has an @
            held = scope.declare(found)
            steps.append(running.enumerate_(get, self._match(step, scope, bound), terms.into(held)))
            bound.add(held)
            head, path = Name(found, step.line), []
        return Ref(head, tuple(path)) if path else head

    def _match(self, pattern: Term, scope: _Scope, bound: set[int]) -> Match:
        """A function that takes a value apart as the pattern says; variables without a value get theirs."""
        if isinstance(pattern, Name):
            slot = scope.find(pattern.text)
            if pattern.text == "_":
                return terms.anything
            if slot is not None and slot not in bound:
                bound.add(slot)
                return terms.into(slot)
        if (
            isinstance(pattern, Collection)
            and pattern.kind == "array"
            and self._free(free_names(pattern), scope, bound)
        ):
            return terms.array_of([self._match(item, scope, bound) for item in pattern.items])
        if isinstance(pattern, ObjectTerm) and self._free(free_names(pattern), scope, bound):
            keys = [self._get(key, scope, bound) for key, _ in pattern.items]
            return terms.object_like(keys, [self._match(value, scope, bound) for _, value in pattern.items])
        return terms.equal_to(self._get(pattern, scope, bound))

    def _get(self, term: Term, scope: _Scope, bound: set[int]) -> Get:
        if isinstance(term, Scalar):
            return terms.constant(term.value)
        if isinstance(term, Name):
            return self._named(term, scope, bound)
        if isinstance(term, Ref):
            return self._ref(term, scope, bound)
        if isinstance(term, Call):
            return self._call(term, scope, bound)
        if isinstance(term, Collection):
            return terms.collection_of(term.kind, [self._get(item, scope, bound) for item in term.items])
        if isinstance(term, ObjectTerm):
            return terms.object_of(
                [(self._get(key, scope, bound), self._get(one, scope, bound)) for key, one in term.items]
            )
        key, value, body = self._headed(scope, bound, term.body, term.key, term.value)
        return running.comprehension(term.kind, key, value, body)

    def _named(self, name: Name, scope: _Scope, bound: set[int]) -> Get:
        slot = scope.find(name.text)
        if slot is not None:
            if slot not in bound:
                raise RegoError(f"line {name.line}: {name.text} never gets a value")
            return lambda _, frame: frame[slot]
        if name.text == "input":
            return lambda state, _: state.given
        if name.text in self._module.imports:
            return terms.looked_up(
                lambda state, _: state.given, [terms.constant(one) for one in self._module.imports[name.text][1:]]
            )
        if name.text in self._kinds:
            return self._rule_get(name.text, name.line)
        raise RegoError(f"line {name.line}: {name.text} is not known here")

    def _rule_get(self, name: str, line: int) -> Get:
        if self._kinds.get(name, "function") == "function":
            raise RegoError(f"line {line}: there is no rule {name} in this module")
        self.uses.add(name)
        return lambda state, _: state.rule(name)

    def _ref(self, ref: Ref, scope: _Scope, bound: set[int]) -> Get:
        head, path = ref.head, ref.path
        if isinstance(head, Name) and head.text == "data" and scope.find("data") is None:
            package = self._module.package.split(".")
            words = [step.value if isinstance(step, Scalar) else None for step in path[: len(package) + 1]]
            if words[:-1] != package or not isinstance(words[-1], str):
                raise RegoError(f"line {head.line}: data holds nothing but this module's own rules")
            base, path = self._rule_get(words[-1], head.line), path[len(package) + 1 :]
        else:
            base = self._get(head, scope, bound)
        return terms.looked_up(base, [self._get(step, scope, bound) for step in path])

    def _call(self, term: Call, scope: _Scope, bound: set[int]) -> Get:
        args = [self._get(arg, scope, bound) for arg in term.args]
        name = term.name
        prefix = f"data.{self._module.package}."
        own = name.removeprefix(prefix)
        if self._kinds.get(own) == "function":
            expected = next(len(clause.args) for clause in self._module.clauses if clause.name == own)
            self.uses.add(own)
        elif name in FUNCTIONS:
            expected = running.arity(name)
        else:
            raise RegoError(f"line {term.line}: there is no function {name} here")
        if len(args) != expected:
            raise RegoError(f"line {term.line}: {name} takes {expected} arguments")
        return terms.applied(own, args) if own in self._kinds else terms.builtin(name, args)
