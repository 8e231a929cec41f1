"""Engines that answer in this process: one by one, and in one batch; the tiny model's weights are large on purpose.

With small random weights it says the same whatever it is asked, and no mix-up would show. And they are computed with
in float64: what one engine says of the last bits of a float32 is not what the other says, on every machine otherwise.
"""

import gc
import itertools
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers import (  # noqa: E402
    AutoConfig,
    AutoModelForCausalLM,
    LogitsProcessorList,
    MinPLogitsWarper,
    TemperatureLogitsWarper,
)

from shared.chat import Sampling  # noqa: E402
from shared.errors import BackendError, BusyError, UsageError  # noqa: E402
from shared.steps.answering.batch import Batched  # noqa: E402
from shared.steps.answering.draws import Sampler, Text, likely  # noqa: E402
from shared.steps.answering.engine import Engine, load_model  # noqa: E402
from shared.steps.answering.job import Job, Model, fitted  # noqa: E402
from shared.steps.answering.line import Turns  # noqa: E402
from shared.steps.bases import Size, build_tiny  # noqa: E402
from shared.steps.rendering import prompt  # noqa: E402

GREEDY = Sampling(temperature=0, max_tokens=24)
DRAWN = Sampling(temperature=1, min_p=0.02, max_tokens=24, seed=7)


def asked(text):
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    texts = ["Hello there, rice and eggs: 300 g. żółć 🍚 What is up?"] * 30
    made = build_tiny(tmp_path_factory.mktemp("base") / "tiny", texts, size=Size(2, 48, 3, 400, 512))
    weights = load_model(made, "tiny").weights
    with torch.no_grad():
        for one in weights.parameters():
            one.mul_(6 if one.dim() > 1 else 1)
    weights.save_pretrained(made)
    return made


@pytest.fixture(scope="module")
def model(folder):
    loaded = load_model(folder, "assistant v3")
    loaded.weights.double()
    return loaded


@pytest.fixture(scope="module")
def engine(model):
    return Engine(model, at_once=2, most_waiting=32)


@pytest.fixture(scope="module")
def batched(model):
    with Batched(model, at_once=4, most_waiting=32) as chat:
        yield chat


@pytest.fixture(params=["engine", "batched"])
def chat(request):
    return request.getfixturevalue(request.param)


def text_of(chat, question, sampling=GREEDY, **more):
    return "".join(chat.stream(asked(question), sampling, **more))


def at_once(chat, questions):
    """The answers to all questions, asked at the same moment by a thread each."""
    answers = {}
    threads = [
        threading.Thread(target=lambda name=name, told=told: answers.update({name: text_of(chat, *told)}))
        for name, told in questions.items()
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    return answers


def test_it_says_what_generate_says(model, engine):
    ids = torch.tensor([prompt(model.tokenizer, asked("rice and eggs"))])
    bare = model.weights.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False)
    said = model.tokenizer.decode(bare[0, ids.shape[1] :], skip_special_tokens=True)
    assert text_of(engine, "rice and eggs") == said.rstrip("�")


def test_it_says_who_answers_and_where(chat):
    assert (chat.name, chat.where, chat.waiting) == ("assistant v3", "this machine, CPU", 0)


def test_twenty_visitors_at_once_get_what_each_gets_alone(chat, engine):
    questions = {n: (f"my word is {n} " * (n % 5 + 1), GREEDY if n % 2 else DRAWN) for n in range(20)}
    alone = {n: text_of(engine, *told) for n, told in questions.items()}
    assert len(set(alone.values())) > 15, "the answers must differ, or a mix-up would not show"
    assert at_once(chat, questions) == alone


def test_a_schema_that_is_refused_takes_no_place_in_line(chat):
    with pytest.raises(UsageError, match="'multipleOf' is not offered"):
        chat.stream(asked("rice"), GREEDY, schema={"type": "integer", "multipleOf": 1_000_003})
    assert chat.waiting == 0


