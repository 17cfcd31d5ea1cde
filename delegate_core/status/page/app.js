// The dashboard of one runner: it shows what /events says, and sends the operator's orders.
"use strict";

const $ = (id) => document.getElementById(id);
const MOST_LINES = 5000;
const GOOD = new Set(["succeeded", "success", "running", "waiting", "working", "full"]);
const BAD = new Set(["failed", "failure", "error", "timed_out", "rejected", "killed", "stopped", "offline", "unauthorized", "held"]);
const WAIT = new Set(["cancelled", "paused", "maintenance", "draining", "stopping", "pending", "registering", "skipped"]);

let state = null;
let shown = null; // id of the task that is looked at
let settings = false; // whether the settings are looked at
let lines = null; // its log's event source
let skew = 0; // the runner's clock minus ours, seconds

// ---------------------------------------------------------------- small things

function element(name, text = "", kind = "") {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function tone(word) {
  return GOOD.has(word) ? "good" : BAD.has(word) ? "bad" : WAIT.has(word) ? "wait" : "";
}

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const whole = Math.max(0, seconds);
  if (whole < 10) return `${whole.toFixed(1)}s`;
  const s = Math.floor(whole), h = Math.floor(s / 3600), m = Math.floor((s % 3600) / 60);
  return h ? `${h}h${String(m).padStart(2, "0")}m` : m ? `${m}m${String(s % 60).padStart(2, "0")}s` : `${s}s`;
}

const now = () => Date.now() / 1000 + skew;
const ago = (at) => (at === null ? "" : `${duration(now() - at)} ago`);
const clock = (at) => new Date(at * 1000).toLocaleTimeString();

function figures(list, pairs) {
  list.replaceChildren(...pairs.filter(([, value]) => value !== "" && value !== null).map(([name, value, kind]) => {
    const box = element("div");
    box.append(element("dt", name), element("dd", String(value), kind || ""));
    return box;
  }));
}

function rows(table, made, nothing) {
  const body = table.tBodies[0];
  if (!made.length) {
    const row = element("tr"), cell = element("td", nothing, "empty");
    cell.colSpan = table.tHead.rows[0].cells.length;
    row.append(cell);
    made = [row];
  }
  body.replaceChildren(...made);
}

function link(task) {
  const made = element("a", task.title || task.id);
  made.href = `#task/${encodeURIComponent(task.id)}`;
  made.title = task.id;
  return made;
}

function row(...cells) {
  const made = element("tr");
  for (const cell of cells) {
    const one = element("td");
    if (cell instanceof Node) one.append(cell); else { one.textContent = cell; one.title = cell; }
    made.append(one);
  }
  return made;
}

// ---------------------------------------------------------------- the state

function took(task) {
  const from = task.started ?? task.claimed;
  return from === null ? null : (task.finished ?? now()) - from;
}

function progress(task) {
  if (!task.steps.length) return "";
  const over = task.steps.filter((step) => step.stopped !== null || step.status === "skipped").length;
  const running = task.steps.filter((step) => step.status === "running").map((step) => step.name);
  return `${over}/${task.steps.length}${running.length ? " " + running.join(", ") : ""}`;
}

