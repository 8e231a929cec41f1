"""Ingredients as people write them, as names and grams.

    "2 large eggs, 1/2 cup (110g) olive oil and a dragonfruit"
      ──► items: one each ──► amount and unit, name ──► grams ──► egg 100 g, olive oil 110 g; unweighed: dragonfruit

Of a range the lower end is taken, and what is estimated from a volume or a count is as ``foods`` says, so what comes
back is what there surely is. A name keeps letters of any script, digits, blanks, hyphens and apostrophes: nothing else
reaches a prompt or a page. It is never cut, as an allergen may stand at its end; what stands for "X or Y" is said, see
``alternatives``. Amounts are whole grams from 1 to ``MOST_GRAMS``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shared.errors import SourceError
from shared.systems.assistant.alternatives import OR, one_name
from shared.systems.assistant.amounts import grams_of, no_amount, split_amount
from shared.systems.assistant.foods import PANTRY, SEASONING, food_of, foods_in, singular, word_set, words
from shared.systems.assistant.letters import mixed, seen
from shared.systems.assistant.units import MOST_GRAMS

MOST_INGREDIENTS = 30
MOST_CHARACTERS = 40  # of a name
MOST_TEXT = 4000  # characters of a visitor's text
MOST_LINE = 500  # characters of one item
MUCH_SEASONING_G = 500  # more than a kitchen has of one
_SEPARATOR = re.compile(
    r"\s*(?:[\n\r;•·]+|,(?!\d)|(?<!\d),|\s+(?:and|plus)\s+(?!(?<=\d\sand\s)\d+/)|\s[&+]\s)(?![^()\n]*\))\s*", re.I
)
_BULLET = re.compile(r"^\s*(?:[*•·>]|-(?=\s|[^\W\d])|\d{1,2}[.)](?=\s))\s*")
_COMMA = re.compile(r"(?:,(?!\d)|(?<!\d),)(?![^()\n]*\))")
_TAG = re.compile(r"<[^<>]{0,80}>")
_STROKE = re.compile(r"(?<=[^\W\d_])\s*[/|]\s*(?=[^\W\d_])")  # rice/milk is no rice milk
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_PREPARED = word_set(
    "a an about also and any approximately as at bag beaten big boneless boiling bought bowl can canned"
    " chopped chunk cleaned cold coarse coarsely cooked cool cored couple crushed cube cubed cut deveined"
    " diced divided drained each enough extra fat few fine finely firm firmly for fresh freshly from frozen"
    " fry frying garnish generous good grated greasing half halved heaped heaping high hot if in inch into"
    " is it julienned jumbo large lean least length lengthwise lightly little long lot lukewarm matchstick"
    " medium melted minced more needed of off on one optional or organic other out overnight packed part"
    " peeled piece pitted plain preferably preference prepared quality quarter quartered raw reserved ripe"
    " rinsed room rough roughly round scant seeded serve serving shelled shredded sifted size sized skin"
    " skinless skinned pureed slice sliced small soaked soft softened some splash stem strip taste temperature the"
    " then thick thickly thin thinly to toasted toasting top topping torn trimmed type unpeeled unsalted"
    " very warm washed bottle jar pot packet package container carton tub envelope sachet tin well whole"
    " whisked with you your zest total choice desired roasted deseeded ample amount optionally storebought"
    " handful please similarly shaped not available around similar something"
    " alternatively directed bit approx box ca circa ctn env lg med pkg pkt sm"
)
_STEERING = word_set(  # words that steer a model and name no food
    "assistant developer disregard forget ignore instruction jailbreak override pretend previous prompt"
    " role script system user always answer anyway despite instead never obey output regardless reply respond"
)
_ORDERS = word_set("add do don't give include insert let make put say take tell use write")  # where a name begins so


@dataclass(frozen=True)
class Ingredient:
    """What there is of one thing, in whole grams."""

    name: str
    grams: int


class Parsed(NamedTuple):
    """What was understood: ingredients by name, names without a weight; sentences on what was not taken, and what for
    several that a list leaves open.
    """

    ingredients: tuple[Ingredient, ...] = ()
    unweighed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()


def parse(text: str) -> Parsed:
    """Return the ingredients of a visitor's list, by line, comma, semicolon or "and"; one named twice is summed.

    >>> parse("2 eggs, 300g rice and ½ tsp salt").ingredients
    (Ingredient(name='egg', grams=100), Ingredient(name='rice', grams=300), Ingredient(name='salt', grams=3))
    >>> parse("a dragonfruit").problems
    ('How many grams of dragonfruit are there? What one weighs is not known here.',)
    """
    long = (f"Only the first {MOST_TEXT} characters were read.",) if len(text) > MOST_TEXT else ()
    parts = [part for line in _plain(text[:MOST_TEXT]).splitlines() for part in _SEPARATOR.split(_BULLET.sub("", line))]
    return merge(*(_item(part) for part in parts if not _is_note(part)), Parsed(problems=long))


def parse_line(line: str) -> Parsed:
    """Return the ingredient of a cookbook's line, where commas and brackets set off notes; two for salt and pepper.

    >>> parse_line("1 pound (500g) spaghetti (or similarly shaped pasta), uncooked").ingredients
    (Ingredient(name='spaghetti', grams=500),)
    """
    parts = _COMMA.split(_BULLET.sub("", _plain(line[:MOST_TEXT])))
    first = next((part for part in parts if not _is_note(part)), "")
    first += next((f" {part}" for part in parts if not re.search(r"\d", first) and _is_amount(part)), "")
    both = re.split(r"\s+(?:and|&)\s+(?!\d)", first, flags=re.I)
    alone = len(both) == 2 and not re.search(r"\d", first) and all(food_of(part) for part in both)
    return merge(*(_item(part) for part in (both if alone else [first]) if part.strip()))


def from_rows(rows: Iterable[Sequence[object]]) -> Parsed:
    """Return the ingredients of a table's rows, each a name and grams; without grams the name is read as text."""
    return merge(*(_row(*row[:2]) for row in rows if len(row) > 1 and str(row[0] or "").strip()))