def test_a_seed_says_the_same_again_and_no_seed_something_else(chat):
    free = Sampling(temperature=2, min_p=0, max_tokens=24)
    assert text_of(chat, "rice", DRAWN) == text_of(chat, "rice", DRAWN)
    assert len({text_of(chat, "rice", free) for _ in range(4)}) > 1


def test_a_small_prompt_read_in_parts_gives_the_same(model, engine, monkeypatch):
    whole = text_of(engine, "rice and eggs " * 8)
    monkeypatch.setattr("shared.steps.answering.engine.PART", 7)
    assert text_of(engine, "rice and eggs " * 8) == whole


def test_what_became_of_an_answer_is_told(chat):
    reply = chat.stream(asked("rice"), Sampling(temperature=0, max_tokens=5))
    assert "".join(reply) is not None
    assert (reply.told.tokens, reply.told.ended, reply.told.left_out) == (5, "length", 0)
    assert reply.told.prompt_tokens > 5


def test_the_token_that_ends_a_turn_ends_the_answer_and_is_not_shown(model):
    job = Job(model, asked("rice"), GREEDY, lambda: False)
    scores = torch.zeros(len(model.tokenizer))
    scores[model.tokenizer.eos_token_id] = 9
    job.draw(scores)
    assert (job.told.ended, job.next_piece()) == ("stop", None)
    tokens = job.told.tokens
    assert job.draw(scores) == model.tokenizer.eos_token_id, "more draws give that id again"
    assert job.told.tokens == tokens


def braked(go):
    """A ``stopped`` that keeps the answer from growing until ``go``; only its reader, this thread, is not kept."""
    reader = threading.current_thread()
    return lambda: threading.current_thread() is not reader and not go.wait(60)


def test_it_stops_once_told_and_says_so(chat):
    stop = threading.Event()
    brake = braked(go := threading.Event())
    told = lambda: brake() or stop.is_set()  # noqa: E731
    reply = chat.stream(asked("rice"), Sampling(temperature=0, max_tokens=200), stopped=told)
    next(reply)
    stop.set()
    go.set()
    assert len([*reply]) < 200
    assert reply.told.ended == "stopped"
    assert reply.told.tokens < 200


def test_a_reader_who_goes_away_ends_the_answer(chat):
    go = threading.Event()
    reply = chat.stream(asked("rice"), Sampling(temperature=0, max_tokens=200), stopped=braked(go))
    next(reply)
    reply.close()
    go.set()
    assert (reply.told.ended, reply.told.tokens) == ("stopped", 0)
    assert text_of(chat, "eggs"), "the next one is answered"


def test_one_who_stops_does_not_disturb_the_others(chat, engine):
    alone = {n: text_of(engine, f"word {n}") for n in range(6)}
    gone = [chat.stream(asked(f"gone {n}"), Sampling(temperature=0, max_tokens=200)) for n in range(3)]
    for reply in gone:
        next(reply)
    answers = {}
    thread = threading.Thread(target=lambda: answers.update(at_once(chat, {n: (f"word {n}",) for n in range(6)})))
    thread.start()
    for reply in gone:
        reply.close()
    thread.join(30)
    assert answers == alone


def test_a_failure_reaches_its_reader_and_nobody_else(chat, engine, monkeypatch):
    alone = text_of(engine, "fine")
    draw = Job.draw

    def fails(job, scores):
        if "".join(map(str, job.ids[:20])) == marked:
            raise RuntimeError("out of memory")
        return draw(job, scores)

    marked = "".join(map(str, Job(engine._model, asked("bad"), GREEDY, lambda: False).ids[:20]))
    monkeypatch.setattr(Job, "draw", fails)
    caught = []

    def bad():
        try:
            text_of(chat, "bad")
        except BackendError as failure:
            caught.append(failure)

    thread = threading.Thread(target=bad)
    thread.start()
    assert text_of(chat, "fine") == alone
    thread.join(10)
    assert "the model failed (RuntimeError); ask again" in str(caught[0])
    assert "out of memory" not in str(caught[0]), "a vendor's words may show the prompt; they stay the cause"


