// Who sings: how often that is told rightly, who is taken for whom, and the answers.

const { identity: singers } = report;
const UNIT_NAMES = { call: "One call", song: "A song", recording: "A recording" };
const SILENCE_NAMES = { stretch: "A stretch of silence", recording: "The silence of a recording" };
const MOST_ANSWERS = 300;

function judgedRow(name, judged) {
  const { accuracy, accuracy_low: low, accuracy_high: high } = judged;
  return [
    name,
    withInterval(accuracy, low, high, percent),
    percent(judged.balanced_accuracy),
    percent(judged.majority),
    judged.log_loss_bits.toFixed(2),
    percent(judged.calibration_error),
    `${judged.num}`,
  ];
}

function fillAccuracy() {
  const { units, background, nearest_neighbour: nearest, by_chance: chance } = singers;
  const rows = Object.entries(units).map(([unit, judged]) => judgedRow(UNIT_NAMES[unit], judged));
  for (const unit of ["call", "song"]) {
    const name = `${UNIT_NAMES[unit]}, by the nearest`;
    rows.push([name, percent(nearest[unit]), "", "", "", "", `${units[unit].num}`]);
  }
  if (isNumber(chance.accuracy)) {
    const told = `${percent(chance.accuracy)} (p = ${chance.p_value})`;
    rows.push(["One call, labels shuffled", told, "", "", "", "", ""]);
  }
  for (const [unit, judged] of Object.entries(background || {})) {
    if (SILENCE_NAMES[unit]) rows.push(judgedRow(SILENCE_NAMES[unit], judged));
  }
  const heads = [
    "Told from",
    "Right",
    "Balanced",
    "Most frequent",
    "Bits lacking",
    "Calibration error",
    "Number",
  ];
  const caption = `Held out in ${singers.num_folds} parts`;
  byId("identity-accuracy").append(table(caption, heads, rows));
}

function showConfusion() {
  const unit = byId("identity-unit").value;
  const rows = singers.units[unit].confusion.map((counts, own) => {
    const all = counts.reduce((sum, count) => sum + count, 0);
    const cells = counts.map((count) => (count ? `${count} (${percent(count / all)})` : "·"));
    return [singers.names[own], ...(all ? cells : counts.map(() => "not held out"))];
  });
  const caption = "The row is who it was, the column who was answered";
  const made = table(caption, ["", ...singers.names], rows);
  made.querySelectorAll("tbody tr").forEach((row, own) => {
    const counts = singers.units[unit].confusion[own];
    const all = Math.max(counts.reduce((sum, count) => sum + count, 0), 1);
    row.querySelectorAll("td").forEach((cell, other) => {
      const share = Math.round((100 * counts[other]) / all);
      const mark = `var(${own === other ? "--mark" : "--ink"}) ${Math.round(0.3 * share)}%`;
      cell.style.background = `color-mix(in srgb, ${mark}, transparent)`;
    });
  });
  byId("identity-confusion").replaceChildren(made);
  const heads = ["Probability, mean", "Right", "Answers"];
  const bins = singers.units[unit].bins;
  const lines = bins.map(([told, right, count]) => [told.toFixed(2), percent(right), `${count}`]);
  byId("identity-bins").replaceChildren(table("Answers by their probability", heads, lines));
  drawCalibration(bins);
}

function drawCalibration(bins) {
  const [left, size] = [62, 290];
  const x = (share) => left + size * share;
  const y = (share) => 10 + size * (1 - share);
  const ticks = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    drawn("text", { x: x(share), y: y(0) + 18, class: "tick" }, `${share}`),
    drawn("text", { x: left - 22, y: y(share), class: "tick" }, `${share}`),
  ]);
  const most = Math.max(...bins.map((bin) => bin[2]));
  const points = bins.map(([told, right, count]) =>
    drawn(
      "circle",
      { cx: x(told), cy: y(right), r: 4 + 9 * Math.sqrt(count / most), class: "point" },
      drawn("title", {}, `${count} answers of probability ${told.toFixed(2)}: ${percent(right)}`),
    ),
  );
  const label = "Share of right answers over their probability; the numbers are in the table below";
  const frame = { x: left, y: 10, width: size, height: size, class: "frame" };
  const attributes = { viewBox: "0 -4 372 366", role: "img", "aria-label": label, class: "small" };
  const svg = drawn(
    "svg",
    attributes,
    drawn("rect", frame),
    drawn("line", { x1: x(0), y1: y(0), x2: x(1), y2: y(1), class: "diagonal" }),
    ...ticks,
    drawn("text", { x: x(0.5), y: y(0) + 42, class: "tick" }, "probability of the answer"),
    drawn("text", { x: 14, y: y(0.375), class: "tick up" }, "share that is right"),
    ...points,
  );
  byId("identity-calibration").replaceChildren(svg);
}

function fillAnswers() {
  const numberOr = (text) => (text === "" ? "not known" : Number(text).toFixed(3));
  const doubtful = (answer) => answer.given && answer.answer && answer.given !== answer.answer;
  const order = (answer) => (doubtful(answer) ? 0 : answer.given ? 2 : 1);
  const sorted = [...singers.answers].sort(
    (a, b) => order(a) - order(b) || a.probability - b.probability,
  );
  const shown = sorted.slice(0, MOST_ANSWERS);
  const [many, all] = [shown.length, sorted.length];
  byId("identity-told").textContent = [
    all > many ? `${many} of ${all} are shown; identity.csv has all.` : "As in identity.csv.",
    "First come labels that the calls speak against, then recordings without one, the least sure",
    "first. Familiar is the share of calls that are as near to named ones as 95 % of an",
    "individual's own are: where it is low, someone else may sing.",
  ].join(" ");
  const rows = shown.map((answer) => [
    answer.file,
    answer.given || "·",
    answer.answer || "none",
    doubtful(answer) ? "differs from the label" : answer.given ? "as the label" : "",
    numberOr(answer.probability),
    numberOr(answer.familiar),
    `${answer.num_calls}`,
  ]);
  const heads = ["File", "Label", "Answer", "", "Probability", "Familiar", "Calls"];
  byId("identity-answers").append(table("Each recording", heads, rows));
}

function fillIdentity() {
  if (!singers) return;
  byId("identity").hidden = false;
  byId("identity-caveats").append(...singers.caveats.map((line) => element("li", {}, line)));
  fillAnswers();
  if (!singers.units) {
    for (const part of byId("identity").querySelectorAll("h3, .graph, p:has(select)")) {
      part.hidden = part.textContent !== "Recordings";
    }
    return;
  }
  fillAccuracy();
  const choice = byId("identity-unit");
  for (const unit of Object.keys(singers.units)) {
    choice.append(element("option", { value: unit }, UNIT_NAMES[unit].toLowerCase()));
  }
  choice.addEventListener("change", showConfusion);
  showConfusion();
}
