/*
 * Runs a quantized AdderNet on typed arrays. Every number is an integer and every result exact: sums in 32 bits, and their
 * products with 31-bit factors in two halves, so that the scores equal those of every other program that runs the network.
 */
"use strict";

const AdderNet = (() => {
  const types = { u8: Uint8Array, i8: Int8Array, i32: Int32Array };

  function decode(tensor) {
    const text = atob(tensor.data), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new types[tensor.type](bytes.buffer);
  }

  /*
   * clamp((y * m + r * n + offset) >> shift, 0, top) for |y|, |m|, |r|, |n| < 2^31 and |offset| < 2^61, all exact: factors are
   * split into 16 low bits and the rest, so that each number below is an integer under 2^53.
   */
  function code(y, m, r, n, high, low, shift, top) {
    const mh = m >> 16, ml = m & 65535, nh = n >> 16, nl = n & 65535;
    const small = y * ml + r * nl + low;
    const carry = Math.floor(small / 65536);
    const upper = y * mh + r * nh + high + carry;       // the value is upper * 65536 + rest
    const rest = small - carry * 65536;
    if (upper < 0) return 0;
    const v = shift >= 16 ? Math.floor(upper / 2 ** (shift - 16)) : upper * 2 ** (16 - shift) + Math.floor(rest / 2 ** shift);
    return v < top ? v : top;
  }

  const codes = (grid, count) => grid.bits <= 8 ? new Uint8Array(count) : new Int32Array(count);

  /* Planes with a border that holds the code of 0, so that no loop asks where a window ends. */
  function padded(x, shape, h, w, zero) {
    if (h === 0 && w === 0) return { data: x, pitch: shape[2], plane: shape[1] * shape[2] };
    const pitch = shape[2] + 2 * w, plane = (shape[1] + 2 * h) * pitch, data = new x.constructor(shape[0] * plane).fill(zero);
    for (let c = 0; c < shape[0]; c++)
      for (let row = 0; row < shape[1]; row++) {
        const from = (c * shape[1] + row) * shape[2];
        data.set(x.subarray(from, from + shape[2]), c * plane + (row + h) * pitch + w);
      }
    return { data, pitch, plane };
  }

  function finish(node, o, sums, y, residual) {
    const e = node.epilogue, m = e.multiplier[o], n = residual ? e.residual[o] : 0, pixels = sums.length, at = o * pixels;
    for (let k = 0; k < pixels; k++)
      y[at + k] = code(sums[k], m, residual ? residual[at + k] : 0, n, e.offsetHigh[o], e.offsetLow[o], e.shift[o], node.grid.top);
  }

  function adder(node, x, shape, residual, counts) {
    const { window: w, groups, shape: out, filters } = node, pixels = out[1] * out[2], width = out[2], top = node.inputGrid.top;
    const p = padded(x, shape, w.padding[0], w.padding[1], 0), data = p.data;
    const channels = shape[0] / groups, perGroup = out[0] / groups, length = channels * w.kernel[0] * w.kernel[1];
    const rows = w.stride[0] * p.pitch, step = w.stride[1], height = out[1];
    const y = codes(node.grid, out[0] * pixels), box = new Int32Array(pixels), sums = new Int32Array(pixels);
    const offsets = new Int32Array(length);
    for (let g = 0; g < groups; g++) {
      let t = 0;
      for (let c = 0; c < channels; c++)
        for (let i = 0; i < w.kernel[0]; i++)
          for (let j = 0; j < w.kernel[1]; j++)
            offsets[t++] = (g * channels + c) * p.plane + i * w.dilation[0] * p.pitch + j * w.dilation[1];
      box.fill(0);
      for (t = 0; t < length; t++)
        for (let row = 0, k = 0; row < height; row++)
          for (let col = 0, at = offsets[t] + row * rows; col < width; col++, k++, at += step) box[k] += data[at];
      counts.done += length * pixels;
      for (let o = g * perGroup; o < (g + 1) * perGroup; o++) {
        // Y = -(sum of x + sum of w - 2 * sum of min(x, w)): a tap of code 0 needs no work.
        let total = 0;
        sums.fill(0);
        for (t = 0; t < length; t++) {
          const weight = filters[o * length + t];
          if (weight === 0) continue;
          total += weight;
          counts.done += pixels;
          if (weight === top) {
            for (let row = 0, k = 0; row < height; row++)
              for (let col = 0, at = offsets[t] + row * rows; col < width; col++, k++, at += step) sums[k] += data[at];
          } else {
            for (let row = 0, k = 0; row < height; row++)
              for (let col = 0, at = offsets[t] + row * rows; col < width; col++, k++, at += step) {
                const v = data[at];
                sums[k] += v < weight ? v : weight;
              }
          }
        }
        for (let k = 0; k < pixels; k++) sums[k] = 2 * sums[k] - box[k] - total;
        finish(node, o, sums, y, residual);
      }
    }
    counts.all += 2 * out[0] * pixels * length;
    return y;
  }

  function convolution(node, x, shape, residual, counts) {
    const { window: w, groups, shape: out, filters, inputGrid } = node, pixels = out[1] * out[2], width = out[2], height = out[1];
    const p = padded(x, shape, w.padding[0], w.padding[1], inputGrid.zero), data = p.data, zero = inputGrid.zero;
    const channels = shape[0] / groups, perGroup = out[0] / groups;
    const rows = w.stride[0] * p.pitch, step = w.stride[1];
    const y = codes(node.grid, out[0] * pixels), sums = new Int32Array(pixels);
    for (let o = 0, t = 0; o < out[0]; o++) {
      sums.fill(0);
      for (let c = Math.floor(o / perGroup) * channels, end = c + channels; c < end; c++)
        for (let i = 0; i < w.kernel[0]; i++)
          for (let j = 0; j < w.kernel[1]; j++, t++) {
            const weight = filters[t], from = c * p.plane + i * w.dilation[0] * p.pitch + j * w.dilation[1];
            for (let row = 0, k = 0; row < height; row++)
              for (let col = 0, at = from + row * rows; col < width; col++, k++, at += step) sums[k] += (data[at] - zero) * weight;
          }
      finish(node, o, sums, y, residual);
    }
    counts.multiplications += out[0] * pixels * channels * w.kernel[0] * w.kernel[1];
    return y;
  }

  function maxPool(node, x, shape) {
    const w = node.window, [channels, height, width] = node.shape, y = new x.constructor(channels * height * width);
    for (let c = 0, k = 0; c < channels; c++)
      for (let row = 0; row < height; row++)
        for (let col = 0; col < width; col++, k++)
          for (let i = 0; i < w.kernel[0]; i++)
            for (let j = 0; j < w.kernel[1]; j++) {
              const r = row * w.stride[0] - w.padding[0] + i * w.dilation[0], s = col * w.stride[1] - w.padding[1] + j * w.dilation[1];
              if (r < 0 || r >= shape[1] || s < 0 || s >= shape[2]) continue;
              const v = x[(c * shape[1] + r) * shape[2] + s];
              if (v > y[k]) y[k] = v;
            }
    return y;
  }

  function globalSum(node, x, shape) {
    const pixels = shape[1] * shape[2], y = codes(node.grid, shape[0]);
    for (let i = 0; i < x.length; i++) y[Math.floor(i / pixels)] += x[i];
    return y;
  }

  function shuffle(node, x, shape) {
    const pixels = shape[1] * shape[2], y = new x.constructor(x.length), perGroup = shape[0] / node.groups;
    for (let c = 0; c < shape[0]; c++) {
      const from = (c % node.groups * perGroup + Math.floor(c / node.groups)) * pixels;
      y.set(x.subarray(from, from + pixels), c * pixels);
    }
    return y;
  }

  function compute(node, inputs, shapes, counts) {
    const x = inputs[0], shape = shapes[0];
    switch (node.kind) {
      case "adder": return adder(node, x, shape, inputs[1], counts);
      case "convolution": return convolution(node, x, shape, inputs[1], counts);
      case "max-pool": return maxPool(node, x, shape);
      case "global-sum": return globalSum(node, x, shape);
      case "requantize": {
        const y = codes(node.grid, x.length);
        for (let i = 0; i < x.length; i++) y[i] = code(x[i], node.multiplier, 0, 0, node.offsetHigh, node.offsetLow, node.shift, node.grid.top);
        return y;
      }
      case "concatenate": {
        const y = new x.constructor(inputs.reduce((sum, part) => sum + part.length, 0));
        inputs.reduce((at, part) => (y.set(part, at), at + part.length), 0);
        return y;
      }
      case "flatten": return x;
      case "channel-shuffle": return shuffle(node, x, shape);
      default: throw new Error(`This page does not know the node ${node.kind}.`);
    }
  }

  /* A network from the object that model.js holds. */
  function load(model) {
    const nodes = model.nodes.map(node => ({
      ...node,
      filters: node.filters && decode(node.filters),
      epilogue: node.epilogue && { ...node.epilogue, multiplier: decode(node.epilogue.multiplier), residual: node.epilogue.residual && decode(node.epilogue.residual) },
    }));
    const last = {};
    nodes.forEach((node, i) => node.inputs.forEach(input => { last[input] = i; }));

    /* Pixels of 8 bits, row by row, the channels of each together, to integer scores. */
    function run(pixels) {
      const [channels, height, width] = model.input.shape, plane = height * width;
      const input = codes(model.input.grid, channels * plane), tables = model.pixelValues;
      for (let c = 0; c < channels; c++)
        for (let k = 0; k < plane; k++) input[c * plane + k] = tables[Math.min(c, tables.length - 1)][pixels[k * channels + c]];
      const values = { [model.input.name]: { data: input, shape: model.input.shape } };
      const counts = { done: 0, all: 0, multiplications: 0 };
      nodes.forEach((node, i) => {
        const inputs = node.inputs.map(name => values[name]);
        values[node.name] = { data: compute(node, inputs.map(v => v.data), inputs.map(v => v.shape), counts), shape: node.shape };
        node.inputs.forEach(name => { if (last[name] === i && name !== model.output.name) delete values[name]; });
      });
      return { scores: Array.from(values[model.output.name].data, v => v - model.output.grid.zero), counts };
    }

    return { run };
  }

  return { load, code };
})();
