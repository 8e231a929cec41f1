"""The fourteen allergens that the EU has named on food (Regulation 1169/2011, Annex II), and diets, by rule over names.

    "coconut milk", "peanut butter", "rye bread" ──► the longest terms they name ──► none, peanuts, gluten

A rule knows what a name says, no more: traces, recipes of a maker, rennet in a cheese, wine cleared with fish it does
not know. So a name is *known* only where every part of it is; whatever else is said to be unknown, never free of
something. Religious rules depend on how an animal was killed, which no name tells: there is no such diet here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shared.errors import UsageError
from shared.systems.assistant.allergen_terms import (
    DENIED,
    FORMS,
    FREE,
    GELATINS,
    MEATS,
    MIXED,
    NONE,
    PLAIN,
    REPLACED,
    TERMS,
    of_plants,
    spelled,
    untold,
)
from shared.systems.assistant.foods import FOODS, Food, named, words

ALLERGENS = tuple(TERMS)
_LACTOSE_FREE = ("lactose free", "lactosefree")
_FREE = tuple(dict.fromkeys(mark for marks in FREE.values() for mark in marks))
_MEATLESS = ("vegan", "vegetarian", "plant based", "meatless", "meat free", "veggie", "mock")
_OR = re.compile(r"\s+or(?=\s)", re.I)
_BODIES = {"meat", "poultry", "meat stock", "animal fat or gelatin"}  # kinds of FOODS that are of land animals
_SEA = {"fish", "crustaceans", "molluscs"}
_OF_ANIMALS = {"milk", "eggs", "honey"}
DIETS = {  # what each one leaves out: kinds of foods and allergens
    "vegetarian": _BODIES | _SEA,
    "vegan": _BODIES | _SEA | _OF_ANIMALS,
    "pescetarian": _BODIES,
    "gluten-free": {"gluten"},
    "lactose-free": {"lactose"},
}


class Verdict(NamedTuple):
    """What a name says: its allergens, what diets look at beyond them, and whether every part of it is known."""

    allergens: tuple[str, ...]
    kinds: tuple[str, ...]
    known: bool


def allergens_of(name: str) -> Verdict:
    """Return the allergens that a name says, in the order of Annex II, and whether that is all there is to know.

    Of "X or Y" it is what either says.

    >>> allergens_of("coconut milk"), allergens_of("peanut butter").allergens, allergens_of("dragon sauce").known
    (Verdict(allergens=(), kinds=(), known=True), ('peanuts',), False)
    >>> allergens_of("coconut milk or vegan cheese or milk").allergens, allergens_of("goat or oat milk").allergens
    (('milk',), ('gluten', 'milk'))
    """
    parts = [part for part in _OR.split(f" {name} ") if part.strip()]
    if len(parts) < 2:
        return _verdict(name)
    # "goat or oat milk" may be short for goat milk: what either reading holds counts, and one that is known suffices.
    head = (words(parts[-1]) or [""])[-1]
    read = [(_verdict(part), _verdict(f"{part} {head}")) for part in parts[:-1]]
    read += [(_verdict(parts[-1]), _verdict(parts[-1]))]
    held = {allergen for pair in read for one in pair for allergen in one.allergens}
    kinds = {kind for pair in read for one in pair for kind in one.kinds}
    known = all(one.known or longer.known for one, longer in read)
    return Verdict(tuple(one for one in ALLERGENS if one in held), tuple(sorted(kinds)), known)


def conflicts(names: Iterable[str], diet: str = "", avoid: Sequence[str] = ()) -> dict[str, str]:
    """Return the names that a diet or an allergy rules out, each with the reason as a sentence.

    >>> conflicts(["rice", "butter"], "vegan", ["milk"])
    {'butter': 'butter holds milk: to be avoided, not vegan.'}

    Raises:
        UsageError: there is no such diet or allergen; the message names those there are.
    """
    if diet and diet not in DIETS:
        raise UsageError(f"There is no diet '{diet[:40]}'; there are {', '.join(DIETS)}.")
    if strange := [one for one in avoid if one not in ALLERGENS]:
        raise UsageError(f"There is no allergen '{strange[0][:40]}'; there are {', '.join(ALLERGENS)}.")
    return {name: why for name in names if (why := _reason(name, diet, avoid))}


def terms_in(text: str) -> list[str]:
    """Return the terms of a text that mean an allergen, each once: what a step of a recipe may bring in.

    >>> terms_in("Whisk soy sauce into the coconut milk; serve it with toast.")
    ['soy sauce', 'toast']
    """
    return [*dict.fromkeys(term for term, allergens in named(text, _BY_TERM) if allergens)]


def held_in(text: str, term: str) -> tuple[str, ...]:
    """Return the allergens of a term that a text names, less what is said to be taken away wherever it stands.

    >>> held_in("Gluten-free pancakes", "pancake"), held_in("Gluten-free pancakes", "gluten")
    (('eggs', 'milk'), ())
    >>> held_in("Fry it in vegan butter, then add butter", "butter")
    ('milk',)
    """
    # Words are compared one by one, as "vegan butter, then butter" holds milk and "milk-free" does not.
    said, looked_for = words(text.replace("-", " ")), words(term)
    own: set[str] = {*allergens_of(term).allergens}
    held: set[str] = set()
    for at in range(len(said) - len(looked_for) + 1):
        end = at + len(looked_for)
        if said[at:end] == looked_for and said[end : end + 1] != ["free"]:
            before = " ".join(said[max(0, at - 3) : at])
            taken = before.endswith(_FREE)
            held |= own & {*allergens_of(f"{before} {term}").allergens} if taken else own
    return tuple(one for one in ALLERGENS if one in held)


def is_plant_butter(name: str) -> bool:
    """Return whether a name is that of a paste of nuts or seeds, which nobody calls butter alone.

    >>> is_plant_butter("crunchy peanut butter"), is_plant_butter("vegan butter")
    (True, False)
    """
    last = tuple(words(name)[-2:])
    return last[-1:] == ("butter",) and last in of_plants()


def unknown(names: Iterable[str]) -> list[str]:
    """Return the names whose allergens a rule cannot tell: labels have to be read.

    >>> unknown(["rice", "curry paste", "dragonfruit"])
    ['curry paste', 'dragonfruit']
    """
    return [name for name in names if not allergens_of(name).known]


def _verdict(name: str) -> Verdict:
    """Return what a name of one thing says."""
    said = f" {' '.join(words(name.replace('-', ' ')))} "
    found = {allergen for _, allergens in named(name, _BY_TERM) for allergen in allergens}
    gone = {allergen for allergen, marks in FREE.items() if allergen in found and _says(said, marks)}
    kinds = {kind for _, kind in named(name, _ANIMALS) if kind}
    kinds -= _BODIES if _says(said, _MEATLESS) else set()
    kinds |= {"honey"} if " honey " in said else set()
    kinds |= {"lactose"} if "milk" in found - gone and not _says(said, _LACTOSE_FREE) else set()
    known = _is_known(name) and not gone & {*REPLACED}
    return Verdict(tuple(one for one in ALLERGENS if one in found - gone), tuple(sorted(kinds)), known)


def _reason(name: str, diet: str, avoid: Sequence[str]) -> str:
    verdict = allergens_of(name)
    avoided = [one for one in verdict.allergens if one in avoid]
    against = [one for one in (*verdict.allergens, *verdict.kinds) if one in DIETS.get(diet, set())]
    said = [*(["to be avoided"] if avoided else []), *([f"not {diet}"] if against else [])]
    held = ", ".join(dict.fromkeys([*avoided, *against]))
    return f"{name} holds {held}: {', '.join(said)}." if said else ""


def _says(said: str, marks: Iterable[str]) -> bool:
    """Return whether words hold one of the marks, and do not deny it."""
    return any(f" {mark} " in said and not any(f" {no} {mark} " in said for no in DENIED) for mark in marks)


def _is_known(name: str) -> bool:
    """Return whether a name ends with a food or a form of one, and every other word of it is one or brings nothing."""
    parts = [term for term, _ in named(name, _PARTS)]
    said = words(name)
    while len(said) > 1 and said[-1] in FORMS and parts and parts[-1].split()[-1] != said[-1]:
        said.pop()  # a basil leaf is basil
    left = {*said} - {word for part in parts for word in part.split()} - PLAIN - FORMS
    return bool(parts) and parts[-1].split()[-1:] == said[-1:] and not left and not _UNTOLD & {*parts}


def _by_term() -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return allergens by term."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {term: () for term in spelled(NONE)}
    for allergen, line in TERMS.items():
        for term in spelled(line):
            found[term] = (*found.get(term, ()), allergen)
    return found | of_plants()


def _animals() -> dict[tuple[str, ...], str]:
    """Return by term what land animal's part it is, "" for what only sounds like one."""
    found = {term: food.kind if food.kind in _BODIES else "" for term, food in FOODS.items()}
    found |= dict.fromkeys(spelled(NONE), "")
    return found | dict.fromkeys(spelled(MEATS), "meat") | dict.fromkeys(spelled(GELATINS), "animal fat or gelatin")


_BY_TERM, _ANIMALS = _by_term(), _animals()
_PARTS: dict[tuple[str, ...], Food | None] = {**dict.fromkeys((*_BY_TERM, *_ANIMALS, *spelled(MIXED))), **FOODS}
_UNTOLD = untold()