function show(next) {
  state = next;
  skew = next.time - Date.now() / 1000;
  document.title = `${next.running.length ? `(${next.running.length}) ` : ""}${next.runner.name} · delegate`;
  $("name").textContent = next.runner.name;
  $("session").textContent = `${next.runner.backend}: ${next.runner.session}`;
  const badge = $("state");
  const word = next.standing.word || next.runner.state;
  if (badge.textContent !== word) badge.textContent = word;
  badge.title = next.standing.since === null ? "" : `for ${duration(next.standing.since)}`;
  badge.className = `badge ${tone(word) === "good" && !next.ready ? "bad" : tone(word)}`;
  const away = ["offline", "unauthorized"].includes(word) ? next.standing.reason : "";
  const urgent = next.ready ? away || next.slots.holds.join("; ") : next.ready_reason;
  const advice = next.runner.advice.map((one) => `${one.about}: ${one.text}: ${one.cure}`);
  const alert = [urgent, ...advice].filter(Boolean).join(" · ");
  if ($("alert").textContent !== alert) $("alert").textContent = alert;
  $("alert").hidden = !alert;
  const open = ["running", "paused"].includes(next.runner.state);
  const paused = next.runner.state === "paused" && !next.maintenance;
  if ($("pause").textContent !== (paused ? "Resume" : "Pause")) $("pause").textContent = paused ? "Resume" : "Pause";
  $("pause").disabled = !open || Boolean(next.maintenance);
  const maintenance = next.maintenance ? "End maintenance" : "Maintenance";
  if ($("maintenance").textContent !== maintenance) $("maintenance").textContent = maintenance;
  $("maintenance").disabled = !open;
  $("drain").disabled = ["draining", "stopping", "stopped"].includes(next.runner.state);
  redraw();
}

function redraw() {
  if (!state || settings) return;
  if (shown === null) overview(state); else detail(state);
}

function overview(next) {
  const totals = next.totals;
  figures($("figures"), [
    ["Slots", `${next.slots.used} of ${next.slots.capacity}`],
    ["Claimed", totals.claimed],
    ...Object.entries(totals.finished).map(([name, count]) => [name.replace("_", " "), count, tone(name)]),
    ["Not delivered yet", totals.backlog || ""],
    ["Undeliverable", totals.undeliverable || "", "bad"],
    ["Last contact", next.connection.since_contact === null ? "none" : `${duration(next.connection.since_contact)} ago`],
    ["Up", duration(next.runner.uptime)],
  ]);
  $("running-note").textContent = next.running.length || "";
  rows($("running"), next.running.map((task) =>
    row(link(task), task.type, progress(task), duration(took(task)), task.cancelling ? "being cancelled" : task.last_line)),
    next.waiting ? `nothing: ${next.waiting}` : "nothing");
  rows($("recent"), next.recent.map((task) =>
    row(link(task), task.type, element("span", task.outcome.replace("_", " "), tone(task.outcome)), duration(took(task)),
      ago(task.finished), task.error)), "none yet");
}

function detail(next) {
  const task = next.running.find((one) => one.id === shown) || next.recent.find((one) => one.id === shown);
  $("cancel").hidden = !task || Boolean(task.outcome);
  if (!task) {
    $("task-title").textContent = shown;
    figures($("task-facts"), [["", "this task is not among the last ones; its log may still be here"]]);
    return;
  }
  $("task-title").textContent = task.title ? `${task.title} (${task.id})` : task.id;
  $("cancel").disabled = task.cancelling;
  figures($("task-facts"), [
    ["Type", task.type],
    ["State", task.outcome ? task.outcome.replace("_", " ") : task.cancelling ? "being cancelled" : task.started ? "running" : "waiting", tone(task.outcome)],
    ["Time", duration(took(task)) + (task.timeout ? ` of ${duration(task.timeout)}` : "")],
    ["Lines", task.lines],
    ["Why", task.error, "bad"],
  ]);
  graph(task.steps);
}

// ---------------------------------------------------------------- the graph of a task's steps

// In which column a step stands: behind all that it waits for; without dependencies steps follow one another.
function columns(steps) {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const chain = !steps.some((step) => step.depends_on.length);
  const found = new Map();
  const column = (step, above) => {
    if (found.has(step.name)) return found.get(step.name);
    if (above.has(step.name)) return 1; // a circle, which no server sends
    const before = step.depends_on.map((name) => byName.get(name)).filter(Boolean);
    const deeper = new Set(above).add(step.name);
    found.set(step.name, 1 + Math.max(0, ...before.map((one) => column(one, deeper))));
    return found.get(step.name);
  };
  return steps.map((step, index) => (chain ? index + 1 : column(step, new Set())));
}

