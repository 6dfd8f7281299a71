// Patients: finding them, opening them, and the tables that give each verdict its reason.

const PAGE_SIZE = 50;
const patients = { data: null, entries: [], limit: PAGE_SIZE };

function loadPatients() {
  if (!patients.data) patients.data = JSON.parse(document.getElementById("patients-data").textContent);
  return patients.data;
}

function makeChip(word) {
  const tone = loadPatients().tones[word] || "ne";
  return makeElement("span", { class: `chip tone-${tone}` }, word);
}

// One opened patient ---------------------------------------------------------------------------

function fillPatient(details) {
  const data = loadPatients();
  const patient = data.patients[Number(details.dataset.at)];
  const body = details.querySelector(".body");
  body.replaceChildren();
  const facts = makeElement("dl", { class: "facts" });
  for (const [name, value] of patient.facts) {
    facts.append(makeElement("div", {}, makeElement("dt", {}, name), makeElement("dd", {}, value)));
  }
  const holder = makeElement("div", { class: "scroll timeline", tabindex: "0", role: "region", "aria-label": `Timeline of ${patient.id}` });
  const cards = data.omics ? patient.cards || [] : [];
  const aside = makeElement("div", {}, ...cards.map((card) => makeSummary(data.omics, card)));
  const top = makeElement("div", { class: cards.length ? "beside" : null }, holder, ...(cards.length ? [aside] : []));
  body.append(facts, makeGlance(data, patient), top);
  const dated = patient.visits.length || patient.base.length || patient.drugs.length || patient.procedures.length || patient.end;
  if (dated) holder.append(drawTimeline(data, patient, page.reader, holder.clientWidth - 4));
  else holder.replaceWith(makeElement("p", { class: "note" }, "Nothing with a date is recorded of this patient."));
  body.append(makeEnd(patient, details.id));
  if (patient.twin) body.append(makeOutlook(data.outlooks, patient.twin));
  if (patient.plan) body.append(makePlans(data.plans, patient.plan));
  for (const card of cards) body.append(makeCard(data.omics, card));
  const order = data.views.map((view, at) => ({ at, criterion: view[0], reader: view[1], label: view[2], unit: view[3] }));
  const lead = order.filter((v) => v.criterion === page.criterion && v.reader === page.reader);
  for (const view of lead) body.append(makeViewTable(data, patient, view, true));
  for (const view of order.filter((v) => !lead.includes(v))) body.append(makeViewTable(data, patient, view, false));
  page.watchScroll(body);
}

// What the card says further down, in short: response, resistance, what is on, strategy, outlook.
function makeGlance(data, patient) {
  const list = makeElement("dl", { class: "pairs brief glance" });
  const add = (name, ...parts) => list.append(makeElement("div", {}, makeElement("dt", {}, name), makeElement("dd", {}, ...parts)));
  const views = data.views.map((view, at) => ({ at, view })).filter(({ view }) => view[1] === page.reader);
  const best = views.map(({ at, view }) => [view[2], patient.best.find((row) => row[0] === at)]).filter(([, row]) => row);
  if (best.length) add("Best response", ...best.map(([label, row]) => makeElement("span", { class: "part" }, `${label} `, makeChip(data.words[row[1]]))));
  for (const [name, drug, day, criterion, reason] of patient.resist || []) {
    add("Resistance", makeElement("b", {}, name), `${drug ? ` to ${drug}` : ""}${day === null ? "" : `, ${formatDay(day)}`} (${criterion}). `, makeElement("span", { class: "soft" }, reason));
  }
  if (patient.plan) add("Strategies", ...describePlan(data.plans, patient.plan));
  if (patient.twin) add("Outlook", describeTwin(data.outlooks, patient.twin));
  return list.children.length ? list : null;
}

