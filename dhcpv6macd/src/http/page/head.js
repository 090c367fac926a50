// The head: how many machines there are, and in which states.

/** The head, and what stands in for tiles where there are none. */
function tell(kinds, words, shown) {
  const all = view.order.length, troubled = ["stalled", "error"].reduce((sum, kind) => sum + (kinds.get(kind) ?? 0), 0);
  const up = view.order.filter(machine => machine.state === UP && !machine.stalled && !machine.hasFailed).length;
  set($("total"), String(all));
  set($("up"), String(up));
  set($("troubled"), String(troubled));
  set($("booting"), String(all - up - troubled));
  $("troubled").parentElement.classList.toggle("some", troubled > 0);
  document.title = all === 0 ? "Rack" : `${troubled > 0 ? `${troubled} in trouble, ` : ""}${up} of ${all} up`;
  for (const [word, share] of legend.shares) {
    share.style.setProperty("--share", kinds.get(word) ?? 0);
    share.hidden = !kinds.has(word);
  }
  for (const [word, button] of legend.buttons) {
    const count = words.get(word) ?? 0;
    set(button.querySelector("b"), String(count));
    button.classList.toggle("none", count === 0);
    mark(button, "aria-pressed", String(view.filter === word));
  }
  $("empty").hidden = all > 0 || !view.isTold;
  $("nothing").hidden = all === 0 || shown > 0;
  const asked = $("search").value.trim(), filter = legend.words.get(view.filter);
  const searched = asked && `Looked for “${asked}” in MAC and address.`;
  set($("nothing-words"), [searched, filter && `Only “${filter.short}” is shown.`].filter(Boolean).join(" "));
}

/** The legend: a word for each trouble and state, with its number, which shows only those. */
const legend = { buttons: new Map(), shares: new Map(), words: new Map([...TROUBLES, ...STATES]) };
for (const [word, { letter, short }] of legend.words) {
  const [button, badge, number, share] = ["button", "span", "b", "i"].map(name => document.createElement(name));
  Object.assign(badge, { className: "letter", ariaHidden: "true", textContent: letter });
  for (const node of [button, share]) node.dataset[TROUBLES.has(word) ? "trouble" : "state"] = word;
  button.type = "button";
  button.append(badge, `${short} `, number);
  button.addEventListener("click", () => {
    view.filter = view.filter === word ? "" : word;
    rack.scrollTop = 0;
    soon(0);
  });
  $("legend").append(button);
  $("shares").append(share);
  legend.buttons.set(word, button);
  legend.shares.set(word, share);
}
