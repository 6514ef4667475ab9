// What one does with segments, whether by mouse, key or button.

class Editor {
  constructor(segments, view, player, recording) {
    Object.assign(this, { segments, view, player, recording });
    this.step = niceStep(view.excerpt.columnS / 4);
    this.onSelect = () => {};
    this.tell = () => {};
  }

  // The segments that begin in this page's excerpt. Others of the recording are on other pages.
  rows() {
    const { segments, view } = this;
    const isLast = view.last >= this.recording.durationS - 1e-3;
    const [first, last] = [
      segments.firstFrom(view.first),
      isLast ? segments.rows.length : segments.firstFrom(view.last),
    ];
    return segments.rows.slice(first, last);
  }

  // `cursor`: where that goes, by default to the onset. `isShown`: whether to scroll there.
  select(row, { cursor = row && row.onset, isShown = false } = {}) {
    this.view.selected = row;
    if (row) this.view.cursor = Math.max(cursor, this.view.first);
    if (row && isShown) this.view.reveal(row.onset, row.offset);
    this.view.redraw();
    this.onSelect(row);
  }

  // To the segment so many further on; from the cursor where none is selected.
  go(by) {
    const rows = this.rows();
    if (!rows.length) return;
    const { selected, cursor } = this.view;
    let index = selected ? rows.findIndex((row) => row.id === selected.id) + by : -1;
    if (!selected) {
      const next = rows.findIndex((row) => row.onset >= cursor);
      index = by > 0 ? (next < 0 ? rows.length - 1 : next) : (next < 0 ? rows.length : next) - 1;
    }
    this.select(rows[Math.min(Math.max(index, 0), rows.length - 1)], { isShown: true });
  }

  goToEnd(isLast) {
    const row = this.rows().at(isLast ? -1 : 0);
    if (row) this.select(row, { isShown: true });
  }

  // A segment as one that is added is: nobody has scored it, and its band is not measured.
  fresh(onset, offset) {
    const [low, high] = this.recording.bandHz;
    const times = bounded(onset, offset, "offset", this.recording.durationS);
    return { ...times, label: "", score: null, low, high, channel: this.recording.channel };
  }

  add(row) {
    const [added] = this.segments.edit("added", [], [row]);
    this.select(added);
  }

  // One at the cursor, as long as the others are.
  addAtCursor() {
    const { cursor, last } = this.view;
    const lengths = this.segments.rows.map((row) => row.offset - row.onset).sort((a, b) => a - b);
    const length = lengths.length ? lengths[lengths.length >> 1] : 0.05;
    const onset = Math.min(cursor, last - MIN_DURATION_S);
    this.add(this.fresh(onset, Math.min(onset + length, last)));
    this.view.reveal(this.view.selected.onset, this.view.selected.offset);
  }

  // What is typed into a field counts before anything else does.
  takeTyped() {
    if (element("fields").contains(document.activeElement)) element("over").focus();
  }

  replace(row, changed, what) {
    // Another page may have taken it away meanwhile.
    if (this.segments.indexOf(row) < 0) return row;
    const [added] = this.segments.edit(what, [row], [changed]);
    this.select(added, { cursor: what === "moved" ? added.onset : this.view.cursor });
    return added;
  }

  remove() {
    const { selected } = this.view;
    if (!selected) return;
    const rows = this.rows();
    const index = rows.findIndex((row) => row.id === selected.id);
    this.segments.edit("deleted", [selected], []);
    const next = rows[index + 1] || rows[index - 1] || null;
    this.select(next, { isShown: true });
  }

  label(text, isDone) {
    const { selected } = this.view;
    if (!selected) {
      this.tell("Select a segment first, with an arrow key or a click.");
      return;
    }
    const label = onOneLine(text).trim();
    if (label !== selected.label) this.replace(selected, { ...selected, label }, "labelled");
    if (isDone) this.go(1);
  }

  // Moves an edge, by so many steps or to a time.
  nudge(part, by) {
    const { selected } = this.view;
    if (selected) this.moveEdge(part, selected[part] + by * this.step);
  }

