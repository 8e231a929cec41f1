"""The trial: what GPU systems will need of Modal, on an app so small that trying it costs cents. It is no system.

    count: checkpoints on a volume, a timeout, a retry in a new container ──► goes on where it was
    gpu: which device there is          answer: an endpoint that asks for a token

`almanac deploy` does not know it. A person with an account tries it with
tests/live/ten_minutes.py.
"""

from typing import Any

from functions._modal import Service, gpu_image, image

MACHINES: dict[str, dict[str, Any]] = {
    "count": {
        "hours": 0.003,  # 10 s an attempt: too short for all of it, so that a retry has to go on
        "retries": 5,
        "cron": "0 0 1 1 *",  # to see one accepted; the first day of a year costs a cent
        "timezone": "Europe/Amsterdam",
        "single_use": True,
        "volumes": {"checkpoints": "almanac-trial"},
        "secrets": ["almanac-trial"],
    },
    "gpu": {"gpu": ["T4", "L4", "A10"], "hours": 0.1, "retries": 1, "memory_gib": 4},
    "answer": {"auth": "token", "secrets": ["almanac-trial"]},
}

service = Service("almanac-trial", MACHINES)
app = service.app

plain = image()


@service.stage(plain, stores=False)
def count(to: int = 20, pause_s: float = 1.0, run: str = "trial") -> dict[str, Any]:
    """Count --to a number, --pause-s seconds each, and keep every number; a --run that was killed goes on."""
    import json
    import time
    import uuid

    folder, commit = service.lasting("checkpoints")
    folder.mkdir(parents=True, exist_ok=True)
    path, attempt = folder / f"{run}.json", uuid.uuid4().hex
    counted = json.loads(path.read_text()) if path.exists() else []
    for number in range(len(counted) + 1, to + 1):
        time.sleep(pause_s)
        counted.append({"number": number, "attempt": attempt})
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps(counted))
        beside.replace(path)  # whole, or the one before
        commit()
    return {"counted": len(counted), "attempts": len({one["attempt"] for one in counted})}


@service.stage(gpu_image(), stores=False)
def gpu() -> dict[str, Any]:
    """Say which device there is, and multiply two matrices on it."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    ones = torch.ones(256, 256, device=device)
    name = torch.cuda.get_device_name(0) if device == "cuda" else "none"
    return {"gpu": name, "product": float((ones @ ones).mean()), "torch": str(torch.__version__)}


@service.endpoint(plain)
def answer() -> Any:  # noqa: ANN401 - an ASGI app
    """Answer 200 to who bears the token."""

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"let in"})

    return app
