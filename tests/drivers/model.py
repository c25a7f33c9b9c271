"""A driver that records nothing and keeps to protocol 1, so that each bad driver beside it differs
from it in one thing."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy/drivers"))

import protocol1
from protocol1 import folder, is_id, load, newest_epoch, page, read_material, replace


def base(request):
    return os.path.join(request["root"], "model")


def describe(request):
    return {
        "driver": "model", "driver_version": "1", "protocols": [[1, 0]], "verbs": sorted(TABLE),
        "kinds": ["video"], "max_channels": 8, "reads_open_segments": False,
        "segments_have_paths": False, "clock": "arrival", "precision_us": 1, "overlap_us": 0,
        "keeps_running_without_agent": True,
    }


def state(request):
    return load(os.path.join(folder(request), "state.json"), {"hash": None, "ids": [], "runs": False})


def keep(request, **changes):
    replace(os.path.join(folder(request), "state.json"), json.dumps({**state(request), **changes}))


def apply(request):
    channels = request.get("channels")
    ids = [channel["id"] for channel in channels]
    if len(set(ids)) != len(ids) or not all(map(is_id, ids)):
        raise protocol1.Refused(6, "bad-config", "a channel twice")
    keep(request, hash=request["config_hash"], ids=ids)
    return {"applied": request["config_hash"]}


def start(request):
    was = state(request)
    keep(request, runs=True)
    place = os.path.join(base(request), request["recorder"])
    os.makedirs(place, exist_ok=True)
    with open(os.path.join(place, "one.seg"), "w") as file:
        file.write("material\n")
    return {"started": [] if was["runs"] else was["ids"], "already": was["ids"] if was["runs"] else []}


def stop(request):
    was = state(request)
    if os.path.isdir(folder(request)):
        keep(request, runs=False)
    return {"stopped": was["ids"] if was["runs"] else [], "killed": []}


def health(request):
    now, what = time.time_ns() // 1000, "recording" if state(request)["runs"] else "stopped"
    channel = {"state": what, "last_written_us": now, "since_us": now, "message": None}
    return {
        "channels": [{"channel": ident, **channel} for ident in state(request)["ids"]],
        "config_hash": state(request)["hash"], "epoch": newest_epoch(request),
        "disk": {"state": "ok", "free_bytes": 1},
    }


def list_material(request):
    ident = f"{request['recorder']}/one.seg"
    path = os.path.join(base(request), ident)
    one = {
        "id": ident, "channel": "ch-1", "kind": "video", "from_us": 1_700_000_000_000_000,
        "to_us": 1_700_000_001_000_000, "bytes": 9, "open": False, "durable_to_us": None,
        "clock": "arrival", "precision_us": 1, "sha256": None, "media_type": "text/plain",
        "joins": None, "path": None, "epoch": newest_epoch(request),
    }
    return page(request, [one] if os.path.exists(path) else [])


def delete_material(request):
    paths = [(ident, protocol1.inside(base(request), ident)) for ident in request["ids"]]
    gone = [ident for ident, path in paths if os.path.isfile(path) and not os.remove(path)]
    return {"deleted": gone, "missing": [ident for ident, _ in paths if ident not in gone]}


TABLE = {
    "describe": describe, "apply": apply, "start": start, "stop": stop, "fence": stop,
    "health": health, "list-material": list_material, "read-material": read_material(base),
    "delete-material": delete_material,
}
