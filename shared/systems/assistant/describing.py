"""The card of a version: the README.md beside its weights, written from the run that made them.

plan, data and filters, figures beside base and champion, parity ──► sections ──► README.md
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from shared.errors import NotYetError
from shared.runs import ledger
from shared.steps.base_names import tiny_size
from shared.steps.cards import card, code, rows
from shared.steps.side_by_side import BETTER, WORSE, compared, shown, told
from shared.systems.assistant.judgements import CALLED, PARTS
from shared.systems.assistant.sources import DATA_SETS
from shared.systems.assistant.tables import CLEANING
from shared.systems.assistant.training import usual_plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.ports import ModelRegistry, Platform
    from shared.runs import Run
    from shared.steps.merging import Parity
    from shared.steps.plans import Plan
    from shared.steps.side_by_side import Figure
    from shared.steps.tuned import Tuned

LICENCES = {  # of bases, as their owners name them; whoever publishes a model looks for himself
    "llama-3.2-": "llama3.2",
    "llama-3.1-": "llama3.1",
    "qwen3-": "apache-2.0",
    "smollm": "apache-2.0",
}
OPTIONS = (  # of `almanac run assistant finetune`
    *("base", "revision", "sources", "rank", "learning_rate", "steps", "batch", "accumulation", "max_length"),
    *("packing", "precision", "seed"),
)
BOUNDS = (
    "Of twenty figures of two equal models one is called surely different by chance. Bounds are 95 % intervals; lower"
    " losses are better."
)
LIMITS = """\
* It is judged on conversations like those it learned from, and by the form of its answers; nothing here measures
  whether what it says is true.
* The intervals say how much figures depend on which conversations were drawn, not on the training's seed.
* Meals keep to ingredients and grams because a grammar makes them; served without one, they do not (see the figures
  "without grammar"). Allergens are found by rule in names: no advice for whom an error would harm.
* Ten hostile prompts are no safety test."""


@dataclass(frozen=True)
class Written:
    """That what was written is the model that was judged, and in which unit its loss was told."""

    merged: Parity
    gguf: Parity | None
    has_gguf: bool
    unit: str = "nats a token"


def described(
    platform: Platform, run: Run, tuned: Tuned, figures: Mapping[str, Mapping[str, Figure]], found: Written
) -> str:
    """Return the card of a run's model: ``figures`` by subject and name, as ``judgements.kept_figures`` gives them."""
    plan, origin = tuned.plan, began_as(tuned.plan.base, platform.models)
    how = f"LoRA of rank {plan.rank} on all linear layers, merged" if plan.rank else "all weights"
    simulated = " What it learned from is **simulated**." if platform.world == "demo" else ""
    what = f"{code(plan.base)}, fine-tuned ({how}) to chat and to compose meals as JSON.{simulated}"
    sections = {
        "What it is": what,
        "How good it is": f"{judged(figures)}\n\n{rows(beside(figures))}\n\n{BOUNDS} {losses_told(found.unit)}",
        "What it learned from": _learned_from(platform, run, tuned),
        "How it learned": _learning(tuned),
        "Whether the files are that model": _sameness(found, merged=plan.rank > 0),
        "Limits": LIMITS,
        "Licence": _licence_told(origin),
        "Made again": made_again(platform, run, tuned, found),
    }
    return card(_head(plan, origin), f"Assistant: {tuned.name}", sections)


def judged(figures: Mapping[str, Mapping[str, Figure]]) -> str:
    """Return in two sentences what the candidate is surely better at than its base and the champion, and what worse.

    >>> from shared.steps.side_by_side import share_of
    >>> yes, no = (share_of(pd.Series([kept] * 6)) for kept in (True, False))
    >>> judged({"candidate": {"meals:ok": no, "safety": yes}, "base": {"meals:ok": yes, "safety": yes}})
    'It is surely better than its base in nothing that was measured. It is surely worse than its base in meals:ok (0...'
    """
    mine = {name: one for name, one in figures["candidate"].items() if not name.startswith(PARTS)}
    sentences = []
    for verdict in (BETTER, WORSE):
        found = []
        for who, theirs in [*figures.items()][1:]:
            names = [
                f"{name} ({shown(one)}, not {shown(theirs[name])})"
                for name, one in mine.items()
                if name in theirs and compared(one, theirs[name]) == verdict
            ]
            found.append(f"than {CALLED[who]} in {', '.join(names) or 'nothing that was measured'}")
        sentences.append(f"It is surely {verdict} {', and '.join(found)}.")
    return " ".join(sentences)


