"""A source command that does what its configuration says: well, badly, or never."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def say(**message):
    print(json.dumps(message), flush=True)


def record(data, stream="things", **more):
    say(type="RECORD", record={"stream": stream, "data": data, "emitted_at": 1700000000000, **more})


SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": ["null", "string"]},
        "price": {"type": "number"},
        "born": {"type": "string", "format": "date"},
        "seen": {"type": "string", "format": "date-time"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "blob": {"type": "object"},
        "place": {"type": "object", "properties": {"city": {"type": "string"}, "zip": {"type": "integer"}}},
    },
}


def attempt(config):
    """How often this was called with the same `counter` file before."""
    path = Path(config["counter"])
    before = int(path.read_text()) if path.exists() else 0
    path.write_text(str(before + 1))
    return before


def fail_at_first(config):
    """Fails `failures` times, after `complete` streams have been read to their end."""
    failing = attempt(config) < config["failures"]
    streams = [entry["stream"]["name"] for entry in json.loads(catalog.read_text())["streams"]]
    for number, name in enumerate(streams):
        if failing and number == config["complete"]:
            time.sleep(config.get("hang", 0))
            sys.exit("not yet")
        record({"id": 1}, stream=name)
        status = {"stream_descriptor": {"name": name}, "status": "COMPLETE"}
        say(type="TRACE", trace={"type": "STREAM_STATUS", "emitted_at": 1, "stream_status": status})


def misbehave(mode, config):
    """What only a hostile source does."""
    if mode == "line":
        print(config["line"], flush=True)
    elif mode == "half_line":
        record({"id": 1})
        print('{"type": "RECORD", "record": {"stream": "th', end="", flush=True)
    elif mode == "signal":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif mode == "endless_line":
        while True:
            os.write(1, b"x" * 2**20)
    elif mode == "flood":
        for _ in range(config["mebibytes"]):
            os.write(2, (b"y" * 1023 + b"\n") * 1024)
        record({"id": 1})
    elif mode == "memory":
        bytearray(config["bytes"])
    elif mode == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        record({"id": 1})
        code = "import time; time.sleep(600)"
        subprocess.Popen([sys.executable, "-c", code, config["marker"]], start_new_session=True)
        time.sleep(600)


def read(config):
    mode = config.get("mode", "good")
    if mode == "good":
        for number in range(config.get("rows", 3)):
            record({"id": number, "name": f"n{number}", "blob": {"a": [1, "x"]}, "tags": ["t"]})
        state = {"stream_descriptor": {"name": "things"}, "stream_state": {"seen": config.get("rows", 3)}}
        say(type="STATE", state={"type": "STREAM", "stream": state})
    elif mode == "records":
        for data in config["records"]:
            envelope = '{"type": "RECORD", "record": {"stream": "things", "emitted_at": 1, "data": %s}}'
            print(envelope % data, flush=True)
    elif mode == "garbage":
        print('no json at all\n{"type": "RECO\n\x00\xff', flush=True)
        sys.stderr.write("noise\n" * 200_000)
        record({"id": 1})
    elif mode == "exit":
        print("something went wrong at line 7", file=sys.stderr)
        sys.exit(1)
    elif mode == "trace":
        error = {"message": "the token has expired", "failure_type": "config_error"}
        say(type="TRACE", trace={"type": "ERROR", "emitted_at": 1, "error": error})
        sys.exit(1)
    elif mode == "unknown_stream":
        record({"id": 1}, stream="other")
    elif mode == "legacy_state":
        say(type="STATE", state={"data": {"cursor": 1}})
    elif mode == "hang":
        record({"id": 1})
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", config["marker"]])
        time.sleep(600)
    else:
        misbehave(mode, config)


command = sys.argv[1]
catalog = Path(sys.argv[sys.argv.index("--catalog") + 1]) if "--catalog" in sys.argv else None
config = (
    json.loads(Path(sys.argv[sys.argv.index("--config") + 1]).read_text()) if "--config" in sys.argv else {}
)
if command == "spec":
    say(type="SPEC", spec={"connectionSpecification": {"type": "object"}})
elif command == "check":
    say(type="CONNECTION_STATUS", connectionStatus={"status": "SUCCEEDED"})
elif command == "discover":
    if config.get("mode") == "hang_discover":
        subprocess.run([sys.executable, "-c", "import time; time.sleep(600)", config["marker"]], check=False)
    modes = ["full_refresh", "incremental"]
    say(
        type="CATALOG",
        catalog={
            "streams": [
                {
                    "name": name,
                    "json_schema": SCHEMA,
                    "supported_sync_modes": modes,
                    "source_defined_cursor": True,
                }
                for name in config.get("streams", ["things"])
            ]
        },
    )
elif config.get("mode") == "fails_at_first":
    fail_at_first(config)
else:
    read(config)
