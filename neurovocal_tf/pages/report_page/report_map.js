// The map of calls: a letter for each, its picture when it is pointed at.

const map = report.map;
const thumbs = bytesOf(map.thumbs);
let places = [];
let current = null;

function drawMap() {
  const canvas = byId("points");
  const { clientWidth: width, clientHeight: height } = canvas;
  const context = sharp(canvas, width, height);
  const view = map.views[byId("view").value];
  context.textAlign = "center";
  context.textBaseline = "middle";
  places = map.types.map((type, i) => [
    20 + (width - 40) * view[2 * i],
    height - 20 - (height - 40) * view[2 * i + 1],
  ]);
  places.forEach(([x, y], i) => {
    const number = map.types[i];
    context.fillStyle = colour(number);
    context.beginPath();
    context.arc(x, y, 6, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = "#111111";
    context.font = "700 9px system-ui, 'DejaVu Sans', sans-serif";
    context.fillText(names[number], x, y + 0.5);
  });
  if (current !== null) ring(context, places[current]);
}

function ring(context, [x, y]) {
  context.strokeStyle = ink("--ink");
  context.lineWidth = 2.5;
  context.beginPath();
  context.arc(x, y, 10, 0, 2 * Math.PI);
  context.stroke();
}

function show(number) {
  current = number;
  drawMap();
  const size = map.columns * map.bins;
  drawGrey(byId("thumb"), thumbs, map.columns, map.bins, number * size);
  byId("one-told").textContent =
    `Type ${names[map.types[number]]}, confidence ${map.confidences[number].toFixed(2)}; ` +
    `${map.files[number]}, ${map.onsets[number].toFixed(2)} s`;
}

function nearest(event) {
  const box = byId("points").getBoundingClientRect();
  const [x, y] = [event.clientX - box.left, event.clientY - box.top];
  let best = null;
  let least = 20 ** 2;
  places.forEach(([px, py], i) => {
    const distance = (px - x) ** 2 + (py - y) ** 2;
    if (distance < least) [best, least] = [i, distance];
  });
  return best;
}

// From call to call within a type, or to the next type's first.
function step(key) {
  const order = map.types.map((type, i) => [type, i]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const at = current === null ? -1 : order.findIndex(([, i]) => i === current);
  if (key === "ArrowRight" || at < 0) return order[Math.min(at + 1, order.length - 1)][1];
  if (key === "ArrowLeft") return order[Math.max(at - 1, 0)][1];
  const way = key === "ArrowDown" ? 1 : -1;
  const wanted = order[at][0] + way;
  const found = order.find(([type]) => (way > 0 ? type >= wanted : type === wanted));
  return found ? found[1] : current;
}

function fillMap() {
  for (const name of Object.keys(map.views)) {
    byId("view").append(element("option", { value: name }, name));
  }
  byId("view").selectedIndex = Object.keys(map.views).length - 1;
  const [shown, all] = [map.types.length, map.of].map((count) => count.toLocaleString("en"));
  byId("map-told").textContent =
    (shown === all ? `All ${all} calls` : `${shown} of ${all} calls, drawn at random`) +
    ", each as the letter of its type. What lies near is alike, as far as two dimensions show it.";
  byId("view").addEventListener("change", drawMap);
  window.addEventListener("resize", drawMap);
  byId("points").addEventListener("pointermove", (event) => {
    const number = nearest(event);
    if (number !== null && number !== current) show(number);
  });
  byId("points").addEventListener("keydown", (event) => {
    if (!event.key.startsWith("Arrow") || !map.types.length) return;
    event.preventDefault();
    show(step(event.key));
  });
  drawMap();
}
