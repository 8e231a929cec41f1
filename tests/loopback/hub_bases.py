"""Base models on the loopback Hub, as transformers asks for them, and what was fetched of them."""

NOBODY = "http://127.0.0.1:9"  # where nobody listens


def publish(hub, name, folder):
    """Make a model's folder the newest commit of a repository; return that commit."""
    repo = hub.repos.get(("model", name)) or hub.create("model", name)
    oid = hub.new_oid()
    repo.add(oid, "a base", {file.name: hub.keep(file.read_bytes()) for file in folder.iterdir()})
    return oid


def asked_of(monkeypatch, address, cache):
    """Let transformers ask the Hub at ``address``, and keep what it fetches in ``cache``."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.hf_api.api.endpoint", address)  # of its functions, such as file_exists
    monkeypatch.setattr("transformers.utils.hub._hf_api", None)  # made anew, for this address
