// The page says everything without this; it adds the choice of colours and the search of the logs.
"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  // A page opened from a file may have no storage.
  const stored = (write) => { try { return write(localStorage); } catch { return null; } };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const show = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  const kept = stored((storage) => storage.getItem("dvipa-lab-theme"));
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    stored((storage) => storage.setItem("dvipa-lab-theme", root.dataset.theme));
    show();
  });
  prefersDark.addEventListener("change", show);
  button.setAttribute("aria-label", "Change between light and dark");
  button.hidden = false;
  show();

  // An arrow of a diagram opens its evidence, and the keyboard goes on from there.
  const open = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target && target.closest("details");
    if (!details) return;
    details.open = true;
    target.focus({ preventScroll: true });
    details.scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", open);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("svg a");
    if (link && link.getAttribute("href") === location.hash) open();
  });
  open();

  const controls = document.getElementById("log-controls");
  if (!controls) return;
  controls.hidden = false;
  controls.addEventListener("submit", (event) => event.preventDefault());
  const [search, host, task, kind] = ["log-search", "log-host", "log-task", "log-kind"].map((id) => document.getElementById(id));
  const count = document.getElementById("log-count");
  // Read when it is first searched.
  let rows = null;
  const read = () => [...document.getElementById("log-rows").rows].filter((row) => row.cells.length === 4).map((row) => {
    const [system, name] = [row.cells[1].textContent, row.cells[2].textContent];
    return { row, system, task: `${system}/${name}`, kind: row.dataset.kind, text: `${system} ${name} ${row.cells[3].textContent}`.toLowerCase() };
  });
  const filter = () => {
    rows ??= read();
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const { row, system, task: of, kind: is, text } of rows) {
      const fits = (!host.value || host.value === system) && (!task.value || task.value === of)
        && (!kind.value || kind.value === is) && words.every((word) => text.includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown === rows.length ? `${rows.length} lines` : `${shown} of ${rows.length} lines`;
  };
  let waiting = 0;
  const soon = () => { cancelAnimationFrame(waiting); waiting = requestAnimationFrame(filter); };
  for (const control of [search, host, task, kind]) control.addEventListener("input", soon);
})();
