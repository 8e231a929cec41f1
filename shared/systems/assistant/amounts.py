"""Amounts as people write them, in grams: numbers, fractions and ranges with US, metric and kitchen units.

    "1 (12 ounce) can pineapple juice" ──► amount: 1 × 12 oz, rest: pineapple juice ──► 340 g

A stated weight is taken before a volume, a volume before a count. Of a range the lower end counts. A length, an area,
an energy or a rate is no amount of food.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from shared.errors import SourceError
from shared.systems.assistant.foods import LOOSE, food_of, foods_in, singular
from shared.systems.assistant.units import CLOSED, FILLED, GRAMS, ML, MOST_GRAMS, PIECES, PIECES_OF, SPELLED, US

_ONE = (
    r"\d{1,4}\s+\d{1,3}/\d{1,3}|\d{1,3}\s?/\s?\d{1,3}|(?<![\w)])-?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?|\d+(?:[.,]\d+)?"
    r"|\b(?:nan|inf(?:inity)?)\b"
)
_SIZED = (
    "small|large|medium|big|heap(?:ing|ed)|level|scant|generous|good|fresh|full|packed|rounded|thick|thin|thinly|cut"
    r"|lge?\.?|med\.?|sm\.?"
)
_QUANTITY = re.compile(
    rf"(?P<number>{_ONE})(?:\s*(?:-|–|to|or)\s*(?:{_ONE}))?(?:[\s-]*(?:(?:{_SIZED})\s+){{0,2}}(?P<unit>fl\.?\s?oz|fluid\s+ounces?|[^\W\d_]+)\b\.?)?",
    re.I,
)
_SPELLED_FIRST = re.compile(rf"^\W*(?:about\s+)?((?:(?:{'|'.join(SPELLED)})\s+)+)(?:of\s+)?", re.I)
_REWRITTEN = (  # so that one rule reads them all
    (re.compile(r"\d+\s?%|\([^()]*\bper\b[^()]*\)|\d[\d.,/]*[\s-]?(?:cm|mm|inch(?:es)?)\b|\d[\d.,/]*\""), " "),
    (re.compile(r"(\d)(?:\s+and\s+|\s*&\s*)(?=\d+/\d)", re.I), r"\1 "),
    # 1-1/2 is no range, as its end would lie below its beginning; and nobody weighs a thousandth of a gram.
    (re.compile(r"(?<![\d/.,])([1-9]\d?)\s?-\s?(?=([1-9])/(?!\2)[2-9]\b)"), r"\1 "),
    (re.compile(r"(?<![\d.,])([1-9]\d{0,2})\.(\d{3})(?=\s?(?:g|gr|grams?|ml)\b)", re.I), r"\1\2"),
    (re.compile(r"\(?(?:\bno\b\.?|#)\s?\d{1,3}(?:\s\d/\d)?\)?(?=\s(?:size\s)?(?:can|tin|jar)s?\b)", re.I), " "),
    (re.compile(r"(\d)\s?(?:c\.|c|cuill[eè]res?)\s?à\s?(?:soupe|s\b\.?)", re.I), r"\1 tbsp"),
    (re.compile(r"(\d)\s?(?:c\.|c|cuill[eè]res?)\s?à\s?(?:café|thé|c\b\.?)", re.I), r"\1 tsp"),
    (re.compile(r"(\d{1,2})\s*[x×]\s*(\d[\d.,]{0,8}\s?[a-z]{1,9})", re.I), r"\1 (\2)"),
    (re.compile(r"^(\W*)(juice|zest)\s+(?:of|from)\s+(.*)$", re.I), r"\1\3 \2"),
)
_NO_AMOUNT = re.compile(
    r"\d\s*(?P<measure>(?:(?:square|cubic)\s+)?(?:(?-i:m|ft)[23]?|k[mj]|met(?:er|re)s?|kilomet(?:er|re)s?|foot|feet|yards?"
    r"|miles?|acres?|hectares?|k?cal|(?:kilo)?(?:calorie|joule)s?|watts?|volts?)\b"
    r"|(?P<unit>[^\W\d_]+)(?:\s*/|\s+per\s+)\s*(?P<each>[^\W\d_]\w*))"
    r"|\b(?P<share>per\s+(?:person|guest|head|serving|portion))\b",
    re.I,
)
_INSTEAD = re.compile(r"\(\s*or\s+([^()\d]{1,200})\)", re.I)  # what may be in its place stays, with its allergens
_OTHER = re.compile(r"\s(?:or\s|[|/]\s)", re.I)
_CONTAINS = re.compile(r"\((?:may\s+)?contain(?:s|ing)?\s+([^()]{1,200})\)", re.I)  # allergens, which stay in the name
_POUNDS = re.compile(
    r"(?<![\d/.,])(\d{1,2})\s?(?:lbs?\b\.?|pounds?\b),?\s*(?:and\s+)?(\d{1,2})\s?(?:oz\b\.?|ounces?\b)", re.I
)
_PLUS = re.compile(rf"({_ONE})\s?([^\W\d_]+)\b\.?\s+(?:plus|\+)\s+({_ONE})\s?([^\W\d_]+)\b\.?", re.I)
_ALSO = {  # what people write for a unit's singular
    **{"floz": "fl oz", "lbs": "lb", "ozs": "oz", "handfull": "handful", "teapsoon": "teaspoon", "pcs": "piece"},
    **{"pkg": "package", "pkge": "package", "pkt": "packet", "env": "envelope", "ctn": "carton"},
}
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
    (Amount(grams=110.0, ml=118.3, pieces=None, piece=''), 'olive oil')
    >>> split_amount("2 eggs or 50 g tofu")
    (Amount(grams=None, ml=None, pieces=2.0, piece=''), 'eggs or  tofu')
    """
    text = _INSTEAD.sub(r" or \1 ", text)
    text = _CONTAINS.sub(lambda found: re.sub(r",|\band\b|^", " plus ", found[1]), text)
    text = _POUNDS.sub(lambda found: f"{16 * int(found[1]) + int(found[2])} oz", text)
    for written, simpler in _REWRITTEN:
        text = written.sub(simpler, text)
    text = _PLUS.sub(_summed, _in_digits(text))
    found = [_quantity(one, text) for one in _QUANTITY.finditer(text)]
    rest, found = _without(text, found), _of_first(found, text)
    if found and found[0].unit in PIECES and not re.search(r"[^\W\d_]", rest):  # "4 cloves": the unit is the food
        found, rest = [found[0]._replace(unit="")], found[0].unit
    return _last_piece(_amount(found), rest)


