"""What the platform on the Hub promises beyond the ports: bad days of the network, two writers, kills, leases."""

import json
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from shared.adapters.hub import store as store_module
from shared.adapters.hub.account import HubAccount, Repo
from shared.adapters.hub.leases import Leases, Patience
from shared.adapters.hub.registry import HubRegistry
from shared.adapters.hub.store import HubStore
from shared.adapters.local.store import LocalStore
from shared.errors import BackendError, BusyError, NotYetError, UsageError
from shared.ports import NewModel
from shared.tables import Column, Table

COUNTS = Table("counts", (Column("writer", "int"), Column("at", "time"), Column("n", "int")), ("writer", "at"), "at")
NAME = "jane/almanac-demo"
COMMIT = r"POST .*/commit/main"


def now():
    return datetime.now(UTC)


def counts(n, writer=1, days=3):
    return pd.DataFrame({"writer": writer, "at": pd.date_range("2026-11-01", periods=days, tz="UTC"), "n": n})


@pytest.fixture
def waits():
    return []


@pytest.fixture
def patient(hub, waits):
    """An account that notes how long it would wait, and gives up on a silent server in half a second."""
    return HubAccount(hub.url, hub.token, timeout_s=0.5, sleep=waits.append)


@pytest.fixture
def store(patient, tmp_path):
    return HubStore(patient, NAME, tmp_path / "store", now=now)


@pytest.fixture
def other(account, tmp_path):
    """The same repository, seen from another machine."""
    return HubStore(account, NAME, tmp_path / "other", now=now)


@pytest.mark.parametrize("what", ["timeout", "cut", "lost", 429, 500, 503])
@pytest.mark.parametrize("where", [COMMIT, r"POST .*/preupload/", r"POST .*/objects/batch", r"PUT /lfs/"])
def test_a_write_that_fails_once_is_done_at_the_second_attempt(hub, store, other, waits, what, where):
    store.write(COUNTS, counts(1))
    hub.fail(where, what, retry_after=7)
    written = store.write(COUNTS, counts(2))
    assert (written.rows, written.version) == (3, 2)
    assert other.read(COUNTS)["n"].tolist() == [2, 2, 2]
    assert waits == [8.0 if isinstance(what, int) else 1.0]
    assert hub.commits(NAME) == 2


@pytest.mark.parametrize("what", ["timeout", "cut", 401, 403, 404, 429, 500, 503])
@pytest.mark.parametrize("where", [COMMIT, r"PUT /lfs/", r"GET .*/revision/main"])
def test_a_write_that_fails_for_good_leaves_everything_as_it_was_and_may_be_done_again(hub, store, other, what, where):
    before = store.write(COUNTS, counts(1)).version
    hub.fail(where, what, times=99)
    with pytest.raises((BackendError, NotYetError), match="could not|is not there any more"):
        store.write(COUNTS, counts(2, days=400))
    hub.faults.clear()
    assert hub.commits(NAME) == 1
    assert other.read(COUNTS)["n"].tolist() == [1, 1, 1]
    assert store.read(COUNTS)["n"].tolist() == [1, 1, 1]
    assert store.version() == before
    assert store.write(COUNTS, counts(2)).rows == 3
    assert other.read(COUNTS)["n"].tolist() == [2, 2, 2]


def test_where_the_hub_says_to_wait_for_an_hour_nobody_waits_and_the_message_says_so(hub, store, waits):
    store.write(COUNTS, counts(1))
    hub.fail(COMMIT, 429, retry_after=3600)
    with pytest.raises(BackendError, match="in 60 min"):
        store.write(COUNTS, counts(2))
    assert waits == []


@pytest.mark.parametrize("status", [409, 412])
def test_a_write_on_a_head_that_moved_is_done_again_on_the_new_one(hub, store, other, status):
    store.write(COUNTS, counts(1))
    hub.fail(COMMIT, status, times=2)
    assert store.write(COUNTS, counts(2, writer=2)).version == 2
    assert len(other.read(COUNTS)) == 6


def test_a_head_that_moves_all_the_time_is_busy(hub, store, monkeypatch):
    monkeypatch.setattr(store_module.time, "sleep", lambda _: None)
    store.write(COUNTS, counts(1))
    hub.fail(COMMIT, 412, times=99)
    with pytest.raises(BusyError, match="others write"):
        store.write(COUNTS, counts(2))


def test_what_another_machine_wrote_meanwhile_is_kept(store, other):
    store.write(COUNTS, counts(1))
    other.write(COUNTS, counts(5, writer=2))
    store.write(COUNTS, counts(2))
    for reader in (store, other):
        assert reader.read(COUNTS).sort_values(["writer", "at"])["n"].tolist() == [2, 2, 2, 5, 5, 5]


