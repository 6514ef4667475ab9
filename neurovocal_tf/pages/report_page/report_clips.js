// The sound of example calls, also slowed down: ultrasound is heard then.

const AUDIBLE_HZ = 16000;
const SLOWNESSES = [1, 2, 4, 10, 20];
// What every browser plays.
const [LOWEST_RATE, HIGHEST_RATE] = [8000, 96000];
let audio = null;
let playing = null;

const clips = report.types.flatMap((type) => type.examples).filter((example) => example.sound);

function fillSpeeds() {
  const highest = Math.max(0, ...clips.map((clip) => clip.hz[1]));
  const best = SLOWNESSES.find((slowness) => highest / slowness <= AUDIBLE_HZ) || 20;
  for (const slowness of SLOWNESSES) {
    const text = slowness === 1 ? "as it is" : `${slowness} times slower`;
    const option = element("option", { value: slowness }, text);
    option.selected = slowness === (highest > 1.5 * AUDIBLE_HZ ? best : 1);
    byId("speed").append(option);
  }
  byId("speed-line").hidden = !clips.length;
}

function play(clip) {
  if (playing) playing.stop();
  audio ||= new AudioContext();
  audio.resume();
  const samples = new Int16Array(bytesOf(clip.sound).buffer);
  const wanted = clip.rate / Number(byId("speed").value);
  const rate = Math.min(Math.max(wanted, LOWEST_RATE), HIGHEST_RATE);
  const buffer = audio.createBuffer(1, Math.max(samples.length, 1), rate);
  buffer.getChannelData(0).set(Float32Array.from(samples, (value) => value / 40000));
  playing = audio.createBufferSource();
  playing.buffer = buffer;
  playing.playbackRate.value = wanted / rate;
  playing.connect(audio.destination);
  playing.start();
}
