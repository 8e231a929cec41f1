"""How far a stage is, as a person sees it: lines where there is no terminal, one bar where there is one."""

import io
import logging
import re

import pytest
from rich.console import Console

from functions import _terminal as terminal
from functions._progress import progress

log = logging.getLogger("almanac")


def begins(words, due, counts="", **more):
    log.info(words, extra={"due": due, **({"counts": counts} if counts else {}), **more})


def moves(words, done, counts):
    log.info(words, extra={"done": done, "counts": counts})


@pytest.fixture
def lines(capsys):
    """What was printed to the error stream, without times."""

    def printed():
        said = capsys.readouterr()
        assert said.out == ""
        return [line.split(" (")[0] for line in said.err.splitlines()]

    return printed


@pytest.fixture
def screen(monkeypatch):
    """A terminal; what stands on it, screen by screen."""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=140, color_system=None)
    monkeypatch.setattr(terminal, "errors", console)
    return shown


def test_without_a_terminal_there_is_a_line_a_tenth_and_one_for_all_that_is_only_said(lines):
    with progress("tune"):
        begins("assistant finetune: 1 due", 1, "dates of assistant finetune")
        log.info("the loss of its base is found", extra={"counts": "steps"})
        begins("begins", 200, "steps")
        for step in range(1, 201):
            moves(f"step {step} of 200", step, "steps")
            if step == 55:
                log.info("validation loss 0.5", extra={"counts": "steps"})
        moves("assistant finetune: 9 rows", 1, "dates of assistant finetune")
    steps = [f"step {step} of 200" for step in range(20, 201, 20)]
    assert lines() == ["the loss of its base is found", "begins", *steps[:2], "validation loss 0.5", *steps[2:]]


def test_one_date_is_no_count_and_thirty_are(lines):
    with progress("iris daily"):
        begins("iris daily: 30 due", 30, "dates of iris daily")
        for done in range(1, 31):
            moves(f"date {done}", done, "dates of iris daily")
    assert lines() == ["iris daily: 30 due", *(f"date {done}" for done in range(3, 31, 3))]


def test_a_line_tells_how_many_are_done_and_the_time_left(capsys):
    with progress("backtest"):
        begins("backtest: 20 fits", 20)
        for _ in range(4):
            log.info("a fit")
    first, second, third = capsys.readouterr().err.splitlines()
    assert (first, second.split(",")[0]) == ("backtest: 20 fits", "a fit (2 of 20")
    assert third.startswith("a fit (4 of 20, 0:00:0")
    assert third.endswith(" left)")


def test_a_warning_is_a_line_and_counts_as_nothing(lines):
    with progress("backtest"):
        begins("backtest: 2 fits", 2)
        log.warning("a checkpoint is skipped")
        log.info("a fit")
        log.info("another fit")
    assert lines() == ["backtest: 2 fits", "a checkpoint is skipped", "a fit", "another fit"]


def test_on_a_terminal_steps_are_counted_once_with_losses_and_the_time_left(screen):
    with progress("assistant finetune"):
        begins("assistant finetune: 1 due", 1, "dates of assistant finetune")
        begins("tiny: begins", 500, "steps")
        for step in (5, 10, 40):
            moves(f"tiny: step {step} of 500, loss 0.5210, validation loss 0.6130", step, "steps")
    last = screen.getvalue().replace("\r", "\n")
    assert "step 40 of 500, loss 0.5210, validation loss 0.6130" in last
    assert "1 due" not in last
    assert "0 of 1" not in last
    assert "left" in last
    assert last.count("40 of 500") == last.count("step 40 of 500")


def test_both_losses_and_the_time_left_fit_a_terminal_of_80_columns(screen):
    terminal.errors.width = 80
    with progress("assistant finetune"):
        begins("tiny-full-lr3e-03-500-0129: begins", 500, "steps")
        moves("tiny-full-lr3e-03-500-0129: step 480 of 500, loss 0.5210, validation loss 0.6130", 480, "steps")
    last = screen.getvalue().replace("\r", "\n")
    assert re.search(r"step 480 of 500, loss 0.5210, validation loss 0.6130 .* left", last)


def test_trials_are_counted_around_the_steps_of_each(screen):
    with progress("assistant search"):
        begins("assistant search: 1 due", 1, "dates of assistant search")
        begins("assistant search: 9 settings", 9, "trials")
        for trial in (1, 2, 3):
            begins("tiny: begins", 900, "steps")
            moves("tiny: step 100 of 900", 100, "steps")  # it ends early
            moves(f"trial {trial}", trial, "trials")
        begins("tiny: begins", 100, "steps")
        moves("tiny: step 50 of 100", 50, "steps")
    last = screen.getvalue().replace("\r", "\n").splitlines()
    assert any("step 50 of 100" in line and "3 of 9 trials" in line for line in last)


def test_a_server_has_no_bar_while_it_answers(screen):
    with progress("assistant serve"):
        log.info("answering", extra={"serving": 8000})
        before = screen.getvalue()
        log.info("words")
    assert screen.getvalue() == before
