"use strict";
// The page keeps what it has seen while it is open, and draws that. All text is set as text, never as markup.

const EVERY = 2000;
const FLEET_EVERY = 5000;
const REMEMBERED = 300;
const SHOWN = 300;
const ROWS = 12;

const mayChange = document.body.dataset.changes === "yes";
const seen = [];
const drawn = new Map();
const sorts = new Map();
let last = null;
let isPaused = false;

const $ = (id) => document.getElementById(id);

function make(tag, text, ...classes) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  made.classList.add(...classes.filter(Boolean));
  return made;
}

function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 1e-3) return "< 1 ms";
  if (seconds < 1) return `${Math.floor(seconds * 1e3)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor((seconds % 86400) / 3600)} h`;
}

const number = (it) => (it === null ? "–" : it.toLocaleString("en").replaceAll(",", " "));
const percent = (it) => (it === null ? "–" : `${(100 * it).toFixed(1)} %`);
const word = (it) => it.replaceAll("_", " ");
const clock = (at) => new Date(at * 1000).toLocaleTimeString();

// A column: its title, what it sorts by, how that is shown, and the class of its cells.
const column = (title, value, show = (it) => it, kind = "") => ({ title, value, show, kind });

const FUNCTIONS = [
  column("Function", (it) => it.label, undefined, "name"),
  column("Scope", (it) => it.scope, undefined, "text less"),
  column("Entries", (it) => it.entries, number),
  column("Hits", (it) => it.hits, number),
  column("Hit rate", (it) => it.hit_rate, percent),
  column("Misses", (it) => it.misses, number, "less"),
  column("Builds", (it) => it.builds, number, "less"),
  column("Build time", (it) => it.build_mean, span),
  column("Failures", (it) => it.failures, number, "less"),
  column("In use", (it) => it.entries - it.idle, number, "less"),
  column("Stale", (it) => it.stale, number, "less"),
  column("Draining", (it) => it.draining, number, "less"),
  column("Waiting", (it) => it.waiting, number, "less"),
  column("Weight", (it) => it.weight, number, "less"),
];

const ENTRIES = [
  column("Function", (it) => it.label, undefined, "name"),
  column("State", (it) => it.state, undefined, "mark text"),
  column("Scope", (it) => it.scope, undefined, "text less"),
  column("Session", (it) => it.owner ?? "", undefined, "text"),
  column("Age", (it) => it.age, span),
  column("Hits", (it) => it.hits, number),
  column("Build time", (it) => it.build_time, span),
  column("Last use", (it) => it.unused, (it) => (typeof it === "number" ? `${span(it)} ago` : "–"), "less"),
  column("In use", (it) => it.in_use, (it) => (it ? "yes" : "no"), "less"),
  column("Weight", (it) => it.weight, number, "less"),
];

const EVENTS = [
  column("When", (it) => it.at, clock, "text"),
  column("What", (it) => it.cause ?? it.what, word, "mark text"),
  column("Function", (it) => it.label, undefined, "name"),
  column("Build time", (it) => it.build_time, span),
];

const SESSIONS = [
  column("Session", (it) => it.owner, undefined, "text"),
  column("Scope", (it) => it.scope, undefined, "text"),
  column("Entries", (it) => it.entries, number),
  column("Hits", (it) => it.hits, number),
  column("Oldest", (it) => it.oldest, span),
  column("Weight", (it) => it.weight, number, "less"),
];

const MEMBERS = [
  column("Member", (it) => it.id.slice(0, 8), (it) => it, "text"),
  column("Host", (it) => it.host, undefined, "text"),
  column("Process", (it) => it.pid, String),
  column("Functions", (it) => it.functions, number, "less"),
  column("Entries", (it) => it.entries, number),
  column("Hits", (it) => it.hits, number, "less"),
  column("Builds", (it) => it.builds, number, "less"),
  column("Behind", (it) => it.behind, number),
  column("Lag", (it) => it.lag, span),
];

function compare(one, other) {
  if (one === other) return 0;
  if (one === null || one === undefined) return -1;
  if (other === null || other === undefined) return 1;
  if (typeof one === "string") return one.localeCompare(other);
  return one < other ? -1 : 1;
}

