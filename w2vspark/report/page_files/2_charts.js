// Charts as SVG: lines with linear or logarithmic axes, and bars.

function niceTicks(low, high, count) {
  const raw = (high - low || Math.abs(high) || 1) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= raw) * power;
  const ticks = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step) ticks.push(+tick.toPrecision(12));
  return ticks;
}

function powers(low, high, most) {
  const first = Math.floor(Math.log10(low) + 1e-9), last = Math.ceil(Math.log10(high) - 1e-9);
  const step = Math.max(1, Math.ceil((last - first) / most)), ticks = [];
  for (let power = first; power <= last; power += step) ticks.push(10 ** power);
  return ticks;
}

// An axis: its ends, its ticks, and the function from a value to its place between 0 and 1.
function axis(values, log, count, fromZero) {
  let low = Math.min(...values), high = Math.max(...values);
  if (log) {
    const ticks = powers(low, high, count);
    [low, high] = [Math.log10(Math.min(low, ticks[0])), Math.log10(Math.max(high, ticks[ticks.length - 1]))];
    return { ticks, at: (value) => (Math.log10(value) - low) / (high - low || 1) };
  }
  if (fromZero) low = Math.min(0, low);
  const room = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  [low, high] = [low === 0 ? 0 : low - room, high + room];
  return { ticks: niceTicks(low, high, count), at: (value) => (value - low) / (high - low) };
}

// options: title, label (for those who do not see it), x and y (names of the axes), logX, logY, fromZero, height,
// show(x, y): the text of a point. series: [{name, x, y, before}]; a null y leaves a gap.
function lineChart(parent, options, series) {
  const figure = put(parent, "figure");
  put(figure, "figcaption", {}, options.title);
  if (series.length > 1) {
    const keys = put(figure, "div");
    for (const one of series) {
      const key = put(keys, "span", { class: "key" });
      put(key, "i", { class: one.before ? "before" : "" });
      key.append(one.name);
    }
  }
  const frame = put(figure, "div"), height = options.height || 250;
  onWidth(frame, (width) => {
    frame.replaceChildren();
    const left = 58, right = 14, top = 10, bottom = 44, wide = width - left - right, high = height - top - bottom;
    const svg = put(frame, "svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": options.label, tabindex: 0 });
    const xs = series.flatMap((one) => one.x), ys = series.flatMap((one) => one.y.filter((value) => value !== null));
    const x = axis(xs, options.logX, Math.max(2, Math.floor(wide / 80))), y = axis(ys, options.logY, 5, options.fromZero);
    if (options.wholeX) x.ticks = x.ticks.filter(Number.isInteger);
    const toX = (value) => left + wide * x.at(value), toY = (value) => top + high * (1 - y.at(value));
    for (const tick of y.ticks) {
      put(svg, "line", { class: "grid", x1: left, x2: left + wide, y1: toY(tick), y2: toY(tick) });
      put(svg, "text", { x: left - 8, y: toY(tick) + 4, "text-anchor": "end" }, options.percentY ? `${Math.round(100 * tick)} %` : short(tick));
    }
    for (const tick of x.ticks) {
      if (options.logX) put(svg, "line", { class: "grid", x1: toX(tick), x2: toX(tick), y1: top, y2: top + high });
      put(svg, "text", { x: toX(tick), y: top + high + 18, "text-anchor": "middle" }, short(tick));
    }
    put(svg, "line", { class: "axis", x1: left, x2: left + wide, y1: top + high, y2: top + high });
    put(svg, "text", { x: left + wide / 2, y: height - 5, "text-anchor": "middle" }, options.x);
    put(svg, "text", { x: -(top + high / 2), y: 12, transform: "rotate(-90)", "text-anchor": "middle" }, options.y);
    for (const one of series) {
      const points = one.x.map((value, at) => [value, one.y[at]]).filter((point) => point[1] !== null);
      put(svg, "polyline", { class: one.before ? "line before" : "line", points: points.map(([a, b]) => `${toX(a).toFixed(1)},${toY(b).toFixed(1)}`).join(" ") });
      if (points.length <= 60) for (const [a, b] of points) put(svg, "circle", { class: one.before ? "dot before" : "dot", cx: toX(a), cy: toY(b), r: 2.6 });
    }
    pointAt(svg, series[0], toX, toY, top, high, options.show);
  });
  return figure;
}

