"""Searches over a table of losses, whose right answer is known; and one over real trainings of a tiny model."""

import json
import logging
import os
import random
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("trl")

from shared.connect import open_platform
from shared.errors import BusyError, NotYetError, SourceError, UsageError
from shared.pages.standing import standing
from shared.runs import Report, run_stage
from shared.steps.asha import Ladder
from shared.steps.base_names import Size
from shared.steps.bases import build_tiny
from shared.steps.plans import Plan
from shared.steps.run_folder import alone
from shared.systems.assistant.exporting import export
from shared.systems.assistant.searches import Search, prepared, told_of
from shared.systems.assistant.searching import bases, search, swept
from shared.systems.assistant.tables import CONVERSATIONS, TRIALS
from shared.systems.assistant.training import base_of, learned_from
from shared.systems.assistant.trials import attempt
from tests.assistant_rig import tiny_assistant
from tests.loopback.hub_bases import asked_of, publish
from tests.tuned_rig import a_run, stored

TINY = "tiny:2x48x3x400x1024"
LADDER = Ladder(10, 2, 3)
CASES = [f"c{number}" for number in range(60)]
WEIGHTS = 1000


class Workers:
    """Stands for trainings whose losses follow from the plan: ``of`` says the mean, every conversation its own."""

    def __init__(
        self,
        of,
        *,
        noise=0.0,
        at_once=1,
        seed=0,
        breaks=lambda plan, step: False,
        most=10**6,
        runs=None,
        base=5.0,
        sizes=None,
    ):
        self.of, self.noise, self.at_once, self.breaks, self.most = of, noise, at_once, breaks, most
        self.base = base  # the mean of one that nothing trained
        self.sizes = sizes or {}  # weights of bases
        self.runs = runs  # where to keep what came of trials, as real ones do
        self.rng, self.done = random.Random(seed), []

    def each(self, parts):
        """Read ahead as far as it may, and answer in any order."""
        waiting = []
        for part in parts:
            if part is not None:
                waiting.append(part)
            while len(waiting) >= self.at_once or (part is None and waiting):
                yield self.work(waiting.pop(self.rng.randrange(len(waiting))))
        while waiting:
            yield self.work(waiting.pop(self.rng.randrange(len(waiting))))

    def work(self, part):
        if len(self.done) == self.most:
            raise KeyboardInterrupt
        plan, told = Plan(**part["plan"]), {"trial": part["trial"], "step": part["step"]}
        self.done.append((part["trial"], part["step"]))
        if self.breaks(plan, part["step"]):
            return {**told, "losses": {}, "error": "OutOfMemoryError: too much"}
        drawn = np.random.default_rng([plan.rank, plan.seed]).normal(0, self.noise, len(CASES))
        mean = self.of(plan) + 1 / part["step"] if part["step"] else self.base
        losses = mean + np.linspace(0, 1, len(CASES)) + drawn
        table = {
            "conversation_id": CASES,
            "loss": losses.tolist(),
            "tokens": [4] * len(CASES),
            "bytes": [9] * len(CASES),
        }
        found = {**told, "losses": table, "error": ""}
        if part["step"]:
            whole = self.sizes.get(plan.base, WEIGHTS)
            found |= {"trained": plan.rank * 10 or whole, "weights": whole + plan.rank * 10}
        if self.runs:
            kept = told_of(self.runs / part["search"], plan, part["data"], part["step"])
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(json.dumps(found))
        return found


def tried(home, workers, **told):
    usual = {"bases": (TINY,), "ranks": (4, 8, 16), "learning_rates": (1e-4, 1e-3), "ladder": LADDER, "at_once": 2}
    return search(home.platform, a_run("search"), Search(**{**usual, **told}), home.folders, workers.each)


def rows_of(home):
    return home.platform.features.read(TRIALS).set_index(["trial", "step"])["verdict"]


def same(plan):
    """Ranks make no difference, the higher learning rate does."""
    return 1.0 if plan.learning_rate == 1e-3 else 2.0


def test_where_ranks_differ_by_noise_alone_the_cheapest_is_recommended(home):
    report = tried(home, Workers(same, noise=0.05))
    assert report.model == f"{TINY}-r4-lr0.001-s0"
    assert "no difference to the cheaper" in report.note
    assert "is recommended" in report.note
    assert "do not say how much a training varies" in report.note
    assert report.note.endswith(f"--base {TINY} --rank 4 --learning-rate 0.001")
    assert report.metrics["difference_low"] <= 0 <= report.metrics["difference_high"]


