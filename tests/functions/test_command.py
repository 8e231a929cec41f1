"""The `almanac` command as a person meets it: its words, its output, its exit codes."""

import contextlib
import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pandas as pd
import pytest
from rich.console import Console

from functions import _terminal as terminal
from functions.__main__ import main
from shared.errors import UsageError
from shared.runs import RUNS, Report, ledger, run_stage

ROOT = Path(__file__).parents[2]
log = logging.getLogger("almanac")


@pytest.fixture
def almanac(capsys):
    """Run a command line in this process; return (exit code, output, errors)."""

    def run(*words):
        try:
            main([*words])
        except SystemExit as ended:
            code = ended.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_first_day_fills_trains_and_ends_with_a_line_a_system(almanac):
    code, out, _ = almanac("day", "--only", "iris", "--day", "2026-10-31", "--json")
    (iris,) = json.loads(out)["systems"]
    assert code == 0
    assert (iris["system"], iris["status"], iris["figure"], iris["model"]) == ("iris", "done", "accuracy", "iris v2")
    assert iris["value"] > iris["baseline"]
    assert almanac("day", "--only", "iris", "--day", "2026-10-31")[1].count("nothing is due") == 1


@pytest.mark.slow
def test_a_first_day_does_every_scheduled_system(almanac):
    code, out, _ = almanac("day", "--day", "2026-10-31", "--json")
    rows = {row["system"]: row for row in json.loads(out)["systems"]}
    assert code == 0
    assert {name: (row["status"], row["figure"]) for name, row in rows.items()} == {
        "iris": ("done", "accuracy"),
        "wine": ("done", "mae"),
        "air_quality": ("done", "rmse"),
    }
    assert rows["wine"]["value"] < rows["wine"]["baseline"]
    assert rows["air_quality"]["value"] < rows["air_quality"]["baseline"]


def test_a_second_day_of_the_same_date_changes_no_row(almanac, iris):
    almanac("day", "--only", "iris", "--day", "2026-10-20")
    before = {table.name: iris.features.read(table) for table in iris.features.tables()}
    version = iris.features.version()
    assert almanac("day", "--only", "iris", "--day", "2026-10-20")[0] == 0
    assert iris.features.version() == version
    assert all(iris.features.read(table).equals(before[table.name]) for table in iris.features.tables())


def test_six_skipped_days_are_filled_by_the_next_run(almanac, iris_home):
    code, out, _ = almanac("run", "iris", "daily", "--until", "2026-10-27", "--json")
    assert code == 0
    rows = json.loads(almanac("table", "iris_predictions", "--since", "2026-10-21", "--json")[1])["rows"]
    assert [row["flower_id"] for row in rows] == [f"2026-10-{day}-1" for day in range(21, 28)]
    assert json.loads(out)["metrics"]["accuracy"] > 0.8


