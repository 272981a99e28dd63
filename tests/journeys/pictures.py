"""Pictures of the journeys, for people to look at."""

from __future__ import annotations

import contextlib

from playwright.sync_api import Error, Page

import config

ARTIFACTS = config.PROJECT / "tests" / ".artifacts"


def picture(page: Page, name: str, *, whole: bool = False) -> None:
    """Keep a picture of the page under a name.

    It proves nothing, the lines around it do. A headless Chromium on a loaded machine sometimes draws no frame in time ("Unable to
    capture screenshot"): that is no fault of the page, so after three attempts the reason is kept in place of the picture.
    """
    ARTIFACTS.mkdir(exist_ok=True)
    reason = ARTIFACTS / f"{name}.txt"
    reason.unlink(missing_ok=True)
    for _attempt in range(3):
        with contextlib.suppress(Error):
            page.screenshot(path=ARTIFACTS / f"{name}.png", full_page=whole)
            return
    (ARTIFACTS / f"{name}.png").unlink(missing_ok=True)
    reason.write_text("The browser drew no picture in three attempts.\n", encoding="utf-8")
