// Tables of one recording, byte for byte as neurovocal_tf.annotations writes them; and CSV read.
// A row: {onset, offset, label, score, low, high, channel}; the last four may be null.
// A recording: {file, durationS}; `file` is its absolute path.

// Other programs' readers refuse what has no label.
const UNLABELLED = "segment";
const COLUMNS = ["file", "onset_s", "offset_s", "label"];
const FURTHER = [
  ["channel", String],
  ["low", repr],
  ["high", repr],
  ["score", repr],
];
const CSV_NAMES = { channel: "channel", low: "low_hz", high: "high_hz", score: "score" };
const RAVEN_COLUMNS = [
  "Selection",
  "View",
  "Channel",
  "Begin Time (s)",
  "End Time (s)",
  "Low Freq (Hz)",
  "High Freq (Hz)",
  "Begin File",
  "Begin Path",
  "File Offset (s)",
  "Annotation",
];

const WRITERS = { csv: csvTable, audacity: audacityLabels, raven: ravenTable, textgrid: textGrid };

function csvTable(rows, recording) {
  const further = FURTHER.filter(([name]) => rows.some((row) => row[name] !== null));
  const lines = rows.map((row) => [
    recording.file,
    fixed(row.onset, 6),
    fixed(row.offset, 6),
    row.label,
    ...further.map(([name, textOf]) => (row[name] === null ? "" : textOf(row[name]))),
  ]);
  const header = [...COLUMNS, ...further.map(([name]) => CSV_NAMES[name])];
  return [header, ...lines].map((cells) => `${cells.map(csvCell).join(",")}\n`).join("");
}

function csvCell(text) {
  return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

function audacityLabels(rows) {
  return rows
    .map((row) => {
      const times = `${fixed(row.onset, 6)}\t${fixed(row.offset, 6)}`;
      const label = `${times}\t${onOneLine(labelled(row))}\n`;
      if (row.low === null && row.high === null) return label;
      // Audacity's own sign of a frequency that was not marked.
      const band = [row.low, row.high].map((hz) => fixed(hz === null ? -1 : hz, 6));
      return `${label}\\\t${band.join("\t")}\n`;
    })
    .join("");
}

function ravenTable(rows, recording) {
  const isScored = rows.some((row) => row.score !== null);
  const lines = rows.map((row, index) => [
    String(index + 1),
    "Spectrogram 1",
    String((row.channel || 0) + 1),
    fixed(row.onset, 9),
    fixed(row.offset, 9),
    fixed(row.low, 6),
    fixed(row.high, 6),
    recording.base,
    recording.file,
    fixed(row.onset, 9),
    labelled(row),
    ...(isScored ? [row.score === null ? "" : repr(row.score)] : []),
  ]);
  const header = isScored ? [...RAVEN_COLUMNS, "Score"] : RAVEN_COLUMNS;
  return [header, ...lines].map((cells) => `${cells.map(onOneLine).join("\t")}\n`).join("");
}

function textGrid(rows, recording) {
  const end = timeText(Math.max(recording.durationS, ...lastOffset(rows)));
  const tiers = withoutOverlaps(rows);
  const lines = [
    'File type = "ooTextFile"',
    'Object class = "TextGrid"',
    "",
    "xmin = 0",
    `xmax = ${end}`,
    "tiers? <exists>",
    `size = ${tiers.length}`,
    "item []:",
  ];
  tiers.forEach((tier, number) => {
    const intervals = tiled(tier, end);
    lines.push(
      `    item [${number + 1}]:`,
      '        class = "IntervalTier"',
      `        name = "segments${number ? ` ${number + 1}` : ""}"`,
      "        xmin = 0",
      `        xmax = ${end}`,
      `        intervals: size = ${intervals.length}`,
    );
    intervals.forEach(([onset, offset, label], index) => {
      lines.push(
        `        intervals [${index + 1}]:`,
        `            xmin = ${onset}`,
        `            xmax = ${offset}`,
        `            text = "${label.replace(/"/g, '""')}"`,
      );
    });
  });
  return `${lines.join("\n")}\n`;
}

function lastOffset(rows) {
  return rows.length ? [rows.reduce((last, row) => Math.max(last, row.offset), 0)] : [];
}

// Seconds to the nanosecond: other programs stumble over exponents.
function timeText(seconds) {
  return fixed(seconds, 9).replace(/0+$/, "").replace(/\.$/, "");
}

// Intervals of a tier cannot overlap: what overlaps goes to a further tier. Times that are written
// as the same touch.
function withoutOverlaps(rows) {
  const tiers = [];
  for (const row of rows) {
    const onset = Number(timeText(row.onset));
    const free = tiers.find((tier) => Number(timeText(tier[tier.length - 1].offset)) <= onset);
    if (free) free.push(row);
    else tiers.push([row]);
  }
  return tiers.length ? tiers : [[]];
}

// [onset, offset, label] as text from 0 to the end, with empty intervals between the rows.
function tiled(tier, end) {
  const intervals = [];
  let last = "0";
  for (const row of tier) {
    const onset = timeText(row.onset);
    if (onset !== last) intervals.push([last, onset, ""]);
    last = timeText(row.offset);
    intervals.push([onset, last, labelled(row)]);
  }
  if (last !== end) intervals.push([last, end, ""]);
  return intervals;
}

function labelled(row) {
  return row.label.trim() ? row.label : UNLABELLED;
}

function onOneLine(text) {
  const lines = text.replace(/\t/g, " ").split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/);
  if (lines[lines.length - 1] === "") lines.pop();
  return lines.join(" ");
}

