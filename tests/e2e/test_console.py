"""What a person sees: the page follows the platform without being loaded again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.demo.browser import CHROMIUM, Person, person_at
from tests.e2e.demo.world import World, wait
from tests.e2e.running import BUNDLE, SHOTS, create_user, tiny_extension, up_of

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no browser at {CHROMIUM}"),
]


@pytest.fixture
def person(world: World) -> Iterator[Person]:
    """The administrator at the console, on a page that is marked: the mark goes when the page is loaded again."""
    with person_at(world.url, SHOTS) as person:
        person.log_in("admin", up_of(world).password)
        person.page.evaluate("window.loadedOnce = true")
        yield person


def assert_not_reloaded(person: Person) -> None:
    assert person.page.evaluate("window.loadedOnce === true"), "the page was loaded again"


def test_an_entry_goes_and_comes_back_with_its_extension(world: World, person: Person) -> None:
    person.opens("Greetings")
    person.sees("Hello, admin!")
    world.change_plan("greeter", {"enabled": False})
    try:
        person.misses("Greetings")
        person.shoot("disabled-while-open")
    finally:
        world.change_plan("greeter", {"enabled": True})
    person.page.get_by_role("link", name="Greetings").first.wait_for(state="visible")
    person.opens("Greetings")
    person.sees("Hello, admin!")
    assert_not_reloaded(person)


def test_an_upgrade_and_a_rollback_reach_an_open_page(world: World, person: Person) -> None:
    person.opens("Greetings")
    person.sees("Greeter 0.1.0")
    try:
        world.change_plan("greeter", {"extension": {"name": "greeter", "version": "0.2.0"}})
        person.sees("Greeter 0.2.0")
        person.shoot("upgraded-while-open")
    finally:
        world.change_plan("greeter", {"extension": {"name": "greeter", "version": "0.1.0"}})
        world.wait_installed("greeter", "0.1.0")
    person.sees("Greeter 0.1.0")
    assert_not_reloaded(person)


def test_installing_and_removing_by_clicks(world: World, person: Person, tmp_path: Path) -> None:
    world.ksbuilder("publish", tiny_extension(tmp_path, "lighthouse"))
    page = person.page
    page.get_by_role("link", name="Extension centre").first.click()
    card = page.locator("[data-extension=lighthouse]")
    card.get_by_role("button", name="Install: Lighthouse").click()
    dialog = page.get_by_role("dialog")
    dialog.wait_for(state="visible")
    person.shoot("install-dialog")
    dialog.get_by_role("button", name="Install", exact=True).click()
    card.get_by_text("Installed", exact=True).wait_for(state="visible")
    person.shoot("installed-by-click")
    assert world.plan_status("lighthouse")["state"] == "Installed"

    card.get_by_role("button", name="Actions").click()
    person.shoot("actions-menu")
    page.get_by_role("menuitem", name="Uninstall").click()
    page.get_by_role("dialog").get_by_role("button", name="Uninstall", exact=True).click()
    card.get_by_role("button", name="Install: Lighthouse").wait_for(state="visible")
    wait(lambda: not world.plan_status("lighthouse"), "the plan to go")
    person.shoot("uninstalled-by-click")
    assert_not_reloaded(person)
    assert not person.complaints, person.complaints
    world.ksbuilder("unpublish", "lighthouse")
    card.wait_for(state="detached")


def test_a_wrong_password_is_told_and_a_right_one_then_works(world: World) -> None:
    create_user(world, "visitor")
    with person_at(world.url, SHOTS) as person:
        page = person.page
        page.goto(world.url + "/")
        page.get_by_label("User name").fill("visitor")
        page.locator("input[type=password]").fill("Wr0ng-password")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("alert").or_(page.locator("[aria-live]")).get_by_text("password").first.wait_for(
            state="visible"
        )
        person.shoot("wrong-password")
        page.locator("input[type=password]").fill("Regular-0n3-Passw0rd")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(lambda url: "/login" not in url)
        page.get_by_text("Live updates are interrupted").wait_for(state="detached")
        page.get_by_role("link", name="Extension centre").first.click()
        page.get_by_test_id("no-permission").wait_for(state="visible")
        person.shoot("without-a-role")


def test_a_session_that_ends_leads_back_to_the_log_in(world: World) -> None:
    create_user(world, "shortlived")
    with person_at(world.url, SHOTS) as person:
        person.log_in("shortlived", "Regular-0n3-Passw0rd")
        assert world.send("DELETE", "/kapis/iam.kubesphere.io/v1beta1/users/shortlived", "admin").code == 200
        person.page.goto(world.url + "/extensions")
        person.page.wait_for_url("**/login*")
        assert world.get(BUNDLE).code == 200