// The nearest point of a series under the pointer, or by the arrow keys, with its numbers.
function pointAt(svg, one, toX, toY, top, high, show) {
  const cross = put(svg, "line", { class: "cross", y1: top, y2: top + high, visibility: "hidden" });
  const dot = put(svg, "circle", { class: "dot", r: 5, visibility: "hidden" });
  let chosen = 0;
  const select = (at) => {
    if (one.y[at] === null || one.y[at] === undefined) return;
    chosen = at;
    const px = toX(one.x[at]), py = toY(one.y[at]), box = svg.getBoundingClientRect();
    for (const [key, value] of Object.entries({ x1: px, x2: px })) cross.setAttribute(key, value);
    dot.setAttribute("cx", px);
    dot.setAttribute("cy", py);
    for (const mark of [cross, dot]) mark.setAttribute("visibility", "visible");
    showTip(box.left + px, box.top + py, ...show(at));
  };
  const leave = () => { for (const mark of [cross, dot]) mark.setAttribute("visibility", "hidden"); hideTip(); };
  svg.addEventListener("pointermove", (event) => {
    const px = event.clientX - svg.getBoundingClientRect().left;
    let best = 0;
    one.x.forEach((value, at) => { if (Math.abs(toX(value) - px) < Math.abs(toX(one.x[best]) - px)) best = at; });
    select(best);
  });
  svg.addEventListener("pointerleave", leave);
  svg.addEventListener("blur", leave);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step) { select(Math.max(0, Math.min(one.x.length - 1, chosen + step))); event.preventDefault(); }
  });
}

// Bars that follow each other in time: rows of a name and seconds.
function timeline(parent, rows, label) {
  const frame = put(parent, "div"), total = rows.reduce((sum, row) => sum + row[1], 0) || 1, step = 30;
  onWidth(frame, (width) => {
    frame.replaceChildren();
    const longest = Math.max(...rows.map(([name]) => name.length));
    const left = Math.min(Math.max(60, 7.2 * longest + 12), width * 0.4), right = 84, wide = width - left - right, height = rows.length * step + 40;
    const svg = put(frame, "svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": label });
    for (const tick of niceTicks(0, total, Math.max(2, Math.floor(wide / 110)))) {
      const x = left + (wide * tick) / total;
      if (tick > total) continue;
      put(svg, "line", { class: "grid", x1: x, x2: x, y1: 0, y2: height - 38 });
      put(svg, "text", { x, y: height - 22, "text-anchor": "middle" }, short(tick));
    }
    put(svg, "text", { x: left + wide / 2, y: height - 4, "text-anchor": "middle" }, "seconds since the start of the first stage");
    let begun = 0;
    rows.forEach(([name, seconds], at) => {
      const x = left + (wide * begun) / total, long = Math.max(2, (wide * seconds) / total), y = at * step + 5;
      put(svg, "text", { class: "strong", x: left - 10, y: y + 15, "text-anchor": "end" }, name);
      put(svg, "rect", { class: "bar", x, y, width: long, height: step - 10, rx: 3 });
      put(svg, "text", { class: "strong", x: x + long + 6, y: y + 15 }, `${duration(seconds)}`);
      begun += seconds;
    });
  });
}

// Upright bars: values by 0, 1, 2 …
function histogram(parent, values, options) {
  const frame = put(parent, "div"), height = 230;
  onWidth(frame, (width) => {
    frame.replaceChildren();
    const left = 58, top = 18, bottom = 44, wide = width - left - 8, high = height - top - bottom, each = wide / values.length;
    const svg = put(frame, "svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": options.label });
    const most = Math.max(...values, 1);
    for (const tick of niceTicks(0, most, 4).filter(Number.isInteger)) {
      const y = top + high * (1 - tick / most);
      if (y < 0) continue;
      put(svg, "line", { class: "grid", x1: left, x2: left + wide, y1: y, y2: y });
      put(svg, "text", { x: left - 8, y: y + 4, "text-anchor": "end" }, short(tick));
    }
    values.forEach((value, at) => {
      const long = (high * value) / most, x = left + at * each;
      put(svg, "rect", { class: "bar", x: x + each * 0.12, y: top + high - long, width: each * 0.76, height: long, rx: 2 });
      put(svg, "text", { x: x + each / 2, y: top + high + 17, "text-anchor": "middle" }, at);
      if (value && each > 30) put(svg, "text", { class: "strong", x: x + each / 2, y: top + high - long - 5, "text-anchor": "middle" }, short(value));
    });
    put(svg, "text", { x: left + wide / 2, y: height - 5, "text-anchor": "middle" }, options.x);
    put(svg, "text", { x: -(top + high / 2), y: 12, transform: "rotate(-90)", "text-anchor": "middle" }, options.y);
  });
}
