"""The fourteen allergens that the EU has named on food (Regulation 1169/2011, Annex II), and diets, by rule over names.

    "coconut milk", "peanut butter", "rye bread" ──► the longest terms they name ──► none, peanuts, gluten

A rule knows what a name says, no more: traces, recipes of a maker, rennet in a cheese, wine cleared with fish it does
not know. So a name is *known* only where every part of it is; whatever else is said to be unknown, never free of
something. Religious rules depend on how an animal was killed, which no name tells: there is no such diet here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from shared.errors import UsageError
from shared.systems.assistant.foods import FOODS, Food, named, word_set, words

# A line an allergen: terms whose presence means it; a term in "_" is several words. Longer terms win over shorter ones.
_TERMS = {
    "gluten": "wheat rye barley oat oatmeal spelt kamut farro einkorn emmer freekeh triticale malt semolina bulgur"
    " couscous seitan gluten flour bread_flour wheat_flour breadcrumb bread_crumb bread panko toast baguette"
    " ciabatta tortilla pita bun bagel naan croissant roll cracker biscuit cookie muffin cake pastry pie_crust"
    " dough pizza pasta spaghetti macaroni noodle penne fusilli linguine fettuccine tagliatelle rigatoni vermicelli"
    " lasagna lasagne gnocchi ravioli tortellini orzo ramen udon angel_hair farfalle ziti beer ale stout crouton"
    " ladyfinger phyllo filo wonton_wrapper dumpling muesli granola cereal roux gravy soy_sauce teriyaki hoisin"
    " hoisin_sauce oyster_sauce worcestershire_sauce oat_milk oat_cream rolled_oat english_muffin matzo wafer"
    " brownie waffle pancake lasagna_sheet lasagne_sheet egg_noodle soba doughnut donut pie burger"
    " vital_wheat_gluten wheat_germ rye_flour whole_wheat_flour",
    "crustaceans": "shrimp prawn crab lobster crayfish scampi langoustine krill crawfish shrimp_paste",
    "eggs": "egg egg_white egg_yolk yolk mayonnaise mayo meringue aioli hollandaise custard egg_noodle ladyfinger"
    " omelette omelet albumen eggnog quail_egg duck_egg brioche caesar_dressing tartar_sauce pancake waffle",
    "fish": "fish salmon tuna cod haddock trout herring mackerel sardine halibut anchovy tilapia sea_bass bass"
    " pollock plaice sole carp monkfish catfish smoked_salmon surimi roe caviar swordfish snapper trevally"
    " anglerfish eel fish_sauce worcestershire_sauce caesar_dressing bonito dashi katsuobushi fish_stock fish_broth"
    " fish_fillet whitebait perch pike",
    "peanuts": "peanut peanut_butter peanut_oil groundnut satay peanut_sauce",
    "soybeans": "soy soya soybean soy_sauce tamari tofu tempeh edamame miso soy_milk soy_chunk teriyaki hoisin"
    " hoisin_sauce oyster_sauce natto soy_lecithin gochujang ponzu soy_bean",
    "milk": "milk cream butter yogurt yoghurt buttermilk sour_cream creme_fraiche ghee quark skyr kefir"
    " whipping_cream condensed_milk milk_powder mascarpone half_and_half custard whey casein ice_cream cheese"
    " parmesan parmigiano mozzarella cheddar feta gouda gruyere emmental ricotta brie camembert halloumi paneer"
    " pecorino cream_cheese cottage_cheese goat_cheese blue_cheese provolone monterey_jack swiss_cheese roquefort"
    " gorgonzola manchego edam bechamel pesto nutella milk_chocolate white_chocolate dulce_de_leche caramel lactose"
    " pudding milkshake croissant brioche appenzeller curd labneh goat_milk sheep_milk cheesecake alfredo latte"
    " toffee pancake waffle",
    "nuts": "nut almond walnut hazelnut pecan cashew pistachio macadamia brazil_nut marzipan praline nougat"
    " almond_butter almond_milk almond_flour almond_meal amaretto frangipane nutella gianduja pesto cashew_butter"
    " cashew_cream hazelnut_spread",
    "celery": "celery celeriac celery_salt celery_seed celery_stalk",
    "mustard": "mustard mustard_seed mustard_powder dijon mayonnaise mayo",
    "sesame": "sesame sesame_seed sesame_oil tahini hummus halva gomasio za'atar",
    "sulphites": "wine white_wine red_wine port sherry marsala vermouth wine_vinegar dried_apricot cider mirin"
    " sulphite sulfite white_wine_vinegar red_wine_vinegar balsamic_vinegar balsamic cooking_wine champagne"
    " prosecco",
    "lupin": "lupin lupine lupin_flour",
    "molluscs": "clam mussel oyster scallop squid octopus calamari cockle snail cuttlefish oyster_sauce whelk abalone",
}
ALLERGENS = tuple(_TERMS)
_NONE = (  # what only sounds like one of them
    "butter_bean butter_lettuce cream_of_tartar rice_noodle glass_noodle rice_vermicelli rice_paper"
    " rice_flour corn_flour chickpea_flour coconut_flour potato_flour tapioca_flour buckwheat_flour"
    " millet_flour sorghum_flour quinoa_flour corn_tortilla rice_cake oyster_mushroom ginger_ale root_beer"
    " ginger_beer milk_thistle crab_apple pine_nut konjac_noodle mung_bean_noodle ginger_nut"
    " lobster_mushroom"
)
_FREE = {  # what a name may say besides, and what that takes away
    "gluten": ("gluten free", "glutenfree"),
    "milk": ("dairy free", "milk free", "non dairy", "vegan", "plant based"),
    "eggs": ("egg free", "vegan", "plant based", "eggless"),
    "fish": ("vegan", "vegetarian", "plant based"),
    "nuts": ("nut free",),
    "soybeans": ("soy free",),
}
_PLANTS = {
    "soy": "soybeans",
    "oat": "gluten",
    "almond": "nuts",
    "cashew": "nuts",
    "hazelnut": "nuts",
    "peanut": "peanuts",
}
_PLANTS |= dict.fromkeys(("coconut", "rice", "hemp", "pea", "plant", "sunflower", "cocoa", "shea", "apple"), "")
_LIKE_MILK = ("milk", "cream", "yogurt", "yoghurt", "cheese", "butter")  # of a plant: coconut milk, peanut butter
_MIXED = (  # made of several things that the name does not tell
    "sauce dressing seasoning spice_mix masala curry_paste curry_powder broth stock bouillon stock_cube"
    " bouillon_cube sausage chorizo hot_dog meatball salami pepperoni hamburger stuffing mix soup granola"
    " cereal candy sprinkle chocolate chocolate_chip margarine vegetable_broth vegetable_stock"
    " vegetable_bouillon chicken_broth chicken_stock beef_broth beef_stock bone_broth chicken_bouillon"
    " beef_bouillon ketchup bbq_sauce barbecue_sauce salsa relish chutney marinara tomato_sauce"
    " enchilada_sauce hot_sauce taco_seasoning italian_seasoning adobo sazon garam_masala harissa gochujang"
    " salad_dressing ice_cream kimchi wasabi nutritional_yeast food_coloring liqueur falafel patty nugget"
    " spread topping filling crust extract puree paste salad sweetener baking_powder ham corned_beef surimi"
    " bread bun toast baguette bagel naan brioche roll cake cookie muffin pastry pie_crust dough pizza"
    " biscuit cracker brownie croissant waffle pancake dumpling pudding pie burger noodle pasta fettuccine"
    " tagliatelle ravioli tortellini gnocchi lasagna lasagne ramen miso doughnut donut wafer marzipan"
    " nougat praline teriyaki pesto caramel candy muesli tortilla pita rice_cracker panko"
)
_FORMS = word_set(  # words after a food for a part or a form of it
    "leaf seed belly shoulder loin leg mince powder stick weed juice oil zest peel root stalk rib roast"
    " fillet chop pod flake kernel head clove essence bone cube piece slice half sprig bunch floret heart"
    " neck shank cutlet skin"
)
_LACTOSE_FREE = ("lactose free", "lactosefree")
_MEATLESS = ("vegan", "vegetarian", "plant based", "meatless", "meat free", "veggie", "mock")
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

    >>> allergens_of("coconut milk"), allergens_of("peanut butter").allergens, allergens_of("dragon sauce").known
    (Verdict(allergens=(), kinds=(), known=True), ('peanuts',), False)
    """
    said = f" {' '.join(words(name.replace('-', ' ')))} "
    found = {allergen for _, allergens in named(name, _BY_TERM) for allergen in allergens}
    found -= {allergen for allergen, marks in _FREE.items() if any(f" {mark} " in said for mark in marks)}
    kinds = {food.kind for _, food in named(name, FOODS) if food.kind in _BODIES}
    kinds -= _BODIES if any(f" {mark} " in said for mark in _MEATLESS) else set()
    kinds |= {"honey"} if " honey " in said else set()
    kinds |= {"lactose"} if "milk" in found and not any(f" {mark} " in said for mark in _LACTOSE_FREE) else set()
    return Verdict(tuple(one for one in ALLERGENS if one in found), tuple(sorted(kinds)), _is_known(name))


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


