"""The query service of the stand-in for Hopsworks: a query as JSON, answered from the Delta tables over Flight."""

import json
from datetime import datetime
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.flight as fl
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

COMPARE = {
    "GREATER_THAN": pc.greater,
    "GREATER_THAN_OR_EQUAL": pc.greater_equal,
    "LESS_THAN": pc.less,
    "LESS_THAN_OR_EQUAL": pc.less_equal,
    "EQUALS": pc.equal,
}


def rows_of(cluster, query):
    """Return what a query over one feature group gives: its columns, its filter applied."""
    group = cluster.groups[query["leftFeatureGroup"]["id"]]
    try:
        rows = DeltaTable(unquote(group["location"])).to_pyarrow_table()
    except TableNotFoundError:
        raise fl.FlightServerError(f"No delta logs found for {group['name']}. Details: none") from None
    if query.get("filter"):
        rows = rows.filter(_kept(query["filter"], rows))
    return rows.select([feature["name"] for feature in query["leftFeatures"]])


def _kept(logic, rows):
    parts = [_compared(logic[side], rows) for side in ("leftFilter", "rightFilter") if logic.get(side)]
    parts += [_kept(logic[side], rows) for side in ("leftLogic", "rightLogic") if logic.get(side)]
    kept = parts[0]
    for part in parts[1:]:
        kept = pc.or_(kept, part) if logic["type"] == "OR" else pc.and_(kept, part)
    return kept


def _compared(condition, rows):
    column, told = rows[condition["feature"]["name"]], condition["value"]
    if pa.types.is_timestamp(column.type):
        told = datetime.fromisoformat(told)
    return COMPARE[condition["condition"]](column, pa.scalar(told).cast(column.type))


class Flight(fl.FlightServerBase):
    """Arrow Flight with TLS; ``cluster.flight_faults`` holds sentences to fail with, "silent" for saying nothing."""

    def __init__(self, cluster, port, certificates):
        pair = tuple((certificates / f"server.{kind}").read_bytes() for kind in ("pem", "key"))
        super().__init__(f"grpc+tls://127.0.0.1:{port}", tls_certificates=[pair])
        self._cluster = cluster

    def list_actions(self, context):
        return [fl.ActionType("healthcheck", ""), fl.ActionType("get-version", "")]

    def do_action(self, context, action):
        return [fl.Result(pa.py_buffer(b"5.2"))]

    def get_flight_info(self, context, descriptor):
        return fl.FlightInfo(pa.schema([]), descriptor, [fl.FlightEndpoint(descriptor.command, [])], -1, -1)

    def do_get(self, context, ticket):
        query = json.loads(ticket.ticket)["query"]
        self._cluster.requests.append(("FLIGHT", query["leftFeatureGroup"]["name"], True))
        if self._cluster.flight_faults:
            told = self._cluster.flight_faults.pop(0)
            if told == "silent":
                self._cluster.stopped.wait(60)
            raise fl.FlightUnavailableError(told)
        return fl.RecordBatchStream(rows_of(self._cluster, query))