// Rows of a CSV table that this package has written, of one recording: those that name it, or none.
// Throws an Error with one sentence for the reader.
function rowsOfCsv(text, recording) {
  const [header, ...lines] = csvCells(text.replace(/^\ufeff/, ""));
  const at = Object.fromEntries(header.map((name, index) => [name.trim(), index]));
  if (!("onset_s" in at && "offset_s" in at)) {
    throw new Error(
      "The table must have columns onset_s and offset_s, as those that this page saves.",
    );
  }
  const cell = (cells, name) => (name in at ? cells[at[name]] || "" : "");
  const number = (cells, name) => (cell(cells, name).trim() ? Number(cell(cells, name)) : null);
  const baseOf = (path) => path.split(/[\\/]/).pop();
  const ours = lines.filter((cells) =>
    [baseOf(recording.file), ""].includes(baseOf(cell(cells, "file"))),
  );
  if (!ours.length && lines.length) {
    throw new Error(
      `The table must have rows of ${baseOf(recording.file)}. It has those of others.`,
    );
  }
  return ours.map((cells) => {
    const received = `Received: ${cells.join(", ").slice(0, 80)}`;
    const [onset, offset] = [number(cells, "onset_s"), number(cells, "offset_s")];
    if (!(onset >= 0 && offset > onset && offset < Infinity) || onset === null) {
      throw new Error(`Each row must have an offset after its onset. ${received}`);
    }
    const [score, low, high, channel] = ["score", "low_hz", "high_hz", "channel"].map((name) =>
      number(cells, name),
    );
    if ([score, low, high, channel].some(Number.isNaN)) {
      throw new Error(`Scores, frequencies and channels must be numbers. ${received}`);
    }
    return { onset, offset, label: onOneLine(cell(cells, "label")), score, low, high, channel };
  });
}

// Lines of cells, without those that are empty.
function csvCells(text) {
  const lines = [];
  let cells = [];
  for (const [, quoted, plain, end] of text.matchAll(
    /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g,
  )) {
    cells.push(quoted === undefined ? plain : quoted.replace(/""/g, '"'));
    if (end === ",") continue;
    if (cells.length > 1 || cells[0]) lines.push(cells);
    cells = [];
  }
  return lines.length ? lines : [[]];
}
