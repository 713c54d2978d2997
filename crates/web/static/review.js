// Keys for the review, once a post is chosen: j and k move, a publishes, r rejects, m merges. Each presses a button that is on
// the page; without a chosen post they are letters like any other.
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
    const at = place();
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === "j") go(at + 1);
    else if (event.key === "k") go(at - 1);
    else if (["a", "r", "m"].includes(event.key)) cards[at].querySelector(`[data-key="${event.key}"]`)?.click();
    else return;
    event.preventDefault();
  });
  document.getElementById("choose-first")?.addEventListener("click", () => go(0));
  // After a decision the next one is at hand.
  if (new URLSearchParams(location.search).has("done")) go(0);
})();
