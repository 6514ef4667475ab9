// The sound of a page, at any speed: slowed down, ultrasound is heard.

const SPEEDS = [1, 2, 4, 10, 20, 50];
const AUDIBLE_HZ = 16000;
// What every browser plays.
const [MIN_RATE, MAX_RATE] = [8000, 96000];
// Longer stretches are played one after another, so that none takes much memory.
const MAX_SAMPLES = 2 ** 22;

class Player {
  // Of an excerpt and its sound, a Uint8Array of mu-law.
  constructor(excerpt, sound) {
    this.excerpt = excerpt;
    this.sound = sound;
    this.slowness = 1;
    this.isLooping = false;
    this.playing = null;
    this.onChange = () => {};
  }

  // Plays from a time to another, in seconds of the recording; stops what plays.
  play(from, to) {
    this.stop();
    this.context ||= new AudioContext();
    this.context.resume();
    this.playing = { from, to };
    this.playNext(from);
    this.onChange();
  }

  stop() {
    if (!this.playing) return;
    const { source } = this.playing;
    this.playing = null;
    if (source) {
      source.onended = null;
      source.stop();
    }
    this.onChange();
  }

  // Where it plays, in seconds of the recording, or null.
  position() {
    if (!this.playing) return null;
    const { begun, start, end } = this.playing;
    return Math.min(start + (this.context.currentTime - begun) / this.slowness, end);
  }

  playNext(start) {
    const playing = this.playing;
    const { soundRate, startS } = this.excerpt;
    const first = Math.max(Math.round((start - startS) * soundRate), 0);
    const last = Math.min(
      Math.round((playing.to - startS) * soundRate),
      this.sound.length,
      first + MAX_SAMPLES,
    );
    if (last <= first) {
      this.stop();
      return;
    }
    const wanted = soundRate / this.slowness;
    const rate = Math.min(Math.max(wanted, MIN_RATE), MAX_RATE);
    const buffer = this.context.createBuffer(1, last - first, rate);
    expand(this.sound.subarray(first, last), buffer.getChannelData(0));
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.playbackRate.value = wanted / rate;
    source.connect(this.context.destination);
    source.onended = () => this.goOn(startS + last / soundRate);
    source.start();
    Object.assign(playing, {
      source,
      start,
      end: startS + last / soundRate,
      begun: this.context.currentTime,
    });
  }

  goOn(end) {
    const { from, to } = this.playing;
    if (
      end < to - 1 / this.excerpt.soundRate &&
      end < this.excerpt.startS + this.sound.length / this.excerpt.soundRate
    ) {
      this.playNext(end);
    } else if (this.isLooping) {
      this.playNext(from);
    } else {
      this.stop();
    }
  }
}

// By how much to slow down what reaches up to so many Hz.
function slownessFor(highHz) {
  return SPEEDS.find((slowness) => highHz / slowness <= AUDIBLE_HZ) || SPEEDS[SPEEDS.length - 1];
}

const MU = 255;
const EXPANDED = Float32Array.from({ length: 256 }, (_, code) => {
  const share = (code - 127) / 127;
  return Math.sign(share) * (Math.expm1(Math.abs(share) * Math.log1p(MU)) / MU);
});

function expand(codes, samples) {
  for (let i = 0; i < codes.length; i++) samples[i] = EXPANDED[codes[i]];
}
