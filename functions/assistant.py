"""Assistant: a Llama fine-tuned with LoRA that chats and composes meals; a run that was killed goes on exactly.

    prepare ──► finetune, search ──► evaluate ──► export ──► registry ──► serve ──► spaces/chat, spaces/meals

Here:      almanac run assistant prepare; almanac run assistant finetune; … evaluate; … export; almanac open chat
On Modal:  modal run -m functions.assistant::finetune --base OWNER/NAME; modal deploy -m functions.assistant
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from functions._modal import Service, gpu_image, image

service = Service("assistant")
app = service.app

USUAL = -1  # of an option: what is usual for the base; 0 and whatever else cannot be is refused
MODEL = ("transformers", "tokenizers", "safetensors", "jinja2", "peft")
preparing = image("datasketch")
searching = image(*MODEL, "torch")
training = gpu_image(*MODEL, "unsloth", "trl", "datasets", "bitsandbytes", pins="constraints-unsloth.txt")
judging = gpu_image(*MODEL, "llguidance")
answering = gpu_image(*MODEL, "llguidance", "starlette")


@service.stage(preparing)
def prepare(source: str = "", evaluation: str = "", limit: int = USUAL, day: str = "") -> dict[str, Any]:
    """Store conversations that pass every filter: FineTome's and recipes, or those of --source.

    --source takes files, folders or addresses, joined by commas. Read are chats (messages, ShareGPT, OASST, UltraChat,
    ChatGPT's export), pairs (Alpaca, Dolly, preferences) and recipes (RecipeNLG, Food.com, schema.org's), as JSON, CSV
    or Parquet, packed or not.
    --evaluation names questions that models will be judged on, which are taken out; --limit is of records a source.
    What was stored before stays: all sources in the store are told with what they hold, as models learn from all,
    unless they are told --sources.
    """
    from shared.runs import run_stage
    from shared.systems.assistant import features, instructions
    from shared.systems.assistant.sources import LIMIT

    with service.opened() as platform:
        plan = features.Preparation(source, evaluation, LIMIT if limit == USUAL else limit)
        return run_stage(
            platform,
            "assistant.prepare",
            lambda run: features.prepare(platform, run, plan, instructions.prompts()),
            day=day or "today",
        ).to_dict()


@service.stage(training)
def finetune(  # noqa: PLR0913 - the settings of a plan that people change
    base: str = "tiny",
    revision: str = "",
    sources: str = "",
    rank: int = USUAL,
    learning_rate: float = USUAL,
    steps: int = USUAL,
    batch: int = USUAL,
    accumulation: int = USUAL,
    max_length: int = USUAL,
    packing: int = USUAL,
    precision: str = "",
    seed: int = 0,
    day: str = "",
) -> dict[str, Any]:
    """Fine-tune --base on what was prepared, or go on where the same plan was cut off.

    --base: tiny (random weights), assistant:3 (a version of ours), a folder, or OWNER/NAME on Hugging Face: there
    --revision is a commit or branch; without it, that of an earlier attempt, else the newest. Of a folder it is a hash
    of its files, and only they will do; another model in it is another run. It learns from all sources that are stored,
    or from --sources, joined by commas, alone. --rank of LoRA, 0 for all weights. A step learns from --accumulation
    times --batch sequences, of --max-length tokens; with --packing 1 conversations share one. What is not told, or -1,
    is usual for the base.
    """
    from shared.errors import UsageError
    from shared.runs import run_stage
    from shared.steps.base_names import kind_of

    if packing not in (USUAL, 0, 1):
        raise UsageError(f"packing {packing} is neither 1 nor 0")
    _computing("fine-tuning", "trl", "datasets")
    kind_of(base)  # what is no base is said before what takes long to import
    from shared.steps import unsloth_sft

    unsloth_sft.imported()  # on a GPU, before what it rewrites
    from shared.systems.assistant import training

    told: dict[str, Any] = {"rank": rank, "learning_rate": learning_rate, "steps": steps, "batch": batch}
    told |= {"accumulation": accumulation, "max_length": max_length}
    chosen = {name: value for name, value in told.items() if value != USUAL}
    chosen |= {"packing": bool(packing)} if packing != USUAL else {}
    chosen |= {"precision": precision} if precision else {}
    plan = training.usual_plan(base, revision=revision, sources=sources, seed=seed, **chosen)
    folders, commit = _folders()
    with service.opened() as platform:
        return run_stage(
            platform,
            "assistant.finetune",
            lambda run: training.finetune(platform, run, plan, folders, commit),
            day=day or "today",
        ).to_dict()


@service.worker(training)
def trial(part: dict[str, Any]) -> dict[str, Any]:
    """Train one trial of a search up to its next rung, from wherever it was; return its losses."""
    from shared.steps import unsloth_sft

    unsloth_sft.imported()  # as above
    from shared.systems.assistant import trials

    return trials.attempt(part, *_folders())


@service.stage(searching)
def search(  # noqa: PLR0913 - what is compared are eight facts
    bases: str = "",
    revision: str = "",
    sources: str = "",
    ranks: str = "8,16,32,64",
    learning_rates: str = "1e-4,2e-4,5e-4",
    lowest: int = 100,
    rungs: int = 3,
    seeds: int = 1,
    day: str = "",
) -> dict[str, Any]:
    """Compare --bases, LoRA --ranks and --learning-rates; recommend the cheapest setting that is as good.

    As good is what surely loses at most 5 % of what training gained; where conversations are too few to tell, the best
    is recommended. None is where none is surely better than its base without any training, which is judged, too. The
    base is the version that serves, unless named: several, joined by commas, as finetune takes them, or one at a
    --revision. --sources are those to learn from, and to be judged by, as finetune takes them. All trials get --lowest
    steps, the best third of them three times as many, and so on for --rungs. On Modal trials run beside each other.
    With several --seeds those at the top are trained once more with each. Called again it goes on; once it has decided
    it answers from what it found then, and the weights of its trials are gone.
    """
    from shared.runs import run_stage
    from shared.steps.asha import Ladder
    from shared.steps.base_names import kind_of

    _computing("a search")  # what trials take besides is in their own image
    for base in filter(None, map(str.strip, bases.split(","))):
        kind_of(base)
    from shared.systems.assistant import searching
    from shared.systems.assistant.searches import Search

    numbers, ladder = (_numbers(ranks, int), _numbers(learning_rates, float)), Ladder(lowest=lowest, rungs=rungs)
    folders, commit = _folders()

    def each(parts: Iterable[Any]) -> Iterator[Any]:
        commit()  # the workers read what the search wrote
        return service.each("trial", parts)

    with service.opened() as platform:
        plan = Search(searching.bases(platform, bases), *numbers, ladder, seeds, revision=revision, sources=sources)
        report = run_stage(
            platform,
            "assistant.search",
            lambda run: searching.search(platform, run, plan, folders, each),
            day=day or "today",
        )
        commit()
        searching.swept(platform, _folders()[0].runs)  # seen anew: workers wrote there meanwhile
        commit()
        return report.to_dict()


@service.stage(judging)
def evaluate(name: str = "", full: bool = False, day: str = "") -> dict[str, Any]:
    """Judge a fine-tuning (the newest that ended, or --name) beside its base and the champion, on held-out questions.

    In the demo world on few of them, unless --full.
    """
    from shared.runs import run_stage

    _computing("an evaluation", "llguidance")
    from shared.systems.assistant import evaluation

    folders, commit = _folders()
    with service.opened() as platform:
        effort = evaluation.QUICK if platform.world == "demo" and not full else evaluation.Effort()
        report = run_stage(
            platform,
            "assistant.evaluate",
            lambda run: evaluation.evaluate(platform, run, name, folders, effort),
            day=day or "today",
        )
        commit()
        return report.to_dict()


@service.stage(judging)
def export(name: str = "", llama_cpp: str = "", day: str = "") -> dict[str, Any]:
    """Merge what was evaluated (the newest, or --name), prove it equal, register it, and let it serve if it may.

    --llama-cpp: a checkout of llama.cpp, to write GGUF too.
    """
    from shared.runs import run_stage

    _computing("an export")
    from shared.systems.assistant import exporting
    from shared.systems.assistant.tables import MODELS, SHOWN

    folders, commit = _folders()
    with service.opened() as platform:
        report = run_stage(
            platform,
            "assistant.export",
            lambda run: exporting.export(platform, run, name, folders, llama_cpp),
            day=day or "today",
        )
        commit()
        return service.published(platform, report, (SHOWN, MODELS, dict))


@service.served(answering)
def serve() -> Iterator[Any]:
    """Answer over HTTP as OpenAI's API does, with the version that serves; many questions in one batch."""
    _computing("serving", "llguidance")
    from functions._answering import answering
    from shared.steps.answering.batch import Batched
    from shared.systems.assistant import inference

    with service.reading() as platform:
        model = inference.load_model(platform, inference.chosen(platform))
    with Batched(model) as chat:
        yield answering(chat, model="assistant")


