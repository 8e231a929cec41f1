"""Which model answered, when it was trained, by which code, and how good it was on what it had not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from shared.pages.words import between, percent, plain

if TYPE_CHECKING:
    from shared.ports import ModelVersion


def provenance(model: ModelVersion) -> Markup:
    """Return a line on the model; with its accuracy on held-out rows when it was registered with one."""
    family = str(model.signature.get("family", "")).replace("_", " ")
    line = Markup("Answered by <strong>{} version {}</strong>{}, trained on {}.").format(
        plain(model.name), model.version, f" ({family})" if family else "", model.trained_on
    )
    return Markup('<p class="al-provenance">{} {} <span class="al-muted">Code {}.</span></p>').format(
        line, _skill(model), model.code_version
    )


def _skill(model: ModelVersion) -> str:
    if "accuracy" not in model.metrics:
        return ""
    low, high = (model.metrics.get(f"accuracy_{end}", float("nan")) for end in ("low", "high"))
    right = percent(model.metrics["accuracy"])
    return (
        f"On cases it had not learned from, it was right {right} of the time (95\u00a0% interval {between(low, high)})."
    )
