// The keys: one tile has the focus, and the arrows move it.

/** Puts the cursor on a tile, in sight and in focus. */
function reach(shelf, index) {
  view.cursor = shelf.items[index].mac;
  sight(shelf, index);
  render();
  tileOf(view.cursor).button.focus({ preventScroll: true });
  if (selected !== null) openPanel(view.cursor, false);
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
  const stocked = shelves.filter(shelf => shelf.items.length > 0);
  if (stocked.length === 0 || !/^(Arrow(Left|Right|Up|Down)|Home|End|Page(Up|Down))$/.test(key)) return false;
  const at = stocked.findIndex(shelf => placeOf(shelf, view.cursor) >= 0);
  if (at < 0 || key === "Home") reach(stocked[0], 0);
  else if (key === "End") reach(stocked.at(-1), stocked.at(-1).items.length - 1);
  else step(stocked, at, placeOf(stocked[at], view.cursor), key);
  return true;
}

/** From a tile to the one beside, above or below it; at the end of a shelf to the next one. */
function step(stocked, at, index, key) {
  const shelf = stocked[at], { columns } = shelf, last = shelf.items.length - 1;
  const page = Math.max(1, Math.floor(rack.clientHeight / shelf.pitch) - 1) * columns;
  const steps = { Left: -1, Right: 1, ArrowUp: -columns, ArrowDown: columns, PageUp: -page, PageDown: page };
  const isSideways = /Left|Right/.test(key), by = steps[key] ?? steps[key.slice("Arrow".length)];
  const isInEdgeRow = by < 0 ? index < columns : index >= last - last % columns, next = stocked[at + Math.sign(by)];
  if (index + by >= 0 && index + by <= last) reach(shelf, index + by);
  else if (!isSideways && !isInEdgeRow) reach(shelf, by < 0 ? index % columns : last);
  else if (next) enter(next, by, isSideways ? null : index % columns);
}

/** Onto a shelf from its beginning or its end; in a column as far as there is one. */
function enter(shelf, by, column) {
  const last = shelf.items.length - 1;
  if (column === null) reach(shelf, by > 0 ? 0 : last);
  else reach(shelf, Math.min(last, Math.min(column, shelf.columns - 1) + (by > 0 ? 0 : last - last % shelf.columns)));
}
