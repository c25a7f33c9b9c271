"""What every driver of protocol 1 has in common: reading a request, answering it, epochs, locks,
files that are replaced whole. Python 3 and its standard library, nothing else. See docs/drivers.md.

A driver is a table of functions, one for each verb; each takes the request and returns the fields
of its answer, or raises Refused. `serve(TABLE)` is the whole program.
"""

import contextlib
import fcntl
import json
import os
import re
import sys
import time

REQUEST_MAX = 16 << 20
PAGE_MAX = 1000
NUMBER_MAX = 1 << 53
ID = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")
# These change something: one at a time for each recorder, and never for an epoch that is over.
CHANGING = {"apply", "start", "stop", "import-material", "delete-material"}


class Refused(Exception):
    """Exit code, kind and message of an answer that is no."""

    def __init__(self, code, kind, message, retry_after_ms=None, **detail):
        super().__init__(message)
        self.code, self.kind, self.retry_after_ms, self.detail = code, kind, retry_after_ms, detail


def bad(message):
    return Refused(2, "bad-request", message)


class Raw:
    """An answer that is bytes: to read-material."""

    def __init__(self, file, length):
        self.file, self.length = file, length


def is_id(text):
    return isinstance(text, str) and bool(ID.match(text)) and text not in (".", "..")


def is_segment_id(text):
    """Names parted by slashes, none of which leads upwards."""
    return isinstance(text, str) and len(text) <= 1024 and all(map(is_id, text.split("/")))


def number(request, key, default=None):
    value = request.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < NUMBER_MAX:
        raise bad(f"{key}: {value!r} is no number from 0 to 2^53")
    return value


def names(request, key):
    """A list of ids, or None where nothing is named."""
    value = request.get(key)
    if value is not None and not (isinstance(value, list) and all(map(is_id, value))):
        raise bad(f"{key} is no list of ids")
    return value


