// The spectrogram of a page: levels of 0 to 63, column after column, and the same ever coarser, so
// that as few columns are drawn as there are pixels.

const NUM_LEVELS = 64;
// Dark violet to pale yellow with lightness rising evenly, as in matplotlib's magma.
const MAGMA = [
  [0, 0, 4],
  [20, 14, 54],
  [59, 15, 112],
  [100, 26, 128],
  [140, 41, 129],
  [183, 55, 121],
  [222, 73, 104],
  [247, 112, 92],
  [254, 159, 109],
  [254, 207, 146],
  [252, 253, 191],
];

class Spectrogram {
  // Of an excerpt and its levels, a Uint8Array of numColumns times numBins.
  constructor(excerpt, levels) {
    this.excerpt = excerpt;
    this.numBins = excerpt.numBins;
    this.pyramid = [{ levels, numColumns: excerpt.numColumns, columnS: excerpt.columnS }];
    while (this.pyramid[this.pyramid.length - 1].numColumns > 1024)
      this.pyramid.push(this.coarser());
    this.counts = counted(levels);
    this.buffer = document.createElement("canvas");
    this.brighten(0.5);
  }

  coarser() {
    const finer = this.pyramid[this.pyramid.length - 1];
    const numColumns = Math.ceil(finer.numColumns / 2);
    const levels = new Uint8Array(numColumns * this.numBins);
    for (let column = 0; column < numColumns; column++) {
      const to = column * this.numBins;
      const first = 2 * to;
      const second = 2 * column + 1 < finer.numColumns ? first + this.numBins : first;
      for (let bin = 0; bin < this.numBins; bin++) {
        levels[to + bin] = Math.max(finer.levels[first + bin], finer.levels[second + bin]);
      }
    }
    return { levels, numColumns, columnS: 2 * finer.columnS };
  }

  // From 0, where only the loudest is seen, to 1, where the noise is.
  brighten(share) {
    const level = (portion) => this.counts.findIndex((count) => count >= portion);
    const high = Math.max(level(0.999), 8);
    const low = Math.min(level(0.4) + (0.5 - share) * 36, high - 6);
    this.colours = Uint32Array.from({ length: NUM_LEVELS }, (_, index) => {
      return magma(Math.min(Math.max((index - low) / (high - low), 0), 1));
    });
  }

  // Draws a stretch of time and of frequencies into a rectangle, in the pixels of the screen.
  draw(context, start, end, lowHz, highHz, rectangle) {
    const { x, y, width, height } = rectangle;
    const wanted = ((end - start) / width) * 0.75;
    const { levels, numColumns, columnS } =
      this.pyramid.findLast((one) => one.columnS <= wanted) || this.pyramid[0];
    const origin = this.excerpt.startS;
    const first = Math.max(Math.floor((start - origin) / columnS), 0);
    const last = Math.min(Math.ceil((end - origin) / columnS), numColumns);
    const binHz = this.excerpt.maxHz / (this.numBins - 1);
    const lowest = Math.max(Math.floor(lowHz / binHz), 0);
    const highest = Math.min(Math.ceil(highHz / binHz), this.numBins - 1);
    if (last <= first) return;
    this.fill(levels, first, last, lowest, highest);
    const scale = height / (highHz - lowHz);
    const perSecond = width / (end - start);
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    context.imageSmoothingQuality = "high";
    context.drawImage(
      this.buffer,
      0,
      0,
      last - first,
      highest - lowest + 1,
      x + (origin + first * columnS - start) * perSecond,
      y + height - ((highest + 0.5) * binHz - lowHz) * scale,
      (last - first) * columnS * perSecond,
      (highest - lowest + 1) * binHz * scale,
    );
    context.restore();
  }

  fill(levels, first, last, lowest, highest) {
    const [width, height] = [last - first, highest - lowest + 1];
    if (this.buffer.width < width) this.buffer.width = width;
    if (this.buffer.height < height) this.buffer.height = height;
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    for (let row = 0; row < height; row++) {
      let from = first * this.numBins + highest - row;
      for (let to = row * width; to < (row + 1) * width; to++, from += this.numBins) {
        pixels[to] = this.colours[levels[from]];
      }
    }
    this.buffer.getContext("2d").putImageData(image, 0, 0);
  }
}

async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// What share of all is at each level or below, by some of them.
function counted(levels) {
  const counts = new Array(NUM_LEVELS).fill(0);
  const step = Math.ceil(levels.length / 500000);
  for (let i = 0; i < levels.length; i += step) counts[levels[i]]++;
  let sum = 0;
  return counts.map((count) => (sum += count * step) / levels.length);
}

// A colour as a little-endian word of red, green, blue and opacity.
function magma(share) {
  const place = share * (MAGMA.length - 1);
  const index = Math.min(Math.floor(place), MAGMA.length - 2);
  const [red, green, blue] = MAGMA[index].map((from, i) => {
    return Math.round(from + (MAGMA[index + 1][i] - from) * (place - index));
  });
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}
