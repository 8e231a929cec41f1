from shared.systems.air_quality.tables import *
from shared.runs import ledger
def test_x(air):
    l=ledger(air,"air_quality")
    print(l[["stage","day","status","seconds","rows"]].to_string())
    import json
    for r in l["report"]: r=json.loads(r); print(r["metrics"], r["baselines"], r["note"])
    for t in TABLES: print(t.name, len(air.features.read(t)))
    print(air.features.read(PREDICTIONS).tail(21).to_string())
    print(air.features.read(ALERTS).to_string())
    print(air.features.read(MONITORING).tail(40).to_string())
    o=air.features.read(OBSERVATIONS); print(o.tail(60).to_string())
