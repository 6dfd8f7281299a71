// The strategies of a patient: what addresses what is on, what is known in general, and what failed.

const PLAN_GROUPS = [
  "Addresses what is on in this tumour",
  "Evidence in patients in general: nothing that it addresses was found on here",
  "Tried and failed",
];

// Text with its sources as links: PMID, PMCID, DOI (which may hold brackets) or an address.
function linkWords(text) {
  const source = /(PMID:\d+|PMCID:PMC\d+|DOI:10\.(?:[^\s;()]|\([^\s;()]*\))+|https?:\/\/(?:[^\s;()]|\([^\s;()]*\))+)/;
  return text.split(source).map((part, i) => {
    if (i % 2 === 0) return part;
    return part.startsWith("http") ? makeElement("a", { href: part, rel: "noreferrer" }, new URL(part).hostname) : linkSource(part);
  });
}

function makePlans(shared, plan) {
  const host = makeElement("div", { class: "card plans" }, makeElement("h4", {}, "What might overcome it"),
    makeElement("p", { class: "notice" }, "Research only: a list of published evidence, no advice on the care of this patient."));
  if (plan.nothing) host.append(makeElement("p", { class: "notice plain" }, plan.nothing));
  for (const [at, title] of PLAN_GROUPS.entries()) {
    const own = plan.rows.filter((row) => row[1] === at);
    if (!own.length) continue;
    host.append(makeElement("h5", {}, title));
    for (const [place, row] of own.entries()) host.append(makePlan(shared, row, at === 0 && place === 0));
    if (plan.more[at]) host.append(makeElement("p", { class: "note" }, `${plan.more[at]} more in table strategies.`));
  }
  return host;
}

function makePlan(shared, row, open) {
  const [at, , rank, score, parts, why, against, contraindications, notes, gain] = row;
  const [key, name, drugs, mechanism, stage, outcome, , , result, source, counted, pro, contra] = shared.strategies[at];
  const host = makeElement("details", { class: "fold plan", open: open ? "" : null },
    makeElement("summary", {}, `${rank}. ${name} `, makeElement("span", { class: "soft" }, `${drugs} · ${stage}: ${outcome}${counted ? "" : ", not verified"}`)));
  const list = makeElement("dl", { class: "pairs brief" });
  const add = (word, ...found) => { if (found.length && found[0] !== "") list.append(makeElement("div", {}, makeElement("dt", {}, word), makeElement("dd", {}, ...found))); };
  add("Why it stands here", shared.texts[why]);
  add("Result", `${result}. `, ...linkWords(source), ` ${key}`);
  if (shared.texts[against]) add("Against it", ...linkWords(shared.texts[against]));
  add("Contraindications", shared.texts[contraindications]);
  add("Aims at", mechanism);
  if (pro) add("Findings for", ...linkWords(pro));
  if (contra) add("Findings against", ...linkWords(contra));
  if (gain) add("Simulated gain", `${signed(gain[0], 0)} points (90 % interval ${signed(gain[1], 0)} to ${signed(gain[2], 0)}): ${gain[3]}`);
  add("Score", describeParts(shared, score, parts));
  add("Note", shared.texts[notes]);
  host.append(list);
  return host;
}

function describeParts(shared, score, parts) {
  const told = parts.map((part, i) => [part, shared.parts[i]]).filter(([part]) => part !== 0);
  return `${formatNumber(score, 1)} points${told.length ? `: ${told.map(([part, word]) => `${word} ${signed(part, 1)}`).join(", ")}` : ""}`;
}