def test_a_stage_prints_its_metrics_beside_its_baselines(almanac, iris_home):
    code, out, _ = almanac("run", "iris", "train", "--day", "2026-10-20", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["metrics"]["accuracy_leave_one_out"] == pytest.approx(0.98)
    assert told["baselines"]["accuracy"] == pytest.approx(1 / 3)
    families = {row["family"]: row for row in told["table"]}
    assert families["linear_discriminant"]["chosen"]
    assert families["linear_discriminant"]["low"] < 0.98 < families["linear_discriminant"]["high"]
    assert families["predecessor: nearest_neighbours_2"]["accuracy"] < 0.96
    assert abs(told["metrics"]["c2st_auc"] - 0.5) < abs(told["baselines"]["c2st_auc"] - 0.5)


def test_status_shows_runs_champions_and_cost(almanac, iris_home):
    code, out, _ = almanac("status", "--json")
    told = json.loads(out)
    assert code == 0
    assert {row["stage"] for row in told["runs"]} == {"backfill", "train", "daily"}
    (system,) = told["systems"]
    assert (system["system"], system["done_up_to"], system["model"]) == ("iris", "2026-10-20", "iris v1")
    assert system["value"] > system["baseline"]
    assert told["champions"][0]["model"] == "iris"
    assert "Champions" in almanac("status")[1]


def test_any_table_can_be_read_as_text_csv_and_json(almanac, iris_home):
    assert "2026-10-20-1" in almanac("table", "iris_flowers")[1]
    csv = almanac("table", "iris_labels", "--since", "2026-10-10", "--until", "2026-10-11", "--csv")[1].splitlines()
    assert csv[0] == "flower_id,labelled_at,variety"
    assert len(csv) == 3
    listed = json.loads(almanac("table", "--json")[1])["tables"]
    assert {"runs", "promotions", "tracked", "iris_monitoring"} <= {row["table"] for row in listed}


def test_a_table_can_be_read_as_it_stood(almanac, iris):
    version = iris.features.version()
    almanac("run", "iris", "daily", "--until", "2026-10-22")
    now, then = (
        json.loads(almanac("table", "iris_predictions", "--json", *words)[1])["rows"]
        for words in ((), ("--as-of", str(version)))
    )
    assert (len(now), len(then)) == (22, 20)


def test_explain_traces_a_prediction_and_makes_it_again(almanac, iris_home):
    code, out, _ = almanac("explain", "2026-10-20-1", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["prediction"]["model_version"] == 1
    assert told["made again"]["prediction_exactly_the_same"] is True
    assert "Made again" in almanac("explain", "2026-10-20-1")[1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["run", "tulip", "daily"], 2, "no system 'tulip'; there are: air_quality, assistant"),
        (["run", "iris", "fly"], 2, "no stage 'fly'; it has: backfill, train, daily"),
        (["run", "iris", "daily", "--day", "2026-13-01"], 2, "not a date"),
        (["run", "iris", "daily", "--count", "many"], 2, "--count"),
        (["run", "iris", "daily", "--count", "0", "--day", "2026-10-21"], 2, "1 to 10000 flowers"),
        (["run", "iris", "daily", "--colour", "red"], 2, "--colour"),
        (["run", "iris", "train", "--origins", "bought"], 2, "origins are"),
        (["run", "iris", "backfill", "--source", "nowhere.csv"], 1, "nowhere.csv"),
        (["run", "iris", "backfill", "--source", "https://example.org/iris.csv"], 1, "ALMANAC_WORLD=live"),
        (["frobnicate"], 2, "No such command 'frobnicate'"),
        (["day", "--day", "tomorrow"], 2, "not a date"),
        (["day", "--only", "tulip"], 2, "no system 'tulip'"),
        (["table", "tulips"], 2, "no table 'tulips'"),
        (["table", "runs", "--as-of", "then"], 2, "--as-of"),
        (["table", "runs", "--since", "then"], 2, "not a date"),
        (["table", "runs", "--since", "2026-11-22", "--until", "2026-11-21"], 2, "is after"),
        (["table", "runs", "--until", "9999-12-31"], 2, "too far ahead"),
        (["table", "runs", "--as-of", "99999999"], 1, "the newest is"),
        (["table", "runs", "--csv", "--json"], 2, "choose one"),
        (["run", "iris", "daily", "--day", "20261120"], 2, "not a date"),
        (["run", "iris", "daily", "--day", "2026-10-01", "--until", "2026-10-02"], 2, "one of the two"),
        (["run", "iris", "daily", "--day", "2026-09-01"], 1, "the first did on 2026-10-01"),
        (["explain", "2099-01-01-1"], 1, "no prediction is called"),
        (["open", "tulips"], 2, "no page 'tulips'"),
    ],
)
def test_wrong_use_gets_one_sentence_an_exit_code_and_changes_nothing(almanac, iris, words, code, said):
    tables = {table.name: iris.features.read(table) for table in iris.features.tables() if table.name != "runs"}
    ended, out, err = almanac(*words)
    assert ended == code
    assert out == "" or "--json" in words
    assert said in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err
    assert all(
        iris.features.read(table).equals(tables[table.name]) for table in iris.features.tables() if table.name != "runs"
    )


def test_a_failed_system_is_a_row_of_the_day_and_exit_code_1(almanac, iris_home):
    model = iris_home / "demo" / "models" / "iris" / "1" / "files" / "model.onnx"
    model.write_bytes(b"broken")
    code, out, _ = almanac("day", "--only", "iris", "--day", "2026-10-21", "--json")
    (row,) = json.loads(out)["systems"]
    assert (code, row["status"]) == (1, "failed")
    assert "train again" in row["note"]
    last = json.loads(almanac("table", "runs", "--json")[1])["rows"][-1]
    assert (last["status"], last["error"].split(":")[0]) == ("failed", "UnsafeFileError")
    code, out, _ = almanac("status")
    assert code == 0
    assert "iris daily: UnsafeFileError" in " ".join(out.split())


def test_an_empty_store_says_what_to_do(almanac):
    assert almanac("status")[2].strip().endswith("start with `almanac day`")
    assert "almanac day" in almanac("table", "iris_flowers")[2]


