// What of a page's excerpt is on the screen, and the drawing of it: spectrogram, ruler, segments,
// cursor. Only what is visible is drawn, and no more segments than there are pixels.

const RULER = 22;
// Bars of the segments, labels that do not fit into theirs, reasons of what was dropped.
const LANE = 60;
// A label below a narrower bar would not tell whose it is.
const LABELLED_PX = 8;
const MIN_SPAN_S = 0.02;
// Of Okabe and Ito, for all kinds of colour vision; https://jfly.uni-koeln.de/color/
const LABEL_COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];

class View {
  constructor(excerpt, recording, spectrogram) {
    Object.assign(this, { excerpt, recording, spectrogram });
    this.first = excerpt.startS;
    this.last = excerpt.startS + excerpt.durationS;
    this.start = this.first;
    this.end = Math.min(this.last, this.first + this.comfortableSpan());
    this.cursor = this.first;
    this.selected = null;
    this.dragged = null;
    this.playhead = null;
    this.isWhole = false;
    this.colours = new Map();
    this.waiting = false;
    [this.picture, this.over, this.map] = ["picture", "over", "map"].map(element);
    const watched = new ResizeObserver(() => this.redraw());
    [this.over, this.map].forEach((canvas) => watched.observe(canvas));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  // Seconds in which a segment has a shape: some thirty of the median length.
  comfortableSpan() {
    const lengths = this.recording.rows.map((row) => row[1] - row[0]).sort((a, b) => a - b);
    const typical = lengths.length ? lengths[lengths.length >> 1] : 0.1;
    return Math.min(Math.max(40 * typical, 0.2), 20);
  }

  get band() {
    const [low, high] = this.recording.bandHz;
    if (this.isWhole) return [0, this.excerpt.maxHz];
    const margin = 0.1 * (high - low);
    return [Math.max(low - margin, 0), Math.min(high + margin, this.excerpt.maxHz)];
  }

  get width() {
    return this.over.clientWidth;
  }

  xOf(seconds) {
    return ((seconds - this.start) / (this.end - this.start)) * this.width;
  }

  timeAt(x) {
    return this.start + (x / this.width) * (this.end - this.start);
  }

  zoom(factor, around = (this.start + this.end) / 2) {
    const span = Math.min(
      Math.max((this.end - this.start) * factor, MIN_SPAN_S),
      this.last - this.first,
    );
    const share = (around - this.start) / (this.end - this.start);
    this.show(around - share * span, span);
  }

  scroll(seconds) {
    this.show(this.start + seconds, this.end - this.start);
  }

  show(start, span) {
    this.start = Math.max(Math.min(start, this.last - span), this.first);
    this.end = Math.min(this.start + span, this.last);
    this.redraw();
  }

  // Scrolls as little as brings a stretch into view, with some of what is around it.
  reveal(onset, offset) {
    const span = this.end - this.start;
    const margin = Math.max(Math.min(0.15 * span, (span - (offset - onset)) / 2), 0);
    if (onset - margin < this.start) this.show(onset - margin, span);
    else if (offset + margin > this.end)
      this.show(Math.min(offset + margin - span, onset - margin), span);
    else this.redraw();
  }

  redraw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.drawAll();
    });
  }

  drawAll() {
    const styles = getComputedStyle(document.documentElement);
    const colour = (name) => styles.getPropertyValue(`--${name}`).trim();
    const [lowHz, highHz] = this.band;
    const shown = [
      this.start,
      this.end,
      lowHz,
      highHz,
      this.isWhole,
      this.spectrogram.colours,
      this.width,
      this.over.clientHeight,
      devicePixelRatio,
    ];
    if (!this.drawn || shown.some((value, i) => value !== this.drawn[i])) {
      this.drawn = shown;
      const { context, width, height } = sized(this.picture);
      context.clearRect(0, 0, width, height);
      this.spectrogram.draw(context, this.start, this.end, lowHz, highHz, {
        x: 0,
        y: RULER,
        width,
        height: height - RULER - LANE,
      });
    }
    this.drawOver(colour);
    this.drawMap(colour);
  }

  drawOver(colour) {
    const { context, width, height } = sized(this.over);
    const bottom = height - LANE;
    context.clearRect(0, 0, width, height);
    this.drawRuler(context, width, colour);
    this.drawFrequencies(context, bottom);
    this.drawDropped(context, bottom, colour);
    this.freeX = -Infinity;
    for (const row of this.visible()) this.drawSegment(context, row, bottom, colour);
    const chosen = this.dragged || this.selected;
    if (chosen) this.drawChosen(context, chosen, bottom, colour);
    drawUpright(context, this.xOf(this.cursor), RULER, bottom, "#ffffff", [4, 4]);
    if (this.playhead !== null)
      drawUpright(context, this.xOf(this.playhead), RULER, bottom, "#ffe45c", []);
  }

  drawRuler(context, width, colour) {
    context.fillStyle = colour("soft");
    context.font = "12px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.textAlign = "center";
    const step = niceStep(((this.end - this.start) / width) * 80);
    const digits = Math.max(-Math.floor(Math.log10(step) + 1e-9), 0);
    for (let tick = Math.ceil(this.start / step); tick * step <= this.end; tick++) {
      const x = this.xOf(tick * step);
      context.fillRect(x, RULER - 5, 1, 5);
      if (x > 14 && x < width - 22) context.fillText((tick * step).toFixed(digits), x, 8);
    }
    context.textAlign = "right";
    context.fillText("s", width - 2, 8);
  }

  drawFrequencies(context, bottom) {
    const [lowHz, highHz] = this.band;
    const step = niceStep(((highHz - lowHz) / (bottom - RULER)) * 45);
    context.textAlign = "left";
    context.lineWidth = 3;
    context.strokeStyle = "rgb(0 0 0 / 0.7)";
    context.fillStyle = "#ffffff";
    for (let hz = Math.ceil(lowHz / step + 0.2) * step; hz < highHz - 0.2 * step; hz += step) {
      const y = bottom - ((hz - lowHz) / (highHz - lowHz)) * (bottom - RULER);
      const text = `${Number((hz / 1000).toPrecision(6))} kHz`;
      context.strokeText(text, 5, y);
      context.fillText(text, 5, y);
    }
  }

  // Segments on the screen, no two that would be drawn over the same pixels.
  visible() {
    const minimum = ((this.end - this.start) / this.width) * 1.5;
    const kept = [];
    for (const row of this.segments.within(this.start, this.end)) {
      const before = kept[kept.length - 1];
      if (before && row.offset - before.onset < minimum) continue;
      kept.push(row);
    }
    return kept;
  }

  drawSegment(context, row, bottom, colour) {
    if (this.dragged && this.dragged.id === row.id) return;
    const [left, right] = [this.xOf(row.onset), this.xOf(row.offset)];
    const width = Math.max(right - left, 1);
    if (width > 6) {
      context.fillStyle = "rgb(255 255 255 / 0.75)";
      context.fillRect(left, RULER, 1, bottom - RULER);
      context.fillRect(right - 1, RULER, 1, bottom - RULER);
    }
    this.drawBar(context, row, left, width, bottom, colour);
  }

  // A segment's bar with its label, below it where that is wider.
  drawBar(context, row, left, width, bottom, colour) {
    const fill = this.colours.get(row.label) || colour("plain");
    context.fillStyle = fill;
    context.fillRect(left, bottom + 5, width, 20);
    if (!row.label || width < LABELLED_PX) return;
    context.font = "600 13px system-ui, sans-serif";
    context.textBaseline = "middle";
    const needed = context.measureText(row.label).width;
    const isInside = needed <= width - 2;
    const begin = isInside ? left + (width - needed) / 2 : Math.max(left, 0);
    if (!isInside && begin < this.freeX) return;
    if (!isInside) this.freeX = begin + needed + 6;
    context.textAlign = "left";
    context.fillStyle = !isInside ? colour("ink") : isLight(fill) ? "#000000" : "#ffffff";
    context.fillText(row.label, begin, bottom + (isInside ? 16 : 34));
  }

  drawChosen(context, row, bottom, colour) {
    const [left, right] = [this.xOf(row.onset), this.xOf(row.offset)];
    const width = Math.max(right - left, 2);
    context.fillStyle = "rgb(120 220 255 / 0.22)";
    context.fillRect(left, RULER, width, bottom - RULER);
    for (const x of [left, right]) {
      drawUpright(context, x, RULER, bottom, "#7fe3ff", []);
      context.fillStyle = "#7fe3ff";
      context.strokeStyle = "#000000";
      context.lineWidth = 1;
      context.beginPath();
      context.arc(x, (RULER + bottom) / 2, 5, 0, 7);
      context.fill();
      context.stroke();
    }
    this.freeX = -Infinity;
    this.drawBar(context, row, left, width, bottom, colour);
    context.strokeStyle = colour("ink");
    context.lineWidth = 2;
    context.strokeRect(left - 1, bottom + 4, width + 2, 22);
  }

  // What reached the threshold and is no segment: hatched, below, with its reason.
  drawDropped(context, bottom, colour) {
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "left";
    context.textBaseline = "middle";
    let free = -Infinity;
    for (const [onset, offset, reason] of this.recording.dropped) {
      if (offset < this.start || onset > this.end) continue;
      const [left, right] = [this.xOf(onset), this.xOf(offset)];
      const width = Math.max(right - left, 2);
      context.fillStyle = "rgb(128 128 128 / 0.35)";
      context.fillRect(left, RULER, width, bottom - RULER);
      context.fillStyle = colour("dropped");
      for (let x = left; x < left + width; x += 4) context.fillRect(x, bottom + 5, 2, 20);
      if (left < free) continue;
      context.fillStyle = colour("soft");
      context.fillText(reason, Math.max(left, 0), bottom + 50);
      free = Math.max(left, 0) + context.measureText(reason).width + 8;
    }
  }

  drawMap(colour) {
    const { context, width, height } = sized(this.map);
    const [lowHz, highHz] = this.band;
    const perSecond = width / (this.last - this.first);
    const key = [width, height, this.spectrogram.colours, lowHz, highHz].join();
    if (this.mapKey !== key) {
      this.mapKey = key;
      this.mapPicture = new OffscreenCanvas(this.map.width, this.map.height);
      const offscreen = this.mapPicture.getContext("2d");
      offscreen.scale(devicePixelRatio, devicePixelRatio);
      this.spectrogram.draw(offscreen, this.first, this.last, lowHz, highHz, {
        x: 0,
        y: 0,
        width,
        height: height - 7,
      });
    }
    context.clearRect(0, 0, width, height);
    context.drawImage(this.mapPicture, 0, 0, width, height);
    context.fillStyle = colour("mark");
    let drawn = -1;
    for (const row of this.segments.rows) {
      const x = Math.floor((row.onset - this.first) * perSecond);
      const right = Math.max((row.offset - this.first) * perSecond, x + 1);
      if (x === drawn || right < 0 || x > width) continue;
      drawn = x;
      context.fillRect(x, height - 5, right - x, 5);
    }
    const [left, right] = [this.start, this.end].map(
      (seconds) => (seconds - this.first) * perSecond,
    );
    context.fillStyle = "rgb(0 0 0 / 0.55)";
    context.fillRect(0, 0, left, height - 7);
    context.fillRect(right, 0, width - right, height - 7);
    context.strokeStyle = "#7fe3ff";
    context.lineWidth = 2;
    context.strokeRect(left + 1, 1, Math.max(right - left - 2, 2), height - 9);
  }
}

// A canvas with a pixel for each of the screen's, and what to draw on it, in CSS pixels.
function sized(canvas) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const [wide, high] = [width, height].map((length) =>
    Math.max(Math.round(length * devicePixelRatio), 1),
  );
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== high) canvas.height = high;
  const context = canvas.getContext("2d");
  context.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  return { context, width, height };
}

function drawUpright(context, x, top, bottom, colour, dashes) {
  context.save();
  context.beginPath();
  context.moveTo(x, top);
  context.lineTo(x, bottom);
  context.lineWidth = 3;
  context.strokeStyle = "rgb(0 0 0 / 0.6)";
  context.stroke();
  context.setLineDash(dashes);
  context.lineWidth = 1.5;
  context.strokeStyle = colour;
  context.stroke();
  context.restore();
}

// The smallest of 1, 2, 5, 10, ... times a power of ten that is not below a value.
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least);
}

// Whether black is easier to read on a colour "#rrggbb" than white.
function isLight(colour) {
  const [red, green, blue] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 128;
}
