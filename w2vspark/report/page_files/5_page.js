// The sections of the page, from top to bottom.

function head() {
  const { about, previous } = data, time = about.made ? new Date(about.made).toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short", timeZone: "UTC" }) : "an unknown time";
  document.getElementById("kicker").textContent = "w2vspark report";
  document.getElementById("title").textContent = `${about.made_by}, version ${about.version}`;
  document.getElementById("lead").textContent = `Made ${time} UTC. ` + (previous
    ? `Compared with version ${previous.version}${previous.made_by === about.made_by ? "" : ` (${previous.made_by})`}.` : "There is no earlier version to compare with.");
  const tiles = document.getElementById("tiles");
  const tile = (value, name, more) => { const one = put(tiles, "div", { class: "tile" }); put(one, "b", {}, value); put(one, "span", {}, name); if (more) put(one, "small", {}, more); };
  const size = (value) => (value !== null && value < 100000 ? whole(value) : short(value));
  const before = (key, show = size) => (previous && previous[key] ? `${show(previous[key])} before` : "");
  tile(size(about.documents), "documents", before("documents"));
  tile(size(about.tokens), "tokens", before("tokens"));
  tile(size(about.words), "words", before("words"));
  tile(duration(about.seconds), "in the stages", before("seconds", duration));
  if (data.scores) {
    const gated = data.scores.filter((row) => row.passed !== null), passed = gated.filter((row) => row.passed);
    tile(gated.length ? `${passed.length} of ${gated.length}` : whole(data.scores.length), gated.length ? "gates passed" : "scores");
  }
  if (!data.drift.missing) tile(percent(data.drift.mean), "of neighbours stayed", `of ${whole(data.drift.words)} frequent words`);
}

function scoreSection() {
  if (!data.scores) { section("scores", "Scores", "This version has no scores: it was made by a release that had no quality gate."); return; }
  const card = section("scores", "Scores", data.previous ? `Beside those of version ${data.previous.version}.` : "");
  const rows = data.scores.map((row) => {
    const change = row.value !== null && row.before !== null ? row.value - row.before : null;
    const passed = row.passed === null ? "not gated" : row.passed ? "passed" : "failed";
    const figure = (value) => (value === null ? "–" : Number.isInteger(value) ? whole(value) : String(+value.toPrecision(4)));
    const judged = row.more_is_better && change ? (change < 0 ? "bad" : "good") : ""; // of other figures, neither is better
    return [row.task, row.metric, figure(row.value), figure(row.before),
      put(null, "span", { class: judged }, change === null ? "–" : `${change < 0 ? "−" : change ? "+" : ""}${figure(Math.abs(change))}`),
      row.total === null ? "–" : `${whole(row.covered)} of ${whole(row.total)}`, figure(row.threshold),
      put(null, "span", { class: row.passed === null ? "" : row.passed ? "good" : "bad" }, passed)];
  });
  putTable(card, [["task", ""], ["metric", ""], ["value", "n"], ["before", "n"], ["change", "n"], ["covered", "n"], ["threshold", "n"], ["gate", ""]], rows);
}

function trainingSection() {
  const { rounds, previous_rounds: earlier } = data;
  if (!rounds) { section("training", "Training", "This method does not train in rounds, so it has no loss and no speed by round."); return; }
  const card = section("training", "Training", `By round, ${rounds.shards === 1 ? "with one shard" : `with ${rounds.shards} shards side by side`}. The loss is the mean over what the shards trained on.`);
  const two = put(card, "div", { class: "two" }), now = `version ${data.about.version}`;
  const series = (key) => [{ name: now, x: rounds.round, y: rounds[key] },
    ...(earlier ? [{ name: `version ${data.previous.version}`, x: earlier.round, y: earlier[key], before: true }] : [])];
  const last = rounds.loss[rounds.loss.length - 1];
  lineChart(two, { title: "Loss", x: "round", y: "mean loss", wholeX: true, label: `Loss by round: ${decimal(rounds.loss[0])} in the first round, ${decimal(last)} in the last.`,
    show: (at) => [`Round ${rounds.round[at]}`, `loss ${decimal(rounds.loss[at], 4)}, learning rate ${decimal(rounds.learning_rate[at], 4)}`] }, series("loss"));
  lineChart(two, { title: `Speed of one shard, ${rounds.item} per second`, x: "round", y: `${rounds.item}/s`, wholeX: true, fromZero: true,
    label: `Speed by round, up to ${short(Math.max(...rounds.speed))} ${rounds.item} per second of one shard.`,
    show: (at) => [`Round ${rounds.round[at]}`, `${whole(rounds.speed[at])} ${rounds.item}/s`] }, series("speed"));
  numbersOf(card, [["round", "n"], ["loss", "n"], [`${rounds.item}/s`, "n"], ["learning rate", "n"]],
    rounds.round.map((round, at) => [round, decimal(rounds.loss[at], 4), whole(rounds.speed[at]), decimal(rounds.learning_rate[at], 5)]));
}

function numbersOf(card, columns, rows) {
  const more = put(card, "details");
  put(more, "summary", {}, "Show the numbers");
  putTable(more, columns, rows);
}