def test_json_of_a_schema_comes_whole_in_a_batch_beside_free_text(chat, engine):
    pytest.importorskip("llguidance")
    schema = {"type": "object", "properties": {"kind": {"enum": ["soup", "stew"]}, "spicy": {"type": "boolean"}}}
    schema |= {"required": ["kind", "spicy"], "additionalProperties": False}
    alone = text_of(engine, "free")
    replies = {}

    def constrained():
        replies["json"] = text_of(chat, "a meal", Sampling(temperature=1, seed=1, max_tokens=60), schema=schema)

    thread = threading.Thread(target=constrained)
    thread.start()
    assert text_of(chat, "free") == alone
    thread.join(30)
    assert replies["json"] in {f'{{"kind":"{k}","spicy":{s}}}' for k in ("soup", "stew") for s in ("true", "false")}


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "assistant", "content": "x"}],
        [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}],
    ],
)
def test_a_conversation_without_a_visitors_turn_last_is_refused(engine, messages):
    with pytest.raises(UsageError, match="the user's comes last"):
        engine.stream(messages, GREEDY)


def test_the_oldest_turns_are_left_out_in_pairs_and_the_system_stays(model):
    turns = [
        {"role": role, "content": f"{role} {n} " + "rice " * 20} for n in range(6) for role in ("user", "assistant")
    ]
    messages = [{"role": "system", "content": "Be short."}, *turns, *asked("and now?")]
    ids, left_out = fitted(model.tokenizer, messages, 300)
    said = model.tokenizer.decode(ids)
    assert len(ids) <= 300
    assert left_out > 0
    assert left_out % 2 == 0
    assert "Be short." in said
    assert "and now?" in said
    assert "user 0" not in said
    assert f"user {left_out // 2}" in said, "no more than needed"


def test_a_message_longer_than_the_context_is_refused_with_both_numbers(engine):
    with pytest.raises(UsageError, match=r"has \d+ tokens and this model reads 488"):
        engine.stream(asked("rice and eggs " * 300), GREEDY)


def test_an_answer_may_take_half_of_a_small_context_at_most(engine):
    reply = engine.stream(asked("rice"), Sampling(temperature=0, max_tokens=4096))
    assert len([*reply]) <= 257
    assert reply.told.tokens == 256


def test_who_comes_too_late_is_told_and_who_waits_learns_the_place(model):
    chat = Engine(model, at_once=1, most_waiting=2)
    release = threading.Event()
    held = chat.stream(asked("a"), Sampling(temperature=0, max_tokens=200), stopped=braked(release))
    next(held)
    waiting = [chat.stream(asked(text), GREEDY) for text in "bc"]
    threads = [threading.Thread(target=next, args=(reply,)) for reply in waiting]
    threads[0].start()
    until = time.monotonic() + 60
    while chat.waiting < 1 and time.monotonic() < until:
        time.sleep(0.01)
    threads[1].start()
    for one in threads:
        one.join(60)
    assert [reply.told.before for reply in waiting] == [1, 2], "a sign of life came, and brought the place"
    with pytest.raises(BusyError, match="2 are waiting"):
        next(chat.stream(asked("d"), GREEDY))
    release.set()
    held.close()
    assert [len("".join(reply)) > 0 for reply in waiting] == [True, True]


def test_turns_come_in_order_and_one_who_left_counts_no_more():
    turns, done, begun, hold, last = Turns(1, 10), [], threading.Event(), threading.Event(), threading.Event()
    turns.submit("first", lambda: begun.set() or hold.wait(60))
    assert begun.wait(60)
    for name in ("second", "third", "fourth"):
        turns.submit(name, lambda name=name: done.append(name))
    turns.submit("last", last.set)
    assert [turns.place(name) for name in ("first", "second", "third", "fourth", "last")] == [0, 1, 2, 3, 4]
    turns.leave("second")
    assert (turns.place("third"), turns.waiting) == (1, 3)
    hold.set()
    assert last.wait(60)
    assert done == ["third", "fourth"]


