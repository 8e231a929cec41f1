"""What comes late, without a clock: a page's questions are counted, and held until they are let go; so are frames.

held(page) ──► what is asked from now on waits in the browser ──► answer(page): it is asked, and answered
overtaking(page) ──► what is asked in the block is answered before what is held
quiet(page) ──► all that was asked is answered, and nothing was asked after it
until(page, holds) ──► something outside the page, such as what its server was asked
without_frames(page) ──► whatever waits for the next frame waits until the block ends
"""

import time
from contextlib import contextmanager

PATIENCE_S = 60
RIG = """(() => {
    const rig = window.rig = { asked: 0, answered: 0, holds: false, held: [] };
    const fetched = window.fetch.bind(window);
    const count = async (stream) => {
        const reader = stream.getReader(), decoder = new TextDecoder();
        for (let text = ''; ;) {
            const { done, value } = await reader.read();
            if (done) return;
            const lines = (text + decoder.decode(value, { stream: true })).split('\\n');
            text = lines.pop();
            rig.answered += lines.filter((line) => line.includes('"msg":"process_completed"')).length;
        }
    };
    window.fetch = async (...words) => {
        const url = String(words[0].url || words[0]);
        if (url.includes('queue/join')) {
            rig.asked += 1;
            if (rig.holds) await new Promise((go) => rig.held.push(go));
        }
        const said = await fetched(...words);
        if (!url.includes('queue/data')) return said;
        const [theirs, ours] = said.body.tee();
        count(ours).catch(() => undefined);  // the page has closed it
        return new Response(theirs, said);
    };
})()"""
# What follows an answer is asked once the page has drawn it: some frames later, however long they take.
QUIET = """async (held) => {
    const { asked } = window.rig;
    for (let frame = 0; frame < 20; frame++) {
        if (window.rig.asked !== asked || window.rig.answered !== asked - held) return false;
        await new Promise((go) => requestAnimationFrame(go));
    }
    return true;
}"""
NO_FRAMES = """() => {
    window.framed = [];
    window.nextFrame = window.requestAnimationFrame;
    window.requestAnimationFrame = (one) => window.framed.push(one);
}"""
FRAMES = """async () => {
    window.requestAnimationFrame = window.nextFrame;
    window.framed.forEach((one) => requestAnimationFrame(one));
    for (let frame = 0; frame < 3; frame++) await new Promise((go) => requestAnimationFrame(go));
}"""


def quiet(page, held=0):
    """Wait until the page has asked something, and all that it asked is answered, but for what is held."""
    page.wait_for_function("window.rig && window.rig.asked > 0")
    until(page, lambda: page.evaluate(QUIET, held))  # wait_for_function takes any promise for a yes


def held(page):
    """Hold each question that the page asks from now on."""
    quiet(page)
    page.evaluate("() => { window.rig.holds = true; }")


def asked(page):
    """Wait until a question is held, and no other."""
    page.wait_for_function("window.rig.held.length > 0")
    assert page.evaluate("window.rig.held.length") == 1


def answer(page):
    """Wait until a question is held, and no other, and let it be answered; what follows it is held again."""
    asked(page)
    page.evaluate("window.rig.held.splice(0).forEach((go) => go())")


@contextmanager
def overtaking(page):
    """Let what is asked in the block, and whatever follows it, be answered before the one question that is held."""
    asked(page)
    before = page.evaluate("() => { window.rig.holds = false; return window.rig.asked; }")
    yield
    page.wait_for_function("(before) => window.rig.asked > before", arg=before)
    quiet(page, held=1)


def let_go(page):
    """Hold nothing any more."""
    page.evaluate("() => { window.rig.holds = false; window.rig.held.splice(0).forEach((go) => go()); }")
    quiet(page)


def until(page, holds):
    """Wait until something outside the page holds."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it did not come"
        page.wait_for_timeout(20)


@contextmanager
def without_frames(page):
    """Let no frame come until the block ends, and then a few of them."""
    page.evaluate(NO_FRAMES)
    yield
    page.evaluate(FRAMES)
