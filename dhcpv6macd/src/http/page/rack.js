// The rack: shelves of tiles, of which only those in sight exist, the legend and the keys.

const $ = id => document.getElementById(id);
const machines = new Machines();
const rack = $("rack"), panel = $("panel");
const REM = parseFloat(getComputedStyle(document.documentElement).fontSize);

/** Least width and height of a tile in rem, and up to how many tiles it is used. */
const DENSITIES = [
  { name: "roomy", width: 14.5, height: 5.375, max: 60 },
  { name: "regular", width: 11.75, height: 4.125, max: 600 },
  { name: "compact", width: 11, height: 2.125, max: Infinity },
];
const GAP = 0.5; // rem between tiles
const ALERT = { name: "alert", width: 17, height: 5.625 };
const ARRANGE_PAUSE = 300; // milliseconds between two orders of the tiles

const set = (node, value) => { if (node.textContent !== value) node.textContent = value; };
const mark = (node, name, value) => { if (node.getAttribute(name) !== value) node.setAttribute(name, value); };

/** One machine on the rack. */
class Tile {
  constructor() {
    this.item = $("tile").content.firstElementChild.cloneNode(true);
    this.button = this.item.firstElementChild;
    [this.letter, this.mac, this.age, this.line, this.rail, this.address] = this.button.children;
    this.button.tile = this;
  }

  paint(machine, shelf = this.shelf) {
    Object.assign(this, { machine, shelf });
    const { kind, transfer, trouble } = machine, done = machine.state === UP ? null : doneOf(transfer), troubled = TROUBLES.get(kind);
    const percent = done === null || transfer.state === "complete" ? "" : `${Math.floor(done * 100)} %`;
    mark(this.button, "data-state", machine.state ?? "init");
    mark(this.button, "data-trouble", troubled ? kind : "");
    mark(this.button, "data-mac", machine.mac);
    set(this.letter, (troubled ?? STATES.get(kind)).letter);
    set(this.mac.firstChild, shelf.isOneMaker ? "" : machine.mac.slice(0, 9));
    set(this.mac.lastChild, machine.mac.slice(9));
    set(this.line.firstChild, trouble || machine.words);
    set(this.line.lastChild, percent || (trouble ? machine.words : machine.took !== null ? `in ${duration(machine.took)}` : ""));
    set(this.address, machine.address);
    mark(this.button, "aria-label", `${machine.mac}, ${troubled ? `${troubled.short}: ${trouble}, ` : ""}${machine.words} ${percent}`);
    mark(this.button, "title", shelf.density.name === "compact" ? `${machine.mac}\n${machine.address}\n${machine.words} ${percent}` : "");
    mark(this.button, "aria-expanded", String(selected === machine.mac));
    [...this.rail.children].forEach((lamp, phase) => {
      const isOver = phase < machine.phase || machine.state === UP;
      mark(lamp, "class", phase === 1 && machine.skipsLoader ? "skipped" : isOver ? "done" : phase === machine.phase ? "now" : "");
    });
    mark(this.rail, "style", done === null ? "" : `--done:${done.toFixed(3)}`);
    this.tick();
  }

  /** What changes as time goes by. */
  tick() {
    const { machine } = this;
    set(this.age, machine.seen === 0 ? "" : age(clock.now() - (machine.stalled?.at ?? machine.since)));
  }
}

/** A list of tiles, of which those in sight exist. */
class Shelf {
  constructor(name, density) {
    this.section = $(`shelf-${name}`);
    this.list = this.section.querySelector("ul");
    this.note = this.section.querySelector("h2 span");
    Object.assign(this, { fixed: density, density: density ?? DENSITIES[0], items: [], tiles: new Map(), columns: 1, shown: "" });
  }

  /** Takes the machines that belong here, in order. */
  put(items, note) {
    set(this.note, note);
    if (items.length === this.items.length && items.every((machine, index) => machine === this.items[index])) return;
    this.items = items;
    this.section.hidden = items.length === 0;
    // What is laid out loosely stays so a little longer: a number that swings around a limit does not make tiles swing.
    this.density = this.fixed ?? DENSITIES.find(density => items.length <= density.max * (density === this.density ? 1.25 : 1));
    this.lay();
  }

  /** Finds out how the tiles stand. Asks the page for nothing: it would have to be laid out to answer. */
  lay() {
    const { width } = view, gap = GAP * REM;
    const isCompact = this.density.name === "compact", isOneMaker = view.maker !== null && !this.fixed && (isCompact || width < 40 * REM);
    const least = (isOneMaker ? this.density.width - 4.25 : this.density.width) * REM;
    this.columns = Math.max(1, Math.floor((width + gap) / (least + gap)));
    this.height = this.density.height * REM;
    this.pitch = this.height + gap;
    this.isOneMaker = isOneMaker;
    mark(this.section, "data-density", this.density.name);
    this.list.style.setProperty("--columns", this.columns);
    this.list.style.setProperty("--row", `${this.height}px`);
    this.list.style.height = `${Math.max(0, Math.ceil(this.items.length / this.columns) * this.pitch - gap)}px`;
    this.shown = "";
  }

