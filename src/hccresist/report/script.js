"use strict";
// The page: theme, the choice of criterion and reader, tabs, and where the reader is.

const page = {
  criterion: "",
  reader: "",
  listeners: [],
  main: document.getElementById("main"),
};

function makeElement(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
  }
  for (const child of children) if (child !== null && child !== undefined) node.append(child);
  return node;
}

// Theme ------------------------------------------------------------------------------------

function startTheme() {
  const button = document.getElementById("theme");
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const show = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Change to the ${isDark() ? "light" : "dark"} theme`);
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("hccresist-theme", root.dataset.theme); } catch (error) { /* file opened without storage */ }
    show();
  });
  system.addEventListener("change", show);
  show();
}

// Criterion and reader ------------------------------------------------------------------------

function startLens() {
  page.criterion = page.main.dataset.criterionStart;
  page.reader = page.main.dataset.readerStart;
  page.style = makeElement("style");
  document.head.append(page.style);
  const criterion = document.getElementById("lens-criterion");
  const reader = document.getElementById("lens-reader");
  for (const select of [criterion, reader]) {
    if (!select) continue;
    select.value = select === criterion ? page.criterion : page.reader;
    select.addEventListener("change", () => {
      if (criterion) page.criterion = criterion.value;
      if (reader) page.reader = reader.value;
      keepPlace(applyLens);
    });
  }
  applyLens();
}

function applyLens() {
  const hide = (name, value) => `main [data-${name}]:not([data-${name}="${CSS.escape(value)}"]){display:none!important}`;
  page.style.textContent = hide("criterion", page.criterion) + hide("reader", page.reader);
  for (const panel of document.querySelectorAll("[data-tab]")) {
    const views = [...panel.querySelectorAll(":scope > .view")];
    const shown = (view) =>
      (view.dataset.criterion === undefined || view.dataset.criterion === page.criterion) &&
      (view.dataset.reader === undefined || view.dataset.reader === page.reader);
    const some = views.some(shown);
    panel.querySelector(".none-here").hidden = some;
    const tab = document.getElementById(`${panel.id}-tab`);
    if (tab) tab.toggleAttribute("data-empty", !some);
  }
  for (const listener of page.listeners) listener();
}

// Keep the section that is being read where it is while others change their height.
function keepPlace(change) {
  const sections = [...document.querySelectorAll("main > section")];
  const bar = document.querySelector(".bar").offsetHeight;
  const here = sections.filter((s) => s.getBoundingClientRect().top <= bar + 8).pop();
  const before = here ? here.getBoundingClientRect().top : 0;
  change();
  if (here) scrollBy({ top: here.getBoundingClientRect().top - before, behavior: "instant" });
}

// Tabs --------------------------------------------------------------------------------------

function startTabs(host) {
  const panels = [...host.querySelectorAll(":scope > [data-tab]")];
  if (panels.length < 2) return;
  const list = makeElement("div", { class: "tabs", role: "tablist", "aria-label": host.dataset.tabs });
  const tabs = panels.map((panel, i) => {
    panel.id = panel.id || `tab-panel-${i}`;
    panel.setAttribute("role", "tabpanel");
    const tab = makeElement("button", { type: "button", role: "tab", "aria-controls": panel.id, id: `${panel.id}-tab` }, panel.dataset.tabLabel);
    panel.setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", () => choose(i));
    list.append(tab);
    return tab;
  });
  const choose = (at) => {
    tabs.forEach((tab, i) => {
      tab.setAttribute("aria-selected", String(i === at));
      tab.tabIndex = i === at ? 0 : -1;
      panels[i].hidden = i !== at;
    });
  };
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const now = tabs.indexOf(document.activeElement);
    let next = -1;
    if (step) next = (now + step + tabs.length) % tabs.length;
    if (event.key === "Home") next = 0;
    if (event.key === "End") next = tabs.length - 1;
    if (next < 0) return;
    event.preventDefault();
    choose(next);
    tabs[next].focus();
  });
  host.prepend(list);
  choose(0);
}

// Navigation --------------------------------------------------------------------------------

function startNavigation() {
  const links = [...document.querySelectorAll("nav a[href^='#']")];
  const sections = [...document.querySelectorAll("main > section")];
  const mark = () => {
    const line = document.querySelector(".bar").offsetHeight + 40;
    const here = sections.filter((s) => s.getBoundingClientRect().top <= line).pop() || sections[0];
    for (const link of links) {
      if (here && link.hash === `#${here.id}`) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mark(); });
  }, { passive: true });
  const menu = document.querySelector(".menu");
  menu.addEventListener("click", (event) => { if (event.target.closest("a")) menu.open = false; });
  menu.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { menu.open = false; menu.querySelector("summary").focus(); }
  });
  mark();
}

// Scroll -------------------------------------------------------------------------------------

// Only what really scrolls is a stop for the keyboard and shows an edge.
function startScroll() {
  const check = (node) => {
    const over = node.scrollWidth > node.clientWidth + 1;
    node.toggleAttribute("data-over", over);
    if (over) node.tabIndex = 0;
    else node.removeAttribute("tabindex");
  };
  const watcher = new ResizeObserver((entries) => { for (const entry of entries) check(entry.target); });
  page.watchScroll = (root) => { for (const node of root.querySelectorAll(".scroll")) watcher.observe(node); };
  page.watchScroll(document);
}

startTheme();
startScroll();
for (const host of document.querySelectorAll("[data-tabs]")) startTabs(host);
startLens();
startNavigation();
