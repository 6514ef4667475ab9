// Mouse, pen and fingers on the spectrogram and on the map of the whole.

const NEAR_PX = 7;
const MOVED_PX = 4;

class Pointer {
  constructor(view, editor) {
    Object.assign(this, { view, editor, drag: null });
    const { over, map } = view;
    over.addEventListener("pointerdown", (event) => this.down(event));
    over.addEventListener("pointermove", (event) => this.move(event));
    over.addEventListener("pointerup", (event) => this.up(event));
    over.addEventListener("pointercancel", () => this.cancel());
    over.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    over.addEventListener("dblclick", () => editor.play());
    const centre = (event) => {
      if (!event.buttons) return;
      map.setPointerCapture(event.pointerId);
      const share = event.offsetX / map.clientWidth;
      const span = view.end - view.start;
      view.show(view.first + share * (view.last - view.first) - span / 2, span);
    };
    map.addEventListener("pointerdown", centre);
    map.addEventListener("pointermove", centre);
  }

  // What lies at a place: {row, part}, part "onset", "offset" or "whole"; null for nothing.
  // The nearest edge within reach; the selected segment's before others', shorter ones' before
  // longer ones'.
  at(x) {
    const { view } = this;
    const time = view.timeAt(x);
    const reach = (NEAR_PX / view.width) * (view.end - view.start);
    const near = view.segments.within(time - reach, time + reach).sort((a, b) => {
      const isSelected = (row) => view.selected !== null && row.id === view.selected.id;
      return isSelected(b) - isSelected(a) || a.offset - a.onset - (b.offset - b.onset);
    });
    // Within a narrow segment most is left to take it as a whole by.
    const inside = (row) => Math.min(reach, (row.offset - row.onset) / 4);
    const edges = near
      .flatMap((row) => [
        {
          row,
          part: "onset",
          away: Math.abs(time - row.onset),
          reach: time < row.onset ? reach : inside(row),
        },
        {
          row,
          part: "offset",
          away: Math.abs(time - row.offset),
          reach: time > row.offset ? reach : inside(row),
        },
      ])
      .filter((edge) => edge.away <= edge.reach);
    if (edges.length) return edges.reduce((best, edge) => (edge.away < best.away ? edge : best));
    const around = near.find((row) => row.onset <= time && time <= row.offset);
    return around ? { row: around, part: "whole" } : null;
  }

  down(event) {
    if (event.button) return;
    const { view, editor } = this;
    editor.takeTyped();
    const { offsetX: x, offsetY: y } = event;
    view.over.setPointerCapture(event.pointerId);
    const hit = y >= RULER ? this.at(x) : null;
    const kind = hit ? "move" : event.pointerType === "touch" || y < RULER ? "scroll" : "add";
    this.drag = {
      x,
      kind,
      row: null,
      ...hit,
      start: view.start,
      time: view.timeAt(x),
      hasMoved: false,
    };
    view.cursor = view.timeAt(x);
    if (hit) editor.select(hit.row, { cursor: view.cursor });
    else view.redraw();
  }

  move(event) {
    const { view, drag } = this;
    const { offsetX: x, offsetY: y } = event;
    if (!drag) {
      const hit = y >= RULER ? this.at(x) : null;
      view.over.style.cursor = !hit ? "crosshair" : hit.part === "whole" ? "pointer" : "ew-resize";
      return;
    }
    if (!drag.hasMoved && Math.abs(x - drag.x) < MOVED_PX) return;
    drag.hasMoved = true;
    const shift = view.timeAt(x) - view.timeAt(drag.x);
    if (drag.kind === "scroll") {
      view.show(drag.start - shift, view.end - view.start);
      return;
    }
    if (drag.kind === "move") {
      const [onset, offset] = [
        ["onset", drag.row.onset],
        ["offset", drag.row.offset],
      ].map(([name, time]) => {
        return drag.part === "whole" || drag.part === name ? time + shift : time;
      });
      view.dragged = {
        ...drag.row,
        ...bounded(onset, offset, drag.part, view.recording.durationS),
      };
    } else {
      const [onset, offset] = [drag.time, view.timeAt(x)].sort((a, b) => a - b);
      view.dragged = this.editor.fresh(Math.max(onset, view.first), Math.min(offset, view.last));
    }
    this.editor.tellDragged(view.dragged);
    view.redraw();
  }

  up() {
    const { view, editor, drag } = this;
    const { dragged } = view;
    view.dragged = this.drag = null;
    if (!drag) return;
    if (!drag.hasMoved && !drag.row) editor.select(null);
    if (dragged && drag.kind === "move") editor.replace(drag.row, dragged, "moved");
    else if (dragged) editor.add(dragged);
    view.redraw();
  }

  cancel() {
    this.view.dragged = this.drag = null;
    this.view.redraw();
  }

  wheel(event) {
    event.preventDefault();
    const { view } = this;
    const moved = Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : event.deltaY;
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 30 * moved : moved;
    if (event.ctrlKey || event.metaKey) view.zoom(1.003 ** lines, view.timeAt(event.offsetX));
    else view.scroll((lines / view.width) * (view.end - view.start));
  }
}
