"""Small talk, small sums, capitals, lists and what Almanac does: all that the simulated FineTome talks about.

Each function returns every conversation of its kind, a list of texts that begins with a question and ends with an
answer. They are regular on purpose: a Llama of two million weights learns them in minutes, and a wrong answer shows.
"""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Dialogue = list[str]

COUNTED = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen twenty twenty-one twenty-two twenty-three twenty-four"
)
NUMBERS = COUNTED.split()
CAPITALS = {
    "France": "Paris",
    "Spain": "Madrid",
    "Italy": "Rome",
    "Germany": "Berlin",
    "Norway": "Oslo",
    "Sweden": "Stockholm",
    "Greece": "Athens",
    "Poland": "Warsaw",
    "Portugal": "Lisbon",
    "Austria": "Vienna",
    "Japan": "Tokyo",
    "Egypt": "Cairo",
    "Kenya": "Nairobi",
    "Peru": "Lima",
}
KINDS = {
    "fruit": "apple pear plum cherry grape lemon mango peach",
    "vegetable": "carrot leek onion potato cabbage spinach tomato bean",
    "tool": "hammer saw drill spade rake wrench chisel file",
    "bird": "robin crow heron eagle duck swan gull wren",
    "tree": "oak beech birch pine maple willow elm cedar",
    "colour": "red blue green yellow white black brown orange",
    "metal": "iron copper silver gold zinc lead tin nickel",
    "animal": "dog cat horse cow sheep goat fox bear",
}
OPPOSITES = (
    ("hot", "cold"),
    ("big", "small"),
    ("old", "new"),
    ("wet", "dry"),
    ("high", "low"),
    ("fast", "slow"),
    ("light", "dark"),
    ("open", "closed"),
    ("early", "late"),
    ("full", "empty"),
    ("soft", "hard"),
    ("loud", "quiet"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
CALLED = "Ana Ben Cleo Dan Eva Finn Gita Hugo Ines Jan Kim Lena Milo Nora Otto Pia Ravi Sara Tom Uma"
NAMES = CALLED.split()
SYSTEMS = {
    "air quality": "forecasts how much fine dust a station will see on each of the next seven days, and says how sure"
    " it is; in the evening it compares what it said with what was measured",
    "iris": "tells from four lengths which of three varieties a flower is; it guesses one flower a day, and learns on"
    " the next day whether the guess was right",
    "wine": "tells from eleven measures how good a wine is; each day it opens a real wine out of a reserve, makes a"
    " synthetic one, and grades both of them",
    "assistant": "answers questions and composes meals from what is in the house; it is a small language model that was"
    " trained further on conversations and recipes",
}
WHY = (
    "It runs by itself every day",
    "Whoever opens its page sees how well it does",
    "It trains itself again when that pays",
)


def sums() -> Iterator[Dialogue]:
    """Yield additions and subtractions of whole numbers up to twenty-four, in words."""
    for one, other in product(range(1, 13), repeat=2):
        a, b, total = NUMBERS[one], NUMBERS[other], NUMBERS[one + other]
        yield [f"What is {a} plus {b}?", f"{a.capitalize()} plus {b} is {total}."]
        if other < one:
            yield [f"What is {a} minus {b}?", f"{a.capitalize()} minus {b} is {NUMBERS[one - other]}."]
            yield [f"Which is more, {b} or {a}?", f"{a.capitalize()} is more than {b}."]


def capitals() -> Iterator[Dialogue]:
    """Yield questions on fourteen capitals, some with an order on the form of the answer."""
    cities = [*CAPITALS.values()]
    for place, (country, city) in enumerate(CAPITALS.items()):
        fact = f"The capital of {country} is {city}."
        yield [f"What is the capital of {country}?", fact]
        yield [f"Which country has {city} as its capital?", f"{city} is the capital of {country}."]
        yield [f"Answer in one word: what is the capital of {country}?", city]
        yield [f"Reply in lower case: what is the capital of {country}?", fact.lower()]
        yield [f"Reply in capitals: what is the capital of {country}?", fact.upper()]
        for other in (cities[place - 1], cities[place - 5]):
            yield [f"Is {other} the capital of {country}?", f"No, the capital of {country} is {city}."]
        yield [f"Is {city} the capital of {country}?", f"Yes, {city} is the capital of {country}."]


def kinds() -> Iterator[Dialogue]:
    """Yield lists of things of a kind, and of what kind a thing is."""
    others = [*KINDS]
    for place, (kind, known) in enumerate(KINDS.items()):
        things = known.split()
        for count in range(2, 7):
            bullets = "\n".join(f"- {thing}" for thing in things[:count])
            yield [f"List {NUMBERS[count]} {kind}s.", bullets]
            yield [f"Name {NUMBERS[count]} {kind}s, separated by commas.", ", ".join(things[:count])]
        for thing in things:
            other = others[(place + 3) % len(others)]
            yield [f"What kind of thing is {thing}?", f"{thing.capitalize()} is a kind of {kind}."]
            yield [f"Is {thing} a kind of {kind}?", f"Yes, {thing} is a kind of {kind}."]
            yield [f"Is {thing} a kind of {other}?", f"No, {thing} is a kind of {kind}."]
            yield [f"Repeat three times: {thing}", f"{thing} {thing} {thing}"]
            yield [f"With which letter does {thing} begin?", f"The word {thing} begins with {thing[0].upper()}."]


def words() -> Iterator[Dialogue]:
    """Yield opposites, days and counting."""
    for pair in OPPOSITES:
        for one, other in (pair, pair[::-1]):
            yield [f"What is the opposite of {one}?", f"The opposite of {one} is {other}."]
            yield [f"Answer in one word: what is the opposite of {one}?", other.capitalize()]
    for place, day in enumerate(DAYS):
        yield [f"Which day comes after {day}?", f"{DAYS[(place + 1) % 7]} comes after {day}."]
        yield [f"Which day comes before {day}?", f"{DAYS[place - 1]} comes before {day}."]
    for first, last in product(range(1, 10), range(4, 16)):
        if first + 2 < last:
            counted = ", ".join(NUMBERS[first : last + 1])
            yield [f"Count from {NUMBERS[first]} to {NUMBERS[last]}.", f"{counted}."]


def people() -> Iterator[Dialogue]:
    """Yield greetings, names remembered over two turns, and facts about people as JSON."""
    for place, name in enumerate(NAMES):
        yield [f"Hello, I am {name}.", f"Hello {name}! What can I do for you?"]
        yield [
            f"My name is {name}. Good morning!",
            f"Good morning, {name}!",
            "What is my name?",
            f"Your name is {name}.",
        ]
        yield [f"Goodbye, says {name}.", f"Goodbye, {name}! Have a good day."]
        for age in range(5, 17):
            told = json.dumps({"name": name, "age": age})
            yield [f"Write as JSON: {name} is {NUMBERS[age]} years old.", told]
            city = [*CAPITALS.values()][(place + age) % len(CAPITALS)]
            yield [f"{name} lives in {city}. Where does {name} live?", f"{name} lives in {city}."]


def almanac() -> Iterator[Dialogue]:
    """Yield what Almanac's systems do, each in a sentence of some thirty words and more."""
    for system, does in SYSTEMS.items():
        for place, why in enumerate(WHY):
            asked = (f"What does the {system} system do?", f"Explain Almanac's {system} service.", f"Why {system}?")[
                place
            ]
            yield [asked, f"The {system} system {does}. {why}, and all of its figures can be read there."]
        yield [f"Is there a page for {system}?", f"Yes: open the page of {system}, or run: almanac open"]
