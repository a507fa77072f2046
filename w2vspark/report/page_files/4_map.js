// The map: words as points on a canvas, coloured by cluster, with zoom, labels, and a legend that lights up a cluster.

function mapSection() {
  if (data.map.missing) { section("map", "Map", data.map.missing); return; }
  const x = numbers(data.map.x, Uint16Array), y = numbers(data.map.y, Uint16Array), cluster = numbers(data.map.cluster, Int16Array);
  const card = section("map", "Map", `The ${whole(x.length)} most frequent words. Words with similar vectors stand near each other (UMAP); colours are ` +
    `${data.map.clusters.length} clusters by spherical k-means, named by the words nearest to their centre. Distances between far groups mean little.`);
  const atlas = put(card, "div", { class: "atlas" }), plane = put(atlas, "div", { class: "plane" });
  const canvas = put(plane, "canvas", { id: "plane", tabindex: 0, role: "img",
    "aria-label": `Map of ${x.length} words. Plus and minus zoom, arrows move, 0 shows all. The legend and the search box reach the same words.` });
  const view = { scale: 1, x: 0, y: 0 }, state = { hover: -1, chosen: -1, lit: -1 };
  const pen = canvas.getContext("2d");
  let width = 0, height = 0, planned = false;

  const colour = (number) => {
    if (number < 0) return getComputedStyle(document.body).color;
    const hue = (number * 137.508 + 212) % 360;
    const bright = hue > 40 && hue < 200 ? 12 : 0; // green and yellow look brighter than they are
    return dark() ? `hsl(${hue} 68% ${[68, 76, 62][number % 3]}%)` : `hsl(${hue} 72% ${[42, 34, 48][number % 3] - bright}%)`;
  };
  const dark = () => matchMedia("(prefers-color-scheme: dark)").matches && !matchMedia("print").matches;
  const long = [x, y].map((values) => Math.max(1, values.reduce((a, b) => Math.max(a, b), 0))); // the least is 0
  const fit = { x: 1, y: 1 }; // pixels of a unit, before zooming
  const toX = (row) => width / 2 + ((x[row] - long[0] / 2) * fit.x + view.x) * view.scale;
  const toY = (row) => height / 2 + ((long[1] / 2 - y[row]) * fit.y + view.y) * view.scale;

  function redraw() {
    if (planned) return;
    planned = true;
    requestAnimationFrame(() => { planned = false; draw(); });
  }

  function draw() {
    const ratio = devicePixelRatio || 1, style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--ink"), page = style.getPropertyValue("--page");
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const colours = data.map.clusters.map((_, number) => colour(number)), none = style.getPropertyValue("--soft");
    const size = Math.min(5, 1.7 + 0.55 * Math.log2(view.scale + 1)), seen = [];
    for (let row = x.length - 1; row >= 0; row--) {
      const px = toX(row), py = toY(row);
      if (px < -9 || py < -9 || px > width + 9 || py > height + 9) continue;
      seen.push(row);
      pen.globalAlpha = state.lit >= 0 && cluster[row] !== state.lit ? 0.1 : 0.85;
      pen.fillStyle = cluster[row] < 0 ? none : colours[cluster[row]];
      pen.beginPath();
      pen.arc(px, py, size, 0, 7);
      pen.fill();
    }
    pen.globalAlpha = 1;
    drawLabels(seen.reverse(), colours, none, page);
    for (const row of [state.chosen, state.hover]) {
      if (row < 0) continue;
      pen.strokeStyle = ink;
      pen.lineWidth = 2;
      pen.beginPath();
      pen.arc(toX(row), toY(row), size + 4, 0, 7);
      pen.stroke();
      drawText(data.words[row], toX(row) + size + 7, toY(row), ink, page, "600 14px");
    }
  }

  function drawText(text, px, py, ink, page, font) {
    pen.font = `${font} system-ui, "DejaVu Sans", sans-serif`;
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    pen.lineWidth = 3.5;
    pen.strokeStyle = page;
    pen.strokeText(text, px, py);
    pen.fillStyle = ink;
    pen.fillText(text, px, py);
  }

  // Labels of frequent words, as many as fit without touching each other; more as the reader zooms in.
  function drawLabels(rows, colours, none, page) {
    const taken = [], most = Math.round((width * height) / 5200);
    pen.font = '12.5px system-ui, "DejaVu Sans", sans-serif';
    let drawn = 0;
    for (const row of rows) {
      if (drawn >= most) break;
      if (row === state.chosen || row === state.hover || (state.lit >= 0 && cluster[row] !== state.lit)) continue;
      if (row < skipped(view.scale)) continue;
      const long = pen.measureText(data.words[row]).width, px = toX(row) + 6, py = toY(row);
      const box = [px - 10, py - 9, px + long + 4, py + 9];
      if (box[2] > width || taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) continue;
      taken.push(box);
      drawText(data.words[row], px, py, cluster[row] < 0 ? none : colours[cluster[row]], page, "12.5px");
      drawn++;
    }
  }
  const skipped = (scale) => (scale < 2 ? Math.min(100, x.length / 10) : 0); // the first words ("the", "of") say least

  function nearestTo(px, py) {
    let best = -1, least = 14 * 14;
    for (let row = 0; row < x.length; row++) {
      if (state.lit >= 0 && cluster[row] !== state.lit) continue;
      const distance = (toX(row) - px) ** 2 + (toY(row) - py) ** 2;
      if (distance < least) [best, least] = [row, distance];
    }
    return best;
  }

  function zoom(factor, px = width / 2, py = height / 2) {
    const scale = Math.max(1, Math.min(60, view.scale * factor));
    for (const [key, at, half] of [["x", px, width / 2], ["y", py, height / 2]]) {
      const fixed = (at - half) / view.scale - view[key];
      view[key] = (at - half) / scale - fixed;
    }
    view.scale = scale;
    limit();
    canvas.dataset.scale = scale.toFixed(3);
    redraw();
  }

  function limit() { // some of the map always stays in sight
    for (const [key, long] of [["x", width], ["y", height]]) view[key] = Math.max(-long / 2, Math.min(long / 2, view[key]));
  }

  function reset() { Object.assign(view, { x: 0, y: 0, scale: 1 }); zoom(1); }

  function move(dx, dy) { view.x += dx / view.scale; view.y += dy / view.scale; limit(); redraw(); }

  function hover(row, clientX, clientY) {
    if (row !== state.hover) { state.hover = row; redraw(); }
    canvas.dataset.hover = row < 0 ? "" : data.words[row];
    if (row < 0) hideTip();
    else showTip(clientX, clientY, data.words[row], `${whole(data.counts[row])} times; ` +
      (cluster[row] < 0 ? "no vector, so no cluster" : `cluster: ${data.map.clusters[cluster[row]][0]}`));
  }

  const pointers = new Map();
  let moved = 0, apart = 0;
  canvas.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, event);
    canvas.setPointerCapture(event.pointerId);
    moved = 0;
    apart = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const box = canvas.getBoundingClientRect(), before = pointers.get(event.pointerId);
    if (!before) { hover(nearestTo(event.clientX - box.left, event.clientY - box.top), event.clientX, event.clientY); return; }
    pointers.set(event.pointerId, event);
    if (pointers.size === 2) {
      const [a, b] = [...pointers.values()], now = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
      if (apart) zoom(now / apart, (a.clientX + b.clientX) / 2 - box.left, (a.clientY + b.clientY) / 2 - box.top);
      apart = now;
    } else {
      moved += Math.abs(event.clientX - before.clientX) + Math.abs(event.clientY - before.clientY);
      move(event.clientX - before.clientX, event.clientY - before.clientY);
    }
  });
  const up = (event) => {
    const box = canvas.getBoundingClientRect(), row = nearestTo(event.clientX - box.left, event.clientY - box.top);
    if (pointers.delete(event.pointerId) && event.type === "pointerup" && moved < 5 && row >= 0) choose(row);
  };
  canvas.addEventListener("pointerup", up);
  canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", () => hover(-1));
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== canvas && !event.ctrlKey && !event.metaKey) return; // the page scrolls
    event.preventDefault();
    const box = canvas.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), event.clientX - box.left, event.clientY - box.top);
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => {
    const box = canvas.getBoundingClientRect();
    zoom(2, event.clientX - box.left, event.clientY - box.top);
  });
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
    if (steps) move(...steps);
    else if (event.key === "+" || event.key === "=") zoom(1.5);
    else if (event.key === "-") zoom(1 / 1.5);
    else if (event.key === "0") reset();
    else return;
    event.preventDefault();
  });
  const tools = put(plane, "div", { class: "tools", role: "group", "aria-label": "Zoom" });
  for (const [text, name, act] of [["+", "Zoom in", () => zoom(1.6)], ["−", "Zoom out", () => zoom(1 / 1.6)], ["⤢", "Show all", reset]]) {
    put(tools, "button", { type: "button", "aria-label": name, title: name }, text).addEventListener("click", act);
  }
  put(card, "p", { class: "hint" }, "Drag to move. Click the map, then the wheel zooms. Click a word for its neighbours above; click a cluster to see it alone.");

  const legend = put(atlas, "ul", { class: "legend", "aria-label": "Clusters" }), swatches = [];
  data.map.clusters.forEach(([name, size], number) => {
    const button = put(put(legend, "li"), "button", { type: "button", "aria-pressed": "false", title: `${name}: ${size} words` });
    swatches.push(put(button, "i"));
    put(button, "span", {}, name);
    put(button, "small", {}, whole(size));
    button.addEventListener("click", () => {
      state.lit = state.lit === number ? -1 : number;
      for (const [at, other] of [...legend.querySelectorAll("button")].entries()) other.setAttribute("aria-pressed", String(at === state.lit));
      redraw();
    });
  });
  const paint = () => { swatches.forEach((swatch, number) => { swatch.style.background = colour(number); }); redraw(); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  matchMedia("print").addEventListener("change", () => { paint(); draw(); });
  new ResizeObserver(() => {
    [width, height] = [plane.clientWidth, plane.clientHeight];
    const [across, down] = [(width - 90) / long[0], (height - 50) / long[1]], least = Math.min(across, down);
    Object.assign(fit, { x: Math.min(across, 1.5 * least), y: Math.min(down, 1.5 * least) }); // stretched a little to fill the plane
    paint();
    draw(); // at once: a canvas with a new size is empty
  }).observe(plane);
  listeners.push((row) => { state.chosen = row < x.length ? row : -1; redraw(); });
}