def test_a_version_goes_back_to_serving_by_an_option_and_says_why(almanac, iris_home):
    almanac("run", "iris", "train", "--day", "2026-10-20")
    code, _, _ = almanac(
        "run", "iris", "rollback", "--version", "1", "--reason", "v2 smells [bold]\x1b[2J", "--day", "2026-10-21"
    )
    (champion,) = json.loads(almanac("status", "--json")[1])["champions"]
    assert (code, champion["version"]) == (0, 1)
    assert "\x1b" not in almanac("status")[1]
    code, _, said = almanac("run", "iris", "rollback", "--version", "1", "--reason", "x", "--day", "2026-09-01")
    assert (code, "cannot serve on 2026-09-01" in said) == (2, True)


def test_a_failure_is_json_too_when_json_was_asked_for(almanac, iris_home):
    code, out, err = almanac("table", "tulips", "--json")
    assert code == 2
    assert "no table 'tulips'" in json.loads(out)["error"]
    assert "no table 'tulips'" in err


def test_a_failed_day_says_why_however_narrow_the_terminal(almanac, iris_home, monkeypatch):
    monkeypatch.setattr(terminal.screen, "width", 60)
    (iris_home / "demo" / "models" / "iris" / "1" / "files" / "model.onnx").write_bytes(b"broken")
    code, _, err = almanac("day", "--only", "iris", "--day", "2026-10-21")
    assert code == 1
    assert "train again" in err


def test_no_rows_are_said_to_be_none(almanac, iris_home):
    assert "nothing here" in almanac("table", "iris_flowers", "--since", "2027-01-01")[1]


def test_open_says_when_its_port_is_taken(almanac):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, err = almanac("open", "iris", "--port", str(taken.getsockname()[1]))
    assert (code, "is taken" in err) == (2, True)


def test_debug_shows_where_an_error_came_from(almanac):
    code, _, err = almanac("--debug", "run", "iris", "backfill", "--source", "nowhere.csv")
    assert code == 1
    assert err.startswith("Traceback")
    assert "nowhere.csv" in err.splitlines()[-1]


def test_a_day_of_a_system_without_a_daily_is_wrong_use_and_says_what_it_has(almanac):
    code, _, err = almanac("day", "--only", "assistant")
    assert code == 2
    assert "assistant has no daily; it has: prepare, finetune" in err


def test_an_interrupted_stage_says_what_the_same_command_does_and_so_does_status(almanac, iris_home, monkeypatch):
    def pressed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("shared.systems.iris.training.train", pressed)
    code, out, err = almanac("run", "iris", "train", "--day", "2026-10-20")
    assert (code, out) == (130, "")
    assert err == "almanac: interrupted; the same command does 2026-10-20 again\n"
    assert "iris train: interrupted; the same command does 2026-10-20 again" in almanac("status")[1]


def test_status_says_of_a_run_that_was_killed_that_it_was_cut_off_and_of_one_that_goes_on_that_it_runs(almanac, iris):
    killed = ledger(iris, "iris", "daily").tail(1).assign(run_id="x", status="running", report="{}")
    iris.features.write(RUNS, killed.assign(started_at=pd.Timestamp("2099-01-01", tz="UTC")))

    def daily():
        return next(row for row in json.loads(almanac("status", "--json")[1])["runs"] if row["stage"] == "daily")

    assert daily()["status"] == "cut off"
    with iris.features.lock("iris.daily"):
        assert daily()["status"] == "running"


def test_wrong_use_does_not_hide_the_last_run_and_is_told_below_it(almanac, iris):
    def refuse(_):
        raise UsageError("1 to 10000 flowers grow in a day, not 0")

    with pytest.raises(UsageError):
        run_stage(iris, "iris.daily", refuse, day="2026-10-21")
    row = next(row for row in json.loads(almanac("status", "--json")[1])["runs"] if row["stage"] == "daily")
    assert (row["status"], row["error"]) == ("done", None)
    assert "1 to 10000 flowers" in row["refused"]
    assert "iris daily, refused since: UsageError: 1 to 10000 flowers" in almanac("status")[1]


def test_help_shows_what_stands_in_brackets(almanac):
    assert all("[deploy.ENV]" in almanac(word, "--help")[1] for word in ("status", "deploy", "destroy"))


def test_a_sentence_that_asks_something_gets_no_full_stop(almanac):
    assert "Did you mean 'run'? `almanac --help`" in almanac("rum")[2]