def test_where_a_higher_rank_is_surely_better_it_is_recommended(home):
    report = tried(home, Workers(lambda plan: same(plan) - plan.rank / 10, noise=0.05))
    assert report.model == f"{TINY}-r16-lr0.001-s0"
    assert f"{TINY}-r8-lr0.001-s0 is surely worse (+0.79" in report.note
    assert "no difference" not in report.note
    assert "difference" not in report.metrics


def test_the_untrained_base_stands_beside_what_is_recommended(home):
    report = tried(home, Workers(same, noise=0.05))
    assert report.baselines == pytest.approx({"loss": 5.5, "recommended_loss": 5.5}, abs=0.1)
    assert report.metrics["than_base"] == pytest.approx(1 + 1 / 40 - 5, abs=0.1)
    assert report.metrics["than_base_high"] < 0
    assert f"{TINY}-r4-lr0.001-s0 is surely better than not training, {TINY} as it is (-" in report.note


def test_where_no_trial_is_surely_better_than_its_base_nothing_is_recommended(home):
    report = tried(home, Workers(same, noise=0.05, base=1 + 1 / 40))
    assert f"-s0 is not surely better than not training, {TINY} as it is (" in report.note
    assert "nothing is recommended; " in report.note
    assert "finetune" not in report.note
    assert report.note.endswith("or prepare more conversations")
    assert report.model == ""
    assert "recommended_loss" not in report.metrics
    assert report.baselines["loss"] == pytest.approx(report.metrics["loss"], abs=0.05)
    assert not rows_of(home).str.contains("recommended").any()


def test_where_training_makes_every_trial_worse_it_says_so(home):
    report = tried(home, Workers(same, base=0.5))
    assert "is surely worse than not training" in report.note
    assert report.metrics["than_base_low"] > 0
    assert report.model == ""


def test_a_base_that_cannot_be_judged_is_said_and_hides_no_trial(home):
    report = tried(home, Workers(same, breaks=lambda plan, step: step == 0))
    assert f"{TINY} itself could not be judged" in report.note
    assert report.model == f"{TINY}-r4-lr0.001-s0"
    assert report.baselines == {}


def test_a_search_is_no_figure_of_the_system(home):
    told = {"day": a_run().day.isoformat()}
    run_stage(home.platform, "assistant.evaluate", lambda run: Report(metrics={"loss": 0.4}, headline="loss"), **told)
    run_stage(home.platform, "assistant.search", lambda run: tried(home, Workers(same)), **told)
    stands = standing(home.platform, "assistant")
    assert (stands.stage, stands.value) == ("search", 0.4)


def test_too_few_conversations_to_compare_by_are_said_before_anything_is_tried(home):
    rows = home.platform.features.read(CONVERSATIONS)
    left = rows.assign(split=rows["split"].where(rows["split"] != "validation", "withdrawn"))
    nine = left.assign(
        split=left["split"].mask(rows.index.isin(rows.index[rows["split"] == "validation"][:9]), "validation")
    )
    home.platform.features.write(CONVERSATIONS, nine)
    workers = Workers(same)
    with pytest.raises(NotYetError, match="9 validation conversations are too few to compare trials by, 10 the fewest"):
        tried(home, workers)
    assert workers.done == []


def test_a_version_that_is_not_there_leaves_no_folder(home):
    with pytest.raises(NotYetError):
        tried(home, Workers(same), bases=("assistant:9",))
    assert [*home.folders.runs.glob("search-*")] == []


def test_it_stops_going_down_at_the_first_that_is_surely_worse(home):
    workers = Workers(lambda plan: same(plan) - (0.5 if plan.rank >= 8 else 0), noise=0.02)
    report = tried(home, workers)
    assert report.model == f"{TINY}-r8-lr0.001-s0"
    verdicts = rows_of(home)
    assert verdicts[f"{TINY}-r8-lr0.001-s0", 40] in ("best", "no difference to the best: recommended")
    assert "surely worse than the best" in set(verdicts)


BIG, SMALL = "tiny:3x48x3x400x1024", "tiny:1x48x3x400x1024"
OF_BOTH = {"bases": (BIG, SMALL), "ranks": (8, 64), "learning_rates": (1e-3,)}
SIZES = {BIG: 3000, SMALL: 1000}


