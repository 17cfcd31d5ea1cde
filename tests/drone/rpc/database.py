"""A small faithful model of what the server's runner RPC does to its rows: versions, and the texts of its errors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

DONE = {"success", "failure", "killed", "error", "skipped"}
LOCK = (409, "Optimistic Lock Error")
WRAPPED_LOCK = (500, "1 error occurred:\n\t* Optimistic Lock Error\n\n")
NO_ROWS = (500, "sql: no rows in result set")
OK = (200, "")

Row = dict[str, Any]
Answer = tuple[int, str]


@dataclass
class Write:
    """One write that took effect."""

    what: str
    row_id: int
    before: str
    after: str
    by: str


@dataclass
class Database:
    """One build of one stage, and who has written what."""

    build: Row = field(default_factory=lambda: {"id": 7, "status": "pending", "version": 1})
    stage: Row = field(default_factory=dict)
    steps: dict[int, Row] = field(default_factory=dict)
    streams: dict[int, list[str]] = field(default_factory=dict)
    logs: dict[int, bytes] = field(default_factory=dict)
    cards: dict[int, bytes] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    details_fail: int = 0

    def __post_init__(self) -> None:
        self.stage = {
            "id": 1, "repo_id": 3, "build_id": 7, "number": 1, "name": "default", "kind": "pipeline", "type": "exec",
            "status": "pending", "errignore": False, "exit_code": 0, "os": "linux", "arch": "amd64", "started": 0,
            "stopped": 0, "created": 5, "updated": 5, "version": 1, "on_success": True, "on_failure": False,
        }  # fmt: skip

    # ------------------------------------------------------------------ what others do

    def cancel(self) -> None:
        """What a user's cancellation writes, all at once."""
        if self.build["status"] in DONE:
            return
        self.build["status"] = "killed"
        if self.stage["status"] not in DONE:
            self._write("stage", self.stage, {"status": "killed" if self.stage["started"] else "skipped"}, "cancel")
        for step in self.steps.values():
            if step["status"] not in DONE:
                status = "killed" if step.get("started") else "skipped"
                self._write("step", step, {"status": status, "exit_code": 130}, "cancel")

    def restart(self) -> None:
        """The server's live logs are in its memory."""
        self.streams.clear()

    # ------------------------------------------------------------------ the RPC

    def answer(self, method: str, target: str, body: bytes) -> Answer:  # noqa: PLR0911 - a table of routes
        path, _, query = target.partition("?")
        parts = path.removeprefix("/rpc/v2/").split("/")
        match method, parts:
            case "POST", ["ping"]:
                return OK
            case "POST", ["stage"]:
                return (200, json.dumps(self.stage)) if not self.stage.get("machine") else (204, "")
            case "POST", ["stage", number]:
                return self._accept(number, unquote_plus(query.removeprefix("machine=")))
            case "GET", ["stage", number]:
                return self._details(number)
            case "PUT", ["stage", _]:
                return self._update_stage(json.loads(body))
            case "PUT", ["step", _]:
                return self._update_step(json.loads(body))
            case "POST", ["step", number, *rest]:
                return self._output(int(number), "/".join(rest), body)
        return 404, "404 page not found\n"

    def _accept(self, number: str, machine: str) -> Answer:
        if int(number) != self.stage["id"]:
            return NO_ROWS
        if self.stage.get("machine"):
            return LOCK
        self._write("stage", self.stage, {"machine": machine, "status": "pending"}, "accept")
        return 200, json.dumps(self.stage)

    def _details(self, number: str) -> Answer:
        if int(number) != self.stage["id"]:
            return NO_ROWS
        if self.details_fail:
            self.details_fail -= 1
            self._write("stage", self.stage, {"status": "error", "error": "boom"}, "details")
            self.build["status"] = "error"
            return 500, "boom config"
        netrc = {"machine": "git.example", "login": "octo", "password": "netrc-password"}
        return 200, json.dumps({
            "build": {**self.build, "stages": [self.stage]}, "stage": self.stage, "config": {"Data": "", "Hash": None},
            "netrc": netrc, "repository": {"id": 3, "secret": "repository-key"},
            "secrets": [{"name": "deploy", "data": "secret-data"}], "system": {"host": "drone.example"},
        })  # fmt: skip

    def _update_stage(self, sent: Row) -> Answer:
        if sent["build_id"] != self.build["id"]:
            return NO_ROWS
        return self._before_all(sent) if sent["status"] in {"pending", "running"} else self._after_all(sent)

    def _before_all(self, sent: Row) -> Answer:
        if not self._fits(self.stage, sent):
            return LOCK
        self._write("stage", self.stage, _columns(sent), "runner")
        for step in sent.get("steps") or []:
            if any(row["number"] == step["number"] for row in self.steps.values()):
                return 500, "UNIQUE constraint failed: steps.step_stage_id, steps.step_number"
            step_id = 100 + len(self.steps)
            self.steps[step_id] = {**step, "id": step_id, "version": 1}
        if self.build["status"] == "pending":
            self.build["status"] = "running"
        return self._echo(sent)

    def _after_all(self, sent: Row) -> Answer:
        for step in sent.get("steps") or []:
            row = self.steps.get(step["id"])
            if row is None or not self._fits(row, step):
                return LOCK
            self._write("step", row, _columns(step), "runner")
        if not self._fits(self.stage, sent):
            return LOCK
        self._write("stage", self.stage, _columns(sent), "runner")
        self.build["status"] = sent["status"]
        return self._echo(sent)

    def _update_step(self, sent: Row) -> Answer:
        begins = sent["status"] in {"pending", "running"}
        if begins:
            self.streams[sent["id"]] = []
        row = self.steps.get(sent["id"])
        if row is None or not self._fits(row, sent):
            return LOCK if begins else WRAPPED_LOCK
        self._write("step", row, _columns(sent), "runner")
        if not begins:
            self.streams.pop(sent["id"], None)
        return 200, json.dumps({**sent, "version": row["version"]})

    def _output(self, step_id: int, what: str, body: bytes) -> Answer:
        if what == "logs/batch":
            if step_id not in self.streams:
                return 500, "stream: not found"
            self.streams[step_id] += [line["out"] for line in json.loads(body)]
        elif what == "card":
            self.cards[step_id] = body
        elif step_id in self.logs:
            return 500, "UNIQUE constraint failed: logs.log_id"
        else:
            self.logs[step_id] = body
        return OK

    # ------------------------------------------------------------------ rows

    @staticmethod
    def _fits(row: Row, sent: Row) -> bool:
        return (row["id"], row["version"]) == (sent["id"], sent["version"])

    def _write(self, what: str, row: Row, columns: Row, by: str) -> None:
        before = row["status"]
        row.update(columns, version=row["version"] + 1)
        self.writes.append(Write(what, row["id"], before, row["status"], by))

    def _echo(self, sent: Row) -> Answer:
        by_number = {row["number"]: row for row in self.steps.values()}
        steps = [{**step, **_address(by_number[step["number"]])} for step in sent.get("steps") or []]
        return 200, json.dumps({**sent, "version": self.stage["version"], "updated": 99, "steps": steps or None})


def _columns(sent: Row) -> Row:
    return {key: value for key, value in sent.items() if key not in {"id", "version", "steps", "number", "step_id"}}


def _address(row: Row) -> Row:
    return {"id": row["id"], "version": row["version"], "step_id": row["step_id"]}