  /** Makes the tiles between two heights of the list, and lets the others go. */
  render(top, bottom) {
    const rows = Math.ceil(this.items.length / this.columns);
    const row = y => Math.min(rows, Math.max(0, Math.floor(y / this.pitch)));
    const first = row(top - 2 * this.pitch), from = first * this.columns, to = row(bottom + 3 * this.pitch) * this.columns;
    if (this.shown === `${from} ${to}`) return;
    this.shown = `${from} ${to}`;
    const wanted = this.items.slice(from, to), macs = new Set(wanted.map(machine => machine.mac));
    for (const [mac, tile] of this.tiles) {
      if (macs.has(mac)) continue;
      tile.item.remove();
      this.tiles.delete(mac);
    }
    this.list.style.paddingTop = `${first * this.pitch}px`;
    let next = this.list.firstElementChild;
    wanted.forEach((machine, index) => {
      const tile = this.tiles.get(machine.mac) ?? new Tile();
      this.tiles.set(machine.mac, tile);
      if (tile.item === next) next = next.nextElementSibling;
      else this.list.insertBefore(tile.item, next);
      mark(tile.item, "aria-posinset", String(from + index + 1));
      mark(tile.item, "aria-setsize", String(this.items.length));
      tile.paint(machine, this);
    });
  }
}

// What is shown.

const view = { filter: "", find: finder(""), maker: null, width: 0, cursor: null, sought: null, order: [], isNewMember: true, isTold: false };
const shelves = [new Shelf("stalled", ALERT), new Shelf("attention", ALERT), new Shelf("rest")];
const touched = new Set();
let selected = null, arrangeAt = 0, isFrameDue = false;

const tileOf = mac => shelves.map(shelf => shelf.tiles.get(mac)).find(tile => tile);

/** Sorts all that is to be seen onto its shelves. */
function arrange() {
  if (view.isNewMember) {
    view.order = [...machines.all.values()].sort((one, other) => one.mac < other.mac ? -1 : 1);
    view.isNewMember = false;
  }
  const sorted = [[], [], []], kinds = new Map(), words = new Map();
  const count = (map, key) => map.set(key, (map.get(key) ?? 0) + 1);
  const maker = view.order[0]?.mac.slice(0, 9);
  view.maker = view.order.at(-1)?.mac.startsWith(maker) ? maker : null;
  for (const machine of view.order) {
    const { kind } = machine;
    count(kinds, kind);
    count(words, machine.state ?? "init");
    for (const word of TROUBLES.keys()) if (machine.is(word)) count(words, word);
    if ((view.filter !== "" && !machine.is(view.filter)) || !view.find(machine)) continue;
    sorted[kind === "stalled" ? 0 : TROUBLES.has(kind) ? 1 : 2].push(machine);
  }
  const shown = sorted[0].length + sorted[1].length + sorted[2].length;
  shelves.forEach((shelf, index) => shelf.put(sorted[index], String(sorted[index].length)));
  if (shelves[2].isOneMaker) set(shelves[2].note, `${sorted[2].length}, all ${view.maker}…`);
  tell(kinds, words, shown);
}

/** The head, and what stands in for tiles where there are none. */
function tell(kinds, words, shown) {
  const all = view.order.length, stalled = kinds.get("stalled") ?? 0, up = view.order.filter(machine => machine.state === UP && !machine.stalled).length;
  set($("total"), String(all));
  set($("up"), String(up));
  set($("stalled"), String(stalled));
  set($("booting"), String(all - up - stalled));
  $("stalled").parentElement.classList.toggle("some", stalled > 0);
  document.title = all === 0 ? "Rack" : `${stalled > 0 ? `${stalled} stalled, ` : ""}${up} of ${all} up`;
  for (const [word, share] of legend.shares) share.style.setProperty("--share", kinds.get(word) ?? 0), share.hidden = !kinds.get(word);
  for (const [word, button] of legend.buttons) {
    const count = words.get(word) ?? 0;
    set(button.querySelector("b"), String(count));
    button.classList.toggle("none", count === 0);
    mark(button, "aria-pressed", String(view.filter === word));
  }
  $("empty").hidden = all > 0 || !view.isTold;
  $("nothing").hidden = all === 0 || shown > 0;
  const search = $("search").value.trim(), filter = legend.words.get(view.filter);
  set($("nothing-words"), [search && `Looked for “${search}” in MAC and address.`, filter && `Only “${filter.short}” is shown.`].filter(Boolean).join(" "));
}

