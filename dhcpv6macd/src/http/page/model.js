"use strict";
// What the daemon tells of machines, kept in bounds. Every string in it is somebody else's: it is shown as text,
// and never as markup.

const EVENTS_MAX = 50;        // a machine, as the daemon keeps
const MACHINES_MAX = 1 << 20; // as many as a daemon may keep: the one not heard for longest goes first

/**
 * The states in the order of a boot. Phases are what the rail of a tile shows: asks, loads iPXE, has a URL, loads its
 * image, is up.
 */
const STATES = new Map(Object.entries({
  init: { phase: 0, letter: "S", short: "First seen", long: "Is seen for the first time" },
  firmware_init: { phase: 0, letter: "F", short: "Firmware", long: "Firmware asks for an address" },
  point_pxe_to_ipxe_over_tftp: { phase: 1, letter: "P", short: "PXE", long: "PXE firmware is pointed to iPXE" },
  serve_ipxe_over_tftp: { phase: 1, letter: "T", short: "Loads iPXE", long: "Loads iPXE" },
  served_ipxe_over_tftp: { phase: 1, letter: "X", short: "Has iPXE", long: "Has loaded iPXE" },
  http_boot: { phase: 2, letter: "H", short: "HTTP Boot", long: "Firmware is given the boot URL" },
  point_ipxe_to_http_boot: { phase: 2, letter: "U", short: "iPXE URL", long: "iPXE is given the boot URL" },
  http_fetch_uki: { phase: 3, letter: "L", short: "Loads image", long: "Loads its image" },
  os_init: { phase: 4, letter: "✓", short: "Up", long: "System asks for an address" },
}));
const UP = "os_init";
/** How a remark begins that says that two machines have one MAC. Other remarks are for the timeline alone. */
const CONFLICT = "mac_conflict: ";

/** What needs an operator, before any state. */
const TROUBLES = new Map(Object.entries({
  stalled: { letter: "!", short: "Stalled" },
  error: { letter: "×", short: "Failed" },
  conflict: { letter: "≠", short: "Conflict" },
}));

/** The daemon's clock, as far as its events let us know it: none of them is from the future. */
const clock = {
  ahead: null,
  now() { return Date.now() + (this.ahead ?? 0); },
  hear(at) {
    const ahead = at - Date.now();
    if (ahead > (this.ahead ?? -Infinity)) this.ahead = ahead;
  },
};

const text = (value, otherwise = "") => typeof value === "string" ? value.slice(0, 1000) : otherwise;
const count = value => Number.isFinite(value) && value >= 0 ? value : 0;

/** The detail of an event that tells of a transfer; null for any other. */
function transferOf(detail) {
  if (!detail || typeof detail !== "object" || typeof detail.state !== "string") return null;
  return {
    protocol: text(detail.protocol), file: text(detail.file_name), state: text(detail.state), error: text(detail.error),
    sent: count(detail.sent_bytes), total: count(detail.total_bytes),
  };
}

/** How much of a transfer is there, from 0 to 1; null where nobody knows. */
function doneOf(transfer) {
  if (!transfer) return null;
  if (transfer.state === "complete") return 1;
  return transfer.total > 0 ? Math.min(1, transfer.sent / transfer.total) : null;
}

class Machine {
  constructor(mac, address) {
    Object.assign(this, { mac, address: text(address).slice(0, 64), events: [], stalled: null, conflict: null });
    Object.assign(this, { state: null, step: null, seen: 0, since: 0, bootAt: 0, isWhole: false, skipsLoader: false });
  }

  /** One event, in the order in which they happen. */
  take(event) {
    const name = text(event.event).slice(0, 64), detail = event.detail ?? {};
    const parsed = Date.parse(text(event.timestamp));
    const at = Number.isNaN(parsed) ? clock.now() : parsed;
    this.seen = Math.max(this.seen, at);
    if (name === "") return;
    if (event.repeat_event === true) return this.goOn(name, detail, at);
    const words = text(detail.reason) || text(detail.message);
    const kept = { name, at, last: at, transfer: transferOf(detail), words };
    this.events.push(kept);
    if (this.events.length > EVENTS_MAX && this.events.shift() === this.conflict) this.conflict = null;
    if (STATES.has(name)) this.enter(kept);
    else if (name === "stalled") this.stalled = kept;
    else if (name === "resumed") this.stalled = null;
    else if (name === "fyi" && kept.words.startsWith(CONFLICT)) this.conflict = kept;
  }

  /** The same again: a retransmission, or how far a transfer is, which is a remark where the system loads. */
  goOn(name, detail, at) {
    const isRemark = event => event.name === "fyi" && event.transfer;
    const kept = name === this.state ? this.step : name === "fyi" ? this.events.findLast(isRemark) : undefined;
    if (!kept) return;
    kept.transfer = transferOf(detail) ?? kept.transfer;
    kept.last = at;
  }

  enter(step) {
    const { phase } = STATES.get(step.name);
    if (this.state === null || (phase === 0 && STATES.get(this.state).phase > 0)) {
      Object.assign(this, { bootAt: step.at, isWhole: false, skipsLoader: false });
    }
    if (step.name === "firmware_init") this.isWhole = true;
    if (phase === 1) this.skipsLoader = false;
    if (step.name === "http_boot") this.skipsLoader = true;
    Object.assign(this, { state: step.name, step, since: step.at, stalled: null });
  }

  get phase() { return this.state === null ? 0 : STATES.get(this.state).phase; }
  get transfer() { return this.step?.transfer ?? null; }
  get hasFailed() { return this.transfer?.state === "error"; }

