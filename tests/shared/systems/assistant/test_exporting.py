"""A judged fine-tuning becomes a version; each thing that must not be registered or promoted is not."""

import json
import os
import shutil
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest
import yaml

pytest.importorskip("trl")

from shared.chat import Sampling
from shared.errors import NotYetError, SourceError, UnsafeFileError
from shared.pages.chat_judged import judged as how_it_was_judged
from shared.runs import Report, ledger, run_stage
from shared.steps import merging
from shared.steps.promotion import PROMOTIONS
from shared.steps.tuned import ended
from shared.systems.assistant.describing import Written, made_again
from shared.systems.assistant.evaluation import Effort, evaluate
from shared.systems.assistant.exporting import export
from shared.systems.assistant.inference import chosen, opened
from shared.systems.assistant.judgements import checks_of
from shared.systems.assistant.tables import CLEANING, EVALUATIONS
from tests.assistant_rig import tiny_assistant
from tests.tuned_rig import DAY, a_run, tuned

FILES = {
    *("README.md", "chat_template.jinja", "config.json", "generation_config.json", "held_out.parquet"),
    *("model.safetensors", "tokenizer.json", "tokenizer_config.json"),
}


def exported(home, hour=9, **told):
    return export(home.platform, a_run("export", hour=hour), home.name, home.folders, **told)


def changed(home, figure, value):
    """Let the last evaluation have found another value."""
    rows = home.platform.features.read(EVALUATIONS)
    mine = rows[(rows["figure"] == figure) & (rows["subject"] == "candidate")]
    assert len(mine) == 1
    home.platform.features.write(EVALUATIONS, mine.assign(value=value))


def test_a_model_that_beats_its_base_is_registered_and_serves(judged, judgement):
    report = exported(judged)
    assert report.model == "assistant v1"
    assert report.note.startswith("promoted: By its loss it beats every baseline and nothing serves yet")
    assert [*report.table[0]] == ["figure", "verdict", "this one", "its base"]
    assert report.table == judgement.table
    assert report.table[0]["verdict"] == "better than its base"
    assert report.metrics["loss"] == judgement.metrics["loss"]
    assert report.baselines["loss"] == judgement.baselines["loss"]
    model = judged.platform.models.load("assistant", 1)
    where = f"Weights and tokenizer lie in {model.folder}, its card is {model.folder}/README.md"
    clone = "git clone --depth 1 https://github.com/ggml-org/llama.cpp"
    gguf = f"{clone} && python llama.cpp/convert_hf_to_gguf.py {model.folder} --outfile assistant.gguf"
    assert report.note.endswith(f"{where}; as GGUF: {gguf}; next: almanac open chat")
    assert {*model.files} == FILES
    assert model.signature["run"] == judged.name
    assert model.signature["plan"]["rank"] == 0
    assert not model.signature["adapter"]
    assert model.trained_on == DAY.isoformat()
    held_out = pd.read_parquet(model.folder / "held_out.parquet").set_index("conversation_id")
    assert held_out["candidate"].mean() == pytest.approx(report.metrics["loss"])


def test_the_cards_figures_are_those_of_the_evaluation(judged, judgement):
    exported(judged)
    card = (judged.platform.models.load("assistant", 1).folder / "README.md").read_text().replace("\\", "")
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in card.splitlines() if line.startswith("|")]
    told = {row[0]: row[1:] for row in cells}
    assert "The loss is the mean over conversations of nats a token; perplexity (each model's own)" in card
    loss, low, high = (judgement.metrics[name] for name in ("loss", "loss_low", "loss_high"))
    assert told["loss"][0] == f"{loss:.4g} [{low:.4g}, {high:.4g}]"
    for row in judgement.table:
        for place, who in enumerate(("this one", "its base")):
            kept, is_check, asked = row[who].partition(" of ")
            if not kept:
                assert told[row["figure"]][place] == ""
                continue
            value = float(kept) / float(asked) if is_check else float(kept)
            assert float(told[row["figure"]][place].split(" ")[0]) == pytest.approx(value, rel=1e-3), row["figure"]


