"use strict";

const network = AdderNet.load(MODEL);
const [channels, height, width] = MODEL.input.shape;
const $ = id => document.getElementById(id);
const black = "#000", ink = "#fff";

/* What the network sees: a canvas of the input's size. */
const seen = $("seen"), view = seen.getContext("2d", { willReadFrequently: true });
seen.width = width;
seen.height = height;

const sizes = [...new Set(MODEL.nodes.filter(node => node.kind === "adder").map(node => node.inputGrid.bits))].sort((a, b) => a - b);
document.title = $("title").textContent = MODEL.title;
$("subtitle").textContent = `${MODEL.classes.length} classes${MODEL.dataset ? ` of ${MODEL.dataset}` : ""}, `
  + `${channels === 1 ? "grey" : "colour"} images of ${width} × ${height}, `
  + (sizes.length > 0 ? `additions of ${sizes.join(" and ")} bits in place of multiplications` : "integers of 8 bits");

/* The answer. */
const number = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/* Only what changes is written, as it is read out. */
const tell = text => { if ($("best").textContent !== text) $("best").textContent = text; };

function classify() {
  const rgba = view.getImageData(0, 0, width, height).data, pixels = new Uint8Array(width * height * channels);
  for (let k = 0; k < width * height; k++) {
    const [r, g, b] = rgba.subarray(4 * k, 4 * k + 3);
    if (channels === 1) pixels[k] = grey(r, g, b);
    else for (let c = 0; c < channels; c++) pixels[k * channels + c] = [r, g, b][c % 3];
  }
  run(pixels);
}

const grey = (r, g, b) => Math.floor((299 * r + 587 * g + 114 * b + 500) / 1000);

function run(pixels) {
  const start = performance.now(), scores = network.run(pixels), milliseconds = performance.now() - start;
  show(scores, milliseconds);
  return scores;
}

function show(scores, milliseconds) {
  const values = scores.map(score => score * MODEL.output.grid.step), largest = Math.max(...values);
  const shares = values.map(value => Math.exp(value - largest)), sum = shares.reduce((a, b) => a + b);
  const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a]).slice(0, 5);
  const { done, all, multiplications } = network.counts;
  tell(MODEL.classes[order[0]]);
  $("classes").replaceChildren(...order.map(i => {
    const [row, name, share, score] = ["li", "span", "span", "small"].map(tag => document.createElement(tag));
    const percent = 100 * shares[i] / sum;
    row.style.setProperty("--share", `${percent}%`);
    name.textContent = MODEL.classes[i];
    score.textContent = ` score ${scores[i]}`;
    share.textContent = `${percent.toFixed(1)} %`;
    name.append(score);
    row.append(name, share);
    return row;
  }));
  $("time").textContent = `${milliseconds.toFixed(1)} ms`;
  $("done").textContent = number.format(done);
  $("skipped").textContent = `${number.format(all - done)} (${Math.round(100 * (all - done) / Math.max(1, all))} %)`;
  $("multiplications").textContent = number.format(multiplications);
}

function forget() {
  view.fillStyle = black;
  view.fillRect(0, 0, width, height);
  tell("–");
  $("classes").replaceChildren();
  for (const id of ["time", "done", "skipped", "multiplications"]) $(id).textContent = "–";
}

/* Draws a picture as the training images were prepared: scaled, its middle cut out, with black around it. */
function prepare(source, w, h) {
  const { cover, left, top, columns, rows } = MODEL.preparation;
  const scale = Math.max(cover.width / w, cover.height / h), scaledW = w * scale, scaledH = h * scale;
  view.fillStyle = black;
  view.fillRect(0, 0, width, height);
  view.save();
  view.beginPath();
  view.rect(left, top, columns, rows);
  view.clip();
  view.imageSmoothingQuality = "high";
  view.drawImage(
    shrunk(source, w, h, scaledW, scaledH), left + (columns - scaledW) / 2, top + (rows - scaledH) / 2, scaledW, scaledH);
  view.restore();
  classify();
}

const canvas = (w, h) => Object.assign(document.createElement("canvas"), { width: w, height: h });

/* Halves a large picture until it is at most twice as large as wanted: browsers look at few pixels when they scale by more. */
function shrunk(source, w, h, targetW, targetH) {
  while (w > 2 * targetW && h > 2 * targetH) {
    const half = canvas(Math.ceil(w / 2), Math.ceil(h / 2));
    half.getContext("2d").drawImage(source, 0, 0, w = half.width, h = half.height);
    source = half;
  }
  return source;
}

/* A picture at most 280 pixels large, of which its pixels can be read. */
function small(source, w, h) {
  const scale = Math.min(1, 280 / Math.max(w, h)), copy = canvas(Math.max(1, Math.round(w * scale)), Math.max(1, Math.round(h * scale)));
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(shrunk(source, w, h, copy.width, copy.height), 0, 0, copy.width, copy.height);
  return copy;
}

