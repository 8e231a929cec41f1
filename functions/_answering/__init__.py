"""A language model over HTTP: the part of OpenAI's API that a chat needs, so that any client made for it can ask.

asked     a request's JSON ──► what is asked, or a sentence on what is wrong with it
replies   an answer as it comes ──► server-sent events, or one JSON object
app       the addresses, how much may be asked, and what an error looks like from outside
"""

from functions._answering.app import answering

__all__ = ["answering"]
