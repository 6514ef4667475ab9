// Order: its measures, the graph of transitions, how far back it reaches, repeats, groups.

const { syntax, held_out: heldOut, groups, labels } = report.order;
const LEAST_SHOWN = 0.05;
const SVG = "http://www.w3.org/2000/svg";

function fillMeasures() {
  const of = (told, name) =>
    told ? withInterval(told[name], told[`${name}_low`], told[`${name}_high`]) : "";
  const own = labels ? labels.syntax : null;
  const rows = [
    ["Entropy rate, bits", "how uncertain the next type is", "entropy_rate_bits"],
    ["Consistency", "share of the most frequent transitions", "consistency"],
    ["Linearity", "types over kinds of transitions", "linearity"],
  ].map(([name, what, key]) => [name, of(syntax, key), ...(own ? [of(own, key)] : []), what]);
  const shuffled = syntax.shuffled_entropy_rate_bits;
  const blank = own ? [""] : [];
  if (isNumber(shuffled)) {
    const p = `p = ${syntax.order_p_value}`;
    rows.push(["In random order, bits", shuffled.toFixed(2), ...blank, `order itself: ${p}`]);
  }
  const { bouts, introduction } = syntax;
  rows.push(["Bouts", `${bouts.num_bouts}`, ...blank, ""]);
  if (isNumber(bouts.median_num_calls)) {
    rows.push(["Calls in a bout", `${bouts.median_num_calls}`, ...blank, "median"]);
    rows.push(["Length of a bout", `${bouts.median_duration_s.toFixed(2)} s`, ...blank, "median"]);
  }
  if (isNumber(bouts.median_gap_s)) {
    const gap = `${Math.round(1000 * bouts.median_gap_s)} ms`;
    rows.push(["Gap in a bout", gap, ...blank, "median"]);
  }
  if (isNumber(introduction.type)) {
    const often = `${names[introduction.type]}, in ${percent(introduction.share)} of bouts`;
    const [mean, sd] = [introduction.mean_length, introduction.sd_length].map((x) => x.toFixed(1));
    const lead = `given ${mean} times (SD ${sd})`;
    rows.push(["Begins with", often, ...blank, lead]);
  }
  const caption = "In brackets: 95 % of bootstraps over recordings, where there are five";
  const heads = ["Measure", "Value", ...(own ? ["By people's labels"] : []), "What it is"];
  byId("measures").append(table(caption, heads, rows));
}