def test_turns_that_are_closed_end_what_is_being_done_and_begin_nothing_more():
    turns, begun, done = Turns(1, 10), threading.Event(), []

    def endless():
        begun.set()
        while not turns.closed:
            time.sleep(0.001)
        done.append("ended")

    turns.submit("first", endless)
    turns.submit("second", lambda: done.append("second"))
    assert begun.wait(60)
    turns.close()
    assert (done, turns.waiting) == (["ended"], 0)


def test_an_engine_that_nobody_has_any_more_takes_its_threads_and_its_model_along(folder):
    there = {*threading.enumerate()}
    chat = Engine(load_model(folder, "gone"), at_once=2)
    assert at_once(chat, {n: (f"{n} eggs",) for n in range(4)}).keys() == {0, 1, 2, 3}
    weights, threads = weakref.ref(chat._model.weights), {*threading.enumerate()} - there
    del chat
    until = time.monotonic() + 60
    while weights() and time.monotonic() < until:  # its threads may still be about to put the last answers away
        gc.collect()
    assert weights() is None
    for one in threads:
        one.join(60)
    assert [one.is_alive() for one in threads] == [False, False]


LEFT_OPEN = """
import sys, threading, time
from pathlib import Path
from shared.chat import Sampling
from shared.steps.answering.engine import Engine, load_model

chat, begun = Engine(load_model(Path(sys.argv[1]), "left open"), at_once=1), threading.Event()

def slow():
    begun.set()
    time.sleep(0.2)

def read():
    for _ in chat.stream([{"role": "user", "content": "rice"}], Sampling(1, 0, 200), stopped=slow):
        pass

for _ in range(4):  # each takes 40 s at least
    threading.Thread(target=read, daemon=True).start()
begun.wait()
"""


@pytest.mark.slow
def test_a_process_ends_though_answers_are_being_made_and_others_wait(folder):
    root = str(Path(__file__).parents[4])
    subprocess.run([sys.executable, "-c", LEFT_OPEN, str(folder)], cwd=root, check=True, timeout=60)


@pytest.mark.parametrize(("temperature", "min_p"), [(0.3, 0.05), (1.0, 0.2), (1.7, 0.0)])
def test_chances_are_those_that_transformers_draws_from(temperature, min_p):
    scores = torch.randn(3, 50, generator=torch.Generator().manual_seed(0)) * 3
    rules = LogitsProcessorList([TemperatureLogitsWarper(temperature), MinPLogitsWarper(min_p)])
    theirs = torch.softmax(rules(None, scores), dim=-1)
    ours = likely(scores, temperature, min_p)
    torch.testing.assert_close(ours / ours.sum(-1, keepdim=True), theirs)


def test_two_samplers_of_one_seed_draw_the_same_whatever_is_drawn_between_them():
    scores = torch.zeros(100)
    one, other = Sampler(DRAWN), Sampler(DRAWN)
    first = []
    for _ in range(20):
        first.append(one.draw(scores))
        torch.rand(3)
    assert first == [other.draw(scores) for _ in range(20)]


def test_characters_of_several_tokens_come_whole_and_nothing_is_lost(model):
    said = "żółć 🍚 – 東京, ok. " * 3
    text = Text(model.tokenizer)
    pieces = [text.add(one) for one in model.tokenizer.encode(said, add_special_tokens=False)]
    assert "".join(pieces) == said
    assert not any("�" in piece for piece in pieces)
    assert "" in pieces, "some tokens end within a character"


def test_models_loaded_at_the_same_moment_are_whole_and_so_is_what_is_loaded_later(folder, tmp_path):
    other = build_tiny(tmp_path / "other", ["rice and eggs"] * 9, seed=1, size=Size(4, 48, 3, 400, 512))
    ids, usual = torch.arange(20)[None], sys.getswitchinterval()

    def scores(place):
        with torch.inference_mode():
            return load_model(place, "any").weights(input_ids=ids).logits

    alone = {place: scores(place) for place in (folder, other)}
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(4) as threads:
            found = [*threads.map(lambda place: (place, scores(place)), [folder, other] * 4)]
    finally:
        sys.setswitchinterval(usual)
    assert all(torch.equal(told, alone[place]) for place, told in found)


