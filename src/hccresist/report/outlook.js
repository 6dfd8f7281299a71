// The twin's outlook: chances of virtual patients like this one, on the present drugs and on candidates.

const SHOWN_FIRST = 168; // days ahead that stand open

function makeOutlook(shared, twin) {
  const host = makeElement("div", { class: "card outlook" }, makeElement("h4", {}, "What virtual patients like this one do next"),
    makeElement("p", { class: "notice" }, "Research only: chances that a model's virtual patients have, no forecast for this patient and no advice on care. The model's form, standard doses and the sizes of handles are assumptions; on real series the last size alone was nearer to the next one."));
  if (twin.why) {
    host.append(makeElement("p", { class: "notice plain" }, `No outlook: ${twin.why.replace(/^no twin: /, "")}.`));
    return host;
  }
  if (twin.effective < shared.few) host.append(makeElement("p", { class: "notice bad" }, `This rests on ${formatNumber(twin.effective, 1)} virtual patients in effect: too few, its intervals are too narrow to be trusted.`));
  host.append(makeElement("p", { class: "note" }, `From day ${formatNumber(twin.day, 0)} on. Numbers: mean chance, and 90 % interval: how far virtual patients like this one differ, not how well the model is known. Bar: that interval; grey: of virtual patients that share nothing but the baseline. Change of the sum: median, and 90 % interval of what would be read in those alive.`));
  const open = findShown(shared);
  const order = shared.horizons.map(([days, words], at) => [days, words, at]).sort((a, b) => a[0] - b[0]);
  for (const [, words, at] of order) {
    const rows = twin.rows.filter((row) => row[1] === at);
    if (rows.length) host.append(makeHorizon(shared, words, rows, at === open || order.length === 1));
  }
  const groups = twin.groups.map((at) => shared.groups[at]).join("; or ");
  if (groups) host.append(makeElement("p", { class: "notice plain" }, `Scans cannot tell these handles apart: ${groups}. Where one of a group seems on, it may be another.`));
  host.append(makeOutlookFacts(shared, twin));
  return host;
}

function findShown(shared) {
  const at = shared.horizons.findIndex(([days]) => days >= SHOWN_FIRST);
  return at < 0 ? shared.horizons.length - 1 : at;
}

function makeHorizon(shared, words, rows, open) {
  const courses = [...new Set(rows.map((row) => row[0]))].sort((a, b) => shared.courses[b][1] - shared.courses[a][1]);
  const head = ["Course", ...shared.quantities];
  const lines = courses.map((course) => makeCourse(shared, course, rows.filter((row) => row[0] === course)));
  const table = makeElement("table", { role: "table" },
    makeElement("caption", {}, `Within ${words}`),
    makeElement("thead", { role: "rowgroup" }, makeElement("tr", { role: "row" }, ...head.map((text) => makeElement("th", { scope: "col", role: "columnheader" }, text)))),
    makeElement("tbody", { role: "rowgroup" }, ...lines));
  return makeElement("details", { class: "fold ahead", open: open ? "" : null },
    makeElement("summary", {}, `Within ${words} `, makeElement("span", { class: "soft" }, describeAhead(shared, rows))),
    makeElement("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Outlook within ${words}` }, table));
}

// The chances on the present drugs, in one line.
function describeAhead(shared, rows) {
  const told = rows.filter((row) => shared.courses[row[0]][1] && row[2] < 3 && row[3] !== null);
  return told.map((row) => `${shared.quantities[row[2]].toLowerCase()} ${describeChance(row)}`).join(" · ");
}

function describeChance(row) {
  const percent = (share) => formatNumber(100 * share, 0);
  return `${percent(row[3])} % (${percent(row[4])} to ${percent(row[5])})`;
}

function makeCourse(shared, course, rows) {
  const [name, present, strategy] = shared.courses[course];
  const notes = [...new Set(rows.map((row) => shared.texts[row[10]]).filter((text) => text && !text.startsWith("the data so far")).map((text) => text.replace(/(; )?the data so far told little about this/, "")))];
  const first = makeElement("th", { scope: "row", role: "rowheader" }, makeElement("b", {}, name));
  if (strategy) first.append(makeElement("span", { class: "soft line" }, strategy));
  for (const text of notes) first.append(makeElement("span", { class: "soft line" }, text));
  const cells = shared.quantities.map((quantity, at) => makeAhead(quantity, rows.find((row) => row[2] === at)));
  return makeElement("tr", { role: "row", class: present ? "present" : null }, first, ...cells);
}

function makeAhead(quantity, row) {
  const cell = makeElement("td", { role: "cell", "data-label": quantity });
  if (!row || row[3] === null) { cell.append("cannot be said"); return cell; }
  const chance = row[2] < 3;
  cell.append(chance ? describeChance(row) : `${signed(row[3], 0)} % (${signed(row[4], 0)} to ${signed(row[5], 0)})`);
  if (chance) cell.append(makeWhisker(row));
  if (row[9] !== null) cell.append(makeElement("span", { class: "soft line" }, describeNarrowing(row[9])));
  return cell;
}

function describeNarrowing(share) {
  const percent = Math.round(100 * Math.abs(share));
  if (percent < 10) return "data told little";
  return share > 0 ? `${percent} % narrower than before the data` : `${percent} % wider than before the data`;
}

function makeWhisker(row) {
  const bar = (kind, low, high, at) => {
    if (low === null || high === null) return [];
    const range = makeElement("i", { class: kind }), tick = makeElement("b", { class: kind });
    range.style.left = `${100 * low}%`;
    range.style.width = `${Math.max(0.5, 100 * (high - low))}%`;
    if (at !== null) tick.style.left = `${100 * at}%`;
    return at === null ? [range] : [range, tick];
  };
  return makeElement("span", { class: "whisker", "aria-hidden": "true" }, ...bar("prior", row[7], row[8], row[6]), ...bar("now", row[4], row[5], row[3]));
}

function makeOutlookFacts(shared, twin) {
  const list = makeElement("dl", { class: "pairs brief" });
  const add = (name, text) => { if (text) list.append(makeElement("div", {}, makeElement("dt", {}, name), makeElement("dd", {}, text))); };
  add("Data used", `${twin.data} (${inWords(twin.seen, "number")} after baseline)`);
  add("Rests on", `${formatNumber(twin.effective, 1)} virtual patients in effect`);
  add("Notes", twin.notes);
  return list;
}
