"""Parts that a stage maps over workers, also when a part depends on what came of others."""

import asyncio

import pytest

from functions._modal import Service, image
from functions._modal import service as module
from functions._modal.machines import machine_options
from shared.steps.asha import Halving, Ladder

LOSSES = {f"t{number}": float(number) for number in range(9)}


def worker_of(machines):
    """A worker called ``attempt`` of a service with these tables in modal.toml, as Modal's client sees it."""

    def attempt(part):
        return part

    attempt.__qualname__ = "attempt"  # Modal takes functions of a module only
    service = Service("tulip", machines)
    return service, service.worker(image())(attempt).info()


def test_a_worker_has_the_machine_of_its_own_table():
    own = {"gpu": "A10", "hours": 2, "memory_gib": 8, "volumes": {"runs": "tulip-runs"}, "workers": 3}
    _, info = worker_of({"attempt": own, "daily": {"memory_gib": 1, "cron": "0 0 * * *"}})
    assert (info.memory_mib, info.timeout) == (8192, 7200)
    assert info.gpus == [("A10", 1)]
    assert {path: one.name for path, one in info.volumes.items()} == {"/runs": "tulip-runs"}


def test_a_worker_without_one_takes_what_it_needs_of_the_daily():
    _, info = worker_of({"daily": {"memory_gib": 2, "cron": "0 0 * * *", "workers": 7, "hours": 3}})
    assert (info.memory_mib, info.timeout) == (2048, 900)
    assert info.schedule is None


def test_here_parts_are_done_one_by_one_and_those_not_known_yet_are_asked_for_again():
    service, _ = worker_of({})
    search = Halving([*LOSSES], Ladder(1, 3, 3))
    for trial, step in service.each("attempt", search.jobs()):
        search.take(trial, step, LOSSES[trial])
    assert search.losses[9] == {"t0": 0.0}


@pytest.mark.parametrize("at_once", [1, 4])
def test_a_loop_that_reads_parts_and_brings_what_came_of_them_never_waits_for_itself(at_once, monkeypatch):
    """As Modal's ``map`` does: parts are read by a task of the loop in which results come."""
    monkeypatch.setattr(module, "ASKED_AGAIN_S", 0.001)
    search = Halving([*LOSSES], Ladder(1, 3, 3), at_once=at_once)

    async def mapped():
        results, tasks = asyncio.Queue(), []

        async def work(job):
            await asyncio.sleep(0.002)
            await results.put(job)

        async def read():
            async for job in module._fed(search.jobs()):
                tasks.append(asyncio.create_task(work(job)))
            await asyncio.gather(*tasks)
            await results.put(None)

        reading = asyncio.create_task(read())
        while (job := await results.get()) is not None:
            search.take(*job, LOSSES[job[0]])
        await reading
        return len(tasks)

    assert asyncio.run(asyncio.wait_for(mapped(), timeout=20)) == sum(map(len, search.losses.values()))
    assert "t0" in search.losses[9]


def test_a_container_computes_in_as_many_threads_as_cores_are_its_own():
    assert machine_options({"cpu": 4})["env"]["OMP_NUM_THREADS"] == "4"
    assert machine_options({"cpu": 0.25})["env"]["OMP_NUM_THREADS"] == "1"
