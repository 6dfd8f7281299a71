// The card of a tumour: mechanism by mechanism its scores, alterations, and the evidence for and against.

const Z_SHOWN = { reference_z: 3, cohort_z: 3 };
const EXTREMES = 3;

function signed(value, digits) {
  const shown = Number(value.toFixed(digits)) || 0; // no minus before zero
  return `${shown > 0 ? "+" : ""}${formatNumber(shown, digits)}`;
}

function inWords(n, word, many) {
  return `${n} ${n === 1 ? word : many || `${word}s`}`;
}

function linkSource(text) {
  const doi = /^(?:doi:)?(10\..+)$/i.exec(text);
  const pmid = /^PMID:(\d+)$/i.exec(text);
  const pmcid = /^(?:PMCID:)?(PMC\d+)$/i.exec(text);
  const href = doi ? `https://doi.org/${doi[1]}` : pmid ? `https://pubmed.ncbi.nlm.nih.gov/${pmid[1]}/` : pmcid ? `https://pmc.ncbi.nlm.nih.gov/articles/${pmcid[1]}/` : "";
  return href ? makeElement("a", { href, rel: "noreferrer" }, text) : text;
}

function linkSources(text) {
  return text.split("; ").flatMap((part, i) => (i ? ["; ", linkSource(part)] : [linkSource(part)]));
}

function nameScale(omics) {
  return omics.method === "reference_z" ? "z" : "cohort z";
}

// Beside the timeline: what stands out -------------------------------------------------------------

function makeSummary(omics, card) {
  const list = makeElement("dl", { class: "pairs brief" });
  const add = (name, ...parts) => { if (parts.length && parts[0] !== "") list.append(makeElement("div", {}, makeElement("dt", {}, name), makeElement("dd", {}, ...parts))); };
  const genes = (rows) => rows.map(([gene, change]) => `${omics.genes[gene][0]}${change ? ` ${change}` : ""}`);
  const once = (rows) => [...new Set(genes(rows || []))].join(", ");
  const classes = (card.classes || []).filter((row) => row[1] !== "unclassified");
  add("HCC class", classes.length ? classes.map((row) => `${row[0]}: ${row[1]}`).join("; ") : card.classes ? "unclassified" : card.unclassed ? "could not be judged" : "");
  add("Altered", card.altered ? once(card.altered) : card.quiet ? "none of the genes looked at" : "");
  add("Uncertain", once(card.unsure));
  const ranked = (card.z || []).map((z, at) => [z, at]).filter(([z]) => z !== null).sort((a, b) => b[0] - a[0]);
  const few = Math.min(EXTREMES, Math.floor(ranked.length / 4));
  const say = ([z, at]) => makeElement("span", { class: "line" }, `${omics.mechanisms[omics.sets[at][1]][1]} ${signed(z, 1)} `, makeElement("code", {}, omics.sets[at][0]));
  add(`Highest ${nameScale(omics)}`, ...ranked.slice(0, few).map(say));
  add(`Lowest ${nameScale(omics)}`, ...(few ? ranked.slice(-few).reverse().map(say) : []));
  const given = (card.tally || []).some((row) => row[2]);
  for (const [name, same] of [["Evidence on a drug given", 1], [given ? "On other drugs" : "Evidence", 0]]) {
    const count = (stance, counted) => (card.tally || []).filter((t) => t[0] === stance && t[2] === same && t[1] === counted).reduce((sum, t) => sum + t[3], 0);
    const told = [[1, "for"], [0, "against"]].map(([stance, word]) => [count(stance, 1), count(stance, 0), word]).filter(([a, b]) => a + b);
    add(name, told.map(([a, b, word]) => `${a} ${word}${b ? ` (and ${b} not counted)` : ""}`).join(", "));
  }
  if (!list.children.length) add("Measured", "nothing that could be judged");
  return makeElement("div", { class: "standout" }, makeElement("h4", {}, `Tumour sample ${card.id}`), list);
}

// Mechanism by mechanism ----------------------------------------------------------------------------

