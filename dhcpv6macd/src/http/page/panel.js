// One machine: its timeline, with how long each step took.

function openPanel(mac, isEntered) {
  selected = mac;
  view.cursor = mac;
  panel.hidden = false;
  history.replaceState(null, "", `#${mac}`);
  panel.scrollTop = 0;
  for (const tile of tilesInSight()) mark(tile.button, "aria-expanded", String(tile.machine.mac === mac));
  paintPanel();
  if (isEntered) $("panel-mac").focus();
}

function closePanel() {
  const mac = selected;
  if (mac === null) return;
  selected = null;
  panel.hidden = true;
  history.replaceState(null, "", location.pathname + location.search);
  const tile = tileOf(mac);
  if (tile) mark(tile.button, "aria-expanded", "false");
  focusOn(mac);
}

/** The machine that the address of the page names. */
function openNamed() {
  const mac = location.hash.slice(1).toLowerCase();
  if (!machines.all.has(mac)) return;
  view.sought = mac;
  openPanel(mac, false);
  due();
}

function paintPanel() {
  const machine = machines.all.get(selected);
  if (!machine) return closePanel();
  const { state, kind, trouble, took } = machine, now = clock.now(), words = STATES.get(state ?? "init").long;
  mark($("panel-state"), "data-state", state ?? "init");
  set($("panel-mac"), machine.mac);
  set($("panel-state"), took === null ? `${words}, ${age(now - machine.since)}` : words);
  mark($("panel-alert"), "data-trouble", kind);
  set($("panel-alert"), trouble && `${TROUBLES.get(kind).short}${stallWords(machine, now)}: ${trouble}`);
  $("panel-alert").hidden = trouble === "";
  set($("fact-address"), machine.address || "none yet");
  set($("fact-seen"), `${CLOCK.format(machine.seen)}, ${age(now - machine.seen)} ago`);
  set($("fact-took-name"), state === UP ? "Boot took" : "Booting for");
  const whole = took === null ? "not seen from its beginning" : duration(took);
  set($("fact-took"), state === UP ? whole : age(now - machine.bootAt));
  mark($("json"), "href", `machines/${machine.mac}`);
  $("json").hidden = subscription.token !== ""; // a link carries none
  const boots = machine.boots();
  fill($("boot"), boots.slice(-1), now);
  fill($("boots"), boots.slice(0, -1).reverse(), now);
  $("earlier").hidden = boots.length < 2;
}

const stallWords = ({ stalled }, now) => stalled ? ` for ${age(now - stalled.at)}` : "";

/** Puts boots into a list, in the rows that it has as far as they go. */
function fill(list, boots, now) {
  const rows = boots.flatMap(boot => boot.map(row => ({ row, begin: boot[0].at, end: endOf(boot, now), boot })));
  while (list.children.length > rows.length) list.lastElementChild.remove();
  while (list.children.length < rows.length) list.append($("step").content.cloneNode(true));
  rows.forEach((each, index) => {
    list.children[index].classList.toggle("first", index > 0 && each.boot[0] === each.row);
    paintStep(list.children[index], each, now);
  });
}

/** When a boot was over; now, where it is not. */
function endOf(boot, now) {
  const last = boot.findLast(row => row.state);
  if (!last) return boot.at(-1).at;
  return last.name === UP ? last.at : last.end ?? now;
}

/** One row; the bar says which part of the boot it was. */
function paintStep(item, { row, begin, end }, now) {
  const [letter, what, time, lasted, bar, more] = item.children, { state, transfer, name } = row;
  const percent = at => 100 * Math.min(1, Math.max(0, (at - begin) / Math.max(1, end - begin)));
  const from = percent(row.at), isConflict = name === "fyi" && row.words.startsWith(CONFLICT);
  item.removeAttribute(state ? "data-trouble" : "data-state");
  mark(item, state ? "data-state" : "data-trouble", isConflict ? "conflict" : name);
  item.classList.toggle("remark", !state || name === UP);
  item.classList.toggle("failed", transfer?.state === "error");
  set(letter, (state ?? TROUBLES.get(name))?.letter ?? { fyi: "i", resumed: "›" }[name] ?? "?");
  set(what, state ? state.long : remarkOf(row));
  set(lasted, state || name === "stalled" ? lastedWords(row, now) : "");
  mark(bar, "style", `--from:${from.toFixed(2)}%;--for:${(percent(row.end ?? now) - from).toFixed(2)}%`);
  set(more, [row.isJump && "Steps before this one were not seen.", transferWords(row)].filter(Boolean).join(" "));
  set(time, CLOCK.format(row.at));
  mark(time, "datetime", new Date(row.at).toISOString());
}

const lastedWords = ({ at, end }, now) => end === null ? age(now - at) : duration(end - at);

function remarkOf({ name, words, transfer }) {
  if (name === "stalled") return `Stalled: ${words || "no reason given"}`;
  if (name === "fyi" && transfer) return "Its system loads";
  return { resumed: "Goes on", fyi: words.replace(CONFLICT, "") }[name] || name;
}

/** boot.efi over http, 33.1 of 80.5 MiB, 41 %, 12.3 MiB/s */
function transferWords({ transfer, at, last, end }) {
  if (!transfer) return "";
  const { protocol, file, sent, total, error, state } = transfer, seconds = (last - at) / 1000;
  const isWhole = state === "complete" || (state !== "error" && end !== null); // the step after it says so
  const parts = [`${file || "a file"}${protocol && ` over ${protocol}`}`];
  const percent = Math.floor(100 * Math.min(1, sent / total));
  if (total > 0) parts.push(isWhole ? size(total) : `${size(sent)} of ${size(total)}, ${percent} %`);
  else if (sent > 0) parts.push(size(sent));
  if (sent > 0 && seconds > 0) parts.push(`${size(Math.round(sent / seconds))}/s`);
  if (state === "error") parts.push(error || "failed");
  return parts.join(", ");
}