def no_amount(text: str) -> str:
    """Return the measure of an item that is none of food, "" where there is none: a length, an area, an energy, a rate.

    >>> no_amount("5 metres carrot"), no_amount("4 kg/m2 potato"), no_amount("2 cups/500 ml milk (3 m of it)")
    ('metres', 'kg/m2', '')
    """
    told = _NO_AMOUNT.finditer(re.sub(r"\([^()]*\)?", " ", text))
    none = (one for one in told if not one["unit"] or _is_rate(one["unit"], one["each"]))
    return next((one["share"] or one["measure"] for one in none), "")


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


def _is_rate(unit: str, each: str) -> bool:
    """Return whether what stands behind a stroke or "per" divides a unit; a can/jar of food is either of them."""
    return _unit(unit) != "" and (_unit(unit) in GRAMS or _unit(each) in GRAMS or not _unit(each))


def _last_piece(amount: Amount | None, rest: str) -> tuple[Amount | None, str]:
    """Return an amount whose piece stands after its name, as 2 celery ribs; but 2 chicken breasts are a food."""
    first, _, last = rest.strip().rpartition(" ")
    food, piece = food_of(rest), singular(last.lower())
    if not amount or not amount.pieces or amount.piece or piece not in PIECES or not food or food.name.endswith(piece):
        return amount, rest
    return amount._replace(piece=piece), first


