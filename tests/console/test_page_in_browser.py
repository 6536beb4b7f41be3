"""The built page in a real browser, under the policy that the console sends: login, bundles, isolation, changes."""

import re
import tarfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.console.harness import (
    PASSWORD,
    Harness,
    crashing_bundle,
    default_export_bundle,
    js_bundle,
    side_effect_bundle,
    wrong_integrity,
)

pytestmark = pytest.mark.e2e

SHOTS = Path(__file__).parents[2] / "build" / "screenshots"
NAVIGATION = "nav a"


def violations(page: Page) -> list[str]:
    """Collects what the browser refuses because of the content security policy."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if "Content Security" in message.text else None)
    return found


def entry(page: Page, title: str):
    return page.locator(NAVIGATION, has_text=title)


def test_a_user_logs_in_and_lands_where_they_wanted_to_go(browser: Browser, console: Harness):
    console.add(js_bundle("greeter", side_effect_bundle("greeter", "GREETINGS", "Hello from the greeter")))
    context = browser.new_context(locale="en-GB", base_url=console.url)
    page = context.new_page()
    refused = violations(page)
    page.goto("/greeter")
    expect(page).to_have_url(f"{console.url}/login?next=%2Fgreeter")
    page.fill("#username", "admin")
    page.fill("#password", "wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("User name or password is wrong.")
    page.fill("#password", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#hello")).to_have_text("Hello from the greeter")
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / "extension-page.png")
    page.get_by_role("button", name="User menu: admin").click()
    page.get_by_role("menuitem", name="Log out").click()
    expect(page).to_have_url(f"{console.url}/login")
    assert refused == []
    context.close()


def test_both_forms_of_bundles_add_entries_and_pages(page: Page, console: Harness):
    refused = violations(page)
    console.add(js_bundle("old", side_effect_bundle("old", "OLD_FORM", "registered by a call")))
    console.add(js_bundle("new", default_export_bundle("new", "NEW_FORM", "exported as default")))
    page.goto("/")
    expect(page).to_have_url(f"{console.url}/dashboard")
    entry(page, "Old_Form").click()
    expect(page.locator("#hello")).to_have_text("registered by a call")
    entry(page, "New_Form").click()
    expect(page.locator("#hello")).to_have_text("exported as default")
    assert refused == []


def test_broken_bundles_hurt_nobody_else_and_say_what_is_wrong(page: Page, console: Harness):
    refused = violations(page)
    console.add(js_bundle("good", side_effect_bundle("good", "GOOD", "fine")))
    console.add(js_bundle("crash", crashing_bundle("crash", "CRASH")))
    console.add(js_bundle("thrower", "System.register([], () => ({execute() { throw new Error('boom at start') }}))"))
    console.add(js_bundle("stranger", side_effect_bundle("stranger", "S", "x", dependencies=("react", "left-pad"))))
    console.add(js_bundle("module", "export default {}"))
    console.add(js_bundle("silent", "System.register([], () => ({execute() {}}))"))
    page.goto("/good")
    expect(page.locator("#hello")).to_have_text("fine")
    page.goto("/crash")
    expect(page.get_by_test_id("extension-problem")).to_contain_text("the page fell over")
    entry(page, "Good").click()
    expect(page.locator("#hello")).to_have_text("fine")
    page.goto("/diagnostics")
    for name, words in {
        "thrower": "boom at start",
        "stranger": 'imports "left-pad", which this console does not provide',
        "module": "no System.register module",
        "silent": "registered nothing",
    }.items():
        expect(page.locator(f"[data-bundle={name}]")).to_contain_text(words)
    expect(page.locator("[data-bundle=good]")).to_contain_text("Loaded")
    page.screenshot(path=SHOTS / "diagnostics.png")
    assert refused == []


def test_a_bundle_that_hangs_only_keeps_its_own_page_waiting(page: Page, console: Harness):
    console.add(js_bundle("good", side_effect_bundle("good", "GOOD", "fine")))
    console.add(js_bundle("slow", side_effect_bundle("slow", "SLOW", "late")))
    console.raw["/dist/slow/index.js"] = None
    page.goto("/good")
    expect(page.locator("#hello")).to_have_text("fine")
    page.goto("/slow")
    expect(page.get_by_test_id("extension-problem")).to_contain_text("not loaded within 10 seconds", timeout=20_000)


def test_a_bundle_with_other_bytes_than_announced_does_not_run(page: Page, console: Harness):
    code = side_effect_bundle("tampered", "T", "must not be seen")
    console.add(js_bundle("tampered", code))
    console.raw["/dist/tampered/index.js"] = code.replace("must not", "must NOT").encode()
    assert wrong_integrity(code.encode()) != ""
    page.goto("/tampered")
    expect(page.get_by_test_id("extension-problem")).to_contain_text("digest is wrong")
    expect(page.locator("#hello")).to_have_count(0)


def test_extensions_come_change_and_go_without_a_reload(page: Page, console: Harness):
    page.goto("/dashboard")
    page.evaluate("window.marker = 'same page'")
    expect(page.get_by_text("No extension adds a page yet")).to_be_visible()
    console.add(js_bundle("greeter", side_effect_bundle("greeter", "GREETINGS", "version one")))
    entry(page, "Greetings").click()
    expect(page.locator("#hello")).to_have_text("version one")
    console.add(js_bundle("greeter", side_effect_bundle("greeter", "GREETINGS", "version two")))
    expect(page.locator("#hello")).to_have_text("version two")
    console.remove("greeter")
    expect(entry(page, "Greetings")).to_have_count(0)
    expect(page.get_by_text("There is no page here")).to_be_visible()
    assert page.evaluate("window.marker") == "same page"


def test_entries_replace_menus_and_stand_alone(page: Page, console: Harness):
    console.add_entry("greeter", {"parent": "global", "name": "greeter", "title": "From the entry"})
    console.add_entry("docs", {"parent": "topbar", "name": "docs", "title": "Docs", "link": "https://example.org/"})
    console.add(js_bundle("greeter", side_effect_bundle("greeter", "GREETINGS", "hello")))
    page.goto("/dashboard")
    entry(page, "From the entry").click()
    expect(page.locator("#hello")).to_have_text("hello")
    expect(entry(page, "Greetings")).to_have_count(0)
    expect(entry(page, "Docs")).to_have_attribute("target", "_blank")


def test_an_extension_is_installed_disabled_and_uninstalled(page: Page, console: Harness):
    label = {"kubesphere.io/extension-ref": "greeter"}
    objects = console.catalogue.objects
    objects["extensions"] = {"greeter": {"metadata": {"name": "greeter"}, "spec": {"displayName": {"en": "Greeter"}}}}
    objects["extensionversions"] = {
        f"greeter-{v}": {"metadata": {"name": f"greeter-{v}", "labels": label}, "spec": {"version": v}}
        for v in ("0.1.0", "0.2.0")
    }
    page.goto("/extensions")
    card = page.locator("[data-extension=greeter]")
    card.get_by_role("button", name="Install").click()
    page.get_by_role("dialog").get_by_label("Version").select_option("0.1.0")
    page.get_by_role("dialog").get_by_role("button", name="Install", exact=True).click()
    expect(card.locator("[data-state=Installed]")).to_be_visible()
    assert objects["installplans"]["greeter"]["spec"]["extension"] == {"name": "greeter", "version": "0.1.0"}
    card.get_by_role("button", name="Upgrade").click()
    page.get_by_role("dialog").get_by_role("button", name="Upgrade to 0.2.0").click()
    expect(card).to_contain_text("0.2.0")
    card.get_by_role("button", name="Actions: Greeter").click()
    page.get_by_role("menuitem", name="Disable").click()
    expect(card.locator("[data-state=Disabled]")).to_be_visible()
    card.get_by_role("button", name="Actions: Greeter").click()
    page.get_by_role("menuitem", name="Uninstall").click()
    page.screenshot(path=SHOTS / "uninstall.png")
    page.get_by_role("dialog").get_by_role("button", name="Uninstall").click()
    expect(card.get_by_role("button", name="Install")).to_be_visible()


def test_a_user_without_a_role_is_told_so_kindly(page: Page, console: Harness):
    console.catalogue.forbidden = True
    page.goto("/extensions")
    expect(page.get_by_test_id("no-permission")).to_contain_text("Your user has no role")


def test_language_and_appearance_are_chosen_and_kept(page: Page, console: Harness):
    page.goto("/extensions")
    page.get_by_role("button", name="Language and appearance").click()
    page.get_by_role("menuitem", name="简体中文").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("扩展中心")
    page.get_by_role("menuitem", name="深色").click()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("扩展中心")
    assert "pf-v6-theme-dark" in (page.locator("html").get_attribute("class") or "")


EVERYTHING = """System.register(
  ["react", "react-dom", "react-router-dom", "react/jsx-runtime", "styled-components", "react-query",
   "@kubed/components", "@kubed/hooks", "@kubed/icons"],
  function (e) {
    var m = [];
    return {
      setters: [0, 1, 2, 3, 4, 5, 6, 7, 8].map(function (n) { return function (given) { m[n] = given } }),
      execute: function () {
        var React = m[0].default, styled = m[4].default;
        var Box = styled.div(["color: rgb(1, 2, 3);"]);
        function Page() {
          var answer = m[5].useQuery("key", function () { return Promise.resolve("answered") });
          var here = m[2].useLocation();
          return m[3].jsx(Box, { id: "box", children: [
            React.createElement("p", { key: 1, id: "query" }, answer.data),
            React.createElement("p", { key: 2, id: "here" }, here.pathname),
            React.createElement("p", { key: 3, id: "portal" }, typeof m[1].default.createPortal),
            React.createElement("p", { key: 4, id: "hooks" }, typeof m[7].useDisclosure),
            React.createElement(m[6].Button, { key: 5, leftIcon: React.createElement(m[8].Cluster) }, "A kit button"),
            React.createElement("p", { key: 6, id: "user" }, globals.user.username + t("KEY", { name: "!" }))] });
        }
        e("default", {
          routes: [{ path: "/everything", element: React.createElement(Page) }],
          menus: [{ parent: "global", name: "everything", title: "Everything" }],
          locales: { en: { KEY: "{name}" } }
        });
      }
    };
  });"""


def test_every_module_that_is_promised_works(page: Page, console: Harness):
    refused = violations(page)
    console.add(js_bundle("everything", EVERYTHING))
    page.goto("/everything")
    expect(page.locator("#query")).to_have_text("answered")
    expect(page.locator("#here")).to_have_text("/everything")
    expect(page.locator("#portal")).to_have_text("function")
    expect(page.locator("#hooks")).to_have_text("function")
    expect(page.locator("#user")).to_have_text("admin!")
    expect(page.get_by_role("button", name="A kit button")).to_be_visible()
    expect(page.locator("#box")).to_have_css("color", "rgb(1, 2, 3)")
    page.screenshot(path=SHOTS / "everything.png")
    assert refused == []


CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


def published(archive: str, member: str, marker: str, values: dict[str, str]) -> str:
    """A bundle out of a published package's chart, with its few Helm expressions filled in."""
    if not (CORPUS / archive).exists():
        pytest.skip(f"{archive} is not here")
    with tarfile.open(CORPUS / archive) as tar:
        file = tar.extractfile(member)
        assert file is not None
        text = file.read().decode()
    code = text.split(marker)[1].split("\n---")[0].split("{{ end }}")[0]
    return re.sub(r"\{\{\s*\.Values\.([\w.]+)\s*\}\}", lambda found: values.get(found[1], "x.local"), code)


def test_published_bundles_run_as_they_are(page: Page, console: Harness):
    hello = published(
        "hello-world.source.tar.gz", "hello-world/charts/frontend/templates/extension.yaml", "index.js: |\n", {}
    )
    console.add(js_bundle("hello-world", hello))
    dashboard = published(
        "oceanbase-dashboard.source.tar.gz",
        "oceanbase-dashboard/charts/entrypoint/templates/iframe.yaml",
        "index.js: |-\n",
        {"parent": "global", "title": "OceanBase", "description": "d"},
    )
    console.add(js_bundle("oceanbase-dashboard", dashboard))
    page.goto("/dashboard")
    entry(page, "HELLO_WORLD").click()
    expect(page.get_by_text("Say hi to the world!")).to_be_visible()
    entry(page, "OceanBase").click()
    expect(page.locator("iframe")).to_have_count(1)
