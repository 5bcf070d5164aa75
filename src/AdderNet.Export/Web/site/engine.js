/*
 * Runs a quantized AdderNet on typed arrays. Every number is an integer and every result exact: sums in 32 bits, and their
 * products with 32-bit factors in two halves, so that the scores equal those of every other program that runs the network.
 *
 *     AdderNet.load(MODEL).run(pixels)     pixels of 8 bits, row by row, the channels of each together
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
   * clamp((y * m + r * n + offset) >> shift, 0, top) for |y|, |m|, |r|, |n| <= 2^31 and |offset| < 2^61, all exact: factors are
   * split into 16 low bits and the rest, so that each number below is an integer under 2^53, or so large that the top is taken.
   */
  function code(y, r, { mh, ml, nh, nl, high, low, wide, unit, scale, top }) {
    const small = y * ml + r * nl + low, carry = Math.floor(small / 65536);
    const upper = y * mh + r * nh + high + carry;       // the value is upper * 65536 + rest
    if (upper < 0) return 0;
    const v = wide ? Math.floor(upper * scale) : upper * scale + Math.floor((small - carry * 65536) * unit);
    return v < top ? v : top;
  }

  const rule = (m, n, high, low, shift, top) => ({
    mh: m >> 16, ml: m & 65535, nh: n >> 16, nl: n & 65535, high, low, wide: shift >= 16, unit: 2 ** -shift, scale: 2 ** (16 - shift), top,
  });

  const codes = (grid, count) => grid.bits <= 8 ? new Uint8Array(count) : new Int32Array(count);

  const size = shape => shape[0] * shape[1] * shape[2];

  /*
   * A layer's input as its windows walk over it: planes with a border of zeros, their rows and columns dealt out by the stride, so
   * that the inputs which one tap meets lie beside each other whatever the window is. One loop over lanes serves every layer;
   * lanes between two rows of the output are computed and not used.
   */
  function layout(node, shape) {
    const { kernel, stride, padding, dilation } = node.window, [sh, sw] = stride, [channels, height, width] = shape;
    const rows = Math.ceil((height + 2 * padding[0]) / sh), pitch = Math.ceil((width + 2 * padding[1]) / sw);
    const plane = sh * sw * rows * pitch, data = codes(node.inputGrid, channels * plane).fill(node.inputGrid.zero);
    const place = (r, s) => (r % sh * sw + s % sw) * rows * pitch + Math.floor(r / sh) * pitch + Math.floor(s / sw);
    const taps = [];
    for (let c = 0; c < channels / node.groups; c++)
      for (let i = 0; i < kernel[0]; i++)
        for (let j = 0; j < kernel[1]; j++) taps.push(c * plane + place(i * dilation[0], j * dilation[1]));
    const places = new Int32Array(height * width);
    for (let k = 0; k < places.length; k++) places[k] = place(Math.floor(k / width) + padding[0], k % width + padding[1]);
    return {
      data, taps, pitch, group: channels / node.groups * plane, lanes: (node.shape[1] - 1) * pitch + node.shape[2],
      fill(x) {
        for (let c = 0, k = 0; c < channels; c++)
          for (let p = 0; p < places.length; p++, k++) data[c * plane + places[p]] = x[k];
      },
    };
  }

  const rules = ({ epilogue: e, shape, grid }) => Array.from({ length: shape[0] }, (_, o) =>
    rule(e.multiplier[o], e.residual ? e.residual[o] : 0, e.offsetHigh[o], e.offsetLow[o], e.shift[o], grid.top));

  /* The sums of one filter, lane by lane, as codes. */
  function finish(o, [, height, width], sums, pitch, rule, y, residual) {
    for (let row = 0, at = o * height * width; row < height; row++)
      for (let col = 0, k = row * pitch; col < width; col++, k++, at++) y[at] = code(sums[k], residual ? residual[at] : 0, rule);
  }

  /* The sums of one filter by its lists. */
  function listed({ plain, compared, weights, start }, data, box, sums, lanes) {
    for (let k = 0; k < lanes; k++) sums[k] = start - box[k];
    for (let t = 0; t < plain.length; t += 4) {
      const a = plain[t], b = plain[t + 1], c = plain[t + 2], d = plain[t + 3];
      for (let k = 0; k < lanes; k++) sums[k] += 2 * (data[a + k] + data[b + k] + data[c + k] + data[d + k]);
    }
    for (let t = 0; t < compared.length; t += 4) {
      const a = compared[t], b = compared[t + 1], c = compared[t + 2], d = compared[t + 3];
      const u = weights[t], v = weights[t + 1], w = weights[t + 2], z = weights[t + 3];
      for (let k = 0; k < lanes; k++) {
        const p = data[a + k] - u, q = data[b + k] - v, r = data[c + k] - w, s = data[d + k] - z;
        // p & p >> 31 is min(p, 0) without a branch.
        sums[k] += 2 * ((p & p >> 31) + (q & q >> 31) + (r & r >> 31) + (s & s >> 31));
      }
    }
  }

  /*
   * Y = -sum |x - w| = sum of w - sum of x + 2 * sum of min(x - w, 0), for codes x, w >= 0 and w <= top. A tap of code 0 needs no
   * work, one of the largest code is a plain sum of x - w, and the sum of x is the same for all filters of a group. Taps are taken
   * by fours: plain ones that are left over go with the others, which are filled up with taps of code 0.
   */
  function adder(node, shape) {
    const input = layout(node, shape), { filters, groups, shape: out, inputGrid: { top } } = node;
    const length = input.taps.length, perGroup = out[0] / groups, { data, lanes, pitch, taps } = input;
    let left = 0;
    const lists = Array.from({ length: out[0] }, (_, o) => {
      const plain = [], compared = [], weights = [], base = Math.floor(o / perGroup) * input.group;
      let sum = 0;
      taps.forEach((tap, t) => {
        const w = filters[o * length + t];
        if (w === 0) return;
        sum += w;
        left++;
        if (w === top) plain.push(base + tap);
        else { compared.push(base + tap); weights.push(w); }
      });
      while (plain.length % 4) { compared.push(plain.pop()); weights.push(top); }
      while (compared.length % 4) { compared.push(base); weights.push(0); }
      return {
        plain: Int32Array.from(plain), compared: Int32Array.from(compared), weights: Uint8Array.from(weights),
        start: sum - 2 * top * plain.length,
      };
    });
    const ends = rules(node), box = new Int32Array(lanes), sums = new Int32Array(lanes), pixels = out[1] * out[2];

    function boxSums(base) {
      box.fill(0);
      for (const tap of taps)
        for (let k = 0, a = base + tap; k < lanes; k++, a++) box[k] += data[a];
    }

    return {
      counts: { done: pixels * (length * groups + left), all: 2 * pixels * out[0] * length, multiplications: 0 },
      run([x, residual]) {
        const y = codes(node.grid, out[0] * pixels);
        input.fill(x);
        for (let o = 0; o < out[0]; o++) {
          if (o % perGroup === 0) boxSums(o / perGroup * input.group);
          listed(lists[o], data, box, sums, lanes);
          finish(o, out, sums, pitch, ends[o], y, residual);
        }
        return y;
      },
    };
  }

  /* Y = sum of (x - zero) * w, modulo 2^32, which holds it. */
  function convolution(node, shape) {
    const input = layout(node, shape), { filters, groups, shape: out } = node, pixels = out[1] * out[2];
    const { data, lanes, taps } = input, length = taps.length, ends = rules(node), sums = new Int32Array(lanes);

    function filter(o) {
      const base = Math.floor(o * groups / out[0]) * input.group;
      sums.fill(-filters.subarray(o * length, (o + 1) * length).reduce((sum, w) => sum + w, 0) * node.inputGrid.zero);
      for (let t = 0; t < length; t++) {
        const w = filters[o * length + t];
        for (let k = 0, a = base + taps[t]; k < lanes; k++, a++) sums[k] += data[a] * w;
      }
    }

    return {
      counts: { done: 0, all: 0, multiplications: out[0] * pixels * length },
      run([x, residual]) {
        const y = codes(node.grid, out[0] * pixels);
        input.fill(x);
        for (let o = 0; o < out[0]; o++) {
          filter(o);
          finish(o, out, sums, input.pitch, ends[o], y, residual);
        }
        return y;
      },
    };
  }

  const none = { done: 0, all: 0, multiplications: 0 };

  const kinds = {
    adder: (node, [shape]) => adder(node, shape),

    convolution: (node, [shape]) => convolution(node, shape),

    "max-pool": (node, [shape]) => ({
      counts: none,
      run([x]) {
        const w = node.window, [channels, height, width] = node.shape, y = new x.constructor(size(node.shape));
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
      },
    }),

    "global-sum": (node, [shape]) => ({
      counts: none,
      run([x]) {
        const pixels = shape[1] * shape[2], y = codes(node.grid, shape[0]);
        for (let i = 0; i < x.length; i++) y[Math.floor(i / pixels)] += x[i];
        return y;
      },
    }),

    requantize(node) {
      const end = rule(node.multiplier, 0, node.offsetHigh, node.offsetLow, node.shift, node.grid.top);
      return { counts: none, run: ([x]) => codes(node.grid, x.length).map((_, i) => code(x[i], 0, end)) };
    },

    concatenate: node => ({
      counts: none,
      run(parts) {
        const y = new parts[0].constructor(size(node.shape));
        let at = 0;
        for (const part of parts) { y.set(part, at); at += part.length; }
        return y;
      },
    }),

    flatten: () => ({ counts: none, run: ([x]) => x }),

    "channel-shuffle": (node, [shape]) => ({
      counts: none,
      run([x]) {
        const pixels = shape[1] * shape[2], y = new x.constructor(x.length), perGroup = shape[0] / node.groups;
        for (let c = 0; c < shape[0]; c++) {
          const from = (c % node.groups * perGroup + Math.floor(c / node.groups)) * pixels;
          y.set(x.subarray(from, from + pixels), c * pixels);
        }
        return y;
      },
    }),

    "select-channels": (node, [shape]) => ({
      counts: none,
      run([x]) {
        const pixels = shape[1] * shape[2], y = new x.constructor(size(node.shape));
        node.channels.forEach((from, c) => y.set(x.subarray(from * pixels, (from + 1) * pixels), c * pixels));
        return y;
      },
    }),

    shift: (node, [[channels, height, width]]) => ({
      counts: none,
      run([x]) {
        const y = new x.constructor(x.length).fill(node.grid.zero);
        for (let c = 0; c < channels; c++) {
          for (let row = 0; row < height; row++) {
            const from = row + node.rows[c];
            if (from < 0 || from >= height) continue;
            for (let column = Math.max(0, -node.columns[c]); column < Math.min(width, width - node.columns[c]); column++)
              y[(c * height + row) * width + column] = x[(c * height + from) * width + column + node.columns[c]];
          }
        }
        return y;
      },
    }),
  };

  /* A network from the object that model.js holds. */
  function load(model) {
    const shapes = { [model.input.name]: model.input.shape }, last = {};
    const steps = model.nodes.map((node, i) => {
      const { filters, epilogue: e } = node, inputs = node.inputs.map(name => shapes[name]);
      const step = kinds[node.kind]({
        ...node, filters: filters && decode(filters),
        epilogue: e && { ...e, multiplier: decode(e.multiplier), residual: e.residual && decode(e.residual) },
      }, inputs);
      shapes[node.name] = node.shape;
      node.inputs.forEach(name => { last[name] = i; });
      return { node, ...step };
    });
    const total = name => steps.reduce((sum, step) => sum + step.counts[name], 0);

    return {
      /* Additions that one image takes, those that it would take without lists of taps, and multiplications. */
      counts: { done: total("done"), all: total("all"), multiplications: total("multiplications") },

      /* The integer scores of pixels. */
      run(pixels) {
        const [channels, height, width] = model.input.shape, plane = height * width, tables = model.pixelValues;
        const input = codes(model.input.grid, channels * plane), values = { [model.input.name]: input };
        for (let c = 0; c < channels; c++)
          for (let k = 0; k < plane; k++) input[c * plane + k] = tables[Math.min(c, tables.length - 1)][pixels[k * channels + c]];
        steps.forEach(({ node, run }, i) => {
          values[node.name] = run(node.inputs.map(name => values[name]));
          node.inputs.forEach(name => { if (last[name] === i && name !== model.output.name) delete values[name]; });
        });
        return Array.from(values[model.output.name], v => v - model.output.grid.zero);
      },
    };
  }

  return { load };
})();