def test_an_answer_lost_while_another_machine_writes_is_known_to_be_done(hub, store, other):
    """The commit was made, its answer lost, and another one made on it: the write is not repeated."""
    store.write(COUNTS, counts(1))
    sent = store._account.commit

    def commit(*words, **options):
        sent(*words, **options)
        other.write(COUNTS, counts(5, writer=2))
        hub.fail(COMMIT, 412)
        return sent(*words, **options)

    store._account.commit = commit
    written = store.write(COUNTS, counts(2))
    assert (written.rows, written.version) == (3, 2)
    assert hub.commits(NAME) == 3


def _write_ten(store, writer):
    for n in range(10):
        store.write(COUNTS, counts(n, writer=writer))


@pytest.mark.slow
def test_two_processes_with_caches_of_their_own_write_at_once_and_lose_nothing(account, tmp_path):
    context = multiprocessing.get_context("spawn")
    stores = [HubStore(account, NAME, tmp_path / str(writer), now=now) for writer in range(2)]
    workers = [context.Process(target=_write_ten, args=(one, writer)) for writer, one in enumerate(stores)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    rows = stores[0].read(COUNTS)
    assert len(rows) == 6
    assert set(rows["n"]) == {9}


@pytest.mark.slow
@pytest.mark.parametrize("where", [COMMIT, r"POST .*/objects/batch", r"PUT /lfs/"])
def test_a_kill_between_upload_and_commit_leaves_the_repository_and_the_next_run_goes_on(hub, store, where):
    store.write(COUNTS, counts(1))
    hub.fail(where, "timeout")
    child = multiprocessing.get_context("fork").Process(target=_write_ten, args=(store, 1))
    child.start()
    while not any(fault.left == 0 for fault in hub.faults):
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert hub.commits(NAME) == 1
    assert store.read(COUNTS)["n"].tolist() == [1, 1, 1]
    assert store.write(COUNTS, counts(2)).version == 2


def test_a_manifest_that_is_not_given_is_never_taken_for_an_empty_store(hub, store, other):
    """Else the next write would leave out every row there is."""
    store.write(COUNTS, counts(1))
    hub.fail(r"GET .*/manifest.json", 404)
    with pytest.raises(BackendError, match="did not give its manifest.json"):
        other.write(COUNTS, counts(5, writer=2))
    assert other.write(COUNTS, counts(5, writer=2)).version == 2
    assert len(store.read(COUNTS)) == 6


def test_tables_without_their_manifest_are_refused(store, account, other):
    store.write(COUNTS, counts(1))
    account.commit(Repo("dataset", NAME), "by hand", {}, ["manifest.json"])
    for one in (store, other):
        with pytest.raises(BackendError, match="take it back to a commit that has one"):
            one.write(COUNTS, counts(2))


def test_a_superseded_file_that_somebody_deleted_by_hand_stops_no_write(hub, store, account):
    store.write(COUNTS, counts(0))
    (first,) = [path for path in hub.tree(NAME) if path.startswith("tables/")]
    account.commit(Repo("dataset", NAME), "by hand", {}, [first])
    for n in range(1, 40):
        store.write(COUNTS, counts(n))
    assert store.read(COUNTS)["n"].tolist() == [39, 39, 39]


def test_a_reader_that_was_slow_never_takes_a_shared_cache_back_to_an_older_head(store, account, tmp_path, monkeypatch):
    """While its answer was on the way, another process took over and wrote to the same cache."""
    monkeypatch.setattr(store_module, "_ASKING", threading.RLock())  # a process has its own
    store.write(COUNTS, counts(1))
    slow = HubStore(account, NAME, tmp_path / "store", now=now, fresh_s=0.001)
    HubStore(account, NAME, tmp_path / "other", now=now).write(COUNTS, counts(2))
    given = slow._asking.text

    def text(*words):
        answer = given(*words)
        store.write(COUNTS, counts(3))
        return answer

    slow._asking.text = text
    assert slow.read(COUNTS)["n"].tolist() == [3, 3, 3]
    assert store.version() == 3


def test_an_empty_account_is_an_empty_store_and_reading_makes_no_repository(hub, store):
    assert store.read(COUNTS).empty
    assert (store.version(), store.tables()) == (0, [])
    assert hub.repos == {}


def test_a_repository_that_is_gone_is_told_not_taken_for_an_empty_one_and_a_new_cache_begins_anew(
    hub, store, account, tmp_path
):
    store.write(COUNTS, counts(1))
    account.delete(Repo("dataset", NAME))
    for stage in (lambda: store.read(COUNTS), lambda: store.write(COUNTS, counts(2))):
        with pytest.raises(BackendError, match="not there any more, or private .* remove .* too"):
            stage()
    anew = HubStore(account, NAME, tmp_path / "anew", now=now)
    assert anew.read(COUNTS).empty
    assert anew.write(COUNTS, counts(2)).rows == 3


def test_writes_of_several_tables_are_one_commit(hub, store):
    other_table = Table("sums", COUNTS.columns, COUNTS.key, "at")
    written = store.write_all([(COUNTS, counts(1)), (other_table, counts(2, days=2))])
    assert [one.rows for one in written] == [3, 2]
    assert hub.commits(NAME) == 1


def test_a_page_shows_what_it_has_while_the_hub_is_out_of_reach_a_stage_fails(hub, store, patient, tmp_path, caplog):
    store.write(COUNTS, counts(1))
    page = HubStore(patient, NAME, tmp_path / "page", now=now, fresh_s=0.001)
    assert len(page.read(COUNTS)) == 3
    hub.fail(r"GET ", 503, times=99)
    time.sleep(0.01)
    with caplog.at_level(logging.WARNING, "almanac"):
        assert len(page.read(COUNTS)) == 3
    assert "showing what was read before" in caplog.text
    with pytest.raises(BackendError, match="503"):
        store.read(COUNTS)


@pytest.mark.parametrize("what", ["manifest.json", "parquet"])
def test_nobody_waits_before_a_page_for_as_long_as_the_hub_says(hub, store, patient, waits, tmp_path, what):
    store.write(COUNTS, counts(1))
    page = HubStore(patient, NAME, tmp_path / "page", now=now, fresh_s=60)
    hub.fail(rf"GET .*{what}", 429, times=99, retry_after=200)
    with pytest.raises(BackendError, match="429"):
        page.read(COUNTS)
    assert waits == []


def test_a_page_that_never_read_anything_fails_while_the_hub_is_out_of_reach(hub, patient, tmp_path):
    hub.fail(r"GET ", 503, times=99)
    with pytest.raises(BackendError, match="503"):
        HubStore(patient, NAME, tmp_path / "page", now=now, fresh_s=60).read(COUNTS)


def test_rows_read_once_are_the_newest_for_as_long_as_told_also_to_a_page_opened_anew(hub, store, account, tmp_path):
    store.write(COUNTS, counts(1))

    def page():
        return HubStore(account, NAME, tmp_path / "page", now=now, fresh_s=60)

    page().read(COUNTS)
    before = len(hub.requests)
    store.write(COUNTS, counts(2))
    asked = len(hub.requests)
    assert page().read(COUNTS)["n"].tolist() == [1, 1, 1]
    assert (len(hub.requests) - asked, asked > before) == (0, True)


def test_a_file_is_fetched_once(hub, store, other):
    store.write(COUNTS, counts(1))
    for _ in range(3):
        other.read(COUNTS)
    assert len(hub.asked(r"GET .*\.parquet")) == 1


def test_a_download_cut_off_is_fetched_again_and_never_taken_for_whole(hub, store, patient, tmp_path):
    store.write(COUNTS, counts(1, days=300))
    hub.fail(r"GET .*\.parquet", "cut answer")
    fresh = HubStore(patient, NAME, tmp_path / "fresh", now=now)
    assert len(fresh.read(COUNTS)) == 300
    assert not list(tmp_path.rglob("*.part"))


def test_superseded_files_are_kept_for_as_of_and_expired_ones_removed(hub, store, other):
    for n in range(40):
        store.write(COUNTS, counts(n))
    assert other.read(COUNTS, as_of=39)["n"].tolist() == [38, 38, 38]
    with pytest.raises(NotYetError, match="no longer kept"):
        other.read(COUNTS, as_of=3)
    assert len([path for path in hub.tree(NAME) if path.startswith("tables/")]) == 33


def test_the_card_points_to_the_live_file_of_each_table(hub, store):
    store.write(COUNTS, counts(1))
    store.write(COUNTS, counts(2))
    tree = hub.tree(NAME)
    (live,) = [line.strip("- ") for line in tree["README.md"].decode().splitlines() if ".parquet" in line]
    assert live in tree
    manifest = json.loads(tree["manifest.json"])
    (row,) = [file for file in manifest["tables"]["counts"]["files"] if file[4] is None]
    assert row[1] == live
    assert "| `counts` | 3 |" in tree["README.md"].decode()


def test_a_manifest_of_a_layout_to_come_or_damaged_says_what_to_do(store, account, other):
    store.write(COUNTS, counts(1))
    for text, what in (('{"layout": 9, "tables": {}}', "newer Almanac"), ("{", "damaged")):
        account.commit(Repo("dataset", NAME), "by hand", {"manifest.json": text.encode()})
        with pytest.raises(BackendError, match=what):
            other.read(COUNTS)


def test_what_is_read_equals_the_embedded_store_on_the_same_writes(store, other, tmp_path):
    embedded = LocalStore(tmp_path / "embedded", now=now)
    for one in (counts(1), counts(2, writer=2, days=500), counts(7, days=2)):
        assert store.write(COUNTS, one) == embedded.write(COUNTS, one)
    pd.testing.assert_frame_equal(other.read(COUNTS), embedded.read(COUNTS))


def test_a_lease_of_a_dead_holder_ends_by_itself_and_one_that_is_renewed_does_not(account):
    repo = Repo("dataset", NAME)
    dead = Leases(account, repo, now=lambda: now() - timedelta(seconds=9), patience=Patience(10, 60, 0.05))
    live = Leases(account, repo, now, Patience(lease_s=60, renew_s=0.05, ask_s=0.05))
    until = lambda: live._lease("a", account.head(repo, "locks"))["until"]  # noqa: E731
    with dead.held("a", 0):
        dead._free = lambda *_: None  # it was killed
    with live.held("a", wait_s=60):
        first = until()
        while until() == first:  # it is renewed twenty times a second
            time.sleep(0.01)
        later = Leases(account, repo, now=lambda: datetime.fromisoformat(first))  # when it would have ended
        with pytest.raises(BusyError, match="another run holds 'a'"), later.held("a", wait_s=0):
            pass
    with live.held("a", wait_s=0):
        pass


@pytest.mark.slow
def test_of_many_who_want_a_lock_at_once_one_holds_it_at_a_time(account):
    leases = Leases(account, Repo("dataset", NAME), now, Patience(ask_s=0.01))
    inside, most, done = [], [], []

    def work(number):
        with leases.held("x", wait_s=60):
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.02)
            inside.remove(number)
        done.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (set(most), sorted(done)) == ({1}, [0, 1, 2, 3, 4, 5])


