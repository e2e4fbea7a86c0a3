"""The browser itself: what the other tests here rely on."""

from __future__ import annotations

import pytest

from tests.browser.watch import violations

PAGE = '<!doctype html><html lang="{lang}"><title>Fonts</title><main><h1>{text}</h1></main>'
# In a font that lacks a letter every letter is drawn as the same box.
SCRIPTS = {"zh": "用户", "ja": "かな", "th": "ชื่", "ar": "ابن", "he": "שםו"}
WIDTHS = """text => {
    const context = new OffscreenCanvas(60, 60).getContext('2d', {willReadFrequently: true})
    const drawn = [...text].map(letter => {
        context.clearRect(0, 0, 60, 60)
        context.font = '30px sans-serif'
        context.fillText(letter, 15, 40)
        return context.getImageData(0, 0, 60, 60).data.join()
    })
    return new Set(drawn).size
}"""


@pytest.mark.parametrize("language", SCRIPTS)
def test_there_are_letters_for_every_script(page, foreign, language):
    """Else scripts/install-services lacks fonts, and every picture is of empty boxes."""
    text = SCRIPTS[language]
    page.goto(foreign.page(PAGE.format(lang=language, text=text)))
    assert page.evaluate(WIDTHS, text) == len(text)


def test_what_a_page_complains_of_is_noticed(page, foreign, watch):
    page.goto(foreign.page(PAGE.format(lang="en", text="Noise")))
    page.evaluate("console.error('oh')")
    page.evaluate("setTimeout(() => { throw new Error('ah') })")
    page.wait_for_timeout(50)
    with pytest.raises(AssertionError, match="oh"):
        watch.verify()
    watch.expect("oh")
    with pytest.raises(AssertionError, match="ah"):
        watch.verify()
    watch.expect("ah")


def test_what_a_page_asks_elsewhere_is_noticed(page, foreign, watch):
    watch.expect("example.org", "ERR_NAME_NOT_RESOLVED")
    page.goto(foreign.page(PAGE.format(lang="en", text="Spy") + "<img src=//example.org/x alt=x>"))
    with pytest.raises(AssertionError, match="example.org/x"):
        watch.verify()
    watch._elsewhere.clear()


def test_what_axe_finds_is_told(page, foreign):
    page.goto(foreign.page(PAGE.format(lang="en", text="Good")))
    assert violations(page) == []
    page.goto(foreign.page("<!doctype html><title>Bad</title><img src=data:,>"))
    found = violations(page)
    assert [line.partition(":")[0] for line in found if "image-alt" in line] == ["image-alt"]


def test_a_service_is_reached(page, make_service):
    service = make_service(password="off")
    answer = page.goto(f"http://127.0.0.1:{service.port}/healthz")
    assert answer
    assert answer.json() == {"status": "ok"}