def test_the_registered_version_answers(judged):
    exported(judged)
    chat = opened(judged.platform, chosen(judged.platform))
    asked = [{"role": "user", "content": "What colour is the red hat?"}]
    assert "".join(chat.stream(asked, Sampling(temperature=0, max_tokens=8)))


def test_called_again_it_says_which_version_that_was(judged):
    first, second = exported(judged), exported(judged, hour=10)
    assert (second.model, second.rows) == (first.model, 0)
    assert first.note.startswith(second.note.removeprefix(f"{judged.name} was registered before: "))
    assert judged.platform.models.versions("assistant") == [1]
    assert len(judged.platform.features.read(PROMOTIONS)) == 1


def test_killed_between_registering_and_deciding_it_only_decides(judged, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr("shared.steps.promotion.record", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            exported(judged)
    (judged.run / "registered.txt").unlink()
    assert exported(judged, hour=10).note.startswith("promoted")
    assert judged.platform.models.versions("assistant") == [1]


def test_figures_are_exported_with_their_own_losses_though_a_later_evaluation_was_killed_before_it_was_stored(
    judged, judgement, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setattr(judged.platform.features, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            evaluate(judged.platform, a_run(hour=9), judged.name, judged.folders, Effort(12, 0, 0, 4))
    report = exported(judged, hour=10)
    held_out = pd.read_parquet(judged.platform.models.load("assistant", 1).folder / "held_out.parquet")
    assert len(held_out) == 24
    assert held_out["candidate"].mean() == pytest.approx(report.metrics["loss"]) == judgement.metrics["loss"]


def test_figures_whose_losses_are_gone_ask_for_another_evaluation(judged):
    (place,) = judged.run.glob("losses-*.parquet")
    place.unlink()
    with pytest.raises(NotYetError, match="not judged yet; run `almanac run assistant evaluate"):
        exported(judged)


def test_what_was_not_judged_is_not_exported(home):
    with pytest.raises(NotYetError, match=f"not judged yet; run `almanac run assistant evaluate --name {home.name}`"):
        exported(home)


def test_a_champion_that_came_since_asks_for_another_evaluation(judged, tmp_path):
    tiny_assistant(judged.platform, tmp_path)
    with pytest.raises(NotYetError, match="was held against no champion, and assistant v1 serves; run .*evaluate"):
        exported(judged)
    evaluate(judged.platform, a_run(hour=10), judged.name, judged.folders, Effort(24, 0, 0, 4))
    report = exported(judged, hour=11)
    assert report.model == "assistant v2"
    assert "not worse than the champion" in report.note
    assert judged.platform.models.load("assistant", 2).signature["unit"] == "nats a byte"


def test_a_champion_damaged_since_asks_for_another_evaluation_and_the_reason_names_it(judged, tmp_path):
    weights = tiny_assistant(judged.platform, tmp_path).folder / "model.safetensors"
    evaluate(judged.platform, a_run(hour=10), judged.name, judged.folders, Effort(24, 0, 0, 4))
    weights.chmod(0o644)
    weights.write_bytes(b"torn")
    with pytest.raises(
        NotYetError, match=r"was held against assistant v1, and model 'assistant' v1: .*; run .*evaluate"
    ):
        exported(judged, hour=11)
    evaluate(judged.platform, a_run(hour=12), judged.name, judged.folders, Effort(24, 0, 0, 4))
    assert "What served was not compared, as its files are damaged: model 'assistant' v1" in exported(judged, 13).note


@pytest.mark.parametrize("mark", ["", "one", "\ud800", "99"])
def test_a_damaged_mark_of_a_version_does_not_register_it_twice(judged, mark):
    exported(judged)
    (judged.run / "registered.txt").write_text(mark, encoding="utf-8", errors="surrogatepass")
    assert exported(judged, hour=10).rows == 0


def test_best_weights_changed_after_they_were_judged_are_not_registered(judged):
    (judged.run / "best" / "config.json").write_text("{}")
    with pytest.raises(UnsafeFileError, match="config.json changed since it was sealed"):
        exported(judged)
    assert judged.platform.models.versions("assistant") == []


def test_a_model_no_better_than_its_base_is_rejected_with_its_figures(judged):
    (place,) = judged.run.glob("losses-*.parquet")
    losses = pd.read_parquet(place)
    base = losses[losses["subject"] == "base"]
    pd.concat([base, base.assign(subject="candidate")]).to_parquet(place)
    report = exported(judged)
    assert report.note.startswith("rejected: It does not surely beat base")
    assert judged.platform.models.versions("assistant") == [1]


@pytest.mark.parametrize(("figure", "value"), [("meals:json_valid", 0.95), ("meals:gram_overrun", 0.1)])
def test_meals_that_break_the_grammar_reject_a_model_whatever_its_loss(judged, figure, value):
    changed(judged, figure, value)
    note = exported(judged).note
    assert note.startswith(f"rejected: Meals under the grammar: {figure} is {value}")


def test_requests_for_which_its_context_has_no_room_reject_a_model_and_are_told_as_such(judged):
    rows = judged.platform.features.read(EVALUATIONS)
    mine = rows[(rows["figure"] == "meals:json_valid") & (rows["subject"] == "candidate")]
    judged.platform.features.write(EVALUATIONS, mine.assign(figure="meals:prompt_fits", value=0.5))
    assert exported(judged).note.startswith("rejected: Meals under the grammar: meals:prompt_fits is 0.5, not 1. ")


def asked_eight_meals(home, **kept):
    """Let the last evaluation have asked eight meals, of which each subject kept so many."""
    rows = home.platform.features.read(EVALUATIONS)
    rows = rows[(rows["figure"] == "meals:ok") & rows["subject"].isin([*kept])]
    home.platform.features.write(EVALUATIONS, rows.assign(value=rows["subject"].map(kept) / 8, count=8))
    place = checks_of(ended(home.folders.runs), rows["evaluated_at"].iloc[0])
    checks = pd.read_parquet(place)
    others = checks[~((checks["figure"] == "meals:ok") & checks["subject"].isin([*kept]))]
    told = [
        {"subject": who, "figure": "meals:ok", "case": str(case), "value": float(case < many), "higher_is_better": True}
        for who, many in kept.items()
        for case in range(8)
    ]
    pd.concat([others, pd.DataFrame(told)]).to_parquet(place)


def test_a_model_that_is_worse_than_its_base_in_a_check_serves_and_the_reason_says_in_what(judged):
    asked_eight_meals(judged, candidate=0, base=8)
    report = exported(judged)
    assert report.note.startswith("promoted: By its loss it beats every baseline")
    assert "; worse than its base: meals:ok 0 of 8, base 8 of 8. Losses in nats a token. Weights" in report.note
    assert {row["figure"]: row["verdict"] for row in report.table}["meals:ok"] == "worse than its base"
    assert "meals:ok 0 of 8, base 8 of 8" in judged.platform.features.read(PROMOTIONS)["reason"].item()
    assert "meals:ok 0 of 8, base 8 of 8" in how_it_was_judged(judged.platform)


def test_five_meals_of_eight_that_changed_may_do_so_by_chance_and_are_not_called_worse(judged):
    asked_eight_meals(judged, candidate=3, base=8)
    assert "worse than" not in exported(judged).note


def test_a_model_that_is_surely_worse_than_the_champion_in_a_check_does_not_serve(judged, tmp_path):
    tiny_assistant(judged.platform, tmp_path)
    evaluate(judged.platform, a_run(hour=10), judged.name, judged.folders, Effort(24, 0, 1, 4))
    asked_eight_meals(judged, candidate=0, champion=8, base=8)
    note = exported(judged, hour=11).note
    assert note.startswith("waits: By its loss it beats every baseline")
    assert "; surely worse than the champion: meals:ok 0 of 8, champion 8 of 8; worse than its base: " in note
    assert chosen(judged.platform).version == 1


def test_figures_whose_checks_are_gone_ask_for_another_evaluation(judged):
    (place,) = judged.run.glob("checks-*.parquet")
    place.unlink()
    with pytest.raises(NotYetError, match="not judged yet; run `almanac run assistant evaluate"):
        exported(judged)


def test_weights_that_do_not_say_the_same_are_not_registered(judged, monkeypatch):
    monkeypatch.setattr(merging, "MOST_DIFFERENCE", -1.0)
    with pytest.raises(UnsafeFileError, match="nothing is registered"):
        exported(judged)
    assert judged.platform.models.versions("assistant") == []


def test_a_checkout_without_a_converter_is_refused_before_anything_is_registered(judged, tmp_path):
    with pytest.raises(SourceError, match="name a checkout of llama.cpp .*git clone"):
        exported(judged, llama_cpp=str(tmp_path))
    assert judged.platform.models.versions("assistant") == []


def card_of(home, version=1):
    return (home.platform.models.load("assistant", version).folder / "README.md").read_text(encoding="utf-8")


def test_the_card_is_read_by_hugging_face_and_tells_how_it_was_made(judged):
    exported(judged)
    text = card_of(judged)
    head = yaml.safe_load(text.split("\n---\n")[0])
    assert head["library_name"] == "transformers"
    assert head["tags"] == ["almanac", "llama"]
    assert "base_model" not in head
    for said in ("| loss |", "| base |", "simulated", "c0de", "Limits", f"evaluate --name {judged.name}", "KL "):
        assert said in text
    assert "--base tiny:2x48x3x400x1024 --rank 0 --learning-rate 0.005 --steps 60" in text
    assert str(judged.folders.runs) not in text


def test_the_card_says_how_the_run_is_made_again_and_what_no_option_says(judged):
    exported(judged)
    again = card_of(judged).split("## Made again")[1]
    options = "--steps 60 --batch 16 --accumulation 1 --max-length 512 --packing 0 --precision fp32 --seed 0"
    assert f"--base tiny:2x48x3x400x1024 --rank 0 --learning-rate 0.005 {options}\n" in again
    assert "the plan had warmup 5, evaluate_every 30, checkpoint_every 30, for which there is no option" in again
    assert "trained elsewhere; this card was written with the code of version `c0de`" in again
    assert f"The run has the name `{judged.name}` again" in again


def test_the_card_begins_its_figures_with_what_is_surely_better_and_what_worse(judged):
    exported(judged)
    told = card_of(judged).split("## How good it is\n\n")[1]
    assert told.startswith("It is surely better than its base in loss (")
    assert ". It is surely worse than its base in " in told.split("\n\n")[0]


def test_of_weights_that_were_all_trained_the_card_tells_no_adapter(judged):
    exported(judged)
    text = card_of(judged)
    assert "all weights" in text
    for word in ("LoRA", "adapter", "Merged", "| rank |", "| dropout |"):
        assert word not in text


def test_the_card_says_how_its_data_were_prepared(judged):
    told = {"filter": "read", "place": 0, "conversations": 3, "removed": 0, "share": 0.0, "characters": 9}
    days = {"chats-a1b2": "2026-09-03", "recipes": "2026-09-01", "finetome": "2026-09-01", "x`\n#": "2026-09-02"}
    rows = [{**told, "source": name, "prepared_at": pd.Timestamp(day, tz="UTC")} for name, day in days.items()]
    judged.platform.features.write(CLEANING, pd.DataFrame(rows).assign(example=None)[CLEANING.names])
    exported(judged)
    again = card_of(judged).split("## Made again")[1]
    command = "almanac run assistant prepare"
    given = [f"{command} --source FILE # that was stored as {name}" for name in ("x-", "chats-a1b2")]
    assert again.startswith("\n\n```\n" + "\n".join([command, *given]) + "\nalmanac run assistant finetune ")


def test_the_card_names_the_code_that_trained_it_not_the_one_that_exports_it(judged):
    report = Report(model=judged.name)
    run_stage(judged.platform, "assistant.finetune", lambda run: report, day=DAY.isoformat())
    exported(judged)
    trained_with = ledger(judged.platform, "assistant", "finetune")["code_version"].item()
    assert trained_with != "c0de"
    assert f"trained with the code of version `{trained_with}`." in card_of(judged)


def test_a_base_with_blanks_in_its_path_and_its_commit_stand_in_the_command_as_a_shell_takes_them(judged):
    tuned = ended(judged.folders.runs)
    plan = replace(tuned.plan, base="/home/jane/my model", revision="c0ffee", packing=True, rank=4)
    again = made_again(judged.platform, a_run(), replace(tuned, plan=plan), Written(None, None, has_gguf=True))
    assert "finetune --base '/home/jane/my model' --revision c0ffee --rank 4 " in again
    assert " --packing 1 " in again
    assert "--llama-cpp CHECKOUT\n" in again


def test_a_sources_hostile_name_stays_a_cell_of_the_card(judged):
    name = 'x"\n---\nlicense: mit | <script>alert(1)</script>'
    effect = {"source": name, "prepared_at": pd.Timestamp(DAY.isoformat(), tz="UTC"), "place": 0, "filter": "read"}
    told = {"conversations": 3, "removed": 0, "share": 0.0, "characters": 9, "example": None}
    judged.platform.features.write(CLEANING, pd.DataFrame([effect | told]))
    exported(judged)
    text = card_of(judged)
    assert "license" not in yaml.safe_load(text.split("\n---\n")[0])
    assert "<script>" not in text
    assert 'x" --- license: mit \\| &lt;script&gt;alert(1)&lt;/script&gt; | read | 3 |' in text


def test_an_adapter_upon_the_version_that_serves_is_merged_and_kept_beside_it(judged):
    exported(judged)
    folders, platform = judged.folders, judged.platform
    name = tuned(platform, folders, base="assistant:1", rank=4, learning_rate=1e-2, steps=20, evaluate_every=10)
    evaluate(platform, a_run(hour=10), name, folders, Effort(24, 0, 0, 4))
    report = export(platform, a_run("export", hour=11), "", folders)
    assert report.model == "assistant v2"
    assert report.metrics["parity_logits"] < 1e-4
    model = platform.models.load("assistant", 2)
    assert {*model.files} == FILES | {"adapter/adapter_config.json", "adapter/adapter_model.safetensors"}
    assert json.loads((model.folder / "adapter" / "adapter_config.json").read_text())["base_model_name_or_path"] == (
        "assistant:1"
    )
    assert "LoRA of rank 4" in card_of(judged, 2)
    champion = {row["figure"]: row for row in report.table}["loss"]
    assert champion["its base"] == champion["the champion"] != champion["this one"]
    assert champion["verdict"] == "no sure difference to its base and the champion"
    assert f"its adapter in {model.folder}/adapter, its card" in report.note


def test_a_day_before_the_champions_does_not_know_it(judged, tmp_path):
    tiny_assistant(judged.platform, tmp_path, versions=1)
    before = a_run("export", day=DAY - timedelta(days=1))
    assert export(judged.platform, before, judged.name, judged.folders).note.startswith("promoted")


@pytest.mark.slow
def test_a_gguf_file_is_kept_and_its_parity_told(judged):
    told = os.environ.get("ALMANAC_TEST_LLAMA_CPP")
    if not told:
        pytest.skip("ALMANAC_TEST_LLAMA_CPP names no checkout of llama.cpp")
    pytest.importorskip("gguf")
    exported(judged, llama_cpp=told)
    assert "model.gguf" in judged.platform.models.load("assistant", 1).files
    assert "`model.gguf`, of 16 bits, read back: KL " in card_of(judged)


def test_a_run_folder_brought_to_another_store_is_registered_there(judged, tmp_path):
    exported(judged)
    shutil.rmtree(judged.folders.runs.parent / "demo" / "models", ignore_errors=True)
    assert ended(judged.folders.runs).name == judged.name
    assert exported(judged, hour=10).rows == 1
