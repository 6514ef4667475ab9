// The list of all recordings, each with its pages.

const recordings = JSON.parse(document.getElementById("recordings").textContent);
const numSegments = recordings.reduce((sum, one) => sum + one.numSegments, 0);

function lengthText(seconds) {
  const minutes = Math.floor(Math.round(seconds) / 60);
  return minutes
    ? `${minutes} min ${Math.round(seconds) - 60 * minutes} s`
    : `${seconds.toFixed(1)} s`;
}

function lineOf({ name, pages, durationS, numSegments }) {
  const line = document.createElement("tr");
  const cells = [[], lengthText(durationS), numSegments.toLocaleString("en")].map((text) => {
    const cell = document.createElement("td");
    cell.append(...[text].flat());
    line.append(cell);
    return cell;
  });
  pages.forEach((address, number) => {
    const link = document.createElement("a");
    link.href = address;
    link.textContent = number ? ` ${number + 1}` : name;
    cells[0].append(link, " ");
  });
  return line;
}

const lines = recordings.map(lineOf);
document.getElementById("rows").append(...lines);
const counts = [recordings.length, numSegments].map((count) => count.toLocaleString("en"));
document.getElementById("sum").textContent = `${counts[0]} recordings, ${counts[1]} segments`;
document.getElementById("find").addEventListener("input", (event) => {
  const wanted = event.target.value.toLowerCase();
  lines.forEach((line, i) => {
    line.hidden = !recordings[i].name.toLowerCase().includes(wanted);
  });
});
