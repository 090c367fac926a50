// One machine: its timeline, with how long each step took.

function open(mac, isEntered) {
  selected = mac;
  view.cursor = mac;
  panel.hidden = false;
  history.replaceState(null, "", `#${mac}`);
  panel.scrollTop = 0;
  for (const shelf of shelves) for (const tile of shelf.tiles.values()) mark(tile.button, "aria-expanded", String(tile.machine.mac === mac));
  paintPanel();
  if (isEntered) $("panel-mac").focus();
}

function close() {
  const mac = selected;
  if (mac === null) return;
  selected = null;
  panel.hidden = true;
  history.replaceState(null, "", location.pathname + location.search);
  const tile = tileOf(mac);
  if (tile) mark(tile.button, "aria-expanded", "false");
  (tile?.button ?? rack).focus({ preventScroll: true });
}

/** The machine that the address of the page names. */
function openNamed() {
  const mac = location.hash.slice(1).toLowerCase();
  if (!machines.all.has(mac)) return;
  view.sought = mac;
  open(mac, false);
  due();
}

function paintPanel() {
  const machine = machines.all.get(selected);
  if (!machine) return close();
  const { state, kind, trouble } = machine, now = clock.now();
  mark($("panel-state"), "data-state", state ?? "init");
  mark($("panel-alert"), "data-trouble", kind);
  set($("panel-mac"), machine.mac);
  set($("panel-state"), machine.hasFailed ? STATES.get(state).long : `${STATES.get(state ?? "init").long}${machine.took === null ? `, ${age(now - machine.since)}` : ""}`);
  set($("panel-alert"), trouble === "" ? "" : `${TROUBLES.get(kind).short}${machine.stalled ? ` for ${age(now - machine.stalled.at)}` : ""}: ${trouble}`);
  $("panel-alert").hidden = trouble === "";
  set($("fact-address"), machine.address || "none yet");
  set($("fact-seen"), `${CLOCK.format(machine.seen)}, ${age(now - machine.seen)} ago`);
  set($("fact-took-name"), machine.state === UP ? "Boot took" : "Booting for");
  set($("fact-took"), machine.took !== null ? duration(machine.took) : machine.state === UP ? "not seen from its beginning" : age(now - machine.bootAt));
  mark($("json"), "href", `machines/${machine.mac}`);
  const boots = machine.boots();
  fill($("boot"), boots.slice(-1), now);
  fill($("boots"), boots.slice(0, -1).reverse(), now);
  $("earlier").hidden = boots.length < 2;
}

/** Puts boots into a list, in the rows that it has as far as they go. */
function fill(list, boots, now) {
  const rows = boots.flatMap((boot, nth) => {
    const last = boot.findLast(row => row.state), begin = boot[0].at, end = !last || last.name === UP ? boot.at(-1).at : last.end ?? now;
    return boot.map((row, index) => ({ row, begin, span: Math.max(1, (last?.name === UP ? last.at : end) - begin), isFirst: nth > 0 && index === 0 }));
  });
  while (list.children.length > rows.length) list.lastElementChild.remove();
  while (list.children.length < rows.length) list.append($("step").content.cloneNode(true));
  rows.forEach((each, index) => paintStep(list.children[index], each, now));
}

function paintStep(item, { row, begin, span, isFirst }, now) {
  const [letter, what, time, lasted, bar, more] = item.children, { state, transfer } = row, end = row.end ?? now;
  const share = at => `${(100 * Math.min(1, Math.max(0, (at - begin) / span))).toFixed(2)}%`;
  mark(item, state ? "data-state" : "data-trouble", row.name === "fyi" && row.words.startsWith(CONFLICT) ? "conflict" : row.name);
  item.removeAttribute(state ? "data-trouble" : "data-state");
  mark(item, "class", [!state && "remark", state && row.name === UP && "remark", transfer?.state === "error" && "failed", isFirst && "first"].filter(Boolean).join(" "));
  set(letter, (state ?? TROUBLES.get(row.name))?.letter ?? { fyi: "i", resumed: "›" }[row.name] ?? "?");
  set(what, state ? state.long : remarkOf(row));
  set(lasted, !state && row.name !== "stalled" ? "" : row.end === null ? age(now - row.at) : duration(row.end - row.at));
  bar.style.setProperty("--from", share(row.at));
  bar.style.setProperty("--for", `${parseFloat(share(end)) - parseFloat(share(row.at))}%`);
  set(more, [row.isJump && "Steps before this one were not seen.", transferWords(row)].filter(Boolean).join(" "));
  set(time, CLOCK.format(row.at));
  mark(time, "datetime", new Date(row.at).toISOString());
}

function remarkOf({ name, words }) {
  if (name === "stalled") return `Stalled: ${words || "no reason given"}`;
  return { resumed: "Goes on", fyi: words.replace(CONFLICT, "") }[name] || name;
}

/** boot.efi over http, 33.1 of 80.5 MiB, 41 %, 12.3 MiB/s */
function transferWords({ transfer, at, last, end }) {
  if (!transfer) return "";
  const { protocol, file, sent, total, error, state } = transfer, seconds = (last - at) / 1000;
  const isWhole = state === "complete" || (state !== "error" && end !== null); // the step after it says so
  const parts = [`${file || "a file"}${protocol && ` over ${protocol}`}`];
  if (total > 0) parts.push(isWhole ? size(total) : `${size(sent)} of ${size(total)}, ${Math.floor(100 * sent / total)} %`);
  else if (sent > 0) parts.push(size(sent));
  if (sent > 0 && seconds > 0) parts.push(`${size(Math.round(sent / seconds))}/s`);
  if (state === "error") parts.push(error || "failed");
  return parts.join(", ");
}
