"""One writer at a time, however holders end: over a place in memory, and over files that processes share."""

import multiprocessing
import os
import pickle
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from functions._modal.lease import Entry, Lease, Patience
from shared.errors import BusyError

QUICK = Patience(beat=0.01, silence=0.15, wait=5)


class Memory:
    """What modal.Dict does, within one process; ``fails`` counts down the calls that a bad network swallows."""

    def __init__(self):
        self.values, self.guard, self.fails = {}, threading.Lock(), 0

    def get(self, key, default=None):
        self._may_fail()
        return self.values.get(key, default)

    def put(self, key, value, *, skip_if_exists=False):
        self._may_fail()
        with self.guard:
            if skip_if_exists and key in self.values:
                return False
            self.values[key] = value
            return True

    def _may_fail(self):
        if self.fails:
            self.fails -= 1
            raise ConnectionError("the network is gone")


class Files:
    """The same, for processes: a file a key, made exclusively or replaced."""

    def __init__(self, folder):
        self.folder = folder

    def get(self, key, default=None):
        with suppress(FileNotFoundError):
            return pickle.loads((self.folder / quote(key, "")).read_bytes())
        return default

    def put(self, key, value, *, skip_if_exists=False):
        path = self.folder / quote(key, "")
        beside = self.folder / f"{os.getpid()}-{threading.get_ident()}"
        beside.write_bytes(pickle.dumps(value))
        if not skip_if_exists:
            beside.replace(path)
            return True
        try:
            os.link(beside, path)
        except FileExistsError:
            return False
        finally:
            beside.unlink()
        return True


class LostAnswer(Memory):
    """The first exclusive put arrives, its answer does not, and the client asks again."""

    def put(self, key, value, *, skip_if_exists=False):
        answer = super().put(key, value, skip_if_exists=skip_if_exists)
        return False if skip_if_exists else answer


def die(lease):
    """End a holder as SIGKILL does: no more beats, nothing released."""
    lease._stopped.set()
    lease._heart.join()


def test_generations_go_up_by_one_and_a_released_lease_is_taken_at_once():
    shared, clock = Memory(), time.monotonic()
    for wanted in (1, 2, 3):
        lease = Lease(shared, "iris", Patience(wait=5))
        assert lease.take() == wanted
        lease.confirm()
        lease.release()
    assert time.monotonic() - clock < 1


def test_two_systems_do_not_wait_for_each_other():
    shared = Memory()
    iris, wine = Lease(shared, "iris", QUICK), Lease(shared, "wine", QUICK)
    assert (iris.take(), wine.take()) == (1, 1)
    iris.release(), wine.release()


def test_who_comes_second_waits_until_the_first_is_done():
    shared, order = Memory(), []
    first, second = Lease(shared, "iris", QUICK), Lease(shared, "iris", QUICK)
    first.take()
    waiting = threading.Thread(target=lambda: (second.take(), order.append("second"), second.release()))
    waiting.start()
    time.sleep(0.4)  # more than the silence: a heart that beats keeps it away
    order.append("first")
    first.release()
    waiting.join()
    assert order == ["first", "second"]


def test_waiting_ends_with_a_sentence():
    shared = Memory()
    holder = Lease(shared, "iris", QUICK)
    holder.take()
    with pytest.raises(BusyError, match=r"another run writes what iris stores; .* within 0.3 s"):
        Lease(shared, "iris", Patience(beat=0.01, silence=0.15, wait=0.3)).take()
    holder.confirm()
    holder.release()


def test_a_holder_that_was_killed_is_succeeded_after_its_silence():
    shared, killed = Memory(), Lease(Memory(), "iris", QUICK)
    killed._shared = shared
    killed.take()
    die(killed)
    clock = time.monotonic()
    assert Lease(shared, "iris", QUICK).take() == 2
    assert 0.14 < time.monotonic() - clock < 2