function graph(steps) {
  const list = $("steps"), levels = columns(steps), rowsOf = new Map();
  const items = steps.map((step, index) => {
    const item = element("li", "", tone(step.status) || "work");
    item.append(element("strong", step.name));
    const time = step.started === null ? "" : duration((step.stopped ?? now()) - step.started);
    const after = step.depends_on.length ? ` after ${step.depends_on.join(", ")}` : "";
    const code = step.exit_code ? ` exit ${step.exit_code}` : "";
    item.append(element("small", `${step.status}${code} ${time}${after}`));
    const row = (rowsOf.get(levels[index]) || 0) + 1;
    rowsOf.set(levels[index], row);
    [item.style.gridColumn, item.style.gridRow] = [levels[index], row];
    return item;
  });
  list.replaceChildren(...items);
  edges();
}

function edges() {
  const task = state && [...state.running, ...state.recent].find((one) => one.id === shown);
  const svg = $("edges"), items = [...$("steps").children];
  if (!task || items.length !== task.steps.length) return svg.replaceChildren();
  const at = new Map(task.steps.map((step, index) => [step.name, items[index]]));
  const chain = !task.steps.some((step) => step.depends_on.length);
  const pairs = task.steps.flatMap((step, index) =>
    (chain ? (index ? [task.steps[index - 1].name] : []) : step.depends_on).map((name) => [at.get(name), items[index]]));
  svg.setAttribute("width", $("steps").scrollWidth);
  svg.setAttribute("height", $("steps").scrollHeight);
  svg.replaceChildren(...pairs.filter(([from]) => from).map(([from, to]) => {
    const [x1, y1] = [from.offsetLeft + from.offsetWidth, from.offsetTop + from.offsetHeight / 2];
    const [x2, y2] = [to.offsetLeft, to.offsetTop + to.offsetHeight / 2], middle = (x1 + x2) / 2;
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
    line.setAttribute("d", `M${x1} ${y1} C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`);
    return line;
  }));
}

// ---------------------------------------------------------------- the settings

async function showSettings() {
  try {
    const reply = await fetch("settings.json");
    if (!reply.ok) throw new Error(reply.statusText);
    const all = $("all-settings").checked;
    $("setting-tables").replaceChildren(...Object.entries(await reply.json()).flatMap(([name, found]) => {
      const given = Object.entries(found).filter(([, one]) => all || one.from !== "default");
      const table = element("table"), head = table.createTHead().insertRow(), body = table.createTBody();
      for (const title of ["Setting", "Value", "From"]) {
        const cell = element("th", title);
        cell.scope = "col";
        head.append(cell);
      }
      body.append(...given.map(([setting, one]) => row(setting, one.value, one.from)));
      return given.length ? [element("h3", name === "runner" ? "The runner" : name), table] : [];
    }));
  } catch (error) {
    $("setting-tables").replaceChildren(element("p", `the settings cannot be shown: ${error.message}`, "bad"));
  }
}

$("all-settings").addEventListener("change", showSettings);

// ---------------------------------------------------------------- a task's log

const COLOUR = /\x1b\[([0-9;]*)m/g;

function coloured(text) {
  const parts = document.createDocumentFragment();
  let at = 0, classes = new Set();
  const add = (piece) => {
    if (!piece) return;
    parts.append(classes.size ? element("span", piece, [...classes].map((code) => `a${code}`).join(" ")) : piece);
  };
  for (const match of text.matchAll(COLOUR)) {
    add(text.slice(at, match.index));
    at = match.index + match[0].length;
    const codes = match[1].split(";").map(Number);
    if (codes[0] === 38 || codes[0] === 48) continue; // a palette's colour: shown plain
    for (const code of codes) {
      if (code === 0) { classes.clear(); continue; }
      if (code === 22) { classes.delete(1); classes.delete(2); continue; }
      if (code === 39 || code === 49) {
        for (const one of [...classes]) if ((code === 39) === (one % 60 < 40 && one >= 30 || one >= 90)) classes.delete(one);
        continue;
      }
      if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) for (const one of [...classes]) if (one >= 30 && one !== code && !(one >= 40 && one <= 47)) classes.delete(one);
      classes.add(code);
    }
  }
  add(text.slice(at));
  return parts;
}

