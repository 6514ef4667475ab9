// The page: its parts made and joined.

function element(id) {
  return document.getElementById(id);
}

class Page {
  constructor(recording, excerpt, levels, sound) {
    this.recording = recording;
    this.segments = new Segments(recording.rows.map((cells) => withBand(rowOf(cells), recording)));
    this.view = new View(excerpt, recording, new Spectrogram(excerpt, levels));
    this.view.segments = this.segments;
    this.player = new Player(excerpt, sound);
    this.editor = new Editor(this.segments, this.view, this.player, recording);
    this.editor.onSelect = (row) => this.showSelected(row);
    this.editor.tell = (text) => this.tell(text);
    this.editor.tellDragged = (row) =>
      this.tell(`${row.onset.toFixed(4)} to ${row.offset.toFixed(4)} s, ${milliseconds(row)}`);
    this.list = new List(this.segments, this.view, this.editor);
    new Pointer(this.view, this.editor);
    this.work = new Work(recording, this.segments, this.editor);
    this.segments.listeners.push(() => this.onEdit());
    this.player.onChange = () => this.onPlay();
    this.connect();
    this.addLinks();
    this.showDropped();
    this.work.begin();
    this.showLabels();
    this.showSelected(null);
  }

  connect() {
    const { editor, view } = this;
    const acts = {
      play: () => editor.play(),
      "play-on": () => editor.playOn(),
      add: () => editor.addAtCursor(),
      delete: () => editor.remove(),
      undo: () => editor.undo(),
      redo: () => editor.redo(),
      "zoom-in": () => view.zoom(1 / 1.5, editor.centre()),
      "zoom-out": () => view.zoom(1.5, editor.centre()),
      "zoom-all": () => view.show(view.first, view.last - view.first),
      save: () => this.work.save(),
    };
    for (const [id, act] of Object.entries(acts)) element(id).addEventListener("click", act);
    addEventListener("keydown", (event) => onKey(event, editor, this));
    for (const edge of ["onset", "offset"]) {
      element(edge).step = editor.step;
      element(edge).addEventListener("change", () =>
        editor.moveEdge(edge, element(edge).valueAsNumber),
      );
    }
    element("label").addEventListener("keydown", (event) => this.onLabelKey(event));
    element("label").addEventListener("change", () => editor.label(element("label").value, false));
    element("loop").addEventListener("change", () => {
      this.player.isLooping = element("loop").checked;
    });
    element("range").addEventListener("change", () => {
      view.isWhole = element("range").value === "all";
      view.redraw();
    });
    element("brightness").addEventListener("input", () => {
      view.spectrogram.brighten(element("brightness").value / 100);
      view.redraw();
    });
    this.offerSpeeds();
  }

  offerSpeeds() {
    const speed = element("speed");
    speed.append(
      ...SPEEDS.map((slowness) => new Option(slowness === 1 ? "1" : `1/${slowness}`, slowness)),
    );
    this.player.slowness = slownessFor(this.recording.bandHz[1]);
    speed.value = this.player.slowness;
    speed.addEventListener("change", () => {
      this.player.stop();
      this.player.slowness = Number(speed.value);
    });
  }

  addLinks() {
    const { index, pages, page } = this.recording;
    const link = (text, address) =>
      Object.assign(document.createElement("a"), { textContent: text, href: address });
    const links = index ? [link("All recordings", index)] : [];
    if (pages.length > 1) {
      if (page > 0) links.push(link("← Earlier", pages[page - 1]));
      links.push(`Page ${page + 1} of ${pages.length}`);
      if (page + 1 < pages.length) links.push(link("Later →", pages[page + 1]));
    }
    element("pages").append(...links);
    element("pages").hidden = !links.length;
  }

  // In words what is greyed in the spectrogram.
  showDropped() {
    const counts = new Map();
    for (const [, , reason] of this.recording.dropped)
      counts.set(reason, (counts.get(reason) || 0) + 1);
    const reasons = [...counts].map(([reason, count]) => `${count.toLocaleString("en")} ${reason}`);
    element("dropped").hidden = !reasons.length;
    element("dropped").textContent =
      `Grey: what reached the threshold and is no segment. ${reasons.join(", ")}.`;
  }

  // --- what is selected

