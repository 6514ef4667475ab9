// The work on a recording: what becomes of it between the first edit and the table that is saved.

class Work {
  constructor(recording, segments, editor) {
    Object.assign(this, { recording, segments, editor });
    this.found = segments.rows;
    this.keeping = new Keeping(recording, this.found);
    // Of the rows as they are, or null while that is not known; as they were saved; as they were
    // found.
    this.digest = this.savedDigest = this.foundDigest = this.keeping.found;
    // Whether there is earlier work that the reader has neither taken up nor given up.
    this.isUndecided = false;
  }

  begin() {
    element("take-up").addEventListener("click", () => this.decide(true));
    element("forget").addEventListener("click", () => this.decide(false));
    element("open").addEventListener("change", () => this.open());
    addEventListener("pagehide", () => {
      this.editor.takeTyped();
      this.keep();
    });
    addEventListener("beforeunload", (event) => {
      if (!this.isKept() && this.digest !== this.savedDigest) event.preventDefault();
    });
    this.keeping.onChange((kept) => this.onOtherPage(kept));
    const kept = this.keeping.read();
    if (kept && kept.isOfThis) this.takeUp(kept);
    this.isUndecided = kept !== null && !kept.isOfThis;
    element("earlier").hidden = !this.isUndecided;
    this.show();
  }

  onEdit() {
    this.digest = null;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keep(), 300);
    this.show();
  }

  // --- kept by the browser

  // So that nothing is lost with the page.
  keep() {
    if (this.digest !== null) return;
    clearTimeout(this.timer);
    this.digest = digestOf(this.segments.rows);
    if (!this.isUndecided) this.store();
    this.show();
  }

  store() {
    if (this.digest === this.foundDigest) this.keeping.forget();
    else this.keeping.write(this.segments.rows, this.savedDigest);
  }

  isKept() {
    return this.keeping.works && !this.isUndecided;
  }

  takeUp(kept) {
    this.editor.replaceAll(kept.rows, "work that this browser kept");
    if (kept.saved !== undefined) this.savedDigest = kept.saved;
    this.digest = digestOf(this.segments.rows);
    clearTimeout(this.timer);
    this.show();
  }

  decide(isTakenUp) {
    const kept = this.keeping.read();
    this.isUndecided = false;
    element("earlier").hidden = true;
    element("over").focus();
    if (isTakenUp && kept) this.takeUp(kept);
    if (this.digest === null) this.digest = digestOf(this.segments.rows);
    this.store();
    this.show();
  }

  onOtherPage(kept) {
    if (this.isUndecided || (kept && !kept.isOfThis)) return;
    const rows = kept ? kept.rows : this.found;
    if (digestOf(rows) === digestOf(this.segments.rows)) {
      if (kept) this.savedDigest = kept.saved;
      this.show();
      return;
    }
    this.takeUp({ rows, saved: kept ? kept.saved : this.foundDigest });
  }

  // --- saved as a table

  save() {
    this.editor.takeTyped();
    const format = element("format").value;
    const { stem, extensions } = this.recording;
    const content = new Blob([this.tableText(format)], { type: "text/plain;charset=utf-8" });
    const link = document.createElement("a");
    link.download = stem + extensions[format];
    link.href = URL.createObjectURL(content);
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    this.keep();
    this.savedDigest = this.digest;
    this.savedName = link.download;
    if (this.isKept()) this.store();
    this.show();
    this.editor.tell(`${this.segments.rows.length} segments saved as ${link.download}`);
  }

  tableText(format) {
    return WRITERS[format](this.segments.rows, this.recording);
  }

  // A table that was saved before, in the place of all segments; that can be undone.
  async open() {
    const [file] = element("open").files;
    element("open").value = "";
    if (!file) return;
    try {
      const rows = rowsOfCsv(await file.text(), this.recording);
      const all = rows.map((row) => withBand(row, this.recording));
      this.editor.replaceAll(all, `opened ${file.name}`);
      showError("");
    } catch (error) {
      showError(`${file.name}: ${error.message}`);
    }
  }

  // --- told

  show() {
    const text = this.text();
    // The same once more would be read out once more.
    if (element("kept").textContent !== text) element("kept").textContent = text;
  }

  text() {
    if (this.digest === this.savedDigest) {
      if (this.digest === this.foundDigest) return "As it was found";
      return this.savedName ? `Saved as ${this.savedName}` : "Saved";
    }
    if (this.isUndecided) return "Not saved, and not kept by this browser before you choose";
    if (!this.keeping.works)
      return "Not saved, and this browser keeps nothing: save before you leave";
    return "Not saved; kept in this browser only";
  }
}

// Raven's tables need a band: where a row has none, the detector's.
function withBand(row, recording) {
  const [low, high] = recording.bandHz;
  return { ...row, low: row.low ?? low, high: row.high ?? high };
}

function showError(text) {
  element("error").textContent = text;
  element("error").hidden = !text;
}
