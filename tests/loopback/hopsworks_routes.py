"""The REST answers of the stand-in for Hopsworks on a project and its feature store; formats as of Hopsworks 5.2."""

import base64
import json
import re
import shutil

OWNER = {"username": "jane0000", "email": "jane@example.org", "firstname": "Jane", "lastname": "Doe", "uid": 10000}
CONNECTOR = {  # of type S3, so that the client writes to the location as it stands and not by HopsFS
    "type": "featurestoreS3ConnectorDTO",
    "id": 7,
    "name": "loopback",
    "featurestoreId": 67,
    "storageConnectorType": "S3",
    "bucket": "loopback",
    "accessKey": "x",
    "secretKey": "y",
    "region": "local",
    "arguments": [],
}
ROUTES = []
PROJECT, STORE = "/project/119", "/project/119/featurestores/67"


class RefusedError(Exception):
    """An answer that is an error, with Hopsworks' own code."""

    def __init__(self, status, code=0, message="", headers=None):
        super().__init__(status)
        self.status, self.headers = status, headers or {}
        self.body = {"errorCode": code, "errorMsg": message, "usrMsg": message}


def route(method, pattern):
    def keep(function):
        ROUTES.append((method, re.compile(pattern + "$"), function))
        return function

    return keep


def answer(cluster, request):
    """Return the answer to a request: something for JSON, bytes, or None."""
    for method, pattern, function in ROUTES:
        found = pattern.match(request.path) if method == request.method else None
        if found:
            with cluster.lock:
                return function(cluster, request, **found.groupdict())
    raise RefusedError(404, 120000, f"no route {request.method} {request.path}")


@route("GET", "/variables/versions")
def _versions(cluster, request):
    return [{"software": "hopsworks", "version": "5.2.1"}]


@route("GET", "/variables/(?P<name>[^/]+)")
def _variable(cluster, request, name):
    told = {"enable_flyingduck": "true", "service_discovery_domain": "loopback", "upload_policy": "enabled"}
    told |= {f"loadbalancer_external_domain_{what}": "127.0.0.1" for what in ("feature_query", "namenode", "datanode")}
    if name not in told:
        raise RefusedError(404, 100000, f"no variable {name}")
    return {"successMessage": told[name]}


@route("GET", "/project")
def _projects(cluster, request):
    return [{"user": OWNER, "project": {"name": cluster.project, "id": 119, "owner": OWNER}}]


@route("GET", "/project/getProjectInfo/(?P<name>[^/]+)")
def _project(cluster, request, name):
    if name != cluster.project:
        raise RefusedError(404, 150004, "Project wasn't found.")
    return {"projectId": 119, "projectName": name, "owner": OWNER["email"], "created": "2026-01-01T00:00:00Z"}


@route("GET", "/users/profile")
def _profile(cluster, request):
    return OWNER


@route("GET", PROJECT + "/credentials")
def _credentials(cluster, request):
    read = {name: (cluster.certificates / name).read_text() for name in ("ca.pem", "client.pem", "client.key")}
    store = base64.b64encode(b"x").decode()
    keys = {"caChain": read["ca.pem"], "clientCert": read["client.pem"], "clientKey": read["client.key"]}
    return {"kStore": store, "tStore": store, "password": "x", **keys}


@route("GET", PROJECT + "/featurestores/[^/]+")
def _store(cluster, request):
    name = f"{cluster.project}_featurestore"
    names = {"featurestoreName": name, "offlineFeaturestoreName": name, "projectName": cluster.project}
    return {"featurestoreId": 67, "projectId": 119, "created": "2026-01-01T00:00:00Z", "onlineEnabled": False, **names}


def _named(cluster, name):
    found = [group for group in cluster.groups.values() if group["name"] == name]
    if not found:
        raise RefusedError(404, 270009, "Featuregroup wasn't found.")
    return found


@route("GET", STORE + "/featuregroups")
def _groups(cluster, request):
    return {"items": [*cluster.groups.values()], "count": len(cluster.groups)}


@route("GET", STORE + "/featuregroups/(?P<name>[a-z_][^/]*)")
def _group(cluster, request, name):
    version = request.query.get("version")
    found = [group for group in _named(cluster, name) if version is None or group["version"] == int(version)]
    if not found:
        raise RefusedError(404, 270009, "Featuregroup wasn't found.")
    return found