def test_a_smaller_base_that_is_worse_does_not_keep_a_lower_rank_of_the_larger_one_from_being_tried(home):
    workers = Workers(lambda plan: 1.0 - plan.rank / 10**4 if plan.base == BIG else 3.0, sizes=SIZES)
    report = tried(home, workers, **OF_BOTH)
    assert report.model == f"{BIG}-r8-lr0.001-s0"
    assert f"{SMALL}-r64-lr0.001-s0 is surely worse" in report.note
    assert (f"{SMALL}-r8-lr0.001-s0", 40) not in workers.done, "below one that is surely worse"


def test_a_lower_rank_of_the_larger_base_that_is_worse_does_not_keep_a_smaller_base_from_being_tried(home):
    reached = {(BIG, 64): 1.0, (BIG, 8): 2.0, (SMALL, 64): 1.002, (SMALL, 8): 1.001}
    workers = Workers(lambda plan: reached[plan.base, plan.rank], sizes=SIZES)
    report = tried(home, workers, **OF_BOTH)
    assert report.model == f"{SMALL}-r8-lr0.001-s0"
    assert rows_of(home)[f"{BIG}-r8-lr0.001-s0", 40] == "surely worse than the best"


def test_all_weights_that_did_worse_do_not_keep_adapters_on_the_same_base_from_being_tried(home):
    reached = {(BIG, 0): 1.0, (BIG, 8): 2.0, (SMALL, 0): 3.0, (SMALL, 8): 1.001}
    workers = Workers(lambda plan: reached[plan.base, plan.rank], sizes=SIZES)
    report = tried(home, workers, **OF_BOTH | {"ranks": (0, 8)})
    assert report.model == f"{SMALL}-r8-lr0.001-s0"


def test_a_smaller_base_costs_less_whatever_is_trained_of_it(home):
    workers = Workers(lambda plan: 1.0 if (plan.base, plan.rank) == (SMALL, 0) else 1.0001, sizes=SIZES)
    report = tried(home, workers, **OF_BOTH | {"ranks": (0, 8)})
    assert report.model == f"{SMALL}-r8-lr0.001-s0"
    assert not {trial for trial, step in workers.done if step == 40 and trial.startswith(f"{BIG}-r8")}


def test_a_cheaper_one_that_too_few_conversations_tell_apart_is_not_recommended(home):
    """Ranks differ by 0.15; a conversation's difference varies by 1.4, so that 60 of them tell no better than 0.36."""
    workers = Workers(lambda plan: 1.0 if plan.rank == 16 else 1.15, noise=1.0, base=3.0)
    report = tried(home, workers, learning_rates=(1e-3,))
    best = next(row["trial"] for row in report.table if row["verdict"] == "best")
    assert report.model == best
    assert "is not told apart from it by 60 conversations (at most +0." in report.note
    assert "no difference" not in report.note
    assert "not told apart from the best" in set(rows_of(home))
    assert report.note.endswith(f"--rank {best.partition('-r')[2].partition('-')[0]} --learning-rate 0.001")


def test_every_rung_is_a_row_with_what_became_of_it(home):
    report = tried(home, Workers(same))
    verdicts = rows_of(home)
    assert len(report.table) == 6
    assert {step for _, step in verdicts.index} == {10, 20, 40}
    assert "went on" in set(verdicts[:, 10])
    assert "stopped" in set(verdicts[:, 10])
    assert set(verdicts[:, 40]) <= {"best", "no difference to the best", "no difference to the best: recommended"}
    assert report.metrics["trials"] == 6


@pytest.mark.parametrize("seed", range(4))
def test_workers_that_answer_in_any_order_find_the_same(home, seed):
    report = tried(home, Workers(lambda plan: same(plan) - plan.rank / 10, at_once=3, seed=seed), at_once=3)
    assert report.model == f"{TINY}-r16-lr0.001-s0"
    assert len(rows_of(home)) == len(set(rows_of(home).index))


def test_a_trial_that_fails_is_a_row_and_others_go_on(home):
    report = tried(home, Workers(same, breaks=lambda plan, step: plan.rank == 16))
    verdicts = rows_of(home)
    assert verdicts[f"{TINY}-r16-lr0.001-s0", 10] == "failed: OutOfMemoryError: too much"
    assert report.model.startswith(f"{TINY}-r4")
    failed = next(row for row in report.table if row["verdict"].startswith("failed"))
    assert pd.isna(failed["loss"])


