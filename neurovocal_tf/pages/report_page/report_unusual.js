// The calls that a trained model finds unusual, in what was heard around them.

function marked(call) {
  const canvas = element("canvas", {
    role: "img",
    "aria-label":
      `Spectrogram of ${call.seconds.toFixed(2)} s around a call of type ${call.type}, which is ` +
      `framed, ${call.hz[0]} to ${call.hz[1]} Hz`,
  });
  drawGrey(canvas, bytesOf(call.picture), call.columns, call.bins);
  const frame = element("span", { class: "call" });
  frame.style.left = `${(100 * call.begin) / call.seconds}%`;
  frame.style.width = `${(100 * (call.end - call.begin)) / call.seconds}%`;
  return element("div", { class: "context" }, canvas, frame);
}

function playButton(text, label, clip) {
  const button = element("button", { type: "button", "aria-label": label }, text);
  button.addEventListener("click", () => play(clip));
  return button;
}

// The samples of the call alone, of those of what is around it.
function alone(call) {
  const first = 2 * Math.round(call.begin * call.rate);
  const last = 2 * Math.round(call.end * call.rate);
  const bytes = bytesOf(call.sound).slice(first, last);
  return { rate: call.rate, sound: btoa(String.fromCharCode(...bytes)) };
}

function oddCall(call, rank) {
  const heading = element("h3", {}, letter(names.indexOf(call.type)));
  heading.append(`${rank + 1}. ${call.file}, ${call.onset.toFixed(2)} s`);
  const item = element("li", {}, heading, element("p", {}, call.reason));
  if (call.picture) item.append(marked(call));
  if (call.sound) {
    const which = `unusual call ${rank + 1}`;
    item.append(
      element(
        "div",
        { class: "plays" },
        playButton("▶ in context", `Play ${which} with what is around it`, call),
        playButton("▶ the call", `Play ${which} alone`, alone(call)),
      ),
    );
  }
  return item;
}

function fillUnusual() {
  const told = report.unusual;
  if (!told) return;
  byId("unusual").hidden = false;
  byId("unusual-told").textContent = told.told;
  byId("unusual-share").textContent = told.share;
  byId("odd-calls").append(...told.calls.map(oddCall));
  const rows = told.recordings.map((one) => [
    one.file,
    one.calls.toLocaleString("en"),
    one.unusual.toLocaleString("en"),
    one.calls ? withInterval(one.unusual / one.calls, one.low, one.high, percent) : "no calls",
  ]);
  const heads = ["Recording", "Calls", "Unusual", "Share"];
  byId("unusual-recordings").append(
    table("Share of unusual calls, with its 95 % interval over calls", heads, rows),
  );
}