// Draws a table, and keeps the rows that are there: what is pressed must not be replaced meanwhile.
function table(id, columns, rows, { key, actions, initial, none }) {
  const there = $(id);
  const sort = sorts.get(id) ?? initial;
  const sorted = [...rows];
  if (sort) {
    const by = columns.find((it) => it.title === sort.title).value;
    sorted.sort((one, other) => sort.sign * compare(by(one), by(other)));
  }
  let state = drawn.get(id);
  if (!state) {
    const head = there.createTHead().insertRow();
    for (const it of columns) {
      const cell = make("th", undefined, ...it.kind.split(" ").map((kind) => (kind === "name" ? "text" : kind === "mark" ? "" : kind)));
      const button = make("button", it.title);
      button.addEventListener("click", () => {
        const now = sorts.get(id) ?? initial;
        const sign = now && now.title === it.title ? -now.sign : it.kind.includes("name") || it.kind.includes("text") ? 1 : -1;
        sorts.set(id, { title: it.title, sign });
        draw();
      });
      cell.append(button);
      head.append(cell);
    }
    if (actions) head.append(make("th"));
    state = { head, body: there.createTBody(), rows: new Map() };
    drawn.set(id, state);
  }
  [...state.head.cells].slice(0, columns.length).forEach((cell, at) => {
    const isIt = sort && sort.title === columns[at].title;
    cell.firstChild.textContent = columns[at].title + (isIt ? (sort.sign < 0 ? " ↓" : " ↑") : "");
    if (isIt) cell.setAttribute("aria-sort", sort.sign < 0 ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  });
  const kept = new Map();
  sorted.slice(0, SHOWN).forEach((it, at) => {
    const own = key(it, at);
    const row = state.rows.get(own) ?? newRow(columns, actions);
    row.it = it;
    columns.forEach((column, place) => {
      const value = column.value(it) ?? null;
      const text = column.show(value);
      const cell = row.cells[place];
      const target = column.kind.includes("mark") ? cell.firstChild : cell;
      if (target.textContent !== String(text)) target.textContent = text;
      if (column.kind.includes("mark")) target.className = `mark ${String(value).replaceAll(/[^a-z_]/g, "")}`;
      if (column.kind.includes("name") || column.kind.includes("arguments")) cell.title = text;
    });
    if (state.body.rows[at] !== row) state.body.insertBefore(row, state.body.rows[at] ?? null);
    kept.set(own, row);
  });
  for (const row of [...state.body.rows]) if (![...kept.values()].includes(row)) row.remove();
  state.rows = kept;
  if (!kept.size) {
    const cell = make("td", none, "none");
    cell.colSpan = columns.length + (actions ? 1 : 0);
    state.body.insertRow().append(cell);
  }
}

function newRow(columns, actions) {
  const row = document.createElement("tr");
  for (const it of columns) {
    const cell = make("td", undefined, ...it.kind.split(" ").filter((kind) => kind !== "mark"));
    cell.dataset.title = it.title;
    if (it.kind.includes("mark")) cell.append(make("span", "", "mark"));
    row.append(cell);
  }
  if (actions) {
    const cell = make("td", undefined, "actions");
    for (const how of ["expire", "clear"]) {
      const button = make("button", how === "clear" ? "Clear" : "Expire", how === "clear" ? "danger" : "");
      button.addEventListener("click", () => actions(how, row.it));
      cell.append(button);
    }
    row.append(cell);
  }
  return row;
}

const SVG = "http://www.w3.org/2000/svg";

function svg(parent, tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

function chart(id, points, show, top) {
  const there = $(id);
  there.replaceChildren();
  const width = there.clientWidth || 300;
  const height = 90;
  there.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const known = points.filter(([, value]) => value !== null);
  const most = top ?? Math.max(...known.map(([, value]) => value), 0);
  const [low, high] = [height - 16, 16];
  for (const y of [low, high]) svg(there, "line", { class: "grid", x1: 0, x2: width, y1: y, y2: y });
  svg(there, "text", { x: 0, y: high - 4 }, most > 0 ? show(most) : "");
  if (known.length < 2) return svg(there, "text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "gathering…");
  const [from, to] = [known[0][0], known.at(-1)[0]];
  const x = (at) => ((at - from) / (to - from || 1)) * (width - 4) + 2;
  const y = (value) => low - (value / (most || 1)) * (low - high);
  const path = known.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" L");
  svg(there, "path", { class: "under", d: `M${x(from)},${low} L${path} L${x(to)},${low} Z` });
  svg(there, "path", { class: "curve", d: `M${path}` });
  svg(there, "text", { x: 0, y: height - 3 }, `${span(to - from)} ago`);
  svg(there, "text", { x: width, y: height - 3, "text-anchor": "end" }, "now");
}

function timeline(events, now) {
  const there = $("timeline");
  there.replaceChildren();
  const legend = $("legend");
  legend.replaceChildren();
  const kinds = [...new Set(events.map((it) => it.cause ?? it.what))];
  for (const kind of kinds) legend.append(make("span", word(kind), "mark", kind));
  const names = [...new Set([...events].reverse().map((it) => it.label))].slice(0, ROWS);
  const width = there.clientWidth || 600;
  const height = 22 * names.length + (names.length ? 18 : 0);
  there.setAttribute("viewBox", `0 0 ${width} ${Math.max(height, 1)}`);
  there.style.height = `${height}px`;
  if (!names.length) return;
  const from = Math.min(...events.map((it) => it.at), now - 10);
  const left = Math.min(220, width * 0.34);
  const x = (at) => left + ((at - from) / (now - from)) * (width - left - 10);
  names.forEach((name, row) => {
    const y = 22 * row + 11;
    const room = Math.floor(left / 6.3) - 1;
    const shown = name.length > room ? `…${name.slice(1 - room)}` : name;
    svg(there, "text", { x: 0, y: y + 4 }, shown);
    svg(there, "line", { class: "grid", x1: left, x2: width, y1: y, y2: y });
  });
  for (const it of events) {
    const row = names.indexOf(it.label);
    if (row < 0) continue;
    // Builds above the line, releases below: one often follows the other at once.
    const cy = 22 * row + (it.cause ? 16 : 7);
    const dot = svg(there, "circle", { class: it.cause ?? it.what, cx: x(it.at).toFixed(1), cy, r: 3.5 });
    svg(dot, "title", {}, `${it.label}: ${word(it.cause ?? it.what)}, ${clock(it.at)}`);
  }
  svg(there, "text", { x: left, y: height - 4 }, `${span(now - from)} ago`);
  svg(there, "text", { x: width, y: height - 4, "text-anchor": "end" }, "now");
}

// What the functions have counted since the look before. The sums do not tell: what a function has counted that has gone
// is missing in the later one.
function since(before, now) {
  const then = new Map(before.map((it) => [it.number, it]));
  const sum = (name) => now.reduce((sum, it) => sum + it[name] - (then.get(it.number)?.[name] ?? 0), 0);
  return { hits: sum("hits"), misses: sum("misses"), builds: sum("builds"), time: sum("build_time") };
}

// The figures between two looks: how things are now, and not since the process began.
function between(read) {
  return seen.slice(1).map((it) => [it.at, read(it.since)]);
}

function draw() {
  if (!last) return;
  const { total } = last;
  $("where").textContent = `${last.host} · process ${last.pid}`;
  const tiles = [
    ["Hit rate", percent(total.hit_rate)], ["Entries", number(total.entries)], ["In use", number(total.entries - total.idle)],
    ["Hits", number(total.hits)], ["Builds", number(total.builds)], ["Failures", number(total.failures)],
    ["Waiting", number(total.waiting)], ["Draining", number(total.draining)], ["Weight", number(total.weight)],
  ];
  $("total").replaceChildren(...tiles.map(([name, value]) => {
    const tile = make("div", undefined, "tile");
    tile.append(make("b", value), make("span", name));
    return tile;
  }));
  const rate = between(({ hits, misses }) => (hits + misses > 0 ? hits / (hits + misses) : null));
  const build = between(({ builds, time }) => (builds > 0 ? time / builds : null));
  chart("rate", rate, percent, 1);
  chart("build", build, span);
  const weighs = total.weight > 0;
  chart("weight", seen.map((it) => [it.at, weighs ? it.weight : it.entries]), number);
  $("weight-name").textContent = weighs ? "Weight" : "Entries";
  $("rate-now").textContent = percent(total.hit_rate);
  $("build-now").textContent = span(total.build_mean);
  $("weight-now").textContent = number(weighs ? total.weight : total.entries);

  const search = (id) => $(id).value.trim().toLowerCase();
  const wanted = search("functions-search");
  const functions = last.functions.filter((it) => `${it.label} ${it.scope}`.toLowerCase().includes(wanted));
  $("functions-count").textContent = functions.length < last.functions.length ? `${functions.length} of ${last.functions.length}` : last.functions.length;
  const end = (what) => mayChange && ((how, it) => ask(what, how, it));
  table("functions", FUNCTIONS, functions, {
    key: (it) => it.number, actions: end("function"), initial: { title: "Entries", sign: -1 }, none: "No function",
  });

  const live = last.entries.map((it) => ({ ...it, state: it.is_stale ? "stale" : "live" }));
  const draining = last.draining.map((it) => ({ ...it, state: "draining", scope: "", owner: null, in_use: true }));
  const all = [...live, ...draining];
  const meant = search("entries-search");
  const text = (it) => `${it.label} ${it.scope} ${it.owner ?? ""} ${it.state} ${it.arguments ?? ""}`.toLowerCase();
  const entries = all.filter((it) => text(it).includes(meant));
  const shown = Math.min(entries.length, SHOWN);
  const there = total.entries + last.draining.length;
  $("entries-count").textContent = shown < there ? `${number(shown)} of ${number(there)}` : number(there);
  const hasArguments = all.some((it) => it.arguments !== undefined);
  const columns = hasArguments || drawn.get("entries")?.hasArguments
    ? [ENTRIES[0], column("Arguments", (it) => it.arguments ?? "", undefined, "arguments"), ...ENTRIES.slice(1)]
    : ENTRIES;
  if (hasArguments && !drawn.get("entries")?.hasArguments) {
    $("entries").replaceChildren();
    drawn.delete("entries");
  }
  table("entries", columns, entries, {
    key: (it) => `${it.number} ${it.state === "draining"}`, actions: end("entry"), initial: { title: "Age", sign: 1 },
    none: meant ? "None of the entries that are shown" : "Nothing is kept",
  });
  drawn.get("entries").hasArguments = hasArguments || columns !== ENTRIES;
  for (const row of $("entries").tBodies[0].rows) {
    for (const button of row.querySelectorAll("button")) button.hidden = row.it?.state === "draining";
  }

  timeline(last.events, last.at);
  table("events", EVENTS, last.events, {
    // Nothing is pressed there, and two that failed may look the same.
    key: (_, at) => at, initial: { title: "When", sign: -1 }, none: "Nothing has happened",
  });
  $("sessions-card").hidden = !last.sessions.length;
  $("sessions-count").textContent = last.sessions.length;
  table("sessions", SESSIONS, last.sessions, { key: (it) => it.owner, initial: { title: "Oldest", sign: -1 }, none: "" });
}

async function ask(what, how, it) {
  $("said").textContent = "";
  const verb = how === "clear" ? "Clear" : "Expire";
  const of = what === "all" ? "everything" : what === "function" ? "all entries of a function" : "one entry";
  $("ask-title").textContent = `${verb} ${of}?`;
  const whose = it?.owner ? `, session ${it.owner}` : "";
  const name = it ? `${it.label}${whose}. ` : "";
  const then = how === "clear" ? "It is released once nobody uses it, and the next call builds anew." : "It is handed out no longer than max_stale allows.";
  $("ask-text").textContent = name + then;
  $("ask-yes").textContent = verb;
  const dialog = $("ask");
  dialog.returnValue = "no";
  dialog.showModal();
  await new Promise((told) => dialog.addEventListener("close", told, { once: true }));
  if (dialog.returnValue !== "yes") return;
  const body = JSON.stringify({ what, how, number: it?.number });
  try {
    const answer = await fetch("end", { method: "POST", headers: { "content-type": "application/json" }, body });
    const done = async () => ((await answer.json()).ended ? "done" : "it had ended already");
    $("said").textContent = answer.ok ? await done() : await answer.text();
  } catch {
    $("said").textContent = "the process does not answer";
  }
  await look();
}

async function look() {
  try {
    const answer = await fetch("data");
    if (answer.status === 401) return location.reload();
    if (!answer.ok) throw new Error(answer.statusText);
    const now = await answer.json();
    const { at, functions, total: { entries, weight } } = now;
    seen.push({ at, entries, weight, since: since(last?.functions ?? functions, functions) });
    last = now;
    if (seen.length > REMEMBERED) seen.shift();
    $("state").textContent = `as of ${clock(last.at)}`;
  } catch {
    $("state").textContent = "the process does not answer";
  }
  draw();
}

async function lookAtFleet() {
  const answer = await fetch("fleet");
  if (!answer.ok) return;
  const fleet = await answer.json();
  $("fleet-card").hidden = !fleet;
  if (!fleet) return;
  $("fleet-said").textContent = fleet.error ?? `${fleet.members.length} members, lag of the bus ${span(fleet.lag)}`;
  table("fleet", MEMBERS, fleet.members, { key: (it) => it.id, initial: { title: "Host", sign: 1 }, none: "" });
}

async function every(time, work) {
  for (;;) {
    if (!isPaused && !document.hidden) await Promise.resolve(work()).catch(() => {});
    await new Promise((told) => setTimeout(told, time));
  }
}

$("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  $("pause").textContent = isPaused ? "Go on" : "Pause";
  $("pause").setAttribute("aria-pressed", String(isPaused));
});
$("clear-all").hidden = !mayChange;
$("clear-all").addEventListener("click", () => ask("all", "clear"));
for (const id of ["functions-search", "entries-search"]) $(id).addEventListener("input", draw);
addEventListener("resize", draw);
every(EVERY, look);
every(FLEET_EVERY, lookAtFleet);