@pytest.mark.parametrize("what", ["timeout", "cut", "lost", 409, 412, 429, 500, 503])
def test_a_model_is_saved_whole_on_a_bad_day(hub, patient, tmp_path, what):
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"weights")
    models = HubRegistry(patient, NAME, tmp_path / "models")
    models.save(NewModel("tide", folder, {"mae": 0.5}))
    hub.fail(COMMIT, what, retry_after=7)
    assert models.save(NewModel("tide", folder, {"mae": 0.4})).version == 2
    assert models.versions("tide") == [1, 2]
    fresh = HubRegistry(patient, NAME, tmp_path / "fresh")
    assert (fresh.load("tide", 2).folder / "model.onnx").read_bytes() == b"weights"
    assert "mae | 0.4" in hub.tree(f"{NAME}-tide", "model")["README.md"].decode()


def test_a_model_fetched_once_loads_while_the_hub_is_out_of_reach(hub, patient, tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"weights")
    models = HubRegistry(patient, NAME, tmp_path / "models")
    models.save(NewModel("tide", folder, {}))
    hub.fail(r"GET ", 503, times=99)
    assert models.load("tide", 1).version == 1
    with pytest.raises(BackendError, match="503"):
        models.load("tide", 2)


def test_a_page_asks_for_a_model_it_has_once_in_a_while_also_while_the_hub_is_out_of_reach(hub, account, tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"weights")
    HubRegistry(account, NAME, tmp_path / "models").save(NewModel("tide", folder, {}))
    page = HubRegistry(account.hasty(), NAME, tmp_path / "page", fresh_s=60)
    page.load("tide", 1)
    asked = len(hub.requests)
    assert page.load("tide", 1).version == 1
    assert len(hub.requests) == asked
    os.utime(tmp_path / "page" / "tide" / "1" / "asked", (0, 0))
    hub.fail(r"GET ", 503, times=1)
    for _ in range(2):
        assert page.load("tide", 1).version == 1
    assert len(hub.requests) == asked + 1