def test_small_numbers_keep_three_digits(capsys):
    numbers = (1e-4, 5e-4, -1.234e-7, 0.12345, 0.0, 12.0)
    terminal.say_table("", [{f"n{place}": number for place, number in enumerate(numbers)}])
    assert capsys.readouterr().out.split()[-6:] == ["1e-4", "5e-4", "-1.23e-7", "0.1235", "0.0", "12.0"]


def test_one_row_is_one_row(almanac, iris_home):
    assert almanac("table", "iris_labels", "--since", "2026-10-10", "--until", "2026-10-10")[1].startswith(
        "iris_labels: 1 row, simulated"
    )


@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999"])
@pytest.mark.parametrize("words", [("open", "iris"), ("run", "assistant", "serve")])
def test_a_port_that_there_is_not_is_wrong_use(almanac, words, port):
    if "serve" in words:
        pytest.importorskip("peft")
    code, _, err = almanac(*words, "--port", port)
    assert (code, len(err.strip().splitlines())) == (2, 1)
    assert f"there is no port {port}; they go from 1 to 65535" in err


def test_serve_says_when_its_port_is_taken_before_it_loads_a_model(almanac):
    pytest.importorskip("peft")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, out, err = almanac("run", "assistant", "serve", "--port", str(taken.getsockname()[1]))
    assert (code, out) == (2, "")
    assert "is taken by another program; choose one with --port" in err


def test_with_json_what_a_library_prints_goes_to_the_error_stream(almanac, iris_home, monkeypatch):
    def loud(*_):
        print("a banner")
        log.warning("a warning")
        log.info("words", extra={"due": 20})
        return Report(rows=1)

    monkeypatch.setattr("shared.systems.iris.training.train", loud)
    code, out, err = almanac("run", "iris", "train", "--day", "2026-10-20", "--json")
    assert (code, json.loads(out)["rows"]) == (0, 1)
    assert err.splitlines() == ["a banner", "a warning", "words"]


@pytest.mark.slow
def test_open_serves_the_page_on_the_port_it_says(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "functions", "open", "iris", "--port", str(port)]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as page:
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                with contextlib.suppress(httpx.HTTPError):
                    assert "Iris" in httpx.get(f"http://127.0.0.1:{port}/").text
                    return
                time.sleep(0.3)
            pytest.fail("no page within a minute")
        finally:
            os.killpg(page.pid, signal.SIGKILL)


@pytest.mark.slow
def test_the_installed_command_prints_help_within_two_seconds(tmp_path):
    command = Path(sys.executable).parent / "almanac"
    ran = subprocess.run([command, "--help"], cwd=tmp_path, capture_output=True, text=True, env=os.environ, timeout=20)
    assert ran.returncode == 0
    assert "explain" in ran.stdout


EVALUATED = [
    {
        "figure": figure,
        "verdict": "no sure difference to its base; worse than the champion",
        "this one": "38 of 40",
        "its base": "36 of 40",
        "the champion": "40 of 40",
    }
    for figure in ("loss", "meals_without_grammar:unlisted_main")
]


@pytest.fixture
def narrow(monkeypatch):
    """A terminal of 80 columns; what stands on it, line by line."""
    shown = io.StringIO()
    monkeypatch.setattr(terminal, "screen", Console(file=shown, width=80, color_system=None))
    return lambda: shown.getvalue().splitlines()


def test_on_80_columns_the_verdict_is_there_beside_the_whole_names_of_figures(narrow):
    terminal.say_table("", EVALUATED)
    lines = narrow()
    assert lines[0].split() == ["figure", "verdict", "this", "one", "its", "base"]
    assert "meals_without_grammar:unlisted_main  no sure difference" in "\n".join(lines)
    second = next(at for at, line in enumerate(lines) if line.startswith("meals"))
    assert " ".join(line[37:60] for line in lines[1:second]).split() == EVALUATED[0]["verdict"].split()
    assert lines[-1] == "Not shown for want of width: the champion. --json has all."
    assert max(map(len, lines)) <= 80


def test_a_first_column_wider_than_the_terminal_is_folded_and_not_left_out(narrow):
    terminal.say_table("", [{"figure": "x" * 100, "value": 1.0}])
    assert "".join(line.strip() for line in narrow()[1:-1]) == "x" * 100


def test_words_that_fit_are_not_folded(narrow):
    terminal.say_table("", [{"figure": "loss", "verdict": "no sure difference to its base", "this one": "0.71"}])
    assert "no sure difference to its base" in narrow()[1]
