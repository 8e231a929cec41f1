"""Amounts as people write them, in grams: numbers, fractions and ranges with US, metric and kitchen units.

    "1 (12 ounce) can pineapple juice" ──► amount: 1 × 12 oz, rest: pineapple juice ──► 340 g

A stated weight is taken before a volume, a volume before a count. Of a range the lower end counts.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from shared.errors import SourceError
from shared.systems.assistant.foods import LOOSE, food_of, singular

MOST_GRAMS = 10_000  # of one ingredient
_GRAMS = {  # of a unit of weight; https://www.nist.gov/pml/special-publication-811, appendix B
    **{"g": 1, "gr": 1, "gram": 1, "gramme": 1, "mg": 0.001, "kg": 1000, "kilo": 1000, "kilogram": 1000, "dag": 10},
    **{"oz": 28.35, "ounce": 28.35, "lb": 453.6, "pound": 453.6},
}
_US = {"oz", "ounce", "lb", "pound"}  # where grams stand beside them, those are what was weighed
_ML = {  # of a unit of volume, US customary; a glass and smaller ones are common sizes
    **{
        "ml": 1,
        "milliliter": 1,
        "millilitre": 1,
        "cl": 10,
        "dl": 100,
        "l": 1000,
        "liter": 1000,
        "litre": 1000,
        "cc": 1,
    },
    **{"tsp": 4.93, "teaspoon": 4.93, "tbsp": 14.79, "tbs": 14.79, "tbl": 14.79, "tablespoon": 14.79, "cup": 236.6},
    **{"pint": 473.2, "pt": 473.2, "quart": 946.4, "qt": 946.4, "gallon": 3785, "gal": 3785, "glass": 200, "mug": 250},
    **{"pinch": 0.4, "dash": 0.6, "drop": 0.05, "splash": 5, "spoon": 14.79, "spoonful": 14.79, "fl oz": 29.57},
    **{"fluid ounce": 29.57, "smidgen": 0.2, "ladle": 120, "shot": 44},
}
_PIECES = {  # grams of a kitchen's pieces, whatever lies in them: estimates of common sizes
    **{
        "bunch": 60,
        "sprig": 1,
        "handful": 30,
        "knob": 15,
        "stalk": 40,
        "rib": 40,
        "leaf": 0.5,
        "slice": 25,
        "thread": 0.01,
    },
    **{
        "strand": 0.01,
        "can": 400,
        "tin": 400,
        "jar": 350,
        "head": 500,
        "cube": 10,
        "sheet": 20,
        "fillet": 150,
        "filet": 150,
    },
    **{"stick": 113, "strip": 15, "rasher": 28, "wedge": 10, "bulb": 40, "breast": 175, "scoop": 60, "bottle": 700},
    **{"clove": 3, "ear": 100, "dollop": 15},
}
_OF = {  # where a piece of something weighs another thing; the same sources as those of foods
    **{("head", "garlic"): 40, ("bulb", "fennel"): 234, ("stick", "cinnamon"): 3, ("stick", "celery"): 40},
    **{
        ("slice", "bread"): 29,
        ("slice", "bacon"): 28,
        ("strip", "bacon"): 28,
        ("leaf", "bay"): 0.2,
        ("clove", "clove"): 0.2,
    },
    **{
        ("slice", "lemon"): 7,
        ("stick", "carrot"): 10,
        ("slice", "toast"): 29,
        ("slice", "ham"): 28,
        ("slice", "cheese"): 21,
    },
}
_CLOSED = (
    "pack",
    "package",
    "packet",
    "envelope",
    "bag",
    "box",
    "carton",
    "tub",
    "container",
    "sachet",
    "pouch",
    "block",
)
_FILLED = {*_CLOSED, "can", "tin", "jar", "bottle", "piece"}  # a weight in brackets beside one is that of each
_SPELLED = {
    **{"half": 0.5, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9},
    **{"ten": 10, "twelve": 12, "dozen": 12, "couple": 2, "few": 3, "a": 1, "an": 1, "quarter": 0.25},
}
_ONE = r"\d{1,4}\s+\d{1,3}/\d{1,3}|\d{1,3}\s?/\s?\d{1,3}|(?<![\w)])-?\d+(?:[.,]\d+)*(?:e\+?\d+)?|\d+(?:[.,]\d+)?|\b(?:nan|inf(?:inity)?)\b"
_SIZED = (
    "small|large|medium|big|heap(?:ing|ed)|level|scant|generous|good|fresh|full|packed|rounded|thick|thin|thinly|cut"
)
_QUANTITY = re.compile(
    rf"(?P<number>{_ONE})(?:\s*(?:-|–|to|or)\s*(?:{_ONE}))?(?:[\s-]*(?:(?:{_SIZED})\s+){{0,2}}(?P<unit>fl\.?\s?oz|fluid\s+ounces?|[^\W\d_]+)\b\.?)?",
    re.I,
)
_SPELLED_FIRST = re.compile(rf"^\W*(?:about\s+)?((?:(?:{'|'.join(_SPELLED)})\s+)+)(?:of\s+)?", re.I)
_REWRITTEN = (  # so that one rule reads them all
    (re.compile(r"\d+\s?%|\([^()]*\bper\b[^()]*\)|\d[\d.,/]*[\s-]?(?:cm|mm|inch(?:es)?)\b|\d[\d.,/]*\""), " "),
    (re.compile(r"(\d)\s+and\s+(?=\d+/\d)", re.I), r"\1 "),
    (re.compile(r"(\d{1,2})\s*[x×]\s*(\d[\d.,]{0,8}\s?[a-z]{1,9})", re.I), r"\1 (\2)"),
    (re.compile(r"^(\W*)(juice|zest)\s+(?:of|from)\s+(.*)$", re.I), r"\1\3 \2"),
)
_SHORT = {
    "t": "tsp",
    "T": "tbsp",
    "c": "cup",
    "C": "cup",
    "Tb": "tbsp",
    "Ts": "tsp",
    "TS": "tbsp",
    "TB": "tbsp",
    "gm": "g",
    "gms": "g",
}


class Amount(NamedTuple):
    """How much: grams where they are stated, else millilitres, else pieces of a kind ("" for whole ones)."""

    grams: float | None = None
    ml: float | None = None
    pieces: float | None = None
    piece: str = ""


class _Quantity(NamedTuple):
    number: float
    unit: str  # singular, "" where the word after the number is none
    start: int
    end: int
    bracketed: bool


def split_amount(text: str) -> tuple[Amount | None, str]:
    """Return how much an item says there is, None where it says nothing, and the rest: the name, without brackets.

    >>> split_amount("1/2 cup (110g) olive oil")
    (Amount(grams=110.0, ml=118.3, pieces=None, piece=''), '  olive oil')
    """
    for written, simpler in _REWRITTEN:
        text = written.sub(simpler, text)
    text = _in_digits(text)
    found = [_quantity(one, text) for one in _QUANTITY.finditer(text)]
    rest = _without(text, found)
    if not re.search(r"[^\W\d_]", rest) and found:  # "4 cloves": what looked like the unit is the food
        found = [one._replace(unit="") if one.unit in _PIECES else one for one in found]
        rest = " ".join(re.findall(r"[^\W\d_]+", text))
    return _last_piece(_amount(found), rest)


def grams_of(amount: Amount, name: str) -> int | None:
    """Return an amount of a food in whole grams, None where its weight is not known; what is estimated is 1 g or more.

    >>> grams_of(Amount(ml=236.6), "rice"), grams_of(Amount(pieces=2), "egg"), grams_of(Amount(pieces=1), "dragonfruit")
    (185, 100, None)

    Raises:
        SourceError: it is not between 1 and ``MOST_GRAMS``; the message is a sentence for the visitor.
    """
    estimated = amount.grams is None
    grams = amount.grams if amount.grams is not None else _estimate(amount, name)
    if grams is None:
        return None
    if not (0 < grams < MOST_GRAMS + 0.5) or (grams < 0.5 and not estimated):
        raise SourceError(f"{grams:g} g of {name}: an amount lies between 1 and {MOST_GRAMS} g.")
    return max(1, round(grams))


def _last_piece(amount: Amount | None, rest: str) -> tuple[Amount | None, str]:
    """Return an amount whose piece stands after the name with it: 2 celery ribs, 3 sprigs; but not 2 chicken breasts."""
    first, _, last = rest.strip().rpartition(" ")
    food, piece = food_of(rest), singular(last.lower())
    if not amount or not amount.pieces or amount.piece or piece not in _PIECES or not food or food.name.endswith(piece):
        return amount, rest
    return amount._replace(piece=piece), first


def _estimate(amount: Amount, name: str) -> float | None:
    """Return grams of a volume, or of pieces."""
    food = food_of(name)
    if amount.ml is not None:
        return amount.ml * (food.per_ml_g if food else LOOSE)
    piece = food.piece_g if food else 0
    if amount.piece:
        piece = _OF.get((amount.piece, food.name.split()[-1]), 0) if food else 0
        piece = piece or _PIECES[amount.piece]
    return (amount.pieces or 0) * piece if piece else None


def _amount(found: list[_Quantity]) -> Amount | None:
    """Return the amount that quantities say together: a weight, a volume, a count; None where there is none."""
    weights = sorted((one for one in found if one.unit in _GRAMS), key=lambda one: one.unit in _US)
    weight = next(iter(weights), None)
    volume = next((one for one in found if one.unit in _ML), None)
    count = next((one for one in found if one.unit not in {*_GRAMS, *_ML}), None)
    each = count.number if weight and count and weight.bracketed and _of_each(count, weight) else 1
    if count and not weight and not volume:
        return None if count.unit in _CLOSED else Amount(pieces=count.number, piece=count.unit)
    grams = weight.number * _GRAMS[weight.unit] * each if weight else None
    ml = volume.number * _ML[volume.unit] if volume else None
    return Amount(grams, ml) if found else None


def _of_each(count: _Quantity, weight: _Quantity) -> bool:
    """Return whether a weight in brackets is that of each: of a can, or right after a bare number."""
    return (
        not count.bracketed and count.end <= weight.start and (count.unit in _FILLED or weight.start - count.end <= 2)
    )


def _quantity(found: re.Match[str], text: str) -> _Quantity:
    """Return a number with its unit; a word that is no unit stays in the text."""
    unit = _unit(found["unit"] or "")
    before = text[: found.start()]
    end = found.end() if unit or not found["unit"] else found.start("unit")
    return _Quantity(_value(found["number"]), unit, found.start(), end, before.count("(") > before.count(")"))


def _unit(word: str) -> str:
    """Return the unit that a word is, "" where it is none.

    >>> _unit("Tablespoons"), _unit("T"), _unit("t"), _unit("eggs")
    ('tablespoon', 'tbsp', 'tsp', '')
    """
    if word in _SHORT:
        return _SHORT[word]
    unit = singular(re.sub(r"[\s.]+", " ", word.lower()))
    unit = {
        "floz": "fl oz",
        "lbs": "lb",
        "ozs": "oz",
        "handfull": "handful",
        "teapsoon": "teaspoon",
        "pcs": "piece",
    }.get(unit, unit)
    return unit if unit in _GRAMS or unit in _ML or unit in _PIECES or unit in _CLOSED else ""


def _value(text: str) -> float:
    """Return a number as written, NaN where it is none.

    >>> _value("1 1/2"), _value("1,5"), _value("1,000"), _value("1/0")
    (1.5, 1.5, 1000.0, nan)
    """
    whole, _, fraction = (
        text.strip().rpartition(" ") if "/" in text and re.search(r"\d\s+\d", text) else ("0", "", text)
    )
    if "/" in fraction:
        top, under = (float(part) for part in fraction.split("/"))
        return float(whole) + top / under if under else math.nan
    try:
        return float(text.replace(",", "") if re.fullmatch(r"-?\d{1,3}(,\d{3})+", text) else text.replace(",", "."))
    except ValueError:
        return math.nan


def _in_digits(text: str) -> str:
    """Return text with the number words it begins with as a number.

    >>> _in_digits("half a dozen eggs"), _in_digits("a bunch of parsley"), _in_digits("a few saffron threads")
    ('6 eggs', '1 bunch of parsley', '3 saffron threads')
    """
    first = _SPELLED_FIRST.match(text)
    if first:
        text = f"{math.prod(_SPELLED[word] for word in first[1].lower().split()):g} {text[first.end() :]}"
    return re.sub(r"(\d{1,3})\s+dozen\b", lambda dozens: str(12 * int(dozens[1])), text, flags=re.I)


def _without(text: str, found: list[_Quantity]) -> str:
    """Return text without its quantities and brackets."""
    for one in reversed(found):
        if not one.bracketed:
            text = f"{text[: one.start]} {text[one.end :]}"
    plain = re.sub(r"\([^()]*\)?|\[[^\]]*\]?", " ", text)
    return re.sub(r"^\W*(?:or|to)\s", " ", re.split(r"\s[|/]\s*", plain.lstrip(" |/"))[0])
