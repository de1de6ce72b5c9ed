// A table that is wider than its column says that it scrolls.
function markScrollingTables() {
  for (const container of document.querySelectorAll(".pst-scrollable-table-container")) {
    const scrolls = container.scrollWidth > container.clientWidth + 1;
    container.classList.toggle("table-scrolls", scrolls);
    const before = container.previousElementSibling;
    const hint = before?.classList.contains("table-hint") ? before : null;
    if (scrolls && !hint) {
      const text = document.createElement("p");
      text.className = "table-hint";
      text.textContent = "\u2190 This table scrolls sideways \u2192";
      container.before(text);
    } else if (!scrolls) {
      hint?.remove();
    }
  }
}

window.addEventListener("load", markScrollingTables);
window.addEventListener("resize", markScrollingTables);