def test_a_holder_that_stood_still_and_wakes_up_must_not_write():
    shared = Memory()
    frozen, thief = Lease(shared, "iris", QUICK), Lease(shared, "iris", QUICK)
    frozen.take()
    die(frozen)
    frozen._stopped = threading.Event()  # awake again, and believes that it holds
    thief.take()
    with pytest.raises(BusyError, match="another one has taken over what iris stores"):
        frozen.confirm()
    frozen.release()
    thief.confirm()
    thief.release()


def test_a_thief_waits_for_a_holder_that_gave_a_sign_while_it_was_taken_over():
    """Between the thief's last look and its entry the holder confirmed, and is committing now."""
    shared = Memory()
    holder = Lease(shared, "iris", QUICK)
    holder.take()
    die(holder)
    holder._stopped = threading.Event()
    put_new, finished = Lease._put_new, []

    class Thief(Lease):
        def _put_new(self, generation):
            holder.confirm()  # it may commit: nobody has taken over yet
            answer = put_new(self, generation)
            threading.Timer(0.1, lambda: (finished.append(True), holder.release())).start()
            return answer

    thief = Thief(shared, "iris", QUICK)
    thief.take()
    assert finished, "the thief went on while the holder was committing"
    thief.release()


def test_of_two_thieves_one_takes_over_and_the_other_waits_for_it():
    shared, killed = Memory(), Lease(Memory(), "iris", QUICK)
    killed._shared = shared
    killed.take()
    die(killed)
    inside, most = [], []

    def steal():
        lease = Lease(shared, "iris", QUICK)
        lease.take()
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.05)
        inside.pop()
        lease.release()

    thieves = [threading.Thread(target=steal) for _ in range(4)]
    [thief.start() for thief in thieves]
    [thief.join() for thief in thieves]
    assert most == [1, 1, 1, 1]


def test_a_network_that_fails_for_a_while_costs_beats_and_not_the_lease():
    shared = Memory()
    lease = Lease(shared, "iris", QUICK)
    lease.take()
    shared.fails = 5
    time.sleep(0.1)
    assert shared.fails == 0
    lease.confirm()
    lease.release()


def test_an_answer_that_was_lost_on_the_way_is_no_reason_to_wait_for_oneself():
    lease = Lease(LostAnswer(), "iris", QUICK)
    assert lease.take() == 1
    lease.release()


@pytest.mark.parametrize("forgotten", [["", "/1", "/2", "/3"], ["", "/1", "/2"], ["", "/1"], [""], ["/1", "/2"]])
def test_what_the_place_has_forgotten_is_free(forgotten):
    """Modal forgets an entry that nobody has read for seven days, one earlier than the other."""
    shared = Memory()
    for _ in range(3):
        lease = Lease(shared, "iris", QUICK)
        lease.take()
        lease.release()
    for name in forgotten:
        del shared.values[f"lease/iris{name}"]
    for _ in range(3):
        lease = Lease(shared, "iris", QUICK)
        lease.take()
        lease.confirm()
        with pytest.raises(BusyError):
            Lease(shared, "iris", Patience(beat=0.01, silence=1, wait=0.05)).take()
        lease.release()


def test_an_entry_is_kept_as_builtin_values_that_every_version_of_the_code_can_read():
    assert Entry("a", 3, True).plain() == ("a", 3, True)
    shared = Memory()
    lease = Lease(shared, "iris", QUICK)
    lease.take()
    lease.release()
    assert {type(value) for value in shared.values.values()} == {tuple, int}


def _add_one(folder, times):
    """A read, a pause, a write: loses additions wherever two do it at once."""
    for _ in range(times):
        lease = Lease(Files(Path(folder)), "counter", Patience(beat=0.02, silence=5, wait=60))
        lease.take()
        path = Path(folder) / "count"
        count = int(path.read_text())
        time.sleep(0.005)
        path.write_text(str(count + 1))
        lease.release()


@pytest.mark.slow
def test_processes_that_add_to_one_number_lose_no_addition(tmp_path):
    (tmp_path / "count").write_text("0")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_add_one, args=(str(tmp_path), 5)) for _ in range(3)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert (tmp_path / "count").read_text() == "15"