/* Whether a picture's edge is light: dark things on paper, where grey networks are taught light things on black. */
function isOnPaper(source, w, h) {
  const copy = small(source, w, h), data = copy.getContext("2d").getImageData(0, 0, copy.width, copy.height).data;
  let sum = 0, count = 0;
  for (let k = 0; k < copy.width * copy.height; k++) {
    const row = Math.floor(k / copy.width), column = k % copy.width;
    if (row > 0 && row < copy.height - 1 && column > 0 && column < copy.width - 1) continue;
    sum += grey(data[4 * k], data[4 * k + 1], data[4 * k + 2]);
    count++;
  }
  return sum > 127 * count;
}

/* The negative of a picture; of a digit, the paper and its shades become black. */
function negative(source, w, h) {
  const copy = small(source, w, h), context = copy.getContext("2d");
  const image = context.getImageData(0, 0, copy.width, copy.height), data = image.data;
  const values = Uint8Array.from({ length: copy.width * copy.height }, (_, k) => 255 - grey(data[4 * k], data[4 * k + 1], data[4 * k + 2]));
  const sorted = values.slice().sort(), paper = sorted[sorted.length >> 1], most = sorted[sorted.length - 1];
  const low = MODEL.digits ? paper + 0.3 * (most - paper) : 0, high = MODEL.digits ? most : 255;
  values.forEach((v, k) => data.fill(255 * Math.max(0, v - low) / Math.max(1, high - low), 4 * k, 4 * k + 3));
  context.putImageData(image, 0, 0);
  return copy;
}

/* As MNIST's digits are: in a box of 20 of 28 pixels, their centre of mass in the middle. */
function prepareDigit(source) {
  if (!MODEL.digits) return prepare(source, source.width, source.height);
  const data = source.getContext("2d").getImageData(0, 0, source.width, source.height).data;
  let left = source.width, right = -1, top = source.height, bottom = -1, sum = 0, x = 0, y = 0;
  for (let k = 0; k < source.width * source.height; k++) {
    const v = data[4 * k], column = k % source.width, row = Math.floor(k / source.width);
    if (v === 0) continue;
    left = Math.min(left, column); right = Math.max(right, column);
    top = Math.min(top, row); bottom = Math.max(bottom, row);
    sum += v; x += v * column; y += v * row;
  }
  if (sum === 0) return forget();
  const side = Math.ceil((Math.max(right - left, bottom - top) + 1) * 28 / 20), middle = canvas(side, side);
  middle.getContext("2d").drawImage(source, side / 2 - x / sum, side / 2 - y / sum);
  prepare(middle, side, side);
}

const prepareShot = (source, w, h) => $("negative").checked ? prepareDigit(negative(source, w, h)) : prepare(source, w, h);

/* Draw: white on black, as digits are in MNIST. */
const pad = $("pad"), pen = pad.getContext("2d", { willReadFrequently: true });
const keys = { x: 140, y: 140, down: false };
let at = null;

function clear() {
  pen.fillStyle = black;
  pen.fillRect(0, 0, pad.width, pad.height);
  $("pad-text").hidden = false;
  at = null;
  lift();
  forget();
}

function stroke(to) {
  $("pad-text").hidden = true;
  pen.strokeStyle = ink;
  pen.lineWidth = 22;
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  pen.moveTo((at ?? to).x, (at ?? to).y);
  pen.lineTo(to.x, to.y + 0.01);
  pen.stroke();
  at = to;
}

function lift(down = false) {
  keys.down = down;
  $("pen").classList.toggle("down", down);
  $("pen").style.left = `${100 * keys.x / pad.width}%`;
  $("pen").style.top = `${100 * keys.y / pad.height}%`;
}

const place = event => {
  const box = pad.getBoundingClientRect();
  return { x: (event.clientX - box.left) * pad.width / box.width, y: (event.clientY - box.top) * pad.height / box.height };
};
pad.addEventListener("pointerdown", event => {
  if (event.button !== 0) return;
  pad.setPointerCapture(event.pointerId);
  at = null;
  stroke(place(event));
  prepareDigit(pad);
});
pad.addEventListener("pointermove", event => {
  if (!(event.buttons & 1)) return;
  for (const each of event.getCoalescedEvents?.() ?? []) stroke(place(each));
  stroke(place(event));
  prepareDigit(pad);
});
pad.addEventListener("keydown", event => {
  const step = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] }[event.key];
  if (step) {
    keys.x = Math.max(10, Math.min(pad.width - 10, keys.x + step[0]));
    keys.y = Math.max(10, Math.min(pad.height - 10, keys.y + step[1]));
    lift(keys.down);
  } else if (event.key === " ") {
    lift(!keys.down);
    at = null;
  } else if (event.key === "Delete" || event.key === "Backspace") clear();
  else return;
  event.preventDefault();
  if (keys.down) {
    stroke({ x: keys.x, y: keys.y });
    prepareDigit(pad);
  }
});
$("clear").addEventListener("click", clear);

