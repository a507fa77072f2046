// The neighbours of a word that the reader chooses, with a box that suggests words.
const near = data.neighbours, nearIds = numbers(near.ids, Uint16Array), nearCosines = numbers(near.cosines, Int16Array);
const rowOf = new Map();
for (let row = near.words - 1; row >= 0; row--) rowOf.set(data.words[row], row); // of cut words that are equal, the most frequent
const listeners = []; // called with the row of the word that was chosen

function choose(row) { for (const listener of listeners) listener(row); }

function neighboursOf(row) {
  return Array.from({ length: near.top }, (_, at) => [nearIds[row * near.top + at], nearCosines[row * near.top + at] / near.cosine]);
}

// The words that begin with a text, then those that hold it; the most frequent first.
function matching(text, most) {
  const wanted = text.toLocaleLowerCase(), first = [], then = [];
  for (let row = 0; row < near.words && first.length < most; row++) {
    const at = data.words[row].toLocaleLowerCase().indexOf(wanted);
    if (at === 0) first.push(row);
    else if (at > 0 && then.length < most) then.push(row);
  }
  const exact = rowOf.get(text.trim());
  const found = [...first, ...then].filter((row) => row !== exact);
  return (exact === undefined ? found : [exact, ...found]).slice(0, most);
}

function wordButton(row) {
  if (row >= near.words) return document.createTextNode(data.words[row]);
  const button = put(null, "button", { type: "button", class: "word" }, data.words[row]);
  button.addEventListener("click", () => choose(row));
  return button;
}

function searchBox(parent) {
  const box = put(parent, "div", { class: "find" });
  put(box, "label", { for: "word" }, "A word");
  const input = put(box, "input", {
    id: "word", type: "text", role: "combobox", autocomplete: "off", autocapitalize: "none", spellcheck: "false", "aria-autocomplete": "list",
    "aria-expanded": "false", "aria-controls": "suggestions", placeholder: "Type a word, and choose",
  });
  const list = put(box, "ul", { id: "suggestions", role: "listbox", "aria-label": "Words", hidden: true });
  let found = [], at = -1;
  const close = () => { list.hidden = true; at = -1; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
  const mark = (to) => {
    at = to;
    [...list.children].forEach((item, number) => item.setAttribute("aria-selected", String(number === at)));
    const item = list.children[at];
    if (item) { item.scrollIntoView({ block: "nearest" }); input.setAttribute("aria-activedescendant", item.id); }
  };
  const take = (row) => { close(); choose(row); };
  const suggest = () => {
    list.replaceChildren();
    found = input.value.trim() ? matching(input.value.trim(), 12) : [];
    found.forEach((row, number) => {
      const item = put(list, "li", { id: `suggestion-${number}`, role: "option", "aria-selected": "false" }, data.words[row]);
      put(item, "small", {}, `${whole(data.counts[row])} times`);
      item.addEventListener("pointerdown", (event) => { event.preventDefault(); take(row); });
    });
    if (!found.length) { close(); return; }
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    mark(0);
  };
  const answer = put(parent, "p", { class: "note", role: "status", hidden: true });
  input.addEventListener("input", () => {
    suggest();
    answer.hidden = Boolean(found.length) || !input.value.trim();
    answer.textContent = answer.hidden ? "" : `No word of the ${whole(near.words)} most frequent ones has this text.`;
  });
  input.addEventListener("focus", () => input.select());
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    if (event.key === "Enter" && found.length) take(found[Math.max(0, at)]);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      event.preventDefault();
      if (list.hidden) suggest();
      else mark((at + step + found.length) % found.length);
    }
  });
  listeners.push((row) => { input.value = data.words[row]; found = [row]; answer.hidden = true; });
  return input;
}

function neighbourSection() {
  const card = section("neighbours", "Neighbours", `The ${near.top} words with the most similar vectors, for each of the ${whole(near.words)} most frequent words. ` +
    `Neighbours come from the ${whole(data.among)} most frequent words; w2vspark similar searches all of them.`);
  const desk = put(card, "div", { class: "desk" }), ask = put(desk, "div");
  searchBox(ask);
  put(ask, "p", { class: "note" }, "Or one of these:");
  const chips = put(ask, "div", { class: "chips", role: "group", "aria-label": "Examples" });
  const examples = data.examples.filter((row) => row < near.words);
  for (const row of examples) put(chips, "button", { type: "button" }, data.words[row]).addEventListener("click", () => choose(row));
  const place = put(desk, "div", { id: "answer", "aria-live": "polite" });
  listeners.push((row) => {
    place.replaceChildren();
    const title = put(place, "h3", {}, "Nearest to ");
    put(title, "mark", {}, data.words[row]);
    title.append(`, which occurs ${whole(data.counts[row])} times`);
    putTable(place, [["word", ""], ["cosine", "n"], ["", ""], ["count", "n"]], neighboursOf(row).map(([other, cosine]) => {
      const meter = put(null, "span", { class: "meter", "aria-hidden": "true" });
      put(meter, "i").style.width = `${Math.max(0, Math.min(1, cosine)) * 100}%`;
      return [wordButton(other), decimal(cosine), meter, whole(data.counts[other])];
    }));
  });
  return examples[0] ?? 0;
}
