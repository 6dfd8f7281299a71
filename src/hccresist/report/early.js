"use strict";
// Before anything is painted: scripts run, and which theme the reader wants.
(function () {
  const root = document.documentElement;
  root.classList.add("js");
  let wanted = new URLSearchParams(location.search).get("theme");
  if (!wanted) {
    try { wanted = localStorage.getItem("hccresist-theme"); } catch (error) { wanted = null; }
  }
  if (wanted === "light" || wanted === "dark") root.dataset.theme = wanted;
})();
