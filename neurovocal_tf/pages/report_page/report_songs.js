// All bouts, a row each, from their first call on: as a picture, and as letters.

const ROW = 15;
const LEAST_WIDTH = 340;
const PIXELS_PER_S = 90;
const WIDEST = 6000;

function drawSongs() {
  const { bouts } = report.songs;
  const longest = Math.max(0.1, ...bouts.map((bout) => bout.offsets.at(-1)));
  const room = byId("raster").parentElement.clientWidth;
  const width = Math.min(Math.max(room, LEAST_WIDTH, longest * PIXELS_PER_S), WIDEST);
  const height = ROW * bouts.length + 22;
  const canvas = byId("raster");
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = sharp(canvas, width, height);
  const scale = (width - 10) / longest;
  context.textBaseline = "middle";
  context.textAlign = "center";
  context.font = "700 9px system-ui, 'DejaVu Sans', sans-serif";
  bouts.forEach((bout, row) => {
    bout.types.forEach((number, i) => {
      const x = bout.onsets[i] * scale;
      const wide = Math.max((bout.offsets[i] - bout.onsets[i]) * scale, 1);
      context.fillStyle = colour(number);
      context.fillRect(x, row * ROW + 1, wide, ROW - 3);
      if (wide < 7) return;
      context.fillStyle = "#111111";
      context.fillText(names[number], x + wide / 2, row * ROW + ROW / 2);
    });
  });
  context.fillStyle = ink("--soft");
  context.font = "12px system-ui, 'DejaVu Sans', sans-serif";
  const every = [0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800].find((s) => s * scale > 60) || 3600;
  for (let time = 0; time <= longest; time += every) {
    context.fillText(`${Number(time.toFixed(1))} s`, time * scale + 12, height - 9);
  }
}

function fillSongs() {
  const { bouts, of } = report.songs;
  const few = bouts.length < of ? `${bouts.length} of ${of} bouts, evenly chosen` : `${of} bouts`;
  byId("songs-told").textContent =
    `${few}, a row each from its first call on; a call's letter and shade are its type's.`;
  byId("letters").append(
    ...bouts.map((bout) => {
      const gap = names.some((name) => name.length > 1) ? " " : "";
      const song = bout.types.map((number) => names[number]).join(gap);
      return element("p", {}, `${bout.file}, ${bout.begin.toFixed(1)} s: ${song}`);
    }),
  );
  drawSongs();
  window.addEventListener("resize", drawSongs);
}