def test_a_trial_whose_loss_ran_away_counts_as_failed(home):
    report = tried(home, Workers(lambda plan: float("inf") if plan.rank == 4 else same(plan)))
    assert report.model.startswith(f"{TINY}-r8")
    verdicts = {verdict for (trial, _), verdict in rows_of(home).items() if "-r4-" in trial}
    assert verdicts == {"failed: its loss is no number: it ran away"}


def test_when_every_trial_fails_it_is_said_why(home):
    with pytest.raises(NotYetError, match="no trial reached the top of the ladder: failed: OutOfMemoryError"):
        tried(home, Workers(same, breaks=lambda plan, step: True))


@pytest.mark.parametrize("cut", [1, 4, 8])
def test_a_search_that_was_killed_goes_on_and_ends_the_same(home, cut):
    first, second, whole = Workers(same, noise=0.05, most=cut), Workers(same, noise=0.05), Workers(same, noise=0.05)
    with pytest.raises(KeyboardInterrupt):
        tried(home, first)
    report = tried(home, second)
    again = {job for job in second.done if job[1] < 40} & {*first.done}
    assert again == set(), "rungs that were kept are not done again"
    folders = replace(home.folders, runs=home.folders.runs.with_name("others"))
    shutil.copytree(home.folders.runs, folders.runs, ignore=shutil.ignore_patterns("search-*"))
    other = replace(home, platform=open_platform(home=home.folders.runs.parent.with_name("whole")), folders=folders)
    stored(other.platform)
    assert tried(other, whole).model == report.model


def test_a_search_that_was_begun_before_there_was_a_setting_goes_on(home):
    first = Workers(same, most=4, runs=home.folders.runs)
    with pytest.raises(KeyboardInterrupt):
        tried(home, first)
    (told,) = home.folders.runs.glob("search-*/plan.json")
    kept = json.loads(told.read_text())
    del kept["settings"]["sources"]
    told.write_text(json.dumps(kept))
    told.parent.rename(home.folders.runs / "search-before")
    again = Workers(same, runs=home.folders.runs)
    tried(home, again)
    assert {*again.done}.isdisjoint(first.done)
    assert len([*home.folders.runs.glob("search-*")]) == 1


def test_several_seeds_are_trained_for_those_that_are_compared(home):
    workers = Workers(same, noise=0.05)
    report = tried(home, workers, seeds=2)
    assert report.model == f"{TINY}-r4-lr0.001-s0"
    assert {trial.rpartition("-s")[2] for trial, step in workers.done if step < 40} == {"0"}
    assert {trial.rpartition("-s")[2] for trial, step in workers.done if step == 40} == {"0", "1"}
    assert [step for _, step in workers.done].count(0) == 1, "the base is one"
    assert "2 seeds each" in report.note


def test_bases_are_compared_the_same_way(home):
    other = "tiny:1x48x3x400x1024"
    workers = Workers(lambda plan: 1.0 if plan.base == TINY else 0.4)
    report = tried(home, workers, bases=(TINY, other), ranks=(4,), learning_rates=(1e-3,))
    assert report.model == f"{other}-r4-lr0.001-s0"
    assert {row["trial"] for row in report.table} == {f"{TINY}-r4-lr0.001-s0", f"{other}-r4-lr0.001-s0"}


def test_a_search_that_has_decided_answers_from_what_is_kept_and_tries_no_failed_trial_again(home):
    workers = Workers(same, noise=0.05, breaks=lambda plan, step: plan.rank == 16, runs=home.folders.runs)
    report = tried(home, workers, seeds=2)
    rows = home.platform.features.read(TRIALS)
    swept(home.platform, home.folders.runs)
    asked = Workers(same, most=0)
    again = tried(home, asked, seeds=2)
    assert asked.done == []
    assert (again.note, again.metrics, again.model) == (report.note, report.metrics, report.model)
    assert [row["verdict"] for row in again.table] == [row["verdict"] for row in report.table]
    pd.testing.assert_frame_equal(home.platform.features.read(TRIALS), rows)