function sortCard(omics, card) {
  const found = new Map();
  const of = (mechanism) => {
    if (!found.has(mechanism)) found.set(mechanism, { mechanism, scores: [], altered: [], unsure: [], quiet: [], for: [], against: [] });
    return found.get(mechanism);
  };
  const odd = new Map((card.odd || []).map((row) => [row[0], row]));
  (card.score || card.z || []).forEach((_, at) => {
    const score = card.score ? card.score[at] : null, z = card.z ? card.z[at] : null;
    if (score !== null || z !== null || odd.has(at)) of(omics.sets[at][1]).scores.push({ at, score, z, percentile: card.percentile ? card.percentile[at] : null, odd: odd.get(at) });
  });
  for (const row of card.altered || []) of(omics.genes[row[0]][1]).altered.push(row);
  for (const row of card.unsure || []) of(omics.genes[row[0]][1]).unsure.push(row);
  for (const gene of card.quiet || []) of(omics.genes[gene][1]).quiet.push(gene);
  for (const row of card.found || []) of(omics.findings[row[0]][1])[row[2] ? "for" : "against"].push(row);
  return [...found.values()].sort((a, b) => omics.mechanisms[a.mechanism][3] - omics.mechanisms[b.mechanism][3]);
}

function makeCard(omics, card) {
  const host = makeElement("div", { class: "card" }, makeElement("h4", {}, `Mechanism by mechanism, sample ${card.id}`));
  const blocks = sortCard(omics, card);
  host.append(makeElement("p", { class: "note" }, describeScores(omics, card)));
  for (const [at, family] of omics.families.entries()) {
    const own = blocks.filter((block) => omics.mechanisms[block.mechanism][2] === at);
    if (own.length) host.append(makeFamily(omics, family, own));
  }
  if (card.more) host.append(makeElement("p", { class: "note" }, `${inWords(card.more, "further finding")} of lower rank: table evidence_matches holds all.`));
  host.append(makeUnmeasured(omics, card));
  return host;
}

function describeScores(omics, card) {
  const parts = [];
  if (card.score && omics.method === "cohort_z") parts.push("Cohort z: the score of a set in standard deviations of this cohort.");
  if (card.score && !card.percentile && omics.why) parts.push(`No percentile: ${omics.why}.`);
  if (card.score && omics.flag) parts.push(`Of every rank score: ${omics.flag}.`);
  if (!card.score) parts.push("No expression of this sample was scored.");
  if (card.found) parts.push("For: speaks for resistance in a tumour like this; against: for response, or found no effect. Findings that are not verified are shown and not counted.");
  return parts.join(" ");
}

function makeFamily(omics, family, blocks) {
  const sum = (name) => blocks.reduce((n, block) => n + block[name].length, 0);
  const given = blocks.some((block) => [...block.for, ...block.against].some((row) => row[3]));
  const parts = [];
  if (sum("scores")) parts.push(inWords(sum("scores"), "score"));
  if (sum("altered")) parts.push(`${sum("altered")} altered`);
  if (sum("unsure")) parts.push(`${sum("unsure")} uncertain`);
  if (sum("for")) parts.push(`${sum("for")} for`);
  if (sum("against")) parts.push(`${sum("against")} against`);
  if (!parts.length) parts.push(inWords(sum("quiet"), "gene not altered", "genes not altered"));
  const host = makeElement("details", { class: "fold family", open: given || sum("altered") ? "" : null },
    makeElement("summary", {}, family, " ", makeElement("span", { class: "soft" }, parts.join(" · "))));
  for (const block of blocks) host.append(makeMechanism(omics, block));
  return host;
}

function makeMechanism(omics, block) {
  const host = makeElement("div", { class: "mechanism" }, makeElement("h5", {}, omics.mechanisms[block.mechanism][1]));
  const left = makeElement("div", {}), right = makeElement("div", {});
  if (block.scores.length) left.append(makeElement("ul", { class: "scores" }, ...block.scores.map((row) => makeScore(omics, row))));
  for (const [rows, word] of [[block.altered, "altered"], [block.unsure, "uncertain"]]) {
    if (rows.length) left.append(makeElement("ul", { class: "calls" }, ...rows.map((row) => makeCall(omics, row, word))));
  }
  const quiet = [...new Set(block.quiet.map((gene) => omics.genes[gene][0]))];
  if (quiet.length) left.append(makeElement("p", { class: "note" }, `Not altered: ${quiet.join(", ")}.`));
  if (block.for.length) right.append(makeSide(omics, "For", block.for));
  if (block.against.length) right.append(makeSide(omics, "Against", block.against));
  for (const side of [left, right]) if (side.firstChild) host.append(side);
  return host;
}

