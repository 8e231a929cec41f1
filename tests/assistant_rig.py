"""A tiny Llama with random weights as the assistant that serves: no training, a tenth of a second."""

from datetime import UTC, date, datetime

from shared.ports import NewModel
from shared.steps.promotion import Verdict, record

TEXTS = (
    "How do I boil an egg? Put it into boiling water for nine minutes, then into cold water.",
    "What is a roux? Flour and butter, stirred over a low heat until it smells of nuts.",
    "Recipe: 300 g rice, 2 eggs, one onion. Fry the onion, add the rice, stir in the eggs, season with salt.",
)


def tiny_assistant(platform, folder, *, versions=1, verdicts=("promoted",), positions=2048, run=""):
    """Register ``versions`` tiny models of their own weights, with these verdicts in turn; return the newest.

    They say that they were made of ``tiny`` in the fine-tuning ``run``.
    """
    from shared.steps.bases import Size, build_tiny

    for number in range(versions):
        size = Size(layers=2, hidden=48, heads=3, vocabulary=400, positions=positions)
        made = lively(build_tiny(folder / f"tiny-{number}", TEXTS, seed=number, size=size))
        model = platform.models.save(
            NewModel(
                "assistant", made, {"loss": 6.0}, {"base": "tiny", "run": run}, trained_on=f"2026-10-{number + 1:02d}"
            )
        )
        verdict = Verdict(verdicts[min(number, len(verdicts) - 1)], "as the test wants it", {})
        day = date(2026, 10, number + 1)
        record(platform, model, verdict, day=day, decided_at=datetime(2026, 10, number + 1, tzinfo=UTC), run_id="")
    return model


def lively(folder):
    """Make the weights larger, so that each question has an answer of its own; as they begin, all have the same."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    larger = {name: weight * (12 if weight.dim() > 1 else 1) for name, weight in weights.items()}
    save_file(larger, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