function drawn(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function shareText(from, to) {
  const low = syntax.shares_low ? syntax.shares_low[from][to] : null;
  const high = syntax.shares_high ? syntax.shares_high[from][to] : null;
  return withInterval(syntax.shares[from][to], low, high, percent);
}

// An arrow bends to its left, so that both ways between two types are seen.
function arrow(from, to, places) {
  const share = syntax.shares[from][to];
  const width = 0.8 + 6 * share;
  const title = drawn("title", {}, `${names[from]} to ${names[to]}: ${shareText(from, to)}`);
  const [x, y] = places[from];
  const opacity = 0.25 + 0.65 * share;
  if (from === to) {
    const [dx, dy] = [(x - 360) / 270, (y - 360) / 270];
    const [cx, cy] = [x + 34 * dx, y + 34 * dy];
    const round = { cx, cy, r: 22, fill: "none", stroke: "currentColor" };
    return drawn("circle", { ...round, "stroke-width": width, "stroke-opacity": opacity }, title);
  }
  const [tx, ty] = places[to];
  const length = Math.hypot(tx - x, ty - y);
  const [ux, uy] = [(tx - x) / length, (ty - y) / length];
  const bend = 0.16 * length;
  const [mx, my] = [(x + tx) / 2 + uy * bend, (y + ty) / 2 - ux * bend];
  const turn = Math.hypot(tx - mx, ty - my);
  const [vx, vy] = [(tx - mx) / turn, (ty - my) / turn];
  const [ex, ey] = [tx - 22 * vx, ty - 22 * vy];
  const half = 4 + width;
  const [bx, by] = [ex - 2 * half * vx, ey - 2 * half * vy];
  const corners = [
    [ex, ey],
    [bx - half * vy, by + half * vx],
    [bx + half * vy, by - half * vx],
  ];
  return drawn(
    "g",
    { opacity },
    title,
    drawn("path", { d: `M${x} ${y}Q${mx} ${my} ${bx} ${by}`, "stroke-width": width }),
    drawn("polygon", { class: "tip", points: corners.join(" ") }),
  );
}

function fillGraph() {
  const size = names.length;
  const places = names.map((_, i) => {
    const angle = (2 * Math.PI * i) / size - Math.PI / 2;
    return [360 + 270 * Math.cos(angle), 360 + 270 * Math.sin(angle)];
  });
  const pairs = names.flatMap((_, from) => names.map((__, to) => [from, to]));
  const shown = pairs.filter(([from, to]) => syntax.shares[from][to] >= LEAST_SHOWN);
  const arrows = shown.map(([from, to]) => arrow(from, to, places));
  const nodes = names.flatMap((name, i) => {
    const [cx, cy] = places[i];
    const told = drawn("title", {}, `${name}: ${report.types[i].num_calls} calls`);
    return [
      drawn("circle", { cx, cy, r: 20, fill: colour(i), stroke: "#11111188" }, told),
      drawn("text", { x: cx, y: cy }, name),
    ];
  });
  const main = shown.filter(([from, to]) => syntax.shares[from][to] >= 0.5);
  const told = main.map(([a, b]) => `${names[a]} to ${names[b]} ${percent(syntax.shares[a][b])}`);
  const label = `Graph of transitions. Most frequent: ${told.join(", ") || "none above 50 %"}`;
  const attributes = { viewBox: "0 0 720 720", role: "img", "aria-label": label };
  byId("graph").append(drawn("svg", attributes, ...arrows, ...nodes));
  const rows = names.map((name, from) => [
    name,
    ...names.map((_, to) => (syntax.transitions[from][to] ? shareText(from, to) : "·")),
  ]);
  byId("transitions").append(table("From the row's type to the column's", ["", ...names], rows));
}

function fillReach() {
  if (!heldOut.bits) {
    byId("reach").textContent = "Needs two recordings.";
    return;
  }
  const rows = heldOut.bits.map((bits, order) => [
    `${order}${order === heldOut.best_order ? ", enough" : ""}`,
    withInterval(bits, heldOut.bits_low?.[order], heldOut.bits_high?.[order]),
  ]);
  const caption = "What a call costs in recordings that were not counted";
  byId("reach").append(table(caption, ["Types before it known", "Bits a call"], rows));
  byId("type-states").append(...report.type_states.map((line) => element("li", {}, line)));
}

function fillRepeats() {
  const rows = syntax.repeats.map((run, i) => [
    names[i],
    `${run.num_runs}`,
    run.mean_length.toFixed(2),
    `${run.longest}`,
    percent(run.share_repeated),
  ]);
  const heads = ["Type", "Runs", "Mean length", "Longest", "Runs of two and more"];
  byId("repeats").append(table("Runs of one type", heads, rows));
}

function fillGroups() {
  if (!groups) return;
  byId("groups").hidden = false;
  const text = (value) => (isNumber(value) ? value.toFixed(3) : "not known");
  const rows = groups.groups.map((group) => [
    group.group,
    `${group.num_recordings}`,
    `${group.num_calls}`,
    `${Math.round(1000 * group.mean_duration_s)} ms`,
    text(group.entropy_rate_bits),
    text(group.consistency),
    ...group.type_shares.map(percent),
  ]);
  const heads = ["Group", "Recordings", "Calls", "Mean length", "Entropy rate", "Consistency"];
  byId("group-table").append(table("Shares of the types last", [...heads, ...names], rows));
  if (!groups.tests.length) {
    byId("tests").textContent = "Needs two groups of two recordings each.";
    return;
  }
  const tests = groups.tests.map((test) => [
    test.measure.replaceAll("_", " "),
    test.difference.toPrecision(3),
    `${test.p_value}`,
    `${test.p_value_holm}`,
  ]);
  const told = "Shares and order: bits that the group tells";
  byId("tests").append(table(told, ["", "Difference", "p", "p (Holm)"], tests));
}
