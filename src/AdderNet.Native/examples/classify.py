"""The likeliest class of an image of raw bytes (rows of pixels, channels interleaved) of the size that the model takes; no package needed.
    python3 classify.py model.safetensors image.raw"""
import ctypes
import pathlib
import sys

library = ctypes.CDLL(str(pathlib.Path(__file__).resolve().parent / "libaddernet.so"))
floats = ctypes.POINTER(ctypes.c_float)
library.addernet_load.restype = ctypes.c_void_p
library.addernet_load.argtypes = [ctypes.c_char_p, ctypes.c_int32]
library.addernet_input_shape.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_int32)]
library.addernet_output_length.argtypes = [ctypes.c_void_p]
library.addernet_class_name.restype = ctypes.c_char_p
library.addernet_class_name.argtypes = [ctypes.c_void_p, ctypes.c_int32]
library.addernet_normalization.argtypes = [ctypes.c_void_p, floats, floats]
library.addernet_run.argtypes = [ctypes.c_void_p, floats, ctypes.c_int32, floats]
library.addernet_last_error.restype = ctypes.c_char_p
library.addernet_free.argtypes = [ctypes.c_void_p]


def check(result):
    if result is None or result < 0:
        sys.exit("Error: " + library.addernet_last_error().decode())
    return result


if len(sys.argv) != 3:
    sys.exit("usage: classify.py MODEL IMAGE")
model = check(library.addernet_load(sys.argv[1].encode(), 0))
shape = (ctypes.c_int32 * 3)()  # channels, rows, columns
check(library.addernet_input_shape(model, shape))
channels, pixels = shape[0], shape[1] * shape[2]
image = pathlib.Path(sys.argv[2]).read_bytes()
if len(image) != channels * pixels:
    sys.exit(f"Error: {sys.argv[2]} is no file of {shape[1]} x {shape[2]} x {channels} bytes.")

mean, std = (ctypes.c_float * channels)(), (ctypes.c_float * channels)()
check(library.addernet_normalization(model, mean, std))
values = (ctypes.c_float * len(image))(
    *((image[p * channels + c] / 255 - mean[c]) / std[c] for c in range(channels) for p in range(pixels)))
scores = (ctypes.c_float * check(library.addernet_output_length(model)))()
check(library.addernet_run(model, values, 1, scores))
best = max(range(len(scores)), key=lambda i: scores[i])
print(best, (library.addernet_class_name(model, best) or b"").decode(), f"{scores[best]:.3f}")
library.addernet_free(model)
