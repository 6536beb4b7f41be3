"""One extension in several repositories: one gives it, and both say so."""

from hypothesis import given
from hypothesis import strategies as st

from dovetail.lifecycle.sharing import Offer, conflicts, owners

A, B = Offer(0, frozenset({"greeter", "a"})), Offer(0, frozenset({"greeter", "b"}))


def test_who_gives_it_goes_on_unless_another_has_priority() -> None:
    assert owners({"first": A, "second": B}, {"greeter": "second"})["greeter"] == "second"
    assert owners({"first": A, "second": Offer(5, B.extensions)}, {"greeter": "first"})["greeter"] == "second"
    assert owners({"first": A, "second": B}, {})["greeter"] == "first"


def test_a_repository_that_was_not_read_yet_keeps_what_it_gives() -> None:
    assert owners({"first": Offer(0), "second": B}, {"greeter": "first"})["greeter"] == "first"
    assert owners({"second": B}, {"greeter": "first"})["greeter"] == "second", "one that is gone has no claim"
    assert owners({"first": Offer(9, frozenset()), "second": B}, {"greeter": "first"})["greeter"] == "second"


def test_a_conflict_names_both_and_who_gives_it() -> None:
    offers = {"first": A, "second": Offer(5, B.extensions)}
    given_by = owners(offers, {"greeter": "first"})
    (told,) = conflicts("first", offers, given_by)
    assert told == "greeter is offered by first (priority 0), second (priority 5); second gives it"
    assert conflicts("second", offers, given_by) == [told]
    assert conflicts("first", {"first": A}, {}) == []


_names = st.sampled_from(["one", "two", "three"])
_offers = st.dictionaries(
    _names, st.builds(Offer, st.integers(0, 2), st.none() | st.frozensets(st.sampled_from(["x", "y"]))), max_size=3
)


@given(_offers, st.dictionaries(st.sampled_from(["x", "y"]), _names, max_size=2))
def test_there_is_one_owner_and_choosing_again_changes_nothing(
    offers: dict[str, Offer], giving: dict[str, str]
) -> None:
    chosen = owners(offers, giving)
    for extension, owner in chosen.items():
        offer = offers[owner]
        assert offer.includes(extension) or (offer.extensions is None and giving.get(extension) == owner)
        assert all(other.priority <= offer.priority for other in offers.values() if other.includes(extension))
    assert owners(offers, {**giving, **chosen}) == chosen