/** The legend: a word for each trouble and state, with its number, which shows only those. */
const legend = { buttons: new Map(), shares: new Map(), words: new Map([...TROUBLES, ...STATES]) };
for (const [word, { letter, short }] of legend.words) {
  const button = document.createElement("button"), badge = document.createElement("span"), number = document.createElement("b"), share = document.createElement("i");
  badge.className = "letter";
  badge.ariaHidden = "true";
  badge.textContent = letter;
  button.type = "button";
  for (const node of [button, share]) node.dataset[TROUBLES.has(word) ? "trouble" : "state"] = word;
  button.append(badge, `${short} `, number);
  button.addEventListener("click", () => { view.filter = view.filter === word ? "" : word; rack.scrollTop = 0; soon(0); });
  $("legend").append(button);
  $("shares").append(share);
  legend.buttons.set(word, button);
  legend.shares.set(word, share);
}

/** Lets the tiles be put in order, at once or when a pause is over. */
function soon(pause = ARRANGE_PAUSE) {
  const at = performance.now() + pause;
  if (arrangeAt === 0 || at < arrangeAt) arrangeAt = at;
  due();
}

function due() {
  if (isFrameDue) return;
  isFrameDue = true;
  requestAnimationFrame(frame);
}

/** All that has changed since the last frame, at once. */
function frame(now) {
  isFrameDue = false;
  const hadFocus = document.activeElement?.tile !== undefined;
  const isArranged = arrangeAt !== 0 && now >= arrangeAt;
  if (isArranged) {
    arrangeAt = 0;
    arrange();
  } else if (arrangeAt !== 0) due();
  seek();
  render();
  for (const machine of touched) tileOf(machine.mac)?.paint(machine);
  if (selected !== null && (isArranged || touched.has(machines.all.get(selected)))) paintPanel();
  touched.clear();
  if (hadFocus && document.activeElement?.tile === undefined) (tileOf(view.cursor)?.button ?? rack).focus({ preventScroll: true });
}

function render() {
  const top = rack.scrollTop, bottom = top + rack.clientHeight;
  const places = shelves.map(shelf => shelf.list.offsetTop); // asked before anything is changed
  shelves.forEach((shelf, index) => shelf.render(top - places[index], bottom - places[index]));
  const stop = tileOf(view.cursor)?.button ?? rack.querySelector(".tile");
  for (const other of rack.querySelectorAll('.tile[tabindex="0"]')) if (other !== stop) other.tabIndex = -1;
  if (stop && stop.tabIndex !== 0) stop.tabIndex = 0;
}

/** Puts the cursor on a tile, in sight and in focus. */
function reach(shelf, index) {
  view.cursor = shelf.items[index].mac;
  sight(shelf, index);
  render();
  tileOf(view.cursor).button.focus({ preventScroll: true });
  if (selected !== null) open(view.cursor, false);
}

function sight(shelf, index) {
  const top = shelf.list.offsetTop + Math.floor(index / shelf.columns) * shelf.pitch, bottom = top + shelf.height;
  if (top < rack.scrollTop + REM) rack.scrollTop = top - 2.5 * REM;
  else if (bottom > rack.scrollTop + rack.clientHeight - REM) rack.scrollTop = bottom - rack.clientHeight + REM;
}

/** Brings the machine that is sought into sight, once it is on a shelf. */
function seek() {
  const shelf = view.sought !== null && shelves.find(each => placeOf(each, view.sought) >= 0);
  if (!shelf) return;
  sight(shelf, placeOf(shelf, view.sought));
  view.sought = null;
}

const placeOf = (shelf, mac) => shelf.items.findIndex(machine => machine.mac === mac);

/** Moves the cursor as a key says; returns whether the key says anything. */
function move(key) {
  const stocked = shelves.filter(shelf => shelf.items.length > 0), at = stocked.findIndex(shelf => placeOf(shelf, view.cursor) >= 0);
  const shelf = stocked[Math.max(0, at)];
  if (!shelf || !/^(Arrow(Left|Right|Up|Down)|Home|End|Page(Up|Down))$/.test(key)) return false;
  if (at < 0 || key === "Home") return reach(stocked[0], 0), true;
  if (key === "End") return reach(stocked.at(-1), stocked.at(-1).items.length - 1), true;
  const { columns, items: { length } } = shelf, index = placeOf(shelf, view.cursor), page = Math.max(1, Math.floor(rack.clientHeight / shelf.pitch) - 1) * columns;
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -page, PageDown: page }[key], to = index + by;
  if (to >= 0 && to < length) return reach(shelf, to), true;
  const next = stocked[at + Math.sign(by)], isLastRow = by > 0 ? Math.floor(index / columns) === Math.floor((length - 1) / columns) : index < columns;
  if (Math.abs(by) > 1 && !isLastRow) return reach(shelf, by > 0 ? length - 1 : index % columns), true;
  if (next && by > 0) reach(next, by === 1 ? 0 : Math.min(index % columns, next.columns - 1, next.items.length - 1));
  else if (next) {
    const last = next.items.length - 1, begin = last - last % next.columns;
    reach(next, by === -1 ? last : Math.min(begin + index % columns, last));
  }
  return true;
}
