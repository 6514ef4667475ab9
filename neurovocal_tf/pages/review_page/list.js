// The table of segments: of ten thousand no more rows than are seen are in the page.

const ROW_PX = 30;
const SPARE_ROWS = 8;

class List {
  constructor(segments, view, editor) {
    Object.assign(this, { segments, view, editor });
    this.frame = element("list");
    this.table = element("table");
    this.body = this.table.tBodies[0];
    this.frame.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.frame);
    this.body.addEventListener("click", (event) => {
      const line = event.target.closest("tr[data-index]");
      if (line) editor.select(this.rows()[Number(line.dataset.index)], { isShown: true });
    });
  }

  // Those of this page's excerpt.
  rows() {
    return this.editor.rows();
  }

  draw() {
    const rows = this.rows();
    const first = Math.max(Math.floor(this.frame.scrollTop / ROW_PX) - SPARE_ROWS, 0);
    const last = Math.min(
      first + Math.ceil(this.frame.clientHeight / ROW_PX) + 2 * SPARE_ROWS,
      rows.length,
    );
    const focused = this.body.contains(document.activeElement)
      ? document.activeElement.closest("tr").dataset.index
      : null;
    this.table.setAttribute("aria-rowcount", rows.length + 1);
    this.body.replaceChildren(
      spacer(first),
      ...rows.slice(first, last).map((row, i) => this.line(row, first + i)),
      spacer(rows.length - last),
    );
    if (focused !== null)
      this.body.querySelector(`tr[data-index="${focused}"] button`)?.focus({ preventScroll: true });
  }

  line(row, index) {
    const line = document.createElement("tr");
    line.dataset.index = index;
    line.setAttribute("aria-rowindex", index + 2);
    const button = document.createElement("button");
    button.textContent = index + 1;
    button.setAttribute("aria-label", `Select segment ${index + 1}`);
    const score = row.score === null ? "" : row.score.toFixed(1);
    line.append(
      ...[button, row.onset.toFixed(4), row.offset.toFixed(4), row.label, score].map((content) => {
        const cell = document.createElement("td");
        cell.append(content);
        return cell;
      }),
    );
    if (this.view.selected && row.id === this.view.selected.id) {
      line.className = "chosen";
      line.setAttribute("aria-current", "true");
    }
    return line;
  }

  // Scrolls so that a row is seen, of those in the page.
  reveal(index) {
    const top = index * ROW_PX;
    const height = this.frame.clientHeight - 2 * ROW_PX;
    if (top < this.frame.scrollTop) this.frame.scrollTop = top;
    else if (top > this.frame.scrollTop + height) this.frame.scrollTop = top - height / 2;
    this.draw();
  }
}

function spacer(numRows) {
  const line = document.createElement("tr");
  line.className = "space";
  line.setAttribute("aria-hidden", "true");
  const cell = document.createElement("td");
  cell.colSpan = 5;
  cell.style.height = `${numRows * ROW_PX}px`;
  line.append(cell);
  line.hidden = !numRows;
  return line;
}
