// What the daemon tells.

/** What was told: a snapshot of all, or one event. */
function told(message) {
  if (message === null || typeof message !== "object") return;
  if (!Object.hasOwn(message, "event")) {
    machines.replace(message);
    view.isNewMember = true;
    touched.clear();
    if (selected === null) openNamed(); else if (!machines.all.has(selected)) close();
    return soon(0);
  }
  const before = machines.all.get(message.mac)?.kind, machine = machines.take(message);
  if (machine === null) return;
  touched.add(machine);
  const { kind } = machine;
  if (before === undefined) view.isNewMember = true;
  if (kind === "stalled" && before !== "stalled") spoken.push(`${machine.mac}: ${machine.trouble}`);
  if (before !== kind) soon();
  due();
}

/** What has stalled since the last time, in one sentence. */
function speak() {
  const now = performance.now();
  if (spoken.length === 0 || now - spokenAt < SPEAK_PAUSE) return;
  set($("spoken"), spoken.length === 1 ? `Stalled: ${spoken[0]}` : `${spoken.length} machines stalled, the last ${spoken.at(-1)}`);
  spoken = [];
  spokenAt = now;
}

let lostAt = null;

function linkChanged(word, why) {
  if (word === "live") lostAt = null;
  else lostAt ??= Date.now();
  clock.ahead = null;
  document.body.dataset.link = word;
  set($("link-word"), { live: "Live", lost: "Reconnecting", locked: "Locked" }[word]);
  $("notice").hidden = word !== "lost";
  set($("notice"), `Connection lost at ${CLOCK.format(lostAt ?? 0)}: ${why}. What is shown is from then; trying again.`);
  $("token-form").hidden = word !== "locked";
  soon(0);
}

const subscription = new Subscription("events", told, linkChanged);
$("token-form").addEventListener("submit", event => {
  event.preventDefault();
  subscription.token = $("token").value;
  void subscription.run();
});

// What the operator does.

rack.addEventListener("scroll", due, { passive: true });
rack.addEventListener("click", event => {
  const tile = event.target.closest(".tile")?.tile;
  if (tile) open(tile.machine.mac, true);
});
rack.addEventListener("focusin", event => {
  if (event.target.tile) view.cursor = event.target.tile.machine.mac;
});
rack.addEventListener("keydown", event => {
  if (event.altKey || event.ctrlKey || event.metaKey || !(event.target === rack || event.target.tile)) return;
  if (move(event.key)) event.preventDefault();
});
document.addEventListener("keydown", event => {
  const isTyping = event.target instanceof HTMLInputElement;
  if (event.key === "Escape" && !(isTyping && event.target.value !== "")) close();
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
  if (event.key === "ArrowDown" || event.key === "Enter") view.cursor = null, move("Home");
});
$("clear").addEventListener("click", () => {
  $("search").value = "";
  Object.assign(view, { find: finder(""), filter: "" });
  $("search").focus();
  soon(0);
});
$("close").addEventListener("click", close);
addEventListener("hashchange", openNamed);
new ResizeObserver(() => {
  for (const shelf of shelves) shelf.measure();
  const shelf = shelves.find(each => selected !== null && placeOf(each, selected) >= 0);
  if (shelf) sight(shelf, placeOf(shelf, selected));
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
  for (const shelf of shelves) for (const tile of shelf.tiles.values()) tile.tick();
  if (selected !== null) paintPanel();
  if (lostAt !== null) set($("link-word"), `Reconnecting, ${age(Date.now() - lostAt)}`);
}, 1000);

void subscription.run();