def test_the_tiny_base_of_a_search_is_the_one_that_a_fine_tuning_begins_with(home):
    of_search, of_run = home.folders.runs / "search-1", home.folders.runs / "a-run"
    known = learned_from(home.platform, a_run())
    found = prepared(home.platform, of_search, (TINY,), pd.concat(known.values()))[TINY]
    own = base_of(home.platform, Plan(base=TINY), of_run, known["train"])
    for name in ("tokenizer.json", "model.safetensors"):
        assert (Path(found) / name).read_bytes() == (Path(own) / name).read_bytes()


def test_a_search_that_has_decided_trains_further_seeds_alone(home):
    tried(home, Workers(same, noise=0.05, runs=home.folders.runs))
    swept(home.platform, home.folders.runs)
    more = Workers(same, noise=0.05, runs=home.folders.runs)
    report = tried(home, more, seeds=2)
    assert {(trial.rpartition("-s")[2], step) for trial, step in more.done} == {("1", 40)}
    assert "2 seeds each" in report.note


def names_in(place):
    return {one.name for one in place.iterdir()} - {".lock"}


def test_of_a_search_that_has_decided_its_plan_and_what_came_of_trials_stay(home):
    workers = Workers(same, runs=home.folders.runs, most=3)
    with pytest.raises(KeyboardInterrupt):
        tried(home, workers)
    (place,) = home.folders.runs.glob("search-*")
    (place / "a-trial" / "best").mkdir(parents=True)
    swept(home.platform, home.folders.runs)
    assert names_in(place) == {"plan.json", "told", "bases", "conversations.parquet", "a-trial"}
    tried(home, Workers(same, runs=home.folders.runs))
    (place / ".gone" / "best").mkdir(parents=True)  # of a kill while another was swept
    swept(home.platform, home.folders.runs)
    assert names_in(place) == {"plan.json", "told"}
    assert (home.folders.runs / home.name / "best").is_dir(), "a fine-tuning is no search"


def given_up(runs, number, hours_ago):
    """A search that was killed so long ago, by what it wrote last."""
    home = runs / f"search-{number}"
    checkpoint = home / "a-trial" / "checkpoints"
    checkpoint.mkdir(parents=True)
    (home / "told").mkdir()
    (home / "plan.json").write_text("{}")
    for place in (home / "plan.json", home / "told", checkpoint.parent, home):
        os.utime(place, (10**9, 10**9))  # it may have begun long before
    os.utime(checkpoint, (2 * 10**9 - 3600 * hours_ago,) * 2)
    return home


def test_of_searches_that_were_given_up_all_but_the_newest_lose_their_trials_and_keep_what_they_found(home):
    runs = home.folders.runs
    searches = [given_up(runs, number, hours_ago) for number, hours_ago in ((1, 9), (2, 1), (3, 7), (4, 3), (5, 5))]
    swept(home.platform, runs)
    left = {place.name: names_in(place) for place in searches}
    whole, swept_ones = {"plan.json", "told", "a-trial"}, {"plan.json", "told"}
    assert left == {
        "search-2": whole,
        "search-4": whole,
        "search-5": whole,
        "search-3": swept_ones,
        "search-1": swept_ones,
    }
    assert (runs / home.name / "best").is_dir(), "a fine-tuning is no search"


def test_a_search_that_goes_on_is_never_swept(home):
    tried(home, Workers(same, runs=home.folders.runs))
    (decided,) = home.folders.runs.glob("search-*")
    older = [given_up(home.folders.runs, number, number) for number in range(5)]
    (decided / "of-a-further-seed").mkdir()
    with alone(decided), alone(older[4]):
        swept(home.platform, home.folders.runs)
    assert (decided / "of-a-further-seed").is_dir()
    assert (older[4] / "a-trial").is_dir()
    assert not (older[3] / "a-trial").exists()
    swept(home.platform, home.folders.runs)
    assert names_in(decided) == {"plan.json", "told"}


def test_one_search_twice_at_once_is_refused_and_another_one_is_not(home):
    def each(parts):
        with pytest.raises(BusyError, match="another process trains search-"):
            tried(home, Workers(same))
        assert tried(home, Workers(same), ranks=(4,)).rows
        return Workers(same).each(parts)

    told = {"bases": (TINY,), "ranks": (4, 8, 16), "learning_rates": (1e-4, 1e-3), "ladder": LADDER, "at_once": 2}
    assert search(home.platform, a_run("search"), Search(**told), home.folders, each).rows