function makeScore(omics, row) {
  const [name, , genes, measured, flag] = omics.sets[row.at];
  const parts = [];
  if (row.score !== null) parts.push(`score ${formatNumber(row.score, 2)}`);
  if (row.percentile !== null) parts.push(`percentile ${row.percentile}`);
  if (row.odd) parts.push(`${row.odd[1]} % of its genes measured here`);
  else if (genes) parts.push(`${measured} of ${genes} genes`);
  if (row.odd && row.odd[2]) parts.push(row.odd[2]);
  if (flag) parts.push(flag);
  const item = makeElement("li", {}, makeElement("code", {}, name));
  if (row.z !== null) item.append(makeTrack(row.z, Z_SHOWN[omics.method]), makeElement("span", {}, `${nameScale(omics)} ${signed(row.z, 1)}`));
  item.append(makeElement("span", { class: "soft" }, parts.join(" · ")));
  return item;
}

function makeTrack(z, end) {
  const share = 50 * Math.min(1, Math.abs(z) / end);
  const bar = makeElement("i", { class: z < 0 ? "low" : "high" });
  bar.style.left = `${z < 0 ? 50 - share : 50}%`;
  bar.style.width = `${share}%`;
  return makeElement("span", { class: "zbar", "aria-hidden": "true" }, bar);
}

function makeCall(omics, [gene, change, rule, source], word) {
  return makeElement("li", {}, makeElement("b", {}, omics.genes[gene][0]), ` ${change} `, makeElement("span", { class: `tag ${word}` }, word),
    makeElement("span", { class: "soft line" }, `${omics.texts[rule]} · `, ...linkSources(omics.texts[source])));
}

function makeSide(omics, title, rows) {
  const counted = rows.filter((row) => omics.findings[row[0]][5]).length;
  const note = counted === rows.length ? `${counted} counted` : `${counted} counted, ${rows.length - counted} not`;
  return makeElement("div", { class: "side-of" }, makeElement("h6", {}, `${title} `, makeElement("span", { class: "soft" }, note)),
    makeElement("ul", { class: "findings" }, ...rows.map((row) => makeFinding(omics, row))));
}

function makeFinding(omics, [at, feature, , same, words]) {
  const [record, , drug, effect, level, counted, source, said] = omics.findings[at];
  const item = makeElement("li", { class: counted ? null : "uncounted" }, makeElement("b", {}, drug || "no drug named"), " ");
  if (same) item.append(makeElement("span", { class: "tag given" }, "drug given"), " ");
  if (!counted) item.append(makeElement("span", { class: "tag" }, "not counted"), " ");
  item.append(`${effect} · ${level}`);
  item.append(makeElement("span", { class: "soft line" }, `${omics.texts[feature].replace(/^\S+ /, "")}: ${omics.texts[words]}. ${said ? `Finding: ${said}. ` : ""}`, linkSource(source), ` ${record}`));
  return item;
}

// What could not be measured -------------------------------------------------------------------------

function makeUnmeasured(omics, card) {
  const host = makeElement("details", { class: "fold" }, makeElement("summary", {}, "What was not measurable here"));
  const list = makeElement("dl", { class: "pairs" });
  const add = (name, text) => list.append(makeElement("div", {}, makeElement("dt", {}, name), makeElement("dd", {}, text)));
  if (!card.score) add("Expression", "none of this sample, so no mechanism is scored");
  else for (const [reason, rows] of groupBy(omics.refused, (row) => omics.texts[row[4]])) {
    const names = rows.map((row) => `${row[0]}${row[2] ? ` (${row[3]} of ${row[2]})` : ""}`);
    add(inWords(rows.length, "gene set"), `${reason}: ${names.join(", ")}`);
  }
  if (card.unclassed) add("HCC classes", `${inWords(card.unclassed, "classification")} could not be judged: too few genes of a template, or too few samples`);
  const blind = [...new Set((card.blind || []).map((gene) => omics.genes[gene][0]))];
  if (blind.length) add("Genes and loci", `not looked at: ${blind.join(", ")}`);
  if (!card.altered && !card.unsure && !card.quiet && !card.blind) add("Alterations", "none recorded of this sample");
  for (const [reason, rows] of groupBy(omics.limits, (row) => `${row[1]}; instead: ${row[2]}`)) {
    add(rows.map((row) => omics.mechanisms[row[0]][1]).join(", "), reason);
  }
  host.append(list);
  return host;
}

function groupBy(rows, key) {
  const found = new Map();
  for (const row of rows) found.set(key(row), [...(found.get(key(row)) || []), row]);
  return found;
}
