"""Searches whose every loss is known beforehand, driven in order, out of order, in threads, and cut off."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import SchemaError, UsageError
from shared.steps.asha import FAILED, Halving, Ladder

NINE = {f"t{number}": float(number) for number in range(9)}  # t0 is best at every rung
LADDER = Ladder(10, 3, 3)


def run(search, losses):
    """Do one job after the other, as a plain map does; return the jobs done."""
    done = []
    for job in search.jobs():
        done.append(job)
        search.take(*job, losses[job[0]])
    return done


def test_the_best_third_goes_on_and_the_best_third_of_them():
    search = Halving([*NINE], LADDER, seed=1)
    run(search, NINE)
    assert {step: len(found) for step, found in search.losses.items()}[10] == 9
    assert "t0" in search.losses[30]
    assert search.losses[90] == {"t0": 0.0}


def test_a_trial_is_promoted_as_soon_as_three_are_known_not_when_all_are():
    search = Halving([*NINE], LADDER)
    done = run(search, NINE)
    assert [step for _, step in done][:4] == [10, 10, 10, 30]
    first_three = [trial for trial, _ in done[:3]]
    assert done[3] == (min(first_three), 30)


def test_a_rung_too_small_to_promote_still_sends_its_best_to_the_top():
    search = Halving(["a", "b"], LADDER)
    done = run(search, {"a": 2.0, "b": 1.0})
    assert done[2:] == [("b", 30), ("b", 90)]


def test_a_trial_that_failed_is_recorded_and_others_go_on():
    search = Halving(["a", "b", "c"], LADDER)
    done = run(search, {"a": 2.0, "b": float("nan"), "c": 3.0})
    assert search.losses[10] == {"a": 2.0, "b": FAILED, "c": 3.0}
    assert {trial for trial, step in done if step > 10} == {"a"}


def test_when_the_best_breaks_higher_up_the_next_one_takes_its_place():
    search, broken = Halving(["a", "b"], Ladder(10, 2, 2)), {("a", 20)}
    for job in search.jobs():
        search.take(*job, FAILED if job in broken else {"a": 1.0, "b": 2.0}[job[0]])
    assert search.losses[20] == {"a": FAILED, "b": 2.0}


def test_a_search_in_which_everything_fails_ends():
    search = Halving(["a", "b", "c"], LADDER)
    assert len(run(search, dict.fromkeys("abc", FAILED))) == 3


def test_one_rung_is_a_plain_comparison():
    search = Halving(["a", "b"], Ladder(10, 3, 1))
    assert {*run(search, {"a": 1.0, "b": 2.0})} == {("a", 10), ("b", 10)}


def test_no_more_jobs_are_given_than_there_are_workers():
    search = Halving([*NINE], LADDER, at_once=2)
    jobs = search.jobs()
    first, second = next(jobs), next(jobs)
    assert next(jobs) is None
    assert next(jobs) is None
    search.take(*second, 1.0)
    assert next(jobs)[1] == 10
    search.take(*first, 1.0)


def test_reading_ahead_never_blocks_and_the_end_waits_for_what_runs():
    search = Halving(["a", "b"], Ladder(10, 2, 1), at_once=9)
    jobs = search.jobs()
    told = [next(jobs), next(jobs)]
    assert next(jobs) is None
    for job in told:
        search.take(*job, 1.0)
    assert [*jobs] == []


def test_a_result_of_a_job_nobody_gave_is_refused():
    with pytest.raises(SchemaError, match="no job trained x up to step 10"):
        Halving(["a"], LADDER).take("x", 10, 1.0)


def test_what_an_earlier_attempt_found_is_not_done_again():
    search = Halving(["a", "b", "c"], LADDER)
    search.know({("a", 10): 1.0, ("b", 10): 2.0, ("a", 30): 1.0, ("c", 10): FAILED, ("a", 7): 1.0})
    done = run(search, {"a": 1.0, "b": 2.0, "c": 3.0})
    assert {*done} == {("c", 10), ("a", 90)}


def test_the_order_in_which_trials_begin_is_the_seeds():
    orders = [[job for job, _ in run(Halving([*NINE], Ladder(1, 2, 1), seed=seed), NINE)] for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(NINE)


@pytest.mark.parametrize("wrong", [{"lowest": 0}, {"eta": 1}, {"rungs": 0}])
def test_what_is_no_ladder_is_refused(wrong):
    with pytest.raises(
        UsageError, match=r"a ladder has .* got -?\d+ rungs, the lowest of -?\d+ steps, each -?\d+ times"
    ):
        Ladder(**wrong)


def in_threads(search, losses, workers, seed):
    """Do jobs as a service does that reads ahead in a thread of its own and answers in any order."""
    rng, results, ended = random.Random(seed), [], threading.Event()

    def work(job, pause_s):
        time.sleep(pause_s)
        results.append(job)

    def read_ahead(pool):
        for job in search.jobs():
            if job is None:
                time.sleep(0.0005)
            else:
                pool.submit(work, job, rng.random() / 500)
        ended.set()

    with ThreadPoolExecutor(workers) as pool:
        reader = threading.Thread(target=read_ahead, args=(pool,))
        reader.start()
        deadline, done = time.monotonic() + 20, []
        while not ended.is_set() and time.monotonic() < deadline:
            while results:
                done.append(results.pop(rng.randrange(len(results))))
                search.take(*done[-1], losses[done[-1][0]])
            time.sleep(0.0005)
        reader.join(1)
    assert ended.is_set(), "the search did not end"
    return done


@pytest.mark.parametrize("workers", [1, 3, 16])
def test_workers_in_threads_that_answer_in_any_order_lose_nothing(workers):
    search = Halving([*NINE], LADDER, at_once=workers)
    done = in_threads(search, NINE, workers, seed=workers)
    assert len(done) == len({*done}) == sum(map(len, search.losses.values()))
    assert {*search.losses[10]} == {*NINE}
    assert "t0" in search.losses[90]


@given(
    st.dictionaries(st.text(min_size=1), st.floats(0, 9) | st.just(FAILED), min_size=1, max_size=12),
    st.integers(2, 4),
    st.integers(1, 4),
    st.integers(0, 40),
)
def test_whatever_the_losses_and_wherever_it_is_cut_off_every_job_is_done_once(losses, eta, rungs, cut):
    ladder = Ladder(1, eta, rungs)
    first, known = Halving([*losses], ladder), {}
    for job in first.jobs():
        if len(known) == cut:
            break
        known[job] = losses[job[0]]
        first.take(*job, known[job])
    again = Halving([*losses], ladder)
    again.know(known)
    done = run(again, losses)
    assert len(done) == len({*done})
    assert not {job for job in done if known.get(job, FAILED) < FAILED}
    found = again.losses
    for below, above in zip(ladder.steps, ladder.steps[1:], strict=False):
        assert {*found[above]} <= {*found[below]}
    if any(loss < FAILED for loss in losses.values()):
        assert any(loss < FAILED for loss in found[ladder.steps[-1]].values())