def test_killed_before_its_rows_were_stored_a_search_takes_them_from_its_folder(home):
    with pytest.raises(KeyboardInterrupt):
        tried(home, Workers(same, noise=0.05, runs=home.folders.runs, most=5))
    fresh = replace(home, platform=open_platform(home=home.folders.runs.parent.with_name("fresh")))
    stored(fresh.platform)
    second = Workers(same, noise=0.05, runs=home.folders.runs)
    tried(fresh, second)
    rows = fresh.platform.features.read(TRIALS)
    assert len(second.done) == len(rows) - 5 + 1, "besides, the untrained base"


def test_rates_that_are_close_to_each_other_are_trials_of_their_own():
    rates = (1e-4, 1.4e-4, 1.5e-4, 1.5000001e-4, 2e-4)
    plans = Search(ranks=(8,), learning_rates=rates).plans()
    assert tuple(plan.learning_rate for plan in plans.values()) == rates


@pytest.mark.parametrize("nothing", [{"bases": ()}, {"ranks": ()}, {"learning_rates": ()}, {"seeds": 0}])
def test_a_search_of_nothing_is_refused(nothing):
    with pytest.raises(UsageError, match=r"a search compares at least one base.* got bases .*; ranks .* 100 steps"):
        Search(**nothing)


def really(home, seen=None):
    def each(parts):
        for part in parts:
            if part is not None:
                (seen if seen is not None else []).append(part)
                yield attempt(part, home.folders, lambda: None)

    return each


@pytest.mark.slow
def test_real_trials_are_trained_rung_by_rung_and_the_better_rate_wins(home):
    plan = Search((TINY,), (0, 2), (1e-5, 5e-3), Ladder(4, 2, 2))
    report = search(home.platform, a_run("search"), plan, home.folders, really(home))
    assert report.model.endswith("-r0-lr0.005-s0")
    assert "is surely worse" in report.note
    rows = home.platform.features.read(TRIALS)
    assert rows.groupby("rank")["trained"].first()[2] < rows.groupby("rank")["trained"].first()[0]
    swept(home.platform, home.folders.runs)
    assert [*home.folders.runs.glob("search-*/**/*.safetensors")] == []
    seen = []
    again = search(home.platform, a_run("search", hour=10), plan, home.folders, really(home, seen))
    assert (again.metrics, again.note, seen) == (report.metrics, report.note, [])


@pytest.mark.slow
def test_a_trial_that_goes_on_to_the_next_rung_is_the_one_it_would_have_been(home):
    seen = []
    plan = Search((TINY,), (2,), (5e-3,), Ladder(3, 2, 2))
    search(home.platform, a_run("search"), plan, home.folders, really(home, seen))
    assert [part["step"] for part in seen] == [3, 6, 0]
    (stepwise,) = home.folders.runs.glob("search-*/*-6-*")
    weights, trace = (stepwise / "best" / "adapter_model.safetensors").read_bytes(), stepwise / "trace.jsonl"
    before = trace.read_text()
    stepwise.rename(stepwise.with_name("aside"))
    shutil.rmtree(stepwise.with_name("told"))
    assert attempt(seen[1], home.folders, lambda: None)["error"] == ""
    assert (stepwise / "best" / "adapter_model.safetensors").read_bytes() == weights
    assert trace.read_text() == before


@pytest.mark.slow
def test_asked_for_a_rung_again_a_trial_that_has_gone_on_since_says_what_it_said_then(home):
    seen, plan = [], Search((TINY,), (2,), (5e-3,), Ladder(3, 2, 2))
    search(home.platform, a_run("search"), plan, home.folders, really(home, seen))
    lower, upper, untrained = (attempt(part, home.folders, lambda: None) for part in seen)
    rows = home.platform.features.read(TRIALS).set_index("step")["loss"]
    assert np.mean(lower["losses"]["loss"]) == pytest.approx(rows[3])
    assert np.mean(upper["losses"]["loss"]) == pytest.approx(rows[6])
    assert rows[3] != pytest.approx(rows[6])
    assert np.mean(untrained["losses"]["loss"]) > rows[3]


@pytest.mark.slow
def test_a_version_of_ours_is_copied_to_where_workers_see_it(judged):
    export(judged.platform, a_run("export"), judged.name, judged.folders)
    seen = []
    plan = Search(("assistant:1",), (2,), (1e-3,), Ladder(2, 2, 1))
    search(judged.platform, a_run("search"), plan, judged.folders, really(judged, seen))
    assert seen[0]["place"].startswith(str(judged.folders.runs / seen[0]["search"] / "bases"))