function describePlan(shared, plan) {
  const first = plan.rows.find((row) => row[1] === 0);
  if (plan.nothing || !first) return [plan.nothing || "nothing addresses what is on"];
  const [key, name, , , stage, outcome] = shared.strategies[first[0]];
  return [`First by evidence for what is on: ${name} `, makeElement("span", { class: "soft" }, `(${stage}: ${outcome}; ${key}). No advice.`)];
}

function describeTwin(shared, twin) {
  if (twin.why) return twin.why;
  const at = findShown(shared);
  const rows = twin.rows.filter((row) => row[1] === at);
  const few = twin.effective < shared.few ? " Rests on too few virtual patients." : "";
  return `Virtual patients like this one, going on as now, within ${shared.horizons[at][1]}: ${describeAhead(shared, rows)}.${few} Research only.`;
}

function makeEnd(patient, anchor) {
  const parts = [];
  if (patient.end) parts.push(`${patient.end[1] ? "Died" : "Last known alive"} on ${formatDay(patient.end[0])}. `);
  return makeElement("p", { class: "note" }, ...parts, makeElement("a", { href: `#${anchor}` }, "Link to this patient"));
}

function makeViewTable(data, patient, view, open) {
  const name = view.reader ? `${view.label}, reader ${view.reader}` : view.label;
  const visits = patient.visits.filter((visit) => visit[0] === view.at);
  const best = patient.best.find((row) => row[0] === view.at);
  const host = makeElement("details", { class: "fold visits", open: open ? "" : null });
  host.append(makeElement("summary", {}, name, " ", ...(best ? [makeChip(data.words[best[1]])] : [])));
  if (best) host.append(makeBest(data, best));
  const base = patient.base.find((row) => row[0] === view.at);
  if (base && (base[1] !== null || base[3])) host.append(makeBase(base, view.unit));
  if (!visits.length) {
    host.append(makeElement("p", { class: "note" }, "No visit after baseline."));
    return host;
  }
  const rows = visits.map((visit) => makeVisit(data, visit));
  const head = ["Day", "Response", "Target · non-target · new", `Sum, ${view.unit}`, "Why"];
  const table = makeElement("table", { role: "table" },
    makeElement("caption", {}, `Visits of ${patient.id}, ${name}`),
    makeElement("thead", { role: "rowgroup" }, makeElement("tr", { role: "row" }, ...head.map((text, i) => makeElement("th", { scope: "col", role: "columnheader", class: i === 0 || i === 3 ? "n" : null }, text)))),
    makeElement("tbody", { role: "rowgroup" }, ...rows));
  host.append(makeElement("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Visits, ${name}` }, table));
  return host;
}

function makeBest(data, best) {
  const line = makeElement("p", { class: "note" });
  const add = (...parts) => line.append(makeElement("span", { class: "part" }, ...parts));
  add("Best response ", makeChip(data.words[best[1]]), best[3] === null ? "" : ` first on ${formatDay(best[3])}`);
  add("confirmed ", makeChip(data.words[best[2]]));
  if (best[4] !== null) add(`first CR or PR on ${formatDay(best[4])}`);
  if (best[5] !== null) add(`progression on ${formatDay(best[5])}`);
  return line;
}

function makeBase(base, unit) {
  const parts = [];
  if (base[1] !== null) parts.push(`Baseline on ${formatDay(base[1])}`);
  if (base[2] !== null) parts.push(`sum ${formatNumber(base[2], 1)} ${unit}`);
  if (base[3]) parts.push(base[3].replace(/\.$/, ""));
  return makeElement("p", { class: "note" }, `${parts.join(", ")}.`);
}

function makeVisit(data, visit) {
  const [, day, overall, target, nontarget, isNew, sum, newSum, fromBase, fromNadir, rule, reason] = visit;
  const word = (at) => (at === null ? "—" : data.words[at]);
  const sums = makeElement("td", { role: "cell", class: "n" }, formatNumber(sum, 1));
  if (newSum !== null) sums.append(makeElement("span", { class: "soft line" }, `new ${formatNumber(newSum, 1)}`));
  if (fromBase !== null) sums.append(makeElement("span", { class: "soft line" }, `${fromBase > 0 ? "+" : ""}${formatNumber(fromBase, 1)} % baseline`));
  if (fromNadir !== null) sums.append(makeElement("span", { class: "soft line" }, `${fromNadir > 0 ? "+" : ""}${formatNumber(fromNadir, 1)} % nadir`));
  const added = isNew === null ? "—" : isNew ? "new lesion" : "none";
  return makeElement("tr", { role: "row" },
    makeElement("th", { scope: "row", role: "rowheader", class: "n" }, String(day).replace("-", "−")),
    makeElement("td", { role: "cell" }, makeChip(word(overall))),
    makeElement("td", { role: "cell" }, `${word(target)} · ${word(nontarget)} · ${added}`),
    sums,
    makeElement("td", { role: "cell", class: "why" }, reason, " ", makeElement("code", {}, word(rule))));
}

// The list --------------------------------------------------------------------------------------

function matches(entry, text, word) {
  if (text && !entry.text.includes(text)) return false;
  if (!word) return true;
  return entry.verdicts.some((v) => v.dataset.word === word && v.dataset.reader === page.reader && v.dataset.of === page.criterion);
}

function refreshList() {
  const text = document.getElementById("finder-text").value.trim().toLowerCase();
  const word = document.getElementById("finder-word").value;
  const found = patients.entries.filter((entry) => matches(entry, text, word));
  const shown = new Set(found.slice(0, patients.limit));
  for (const entry of patients.entries) entry.item.hidden = !shown.has(entry);
  const left = found.length - shown.size;
  const more = document.getElementById("finder-more");
  more.hidden = left === 0;
  more.textContent = `Show ${Math.min(PAGE_SIZE, left)} more of ${left}`;
  const label = `${found.length} of ${patients.entries.length} patients`;
  document.getElementById("finder-status").textContent = shown.size < found.length ? `${label}, ${shown.size} listed` : label;
}

function openFromHash() {
  const wanted = document.getElementById(location.hash.slice(1));
  if (!wanted || !wanted.classList.contains("patient")) return;
  wanted.closest("li").hidden = false;
  wanted.open = true;
  requestAnimationFrame(() => wanted.scrollIntoView());
}

function startPatients() {
  if (!document.getElementById("patients-data")) return;
  patients.entries = [...document.querySelectorAll("details.patient")].map((details) => ({
    details,
    item: details.closest("li"),
    text: `${details.querySelector(".who").textContent} ${details.querySelector(".arm").textContent}`.toLowerCase(),
    verdicts: [...details.querySelectorAll(".verdicts > span")],
  }));
  for (const { details } of patients.entries) {
    details.addEventListener("toggle", () => { if (details.open && !details.querySelector(".body").firstChild) fillPatient(details); });
  }
  const restart = () => { patients.limit = PAGE_SIZE; refreshList(); };
  document.getElementById("finder-text").addEventListener("input", restart);
  document.getElementById("finder-word").addEventListener("change", restart);
  document.getElementById("finder-more").addEventListener("click", () => { patients.limit += PAGE_SIZE; refreshList(); });
  document.getElementById("finder-open").addEventListener("click", () => {
    for (const entry of patients.entries) if (!entry.item.hidden) entry.details.open = true;
  });
  document.getElementById("finder-close").addEventListener("click", () => {
    for (const entry of patients.entries) entry.details.open = false;
  });
  document.querySelector(".finder").addEventListener("submit", (event) => event.preventDefault());
  page.listeners.push(() => {
    refreshList();
    for (const { details } of patients.entries) {
      if (details.open) fillPatient(details);
      else details.querySelector(".body").replaceChildren();
    }
  });
  addEventListener("hashchange", openFromHash);
  refreshList();
  openFromHash();
}

startPatients();
