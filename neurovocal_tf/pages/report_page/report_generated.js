// Songs that a model has generated, beside the real ones and by the same types.

const sung = report.generated;
const MEASURES_OF_SONGS = {
  types_bits: ["Types, bits", "divergence of how often each is given: 0 for the same, 1 at most"],
  transitions_bits: ["Transitions, bits", "divergence of which follows which"],
  durations_ks: ["Lengths of calls", "largest difference of their distributions, 0 to 1"],
  gaps_ks: ["Gaps in a bout", "largest difference of their distributions, 0 to 1"],
  entropy_rate_bits: ["Entropy rate, bits", "how uncertain the next type is; a value, no distance"],
  share_unfamiliar: ["Unfamiliar", "share of calls that are like none of the types; a value"],
};
const ROW_OF_SHARES = 24;

function songsAsTable() {
  const { measures } = sung.compared;
  const text = (value) => value.toFixed(3);
  const rows = measures.map((row) => {
    const [name, what] = MEASURES_OF_SONGS[row.measure];
    return [
      name,
      isNumber(row.generated) ? text(row.generated) : "not known",
      withInterval(row.real, row.low, row.high, text),
      isNumber(row.shuffled) ? text(row.shuffled) : "",
      what,
    ];
  });
  const caption = "Distances from real songs that were not among those compared";
  const heads = ["Measure", "Generated", "Other real songs", "Real, in random order", "What it is"];
  return table(caption, heads, rows);
}

// How often each type is given: a bar over the usual shares of real songs, a ring for
// all of them, a filled square for the generated ones.
function sharesPicture() {
  const { shares, types } = sung.compared;
  const most = Math.max(...shares.flatMap((s) => [s.real, s.high || 0, s.generated]), 0.01);
  const x = (share) => 100 + (290 * share) / most;
  const rows = shares.flatMap((share, i) => {
    const y = 20 + ROW_OF_SHARES * i;
    const real = withInterval(share.real, share.low, share.high, percent);
    const told = `${types[i]}: real ${real}, generated ${percent(share.generated)}`;
    const group = drawn("g", {}, drawn("title", {}, told));
    const line = { x1: 100, x2: 390, y1: y, y2: y, class: "guide" };
    group.append(drawn("text", { x: 90, y, class: "name" }, types[i]), drawn("line", line));
    if (isNumber(share.low)) {
      const low = { x: x(share.low), y: y - 4, width: Math.max(x(share.high) - x(share.low), 2) };
      group.append(drawn("rect", { ...low, height: 8, class: "between" }));
    }
    group.append(
      drawn("circle", { cx: x(share.real), cy: y, r: 6, class: "real" }),
      drawn("rect", { x: x(share.generated) - 5, y: y - 5, width: 10, height: 10, class: "sung" }),
    );
    return [group];
  });
  const bottom = 20 + ROW_OF_SHARES * shares.length;
  const ends = [0, most].map((share) =>
    drawn("text", { x: x(share), y: bottom + 4, class: "end" }, percent(share)),
  );
  const label =
    "Share of each type in real and generated songs; the same numbers stand in the table below";
  const box = { viewBox: `0 0 420 ${bottom + 20}`, role: "img", "aria-label": label };
  return drawn("svg", box, ...rows, ...ends);
}

function sharesAsTable() {
  const { shares, types } = sung.compared;
  const length = (seconds) => (isNumber(seconds) ? `${Math.round(1000 * seconds)} ms` : "");
  const rows = shares.map((share, i) => [
    types[i],
    withInterval(share.real, share.low, share.high, percent),
    percent(share.generated),
    ...share.median_s.map(length),
  ]);
  const heads = ["Type", "Real", "Generated", "Median length, real", "Median length, generated"];
  return table("In brackets: 95 % of as many real calls", heads, rows);
}

function differencesAsTable() {
  const { transitions, types } = sung.compared;
  const rows = transitions.map((row) => [
    row.types.map((number) => types[number]).join(" to "),
    withInterval(row.real, row.low, row.high, percent),
    percent(row.generated),
  ]);
  const caption = "Shares of all transitions, those that differ most first";
  return table(caption, ["Transition", "Real", "Generated"], rows);
}

// A stretch of a song: its spectrogram, the calls with their letters under it, and its sound.
function stretch(example, kind, number) {
  const canvas = element("canvas", { role: "img" });
  const told = example.calls.map((call) => sung.compared.types[call[2]]).join(" ");
  canvas.setAttribute("aria-label", `Spectrogram of a ${kind} song. Calls: ${told}`);
  drawGrey(canvas, bytesOf(example.picture), example.columns, example.bins);
  const height = 22;
  const box = { viewBox: `0 0 1000 ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" };
  const strip = drawn("svg", { ...box, class: "strip" });
  const row = element("div", { class: "strip-letters", "aria-hidden": "true" });
  for (const [onset, offset, type] of example.calls) {
    const [x, width] = [onset, offset - onset].map((s) => (1000 * s) / example.seconds);
    const isKnown = type < names.length;
    const fill = isKnown ? colour(type) : "none";
    strip.append(drawn("rect", { x, y: 0, width, height, fill, class: "call" }));
    const sign = element("span", isKnown ? {} : { class: "unknown" }, isKnown ? names[type] : "?");
    sign.style.left = `${(100 * (onset + offset)) / 2 / example.seconds}%`;
    row.append(sign);
  }
  const button = element("button", { type: "button" }, "▶ play");
  button.setAttribute("aria-label", `Play ${kind} song ${number + 1}`);
  button.addEventListener("click", () => play(example));
  const name = element("figcaption", {}, `${kind}: ${example.file}`);
  const line = element("div", { class: "stretch-line" }, button, name);
  const drawing = element("div", { class: "drawing" }, canvas, strip, row);
  const scrolled = { class: "wide", tabindex: "0", role: "region" };
  scrolled["aria-label"] = `${kind} song ${number + 1}`;
  return element("figure", { class: "stretch" }, element("div", scrolled, drawing), line);
}

function fillGenerated() {
  if (!sung) return;
  byId("generated").hidden = false;
  byId("generated-note").hidden = !sung.note;
  byId("generated-note").textContent = sung.note || "";
  const { compared, examples } = sung;
  byId("generated-body").hidden = !compared;
  if (!compared) return;
  const [real, theirs] = compared.num_calls.map((count) => count.toLocaleString("en"));
  byId("generated-told").textContent =
    `The model has sung ${sung.seconds} s, ${compared.num_songs[1]} songs with ${theirs} calls; ` +
    `they were segmented and typed as the ${real} calls of the recordings were. ` +
    "Beside them stand as many real calls, compared with the rest of the real ones: what " +
    "a perfect model would reach.";
  byId("generated-measures").append(songsAsTable());
  byId("generated-shares").append(sharesPicture());
  byId("generated-share-table").append(sharesAsTable());
  byId("generated-transitions").append(differencesAsTable());
  for (const kind of ["real", "generated"]) {
    byId("generated-songs").append(...examples[kind].map((one, i) => stretch(one, kind, i)));
  }
}
