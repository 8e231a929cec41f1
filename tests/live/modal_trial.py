"""Modal's part of the ten minutes: the trial app of functions/_trial.py, on the account the client is logged in to."""

from __future__ import annotations

import secrets
import uuid

import httpx
import modal
from modal.config import config

from functions._deploy.modal_account import Account
from functions._modal.lease import Lease, Patience
from shared.errors import BackendError, BusyError

NAME = "almanac-trial"  # of the app, its secret and its volume


class Modal:
    """Modal: real images, a timeout and its retry, a GPU, an endpoint, a lease; some cents."""

    name = "modal"

    def __init__(self):
        self._account = Account("")
        self._token = secrets.token_urlsafe(32)

    def lacks(self):
        known = config.get("token_secret") or config.get("oauth_refresh_token")
        return "" if known else "MODAL_TOKEN_ID, MODAL_TOKEN_SECRET not set, and nobody is logged in (`modal setup`)"

    def steps(self):
        return [
            ("a lease is had by one of two, and by the other when it is released", self._lease),
            ("images are built, a cron, a GPU with fallbacks and an endpoint are accepted", self._deploy),
            ("a stage that its timeout killed goes on where it was, in a new container", self._count),
            ("a function with a GPU runs, and says on which", self._gpu),
            ("an endpoint answers who bears its token, and nobody else", self._endpoint),
        ]

    def remove(self):
        self._account.stop(NAME)
        self._account.remove_secret(NAME)
        self._account.remove_volume(NAME)
        assert self._account.app(NAME) is None, "the app still runs"
        assert not self._account.has_secret(NAME), "the secret is still there"
        assert NAME not in self._account.volumes(), "the volume is still there"
        return f"nothing is left of {NAME}"

    def _lease(self):
        with modal.Dict.ephemeral() as place:
            quick = Patience(beat=0.5, silence=10, wait=1)
            one, other = Lease(place, "trial", quick), Lease(place, "trial", quick)
            one.take()
            try:
                other.take()
            except BusyError:
                one.confirm()
                one.release()
                generation = other.take()
                other.release()
                return f"generation {generation}"
        raise BackendError("two had it at once: a Dict's put with skip_if_exists is not exclusive")

    def _deploy(self):
        self._account.put_secret(NAME, {"ALMANAC_ENDPOINT_TOKEN": self._token})
        return self._account.deploy("_trial", "prod")

    def _count(self):
        counted = _function("count").remote(to=20, run=uuid.uuid4().hex)
        assert counted["counted"] == 20, counted
        assert counted["attempts"] > 1, "20 numbers within one attempt of 10 s: nothing was killed"
        return f"20 numbers in {counted['attempts']} attempts"

    def _gpu(self):
        found = _function("gpu").remote()
        assert found["product"] == 256, found
        return f"gpu: {found['gpu']}, torch {found['torch']}"

    def _endpoint(self):
        url = _function("answer").get_web_url()
        if not url:
            return "not shown: this control plane gives no addresses"
        answers = [httpx.get(url, headers=headers, timeout=120, follow_redirects=True) for headers in self._headers()]
        assert [answer.status_code for answer in answers] == [401, 401, 200], answers
        return "401 without the token and with another one, 200 with it"

    def _headers(self):
        return [{}, {"Authorization": "Bearer another"}, {"Authorization": f"Bearer {self._token}"}]


def _function(name):
    return modal.Function.from_name(NAME, name)