def test_a_folder_without_a_model_says_so(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BackendError, match="assistant v9 cannot be loaded"):
        load_model(tmp_path, "assistant v9")


def test_a_batch_whose_thread_died_is_begun_anew(model, engine):
    with Batched(model, at_once=2) as chat:
        first = text_of(chat, "rice")
        chat._manager.stop(hard_stop=True)
        assert text_of(chat, "rice") == first == text_of(engine, "rice")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_answer_whose_batch_ended_without_a_word_fails_too(model, monkeypatch):
    def dies(*_):
        raise SystemExit  # no Exception: nothing that computes catches it, or tells of it

    with Batched(model, at_once=2) as chat:
        monkeypatch.setattr(Job, "draw", dies)
        reply = chat.stream(asked("rice"), GREEDY)
        with pytest.raises(BackendError, match="the model failed"):
            list(itertools.islice(reply, 20))  # signs of life
        monkeypatch.undo()
        assert text_of(chat, "rice"), "the next one is answered"


def test_a_batch_that_could_not_be_begun_leaves_no_one_in_line(model, monkeypatch):
    def fails(*_, **__):
        raise RuntimeError("out of memory")

    with Batched(model, at_once=1, most_waiting=0) as chat:
        monkeypatch.setattr(type(model.weights), "init_continuous_batching", fails)
        with pytest.raises(RuntimeError):
            text_of(chat, "rice")
        monkeypatch.undo()
        assert text_of(chat, "rice")


def test_after_its_block_a_batch_answers_nobody_and_leaves_no_thread(model):
    before = {*threading.enumerate()}
    with Batched(model, at_once=2) as chat:
        held = chat.stream(asked("rice"), Sampling(temperature=0, max_tokens=200))
        next(held)
        late = chat.stream(asked("eggs"), GREEDY)
    with pytest.raises(BackendError):
        list(held)
    with pytest.raises(BackendError, match="put away"):
        next(late)
    assert {one for one in threading.enumerate() if not one.daemon} <= before


def test_more_tokens_than_a_pass_takes_are_read_in_several(model, engine, monkeypatch):
    monkeypatch.setattr("shared.steps.answering.batch.PASS", 64)
    questions = {n: (f"{n} rice and eggs " * 10,) for n in range(4)}
    with Batched(model, at_once=4) as chat:
        assert at_once(chat, questions) == {n: text_of(engine, *told) for n, told in questions.items()}


def test_a_batch_in_the_making_does_not_change_what_its_model_says_elsewhere(model, engine, monkeypatch):
    alone, meanwhile = text_of(engine, "rice"), []
    attend = torch.nn.functional.scaled_dot_product_attention

    def interrupted(*tensors, **more):
        monkeypatch.undo()
        meanwhile.append(text_of(engine, "rice"))
        return attend(*tensors, **more)

    with Batched(model, at_once=2) as chat:
        monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", interrupted)
        assert text_of(chat, "rice") == alone
    assert meanwhile == [alone]
    assert text_of(engine, "rice") == alone


def test_one_who_asks_little_hears_the_same_beside_one_who_asks_much_of_a_model_of_longrope(folder):
    factors = {"short_factor": [1.0] * 8, "long_factor": [4.0 + n for n in range(8)]}
    config = AutoConfig.from_pretrained(folder)
    scaled = {"rope_type": "longrope", "rope_theta": 10_000.0, "original_max_position_embeddings": 128}
    config.rope_parameters = scaled | factors
    weights = AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=torch.float64)
    long = Model(weights, load_model(folder, "long").tokenizer, "long")
    assert long.context == 128
    questions = {"much": ("rice and eggs " * 9, Sampling(temperature=0, max_tokens=200)), "little": ("rice",)}
    alone = {name: text_of(Engine(long), *told) for name, told in reversed(questions.items())}
    with Batched(long, at_once=2) as chat:
        assert at_once(chat, questions) == alone


def test_weights_of_a_model_are_described(model):
    assert model.context == 512
    assert model.ends == (model.tokenizer.eos_token_id,)
    assert Model(model.weights, model.tokenizer, "x").where == "this machine, CPU"