def merge(*parts: Parsed) -> Parsed:
    """Return several parses as one: grams of the same name summed, bounds kept, each problem once."""
    grams: dict[str, int] = {}
    for one in (ingredient for part in parts for ingredient in part.ingredients):
        grams[one.name] = grams.get(one.name, 0) + one.grams
    problems = [problem for part in parts for problem in part.problems]
    problems += [
        f"There can be {MOST_GRAMS} g of {name} at most; that is counted."
        for name, g in grams.items()
        if g > MOST_GRAMS
    ]
    problems += [f"Only the first {MOST_INGREDIENTS} ingredients were taken."] if len(grams) > MOST_INGREDIENTS else []
    taken = [Ingredient(name, min(g, MOST_GRAMS)) for name, g in grams.items()]
    unweighed = [name for part in parts for name in part.unweighed if name not in grams]
    chosen = dict.fromkeys(choice for part in parts for choice in part.chosen)
    once = (tuple(dict.fromkeys(unweighed)), tuple(dict.fromkeys(problems)), tuple(chosen))
    return Parsed(tuple(taken[:MOST_INGREDIENTS]), *once)


def clean_name(text: str) -> str:
    """Return the name of an ingredient, in lower case and singular, without how it is prepared.

    >>> clean_name('2 Large "Free-Range" Eggs <b>, beaten'), clean_name("Piña"), clean_name("тофу!")
    ('free-range egg', 'piña', 'тофу')

    Raises:
        SourceError: nothing is left, what is left is no food's name or too long to be one, or a word has letters of
            several alphabets; the message is a sentence for the visitor.
    """
    if word := mixed(text[:MOST_LINE]):
        raise SourceError(f"'{word[:MOST_CHARACTERS]}' has letters of several alphabets that look alike: type it anew.")
    if len(text) > MOST_LINE:
        raise SourceError(
            f"'{_shown(text[:MOST_CHARACTERS])}…' is too long for one ingredient: give them line by line."
        )
    name, again = "", text
    while again != name:  # a second pass changes what the first one laid bare, such as a plural's plural
        name, again = again, _pass(again)
    if not name or _hostile(name):
        read = _shown(text)[:MOST_CHARACTERS] or "..."
        raise SourceError(f"No food's name was found in '{read}'.")
    if len(name) > MOST_CHARACTERS:
        short = f"shorten it to {MOST_CHARACTERS}, and keep what may be an allergen"
        raise SourceError(f"'{name[:MOST_CHARACTERS]}…' is a name of {len(name)} characters: {short}.")
    return name


