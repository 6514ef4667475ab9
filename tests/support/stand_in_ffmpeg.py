"""A program that answers as ffmpeg does what `audio.ffmpeg` asks it, to stand on the path where
ffmpeg is not installed. The files that it knows are the word CODED and then a WAV file.
"""

import os
import stat
import sys

_PROGRAM = """#!{python}
import io, struct, sys, time, wave

arguments = sys.argv[1:]
assert arguments[arguments.index("-protocol_whitelist") + 1] == "file,pipe"
assert "-nostdin" in arguments
path = arguments[arguments.index("-i") + 1]
assert path.startswith("file:/")
assert arguments[-7:] == "-map 0:a:0 -f au -c:a pcm_f32be pipe:1".split()
content = open(path[5:], "rb").read()
if content.startswith(b"hang"):
    time.sleep(60)
if content.startswith(b"picture"):
    sys.exit("Stream map '0:a:0' matches no streams.")
if not content.startswith(b"CODED"):
    sys.exit(path + ": Invalid data found when processing input")
sound = wave.open(io.BytesIO(content[5:]))
rate, channels, count = sound.getframerate(), sound.getnchannels(), sound.getnframes()
if "streamed" not in path:
    sys.stderr.write("  Duration: 00:00:%05.2f, start: 0.000000, x\\n" % (count / rate))
out = sys.stdout.buffer
out.write(struct.pack(">4sIIIIIQ", b".snd", 32, 0xFFFFFFFF, 6, rate, channels, 0))
while "-frames:a" not in arguments and (block := sound.readframes(1000)):
    values = struct.unpack("<%dh" % (len(block) // 2), block)
    out.write(struct.pack(">%df" % len(values), *(value / 32768 for value in values)))
"""


def install(folder):
    """Writes it as FOLDER/ffmpeg."""
    path = folder / "ffmpeg"
    path.write_text(_PROGRAM.format(python=sys.executable))
    os.chmod(path, path.stat().st_mode | stat.S_IXUSR)
