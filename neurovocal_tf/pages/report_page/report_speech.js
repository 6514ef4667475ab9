// Speech: who speaks how, and the utterances that are unlike what their speaker says otherwise.

const PITCH_PAPER = [100, 40];

// The pitch over a spectrogram, on a scale of its own: from 60 to 500 Hz, evenly in semitones.
const [LOWEST_PITCH, HIGHEST_PITCH] = [60, 500];
const PITCH_MARKS = [100, 200, 400];

function pitchHeight(hz) {
  const share = Math.log(hz / LOWEST_PITCH) / Math.log(HIGHEST_PITCH / LOWEST_PITCH);
  return PITCH_PAPER[1] * (1 - Math.min(Math.max(share, 0), 1));
}

function pitchCurve(times, pitch) {
  let path = "";
  pitch.forEach((hz, i) => {
    if (hz === null) return;
    const begins = i === 0 || pitch[i - 1] === null;
    const [x, y] = [(PITCH_PAPER[0] * times[i]).toFixed(2), pitchHeight(hz).toFixed(2)];
    path += `${begins ? "M" : "L"}${x} ${y}`;
  });
  const marks = PITCH_MARKS.map((hz) => `M0 ${pitchHeight(hz)}H${PITCH_PAPER[0]}`).join("");
  const attributes = {
    viewBox: `0 0 ${PITCH_PAPER.join(" ")}`,
    preserveAspectRatio: "none",
    "aria-hidden": "true",
  };
  return drawn(
    "svg",
    attributes,
    drawn("path", { class: "pitch-mark", d: marks }),
    drawn("path", { class: "pitch-ground", d: path }),
    drawn("path", { class: "pitch", d: path }),
  );
}

function pitchTold(pitch) {
  const voiced = pitch.filter((hz) => hz !== null);
  if (!voiced.length) return "no pitch";
  const [first, last] = [voiced[0], voiced.at(-1)].map(Math.round);
  return `pitch from ${first} to ${last} Hz, between ` +
    `${Math.round(Math.min(...voiced))} and ${Math.round(Math.max(...voiced))} Hz`;
}

function spokenPicture(said) {
  const label =
    `Spectrogram of ${said.seconds.toFixed(2)} s, ${said.hz[0]} to ${said.hz[1]} Hz, with its ` +
    pitchTold(said.pitch);
  const canvas = element("canvas", { role: "img", "aria-label": label });
  drawGrey(canvas, bytesOf(said.picture), said.columns, said.bins);
  const scale = PITCH_MARKS.map((hz) => {
    const mark = element("span", { "aria-hidden": "true" }, `${hz} Hz`);
    mark.style.top = `${(100 * pitchHeight(hz)) / PITCH_PAPER[1]}%`;
    return mark;
  });
  const over = element("div", { class: "spoken" }, canvas, pitchCurve(said.times, said.pitch));
  over.append(...scale);
  return over;
}

function oddUtterance(said, rank) {
  const what = said.word ? `“${said.word}”, ` : "";
  const who = said.speaker ? `${said.speaker}, ` : "";
  const where = `${said.file}, ${said.onset.toFixed(2)} s`;
  const item = element("li", {}, element("h3", {}, `${rank + 1}. ${what}${who}${where}`));
  item.append(element("p", {}, said.reason));
  if (said.picture) item.append(spokenPicture(said));
  if (said.sound) {
    const attributes = { type: "button", "aria-label": `Play atypical utterance ${rank + 1}` };
    const button = element("button", attributes, "▶ play");
    button.addEventListener("click", () => play(said));
    item.append(button);
  }
  return item;
}

function fillSpeech() {
  const told = report.speech;
  if (!told) return;
  byId("speech").hidden = false;
  byId("speech-found").append(...told.told.map((line) => element("li", {}, line)));
  const rows = told.speakers.map((one) => [
    one.speaker || "all",
    one.utterances.toLocaleString("en"),
    one.atypical.toLocaleString("en"),
    ...one.medians,
  ]);
  const heads = ["Speaker", "Utterances", "Atypical", ...told.measures];
  byId("speakers").append(table("Median of each speaker's utterances", heads, rows));
  const more = told.odd.length < told.of ? `The ${told.odd.length} farthest of ${told.of}. ` : "";
  byId("odd-told").textContent = told.odd.length
    ? `${more}The line is the pitch, on the scale at the right; the picture behind it is the ` +
      "spectrogram. What is far off counts in standard deviations of the same speaker's other " +
      "utterances, of the same word where it is known."
    : "None.";
  byId("odd-utterances").append(...told.odd.map(oddUtterance));
}