def killed_after_one(each):
    def killed(parts):
        for told in each(parts):
            yield told
            raise KeyboardInterrupt

    return killed


def test_a_search_holds_its_bases_of_the_hub_to_the_commits_it_began_with(home, hub, tmp_path, monkeypatch):
    asked_of(monkeypatch, hub.url, tmp_path / "cache-of-the-hub")
    folders = [build_tiny(tmp_path / str(seed), ["one"], seed, Size(1, 12, 3, 300, 64)) for seed in (0, 1)]
    first = publish(hub, "jane/own", folders[0])
    parts = []

    def each(given):
        for part in given:
            if part is not None:
                parts.append(part)
                yield Workers(same, runs=home.folders.runs, most=1).work(part)

    told = {"bases": ("jane/own",), "ranks": (4, 8), "learning_rates": (1e-3,), "ladder": LADDER, "at_once": 1}
    with pytest.raises(KeyboardInterrupt):
        search(home.platform, a_run("search"), Search(**told), home.folders, killed_after_one(each))
    second = publish(hub, "jane/own", folders[1])
    report = search(home.platform, a_run("search"), Search(**told), home.folders, each)
    assert {(part["plan"]["revision"], part["place"]) for part in parts} == {(first, "jane/own")}
    assert f"finetune --base jane/own --revision {first} --rank 4" in report.note
    parts.clear()
    search(home.platform, a_run("search"), Search(**told | {"ranks": (4,)}), home.folders, each)
    assert {part["plan"]["revision"] for part in parts} == {second}, "another search takes the newest"


def test_a_search_on_a_base_of_the_hub_takes_the_revision_that_is_named(home, hub, tmp_path, monkeypatch):
    asked_of(monkeypatch, hub.url, tmp_path / "cache-of-the-hub")
    first, second = (
        publish(hub, "jane/own", build_tiny(tmp_path / str(seed), ["one"], seed, Size(1, 12, 3, 300, 64)))
        for seed in (0, 1)
    )
    told = {"bases": ("jane/own",), "ranks": (4,), "learning_rates": (1e-3,)}
    report = tried(home, Workers(same, runs=home.folders.runs), **told, revision=first)
    assert f"finetune --base jane/own --revision {first} --rank 4" in report.note
    again = Workers(same, runs=home.folders.runs)
    assert tried(home, again, **told, revision=first).note == report.note
    assert again.done == []
    newest = tried(home, Workers(same, runs=home.folders.runs), **told, revision="main")
    assert f"--revision {second} " in newest.note, "a branch is asked for anew"


def test_a_revision_of_several_bases_or_of_one_that_has_none_is_refused(home):
    with pytest.raises(UsageError, match="--revision is of one base, and here are 2: search each by itself"):
        Search(bases=("a/b", "c/d"), revision="main")
    with pytest.raises(UsageError, match="has no revision 'main': only a base on the Hub, or a folder, has any"):
        tried(home, Workers(same), revision="main")
    assert [*home.folders.runs.glob("search-*")] == []


def test_with_another_model_in_a_bases_folder_a_search_begins_anew_and_its_trials_refuse_the_other(home, tmp_path):
    made = [build_tiny(tmp_path / str(seed), ["one"], seed, Size(1, 12, 3, 300, 64)) for seed in (0, 1)]
    own, parts = shutil.copytree(made[0], tmp_path / "own"), []

    def each(given):
        for part in given:
            if part is not None:
                parts.append(part)
                yield Workers(same, runs=home.folders.runs).work(part)

    told = Search((str(own),), (4,), (1e-3,), LADDER, at_once=1)
    with pytest.raises(KeyboardInterrupt):
        search(home.platform, a_run("search"), told, home.folders, killed_after_one(each))
    shutil.copytree(made[1], own, dirs_exist_ok=True)
    before = len(parts)
    report = search(home.platform, a_run("search"), told, home.folders, each)
    assert {part["search"] for part in parts[:before]}.isdisjoint(part["search"] for part in parts[before:])
    assert f"finetune --base {own} --revision {parts[-1]['plan']['revision']} --rank 4" in report.note
    broken = attempt(parts[0] | {"step": 40}, home.folders, lambda: None)
    assert broken["error"].startswith(f"UnsafeFileError: {own} holds another model than ")


