// Keys for the review: j and k move, a publishes, r rejects, m merges. Every one presses a button that is on the page.
"use strict";
(() => {
  const cards = [...document.querySelectorAll("[data-review]")];
  if (!cards.length) return;
  const place = () => cards.findIndex((card) => card.contains(document.activeElement));
  const go = (at) => {
    const card = cards[Math.min(Math.max(at, 0), cards.length - 1)];
    card.focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, select, textarea, [contenteditable]");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat || document.querySelector("dialog[open], [popover]:popover-open")) return;
    const at = place();
    if (event.key === "j") go(at + 1);
    else if (event.key === "k") go(at < 0 ? 0 : at - 1);
    else if (["a", "r", "m"].includes(event.key)) {
      // Nothing is decided about a card that nobody chose.
      if (at < 0) { go(0); return; }
      cards[at].querySelector(`[data-key="${event.key}"]`)?.click();
    } else return;
    event.preventDefault();
  });
  // After a decision the next one is at hand.
  if (new URLSearchParams(location.search).has("done")) go(0);
})();
