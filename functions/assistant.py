"""Assistant: a Llama fine-tuned with LoRA that chats and composes meals; a run that was killed goes on exactly.

    prepare ──► finetune, search ──► evaluate ──► export ──► registry ──► serve ──► spaces/chat, spaces/meals

Here:      almanac run assistant prepare; almanac run assistant finetune; … evaluate; … export; almanac open chat
On Modal:  modal run -m functions.assistant::finetune --base OWNER/NAME; modal deploy -m functions.assistant
"""

from collections.abc import Iterator
from typing import Any

from functions._modal import Service, gpu_image, image

service = Service("assistant")
app = service.app

LANGUAGE = ("transformers", "tokenizers", "safetensors", "datasketch", "jinja2")
preparing = image(*LANGUAGE, "torch")
training = gpu_image(*LANGUAGE, "unsloth", "trl", "peft", "datasets", "bitsandbytes", pins="constraints-unsloth.txt")
judging = gpu_image(*LANGUAGE, "peft", "accelerate", "llguidance")
answering = gpu_image(*LANGUAGE, "accelerate", "datasets", "llguidance", "starlette")


@service.stage(preparing)
def prepare(source: str = "", evaluation: str = "", limit: int = 0, day: str = "") -> dict[str, Any]:
    """Store conversations that pass every filter: FineTome's and recipes, or those of --source.

    --source takes files, folders or addresses, joined by commas: ShareGPT, messages, Alpaca, RecipeNLG, other recipes.
    --evaluation names questions that models will be judged on, which are taken out; --limit is of records a source.
    """
    from shared.runs import run_stage
    from shared.systems.assistant import features, instructions
    from shared.systems.assistant.sources import LIMIT

    with service.opened() as platform:
        plan = features.Preparation(source, evaluation, limit or LIMIT)
        return run_stage(
            platform,
            "assistant.prepare",
            lambda run: features.prepare(platform, run, plan, instructions.prompts()),
            day=day or "today",
        ).to_dict()


@service.stage(training)
def finetune(  # noqa: PLR0913 - the settings of a plan that people change
    base: str = "tiny",
    rank: int = -1,
    learning_rate: float = 0.0,
    steps: int = 0,
    batch: int = 0,
    max_length: int = 0,
    precision: str = "",
    seed: int = 0,
    day: str = "",
) -> dict[str, Any]:
    """Fine-tune --base on what was prepared, or go on where the same plan was cut off.

    --base: tiny (random weights), assistant:3 (a version of ours), a folder, or OWNER/NAME on Hugging Face. --rank of
    LoRA, 0 for all weights. What is not told is usual for the base.
    """
    from shared.runs import run_stage
    from shared.systems.assistant import training

    told = {"learning_rate": learning_rate, "steps": steps, "batch": batch, "max_length": max_length}
    chosen: dict[str, Any] = {
        name: value for name, value in {**told, "precision": precision, "seed": seed}.items() if value
    }
    plan = training.usual_plan(base, **chosen, **({} if rank < 0 else {"rank": rank}))
    folders, commit = _folders()
    with service.opened() as platform:
        return run_stage(
            platform,
            "assistant.finetune",
            lambda run: training.finetune(platform, run, plan, folders, commit),
            day=day or "today",
        ).to_dict()


@service.served(answering)
def serve() -> Iterator[Any]:
    """Answer over HTTP as OpenAI's API does, with the version that serves; many questions in one batch."""
    from functions._answering import answering
    from shared.steps.continuous import Batched
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


def _folders() -> Any:  # noqa: ANN401 - training.Folders, which is not to be imported here
    """Return where runs and what is computed again are kept, and what makes a run's files outlive the container."""
    from shared.systems.assistant.training import Folders

    runs, commit = service.lasting("runs")
    return Folders(runs, service.lasting("cache")[0]), commit