function stageSection() {
  const card = section("stages", "Stages", "The seconds of each stage, one after another. A stage that was ready has the seconds of the run that made it.");
  if (!data.stages.length) { put(card, "p", { class: "note" }, "The manifest of this version has no seconds."); return; }
  timeline(card, data.stages, `Seconds by stage: ${data.stages.map(([name, seconds]) => `${name} ${duration(seconds)}`).join(", ")}.`);
}

function vocabularySection() {
  const { rank, count, share } = data.frequency, about = data.about;
  const half = share.findIndex((value) => value >= 0.5);
  const card = section("vocabulary", "Vocabulary", `${whole(about.words)} words. ` +
    (half >= 0 ? `The ${whole(rank[half])} most frequent ones make ${percent(share[half])} of all tokens of the vocabulary. ` : "") +
    (about.tokens && about.known_tokens ? `${percent(1 - about.known_tokens / about.tokens)} of the corpus' tokens are outside the vocabulary.` : ""));
  const two = put(card, "div", { class: "two" });
  const show = (at) => [`The ${whole(rank[at])} most frequent words`, `occur ${whole(count[at])} times or more; ${percent(share[at])} of all tokens`];
  lineChart(two, { title: "How often words occur", x: "rank of the word", y: "count", logX: true, logY: true, height: 290,
    label: `Counts by rank, both logarithmic: the first word occurs ${whole(count[0])} times, the last ${whole(count[count.length - 1])} times.`, show },
  [{ name: "count", x: rank, y: count }]);
  lineChart(two, { title: "Share of all tokens", x: "most frequent words", y: "share of tokens", logX: true, percentY: true, fromZero: true, height: 290,
    label: "Share of all tokens by the number of the most frequent words.", show }, [{ name: "share", x: rank, y: share }]);
}

function driftSection() {
  const { drift } = data;
  if (drift.missing) { section("drift", "Drift", drift.missing); return; }
  const card = section("drift", "Drift", `How the ${drift.top} nearest neighbours of ${whole(drift.words)} frequent words changed since version ${data.previous.version}, ` +
    `among the ${whole(drift.among)} most frequent words that both versions have. On average ${percent(drift.mean)} stayed. Two trainings on the same text differ too.`);
  const figure = put(card, "figure");
  put(figure, "figcaption", {}, "Words by the number of neighbours that stayed");
  histogram(figure, drift.histogram, { x: `neighbours that stayed, of ${drift.top}`, y: "words", label: `Words that kept 0 to ${drift.top} neighbours: ${drift.histogram.join(", ")}.` });
  put(card, "h3", {}, "Words that changed most");
  put(card, "p", { class: "note" }, "A marked neighbour is in one list only.");
  const list = (words, others) => {
    const cell = put(null, "span");
    words.forEach((word, at) => { if (at) cell.append(", "); if (others.includes(word)) cell.append(word); else put(cell, "mark", {}, word); });
    return cell;
  };
  const columns = [["word", ""], ["stayed", "n"], ["before", ""], ["now", ""]];
  const rows = drift.changed.map((row) => [rowOf.has(row.word) ? wordButton(rowOf.get(row.word)) : row.word, `${row.kept} of ${drift.top}`, list(row.before, row.after), list(row.after, row.before)]);
  putTable(card, columns, rows.slice(0, 10)).classList.add("lists");
  if (rows.length > 10) {
    const more = put(card, "details");
    put(more, "summary", {}, `Show ${rows.length - 10} more`);
    putTable(more, columns, rows.slice(10)).classList.add("lists");
  }
}

function runSection() {
  const card = section("run", "The run", ""), two = put(card, "div", { class: "two" });
  const left = put(two, "div"), right = put(two, "div");
  put(left, "h3", {}, "Corpus");
  putTable(left, [["figure", ""], ["number", "n"]], data.corpus.map(([name, value]) => [name, whole(value)]));
  put(right, "h3", {}, "Published tables");
  putTable(right, [["table", ""], ["rows", "n"], ["size", "n"]], data.tables.map(([name, rows, size]) => [name, whole(rows), bytes(size)]));
  put(card, "h3", {}, "Settings that differ from their defaults");
  const code = (text) => put(null, "code", {}, text), isAuto = (row) => row[2] === '"auto"';
  putTable(card, [["setting", ""], ["value", ""], ["default", ""]],
    data.settings.filter((row) => !isAuto(row)).map(([key, value, usual]) => [code(key), code(value), usual ? code(usual) : "–"]));
  const chosen = data.settings.filter(isAuto);
  if (chosen.length) {
    const auto = put(card, "details");
    put(auto, "summary", {}, `${chosen.length} settings whose default is auto: chosen by the run, or given`);
    putTable(auto, [["setting", ""], ["value", ""]], chosen.map(([key, value]) => [code(key), code(value)]));
  }
  const more = put(card, "details");
  put(more, "summary", {}, "Paths, fingerprints and software");
  putTable(more, [["what", ""], ["value", ""]], data.details.map(([name, value]) => [name, code(value)]));
}

head();
if (data.scores) scoreSection();
const firstWord = neighbourSection();
mapSection();
driftSection();
trainingSection();
stageSection();
vocabularySection();
if (!data.scores) scoreSection();
runSection();
document.getElementById("footer").textContent = `Made by ${data.made_with}. This page asks nothing of any network.`;
if (near.words && near.top) choose(firstWord);
document.documentElement.dataset.ready = "true";