def replace(path, text):
    """Writes `path` so that whoever reads it, after whatever happened, reads the old or the new."""
    new = f"{path}.{os.getpid()}.new"
    with open(new, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load(path, default=None):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return default


def folder(request):
    """This recorder's own state, in the working directory. Made by the first changing verb."""
    return request["recorder"]


def newest_epoch(request):
    return load(os.path.join(request["recorder"], "epoch.json"), 0)


@contextlib.contextmanager
def alone(request):
    """One changing verb at a time; an epoch that is over is refused, a newer one kept first."""
    state = folder(request)
    os.makedirs(state, exist_ok=True)
    with open(os.path.join(state, "lock"), "w") as lock:
        until = time.monotonic() + number(request, "deadline_ms", 3000) / 2000
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise Refused(1, "busy", "another verb is at work", 500) from None
                time.sleep(0.02)
        epoch, newest = request["epoch"], newest_epoch(request)
        if epoch < newest:
            raise Refused(4, "stale-epoch", f"epoch {epoch} is over", epoch=newest)
        if epoch > newest:
            replace(os.path.join(state, "epoch.json"), json.dumps(epoch))
        yield


def read_request():
    text = sys.stdin.buffer.read(REQUEST_MAX + 1)
    if len(text) > REQUEST_MAX:
        raise bad("a request of more than 16 MiB")
    try:
        request = json.loads(text)
    except ValueError as why:
        raise bad(f"no JSON: {why}") from None
    if not isinstance(request, dict):
        raise bad("no JSON object")
    return request


def check(request, verb):
    protocol = request.get("protocol")
    major = protocol.get("major") if isinstance(protocol, dict) else None
    if major != 1:
        raise Refused(6, "incompatible", f"protocol {major!r}; this driver speaks 1")
    if request.get("verb") != verb:
        raise bad(f"called as {verb}, asked for {request.get('verb')!r}")
    for key in ("server", "recorder"):
        if not is_id(request.get(key)):
            raise bad(f"{key}: {request.get(key)!r} is no id")
    if not isinstance(request.get("root"), str) or not os.path.isabs(request["root"]):
        raise bad("root is no absolute path")
    number(request, "epoch")


def answer(request, table):
    verb = sys.argv[1] if len(sys.argv) > 1 else ""
    request.update(read_request())
    if verb not in table:
        raise Refused(3, "unknown-verb", f"{verb!r}; there are: {', '.join(sorted(table))}")
    check(request, verb)
    try:
        with alone(request) if verb in CHANGING else contextlib.nullcontext():
            return table[verb](request)
    except OSError as why:
        kind = {28: "no-space", 122: "no-space", 5: "disk-failed", 30: "disk-failed"}
        raise Refused(7 if why.errno in kind else 1, kind.get(why.errno, "failed"), str(why)) from None


def say(code, fields):
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()
    sys.exit(code)


def serve(table):
    """Answers the one request that this process was started for."""
    request = {}
    try:
        fields = answer(request, table)
    except Refused as no:
        error = {"kind": no.kind, "message": str(no), "retry_after_ms": no.retry_after_ms}
        classes = {1: "soft", 5: "hard", 7: "hard", 9: "hard"}
        error.update({"class": classes.get(no.code, "fatal"), "channels": {}, "detail": no.detail})
        say(no.code, {"ok": False, "request_id": request.get("request_id"), "error": error})
    if isinstance(fields, Raw):
        left = fields.length
        while left and (part := fields.file.read(min(left, 1 << 20))):
            sys.stdout.buffer.write(part)
            left -= len(part)
        sys.stdout.buffer.flush()
        sys.exit(0)
    head = {"ok": True, "protocol": {"major": 1, "minor": 0}, "warnings": []}
    head["request_id"] = request.get("request_id")
    say(8 if fields.get("failed") else 0, {**head, **fields})


def page(request, segments):
    """The part of `segments` that a request asks for. A cursor is where the page before it ended:
    it never runs out."""
    start, end = number(request, "from_us", 0), number(request, "to_us", NUMBER_MAX - 1)
    channels, kinds = names(request, "channels"), names(request, "kinds")
    limit = min(number(request, "limit", PAGE_MAX) or PAGE_MAX, PAGE_MAX)
    cursor = request.get("cursor")
    try:
        after = json.loads(cursor) if cursor is not None else ["", -1, ""]
        channel, from_us, name = after
        after = (str(channel), int(from_us), str(name))
    except (TypeError, ValueError):
        raise bad(f"cursor: {cursor!r} is none of ours") from None
    place = lambda s: (s["channel"], s["from_us"], s["id"])
    wanted = [
        s
        for s in sorted(segments, key=place)
        if s["to_us"] > start
        and s["from_us"] < end
        and (channels is None or s["channel"] in channels)
        and (kinds is None or s["kind"] in kinds)
        and place(s) > after
    ]
    complete = {}
    for s in wanted:
        if not s["open"]:
            complete[s["channel"]] = max(s["to_us"], complete.get(s["channel"], 0))
    next_cursor = json.dumps(place(wanted[limit - 1])) if len(wanted) > limit else None
    return {"segments": wanted[:limit], "next_cursor": next_cursor, "complete_to_us": complete}


def inside(base, name):
    """The path of segment `name` in folder `base`: never outside, whatever links stand there."""
    if not is_segment_id(name):
        raise bad(f"id: {name!r} is no id of a segment")
    path = os.path.join(base, name)
    if os.path.commonpath([os.path.realpath(base), os.path.realpath(path)]) != os.path.realpath(base):
        raise bad(f"id: {name!r} leads elsewhere")
    return path


def read_material(base):
    """The verb read-material, for segments that are files in `base(request)`."""

    def verb(request):
        path = inside(base(request), request.get("id"))
        offset, length = number(request, "offset", 0), number(request, "length", NUMBER_MAX - 1)
        try:
            file = open(path, "rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise Refused(5, "not-found", f"no segment {request['id']}") from None
        file.seek(offset)
        return Raw(file, length)

    return verb