@service.stage(preparing)
def rollback(version: int, reason: str, day: str = "") -> dict[str, Any]:
    """Let an earlier --version answer again from today (or --day) on, until the next promotion; say the --reason."""
    from shared.runs import run_stage
    from shared.steps.promotion import rolled_back

    with service.opened() as platform:
        return run_stage(
            platform,
            "assistant.rollback",
            lambda run: rolled_back(platform, run, "assistant", version, reason),
            day=day or "today",
        ).to_dict()


def _computing(what: str, *more: str) -> None:
    """Refuse a stage where what computes is not installed, before any of it is imported."""
    from shared.steps.extras import needed

    needed(what, "llm", "torch", "transformers", "peft", "safetensors", *more)


def _folders() -> Any:  # noqa: ANN401 - training.Folders, which is not to be imported here
    """Return where runs and what is computed again are kept, and what makes a run's files outlive the container."""
    from shared.systems.assistant.training import Folders

    runs, commit = service.lasting("runs")
    return Folders(runs, service.lasting("cache")[0]), commit


def _numbers(told: str, kind: Callable[[str], Any]) -> tuple[Any, ...]:
    """Return the numbers that an option names, joined by commas."""
    from shared.errors import UsageError

    try:
        return tuple(kind(one) for one in told.split(","))
    except ValueError as cause:
        raise UsageError(f"{told!r} is no list of numbers joined by commas, such as 8,16") from cause
