// Small comforts; every page works without them. A part begins with the
// elements it is for and does nothing on pages that have none.
"use strict";

// The key "/" goes to the page's search box.
document.addEventListener("keydown", (e) => {
  if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.target.closest("input, textarea, select, [contenteditable]")) return;
  const box = document.querySelector('input[type="search"]');
  if (!box) return;
  e.preventDefault();
  box.focus();
  box.select();
});

// The search box lists what it finds as one types: a combobox whose list is
// shown with the focus in the box (ARIA Authoring Practices, "list
// autocomplete"). Enter without a chosen row goes to the page of the search.
for (const form of document.querySelectorAll("form.find")) {
  const box = form.querySelector("input");
  const list = document.createElement("div");
  const said = document.createElement("span"); // for screen readers
  let asked = null; // the request under way
  let wait = 0;
  let rows = [];
  let chosen = -1;

  list.id = "suggestions";
  list.className = "suggestions";
  list.hidden = true;
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", box.title);
  said.className = "sr";
  said.setAttribute("role", "status");
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", list.id], ["aria-expanded", "false"]]) {
    box.setAttribute(name, value);
  }
  form.append(list, said);

  const close = () => {
    clearTimeout(wait);
    if (asked) asked.abort();
    list.hidden = true;
    box.setAttribute("aria-expanded", "false");
    choose(-1);
  };
  const choose = (n) => {
    if (rows[chosen]) rows[chosen].removeAttribute("aria-selected");
    chosen = n;
    box.removeAttribute("aria-activedescendant");
    if (!rows[n]) return;
    rows[n].setAttribute("aria-selected", "true");
    rows[n].scrollIntoView({ block: "nearest" });
    box.setAttribute("aria-activedescendant", rows[n].id);
  };
  const element = (name, text, className) => {
    const e = document.createElement(name);
    e.textContent = text;
    if (className) e.className = className;
    e.dir = "auto";
    return e;
  };
  const show = (groups) => {
    list.replaceChildren();
    rows = [];
    chosen = -1;
    for (const [n, group] of groups.entries()) {
      const part = document.createElement("div");
      const heading = element("div", group.kind, "kind");
      heading.id = "suggested-kind-" + n;
      part.setAttribute("role", "group");
      part.setAttribute("aria-labelledby", heading.id);
      part.append(heading);
      for (const found of group.rows) {
        const row = element("a", found.title);
        row.href = found.link;
        row.id = "suggested-" + rows.length;
        row.tabIndex = -1;
        row.setAttribute("role", "option");
        if (found.detail) row.append(element("small", found.detail));
        rows.push(row);
        part.append(row);
      }
      list.append(part);
    }
    list.hidden = rows.length === 0;
    box.setAttribute("aria-expanded", String(!list.hidden));
    box.removeAttribute("aria-activedescendant");
    said.textContent = form.dataset.hint.replace("%s", rows.length);
  };
  const ask = async () => {
    const text = box.value.trim();
    if (asked) asked.abort();
    if (text.length < 2) return close();
    const request = (asked = new AbortController());
    try {
      const answer = await fetch("/search/suggestions?q=" + encodeURIComponent(text), { signal: request.signal, redirect: "error" });
      const groups = answer.ok ? await answer.json() : [];
      if (asked === request && document.activeElement === box) show(groups);
    } catch {
      // Aborted by the next letter, signed out or no network: Enter still leads to the page.
    }
  };

  box.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(ask, 120);
  });
  box.addEventListener("keydown", (e) => {
    if (e.isComposing) return;
    if (e.key === "Escape" && !list.hidden) {
      e.preventDefault(); // else the browser also empties the box
      close();
    } else if ((e.key === "ArrowDown" || e.key === "ArrowUp") && rows.length) {
      e.preventDefault();
      list.hidden = false;
      box.setAttribute("aria-expanded", "true");
      // One place besides the rows is the box itself.
      const places = rows.length + 1;
      choose(((chosen + 1 + (e.key === "ArrowDown" ? 1 : -1) + places) % places) - 1);
    } else if (e.key === "Enter" && !list.hidden && rows[chosen]) {
      e.preventDefault();
      rows[chosen].click();
    }
  });
  list.addEventListener("mousedown", (e) => e.preventDefault()); // the focus stays in the box
  box.addEventListener("blur", close);
}