  showSelected(row) {
    const rows = this.editor.rows();
    const index = row ? rows.findIndex((other) => other.id === row.id) : -1;
    // What begins on the page before may reach into this one.
    const number = index < 0 ? "Segment of another page" : `Segment ${index + 1} of ${rows.length}`;
    const total = `${rows.length.toLocaleString("en")} segments on this page`;
    element("fields").disabled = element("delete").disabled = !row;
    element("selected-title").textContent = row ? number : "No segment selected";
    for (const edge of ["onset", "offset"]) element(edge).value = row ? String(row[edge]) : "";
    element("label").value = row ? row.label : "";
    element("facts").textContent = row ? factsOf(row) : total;
    this.tell(
      row ? `${number}: ${timesOf(row)}, ${row.label ? `label ${row.label}` : "no label"}` : total,
    );
    if (index >= 0) this.list.reveal(index);
    else this.list.draw();
  }

  tell(text) {
    element("told").textContent = text;
  }

  // Labels in use, each with its colour and how often; a click labels the segment.
  showLabels() {
    const counts = new Map();
    for (const row of this.segments.rows) counts.set(row.label, (counts.get(row.label) || 0) + 1);
    const labels = [...counts.keys()].filter(Boolean).sort();
    this.view.colours = new Map(
      labels.map((label, i) => [label, LABEL_COLOURS[i % LABEL_COLOURS.length]]),
    );
    element("labels").replaceChildren(...labels.map((label) => new Option(label, label)));
    element("legend").replaceChildren(
      ...labels.map((label) => {
        const button = document.createElement("button");
        const colour = document.createElement("i");
        colour.style.background = this.view.colours.get(label);
        button.append(colour, `${label} · ${counts.get(label)}`);
        button.addEventListener("click", () => this.editor.label(label, this.isAdvancing()));
        return button;
      }),
    );
    if (!labels.length) element("legend").textContent = "None yet: press a letter or a digit.";
  }

  isAdvancing() {
    return element("advance").checked;
  }

  editLabel() {
    element("label").focus();
    element("label").select();
  }

  onLabelKey(event) {
    if (!["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter") this.editor.label(element("label").value, this.isAdvancing());
    else this.showSelected(this.view.selected);
    element("over").focus();
  }

  // --- what plays

  onPlay() {
    const isPlaying = Boolean(this.player.playing);
    element("play").textContent = isPlaying ? "Stop" : "Play";
    if (isPlaying) this.follow();
    else this.view.playhead = null;
    this.view.redraw();
  }

  follow() {
    const position = this.player.position();
    if (position === null) return;
    this.view.playhead = position;
    if (position > this.view.end) this.view.show(position, this.view.end - this.view.start);
    else this.view.redraw();
    requestAnimationFrame(() => this.follow());
  }

  onEdit() {
    this.showLabels();
    this.list.draw();
    this.view.redraw();
    element("undo").disabled = !this.segments.done.length;
    element("redo").disabled = !this.segments.undone.length;
    this.work.onEdit();
  }
}

function timesOf(row) {
  return `${row.onset.toFixed(3)} to ${row.offset.toFixed(3)} s, ${milliseconds(row)}`;
}

function milliseconds(row) {
  return `${((row.offset - row.onset) * 1000).toFixed(1)} ms`;
}

function factsOf(row) {
  const facts = [milliseconds(row)];
  if (row.score !== null) facts.push(`score ${row.score.toFixed(1)} dB over the threshold`);
  if (row.low !== null && row.high !== null)
    facts.push(`${(row.low / 1000).toFixed(1)} to ${(row.high / 1000).toFixed(1)} kHz`);
  return facts.join(" · ");
}

async function begin() {
  const dataOf = (id) => JSON.parse(element(id).textContent);
  const [recording, excerpt] = ["recording", "excerpt"].map(dataOf);
  // As text they are not needed any more, and they are large.
  element("excerpt").remove();
  const levels = await inflated(bytesOf(excerpt.levels));
  const sound = bytesOf(excerpt.sound);
  excerpt.levels = excerpt.sound = null;
  globalThis.page = new Page(recording, excerpt, levels, sound);
}

begin().catch((error) => {
  element("error").textContent =
    `This page cannot be shown: ${error.message}. It needs a browser of 2023 or later.`;
  element("error").hidden = false;
});