def test_a_search_learns_from_and_is_judged_by_the_sources_that_are_named(home):
    stored_too = home.platform.features.read(CONVERSATIONS)
    other = stored_too.assign(source="mine-1f2e", conversation_id="other-" + stored_too["conversation_id"])
    home.platform.features.write(CONVERSATIONS, other)
    with pytest.raises(UsageError, match="no source 'nowhere' is stored: --sources takes of colours, mine-1f2e"):
        tried(home, Workers(same), sources="nowhere")
    assert [*home.folders.runs.glob("search-*")] == []
    report = tried(home, Workers(same), sources="mine-1f2e", ranks=(4,))
    (place,) = home.folders.runs.glob("search-*")
    ids = pd.read_parquet(place / "conversations.parquet")["conversation_id"]
    assert len(ids) > 0
    assert ids.str.startswith("other-").all()
    assert f"finetune --base {TINY} --sources mine-1f2e --rank 4 " in report.note


@pytest.mark.slow
def test_real_trials_on_a_base_of_the_hub_are_trained_from_the_commit_they_are_held_to(
    home, hub, tmp_path, monkeypatch
):
    asked_of(monkeypatch, hub.url, tmp_path / "cache-of-the-hub")
    size, seen = Size(1, 48, 3, 400, 1024), []
    first = publish(hub, "jane/own", build_tiny(tmp_path / "0", ["one"], 0, size))
    plan = Search(("jane/own",), (2, 3), (1e-3,), Ladder(2, 2, 1))
    with pytest.raises(KeyboardInterrupt):
        search(home.platform, a_run("search"), plan, home.folders, killed_after_one(really(home, seen)))
    second = publish(hub, "jane/own", build_tiny(tmp_path / "1", ["one"], 1, size))
    search(home.platform, a_run("search"), plan, home.folders, really(home, seen))
    assert {part["plan"]["revision"] for part in seen} == {first}
    second_part = attempt(seen[1], home.folders, lambda: None)
    newest = attempt(seen[1] | {"plan": seen[1]["plan"] | {"revision": second}}, home.folders, lambda: None)
    assert (second_part["error"], newest["error"]) == ("", "")
    assert np.mean(newest["losses"]["loss"]) != pytest.approx(np.mean(second_part["losses"]["loss"]))


def test_without_a_name_the_version_that_serves_is_the_base(home, tmp_path):
    with pytest.raises(NotYetError, match="name others with --bases"):
        bases(home.platform, " ,")
    tiny_assistant(home.platform, tmp_path)
    assert bases(home.platform, "") == ("assistant:1",)
    assert bases(home.platform, "tiny, a/b,tiny") == ("tiny", "a/b")


def test_an_attempt_says_when_it_begins_and_what_it_ended_with_and_moves_no_bar(home, caplog):
    parts = []

    def each(given):
        for part in given:
            if part is not None:
                parts.append(part)
                yield Workers(same, runs=home.folders.runs).work(part)

    search(home.platform, a_run("search"), Search((TINY,), (4,), (1e-3,), Ladder(10, 2, 1)), home.folders, each)
    with caplog.at_level(logging.INFO, "almanac"):
        for part in parts:
            attempt(part, home.folders, lambda: None)
    name = parts[0]["trial"]
    assert caplog.messages == [
        f"assistant search: {name} begins, up to step 10",
        f"assistant search: {name} ends at step 10, loss 1.6000",
        f"assistant search: {name} is judged before it is trained",
        f"assistant search: {name} ends at step 0, loss 5.5000",
    ]
    assert {(one.counts, hasattr(one, "done"), hasattr(one, "due")) for one in caplog.records} == {
        ("trials", False, False)
    }


def test_an_attempt_that_breaks_says_so_instead_of_ending_the_search(home):
    part = {"trial": "a", "step": 1, "search": "nowhere", "plan": {}, "data": ""}
    told = attempt(part, home.folders, lambda: None)
    assert told["losses"] == {}
    assert told["error"].startswith("FileNotFoundError: ")


@pytest.mark.parametrize("base", ["nobody/nothing", "/nowhere"])
def test_a_base_that_cannot_be_had_is_said_once_before_any_trial(home, monkeypatch, base):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    workers = Workers(same)
    with pytest.raises(SourceError, match=base):
        tried(home, workers, bases=(TINY, base))
    assert workers.done == []