  moveEdge(part, seconds) {
    const { selected } = this.view;
    if (!selected || !Number.isFinite(seconds)) return;
    const times = { onset: selected.onset, offset: selected.offset, [part]: seconds };
    const changed = bounded(times.onset, times.offset, part, this.recording.durationS);
    if (changed[part] === selected[part]) return;
    const added = this.replace(selected, { ...selected, ...changed }, "moved");
    this.view.reveal(added.onset, added.offset);
  }

  undo() {
    this.back(this.segments.undo(), "undone", (step) => step.removed);
  }

  redo() {
    this.back(this.segments.redo(), "done again", (step) => step.added);
  }

  back(step, what, rowsOf) {
    if (!step) return;
    const rows = rowsOf(step).filter(
      (row) => row.onset >= this.view.first && row.onset <= this.view.last,
    );
    this.select(rows.length === 1 ? rows[0] : null, { isShown: true });
    this.tell(`${what}: ${step.what}`);
  }

  // Every segment at once, as one step.
  replaceAll(rows, what) {
    this.segments.edit(what, this.segments.rows, rows);
    this.select(null);
  }

  // Where to zoom: at the selected segment if it is seen, else in the middle.
  centre() {
    const { selected, start, end } = this.view;
    const middle = selected ? (selected.onset + selected.offset) / 2 : NaN;
    return middle > start && middle < end ? middle : (start + end) / 2;
  }

  play() {
    const { selected, cursor, last } = this.view;
    if (this.player.playing) this.player.stop();
    else if (selected) this.player.play(selected.onset, selected.offset);
    else this.player.play(cursor, last);
  }

  playOn() {
    if (this.player.playing) this.player.stop();
    else this.player.play(this.view.cursor, this.view.last);
  }

  stopOrDeselect() {
    if (this.player.playing) this.player.stop();
    else this.select(null);
  }
}

// Keys that are the page's where no field is typed into.
function onKey(event, editor, page) {
  const { view } = editor;
  const isCommand = event.ctrlKey || event.metaKey;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const withCommand = {
    z: () => (event.shiftKey ? editor.redo() : editor.undo()),
    y: () => editor.redo(),
    s: () => page.work.save(),
  };
  // A field has an undo of its own.
  const isFree = key === "s" || !isTyping(event.target);
  if (isCommand && !event.altKey && isFree && withCommand[key])
    return handled(event, withCommand[key]);
  if (isTyping(event.target)) return undefined;
  const direction = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (direction && event.shiftKey)
    return handled(event, () => editor.nudge(isCommand ? "offset" : "onset", direction));
  if (isCommand || event.altKey) return undefined;
  const span = view.end - view.start;
  const plain = {
    ArrowLeft: () => editor.go(-1),
    ArrowRight: () => editor.go(1),
    ArrowUp: () => view.zoom(1 / 1.5, editor.centre()),
    ArrowDown: () => view.zoom(1.5, editor.centre()),
    PageUp: () => view.scroll(-0.9 * span),
    PageDown: () => view.scroll(0.9 * span),
    Home: () => editor.goToEnd(false),
    End: () => editor.goToEnd(true),
    Delete: () => editor.remove(),
    Backspace: () => editor.remove(),
    Insert: () => editor.addAtCursor(),
    "+": () => editor.addAtCursor(),
    Enter: () => editor.playOn(),
    " ": () => editor.play(),
    Escape: () => editor.stopOrDeselect(),
    F2: () => page.editLabel(),
  };
  // A button does what it is for, a list scrolls as lists do.
  const isOwn = event.target.closest("button, summary, a") ? [" ", "Enter"] : [];
  const isScrolling =
    event.target.id === "list" ? ["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End"] : [];
  if ([...isOwn, ...isScrolling].includes(key)) return undefined;
  if (Object.hasOwn(plain, key)) return handled(event, plain[key]);
  if (/^[\p{L}\p{N}]$/u.test(event.key))
    return handled(event, () => editor.label(event.key, page.isAdvancing()));
  return undefined;
}

function handled(event, act) {
  event.preventDefault();
  act();
}

function isTyping(target) {
  return (
    target.matches("select, input:not([type=checkbox], [type=range], [type=file]), textarea") ||
    (target.matches("input") &&
      ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", " "].includes(event.key))
  );
}
