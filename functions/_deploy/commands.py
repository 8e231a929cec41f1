"""`almanac deploy`, `destroy` and `status --deployed`: the plan, what it costs, what is missing, then the deed."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from functions import _terminal as terminal
from functions._deploy.cost import estimate, from_ledger, on_gpus, summed
from functions._deploy.deed import DONE_BY_US, Compared, acting_for, carry_out, compare, lacking, targets
from functions._stages import AsJson, service, systems
from functions._timetable import deployment, timetable
from shared.errors import BackendError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from functions._deploy.cost import Cost
    from functions._deploy.deed import Outcome
    from functions._deploy.target import Need, Target

Where = Annotated[str, typer.Argument(help="modal, hopsworks, spaces, or all that modal.toml sets up.")]
Only = Annotated[str, typer.Option(help="Systems, joined by commas; all unless told.")]
Env = Annotated[str, typer.Option(help="A table \\[deploy.ENV] of modal.toml; prod unless told.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and stop.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

LONGEST = 44  # characters of a name in a table
_STATES = {
    "leave": "as in the repository",
    "create": "not there",
    "change": "differs",
    "remove": "not in the repository",
    "keep": "kept: data",
}


def deploy(  # noqa: PLR0913 - options of one command
    where: Where = "all",
    only: Only = "",
    env: Env = "",
    dry_run: DryRun = False,
    one: Annotated[
        bool, typer.Option("--one", help="Spaces: all pages under one roof, as a free plan allows.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring Modal, Hopsworks and Hugging Face to what the repository says. Doing it twice changes nothing."""
    from functions._deploy.timetable_check import check

    there, chosen_systems = deployment(env), _systems(only)
    check(timetable(), {name: service(name).tables for name in systems()})
    costs, gpus = _costs(chosen_systems)  # measured in this shell's own store, so before we act for the deployment
    with acting_for(there):
        chosen = targets(there, where, one=one)
        missing = lacking(chosen, chosen_systems)
        told: dict[str, Any] = {"deployment": there.name, "missing": _need_rows(missing)}
        if not dry_run:
            _require(missing, told, as_json)
        compared = [_compared(target, chosen_systems) for target in chosen]
        told |= _plan_told(compared) | {"cost_a_month": summed(costs, [target.name for target in chosen], gpus)}
        if not as_json:
            _show_plan(there.name, told)
            _show_cost(told["cost_a_month"])
        _go_on(compared, told, dry_run=dry_run, ask=not (yes or as_json) and _person(), as_json=as_json)


