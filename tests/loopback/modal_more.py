"""The Modal control plane of ALMANAC_TEST_MODAL_ENGINE with what it lacks: taking Dicts, secrets, volumes away.

python tests/loopback/modal_more.py ENGINE --port N --state FOLDER
"""

import asyncio
import importlib.util
import shutil
import sys

from google.protobuf.empty_pb2 import Empty


def load(path):
    """The engine's script as a module, so that more can be added before it starts."""
    spec = importlib.util.spec_from_file_location("engine", path)
    engine = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(engine)
    return engine


def add(engine):
    @engine.unary
    async def DictDelete(self, asked):  # noqa: N802 - the service's own names
        del self.e.dicts[asked.dict_id]
        return Empty()

    @engine.unary
    async def SecretDelete(self, asked):  # noqa: N802
        self.e.secrets[asked.secret_id].update(name="", env={})  # functions of stopped apps still name it
        return Empty()

    @engine.unary
    async def SecretUpdate(self, asked):  # noqa: N802
        self.e.secrets[asked.secret_id]["env"].update({one.key: one.value for one in asked.updates})
        return Empty()

    @engine.unary
    async def VolumeDelete(self, asked):  # noqa: N802
        volume = self.e.volumes[asked.volume_id]
        volume["name"] = ""
        shutil.rmtree(volume["dir"])
        return Empty()

    for deed in (DictDelete, SecretDelete, SecretUpdate, VolumeDelete):
        setattr(engine.Servicer, deed.__name__, deed)


if __name__ == "__main__":
    engine = load(sys.argv.pop(1))
    add(engine)
    asyncio.run(engine.main())