def _estimate(amount: Amount, name: str) -> float | None:
    """Return grams of a volume, or of pieces; of "X or Y" those of the first."""
    food = food_of(name.partition(" or ")[0])
    if amount.ml is not None:
        return amount.ml * (food.per_ml_g if food else LOOSE)
    piece = food.piece_g if food else 0
    if amount.piece:
        piece = PIECES_OF.get((amount.piece, food.name.split()[-1]), 0) if food else 0
        piece = piece or PIECES[amount.piece]
    return (amount.pieces or 0) * piece if piece else None


def _amount(found: list[_Quantity]) -> Amount | None:
    """Return the amount that quantities say together: a weight, a volume, a count; None where there is none."""
    weights = sorted((one for one in found if one.unit in GRAMS), key=lambda one: one.unit in US)
    weight = next(iter(weights), None)
    volume = next((one for one in found if one.unit in ML), None)
    count = next((one for one in found if one.unit not in {*GRAMS, *ML}), None)
    each = count.number if weight and count and weight.bracketed and _of_each(count, weight) else 1
    if count and not weight and not volume:
        return None if count.unit in CLOSED else Amount(pieces=count.number, piece=count.unit)
    grams = weight.number * GRAMS[weight.unit] * each if weight else None
    ml = volume.number * ML[volume.unit] if volume else None
    return Amount(grams, ml) if found else None


def _of_first(found: list[_Quantity], text: str) -> list[_Quantity]:
    """Return the quantities of the first of several foods, as 2 eggs or 50 g tofu; of 600 g or 5 cups flour, all."""
    for other in _OTHER.finditer(text):
        before = [one for one in found if one.end <= other.start()]
        if before and foods_in(_without(text[: other.start()], before)):
            return before
    return found


def _of_each(count: _Quantity, weight: _Quantity) -> bool:
    """Return whether a weight in brackets is that of each: of a can, or right after a bare number."""
    return not count.bracketed and count.end <= weight.start and (count.unit in FILLED or weight.start - count.end <= 2)


def _quantity(found: re.Match[str], text: str) -> _Quantity:
    """Return a number with its unit; a word that is no unit stays in the text."""
    unit = _unit(found["unit"] or "")
    before = text[: found.start()]
    end = found.end() if unit or not found["unit"] else found.start("unit")
    return _Quantity(_value(found["number"]), unit, found.start(), end, before.count("(") > before.count(")"))


def _summed(found: re.Match[str]) -> str:
    """Return 1 cup plus 2 tablespoons as millilitres, a weight and another as grams; what else there is as it was."""
    first, second = _unit(found[2]), _unit(found[4])
    for units, sign in ((ML, "ml"), (GRAMS, "g")):
        if first in units and second in units:
            return f"{_value(found[1]) * units[first] + _value(found[3]) * units[second]:.1f} {sign}"
    return found[0]


def _unit(word: str) -> str:
    """Return the unit that a word is, "" where it is none.

    >>> _unit("Tablespoons"), _unit("T"), _unit("t"), _unit("eggs")
    ('tablespoon', 'tbsp', 'tsp', '')
    """
    if word in _SHORT:
        return _SHORT[word]
    unit = singular(re.sub(r"[\s.]+", " ", word.lower()))
    unit = _ALSO.get(unit, unit)
    return unit if unit in GRAMS or unit in ML or unit in PIECES or unit in CLOSED else ""


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
        text = f"{math.prod(SPELLED[word] for word in first[1].lower().split()):g} {text[first.end() :]}"
    return re.sub(r"(\d{1,3})\s+doz(?:en\b|\b\.?)", lambda dozens: str(12 * int(dozens[1])), text, flags=re.I)


def _without(text: str, found: list[_Quantity]) -> str:
    """Return text without its quantities and brackets."""
    for one in reversed(found):
        if not one.bracketed:
            text = f"{text[: one.start]} {text[one.end :]}"
    plain = re.sub(r"\([^()]*\)?|\[[^\]]*\]?", " ", text)
    units_gone = re.sub(r"(\s[|/])\s*([^\W\d_]+)\b", lambda one: one[1] if _unit(one[2]) else one[0], plain)
    return re.sub(r"^\W*(?:or|to)\s", " ", re.sub(r"\s[|/]\s*", " or ", units_gone.strip(" |/")))