def destroy(  # noqa: PLR0913 - options of one command
    where: Where = "all",
    only: Only = "",
    env: Env = "",
    data: Annotated[
        bool, typer.Option("--data", help="Remove stored rows and models too. There is no way back.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove what `deploy` made. Rows and models stay, unless --data says otherwise."""
    there, chosen_systems = deployment(env), _systems(only)
    if not (yes or dry_run or (_person() and not as_json)):
        raise UsageError("destroy asks before it removes anything; where nobody can answer, say --yes")
    with acting_for(there):
        chosen = targets(there, where)
        told: dict[str, Any] = {"deployment": there.name}
        _require([need for need in lacking(chosen, chosen_systems) if need.asks], told, as_json)
        found = [_removal(target, chosen_systems, data) for target in chosen]
        told |= _plan_told(found)
        if not as_json:
            _show_plan(there.name, told)
        _go_on(found, told, dry_run=dry_run, ask=not yes, as_json=as_json)


def deployed(env: str, as_json: bool) -> None:
    """Print what runs beside what the repository says; that they differ is no failure, not being able to ask is."""
    there = deployment(env)
    with acting_for(there):
        compared = [_compared(target, frozenset()) for target in targets(there, "all")]
    blind = {one.target.name: one.blind for one in compared if one.blind}
    rows = [
        {
            **{"target": change.target, "kind": change.kind, "name": change.name},
            **{"state": "not known" if one.blind else _STATES[change.action], "why": "" if one.blind else change.why},
        }
        for one in compared
        for change in one.changes
    ]
    if as_json:
        terminal.say_json({"deployment": there.name, "things": rows, "blind": blind})
    else:
        terminal.say_table(f"Deployed as {there.name}", rows)
    if blind:
        raise BackendError("; ".join(f"{name} could not be asked: {why}" for name, why in blind.items()))


def _systems(only: str) -> frozenset[str]:
    chosen = frozenset(only.split(",")) if only else frozenset()
    if unknown := chosen - set(systems()):
        raise UsageError(f"there is no system {min(unknown)!r}; there are: {', '.join(systems())}")
    return chosen


def _person() -> bool:
    """Return whether somebody sits there to be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _need_rows(missing: Sequence[Need]) -> list[dict[str, object]]:
    return [
        {
            "secret": need.name,
            "needed": "yes" if need.required else "if wanted",
            "for": need.purpose,
            "from": need.where,
        }
        for need in missing
    ]


def _require(missing: Sequence[Need], told: dict[str, Any], as_json: bool) -> None:
    """End with exit code 2 before anything is done when a required secret is missing; all of them are named."""
    names = [need.name for need in missing if need.required]
    if not names:
        return
    sentence = f"nothing was done: {', '.join(names)} must be set in the environment"
    if as_json:
        terminal.say_json({**told, "error": sentence})
    else:
        terminal.say_table("Secrets that are not set", _need_rows(missing))
    terminal.say_error(sentence)
    raise typer.Exit(2)


def _compared(target: Target, only: frozenset[str]) -> Compared:
    with terminal.working(f"asking {target.name}"):
        return compare(target, only)


def _removal(target: Target, only: frozenset[str], data: bool) -> Compared:
    with terminal.working(f"asking {target.name}"):
        return Compared(target, target.removal(only, data))


def _plan_told(compared: Sequence[Compared]) -> dict[str, Any]:
    changes = [asdict(change) for one in compared for change in one.changes]
    return {"changes": changes, "blind": {one.target.name: one.blind for one in compared if one.blind}}


def _costs(only: frozenset[str]) -> tuple[list[Cost], str]:
    stages = {system: named for system, named in timetable().items() if not only or system in only}
    return estimate(stages, from_ledger()), on_gpus(stages)


def _show_plan(name: str, told: dict[str, Any]) -> None:
    rows = [{**change, "name": _short(change["name"])} for change in told["changes"]]
    terminal.say_table(f"Plan for {name}", rows, ("action", "target", "kind", "name", "why"))
    for target, why in told["blind"].items():
        terminal.say(f"{target}: not compared with what is there: {why}. What is wanted is shown.")
    if told.get("missing"):
        terminal.say_table("\nSecrets that are not set", told["missing"])


def _show_cost(cost: dict[str, Any]) -> None:
    columns = ("system", "stage", "runs", "seconds", "machine", "estimate_usd", "at_most_usd", "known_from")
    terminal.say_table("\nA month's cost, estimated in USD", cost["rows"], columns)
    terminal.say(f"In all: USD {cost['estimate_usd']:.2f} a month (estimate), at most {cost['at_most_usd']:.2f}.")
    for sentence in cost["not_estimated"]:
        terminal.say(f"Not in it: {sentence}.")


def _go_on(compared: Sequence[Compared], told: dict[str, Any], *, dry_run: bool, ask: bool, as_json: bool) -> NoReturn:
    """Do the deed and end the command; earlier when nothing is to be done, or nobody wants it, or we are blind."""
    todo = [change for one in compared for change in one.changes if change.action in DONE_BY_US]
    if told["blind"] and not dry_run:
        _end(told, as_json, failed="nothing was done: " + "; ".join(f"{k}: {v}" for k, v in told["blind"].items()))
    if dry_run or not todo:
        _end(told, as_json, said="" if dry_run else "Nothing to do.")
    if ask and not typer.confirm(f"Do these {len(todo)} changes?"):
        _end(told, as_json, said="Nothing was done.")
    outcomes = [outcome for one in compared for outcome in _done(one, as_json)]
    told["outcomes"] = [_outcome_row(outcome) for outcome in outcomes]
    counts = {status: sum(one.status == status for one in outcomes) for status in ("done", "failed", "not tried")}
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    told["next"] = _next(outcomes)
    if told["next"] and not as_json:
        terminal.say(told["next"])
    _end(told, as_json, said=said, failed=f"{said}; run it again to go on" if counts["failed"] else "")


def _done(one: Compared, as_json: bool) -> list[Outcome]:
    """Carry out one target's changes, a line each as they come."""
    outcomes = []
    with terminal.working(f"changing {one.target.name}"):
        for outcome in carry_out(one.target, one.changes):
            outcomes.append(outcome)
            if not as_json:
                terminal.say(_line(outcome))
    return outcomes


def _next(outcomes: Sequence[Outcome]) -> str:
    """Return what follows after apps were made: their schedules, of which the first fills an empty store."""
    made = [one.change for one in outcomes if one.status == "done" and one.change.action == "create"]
    names = ", ".join(change.name for change in made if change.kind == "app")
    run = "modal run -m functions.SYSTEM::daily"
    return f"Their first scheduled run fills and trains what never ran; at once: {run} ({names})" if names else ""


def _line(outcome: Outcome) -> str:
    change = outcome.change
    what = f"{change.target} {change.action} {change.kind} {_short(change.name)}"
    said = outcome.said.removeprefix(f"{change.name}: ")
    return f"{outcome.status:9}  {what} ({outcome.seconds:.1f} s){': ' if said else ''}{said}"


def _short(name: str) -> str:
    """Return a name that leaves room beside it: one change may be about many things."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _outcome_row(outcome: Outcome) -> dict[str, object]:
    return {**asdict(outcome.change), "status": outcome.status, "said": outcome.said, "seconds": outcome.seconds}


def _end(told: dict[str, Any], as_json: bool, *, said: str = "", failed: str = "") -> NoReturn:
    if as_json:
        terminal.say_json({**told, **({"error": failed} if failed else {})})
    elif said and not failed:
        terminal.say(said)
    if failed:
        terminal.say_error(failed)
    raise typer.Exit(1 if failed else 0)
