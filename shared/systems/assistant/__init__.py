"""Assistant: a Llama fine-tuned with LoRA that chats and composes meals from what is in the house.

ingredients   free text as names and grams: "2 eggs, 300g rice"
allergens     the fourteen of the EU, and diets, by rule
recipes       a recipe as JSON, as a conversation, as schema.org's; scaled, with its shopping list
checking      what a composed meal must keep to: listed ingredients and the pantry, grams, allergens
meals         a request ──► prompt and grammar ──► a recipe that was checked
sources       FineTome, ShareGPT and messages files, recipes
cleaning      filters one after the other, and what each took away
features      conversations kept and split; tokens of them, cached by tokenizer and template
training      one fine-tuning: a plan, a folder, checkpoints, the best weights
inference     which model answers here, or which endpoint elsewhere
instructions  checks of format, length and words that a program scores
evaluation    losses with intervals, checks of instructions and meals: candidate, base, champion
searching     ranks, learning rates and bases compared, and whether the difference is one
exporting     merged weights equal to the adapter's, GGUF, a card; registered, judged, promoted
monitoring    what visitors preferred
"""
