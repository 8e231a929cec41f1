"""The tables of the assistant: conversations, what cleaning took away, figures, trials, what visitors preferred.

Weights are no rows: checkpoints lie on a volume, a folder a run, and what serves lies in the model registry.
"""

from __future__ import annotations

from shared.runs import RUNS
from shared.steps.promotion import PROMOTIONS
from shared.tables import Column, Table

MODEL = "assistant"  # in the registry: merged weights, adapter, tokenizer, card
KINDS = ("chat", "meals")  # what a conversation teaches
SPLITS = ("train", "validation", "test")
WITHDRAWN = "withdrawn"  # what the last preparation of its source no longer kept: no row leaves a store
SUBJECTS = ("candidate", "base", "champion")  # whose figures
VERDICTS = ("better", "tie", "up", "down")  # of two answers, or of one

CONVERSATIONS = Table(
    "assistant_conversations",
    (
        Column("conversation_id", "text", about="hash of the messages, so that twins are one"),
        Column("stored_at", "time", about="business date of the preparation that took it in"),
        Column("source", "text", about="the file or data set"),
        Column("kind", "text", allowed=KINDS),
        Column(
            "split",
            "text",
            allowed=(*SPLITS, WITHDRAWN),
            about="by hash of the first question: one is in one split only",
        ),
        Column("turns", "int", low=2, about="messages without the system's"),
        Column("characters", "int", low=1),
        Column("messages", "text", about="JSON: a list of {role, content}"),
    ),
    key=("conversation_id",),
    event_time="stored_at",
    about="Conversations that passed every filter: what models learn from and are judged on.",
)

CLEANING = Table(
    "assistant_cleaning",
    (
        Column("source", "text"),
        Column("prepared_at", "time"),
        Column("place", "int", low=0, about="in the order in which filters are applied"),
        Column("filter", "text", about="read, malformed, empty_turns, length, exact, near, contaminated, leaked, kept"),
        Column("conversations", "int", low=0, about="left after it"),
        Column("removed", "int", low=0),
        Column("share", low=0, high=1, about="removed, of those that came in"),
        Column("characters", "int", low=0, about="left after it"),
        Column("example", "text", nullable=True, about="the beginning of one that it removed"),
    ),
    key=("source", "prepared_at", "place"),
    event_time="prepared_at",
    about="What each filter took away from each source.",
)

EVALUATIONS = Table(
    "assistant_evaluations",
    (
        Column("run", "text", about="name of the fine-tuning, as of its folder"),
        Column("subject", "text", allowed=SUBJECTS),
        Column(
            "figure",
            "text",
            about="loss: mean over conversations of nats a token, or a byte of the answers where the models' tokenizers"
            " differ; perplexity: over all tokens; instructions, instructions:<kind>, safety: shares of answers that"
            " keep to rules; prompt_fits: of their prompts that the context has room for; meals:<figure>,"
            " meals_without_grammar:<figure>",
        ),
        Column("evaluated_at", "time"),
        Column("model", "text", about="what the subject is: a run, a base model, a registered version"),
        Column("value", nullable=True),
        Column("low", nullable=True, about="lower end of the 95 % interval"),
        Column("high", nullable=True),
        Column("count", "int", low=0, about="conversations, prompts or requests behind it"),
    ),
    key=("run", "subject", "figure"),
    event_time="evaluated_at",
    about="How a fine-tuned model, its base and the champion do on the same held-out conversations and checks.",
)

TRIALS = Table(
    "assistant_trials",
    (
        Column("search", "text", about="name of the search"),
        Column("trial", "text", about="its settings in short, such as tiny-r16-lr0.0002-s0"),
        Column("step", "int", low=1, about="of the rung"),
        Column("tried_at", "time"),
        Column("base", "text"),
        Column("rank", "int", low=0, about="0: all weights"),
        Column("learning_rate", low=0),
        Column("alpha", low=0, about="LoRA's, which rsLoRA divides by the root of the rank"),
        Column("trained", "int", unit="weights", low=1, nullable=True, about="unknown of a trial that failed"),
        Column("weights", "int", unit="weights", low=1, nullable=True, about="of the whole model"),
        Column("loss", about="mean over validation conversations of nats a token", nullable=True),
        Column("verdict", "text", about="went on, stopped, failed and why; how it stands to the best"),
    ),
    key=("search", "trial", "step"),
    event_time="tried_at",
    about="A search over ranks, learning rates and base models: a row a trial and rung.",
)

FEEDBACK = Table(
    "assistant_feedback",
    (
        Column("feedback_id", "text"),
        Column("given_at", "time"),
        Column("visitor", "text", about="hash of the visit's session: nobody can be known by it"),
        Column("verdict", "text", allowed=VERDICTS),
        Column("asked", "text", about="JSON: messages up to the answer, with what the model was told first"),
        Column("chosen", "text", about="the answer preferred, or thumbed up; of a tie one; empty for a thumb down"),
        Column("rejected", "text", about="the other answer, or the one thumbed down; empty for a thumb up"),
        Column("chosen_model", "text", nullable=True, about="such as assistant v3"),
        Column("rejected_model", "text", nullable=True),
        Column("blind", "flag", about="two answers stood side by side without names"),
    ),
    key=("feedback_id",),
    event_time="given_at",
    about="What visitors thought of answers: those better than another are rows as preference training takes them.",
)

TABLES = (CONVERSATIONS, CLEANING, EVALUATIONS, TRIALS, FEEDBACK)
SHOWN = (EVALUATIONS, CLEANING, PROMOTIONS, RUNS)  # what its pages read; FEEDBACK they write themselves
MODELS = (MODEL,)
