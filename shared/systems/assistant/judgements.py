"""What an evaluation found, kept so that an export can compare it again: losses and checks a case, figures a row.

Found of each subject ──► keep ──► losses-TIME.parquet, checks-TIME.parquet in the run's folder, then EVALUATIONS
rows of EVALUATIONS, checks ──► kept_figures ──► figures a subject, with their cases ──► worse_checks
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from shared.steps import checkpoints
from shared.steps.scoring import Share
from shared.steps.side_by_side import Figure, worse
from shared.systems.assistant.tables import EVALUATIONS, SUBJECTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from shared.ports import Platform
    from shared.runs import Run
    from shared.steps.tuned import Tuned

CALLED = dict(zip(SUBJECTS, ("this one", "its base", "the champion"), strict=True))
SHOWN = "safety"  # and gates nothing: ten prompts are no safety test
PARTS = "instructions:"  # of `instructions`, by kind: with them the same case would count twice


@dataclass(frozen=True)
class Subject:
    """A model to be judged: what it is called, and where its weights lie."""

    model: str
    place: str
    base: str = ""
    revision: str = ""


@dataclass(frozen=True)
class Found:
    """What a subject said: losses by conversation, figures by name."""

    subject: Subject
    losses: pd.DataFrame
    figures: Mapping[str, Figure]


def losses_of(tuned: Tuned, evaluated_at: datetime) -> Path:
    """Return where the losses behind the figures of that time lie: a row a conversation and subject.

    Figures name them by their time, so that a kill between the two leaves older figures with their own losses.
    """
    return _place(tuned, "losses", evaluated_at)


def checks_of(tuned: Tuned, evaluated_at: datetime) -> Path:
    """Return where the checks behind the figures of that time lie: a row a figure, case and subject."""
    return _place(tuned, "checks", evaluated_at)


def keep(platform: Platform, run: Run, tuned: Tuned, found: Mapping[str, Found]) -> None:
    """Write losses and checks into the run's folder, then figures, by which they are found; older ones go."""
    known = platform.features.read(EVALUATIONS)
    newest = known.loc[known["run"] == tuned.name, "evaluated_at"].nlargest(1)
    there = {*tuned.folder.glob("losses*.parquet"), *tuned.folder.glob("checks*.parquet")}
    for left in there - {place(tuned, at) for at in newest for place in (losses_of, checks_of)}:
        left.unlink()  # the newest stay until newer figures are stored
    losses = [one.losses.assign(subject=who, model=one.subject.model) for who, one in found.items()]
    _written(tuned, checks_of(tuned, run.started_at), _checks(found))
    _written(tuned, losses_of(tuned, run.started_at), pd.concat(losses).reset_index())
    rows = [
        {"run": tuned.name, "subject": who, "model": one.subject.model, "figure": name, "evaluated_at": run.started_at}
        | {part: getattr(figure.share, part) for part in ("value", "low", "high", "count")}
        for who, one in found.items()
        for name, figure in one.figures.items()
    ]
    platform.features.write(EVALUATIONS, pd.DataFrame(rows)[EVALUATIONS.names])


def kept_figures(
    rows: pd.DataFrame, checks: pd.DataFrame, losses: Mapping[str, pd.Series]
) -> dict[str, dict[str, Figure]]:
    """Return figures by subject and name as they were compared, from rows of EVALUATIONS and what lies beside them."""
    cases: dict[Any, Any] = {
        key: (part.set_index("case")["value"], bool(part["higher_is_better"].iloc[0]))
        for key, part in checks.groupby(["subject", "figure"])
    }
    found: dict[str, dict[str, Figure]] = {}
    for who, name, *share in rows[["subject", "figure", "value", "low", "high", "count"]].to_numpy().tolist():
        values, higher = cases.get((who, name), (losses.get(who) if name == "loss" else None, False))
        found.setdefault(who, {})[name] = Figure(Share(*share), values, higher_is_better=higher)
    return {who: found[who] for who in SUBJECTS if who in found}


def in_order(rows: pd.DataFrame, checks: pd.DataFrame) -> pd.DataFrame:
    """Return rows of EVALUATIONS as they were found, which a store gives back by name; the losses come first."""
    places = {name: place for place, name in enumerate(checks["figure"].drop_duplicates(), 1)}
    return rows.sort_values("figure", key=lambda names: names.map(places).fillna(0), kind="stable")


def worse_checks(figures: Mapping[str, Mapping[str, Figure]], who: str) -> str:
    """Return as a clause in which checks the candidate is surely worse than another subject, "" if in none.

    Sure by all checks together that the two have in this evaluation; the table's verdicts are each by itself.
    """
    mine = {name: one for name, one in figures["candidate"].items() if not name.startswith((PARTS, SHOWN))}
    return worse(mine, figures.get(who, {}), who)


def _place(tuned: Tuned, what: str, evaluated_at: datetime) -> Path:
    return tuned.folder / f"{what}-{evaluated_at:%Y%m%dT%H%M%S}.parquet"


def _checks(found: Mapping[str, Found]) -> pd.DataFrame:
    """Return each case of each figure but the loss, which lies beside them."""
    columns = {"subject": str, "figure": str, "case": str, "value": float, "higher_is_better": bool}
    parts = [
        pd.DataFrame({"case": figure.cases.index.astype(str), "value": figure.cases.to_numpy(dtype="float64")}).assign(
            subject=who, figure=name, higher_is_better=figure.higher_is_better
        )
        for who, one in found.items()
        for name, figure in one.figures.items()
        if figure.cases is not None and name != "loss"
    ]
    return pd.concat(parts)[[*columns]].astype(columns)


def _written(tuned: Tuned, place: Path, rows: pd.DataFrame) -> None:
    """Write a file whole or not at all."""
    beside = place.with_name(f".{place.name}")
    with checkpoints.on_disk(tuned.folder):
        rows.to_parquet(beside)
        checkpoints.to_disk(beside)
        beside.replace(place)
        checkpoints.to_disk(tuned.folder)
