"""Read a line of text with a net from the package rapidocr-onnxruntime, on cnnfast.

pip install 'cnnfast[onnx]' pillow && pip install --no-deps rapidocr-onnxruntime
python example_onnx.py [picture of a line of text]
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cnnfast.backends.onnx import CnnfastEvaluator

package = Path(find_spec("rapidocr_onnxruntime").origin).parent
net = CnnfastEvaluator(str(package / "models/ch_PP-OCRv4_rec_infer.onnx"))
letters = ["", *{entry.key: entry.value for entry in net.proto_.metadata_props}["character"].splitlines(), " "]

if len(sys.argv) > 1:
    picture = Image.open(sys.argv[1]).convert("RGB")
else:
    picture = Image.new("RGB", (400, 48), "white")
    ImageDraw.Draw(picture).text((8, 4), "convolution is fast", "black", ImageFont.load_default(36))

picture = picture.resize((round(48 * picture.width / picture.height), 48))
x = (np.asarray(picture, np.float32).transpose(2, 0, 1)[None] / 255 - 0.5) / 0.5

net.run(None, {"x": x})  # the first call prepares the net for pictures of this size
start = perf_counter()
(probabilities,) = net.run(None, {"x": x})
seconds = perf_counter() - start

best = probabilities[0].argmax(-1)
text = "".join(letters[b] for b, before in zip(best, [0, *best[:-1]], strict=True) if b != before)
print(f"{text!r} in {seconds * 1e3:.1f} ms")