function append(found) {
  const log = $("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  for (const line of found) {
    const made = element("div", "", line.level === "info" ? "" : line.level);
    if (line.stream) made.append(element("span", `${line.stream}: `, "step"));
    made.append(coloured(line.text), "\n");
    log.append(made);
  }
  while (log.childElementCount > MOST_LINES) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function follow(id) {
  if (lines) lines.close();
  lines = null;
  $("log").replaceChildren();
  if (id === null) return;
  let next = 0;
  const path = `tasks/${encodeURIComponent(id)}`;
  $("whole-log").href = `${path}/log`;
  lines = new EventSource(`${path}/events?start=0`);
  lines.addEventListener("lines", (event) => {
    const found = JSON.parse(event.data).filter((line) => line.number >= next); // a new connection starts anew
    if (!found.length) return;
    if (found[0].number > next) append([{ stream: "", level: "quiet", text: `(${found[0].number - next} lines are only in the whole log)` }]);
    next = found[found.length - 1].number + 1;
    append(found);
  });
  lines.addEventListener("end", () => { lines.close(); });
}

// ---------------------------------------------------------------- the runner's log

async function records() {
  try {
    const reply = await fetch("log.json");
    if (!reply.ok) return;
    const found = (await reply.json()).records;
    $("records").replaceChildren(...found.slice().reverse().map((one) => element("li", `${clock(one.time)} ${one.message}`, one.level)));
  } catch { /* the events say that the runner is gone */ }
}

// ---------------------------------------------------------------- orders

async function order(path, body = {}) {
  try {
    const reply = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    if (!reply.ok) throw new Error((await reply.json()).error || reply.statusText);
  } catch (error) {
    $("alert").textContent = `not done: ${error.message}`;
    $("alert").hidden = false;
  }
}

$("pause").addEventListener("click", () => order(state.runner.state === "paused" ? "resume" : "pause"));
$("maintenance").addEventListener("click", () => {
  const dialog = $("maintenance-dialog");
  dialog.returnValue = ""; // Escape may leave what the last one was closed with
  if (state.maintenance) order("maintenance/off"); else dialog.showModal();
});
$("maintenance-dialog").addEventListener("close", () => {
  if ($("maintenance-dialog").returnValue !== "on") return;
  order("maintenance/on", { message: $("maintenance-message").value, for: $("maintenance-for").value });
});
$("drain").addEventListener("click", () => {
  if (confirm("Take no new task, finish what runs, and leave?")) order("drain");
});
$("cancel").addEventListener("click", () => {
  if (confirm("Cancel this task?")) order(`tasks/${encodeURIComponent(shown)}/cancel`);
});

// ---------------------------------------------------------------- where we are

function route() {
  const found = /^#task\/(.+)$/.exec(location.hash);
  const id = found ? decodeURIComponent(found[1]) : null;
  const asked = location.hash === "#settings";
  if (id === shown && asked === settings && state) return;
  [shown, settings] = [id, asked];
  $("overview").hidden = id !== null || settings;
  $("task").hidden = id === null;
  $("settings").hidden = !settings;
  follow(id);
  if (state) show(state);
  if (id !== null) $("task-title").focus();
  if (settings) { showSettings(); $("settings-title").focus(); }
}

addEventListener("hashchange", route);
route();
records();
setInterval(records, 3000);
setInterval(redraw, 1000);
addEventListener("resize", edges);

const events = new EventSource("events");
events.addEventListener("status", (event) => show(JSON.parse(event.data)));
events.addEventListener("error", () => {
  $("state").textContent = "the runner does not answer";
  $("state").className = "badge bad";
  $("pause").disabled = $("drain").disabled = $("maintenance").disabled = true;
});
