"""The dashboard in a real browser: what people see, by mouse and by keyboard, in light and dark."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright, expect

from delegate_core.handlers import TaskContext
from delegate_core.model import StageStarted, StepEnded, StepReport, StepStarted
from tests.status.observed import Observed, observed

_CHROMIUM = shutil.which("chromium")
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

pytestmark = pytest.mark.skipif(
    _CHROMIUM is None and not os.environ.get("DELEGATE_REQUIRE_BROWSER"),
    reason="no chromium on the path; DELEGATE_REQUIRE_BROWSER=1 makes that a failure",
)


@asynccontextmanager
async def opened(it: Observed, scheme: str = "light") -> AsyncIterator[Page]:
    """The dashboard in a browser whose owner has the token. A complaint of the page fails the test."""
    assert _CHROMIUM is not None, "DELEGATE_REQUIRE_BROWSER is set, and there is no chromium on the path"
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=list(_QUIET))
        context = await browser.new_context(color_scheme="dark" if scheme == "dark" else "light")
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("dialog", lambda dialog: dialog.accept())
        await page.goto(f"{it.address.url}/?token={it.address.token}")
        await expect(page.locator("#state")).to_have_text("waiting")
        yield page
        await browser.close()
    assert complaints == []


async def test_running_and_finished_tasks_are_shown_as_they_come_and_go(tmp_path: Path) -> None:
    async with observed(tmp_path) as it, opened(it) as page:
        await expect(page.locator("#running td.empty")).to_have_text("nothing: no task for this runner on the server")
        assert "token" not in page.url
        task = it.server.submit("steps")
        row = page.locator("#running tbody tr")
        await expect(row).to_contain_text(task)
        await expect(row).to_contain_text("1/2")
        it.release.set()
        await expect(page.locator("#recent tbody tr").first).to_contain_text("succeeded")
        await expect(page.locator("#running td.empty")).to_be_visible()


async def test_a_task_shows_its_steps_and_its_log_with_colours_and_no_markup_of_its_own(tmp_path: Path) -> None:
    async with observed(tmp_path) as it, opened(it) as page:
        it.server.submit("steps")
        await page.locator("#running a").click()
        await expect(page.locator("#steps li")).to_have_text(["buildsuccess 1.0s", "unit testspending "])
        line = page.locator("#log div").first
        await expect(line).to_have_text("build: compiled <b>\n")
        await expect(line.locator("span.a32")).to_have_text("compiled")
        assert await page.locator("#log b").count() == 0
        await page.locator("#cancel").click()
        await expect(page.locator("#task-facts")).to_contain_text("cancelled")


_MARKUP = "\"><img src=x onerror='window.owned=1'><script>window.owned=1</script>${window.owned=1}javascript:owned=1"


async def _attack(context: TaskContext) -> None:
    step = StepReport(1, _MARKUP, "running", started=1.0)
    await context.progress(StageStarted((step,)))
    await context.progress(StepStarted(step))
    context.stream(_MARKUP).line(f"\x1b[32;onerror=1m\x1b[1;31m{_MARKUP}")
    await context.progress(StepEnded(StepReport(1, _MARKUP, "failure", error=_MARKUP, started=1.0, stopped=2.0)))
    raise ValueError(_MARKUP)


async def test_no_name_line_error_or_reason_becomes_markup_or_a_script(tmp_path: Path) -> None:
    async with observed(tmp_path, handlers={_MARKUP: _attack}) as it, opened(it) as page:
        it.server.submit(_MARKUP)
        await expect(page.locator("#recent tbody tr").first).to_contain_text("onerror")
        logging.getLogger("delegate_core.attacked").warning(_MARKUP)
        await it.order("/pause", {"reason": _MARKUP})
        await it.order("/maintenance/on", {"message": _MARKUP})
        await expect(page.locator("#alert")).to_contain_text("onerror")
        await expect(page.locator("#records li").first).to_contain_text("onerror")
        await page.locator("#recent a").first.click()
        await expect(page.locator("#log div").first).to_contain_text("onerror")
        await expect(page.locator("#steps li")).to_contain_text("onerror")
        assert await page.evaluate("window.owned") is None
        assert await page.locator("img, body script:not([src])").count() == 0


async def test_the_keyboard_reaches_tasks_and_orders(tmp_path: Path) -> None:
    async with observed(tmp_path) as it, opened(it) as page:
        task = it.server.submit("steps")
        await expect(page.locator("#running a")).to_be_visible()
        reached = []
        for _ in range(7):
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        assert reached == [
            "Skip to the tasks",
            "delegate build-7",
            "to-settings",
            "pause",
            "maintenance",
            "drain",
            task,
        ]
        await page.keyboard.press("Enter")
        await expect(page.locator("#task-title")).to_be_focused()
        await page.locator("#pause").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#state")).to_have_text("paused")
        await expect(page.locator("#alert")).to_contain_text("paused by the operator")


async def test_maintenance_begins_and_ends_by_keyboard_and_says_by_whom_and_why(tmp_path: Path) -> None:
    async with observed(tmp_path) as it, opened(it) as page:
        await page.locator("#maintenance").focus()
        await page.keyboard.press("Enter")
        await page.locator("#maintenance-message").fill("new disk")
        await page.locator("#maintenance-for").select_option("2h")
        await page.locator("#maintenance-for").focus()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator("#state")).to_have_text("maintenance")
        await expect(page.locator("#alert")).to_contain_text("by the operator until")
        await expect(page.locator("#alert")).to_contain_text("new disk")
        await expect(page.locator("#pause")).to_be_disabled()
        await page.locator("#maintenance").click()
        await expect(page.locator("#state")).to_have_text("waiting")
        await page.locator("#maintenance").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#maintenance-message")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(page.locator("#maintenance-dialog")).to_be_hidden()
        await expect(page.locator("#maintenance")).to_be_focused()
        # An order that it had given would come before this one.
        await page.locator("#pause").click()
        await expect(page.locator("#state")).to_have_text("paused")
        assert (await it.json())["maintenance"] is None


async def test_settings_are_shown_with_their_origins_and_defaults_on_demand(tmp_path: Path) -> None:
    (tmp_path / "masks").write_text("ab\n")
    async with observed(tmp_path, mask_file=tmp_path / "masks") as it, opened(it) as page:
        # What somebody should see to stands on every page.
        await expect(page.locator("#alert")).to_contain_text("mask file: a secret of 2 characters is too short to mask")
        await page.locator("#to-settings").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#settings-title")).to_be_focused()
        await expect(page.locator("#setting-tables tbody tr")).to_have_text(["capacity2--capacity"])
        await page.keyboard.press("Tab")
        await expect(page.locator("#all-settings")).to_be_focused()
        await page.keyboard.press("Space")
        await expect(page.locator("#setting-tables tbody tr")).to_have_count(2)
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator("#running")).to_be_visible()


_LEAVES = [f"test on platform {number}" for number in range(12)]
_DIAMOND = {"build": [], "unit": ["build"], "lint": ["build"], "publish": ["unit", "lint"]}
_WIDE: dict[str, list[str]] = {"build": [], **{leaf: ["build"] for leaf in _LEAVES}, "publish": _LEAVES}


def _stage(graph: Mapping[str, Sequence[str]]) -> Callable[[TaskContext], Awaitable[None]]:
    async def handler(context: TaskContext) -> None:
        steps = [
            StepReport(number, name, "pending", detail={"depends_on": list(after)})
            for number, (name, after) in enumerate(graph.items(), 1)
        ]
        await context.progress(StageStarted(tuple(steps)))

    return handler


async def test_steps_are_drawn_as_a_graph_of_what_waits_for_what(tmp_path: Path) -> None:
    handlers = {"diamond": _stage(_DIAMOND), "wide": _stage(_WIDE), "chain": _stage({"one": [], "two": []})}
    async with observed(tmp_path, handlers=handlers) as it, opened(it) as page:
        diamond, wide, chain = (it.server.submit(name) for name in handlers)
        await _shown(page, chain, edges=1)
        await _shown(page, diamond, edges=4)
        boxes = await _boxes(page)
        assert boxes["build"]["right"] < boxes["unit"]["left"] == boxes["lint"]["left"]
        assert boxes["unit"]["bottom"] < boxes["lint"]["top"]
        assert boxes["unit"]["right"] < boxes["publish"]["left"]
        assert await page.evaluate(_LOOSE) == []
        await _shown(page, wide, edges=24)
        boxes = await _boxes(page)
        assert len({boxes[leaf]["left"] for leaf in _LEAVES}) == 1
        assert all(boxes[one]["bottom"] < boxes[other]["top"] for one, other in pairwise(_LEAVES))
        assert await page.evaluate(_LOOSE) == []
        await page.set_viewport_size({"width": 360, "height": 640})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page itself scrolls"


async def _shown(page: Page, task: str, *, edges: int) -> None:
    await page.locator("h1 a").click()
    await page.locator("#recent a", has_text=task).click()
    await expect(page.locator("#edges path")).to_have_count(edges)


async def _boxes(page: Page) -> Any:
    """Where each step is, by its name."""
    return await page.evaluate("""() => Object.fromEntries([...document.querySelectorAll("#steps li")].map((item) =>
      [item.querySelector("strong").textContent, item.getBoundingClientRect().toJSON()]))""")


_LOOSE = """() => {
  // Ends of lines that are at no step's edge.
  const origin = document.getElementById("edges").getBoundingClientRect();
  const boxes = [...document.querySelectorAll("#steps li")].map((item) => item.getBoundingClientRect());
  const ends = [...document.querySelectorAll("#edges path")].flatMap((line) =>
    [line.getPointAtLength(0), line.getPointAtLength(line.getTotalLength())]);
  const touches = (end) => boxes.some((box) => end.y + origin.y > box.top && end.y + origin.y < box.bottom &&
    [box.left, box.right].some((edge) => Math.abs(edge - end.x - origin.x) < 2));
  return ends.filter((end) => !touches(end)).map((end) => `${end.x} ${end.y}`);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_texts_stand_out_from_what_is_behind_them(tmp_path: Path, scheme: str) -> None:
    """The contrast of every visible text is at least 4.5 to 1 (WCAG 2, level AA)."""
    async with observed(tmp_path) as it, opened(it, scheme) as page:
        it.server.submit("steps")
        it.server.submit("broken")
        await expect(page.locator("#recent tbody tr").first).to_contain_text("failed")
        weak = await page.evaluate(_CONTRAST)
        await page.locator("#running a").click()
        await expect(page.locator("#log div").first).to_be_visible()
        weak += await page.evaluate(_CONTRAST)
        await page.locator("#to-settings").click()
        await page.locator("#all-settings").check()
        await expect(page.locator("#setting-tables tbody tr")).to_have_count(2)
        weak += await page.evaluate(_CONTRAST)
        await page.locator("#maintenance").click()
        await expect(page.locator("#maintenance-title")).to_be_visible()
        assert weak + await page.evaluate(_CONTRAST) == []


_CONTRAST = """() => {
  const parts = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = parts(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const node of document.querySelectorAll("body *")) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!own || !node.checkVisibility() || node.disabled || node.closest(".skip")) continue;
    const [a, b] = [light(parts(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) weak.push(`${node.tagName} ${node.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return weak;
}"""
