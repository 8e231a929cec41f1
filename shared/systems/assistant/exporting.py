"""How a fine-tuned model comes to serve: merged, proven the same, described, registered, held against others.

    best/ ──► merged weights, read back: same logits ──► adapter, GGUF, card beside them ──► registry, model `assistant`
    losses, meals' figures ──► judge ──► promotions

A run is registered once: called again, it says which version that was.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
import shutil
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from shared.errors import NotYetError, UnsafeFileError
from shared.ports import NewModel
from shared.runs import Report
from shared.steps import checkpoints, likelihood, merging, promotion
from shared.steps.bases import open_tokenizer
from shared.steps.rendering import prompt
from shared.steps.side_by_side import table
from shared.steps.tuned import ended
from shared.systems.assistant.describing import Written, described
from shared.systems.assistant.evaluation import serving
from shared.systems.assistant.instructions import prompts
from shared.systems.assistant.judgements import (
    CALLED,
    PARTS,
    checks_of,
    in_order,
    kept_figures,
    losses_of,
    worse_checks,
)
from shared.systems.assistant.tables import EVALUATIONS, MODEL
from shared.systems.assistant.training import AGAIN, base_of

if TYPE_CHECKING:
    from shared.ports import ModelVersion, Platform
    from shared.runs import Run
    from shared.steps.side_by_side import Figure
    from shared.steps.tuned import Tuned
    from shared.systems.assistant.training import Folders

COMPARED = 12  # prompts on which merged weights are held against the adapter
LONGEST = 64  # tokens of each: logits of 128,000 words are kept meanwhile
MARK = "registered.txt"  # in the run's folder: its version
GATED = {"meals:prompt_fits": 1.0, "meals:json_valid": 1.0, "meals:gram_overrun": 0.0}  # what is promised must hold

SHOWN = ("loss", "parity_logits", "parity_kl")  # beside the table that has the rest

log = logging.getLogger("almanac")


@dataclass(frozen=True)
class _Judged:
    """What an evaluation left: losses a conversation of each subject in one unit, and its rows of EVALUATIONS."""

    losses: dict[str, pd.Series]
    unit: str
    champion: str  # whom it was held against; "" if none served
    flaw: str  # of the files of what serves, for which it was held against nobody
    rows: pd.DataFrame
    figures: dict[str, dict[str, Figure]]  # by subject and name, with their cases


def export(platform: Platform, run: Run, name: str, folders: Folders, llama_cpp: str = "") -> Report:
    """Register a fine-tuning that was judged, the newest unless named, and let it serve if it may.

    With ``llama_cpp``, a checkout, also as GGUF.

    Raises:
        NotYetError: it has not ended, or was not judged beside whoever serves now.
        UnsafeFileError: what was written is not the model that was judged.
        SourceError, BackendError: llama.cpp's converter is not there, or failed; or the disk is full.
    """
    tuned = ended(folders.runs, name, AGAIN)
    model = _registered(platform, tuned)
    if model is not None and _decided(platform, model):
        return Report(model=_called(model), note=f"{tuned.name} was registered before: {_decided(platform, model)}")
    judged = _judgement(platform, run, tuned)
    log.info("assistant export: %s", tuned.name, extra={"due": 2})
    if model is None:
        model = _register(platform, run, tuned, judged, llama_cpp)
    verdict = _verdict(judged)
    promotion.record(platform, model, verdict, day=run.day, decided_at=run.started_at, run_id=run.run_id)
    log.info("assistant export: %s", verdict.verdict)
    return Report(
        rows=1,
        metrics={name: value for name, value in model.metrics.items() if name in SHOWN},
        baselines={name: value for name, value in _means(judged, "base").items() if name in SHOWN},
        headline="loss",
        model=_called(model),
        note=f"{verdict.verdict}: {verdict.reason} Losses in {judged.unit}. {_where(model, verdict.verdict)}",
        table=table({CALLED[who]: one for who, one in judged.figures.items()}),
    )


def _judgement(platform: Platform, run: Run, tuned: Tuned) -> _Judged:
    """Return what the last evaluation found.

    Raises:
        NotYetError: there was none, or another version serves by now.
    """
    figures = platform.features.read(EVALUATIONS)
    figures = figures[figures["run"] == tuned.name]
    figures = figures[figures["evaluated_at"] == figures["evaluated_at"].max()]
    command = f"run `almanac run assistant evaluate --name {tuned.name}`"
    places = [place(tuned, at) for at in figures["evaluated_at"].head(1) for place in (losses_of, checks_of)]
    if not places or not all(place.exists() for place in places):
        raise NotYetError(f"{tuned.name} was not judged yet; {command}")
    losses, checks = (pd.read_parquet(place) for place in places)
    by = {str(who): part.set_index("conversation_id") for who, part in losses.groupby("subject")}
    against = str(by["champion"]["model"].iloc[0]) if "champion" in by else ""
    champion, flaw = serving(platform, run)
    serves = _called(champion) if champion else ""
    if serves != against:
        since = flaw or f"{serves or 'none'} serves"
        raise NotYetError(f"{tuned.name} was held against {against or 'no champion'}, and {since}; {command}")
    found, unit = likelihood.comparable(by)
    figures = in_order(figures, checks)
    return _Judged(found, unit, against, flaw, figures, kept_figures(figures, checks, found))


def _verdict(judged: _Judged) -> promotion.Verdict:
    """Return what becomes of the model: by its losses, rejected whatever they are if the grammar did not hold.

    One that is surely worse than the champion in a check waits. That its base is better in one is said, and no more: a
    base of random weights breaks no rule, as it names no food.
    """
    verdict = promotion.judge(
        judged.losses["candidate"], {"base": judged.losses["base"]}, judged.losses.get("champion")
    )
    if judged.flaw:
        damaged = f"{verdict.reason} What served was not compared, as its files are damaged: {judged.flaw}."
        verdict = replace(verdict, reason=damaged)
    verdict = _checked(verdict, worse_checks(judged.figures, "champion"), worse_checks(judged.figures, "base"))
    mine = judged.rows[judged.rows["subject"] == "candidate"].set_index("figure")["value"]
    broken = [
        f"{name} is {mine[name]:.3g}, not {must:g}" for name, must in GATED.items() if mine.get(name, must) != must
    ]
    if not broken:
        unseen = "" if any(name in mine for name in GATED) else " No meal was judged: there was none to ask for."
        return replace(verdict, reason=verdict.reason + unseen)
    return promotion.Verdict("rejected", f"Meals under the grammar: {', '.join(broken)}.", verdict.figures)


def _checked(verdict: promotion.Verdict, than_champion: str, than_base: str) -> promotion.Verdict:
    """Return a verdict by losses as the checks leave it, and what got worse in its reason."""
    clauses = {"surely worse than the champion": than_champion, "worse than its base": than_base}
    told = "".join(f"; {whom}: {clause}" for whom, clause in clauses.items() if clause)
    waits = verdict.verdict == "promoted" and than_champion
    reason = f"{verdict.reason.removesuffix('.')}{told}." if told else verdict.reason
    return replace(verdict, verdict="waits" if waits else verdict.verdict, reason=reason)


def _where(model: ModelVersion, verdict: str) -> str:
    """Return where weights, adapter and card lie, how to have GGUF, and what comes next where it may answer."""
    adapter = f", its adapter in {model.folder / 'adapter'}" if model.signature.get("adapter") else ""
    told = f"Weights and tokenizer lie in {model.folder}{adapter}, its card is {model.folder / 'README.md'}"
    if not model.signature.get("gguf"):
        told += f"; as GGUF: {merging.BY_HAND.format(folder=shlex.quote(str(model.folder)))}"
    return told if verdict == "rejected" else f"{told}; next: almanac open chat"


def _register(platform: Platform, run: Run, tuned: Tuned, judged: _Judged, llama_cpp: str) -> ModelVersion:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with checkpoints.on_disk(folder):
            found = replace(_written(platform, tuned, folder, llama_cpp), unit=judged.unit)
            pd.DataFrame(judged.losses).reset_index().to_parquet(folder / "held_out.parquet")
        log.info("assistant export: %s is the model that was judged", tuned.name)
        metrics = _means(judged, "candidate") | {"parity_logits": found.merged.logits, "parity_kl": found.merged.kl}
        signature = {
            "run": tuned.name,
            "base": tuned.plan.base,
            "plan": asdict(tuned.plan) | {"alpha": tuned.plan.alpha},
            "data": tuned.data,
            "template": _template(folder),
            "adapter": (folder / "adapter").exists(),
            "gguf": found.has_gguf,
            "unit": judged.unit,
        }
        (folder / "README.md").write_text(described(platform, run, tuned, judged.figures, found), encoding="utf-8")
        made_by = {"code_version": run.code_version, "run_id": run.run_id, "trained_on": run.day.isoformat()}
        with checkpoints.on_disk("the model registry"):
            model = platform.models.save(NewModel(MODEL, folder, metrics, signature, **made_by))
    platform.tracker.log(run.run_id, {"run": tuned.name, "version": model.version}, metrics)
    with checkpoints.on_disk(tuned.folder):
        checkpoints.replaced(tuned.folder / MARK, str(model.version))
    return model


def _written(platform: Platform, tuned: Tuned, folder: Path, llama_cpp: str) -> Written:
    """Write merged weights, tokenizer and template, the adapter if there is one, and a GGUF file if it is asked for."""
    plan, best = tuned.plan, str(tuned.best)
    tokenizer = open_tokenizer(best)
    asked = [prompt(tokenizer, [{"role": "user", "content": text}])[:LONGEST] for text in prompts()[:COMPARED]]
    judged = likelihood.opened(best, base_of(platform, plan, tuned.folder), plan.revision)
    merged = merging.merge(judged, folder, asked)
    tokenizer.save_pretrained(folder)
    if plan.rank:
        _copy_adapter(tuned, folder / "adapter")
    if not llama_cpp:
        return Written(merged, None, has_gguf=False)
    merging.to_gguf(folder, Path(llama_cpp), folder / "model.gguf")
    return Written(merged, merging.gguf_parity(folder, folder / "model.gguf", asked), has_gguf=True)


def _copy_adapter(tuned: Tuned, to: Path) -> None:
    """Copy the adapter; it names its base as the plan does, not by where that lay on this machine."""
    to.mkdir()
    told = json.loads((tuned.best / "adapter_config.json").read_text(encoding="utf-8"))
    told["base_model_name_or_path"] = tuned.plan.base
    (to / "adapter_config.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    shutil.copyfile(tuned.best / "adapter_model.safetensors", to / "adapter_model.safetensors")


def _registered(platform: Platform, tuned: Tuned) -> ModelVersion | None:
    """Return the version this run became: as its folder is marked, or the newest one, had it been killed just then."""
    known = platform.models.versions(MODEL)
    mark = tuned.folder / MARK
    told = mark.read_text(encoding="utf-8", errors="replace") if mark.exists() else ""
    for version in dict.fromkeys([*(one for one in known if str(one) == told), *known[-1:]]):
        try:
            model = platform.models.load(MODEL, version)
        except UnsafeFileError as cause:  # a damaged one must not keep the next from coming
            log.warning("assistant export: %s", cause)
            continue
        if model.signature.get("run") == tuned.name:
            return model
    return None


def _decided(platform: Platform, model: ModelVersion) -> str:
    """Return what was decided on a version, "" if nothing was yet."""
    decided = platform.features.read(promotion.PROMOTIONS)
    mine = decided[(decided["model"] == MODEL) & (decided["version"] == model.version)]
    return "" if mine.empty else f"{mine['verdict'].iloc[-1]}: {mine['reason'].iloc[-1]}"


def _called(model: ModelVersion) -> str:
    return f"{MODEL} v{model.version}"


def _means(judged: _Judged, who: str) -> dict[str, float]:
    """Return a subject's figures that are not of one kind of prompt only, by name."""
    mine = judged.rows[judged.rows["subject"] == who].dropna(subset=["value"])
    mine = mine[~mine["figure"].str.startswith(PARTS)]
    return {figure.replace(":", "_"): float(value) for figure, value in zip(mine["figure"], mine["value"], strict=True)}


def _template(folder: Path) -> str:
    return hashlib.sha256((folder / "chat_template.jinja").read_bytes()).hexdigest()[:12]
