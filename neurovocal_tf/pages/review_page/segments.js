// The segments of a recording in time order, and what has been done to them.
// A segment is never changed in place: an edit takes some away and adds others, so that it can be
// undone by the reverse.

const MIN_DURATION_S = 1e-4;

class Segments {
  constructor(rows) {
    this.nextId = 0;
    this.rows = rows.map((row) => this.made(row)).sort(byTime);
    this.done = [];
    this.undone = [];
    this.listeners = [];
    this.measure();
  }

  // A row with a name of its own.
  made(row) {
    return Object.freeze({ ...row, id: this.nextId++ });
  }

  // Takes away and adds rows, as one step. `what` says it in a few words.
  edit(what, removed, added) {
    const step = { what, removed, added: added.map((row) => this.made(row)) };
    this.done.push(step);
    this.undone = [];
    this.replace(step.removed, step.added);
    return step.added;
  }

  undo() {
    return this.move(this.done, this.undone, (step) => this.replace(step.added, step.removed));
  }

  redo() {
    return this.move(this.undone, this.done, (step) => this.replace(step.removed, step.added));
  }

  // The step that was taken back or done again, or null.
  move(from, to, apply) {
    const step = from.pop();
    if (!step) return null;
    to.push(step);
    apply(step);
    return step;
  }

  replace(removed, added) {
    const gone = new Set(removed.map((row) => row.id));
    this.rows = this.rows
      .filter((row) => !gone.has(row.id))
      .concat(added)
      .sort(byTime);
    this.measure();
    this.listeners.forEach((tell) => tell());
  }

  measure() {
    this.longestS = this.rows.reduce(
      (longest, row) => Math.max(longest, row.offset - row.onset),
      0,
    );
  }

  // Index of the first row that begins at a time or later.
  firstFrom(seconds) {
    let [low, high] = [0, this.rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].onset < seconds) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  // Rows that are at least in part within a stretch of time.
  within(start, end) {
    const rows = this.rows.slice(this.firstFrom(start - this.longestS), this.firstFrom(end));
    return rows.filter((row) => row.offset > start);
  }

  indexOf(row) {
    let index = this.firstFrom(row.onset);
    while (index < this.rows.length && this.rows[index].id !== row.id) index++;
    return index < this.rows.length ? index : -1;
  }
}

function byTime(a, b) {
  return a.onset - b.onset || a.offset - b.offset || a.id - b.id;
}

// Times of a segment that was dragged: in order, apart, within the recording, to the microsecond.
function bounded(onset, offset, part, durationS) {
  const end = Math.floor(durationS * 1e6) / 1e6;
  if (part === "whole") {
    const length = offset - onset;
    onset = Math.min(Math.max(onset, 0), end - length);
    offset = onset + length;
  } else if (part === "onset") {
    onset = Math.min(Math.max(onset, 0), offset - MIN_DURATION_S);
  } else {
    offset = Math.max(Math.min(offset, end), onset + MIN_DURATION_S);
  }
  return { onset: microseconds(onset), offset: microseconds(offset) };
}
