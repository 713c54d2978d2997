// Keeps the connection panel fresh and adds small comforts. Every page works without this file.
// The server words everything: this script fetches the panel again and takes over what changed.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("has-script");

  // ---- times: the same words as the server's
  const plural = (n, unit) => `${n} ${unit}${n === 1 ? "" : "s"}`;
  const relative = (at, now) => {
    const seconds = Math.trunc((now - at) / 1000), size = Math.abs(seconds), past = seconds >= 0;
    if (size < 10) return past ? "just now" : "now";
    const words = size < 60 ? `${size} seconds` : size < 3600 ? plural(Math.trunc(size / 60), "minute")
      : size < 86400 ? plural(Math.trunc(size / 3600), "hour")
      : size < 2592000 ? plural(Math.trunc(size / 86400), "day") : null;
    return words && (past ? `${words} ago` : `in ${words}`);
  };
  // Exact times in the visitor's zone and language, relative words as time goes on; numbers as the visitor writes them.
  const locale = navigator.language;
  const long = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "long" });
  const year = new Date().getFullYear();
  const short = (at) => new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
    timeZoneName: "short", ...(at.getFullYear() === year ? {} : { year: "numeric" }) }).format(at);
  const refreshTimes = (within) => {
    for (const time of within.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const full = long.format(at);
      if (time.title && time.title !== full) time.title = full;
      const words = "relative" in time.dataset ? relative(at.getTime(), Date.now()) : time.title && short(at);
      if (words && words !== time.textContent) time.textContent = words;
    }
    for (const number of within.querySelectorAll(".number")) {
      if (number.childElementCount || !/^\d{1,3}(,\d{3})+$/.test(number.textContent.trim())) continue;
      number.textContent = Number(number.textContent.replaceAll(",", "")).toLocaleString(locale);
    }
  };
  refreshTimes(document);
  setInterval(() => refreshTimes(document), 10000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refreshTimes(document); });

  // ---- the live panel
  const holder = document.querySelector("[data-live-panel]");
  const announce = (words) => {
    const region = document.getElementById("announce");
    if (region && region.textContent !== words) region.textContent = words;
  };
  const barOf = (panel) => panel.querySelector("progress[data-live=bar]");
  // On the way to another page nothing is taken over: a reload would take the place of that navigation.
  let leaving = 0;
  addEventListener("beforeunload", () => { leaving = Date.now(); });
  let spoken = -1;
  const speakProgress = (panel) => {
    const bar = barOf(panel);
    const quarter = bar ? Math.floor(bar.value / 25) : -1;
    if (quarter > spoken && spoken >= 0) announce(`History: ${quarter * 25} percent brought in`);
    spoken = quarter;
  };
  const takeNumbers = (panel, fresh) => {
    for (const old of panel.querySelectorAll("[data-live]")) {
      const next = fresh.querySelector(`[data-live="${old.dataset.live}"]`);
      if (!next) continue;
      if (old.tagName === "PROGRESS") {
        if (next.value > old.value) old.value = next.value; // never back
      } else if (old.innerHTML !== next.innerHTML && !old.contains(document.activeElement)) { // whoever reads it keeps it
        old.replaceChildren(...next.cloneNode(true).childNodes);
      }
    }
  };
  const take = (html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("panel");
    const panel = document.getElementById("panel");
    if (!fresh || !panel || Date.now() - leaving < 20000) return;
    refreshTimes(fresh);
    if (fresh.dataset.shape === panel.dataset.shape) {
      takeNumbers(panel, fresh);
      speakProgress(panel);
      return;
    }
    if (fresh.dataset.status !== panel.dataset.status) {
      const words = fresh.querySelector("#status");
      announce(`Gong: ${words ? words.textContent.trim() : fresh.dataset.status}`);
      // What may be done changes with the status: forms outside the panel come from a new page.
      const typing = document.activeElement && document.activeElement.matches("input, select, textarea");
      if (!typing && !document.querySelector("dialog[open]")) { location.reload(); return; }
    }
    const focused = document.activeElement && panel.contains(document.activeElement) ? document.activeElement.id : "";
    panel.replaceWith(document.adoptNode(fresh));
    if (focused) document.getElementById(focused)?.focus();
    speakProgress(document.getElementById("panel"));
  };

  if (holder) {
    speakProgress(holder);
    let busy = false, again = false, heard = 0, looked = 0, polling = 0;
    const refresh = async () => {
      if (busy) { again = true; return; }
      busy = true;
      looked = Date.now();
      try {
        const answer = await fetch(holder.dataset.livePanel, { headers: { "X-Live": "1" }, cache: "no-store", redirect: "manual" });
        if (answer.ok) take(await answer.text());
        else if (answer.type === "opaqueredirect" || answer.status === 401) location.reload();
      } catch { /* offline: the next round tries again */ }
      setTimeout(() => { busy = false; if (again) { again = false; refresh(); } }, 700);
    };
    const poll = (on) => {
      if (on && !polling) polling = setInterval(refresh, 5000);
      if (!on && polling) { clearInterval(polling); polling = 0; }
      holder.dataset.live = on ? "polling" : "stream";
    };
    const hear = () => { heard = Date.now(); poll(false); };
    const open = () => {
      const stream = new EventSource(holder.dataset.events);
      stream.onopen = () => { hear(); refresh(); };
      stream.addEventListener("status", () => { hear(); refresh(); });
      stream.addEventListener("beat", hear);
      stream.onerror = () => {
        poll(true);
        if (stream.readyState === EventSource.CLOSED) setTimeout(open, 5000);
      };
      return stream;
    };
    open();
    // The server beats every three seconds: a silent stream is held back by something on the way, so look ourselves. Little
    // stands in the panel that the stream does not tell of; for that a look a minute is enough.
    setInterval(() => {
      const silent = Date.now() - heard > 8000 && Date.now() - looked > 4000;
      if (!document.hidden && !polling && (silent || Date.now() - looked > 60000)) refresh();
    }, 1000);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
  }

  // ---- dialogs: a link to a page that does the same without script
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    const dialog = opener && document.getElementById(opener.dataset.dialog);
    if (dialog && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      dialog.showModal();
      dialog.querySelector("input")?.focus();
      dialog.addEventListener("close", () => opener.focus(), { once: true });
      return;
    }
    const closer = event.target.closest("dialog [data-close]");
    if (closer) { event.preventDefault(); closer.closest("dialog").close(); return; }
    const copier = event.target.closest("[data-copy]");
    if (copier) {
      const field = document.querySelector(copier.dataset.copy);
      field.select();
      const done = () => { const label = copier.querySelector("span"); if (label) { label.textContent = "Copied"; setTimeout(() => { label.textContent = "Copy"; }, 2500); } };
      navigator.clipboard ? navigator.clipboard.writeText(field.value).then(done, () => {}) : (document.execCommand("copy"), done());
    }
  });
  // Tab stays inside an open dialog.
  document.addEventListener("keydown", (event) => {
    const dialog = event.key === "Tab" && document.querySelector("dialog[open]");
    if (!dialog) return;
    const stops = [...dialog.querySelectorAll("a[href], button, input, select, textarea")].filter((e) => !e.disabled);
    const first = stops[0], last = stops[stops.length - 1];
    if (event.shiftKey && document.activeElement === first) { event.preventDefault(); last.focus(); }
    else if (!event.shiftKey && document.activeElement === last) { event.preventDefault(); first.focus(); }
  });
  // Typing days means that history is wanted.
  document.getElementById("history-days")?.addEventListener("input", () => {
    const on = document.getElementById("history-on");
    if (on) on.checked = true;
  });
  // A second click on a button does not send a form twice.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    setTimeout(() => { delete form.dataset.sent; }, 4000);
  });
})();
