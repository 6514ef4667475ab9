// What a model has learned: which of its hidden units go with which type.

const learned = report.hidden;
const CELL = 22;

// Types by units: full where a unit is on most, empty where least, of its own range.
function unitMap() {
  const { numbers, means } = learned.map;
  const [left, top] = [34, 8];
  const cells = numbers.flatMap((unit, column) => {
    const known = means[column].filter(isNumber);
    const [low, high] = [Math.min(...known), Math.max(...known)];
    return means[column].map((mean, row) => {
      const share = isNumber(mean) ? (mean - low) / Math.max(high - low, 1e-9) : 0;
      const told = isNumber(mean) ? mean.toFixed(2) : "not known";
      const title = drawn("title", {}, `unit ${unit}, type ${names[row]}: ${told}`);
      const place = { x: left + CELL * column, y: top + CELL * row, width: CELL, height: CELL };
      return drawn("rect", { ...place, class: "cell", "fill-opacity": share }, title);
    });
  });
  const rows = names.map((name, row) => {
    const y = top + CELL * (row + 0.5);
    return drawn("text", { x: left - 6, y, class: "name" }, name);
  });
  const columns = numbers.map((unit, column) => {
    const [x, y] = [left + CELL * (column + 0.5), top + CELL * names.length + 6];
    return drawn("text", { x, y, class: "unit", transform: `rotate(60 ${x} ${y})` }, `${unit}`);
  });
  const [width, height] = [left + CELL * numbers.length + 20, top + CELL * names.length + 44];
  const label = `Mean activity of ${numbers.length} hidden units by type; hidden_units.csv has all`;
  const box = { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" };
  return drawn("svg", { ...box, "aria-label": label }, ...cells, ...rows, ...columns);
}

// A filter as a curve: dB that the unit adds to each frequency.
function filterCurve(unit) {
  const values = unit.filter;
  const most = Math.max(...values.map(Math.abs), 1e-9);
  const x = (i) => 4 + (252 * i) / Math.max(values.length - 1, 1);
  const y = (value) => 46 - (40 * value) / most;
  const points = values.map((value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const [low, high] = learned.hz.map((hz) => `${(hz / 1000).toFixed(0)} kHz`);
  const best = values.indexOf(values.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a)));
  const hz = learned.hz[0] + ((learned.hz[1] - learned.hz[0]) * best) / (values.length - 1);
  const sign = values[best] > 0 ? "+" : "−";
  const label =
    `Filter of unit ${unit.number}: ${sign}${most.toFixed(1)} dB at most, ` +
    `at ${(hz / 1000).toFixed(1)} kHz`;
  return drawn(
    "svg",
    { viewBox: "0 0 260 110", role: "img", "aria-label": label, class: "filter" },
    drawn("line", { x1: 4, x2: 256, y1: 46, y2: 46 }),
    drawn("polyline", { points }),
    drawn("text", { x: 4, y: 102 }, low),
    drawn("text", { x: 256, y: 102, class: "right" }, high),
    drawn("text", { x: 256, y: 10, class: "right" }, `± ${most.toFixed(1)} dB`),
  );
}

// How often the unit is on in calls of each type.
function unitBars(unit) {
  const step = 252 / names.length;
  const bars = unit.means.flatMap((mean, i) => {
    const height = 60 * (mean || 0);
    const place = { x: 4 + step * i, y: 64 - height, width: Math.max(step - 2, 1), height };
    const told = isNumber(mean) ? mean.toFixed(2) : "not known";
    const title = drawn("title", {}, `${names[i]}: ${told}`);
    const sign = drawn("text", { x: 3 + step * (i + 0.5), y: 78, class: "middle" }, names[i]);
    return [drawn("rect", { ...place, class: "bar" }, title), ...(names.length < 30 ? [sign] : [])];
  });
  const told = unit.means.map((mean, i) => [mean || 0, names[i]]).sort((a, b) => b[0] - a[0]);
  const first = told.slice(0, 3).map(([mean, name]) => `${name} ${mean.toFixed(2)}`);
  const label = `Mean activity of unit ${unit.number} by type, the highest: ${first.join(", ")}`;
  const line = drawn("line", { x1: 4, x2: 256, y1: 64, y2: 64 });
  const box = { viewBox: "0 0 260 86", role: "img", "aria-label": label, class: "bars" };
  return drawn("svg", box, line, ...bars);
}

function drivingFrame(unit, frame) {
  const canvas = element("canvas", { role: "img" });
  const where = `${frame.file}, ${frame.time.toFixed(2)} s`;
  const told = `type ${names[frame.type]}, activity ${frame.value.toFixed(2)}, ${where}`;
  canvas.setAttribute("aria-label", `Frame that drives unit ${unit.number}: ${told}`);
  canvas.title = told;
  drawGrey(canvas, bytesOf(frame.picture), learned.columns, frame.bins);
  return element("figure", { class: "driving" }, canvas, letter(frame.type));
}

function unitCard(unit) {
  const heading = element("h4", {}, `Unit ${unit.number}`);
  const bits = element("p", { class: "soft" }, `tells ${unit.bits.toFixed(2)} bits of the type`);
  const frames = unit.frames.map((frame) => drivingFrame(unit, frame));
  const row = element("div", { class: "frames" }, ...frames);
  return element("li", {}, heading, bits, filterCurve(unit), unitBars(unit), row);
}

function fillHidden() {
  if (!learned) return;
  byId("hidden").hidden = false;
  byId("hidden-summary").append(...learned.summary.map((line) => element("li", {}, line)));
  byId("hidden-told").textContent =
    `Read over ${learned.num_calls.toLocaleString("en")} calls. What a unit tells is its mutual ` +
    "information with the type, less what types in random order have of it; " +
    "all units stand in hidden_units.csv.";
  byId("hidden-map").append(unitMap());
  byId("hidden-units").append(...learned.units.map(unitCard));
  byId("hidden-none").hidden = learned.units.length > 0;
}
