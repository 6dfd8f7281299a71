// One patient's timeline as SVG: treatments, procedures, sums, verdicts. Text is always set as text.

const SVG = "http://www.w3.org/2000/svg";
const MONTH = 365.25 / 12;
const DASHES = ["", "6 3", "2 3", "8 3 2 3", "4 2", "1 3"];

function mark(parent, name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

function tip(node, text) {
  mark(node, "title", {}, text);
  return node;
}

function formatDay(day) {
  return `day ${String(day).replace("-", "−")}`;
}

function formatNumber(value, digits) {
  return value === null || value === undefined ? "—" : value.toFixed(digits).replace("-", "−");
}

// What is drawn: the reader's views, series of sums (equal ones once), and the days to cover.
function readPatient(data, patient, reader) {
  const views = data.views.map((view, i) => ({ at: i, criterion: view[0], reader: view[1], label: view[2], unit: view[3] }))
    .filter((view) => view.reader === reader);
  const chosen = views.find((view) => view.criterion === page.criterion);
  const unit = chosen ? chosen.unit : "mm";
  const series = [];
  for (const view of views) {
    view.visits = patient.visits.filter((visit) => visit[0] === view.at);
    if (view.unit !== unit) continue; // a length and an area share no axis
    const base = patient.base.find((row) => row[0] === view.at);
    const points = view.visits.filter((v) => v[6] !== null).map((v) => ({ day: v[1], sum: v[6], word: data.words[v[2]] }));
    if (base && base[1] !== null && base[2] !== null) points.unshift({ day: base[1], sum: base[2], word: "" });
    const key = JSON.stringify(points.map((p) => [p.day, p.sum]));
    const twin = series.find((s) => s.key === key);
    if (twin) twin.labels.push(view.label);
    else if (points.length) series.push({ key, points, labels: [view.label] });
  }
  const days = [0, ...series.flatMap((s) => s.points.map((p) => p.day)), ...views.flatMap((v) => v.visits.map((x) => x[1]))];
  for (const drug of patient.drugs) days.push(...[drug[2], drug[3]].filter((d) => d !== null));
  for (const procedure of patient.procedures) days.push(procedure[0]);
  if (patient.end) days.push(patient.end[0]);
  return { views, series, unit, from: Math.min(...days), to: Math.max(...days, 30) };
}

function monthTicks(from, to) {
  const months = (to - from) / MONTH;
  const step = [1, 2, 3, 6, 12, 24, 60].find((s) => months / s <= 10) || 120;
  const ticks = [];
  for (let m = Math.ceil(from / MONTH / step) * step; m * MONTH <= to; m += step) ticks.push(m);
  return ticks;
}

function drawTimeline(data, patient, reader, room) {
  const shown = readPatient(data, patient, reader);
  const width = Math.max(560, Math.min(room, 1040));
  const left = 104, right = shown.series.length ? 118 : 24;
  const x = (day) => left + ((day - shown.from) / (shown.to - shown.from)) * (width - left - right);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Timeline of ${patient.id}; the tables below say the same in words.`);
  const frame = mark(svg, "g", {});
  let y = 8;
  y = drawTreatments(svg, patient, shown, { x, y, left });
  y = drawProcedures(svg, patient, { x, y, left });
  y = drawSums(svg, data, shown, { x, y, left, width, right });
  y = drawVerdicts(svg, data, shown, { x, y, left });
  y = drawAxis(svg, shown, { x, y });
  drawEnd(frame, patient, shown, { x, axis: y - 36 });
  svg.setAttribute("viewBox", `0 0 ${width} ${y}`);
  svg.style.setProperty("--natural", `${width}px`);
  return svg;
}

function drawTreatments(svg, patient, shown, { x, y, left }) {
  for (const [line, drug, start, end, reason] of patient.drugs) {
    if (start === null) continue;
    const until = end === null ? shown.to : end;
    mark(svg, "text", { x: left - 10, y: y + 11, class: "t-name" }, drug.length > 15 ? `${drug.slice(0, 14)}…` : drug);
    const bar = mark(svg, "rect", { x: x(start), y: y + 2, width: Math.max(2, x(until) - x(start)), height: 11, rx: 2, class: line === 1 ? "t-drug" : "t-drug later" });
    tip(bar, `${drug}, line ${line}: ${formatDay(start)} to ${end === null ? "now" : formatDay(end)}${reason ? `, ${reason.replaceAll("_", " ")}` : ""}`);
    if (end === null) mark(svg, "path", { d: `M${x(until)},${y + 1}l7,6.5l-7,6.5z`, class: "t-drug" });
    y += 19;
  }
  return y;
}

function drawProcedures(svg, patient, { x, y, left }) {
  if (!patient.procedures.length) return y;
  mark(svg, "text", { x: left - 10, y: y + 11, class: "t-name" }, "procedures");
  let free = -Infinity;
  for (const [day, kind, lesion] of patient.procedures) {
    const at = x(day);
    tip(mark(svg, "path", { d: `M${at},${y + 1}l6,6.5l-6,6.5l-6,-6.5z`, class: "t-procedure" }), `${kind}, ${formatDay(day)}${lesion ? `, lesion ${lesion}` : ""}`);
    if (at > free) {
      mark(svg, "text", { x: at + 9, y: y + 11, class: "t-small" }, kind);
      free = at + 16 + 7 * kind.length;
    }
  }
  return y + 20;
}

function drawSums(svg, data, shown, { x, y, left, width, right }) {
  if (!shown.series.length) return y + 6;
  const height = 140, top = y + 14;
  const largest = Math.max(1, ...shown.series.flatMap((s) => s.points.map((p) => p.sum)));
  const step = [1, 2, 5, 10, 20, 25, 50, 100, 200, 500, 1000, 5000, 10000].find((s) => largest / s <= 4.5) || 50000;
  const high = Math.ceil(largest / step) * step;
  const at = (sum) => top + height - (sum / high) * height;
  for (let tick = 0; tick <= high; tick += step) {
    mark(svg, "line", { x1: left, x2: width - right, y1: at(tick), y2: at(tick), class: "t-grid" });
    mark(svg, "text", { x: left - 10, y: at(tick) + 4, class: "t-name" }, tick === high ? `${tick} ${shown.unit}` : String(tick));
  }
  const ends = [];
  shown.series.forEach((s, i) => {
    const path = s.points.map((p, k) => `${k ? "L" : "M"}${x(p.day).toFixed(1)},${at(p.sum).toFixed(1)}`).join("");
    mark(svg, "path", { d: path, class: "t-line", "stroke-dasharray": DASHES[i % DASHES.length] });
    for (const p of s.points) {
      const dot = mark(svg, "circle", { cx: x(p.day), cy: at(p.sum), r: 4.2, class: p.word ? `t-dot tone-${data.tones[p.word] || "ne"}` : "t-dot t-base" });
      tip(dot, `${s.labels.join(", ")}: ${formatNumber(p.sum, 1)} ${shown.unit}, ${formatDay(p.day)}${p.word ? `, ${p.word}` : ", baseline"}`);
    }
    const last = s.points[s.points.length - 1];
    ends.push({ x: x(last.day) + 9, y: at(last.sum) + 4, text: s.labels.join(" · ") });
  });
  labelEnds(svg, ends, { width, top, bottom: top + height });
  return top + height + 14;
}

// Names stand at the end of their line, moved apart where lines end together.
function labelEnds(svg, ends, { width, top, bottom }) {
  ends.sort((a, b) => a.y - b.y);
  let free = top + 4;
  for (const end of ends) {
    end.y = Math.max(end.y, free);
    free = end.y + 13;
  }
  const over = ends.length ? ends[ends.length - 1].y - bottom : 0;
  for (const end of ends) {
    const x = Math.min(end.x, width - 6 - 6 * end.text.length);
    mark(svg, "text", { x: Math.max(x, 110), y: end.y - Math.max(0, over), class: "t-small t-halo" }, end.text);
  }
}

function drawVerdicts(svg, data, shown, { x, y, left }) {
  for (const view of shown.views) {
    mark(svg, "text", { x: left - 10, y: y + 14, class: "t-name" }, view.label);
    const places = view.visits.map((v) => x(v[1]));
    const gap = Math.min(52, ...places.slice(1).map((p, i) => p - places[i]));
    view.visits.forEach((visit, i) => {
      const word = data.words[visit[2]];
      const short = word.startsWith("NON") ? "NON" : word;
      const wide = gap >= 7 * short.length + 7;
      const size = wide ? Math.max(26, 7 * short.length + 6) : Math.max(5, Math.min(14, gap - 2));
      const group = tip(mark(svg, "g", { class: `t-verdict tone-${data.tones[word] || "ne"}` }), `${view.label}: ${word}, ${formatDay(visit[1])}`);
      mark(group, "rect", { x: places[i] - size / 2, y: y + 1, width: size, height: 18, rx: 3, class: wide ? "" : "solid" });
      if (wide) mark(group, "text", { x: places[i], y: y + 14 }, short);
    });
    y += 24;
  }
  return y + 4;
}

function drawAxis(svg, shown, { x, y }) {
  mark(svg, "line", { x1: x(shown.from), x2: x(shown.to), y1: y, y2: y, class: "t-axis" });
  for (const month of monthTicks(shown.from, shown.to)) {
    mark(svg, "line", { x1: x(month * MONTH), x2: x(month * MONTH), y1: y, y2: y + 4, class: "t-axis" });
    mark(svg, "text", { x: x(month * MONTH), y: y + 17, class: "t-tick" }, String(month).replace("-", "−"));
  }
  mark(svg, "text", { x: (x(shown.from) + x(shown.to)) / 2, y: y + 31, class: "t-tick" }, "months since start of treatment");
  return y + 36;
}

function drawEnd(svg, patient, shown, { x, axis }) {
  mark(svg, "line", { x1: x(0), x2: x(0), y1: 4, y2: axis, class: "t-start" });
  if (!patient.end) return;
  const [day, died] = patient.end;
  mark(svg, "line", { x1: x(day), x2: x(day), y1: 4, y2: axis, class: died ? "t-death" : "t-last" });
  const late = day > shown.from + 0.72 * (shown.to - shown.from);
  mark(svg, "text", { x: x(day) + (late ? 4 : 0), y: axis + 31, class: "t-small", "text-anchor": late ? "end" : "middle" }, died ? "died" : "last contact");
}
