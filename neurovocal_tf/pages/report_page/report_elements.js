// What the page is told, and the elements that its parts are made of.

const report = JSON.parse(document.getElementById("report").textContent);
const names = report.order.types;
const byId = (id) => document.getElementById(id);

// An element with attributes and children; text stays text.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// A table with a caption; the first cell of each row names it.
function table(caption, heads, rows) {
  const cell = (tag, scope) => (text) => element(tag, scope ? { scope } : {}, text);
  const lines = rows.map(([first, ...rest]) =>
    element("tr", {}, cell("th", "row")(first), ...rest.map(cell("td"))),
  );
  return element(
    "table",
    {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...heads.map(cell("th", "col")))),
    element("tbody", {}, ...lines),
  );
}

// Of the types, as far apart in hue and in lightness as so many can be: neighbours differ in grey.
function colour(number) {
  return `hsl(${(number * 137.5 + 200) % 360} 62% ${[82, 66, 74, 90][number % 4]}%)`;
}

function letter(number) {
  const made = element("span", { class: "letter" }, names[number]);
  made.style.background = colour(number);
  return made;
}

const isNumber = (value) => typeof value === "number";
const percent = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

// A value, with its interval where there is one.
function withInterval(value, low, high, text = (x) => x.toFixed(2)) {
  if (!isNumber(value)) return "not known";
  return isNumber(low) && isNumber(high)
    ? `${text(value)} (${text(low)} to ${text(high)})`
    : text(value);
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
}

// A picture of one byte a place, [columns, bins], the lowest bin at the bottom; ink on white.
function drawGrey(canvas, bytes, columns, bins, first = 0) {
  canvas.width = columns;
  canvas.height = bins;
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, bins);
  for (let column = 0; column < columns; column++) {
    for (let bin = 0; bin < bins; bin++) {
      const grey = 255 - bytes[first + column * bins + bin];
      const place = 4 * ((bins - 1 - bin) * columns + column);
      image.data.set([grey, grey, grey, 255], place);
    }
  }
  context.putImageData(image, 0, 0);
}

// A canvas's context in CSS pixels, sharp on any screen.
function sharp(canvas, width, height) {
  const scale = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

function ink(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}