@route("POST", STORE + "/featuregroups")
def _new_group(cluster, request):
    group = request.json()
    limits = [(group["name"], 63), (group["description"], 256)]
    limits += [part for column in group["features"] for part in ((column["name"], 63), (column["description"], 256))]
    if any(len(text or "") > most for text, most in limits):
        raise RefusedError(400, 270091, "a name is longer than 63 characters or a description longer than 256")
    if any((known["name"], known["version"]) == (group["name"], group["version"]) for known in cluster.groups.values()):
        raise RefusedError(400, 270089, "The provided feature group name and version already exists")
    number = cluster.number()
    location = f"file://{cluster.folder}/featurestore/{group['name']}_{group['version']}"
    group |= {"id": number, "featurestoreName": f"{cluster.project}_featurestore", "creator": OWNER}
    group |= {"location": location, "dataSource": {"storageConnector": CONNECTOR, "path": location}}
    group |= {"created": "2026-01-01T00:00:00Z", "onlineTopicName": "none"}
    for column in group["features"]:
        column["featureGroupId"] = number
    suite = group.pop("expectationSuite", None)
    if suite:
        cluster.suites[number] = {**suite, "id": cluster.number(), "featureStoreId": 67, "featureGroupId": number}
    cluster.groups[number] = group
    return group


@route("DELETE", STORE + r"/featuregroups/(?P<number>\d+)")
def _no_group(cluster, request, number):
    group = cluster.groups.pop(int(number))
    shutil.rmtree(group["location"].removeprefix("file://"), ignore_errors=True)


@route("POST", STORE + r"/featuregroups/(?P<number>\d+)/commits")
def _commit(cluster, request, number):
    commit = request.json()
    commit |= {"commitID": commit["commitTime"], "href": "/"}
    cluster.commits.setdefault(int(number), []).append(commit)
    return commit


@route("GET", STORE + r"/featuregroups/(?P<number>\d+)/commits")
def _commits(cluster, request, number):
    newest = sorted(cluster.commits.get(int(number), []), key=lambda commit: -commit["commitID"])
    return {"items": newest[: int(request.query.get("limit", 20))], "count": len(newest)}


@route("GET", STORE + r"/featuregroups/(?P<number>\d+)/expectationsuite")
def _suite(cluster, request, number):
    return cluster.suites.get(int(number), {"count": 0})


@route("POST", STORE + r"/featuregroups/(?P<number>\d+)/expectationsuite")
def _new_suite(cluster, request, number):
    suite = request.json()
    for rule in suite["expectations"]:
        rule["id"] = cluster.number()
    cluster.suites[int(number)] = suite | {"id": cluster.number(), "featureStoreId": 67, "featureGroupId": int(number)}
    return cluster.suites[int(number)]


@route("DELETE", STORE + r"/featuregroups/(?P<number>\d+)/expectationsuite/(?P<suite>\d+)")
def _no_suite(cluster, request, number, suite):
    del cluster.suites[int(number)]


@route("PUT", PROJECT + "/featurestores/query")
def _query(cluster, request):
    lists = ("onDemandFeatureGroups", "hudiCachedFeatureGroups", "deltaCachedFeatureGroups")
    payload = {"hqsPayload": json.dumps({"query": request.json()}), "hqsPayloadSignature": None}
    return {"query": "", "queryOnline": "", "pitQuery": None, **{name: [] for name in lists}, **payload}


@route("POST", STORE + "/featureview")
def _new_view(cluster, request):
    view = request.json()
    view |= {"id": cluster.number(), "featurestoreId": 67, "created": "2026-01-01T00:00:00Z"}
    group = view["query"]["leftFeatureGroup"] = cluster.groups[view["query"]["leftFeatureGroup"]["id"]]
    key = {"joinIndex": 0, "prefix": None, "required": True, "joinOn": None, "featureGroup": group}
    view["servingKeys"] = [{**key, "featureName": one["name"]} for one in group["features"] if one["primary"]]
    view["features"] = [{**column, "index": at} for at, column in enumerate(view["query"]["leftFeatures"])]
    cluster.views[view["name"], view["version"]] = view
    return view


@route("GET", STORE + r"/featureview/(?P<name>[^/]+)/version/(?P<version>\d+)")
def _view(cluster, request, name, version):
    if (name, int(version)) not in cluster.views:
        raise RefusedError(404, 270181, "Feature view wasn't found.")
    return cluster.views[name, int(version)]


@route("GET", STORE + r"/featureview/(?P<name>[^/]+)/version/(?P<version>\d+)/transformation/functions")
def _no_functions(cluster, request, name, version):
    return {"items": [], "count": 0}


@route("DELETE", STORE + r"/featureview/(?P<name>[^/]+)/version/(?P<version>\d+)")
def _no_view(cluster, request, name, version):
    del cluster.views[name, int(version)]