def _item(text: str) -> Parsed:
    """Return what one item says."""
    if measure := no_amount(text[:MOST_LINE]):
        return Parsed(
            problems=(f"'{measure}' is no amount of food in '{_shown(text[:MOST_CHARACTERS])}': give grams.",)
        )
    amount, rest = split_amount(text[:MOST_LINE])
    try:
        rest = rest if len(text) <= MOST_LINE else text  # which is refused
        name = clean_name(rest)
        grams = grams_of(amount, name) if amount else None
    except SourceError as refused:
        return Parsed(problems=(str(refused),))
    chosen = _chosen(rest, name)
    if grams is None:
        why = "What one weighs is not known here." if amount else "The list does not say."
        asked = f"How many grams of {name} are there? {why}"
        return Parsed(unweighed=(name,), problems=() if name in PANTRY else (asked,), chosen=chosen)
    return Parsed((Ingredient(name, grams),), problems=_doubts(name, grams), chosen=chosen)


def _row(name: object, grams: object) -> Parsed:
    """Return what one row of a table says."""
    if grams is None or grams == "" or grams != grams:  # a blank cell is a NaN
        return parse(str(name))
    try:
        return _item(f"{float(str(grams))!r} g {clean_name(str(name))}")
    except SourceError as refused:
        return Parsed(problems=(str(refused),))
    except ValueError:
        return Parsed(problems=(f"'{str(grams)[:20]}' is no number of grams.",))


def _doubts(name: str, grams: int) -> tuple[str, ...]:
    """Return the sentence that asks whether the unit is right, where it hardly is."""
    food = food_of(name)
    much = food is not None and food.kind in SEASONING and grams > MUCH_SEASONING_G
    return (f"{grams} g of {name} is more than a kitchen has: is the unit right?",) if much else ()


def _plain(text: str) -> str:
    """Return text in the characters that amounts are read from: fractions as 1/2, dashes as -, links as their words."""
    spelled = "".join(f" {unicodedata.normalize('NFKC', one)}" if _is_fraction(one) else one for one in text)
    spelled = seen(spelled).replace("\u2044", "/")  # of fractions
    spelled = re.sub(r"[^\S\n]+", " ", re.sub(r"\d{10,}", "9" * 10, spelled))  # patterns stay quick on what is hostile
    return _LINK.sub(r"\1", re.sub("[‐-―−]", "-", spelled))  # noqa: RUF001 - every dash there is


def _is_fraction(one: str) -> bool:
    return unicodedata.decomposition(one).startswith("<fraction>")


def _is_note(part: str) -> bool:
    """Return whether a part only says how the food before it is prepared."""
    said = [singular(word) for word in re.findall(r"[^\W\d_]+", part.lower())]
    signs = any(unicodedata.category(one)[0] == "S" for one in part)  # an emoji is no note
    return all(word in _PREPARED for word in said) and not re.search(r"\d", part) and (bool(said) or not signs)


def _is_amount(part: str) -> bool:
    """Return whether a part is an amount alone."""
    amount, rest = split_amount(f"food {part}")
    return amount is not None and rest.strip() == "food"


def _pass(text: str) -> str:
    """Return a name without signs and words of preparation, singular; it never gets longer."""
    return one_name(_either(text), MOST_CHARACTERS)


def _either(text: str) -> list[str]:
    """Return the names that a text leaves open, mostly one."""
    parts = re.split(r"\sor(?=\s)", f" {_shown(_STROKE.sub(OR, text))} ")
    return [name for part in parts if (name := _bare(part))]


def _chosen(text: str, name: str) -> tuple[str, ...]:
    """Return the sentence that says what is taken for several names, where a text leaves them open."""
    either = OR.join(dict.fromkeys(map(_pass, _either(text))))
    return (f"'{either}' is taken as {name}.",) if OR in either and either != name else ()


def _bare(part: str) -> str:
    """Return one name without words of preparation, singular."""
    kept = [word.strip("-'") for word in part.split()]
    return " ".join(
        singular(word) for word in kept if word and singular(word) not in _PREPARED and not word.isdecimal()
    )


def _shown(text: str) -> str:
    """Return text in lower case with a blank for each character that may not stand in a name."""
    plain = _TAG.sub(" ", seen(text[:MOST_TEXT]).lower().replace("’", "'"))
    return " ".join("".join(one if _stays(one) else " " for one in plain).split())


def _stays(one: str) -> bool:
    """Return whether a character may stand in a name: a letter or its mark, a digit, a hyphen, an apostrophe."""
    return one in "-'" or unicodedata.category(one)[0] in "LM" or unicodedata.category(one) == "Nd"


def _hostile(name: str) -> bool:
    """Return whether a name reads like an order to a model, or is too long to be that of a food nobody knows."""
    said = words(name)
    steers = not _STEERING.isdisjoint(said) or any(
        words(one)[:1] and words(one)[0] in _ORDERS for one in name.split(OR)
    )
    return steers or not any(map(str.isalpha, name)) or (len(said) > 4 and not foods_in(name))