def beside(figures: Mapping[str, Mapping[str, Figure]]) -> list[dict[str, Any]]:
    """Return a row a figure of the candidate, with what base and champion reach.

    >>> from shared.steps.side_by_side import share_of
    >>> half = {"safety": share_of(pd.Series([True, False]))}
    >>> beside({"candidate": half, "base": half})
    [{'figure': 'safety', 'candidate': '0.5 [0.09453, 0.9055]', 'base': '0.5 [0.09453, 0.9055]', 'count': 2}]
    """
    return [
        {"figure": name}
        | {who: told(theirs[name].share) if name in theirs else "" for who, theirs in figures.items()}
        | {"count": one.share.count}
        for name, one in figures["candidate"].items()
    ]


def losses_told(unit: str) -> str:
    """Return what the card's losses are means of: they are of two kinds, and only one is the perplexity's.

    >>> losses_told("nats a byte").partition(";")[0]
    "The loss is the mean over conversations of nats a byte of the answers, as the models' tokenizers differ"
    """
    differ = " of the answers, as the models' tokenizers differ" if unit == "nats a byte" else ""
    others = "perplexity (each model's own) and the validation loss are over all tokens, a long answer's counting more"
    return f"The loss is the mean over conversations of {unit}{differ}; {others}."


def licence(base: str) -> str:
    """Return the licence of a base on the Hub, "" where it is not known here.

    >>> licence("unsloth/Llama-3.2-1B-Instruct-bnb-4bit"), licence("tiny")
    ('llama3.2', '')
    """
    name = base.lower().rpartition("/")[2]
    return next((known for begin, known in LICENCES.items() if name.startswith(begin)), "") if _on_hub(base) else ""


def began_as(base: str, models: ModelRegistry) -> str:
    """Return what a base was first made of: of a version of ours the base of its run, and so on; else itself.

    As far as versions are still there: a licence and an architecture go on from one to the next.
    """
    while tiny_size(base) is None and (version := re.fullmatch(r"(\w+):(\d+)", base, re.ASCII)):
        try:
            base = str(models.signature(version[1], int(version[2]))["base"])
        except (NotYetError, KeyError):  # what it came from is no reason to keep the next from serving
            break
    return base


def _head(plan: Plan, origin: str) -> Mapping[str, str | list[str]]:
    hub = plan.base if _on_hub(plan.base) else ""
    return {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "base_model": hub,
        "base_model_relation": "finetune" if hub else "",
        "license": licence(origin),
        "metrics": ["perplexity"],
        "tags": ["almanac", *(["llama"] if _is_llama(origin) else []), *(["lora"] if plan.rank else [])],
    }


def _is_llama(base: str) -> bool:
    return tiny_size(base) is not None or "llama" in base.lower()


def _on_hub(base: str) -> bool:
    return bool(re.fullmatch(r"[\w-][\w.-]*/[\w-][\w.-]*", base, re.ASCII))


def _learned_from(platform: Platform, run: Run, tuned: Tuned) -> str:
    names = ["source", "filter", "conversations", "removed", "share"]
    effects, sources = _newest(platform, run), tuned.plan.sources.split(",") if tuned.plan.sources else []
    effects = effects[effects["source"].isin(sources)] if sources else effects
    kept = effects.sort_values(["source", "place"])[names].assign(share=effects["share"].map("{:.3f}".format))
    table: list[dict[str, Any]] = [{str(name): row[name] for name in names} for row in kept.to_dict("records")]
    whose = f" of {' and '.join(map(code, sources))} alone (it is judged on those of all)," if sources else ""
    return f"Conversations{whose} of fingerprint {code(tuned.data)}; what each filter took away:\n\n{rows(table)}"


def _newest(platform: Platform, run: Run) -> pd.DataFrame:
    """Return rows of CLEANING, of each source those of its last preparation."""
    effects = platform.features.read(CLEANING, until=run.until)
    return effects[effects["prepared_at"] == effects.groupby("source")["prepared_at"].transform("max")]


