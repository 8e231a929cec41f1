"""The REST answers of the stand-in for Hopsworks on files, models and secrets; formats as of Hopsworks 5.2."""

import os
import shutil
import time

from tests.loopback.hopsworks_routes import PROJECT, RefusedError, route


def _file(cluster, path):
    path = path.strip("/").removeprefix(f"Projects/{cluster.project}/")
    if ".." in path:
        raise RefusedError(400, 110011, "no such path")
    return cluster.folder / "files" / path


def _inode(cluster, path):
    name = f"/Projects/{cluster.project}/{path.relative_to(cluster.folder / 'files')}"
    modified = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(path.stat().st_mtime))
    facts = {"path": name, "name": path.name, "dir": path.is_dir(), "size": path.stat().st_size}
    return {"attributes": {**facts, "modificationTime": modified, "owner": "jane", "permission": "rwxrwx---"}}


@route("GET", PROJECT + "/dataset/download/with_auth/(?P<path>.+)")
def _download(cluster, request, path):
    if not _file(cluster, path).is_file():
        raise RefusedError(400, 110008, "The requested path could not be resolved to a dataset")
    return _file(cluster, path).read_bytes()


@route("POST", PROJECT + "/dataset/upload/(?P<path>.+)")
def _upload(cluster, request, path):
    form, folder = request.form(), _file(cluster, path)
    if not folder.is_dir():
        raise RefusedError(400, 110018, "no such folder")
    name, size = form["flowFilename"], int(form["flowChunkSize"])
    if (folder / name).exists():
        raise RefusedError(400, 110041, "Destination already exists")
    parts = cluster.parts.setdefault(str(folder / name), {})
    parts[int(form["flowChunkNumber"])] = form["file"][:size]
    if len(parts) == max(1, int(form["flowTotalChunks"])):  # a file is there once its last part is
        (folder / name).write_bytes(b"".join(parts[number] for number in sorted(parts)))
        del cluster.parts[str(folder / name)]


@route("GET", PROJECT + "/dataset/(?P<path>.+)")
def _dataset(cluster, request, path):
    place = _file(cluster, path)
    if not place.exists():
        raise RefusedError(400, 110018, "Path not found")
    if request.query.get("action") != "listing":
        return _inode(cluster, place)
    first, most = int(request.query.get("offset", 0)), int(request.query.get("limit", 1000))
    items = sorted(place.iterdir())
    return {"items": [_inode(cluster, item) for item in items[first : first + most]], "count": len(items)}


@route("POST", PROJECT + "/dataset/(?P<path>.+)")
def _change(cluster, request, path):
    place = _file(cluster, path)
    if request.query["action"] == "create":
        if place.exists():
            raise RefusedError(400, 110042, "A subfolder with that name already exists")
        place.mkdir(parents=True)
        return _inode(cluster, place)
    target = _file(cluster, request.query["destination_path"])
    try:
        os.link(place, target)  # as HDFS renames: onto a file that is there it does nothing
    except FileExistsError:
        return None
    place.unlink()
    return None


@route("DELETE", PROJECT + "/dataset/(?P<path>.+)")
def _remove(cluster, request, path):
    place = _file(cluster, path)
    if not place.exists():
        raise RefusedError(400, 110018, "Path not found")
    shutil.rmtree(place) if place.is_dir() else place.unlink()


@route("PUT", PROJECT + "/modelregistries/119/models/(?P<number>[^/]+)")
def _new_model(cluster, request, number):
    created = {"created": int(time.time() * 1000), "userFullName": "Jane Doe", "projectName": cluster.project}
    cluster.models[number] = request.json() | {"id": number, "modelRegistryId": 119, **created}
    return cluster.models[number]


@route("GET", PROJECT + "/modelregistries/119/models/(?P<number>[^/]+)")
def _model(cluster, request, number):
    if number not in cluster.models:
        raise RefusedError(404, 360000, "Model not found")
    return cluster.models[number]


@route("GET", PROJECT + "/modelregistries/119/models")
def _models(cluster, request):
    name = request.query["filter_by"].removeprefix("name_eq:")
    found = [model for model in cluster.models.values() if model["name"] == name]
    return {"items": found, "count": len(found)}


@route("DELETE", PROJECT + "/modelregistries/119/models/(?P<number>[^/]+)")
def _no_model(cluster, request, number):
    model = cluster.models.pop(number)
    shutil.rmtree(cluster.folder / "files" / "Models" / model["name"] / str(model["version"]), ignore_errors=True)


@route("GET", "/users/secrets")
def _secrets(cluster, request):
    return {"items": [{"name": name, "visibility": "PRIVATE"} for name in cluster.secrets], "count": 1}


@route("POST", "/users/secrets")
def _new_secret(cluster, request):
    secret = request.json()
    if secret["name"] in cluster.secrets:
        raise RefusedError(400, 160050, "Secret already exists")
    cluster.secrets[secret["name"]] = secret


@route("GET", "/users/secrets/(?P<name>[^/]+)")
def _secret(cluster, request, name):
    if name not in cluster.secrets:
        raise RefusedError(404, 160048, "Could not find Secret")
    return {"items": [cluster.secrets[name]], "count": 1}


@route("DELETE", "/users/secrets/(?P<name>[^/]+)")
def _no_secret(cluster, request, name):
    cluster.secrets.pop(name, None)