def test_threads_that_fetch_one_model_at_once_all_get_it(account, tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"weights")
    HubRegistry(account, NAME, tmp_path / "models").save(NewModel("tide", folder, {}))
    page, faster = (HubRegistry(account, NAME, tmp_path / "page") for _ in range(2))
    plain = page._account

    class Slow:
        def __getattr__(self, name):
            return getattr(plain, name)

        def fetch(self, *words):
            faster.load("tide", 1)
            return plain.fetch(*words)

    page._account = Slow()
    assert page.load("tide", 1).version == 1


def test_a_model_of_a_repository_made_anew_is_not_taken_from_the_cache(account, tmp_path):
    folder = tmp_path / "made"
    folder.mkdir()
    models = HubRegistry(account, NAME, tmp_path / "models")
    for weights in (b"old", b"new"):
        (folder / "model.onnx").write_bytes(weights)
        account.delete(Repo("model", f"{NAME}-tide"))
        saved = HubRegistry(account, NAME, tmp_path / str(weights)).save(NewModel("tide", folder, {}))
        assert saved.version == 1
        assert (models.load("tide", 1).folder / "model.onnx").read_bytes() == weights


@pytest.mark.parametrize(("token", "why"), [("", "no HF_TOKEN"), ("read", "needs write access"), ("wrong", "refused")])
def test_without_the_right_to_write_a_write_says_what_is_missing_and_where_it_is_had(hub, tmp_path, token, why):
    given = {"": "", "read": hub.read_token, "wrong": "hf_" + "wrong" * 4}[token]
    store = HubStore(HubAccount(hub.url, given), NAME, tmp_path / "s", now=now)
    with pytest.raises(BackendError, match="https://huggingface.co/settings/tokens") as refused:
        store.write(COUNTS, counts(1))
    assert why in str(refused.value)


