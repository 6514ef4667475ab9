// The sheet of types: examples, counts, and how sure each type is.

function facts(type) {
  const listed = [
    ["calls", `${type.num_calls.toLocaleString("en")} (${percent(Number(type.share))})`],
    ["in recordings", type.num_recordings.toLocaleString("en")],
    ["median length", type.median_duration_s && `${Math.round(1000 * type.median_duration_s)} ms`],
    ["stability, half the calls", type.stability_half],
    ["stability, bootstrap", type.stability_bootstrap],
    ["nearest", type.nearest && `${type.nearest}, valley ${type.valley}`],
    ["confidence of a call", type.mean_confidence],
  ];
  const shown = listed.filter(([, value]) => value !== "" && value !== undefined);
  const pairs = shown.flatMap(([name, value]) => [
    element("dt", {}, name),
    element("dd", {}, value),
  ]);
  return element("dl", {}, ...pairs);
}

function exampleOf(type, example, number) {
  const canvas = element("canvas", {
    role: "img",
    "aria-label":
      `Spectrogram of a call of type ${type.type}, ${Math.round(1000 * example.seconds)} ms, ` +
      `${example.hz[0]} to ${example.hz[1]} Hz`,
  });
  drawGrey(canvas, bytesOf(example.picture), example.columns, example.bins);
  const figure = element("figure", { class: "example" }, canvas);
  if (example.sound) {
    const button = element("button", { type: "button" }, "▶ play");
    button.setAttribute("aria-label", `Play example ${number + 1} of type ${type.type}`);
    button.addEventListener("click", () => play(example));
    figure.append(button);
  }
  const where = `${example.file}, ${example.onset.toFixed(2)} s`;
  figure.append(element("figcaption", {}, where));
  return figure;
}

function fillTypes() {
  report.types.forEach((type, number) => {
    const heading = element("h3", {}, letter(number), `Type ${type.type}`);
    const examples = type.examples.map((example, i) => exampleOf(type, example, i));
    const told = element("div", {}, heading, facts(type));
    byId("sheet").append(
      element("li", {}, told, element("div", { class: "examples" }, ...examples)),
    );
  });
}

function fillMerges() {
  const pairs = report.merges;
  byId("merges-told").textContent = pairs.length
    ? "Whether two that are alike are one type is for a person to say. Write yes into the column " +
      "accept of merges.csv, and give it back with --merges; nothing else changes."
    : "None are near enough for that.";
  if (!pairs.length) return;
  const rows = pairs.map((pair) => [
    pair.types.join(" and "),
    pair.reason,
    pair.valley.toFixed(2),
    pair.separation.toFixed(2),
    pair.before.toFixed(2),
    pair.after.toFixed(2),
  ]);
  const heads = ["Types", "Why", "Valley", "Separation", "Same before", "Same after"];
  byId("pairs").append(table("Suggested merges, the likeliest first", heads, rows));
}