def _prepared(platform: Platform, run: Run) -> list[str]:
    """Return the stage `prepare` for the sources in the store, those that were prepared first in front."""
    known = _newest(platform, run).sort_values(["prepared_at", "source"])["source"].drop_duplicates()
    given = [re.sub(r"[^\w.-]+", "-", source)[:60] for source in known if source not in DATA_SETS]
    usual = ["prepare"] if not given or known.isin(DATA_SETS).any() else []
    return usual + [f"prepare --source FILE  # that was stored as {name}" for name in given]


def _learning(tuned: Tuned) -> str:
    ended = tuned.ended
    plan = asdict(tuned.plan) | {"alpha": tuned.plan.alpha} if tuned.plan.rank else asdict(tuned.plan)
    if not tuned.plan.rank:  # there is no adapter that these would be of
        plan = {name: value for name, value in plan.items() if name not in ("rank", "dropout")} | {
            "trained": "all weights"
        }
    facts = {
        "steps done": ended.steps,
        "best after step": f"{ended.best_step}, validation loss {ended.best_loss:.4f} (base {ended.base_loss:.4f})",
        "tokens": f"{ended.tokens:,}, {ended.tokens_per_second:,.0f} a second",
        "peak memory": f"{ended.peak_memory_mb:,.0f} MB",
        "machine": ", ".join([ended.device, *(f"{name} {what}" for name, what in ended.machine.items())]),
    }
    return rows([{"setting": name, "value": value} for name, value in {**plan, **facts}.items() if value != ""])


def _sameness(found: Written, *, merged: bool) -> str:
    one = found.merged
    lines = [
        f"{'Merged weights' if merged else 'The weights'}, read back, against what was judged: logits differ by at "
        f"most {one.logits:.1e}, KL {one.kl:.1e} nats a token over {one.positions} positions."
    ]
    if found.has_gguf and found.gguf:
        lines.append(f"`model.gguf`, of 16 bits, read back: KL {found.gguf.kl:.1e}, logits {found.gguf.logits:.1e}.")
    elif found.has_gguf:
        lines.append("`model.gguf` was not read back: the package gguf is not installed.")
    return "\n".join(lines)


def _licence_told(base: str) -> str:
    known = licence(base)
    if tiny_size(base):
        return "The base was made here, of random weights. What it learned from has licences of its own."
    if known:
        return f"That of the base as far as known: {code(known)}. What it learned from has licences of its own."
    return f"That of the base {code(base)}, which is not known here, and of what it learned from."


def made_again(platform: Platform, run: Run, tuned: Tuned, found: Written) -> str:
    """Return the commands that make it again; what they cannot say stands below them, in words."""
    told = {name: getattr(tuned.plan, name) for name in OPTIONS}
    options = " ".join(_option(name, value) for name, value in told.items() if value != "")
    stages = [
        *_prepared(platform, run),
        f"finetune {options}",
        f"evaluate --name {tuned.name}",
        f"export --name {tuned.name}",
    ]
    stages[-1] += " --llama-cpp CHECKOUT" if found.has_gguf else ""
    commands = "\n".join(" ".join(f"almanac run assistant {stage}".replace("```", "").split()) for stage in stages)
    usual, plan = asdict(usual_plan(**told)), asdict(tuned.plan)
    others = ", ".join(f"{name} {value}" for name, value in plan.items() if value != usual[name])
    lines = [
        "`prepare` in this order, as of twins the first stays; a source is called as its FILE and a hash of its place.",
        f"It was trained {_code_version(platform, tuned, run)}.",
        f"Besides, the plan had {others}, for which there is no option." if others else "",
        f"The run has the name {code(tuned.name)} again, which follows from plan and conversations;",
        "another name says that one of them differs. On a CPU like the one above, with the same libraries, its weights",
        "are the same bit for bit; on a GPU sums differ in their last digits.",
    ]
    return f"```\n{commands}\n```\n\n" + " ".join(filter(None, lines))


def _option(name: str, value: object) -> str:
    return f"--{name.replace('_', '-')} {shlex.quote(str(int(value) if isinstance(value, bool) else value))}"


def _code_version(platform: Platform, tuned: Tuned, run: Run) -> str:
    """Return the code that trained it, by the ledger: the first run that ended it; else the one that writes this."""
    rows = ledger(platform, "assistant", "finetune")
    done = rows[(rows["status"] == "done") & rows["report"].map(lambda told: json.loads(told)["model"] == tuned.name)]
    if done.empty:
        return f"elsewhere; this card was written with the code of version {code(run.code_version)}"
    return f"with the code of version {code(str(done['code_version'].iloc[0]))}"