/* A picture: chosen, dropped or pasted. */
let picture = null;

function decoded(file) {
  const image = new Image(), url = URL.createObjectURL(file);
  return new Promise((resolve, reject) => {
    image.onload = () => image.naturalWidth > 0 ? resolve(image) : reject();
    image.onerror = reject;
    image.src = url;
  }).finally(() => URL.revokeObjectURL(url));
}

async function open(file) {
  if (!file) return;
  select("picture");
  const context = $("picture").getContext("2d");
  context.clearRect(0, 0, 280, 280);
  try {
    picture = await decoded(file);
  } catch {
    picture = null;
    $("drop").classList.remove("filled");
    $("drop-text").textContent = "This file is no picture that the browser can read. Drop or choose another.";
    return forget();
  }
  const { naturalWidth: w, naturalHeight: h } = picture, scale = Math.max(280 / w, 280 / h);
  context.drawImage(picture, (280 - w * scale) / 2, (280 - h * scale) / 2, w * scale, h * scale);
  $("drop").classList.add("filled");
  $("negative").checked = channels === 1 && isOnPaper(picture, w, h);
  prepareShot(picture, w, h);
}
$("negative").addEventListener("change", () => {
  if (picture && !stream) prepareShot(picture, picture.naturalWidth, picture.naturalHeight);
});
$("file").addEventListener("change", event => open(event.target.files[0]));
document.addEventListener("paste", event => open([...event.clipboardData.files][0]));
document.addEventListener("dragover", event => { event.preventDefault(); $("drop").classList.add("over"); });
document.addEventListener("dragleave", () => $("drop").classList.remove("over"));
document.addEventListener("drop", event => {
  event.preventDefault();
  $("drop").classList.remove("over");
  open(event.dataTransfer.files[0]);
});

/* The camera, four times a second. */
let stream = null, timer = 0, requests = 0;

const release = media => media?.getTracks().forEach(track => track.stop());

function stop() {
  requests++;
  clearInterval(timer);
  release(stream);
  stream = null;
  $("video").srcObject = null;
  $("camera").textContent = "Start the camera";
}
$("camera").addEventListener("click", async () => {
  if (stream) return stop();
  /* Whoever is asked for the camera takes his time: by then it may be wanted no more, or have been asked for again. */
  const request = ++requests, video = $("video");
  try {
    const granted = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    if (request !== requests) return release(granted);
    video.srcObject = stream = granted;
    await video.play();
    if (request !== requests) return;
    $("camera").textContent = "Stop the camera";
    $("negative").checked = channels === 1 && isOnPaper(video, video.videoWidth, video.videoHeight);
    timer = setInterval(() => { if (video.videoWidth) prepareShot(video, video.videoWidth, video.videoHeight); }, 250);
  } catch {
    if (request !== requests) return;
    stop();
    $("camera-hint").textContent =
      "The browser gives this page no camera: there is none, it was refused, or the page is not served over https.";
  }
});

/* Tabs: arrow keys move between them. */
const names = ["draw", "picture", "camera"].filter(name =>
  name === "draw" ? channels === 1 : name === "camera" ? !!navigator.mediaDevices?.getUserMedia : true);

function select(name) {
  if (name !== "camera") stop();
  for (const each of ["draw", "picture", "camera"]) {
    $(`tab-${each}`).hidden = !names.includes(each);
    $(`tab-${each}`).setAttribute("aria-selected", each === name);
    $(`tab-${each}`).tabIndex = each === name ? 0 : -1;
    $(`panel-${each}`).hidden = each !== name;
  }
  $("negative-row").hidden = channels !== 1 || name === "draw";
}
names.forEach((name, i) => {
  $(`tab-${name}`).addEventListener("click", () => select(name));
  $(`tab-${name}`).addEventListener("keydown", event => {
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: names.length - 1 }[event.key];
    if (to === undefined) return;
    const next = names[(to + names.length) % names.length];
    select(next);
    $(`tab-${next}`).focus();
  });
});
clear();
select(names[0]);

if (location.hash === "#test") {
  /* index.html#test: the scores of an image of noise, for whoever compares them with another program's. */
  const pixels = new Uint8Array(channels * height * width);
  let state = 1;
  for (let i = 0; i < pixels.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    pixels[i] = state >>> 24;
  }
  view.putImageData(new ImageData(Uint8ClampedArray.from({ length: 4 * width * height }, (_, i) =>
    i % 4 === 3 ? 255 : pixels[Math.floor(i / 4) * channels + i % 4 % channels]), width, height), 0, 0);
  const scores = run(pixels);
  $("test").textContent = JSON.stringify({ scores, same: scores.every((score, i) => score === MODEL.testScores[i]) });
} else {
  /* Browsers compile what has run often: the first answer should not wait for it. */
  setTimeout(() => { for (let i = 0; i < 3; i++) network.run(new Uint8Array(channels * height * width)); }, 100);
}
