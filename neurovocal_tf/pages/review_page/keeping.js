// Work that is not saved yet, kept by the browser under the recording's path: also where the page
// is closed, or written anew. Other pages of the recording share it.

class Keeping {
  constructor(recording, rows) {
    this.key = `neurovocal review: ${recording.file}`;
    this.found = digestOf(rows);
    this.works = true;
  }

  // What is kept, {rows, saved, isOfThis}, or null: `saved` is the digest of what was last saved as
  // a table, `isOfThis` whether the work began with the rows of this page.
  read() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.key));
      return (
        kept && {
          rows: kept.rows.map(rowOf),
          saved: kept.saved,
          isOfThis: kept.found === this.found,
        }
      );
    } catch {
      return null;
    }
  }

  write(rows, saved) {
    const kept = { found: this.found, saved, rows: rows.map(cellsOf) };
    this.attempt(() => localStorage.setItem(this.key, JSON.stringify(kept)));
  }

  forget() {
    this.attempt(() => localStorage.removeItem(this.key));
  }

  // Calls back when another page has written.
  onChange(tell) {
    addEventListener("storage", (event) => {
      if (event.key === this.key) tell(this.read());
    });
  }

  attempt(act) {
    try {
      act();
      this.works = true;
    } catch {
      this.works = false;
    }
  }
}

function rowOf([onset, offset, label, score, low, high, channel]) {
  return { onset, offset, label, score, low, high, channel };
}

function cellsOf(row) {
  return [row.onset, row.offset, row.label, row.score, row.low, row.high, row.channel];
}

// FNV-1a of the rows, to tell one set from another.
function digestOf(rows) {
  let hash = 0x811c9dc5;
  for (const character of JSON.stringify(rows.map(cellsOf))) {
    hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193);
  }
  return hash >>> 0;
}
