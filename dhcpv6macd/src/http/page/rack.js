// The rack: shelves of tiles, of which only those in sight exist.

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
    const { kind, transfer, trouble } = machine, troubled = TROUBLES.get(kind);
    const done = machine.state === UP ? null : doneOf(transfer);
    const percent = done === null || transfer.state === "complete" ? "" : `${Math.floor(done * 100)} %`;
    mark(this.button, "data-state", machine.state ?? "init");
    mark(this.button, "data-trouble", troubled ? kind : "");
    mark(this.button, "data-mac", machine.mac);
    set(this.letter, (troubled ?? STATES.get(kind)).letter);
    set(this.mac.firstChild, shelf.isOneMaker ? "" : machine.mac.slice(0, 9));
    set(this.mac.lastChild, machine.mac.slice(9));
    set(this.line.firstChild, trouble || machine.words);
    set(this.line.lastChild, percent || (trouble ? machine.words : tookWords(machine)));
    set(this.address, machine.address);
    const state = `${machine.words} ${percent}`, { mac, address } = machine;
    mark(this.button, "aria-label", [mac, troubled && `${troubled.short}: ${trouble}`, state].filter(Boolean).join(", "));
    mark(this.button, "title", shelf.density.name === "compact" ? [mac, address, state].join("\n") : "");
    mark(this.button, "aria-expanded", String(selected === mac));
    [...this.rail.children].forEach((lamp, phase) => mark(lamp, "class", lampClass(machine, phase)));
    mark(this.rail, "style", done === null ? "" : `--done:${done.toFixed(3)}`);
    this.tick();
  }

  /** What changes as time goes by. */
  tick() {
    const { machine } = this;
    set(this.age, machine.seen === 0 ? "" : age(clock.now() - (machine.stalled?.at ?? machine.since)));
  }
}

const tookWords = ({ took }) => took === null ? "" : `in ${duration(took)}`;

/** What a lamp of the rail shows of a machine. */
function lampClass(machine, phase) {
  if (phase === 1 && machine.skipsLoader) return "skipped";
  if (machine.state === UP || phase < machine.phase) return "done";
  return phase === machine.phase ? "now" : "";
}

/** A list of tiles, of which those in sight exist. */
class Shelf {
  constructor(name, density) {
    this.section = $(`shelf-${name}`);
    this.list = this.section.querySelector("ul");
    this.note = this.section.querySelector("h2 span");
    Object.assign(this, { fixed: density, density: density ?? DENSITIES[0], columns: 1 });
    Object.assign(this, { items: [], tiles: new Map(), shown: "" });
  }

  /** Takes the machines that belong here, in order. */
  put(items, note) {
    set(this.note, note);
    if (items.length === this.items.length && items.every((machine, index) => machine === this.items[index])) return;
    this.items = items;
    this.section.hidden = items.length === 0;
    // What is laid out loosely stays so a little longer: a number that swings around a limit does not make tiles swing.
    const fits = density => items.length <= density.max * (density === this.density ? 1.25 : 1);
    this.density = this.fixed ?? DENSITIES.find(fits);
    this.lay();
  }

  /** Finds out how the tiles stand. Asks the page for nothing: it would have to be laid out to answer. */
  lay() {
    const { width } = view, gap = GAP * REM;
    const isTight = this.density.name === "compact" || width < 40 * REM;
    this.isOneMaker = view.maker !== null && !this.fixed && isTight;
    const least = (this.isOneMaker ? this.density.width - 4.25 : this.density.width) * REM;
    this.columns = Math.max(1, Math.floor((width + gap) / (least + gap)));
    this.height = this.density.height * REM;
    this.pitch = this.height + gap;
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
    const first = row(top - 2 * this.pitch), from = first * this.columns;
    const to = row(bottom + 3 * this.pitch) * this.columns;
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

const view = {
  filter: "",        // the name of a trouble or a state, or nothing
  find: finder(""),  // what the search says of a machine
  order: [],         // all machines, by MAC
  isNewMember: true, // is somebody not in that order?
  isTold: false,     // has a snapshot come?
  maker: null,       // how all MACs begin, where all begin alike
  width: 0,          // of a shelf, in pixels
  cursor: null,      // the MAC that has the focus, or had it last
  sought: null,      // the MAC that is to be brought into sight
};
const shelves = [new Shelf("stalled", ALERT), new Shelf("attention", ALERT), new Shelf("rest")];
const touched = new Set();
let selected = null, arrangeAt = 0, isFrameDue = false;

const tilesInSight = () => shelves.flatMap(shelf => [...shelf.tiles.values()]);
const tileOf = mac => shelves.map(shelf => shelf.tiles.get(mac)).find(tile => tile);

/** The focus goes where a machine's tile is, or would be. */
const focusOn = mac => (tileOf(mac)?.button ?? rack).focus({ preventScroll: true });

/** How all MACs begin, or null where they begin differently. They are in order: the first and the last tell. */
function commonMaker(order) {
  const maker = order[0]?.mac.slice(0, 9);
  return order.at(-1)?.mac.startsWith(maker) ? maker : null;
}

/** Sorts all that is to be seen onto its shelves. */
function arrange() {
  if (view.isNewMember) {
    view.order = [...machines.all.values()].sort((one, other) => one.mac < other.mac ? -1 : 1);
    view.isNewMember = false;
  }
  const sorted = [[], [], []], kinds = new Map(), words = new Map();
  const count = (map, key) => map.set(key, (map.get(key) ?? 0) + 1);
  const maker = commonMaker(view.order), isOther = maker !== view.maker;
  view.maker = maker;
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
  if (isOther) for (const shelf of shelves) shelf.lay();
  if (shelves[2].isOneMaker) set(shelves[2].note, `${sorted[2].length}, all ${view.maker}…`);
  tell(kinds, words, shown);
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
  if (hadFocus && document.activeElement?.tile === undefined) focusOn(view.cursor);
}

function render() {
  const top = rack.scrollTop, bottom = top + rack.clientHeight;
  const places = shelves.map(shelf => shelf.list.offsetTop); // asked before anything is changed
  shelves.forEach((shelf, index) => shelf.render(top - places[index], bottom - places[index]));
  const stop = tileOf(view.cursor)?.button ?? rack.querySelector(".tile");
  for (const other of rack.querySelectorAll('.tile[tabindex="0"]')) if (other !== stop) other.tabIndex = -1;
  if (stop && stop.tabIndex !== 0) stop.tabIndex = 0;
}
