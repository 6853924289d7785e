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
