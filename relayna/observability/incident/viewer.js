
"use strict";
// Adds folding of the whole and search. Reads what the page shows, writes no markup, and asks nobody anything.
(() => {
  const byId = (name) => document.getElementById(name);
  const search = byId("search");
  const found = byId("found");
  const details = [...document.querySelectorAll("#run details")];
  const items = [...document.querySelectorAll("#run li")].map((item) => ({
    item,
    row: item.querySelector(".row"),
  }));
  const rows = [...document.querySelectorAll("#timeline tbody tr")];

  const foldAll = (open) => details.forEach((one) => { one.open = open; });
  const has = (element, words) => element.textContent.toLowerCase().includes(words);

  const filter = () => {
    const words = search.value.trim().toLowerCase();
    if (words) foldAll(true);
    const shown = new Set();
    let count = 0;
    for (const { item, row } of items) {
      if (!words || !has(row, words)) continue;
      count += 1;
      for (let above = item; above && above.id !== "run"; above = above.parentElement) shown.add(above);
    }
    for (const { item } of items) item.hidden = Boolean(words) && !shown.has(item);
    for (const row of rows) {
      const matches = has(row, words);
      row.hidden = !matches;
      if (words && matches) count += 1;
    }
    found.textContent = words ? `${count} found` : "";
  };

  search.addEventListener("input", filter);
  byId("fold").addEventListener("click", () => foldAll(false));
  byId("unfold").addEventListener("click", () => foldAll(true));
  byId("tools").hidden = false;
})();
