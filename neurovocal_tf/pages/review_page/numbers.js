// Numbers as text, digit for digit as Python writes them.

// Like f"{value:.{digits}f}". Both are exact, but for a value that lies in the middle between two
// texts JavaScript takes the larger and Python the even one. Such values are common: 250 samples at
// 32 kHz are 0.0078125 s.
function fixed(value, digits) {
  const text = value.toFixed(digits);
  // A double of a time that reaches further than this is no middle.
  const exact = Math.abs(value).toFixed(digits + 50);
  const cut = exact.length - 50;
  if (!/^50*$/.test(exact.slice(cut))) return text;
  const below = exact.slice(0, cut);
  if (Number(below[below.length - 1]) % 2) return text;
  return value < 0 ? `-${below}` : below;
}

// Like repr(float(value)). Both give the shortest digits that mean the value; Python has an
// exponent sooner, and always a point without one.
function repr(value) {
  const [mantissa, exponent] = value.toExponential().split("e");
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  }
  const text = String(value);
  return text.includes(".") ? text : `${text}.0`;
}

// Times are kept to the microsecond, as all formats keep them.
function microseconds(seconds) {
  return Math.round(seconds * 1e6) / 1e6;
}