def test_a_stranger_reads_what_is_public_and_a_private_repository_is_not_there(hub, store, tmp_path):
    store.write(COUNTS, counts(1))
    stranger = HubStore(HubAccount(hub.url, ""), NAME, tmp_path / "s", now=now)
    assert len(stranger.read(COUNTS)) == 3
    asked = hub.requests[-3:]
    assert [came for _, _, came in asked] == [False] * 3
    hub.repos["dataset", NAME].private = True
    with pytest.raises(BackendError, match="or private and HF_TOKEN may not read it"):
        stranger.read(COUNTS)
    page = HubStore(HubAccount(hub.url, ""), NAME, tmp_path / "s", now=now, fresh_s=0.001)
    assert len(page.read(COUNTS)) == 3
    assert HubStore(HubAccount(hub.url, ""), NAME, tmp_path / "new", now=now).read(COUNTS).empty


def test_a_login_of_this_machine_is_never_used(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    with pytest.raises(BackendError, match="no HF_TOKEN"):
        HubAccount(hub.url, "").create(Repo("dataset", "jane/new"))
    HubAccount(hub.url, "").head(Repo("dataset", NAME))
    assert hub.requests[-1][2] is False


def test_the_error_of_a_secret_that_could_not_be_set_does_not_carry_it(patient):
    with pytest.raises(NotYetError) as failed:
        patient.call("set a secret", patient.api.add_space_secret, "jane/nowhere", "HF_TOKEN", "planted-secret")
    assert failed.value.__cause__.response.request.method == "POST"
    assert b"planted-secret" not in failed.value.__cause__.response.request.content


@pytest.mark.parametrize("what", ["timeout", "cut", 401, 403, 409, 412, 429, 500])
def test_no_error_of_any_kind_shows_or_carries_the_token(hub, patient, what):
    patient.create(Repo("dataset", NAME))
    hub.fail(r"(GET|POST|PUT) .*(main|lfs)", what, times=99)
    with pytest.raises((BackendError, NotYetError)) as failed:
        patient.commit(Repo("dataset", NAME), "x", {"a.parquet": b"1"})
    error, seen = failed.value, "".join(traceback.format_exception(failed.value))
    while error is not None:
        request = getattr(error, "_request", None)
        seen += repr(error) + repr(vars(error)) + (repr(dict(request.headers)) if request is not None else "")
        error = error.__cause__ or error.__context__
    assert hub.token not in seen
    assert hub.token not in repr(patient)


def test_an_account_works_in_another_process(account):
    account.create(Repo("dataset", NAME))
    assert pickle.loads(pickle.dumps(account)).head(Repo("dataset", NAME)) == account.head(Repo("dataset", NAME))


def test_the_clients_own_calls_in_the_same_process_keep_its_ways(hub, account):
    """Gradio asks the Hub, too: its answers are not turned into our errors."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    hub.fail(r"GET ", 500)
    with pytest.raises(HfHubHTTPError):
        HfApi(endpoint=hub.url, token=False).repo_info(NAME, repo_type="dataset")


def test_a_name_that_cannot_be_a_repository_is_wrong_use(account):
    with pytest.raises(UsageError, match="could not"):
        account.head(Repo("dataset", "jane/almanac demo"))
