// Server-sent events, read by hand: EventSource shows neither heartbeats nor what a server refuses, and sends no token.

const SILENCE_MAX = 40_000; // milliseconds; the daemon lets 15 s pass at most without a word
const LINE_MAX = 2 ** 29;   // UTF-16 units: about what a browser can hold in one string

/** The lines of a text that comes in pieces; a piece may hold many, and a snapshot may take many pieces. */
class Lines {
  constructor() { this.clear(); }
  clear() { this.held = []; this.length = 0; }

  *take(piece) {
    const lines = piece.split("\n"), last = lines.pop();
    for (const line of lines) {
      yield (this.held.length > 0 ? this.held.join("") + line : line).replace(/\r$/, "");
      this.clear();
    }
    this.held.push(last);
    this.length += last.length;
    if (this.length > LINE_MAX) throw new Error("a line without an end");
  }
}

/**
 * A subscription that is renewed for ever. `told` gets what each message holds; `changed` gets "live", "lost" or
 * "locked", and why.
 */
class Subscription {
  constructor(path, told, changed) {
    Object.assign(this, { path, told, changed, id: "", retry: 3000, token: "", isRunning: false });
  }

  /** Until it is locked. One at a time, however often Enter is pressed. */
  async run() {
    if (this.isRunning) return;
    this.isRunning = true;
    for (;;) {
      const state = await this.subscribe().catch(error => ({ word: "lost", why: this.reason(error) }));
      this.changed(state.word, state.why);
      this.isRunning = state.word !== "locked";
      if (!this.isRunning) return;
      await new Promise(resolve => setTimeout(resolve, this.retry * (1 + Math.random() / 2)));
    }
  }

  reason(error) {
    if (this.isSilent) return "nothing was heard for 40 s";
    return error instanceof TypeError ? "the daemon does not answer" : error.message; // a browser's words for it differ
  }

  /** One connection, from its request to its end. */
  async subscribe() {
    const stop = new AbortController();
    this.isSilent = false;
    const heard = () => { this.last = performance.now(); };
    heard();
    const watch = setInterval(() => {
      this.isSilent = performance.now() - this.last > SILENCE_MAX;
      if (this.isSilent) stop.abort();
    }, 1000);
    try {
      return await this.read(stop.signal, heard);
    } finally {
      clearInterval(watch);
      stop.abort();
    }
  }

  async read(signal, heard) {
    const headers = { Accept: "text/event-stream" };
    if (this.id !== "") headers["Last-Event-ID"] = this.id;
    if (this.token !== "") headers.Authorization = `Bearer ${this.token}`;
    const answer = await fetch(this.path, { headers, signal, cache: "no-store" });
    if (answer.status === 401) return { word: "locked", why: this.token === "" ? "" : "not this one" };
    if (!answer.ok) throw new Error(`the daemon answers ${answer.status}`);
    heard();
    this.changed("live", "");
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader(), lines = new Lines();
    Object.assign(this, { data: [], next: this.id });
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw new Error("the daemon closed the connection");
      heard();
      for (const line of lines.take(value)) this.line(line);
    }
  }

  line(line) {
    if (line === "") return this.dispatch();
    const [, field, value] = /^([^:]*):? ?([^]*)$/.exec(line);
    if (field === "data") this.data.push(value);
    else if (field === "id") this.next = value;
    else if (field === "retry" && /^\d{1,5}$/.test(value)) this.retry = Math.max(100, Number(value));
  }

  dispatch() {
    const data = this.data.join("\n");
    this.data = [];
    try {
      if (data !== "") this.told(JSON.parse(data));
      this.id = this.next;
    } catch (error) {
      this.id = ""; // a snapshot makes up for what was not understood
      throw new Error(`not understood: ${error.message}`, { cause: error });
    }
  }
}