  /** What it is counted as: a trouble, or else its state. */
  get kind() {
    if (this.stalled) return "stalled";
    if (this.hasFailed) return "error";
    return this.conflict ? "conflict" : this.state ?? "init";
  }

  /** Whether the name of a trouble or a state is true of it. A stalled machine is in its state all the same. */
  is(word) {
    if (word === "stalled") return this.stalled !== null;
    if (word === "error") return this.hasFailed;
    return word === "conflict" ? this.conflict !== null : word === (this.state ?? "init");
  }

  /** Where it is, in words. */
  get words() {
    if (this.hasFailed) return this.transfer.error || "Transfer failed";
    if (this.transfer?.state === "complete" && this.state === "http_fetch_uki") return "Has its image";
    return STATES.get(this.state ?? "init").short;
  }

  /** Why an operator should look at it; empty where nothing is wrong. */
  get trouble() {
    if (this.stalled) return this.stalled.words || "No reason given";
    return this.hasFailed ? this.words : this.conflict?.words.slice(CONFLICT.length) ?? "";
  }

  /** How long a boot took that was seen from its beginning, in milliseconds; null for any other. */
  get took() { return this.state === UP && this.isWhole ? this.since - this.bootAt : null; }

  /**
   * Its boots, oldest first: each the steps and remarks in order, with when each step and stall ended (null: it still
   * lasts).
   */
  boots() {
    const boots = [];
    let step = null, stall = null, isJump = false;
    for (const event of this.events) {
      const state = STATES.get(event.name), row = { ...event, state, isJump, end: null };
      isJump = event.name === "jump_to";
      if (isJump) continue;
      if (stall && (state || event.name === "resumed")) {
        stall.end = event.at;
        stall = null;
      }
      if (event.name === "stalled") stall = row;
      if (state) {
        if (step) step.end = event.at;
        if (step && state.phase === 0 && step.state.phase > 0) boots.push([]);
        step = row;
      }
      if (boots.length === 0) boots.push([]);
      boots.at(-1).push(row);
    }
    return boots;
  }
}

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

/** All machines, the one not heard for longest first. */
class Machines {
  constructor() { this.all = new Map(); }

  /** A snapshot replaces everything. */
  replace(snapshot) {
    this.all.clear();
    for (const [mac, told] of Object.entries(snapshot ?? {})) {
      if (!MAC.test(mac) || this.all.size === MACHINES_MAX) continue;
      const machine = new Machine(mac, told?.IPv6Address);
      for (const event of Array.isArray(told?.Events) ? told.Events.slice(-EVENTS_MAX) : []) machine.take(event ?? {});
      this.all.set(mac, machine);
    }
  }

  /** One event of one machine; returns the machine, or null for what is none. */
  take({ mac, ipv6_address: address, event }) {
    if (typeof mac !== "string" || !MAC.test(mac) || !event || typeof event !== "object") return null;
    const machine = this.all.get(mac) ?? new Machine(mac, address);
    this.all.delete(mac);
    if (this.all.size === MACHINES_MAX) this.all.delete(this.all.keys().next().value);
    this.all.set(mac, machine);
    machine.address = text(address, machine.address).slice(0, 64);
    clock.hear(Date.parse(text(event.timestamp)));
    machine.take(event);
    return machine;
  }
}

// Spellings.

/** The 32 digits of an IPv6 address, or null. */
function digitsOf(address) {
  const [before, after, ...more] = address.split("::").map(half => half === "" ? [] : half.split(":"));
  const zeros = after ? Array(Math.max(0, 8 - before.length - after.length)).fill("0") : [];
  const groups = [...before, ...zeros, ...after ?? [], ...more];
  if (groups.length !== 8 || !groups.every(group => /^[0-9a-f]{1,4}$/.test(group))) return null;
  return groups.map(group => group.padStart(4, "0")).join("");
}

/** What finds machines by any spelling of a MAC, or by a piece of an address. */
function finder(asked) {
  const query = asked.trim().toLowerCase();
  if (query === "") return () => true;
  const digits = digitsOf(query), hex = query.replaceAll(/[-:.\s]/g, ""), isLoose = /^[0-9a-f.]+$/.test(query);
  const pairs = query.replaceAll(/[-\s]/g, ":");
  return ({ mac, address }) => mac.includes(pairs) || (isLoose && hex !== "" && mac.replaceAll(":", "").includes(hex))
    || address.includes(query) || (digits !== null && digitsOf(address) === digits);
}

const NUMBER = new Intl.NumberFormat("en", { maximumSignificantDigits: 3, useGrouping: false });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

/** 340 ms, 1.24 s, 34 s, 2 min 05 s, 3 h 12 min, 4 d 2 h. */
function duration(milliseconds) {
  const seconds = Math.max(0, milliseconds) / 1000, whole = Math.floor(seconds);
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor(whole % 3600 / 60)} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor(whole % 86_400 / 3600)} h`;
}

/** As `duration` with one unit, for what is told while it lasts: 4 s, 12 min, 3 h. */
function age(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  return seconds < 60 ? `${seconds} s` : /^\d+ \w+/.exec(duration(milliseconds))[0];
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const [unit, per] = bytes < 2 ** 20 ? ["KiB", 2 ** 10] : bytes < 2 ** 30 ? ["MiB", 2 ** 20] : ["GiB", 2 ** 30];
  return `${NUMBER.format(bytes / per)} ${unit}`;
}
