// Keeps an open page fresh. The server draws it; this only asks for it again.
"use strict";

const state = document.getElementById("live");
let isAsking = false;
let isStale = false;

function keepOpen(from, to) {
  const before = from.querySelectorAll("details");
  to.querySelectorAll("details").forEach((it, at) => {
    if (before[at]) it.open = before[at].open;
  });
}

async function refresh() {
  if (isAsking) {
    isStale = true;
    return;
  }
  isAsking = true;
  try {
    // An address may hold a login, which no request may be made of.
    const answer = await fetch(location.origin + location.pathname, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("content");
    const old = document.getElementById("content");
    if (fresh && old) {
      keepOpen(old, fresh);
      const focused = document.activeElement;
      const address = focused && old.contains(focused) ? focused.getAttribute("href") : null;
      old.replaceWith(fresh);
      const again = [...fresh.querySelectorAll("a")].find((it) => it.getAttribute("href") === address);
      if (address && again) again.focus();
    }
    document.title = page.title;
    state.textContent = "Live";
  } catch {
    state.textContent = "The daemon does not answer; what is shown may be old.";
  } finally {
    isAsking = false;
    if (isStale) {
      isStale = false;
      refresh();
    }
  }
}

const changes = new EventSource(location.origin + "/live");
// What has changed before the stream was open, or while it was broken, was told to nobody.
changes.addEventListener("open", refresh);
changes.addEventListener("changed", refresh);
changes.addEventListener("error", () => {
  state.textContent = "The daemon does not answer; what is shown may be old.";
});
// Times are said in relation to now.
setInterval(() => { if (!document.hidden) refresh(); }, 30000);
