// What the daemon tells.

/** What was told: a snapshot of all, or one event. */
function told(message) {
  if (message === null || typeof message !== "object") return;
  if (!Object.hasOwn(message, "event")) {
    machines.replace(message);
    view.isNewMember = view.isTold = true;
    touched.clear();
    if (selected === null) openNamed(); else if (!machines.all.has(selected)) closePanel();
    return soon(0);
  }
  const before = machines.all.get(message.mac)?.kind, machine = machines.take(message);
  if (machine === null) return;
  touched.add(machine);
  const { kind } = machine;
  if (before === undefined) view.isNewMember = true;
  if (kind === "stalled" && before !== "stalled") stalls.push(`${machine.mac}: ${machine.trouble}`);
  if (before !== kind) soon();
  due();
}

const SPEAK_PAUSE = 5000; // milliseconds between two announcements
let stalls = [], spokenAt = 0;

/** What has stalled since the last time, in one sentence. */
function speak() {
  const now = performance.now();
  if (stalls.length === 0 || now - spokenAt < SPEAK_PAUSE) return;
  const many = stalls.length > 1 ? `${stalls.length} machines stalled, the last ` : "Stalled: ";
  set($("spoken"), many + stalls.at(-1));
  stalls = [];
  spokenAt = now;
}

let lostAt = null;

function linkChanged(word, why) {
  lostAt = word === "lost" ? lostAt ?? Date.now() : null;
  document.body.dataset.link = word;
  set($("link-word"), { live: "Live", lost: "Reconnecting", locked: "Locked" }[word]);
  $("notice").hidden = word !== "lost";
  const when = CLOCK.format(lostAt ?? 0);
  set($("notice"), `Connection lost at ${when}: ${why}. What is shown is from then. Trying again.`);
  $("token-form").hidden = word !== "locked";
  if (word === "locked") $("token").focus();
  set($("token-words"), why === "" ? "This daemon asks for its token." : "That is not its token.");
  soon(0);
}

const subscription = new Subscription("events", told, linkChanged);
$("token-form").addEventListener("submit", event => {
  event.preventDefault();
  subscription.token = $("token").value;
  $("counters").removeAttribute("href"); // a link carries none
  void subscription.run();
});

// What the operator does.

rack.addEventListener("scroll", due, { passive: true });
rack.addEventListener("click", event => {
  const tile = event.target.closest(".tile")?.tile;
  if (tile) openPanel(tile.machine.mac, true);
});
rack.addEventListener("focusin", event => {
  if (event.target.tile) view.cursor = event.target.tile.machine.mac;
});
document.addEventListener("keydown", event => {
  const isElsewhere = event.target !== rack && event.target !== document.body && !event.target.tile;
  if (event.altKey || event.ctrlKey || event.metaKey || isElsewhere) return;
  if (move(event.key)) event.preventDefault();
});
document.addEventListener("keydown", event => {
  const isTyping = event.target instanceof HTMLInputElement;
  if (event.key === "Escape" && !(isTyping && event.target.value !== "")) closePanel();
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  $("search").select();
});
$("search").addEventListener("input", event => {
  view.find = finder(event.target.value);
  rack.scrollTop = 0;
  soon(0);
});
$("search").addEventListener("keydown", event => {
  if (event.key !== "ArrowDown" && event.key !== "Enter") return;
  event.preventDefault(); // the tile that has the focus then would hear it too
  move("Home");
});
$("clear").addEventListener("click", () => {
  $("search").value = "";
  Object.assign(view, { find: finder(""), filter: "" });
  $("search").focus();
  soon(0);
});
$("close").addEventListener("click", closePanel);
addEventListener("hashchange", openNamed);
new ResizeObserver(([{ contentRect }]) => {
  view.width = contentRect.width;
  for (const shelf of shelves) shelf.lay();
  view.sought = selected;
  due();
}).observe(rack);

// What time does.

setInterval(() => {
  speak();
  // No frame comes to a page that nobody looks at, but its title is still read.
  if (document.hidden && arrangeAt !== 0) {
    arrangeAt = 0;
    arrange();
    due();
  }
  if (document.hidden) return;
  for (const tile of tilesInSight()) tile.tick();
  if (selected !== null) paintPanel();
  if (lostAt !== null) set($("link-word"), `Reconnecting, ${age(Date.now() - lostAt)}`);
}, 1000);

void subscription.run();
