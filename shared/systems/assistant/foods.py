"""Foods by name: what kind each one is, what a piece of it weighs, and what a millilitre of it weighs.

    "2 large Eggs" ──► words: 2, large, egg ──► named: the longest names among FOODS: egg, 50 g a piece

Grams of pieces and millilitres are those of USDA FoodData Central's household measures (SR Legacy and Foundation
Foods, https://fdc.nal.usda.gov, public domain), rounded; what it does not have is an estimate of a common size. That
of a kind is used where a food has none of its own, ``LOOSE`` where it is not known. Names are English.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from shared.systems.assistant.letters import seen

Kept = TypeVar("Kept")

LOOSE = 0.6  # g/ml of a food that is not known, as chopped vegetables: liquids weigh more, so it never says too much
PANTRY = {  # declared to be in every house, in any amount, and what each one is called
    "salt": ("salt", "sea salt", "kosher salt"),
    "pepper": ("pepper", "black pepper", "white pepper", "ground pepper", "peppercorn"),
    "water": ("water",),
    "oil": ("oil", "olive oil", "vegetable oil", "sunflower oil", "canola oil", "rapeseed oil", "cooking oil"),
    "sugar": ("sugar",),
}
MOST_WORDS = 5  # of a name in any table
SEASONING = ("seasoning", "herb")  # kinds that flavour a meal; every other kind is a main ingredient

# A line a kind: its grams per millilitre, then foods as NAME@GRAMS OF A PIECE~GRAMS PER MILLILITRE, both optional.
_TABLE = {
    "poultry": "0.6 chicken@1200 chicken_breast@175 chicken_thigh@115 chicken_leg@250 chicken_wing@90 drumstick@100"
    " chicken_fillet@150 chicken_filet@150 turkey@5000 turkey_breast@600 duck@2000 duck_breast@200 goose@4000"
    " quail@150",
    "meat": "0.6 meat beef pork lamb veal mutton goat venison rabbit@1000 steak@225 ground_beef ground_pork"
    " bacon@28 ham prosciutto pancetta chorizo@80 salami pepperoni sausage@75 hot_dog@50 pork_chop@170"
    " lamb_chop@120 spare_rib rib brisket oxtail liver ox_tail kidney meatball@30 guanciale lardon hamburger@115"
    " corned_beef sirloin tenderloin",
    "meat stock": "1.0 chicken_broth chicken_stock beef_broth beef_stock bone_broth chicken_bouillon@4 beef_bouillon@4",
    "animal fat or gelatin": "0.9 lard tallow suet schmaltz gelatin~0.6 gelatine~0.6",
    "fish": "0.6 fish@400 salmon@200 tuna@150 cod@230 haddock@190 trout@250 herring@140 mackerel@200 sardine@12"
    " halibut@200 anchovy@4 tilapia@115 sea_bass@400 trevally pollock plaice sole@150 carp monkfish catfish"
    " smoked_salmon surimi roe caviar swordfish snapper anglerfish fish_fillet@150",
    "seafood": "0.6 shrimp@7 prawn@12 crab lobster crayfish scampi clam@10 mussel@10 oyster@15 scallop@15 squid"
    " octopus calamari seafood cockle snail langoustine krill cuttlefish",
    "egg": "1.0 egg@50 egg_white@33 egg_yolk@17 yolk@17 quail_egg@9 duck_egg@70",
    "dairy": "1.0 milk cream butter~0.96 yogurt yoghurt buttermilk sour_cream creme_fraiche ghee~0.9 quark skyr"
    " kefir whipping_cream condensed_milk~1.3 milk_powder~0.5 mascarpone half_and_half custard whey margarine~0.96"
    " ice_cream~0.6",
    "cheese": "0.48 cheese parmesan~0.42 parmigiano~0.42 mozzarella@125 cheddar feta gouda gruyere emmental"
    " ricotta~1.0 brie camembert halloumi paneer pecorino~0.42 cream_cheese~0.98 cottage_cheese~0.95 goat_cheese"
    " blue_cheese provolone monterey_jack swiss_cheese roquefort gorgonzola manchego edam",
    "flour": "0.53 flour wheat_flour bread_flour whole_wheat_flour rye_flour cornflour~0.54 cornstarch~0.54"
    " corn_starch~0.54 corn_flour~0.54 potato_starch~0.68 starch~0.54 semolina~0.7 almond_flour~0.41"
    " rice_flour~0.67 cornmeal~0.66 breadcrumb~0.46 bread_crumb~0.46 panko~0.25 oatmeal~0.34 chickpea_flour~0.39"
    " gluten tapioca~0.64",
    "grain": "0.78 rice quinoa~0.72 couscous~0.73 bulgur~0.6 barley oat~0.34 rolled_oat~0.34 polenta~0.66 millet"
    " buckwheat farro spelt rye wheat corn~0.65 sweetcorn~0.65 corn_kernel~0.65 cereal~0.15 granola~0.5 popcorn"
    " muesli~0.4 risotto ear_of_corn@100 corn_on_the_cob@100 freekeh amaranth sorghum",
    "pasta": "0.43 pasta spaghetti macaroni noodle penne fusilli linguine fettuccine tagliatelle rigatoni"
    " vermicelli lasagna_sheet@20 lasagne_sheet@20 lasagna lasagne gnocchi ravioli tortellini orzo~0.7 egg_noodle"
    " ramen udon soba rice_noodle glass_noodle angel_hair farfalle ziti",
    "bread": "0.2 bread@29 toast@29 baguette@250 tortilla@49 pita@60 bun@55 bagel@105 naan@90 croissant@57 roll@45"
    " pizza_dough pie_crust puff_pastry pastry dough cracker@4 biscuit@12 cookie@12 english_muffin@57 ciabatta@100"
    " corn_tortilla@26 taco_shell@13 wonton_wrapper@8 crouton ladyfinger@11 phyllo filo rice_paper@9",
    "vegetable": "0.6 onion@110 red_onion@110 shallot@30 leek@89 scallion@15 spring_onion@15 green_onion@15"
    " garlic@3~0.57 garlic_clove@3~0.57 tomato@123~0.76 cherry_tomato@17 plum_tomato@62 roma_tomato@62"
    " canned_tomato~1.0 sun_dried_tomato@3 carrot@61 celery@40 celery_rib@40 celery_stalk@40 beef_tomato@180"
    " beefsteak_tomato@180 celeriac@500 bell_pepper@119 red_pepper@119 green_pepper@119 yellow_pepper@119"
    " sweet_pepper@119 capsicum@119 chili@45 chilli@45 chile@45 chili_pepper@45 jalapeno@14 habanero@8"
    " hot_pepper@45 poblano@64 zucchini@196 courgette@196 cucumber@300 eggplant@458 aubergine@458 broccoli@600~0.38"
    " cauliflower@590~0.45 cabbage@900~0.38 kale~0.1 red_cabbage@840~0.38 chinese_cabbage@840~0.3 bok_choy@150~0.3"
    " lettuce@360~0.2 spinach~0.13 arugula~0.09 rocket~0.09 chard~0.15 asparagus@16 mushroom@18~0.3"
    " champignon@18~0.3 shiitake@19 portobello@84 radish@5 turnip@122 beet@82 beetroot@82 parsnip@133 rutabaga@386"
    " swede@386 pumpkin@3000 squash@1000 butternut_squash@1000 fennel@234 okra@12 artichoke@128 brussels_sprout@19"
    " bean_sprout~0.4 ginger~0.4 kohlrabi@400 sauerkraut pickle@65 gherkin@15 olive@4 caper vegetable salad salsa"
    " kimchi seaweed nori@3 watercress endive@513 bamboo_shoot daikon@338 horseradish lemongrass@15"
    " oyster_mushroom@15 avocado@150 plantain@180",
    "potato": "0.63 potato@213 sweet_potato@130 yam cassava french_fry hash_brown",
    "legume": "0.8 bean lentil chickpea pea~0.61 green_bean@6~0.42 black_bean kidney_bean white_bean pinto_bean"
    " fava_bean tofu~1.05 tempeh~0.7 edamame~0.65 split_pea hummus~1.0 butter_bean soybean lupin soy_chunk~0.2"
    " string_bean@6~0.42",
    "fruit": "0.65 apple@182 banana@118 lemon@84 lime@67 orange@131 pear@178 peach@150 plum@66 apricot@35 cherry@8"
    " grape@5 strawberry@12 raspberry@4 blueberry@1.4 blackberry cranberry pineapple@900 mango@336 melon@1300"
    " watermelon@4500 kiwi@69 pomegranate@282 date@24 fig@50 raisin sultana currant prune@9 coconut@400~0.34"
    " coconut_flake~0.34 papaya@500 lemon_zest@6 lime_zest@4 orange_zest@12 berry clementine@74 grapefruit@246"
    " rhubarb@51 applesauce~1.03 apple_sauce~1.03 nectarine@142 persimmon@168 sultanina",
    "nut": "0.5 nut almond@1.2 walnut@4 hazelnut@1.4 pecan@2 cashew@1.6 pistachio@0.7 macadamia@2.5 peanut@1~0.62"
    " pine_nut~0.57 peanut_butter~1.09 almond_butter~1.06 tahini~1.0 sesame_seed~0.61 sunflower_seed~0.59"
    " pumpkin_seed~0.55 chia_seed~0.68 flaxseed~0.7 poppy_seed~0.57 chestnut@8 brazil_nut@5 marzipan hemp_seed~0.6"
    " almond_meal~0.41",
    "sweet": "0.85 sugar brown_sugar~0.93 powdered_sugar~0.51 icing_sugar~0.51 caster_sugar honey~1.43"
    " maple_syrup~1.36 syrup~1.36 molasses~1.42 chocolate~0.72 chocolate_chip~0.72 cocoa~0.36 jam~1.35"
    " marmalade~1.35 caramel~1.3 nutella~1.25 marshmallow@7~0.2 sprinkle candy sweetener cocoa_powder~0.36"
    " dulce_de_leche~1.3 white_chocolate agave~1.38 matcha~0.4",
    "sauce": "1.05 soy_sauce@9~1.08 ketchup~1.1 mayonnaise~0.93 mayo~0.93 mustard~1.0 worcestershire_sauce~1.15"
    " hot_sauce tabasco tomato_paste~1.1 tomato_sauce tomato_puree tomato_passata passata fish_sauce~1.2"
    " oyster_sauce~1.2 hoisin~1.07 hoisin_sauce~1.07 teriyaki~1.2 bbq_sauce~1.15 barbecue_sauce~1.15 pesto~1.0"
    " curry_paste~1.0 sriracha tamari~1.08 vinegar~1.01 miso~1.15 salad_dressing dressing sauce gravy"
    " enchilada_sauce marinara harissa~1.0 gochujang~1.1 relish chutney guacamole~1.0 ponzu mirin~1.15 wasabi~1.0"
    " vegetable_bouillon@4 bouillon@4 stock_cube@10 bouillon_cube@4",
    "liquid": "1.0 water wine white_wine red_wine beer rum brandy vodka whiskey whisky sherry cider sake tequila"
    " liqueur port coffee~1.0 espresso tea juice lemon_juice@45~1.03 lime_juice@30~1.03 orange_juice@80~1.05"
    " tomato_juice~1.03 broth stock vegetable_broth vegetable_stock fish_stock coconut_milk almond_milk soy_milk"
    " oat_milk rice_milk coconut_cream apple_juice ice soda cola sparkling_water amaretto kirsch marsala cognac"
    " bourbon fruit_juice plant_milk",
    "oil": "0.91 oil olive_oil vegetable_oil sunflower_oil canola_oil rapeseed_oil sesame_oil coconut_oil"
    " peanut_oil shortening~0.87 avocado_oil corn_oil cooking_oil",
    "seasoning": "0.47 salt~1.22 sea_salt~1.0 kosher_salt~0.9 pepper black_pepper white_pepper peppercorn paprika"
    " cumin cinnamon@3 turmeric coriander_seed nutmeg clove@0.2 cardamom@0.2 saffron~0.14 allspice curry"
    " curry_powder chili_powder cayenne cayenne_pepper chili_flake pepper_flake garlic_powder~0.66 onion_powder"
    " garlic_salt~0.9 garam_masala star_anise@1 anise fennel_seed mustard_seed~0.72 celery_seed caraway sumac"
    " za'atar vanilla@5~0.88 vanilla_extract~0.88 vanilla_sugar~0.85 vanilla_bean@5 vanilla_pod@5"
    " baking_powder~0.93 baking_soda~0.93 bicarbonate_of_soda~0.93 yeast~0.63 cream_of_tartar~0.6 msg seasoning"
    " spice spice_mix italian_seasoning fenugreek asafoetida masala extract~0.88 food_coloring~1.0 ginger_powder"
    " smoked_paprika red_pepper_flake pumpkin_spice ground_ginger celery_salt~1.0 taco_seasoning"
    " nutritional_yeast~0.25 ras_el_hanout liquid_smoke~1.0 black_cardamom@0.5 sazon adobo ground_pepper"
    " ground_coriander cocoa_nib",
    "herb": "0.25 parsley basil oregano thyme rosemary mint cilantro coriander dill chive sage tarragon marjoram"
    " bay_leaf@0.2 bay@0.2 curry_leaf@0.1 kaffir_lime_leaf@0.5 herb chervil lovage epazote savory lavender",
}
_IRREGULAR = {
    **{"leaves": "leaf", "loaves": "loaf", "halves": "half", "knives": "knife", "calves": "calf", "wolves": "wolf"},
    **{"cookies": "cookie", "brownies": "brownie", "veggies": "veggie", "anchovies": "anchovy", "geese": "goose"},
    **{"pies": "pie", "cheeses": "cheese", "brioches": "brioche", "quiches": "quiche", "octopi": "octopus"},
    **{"mousses": "mousse", "mayonnaises": "mayonnaise", "pierogies": "pierogi", "molluscs": "mollusc"},
    **{"chilies": "chili", "chillies": "chilli", "bayleaf": "bay leaf", "bayleaves": "bay leaf"},
    **{"gruyère": "gruyere", "jalapeño": "jalapeno", "jalapeños": "jalapeno", "crème": "creme", "fraîche": "fraiche"},
}
_SINGULAR_IN_S = re.compile(r"(ss|us|'s|molasses|brussels|cassis|anis|haas)$")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_ES = re.compile(r"(?:[sx]|sh|ch|to|go)es$")  # radishes, peaches, boxes, tomatoes, mangoes


@dataclass(frozen=True)
class Food:
    """A food of the table: grams of a piece (0: it is not counted), and grams of a millilitre."""

    name: str
    kind: str
    piece_g: float
    per_ml_g: float


def singular(word: str) -> str:
    """Return an English noun's singular; what is singular already stays.

    >>> [singular(word) for word in ("eggs", "tomatoes", "cherries", "leaves", "hummus", "peas", "radishes")]
    ['egg', 'tomato', 'cherry', 'leaf', 'hummus', 'pea', 'radish']
    """
    if word in _IRREGULAR or len(word) < 4 or not word.endswith("s") or _SINGULAR_IN_S.search(word):
        return _IRREGULAR.get(word, word)
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if _ES.search(word) else word[:-1]


def word_set(text: str) -> frozenset[str]:
    """Return the words of a table as a set."""
    return frozenset(text.split())


def words(text: str) -> list[str]:
    """Return a text's words in lower case, singular and without accents, in order.

    >>> words("Free-range EGGS, 300g of Gruyère")
    ['free', 'range', 'egg', '300g', 'of', 'gruyere']
    """
    return [*_words(text)]


def named(text: str, terms: Mapping[tuple[str, ...], Kept]) -> list[tuple[str, Kept]]:
    """Return the terms that a text names as whole words, in order; where one lies in another, the longer one only.

    >>> named("coconut milk and milk", {("milk",): "milk", ("coconut", "milk"): "none"})
    [('coconut milk', 'none'), ('milk', 'milk')]
    """
    return list(_scan(_words(text), terms))


def foods_in(text: str) -> list[Food]:
    """Return every food that a text names, in order.

    >>> [food.name for food in foods_in("Fry the chicken breasts with an onion in olive oil")]
    ['chicken breast', 'onion', 'olive oil']
    """
    return [food for _, food in named(text, FOODS)]


def food_of(name: str) -> Food | None:
    """Return the food that an ingredient is: the last one named, as English puts the head last; None if none is.

    >>> food_of("tomato soup"), food_of("red onion").piece_g, food_of("onion powder").kind
    (Food(name='tomato', kind='vegetable', piece_g=123.0, per_ml_g=0.76), 110.0, 'seasoning')
    """
    return next(reversed(foods_in(name)), None)


def in_pantry(name: str) -> str:
    """Return the pantry's word for an ingredient, "" where it is not of the pantry.

    >>> in_pantry("black pepper"), in_pantry("extra virgin olive oil"), in_pantry("red pepper")
    ('pepper', 'oil', '')
    """
    food = food_of(name)
    return next((word for word, names in PANTRY.items() if food and food.name in names), "")


@lru_cache(2**12)  # the same names are looked up again and again: for their food, their kind, their allergens
def _words(text: str) -> tuple[str, ...]:
    lower = seen(text).lower()
    if not lower.isascii():
        bare = "".join(
            one for one in unicodedata.normalize("NFKD", lower) if unicodedata.category(one) not in ("Mn", "Me")
        )
        lower = unicodedata.normalize("NFC", bare).replace("’", "'")
    return tuple(singular(word) for word in _WORD.findall(lower))


def _scan(text: tuple[str, ...], terms: Mapping[tuple[str, ...], Kept]) -> Iterator[tuple[str, Kept]]:
    start = 0
    while start < len(text):
        sizes = range(min(MOST_WORDS, len(text) - start), 0, -1)
        term = next((text[start : start + size] for size in sizes if text[start : start + size] in terms), ())
        if term:
            yield " ".join(term), terms[term]
        start += len(term) or 1


def _foods() -> dict[tuple[str, ...], Food]:
    """Return the table by the words of each name."""
    found = {}
    for kind, line in _TABLE.items():
        common, *entries = line.split()
        for entry in entries:
            spelled, _, per_ml = entry.partition("~")
            name, _, piece = spelled.partition("@")
            name = name.replace("_", " ")
            found[tuple(words(name))] = Food(name, kind, float(piece or 0), float(per_ml or common))
    return found


FOODS = _foods()
