"""Of several foods that an item leaves open, the name that stands for them: short, and with every allergen of each.

    butter, margarine ──► butter        king prawns, firm smoked tofu ──► prawn or smoked tofu

"X or Y" stays both where Y may hold what X does not; where that is too long for a name, each is told by its last words,
as English puts the head last, but only where those say the same of allergens, diets and the food that it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared.systems.assistant.allergen_terms import PLAIN
from shared.systems.assistant.allergens import allergens_of
from shared.systems.assistant.foods import food_of, foods_in, words

OR = " or "


def one_name(either: Sequence[str], most: int) -> str:
    """Return the name of several foods, the first one's where no other may hold more; of ``most`` characters if it can.

    >>> one_name(["butter", "margarine"], 40), one_name(["rice milk", "milk"], 40)
    ('butter', 'rice milk or milk')
    >>> one_name(["whole-wheat spaghetti", "gluten-free rice noodle"], 40)
    'spaghetti or gluten-free rice noodle'
    """
    first = next(filter(foods_in, either), next(iter(either), ""))
    both = [name for name in dict.fromkeys(either) if foods_in(name) or name == first or not {*words(name)} <= PLAIN]
    if len(both) < 2 or not _brings_more(first, both):
        return first
    needed = [name for name in both if name == first or _brings_more(first, [first, name])]
    others_brief = [name if name == first else _brief(name) for name in needed]
    all_brief = [_brief(name) for name in needed]
    tried = [OR.join(dict.fromkeys(names)) for names in (both, needed, others_brief, all_brief)]
    whole = tried[0]
    return next((name for name in tried if len(name) <= most and _says_as_much(name, whole)), whole)


def _brings_more(first: str, both: Sequence[str]) -> bool:
    """Return whether another of several foods may hold what the first does not."""
    one, all_ = allergens_of(first), allergens_of(OR.join(both))
    same = {food.kind for food in foods_in(first)}
    kinds = {name: {food.kind for food in foods_in(name)} for name in both}
    told = all(allergens_of(name).known or (kinds[name] and kinds[name] <= same) for name in both if name != first)
    return not (told and {*all_.allergens} <= {*one.allergens} and {*all_.kinds} <= {*one.kinds})


def _brief(name: str) -> str:
    """Return the fewest last words of a name that say as much as all of it; all words where one of them is not known.

    >>> _brief("king prawn"), _brief("soy sauce"), _brief("dragon sauce")
    ('prawn', 'soy sauce', 'dragon sauce')
    """
    parts = name.split() if allergens_of(name).known else []
    ends = (" ".join(parts[-count:]) for count in range(1, len(parts)))
    return next(
        (end for end in ends if food_of(end) == food_of(name) and allergens_of(end) == allergens_of(name)), name
    )


def _says_as_much(name: str, whole: str) -> bool:
    """Return whether a shorter name hides no allergen, nothing that a diet looks at, and nothing that is unknown."""
    short, long = allergens_of(name), allergens_of(whole)
    held = {*long.allergens} <= {*short.allergens} and {*long.kinds} <= {*short.kinds}
    return held and (long.known or not short.known)