def unknown(names: Iterable[str]) -> list[str]:
    """Return the names whose allergens a rule cannot tell: labels have to be read.

    >>> unknown(["rice", "curry paste", "dragonfruit"])
    ['curry paste', 'dragonfruit']
    """
    return [name for name in names if not allergens_of(name).known]


def _reason(name: str, diet: str, avoid: Sequence[str]) -> str:
    verdict = allergens_of(name)
    avoided = [one for one in verdict.allergens if one in avoid]
    against = [one for one in (*verdict.allergens, *verdict.kinds) if one in DIETS.get(diet, set())]
    said = [*(["to be avoided"] if avoided else []), *([f"not {diet}"] if against else [])]
    held = ", ".join(dict.fromkeys([*avoided, *against]))
    return f"{name} holds {held}: {', '.join(said)}." if said else ""


def _is_known(name: str) -> bool:
    """Return whether a name ends with a food, or a form of one, and names nothing of which the parts are not told."""
    parts = [term for term, _ in named(name, _PARTS)]
    said = words(name)
    while len(said) > 1 and said[-1] in _FORMS and parts and parts[-1].split()[-1] != said[-1]:
        said.pop()  # a basil leaf is basil
    return bool(parts) and parts[-1].split()[-1:] == said[-1:] and not _UNTOLD & {*parts}


def _spelled(line: str) -> list[tuple[str, ...]]:
    return [tuple(words(term.replace("_", " "))) for term in line.split()]


def _by_term() -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return allergens by term."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {term: () for term in _spelled(_NONE)}
    for allergen, line in _TERMS.items():
        for term in _spelled(line):
            found[term] = (*found.get(term, ()), allergen)
    found |= {(plant, like): (held,) if held else () for plant, held in _PLANTS.items() for like in _LIKE_MILK}
    return found


_BY_TERM = _by_term()
_PARTS: dict[tuple[str, ...], Food | None] = {**dict.fromkeys(_BY_TERM), **dict.fromkeys(_spelled(_MIXED)), **FOODS}
_UNTOLD = {" ".join(term) for term in _spelled(_MIXED)}
