"use strict";

const network = AdderNet.load(MODEL);
const [channels, height, width] = MODEL.input.shape;
const $ = id => document.getElementById(id);
const black = "#000", ink = "#fff";

/* What the network sees: a canvas of the input's size. */
const seen = $("seen"), view = seen.getContext("2d", { willReadFrequently: true });
seen.width = width;
seen.height = height;
view.imageSmoothingQuality = "high";

$("title").textContent = MODEL.title;
document.title = MODEL.title;
$("subtitle").textContent = `${MODEL.classes.length} classes${MODEL.dataset ? ` of ${MODEL.dataset}` : ""}, `
  + `${channels === 1 ? "grey" : "colour"} images of ${width} × ${height}, additions in place of multiplications`;

const number = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

function classify() {
  const rgba = view.getImageData(0, 0, width, height).data, pixels = new Uint8Array(width * height * channels);
  for (let k = 0; k < width * height; k++) {
    const [r, g, b] = rgba.subarray(4 * k, 4 * k + 3);
    if (channels === 1) pixels[k] = Math.floor((299 * r + 587 * g + 114 * b + 500) / 1000);
    else for (let c = 0; c < channels; c++) pixels[k * channels + c] = [r, g, b][c % 3];
  }
  const start = performance.now();
  const result = network.run(pixels);
  show(result, performance.now() - start);
}

function show({ scores, counts }, milliseconds) {
  const values = scores.map(score => score * MODEL.output.grid.step), largest = Math.max(...values);
  const shares = values.map(value => Math.exp(value - largest)), sum = shares.reduce((a, b) => a + b);
  const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a]).slice(0, 5);
  $("best").textContent = MODEL.classes[order[0]];
  $("classes").replaceChildren(...order.map(i => {
    const row = document.createElement("li"), name = document.createElement("span"), share = document.createElement("span"), score = document.createElement("small");
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
  $("done").textContent = number.format(counts.done);
  $("skipped").textContent = `${number.format(counts.all - counts.done)} (${Math.round(100 * (counts.all - counts.done) / Math.max(1, counts.all))} %)`;
  $("multiplications").textContent = number.format(counts.multiplications);
}

/* Draws a picture as the training images were prepared: scaled, its middle cut out, padded with black. */
function prepare(source, w, h) {
  const { resize, pad } = MODEL.preparation, innerW = width - 2 * pad, innerH = height - 2 * pad;
  const scale = resize ? resize / Math.min(w, h) : Math.max(innerW / w, innerH / h);
  view.fillStyle = black;
  view.fillRect(0, 0, width, height);
  view.save();
  view.beginPath();
  view.rect(pad, pad, innerW, innerH);
  view.clip();
  view.imageSmoothingQuality = "high";
  view.drawImage(shrunk(source, w, h, w * scale, h * scale), (width - w * scale) / 2, (height - h * scale) / 2, w * scale, h * scale);
  view.restore();
  classify();
}

/* Halves a large picture until it is at most twice as large as wanted: browsers look at few pixels when they scale by more. */
function shrunk(source, w, h, targetW, targetH) {
  while (w > 2 * targetW && h > 2 * targetH) {
    const half = document.createElement("canvas");
    half.width = w = Math.ceil(w / 2);
    half.height = h = Math.ceil(h / 2);
    half.getContext("2d").drawImage(source, 0, 0, w, h);
    source = half;
  }
  return source;
}

/* Draw: white on black, as digits are in MNIST. */
const pad = $("pad"), pen = pad.getContext("2d", { willReadFrequently: true });
let at = null, keys = { x: 140, y: 140, down: false };

function clear() {
  pen.fillStyle = black;
  pen.fillRect(0, 0, pad.width, pad.height);
  view.fillStyle = black;
  view.fillRect(0, 0, width, height);
  $("best").textContent = "–";
  $("classes").replaceChildren();
  ["time", "done", "skipped", "multiplications"].forEach(id => { $(id).textContent = "–"; });
  at = null;
}

function stroke(to) {
  pen.strokeStyle = ink;
  pen.lineWidth = 22;
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  pen.moveTo((at ?? to).x, (at ?? to).y);
  pen.lineTo(to.x, to.y + 0.01);
  pen.stroke();
  at = to;
}

/* As MNIST's digits are: in a box of 20 of 28 pixels, their centre of mass in the middle. */
function prepareDrawing() {
  if (!MODEL.digits) return prepare(pad, pad.width, pad.height);
  const data = pen.getImageData(0, 0, pad.width, pad.height).data;
  let left = pad.width, right = -1, top = pad.height, bottom = -1, sum = 0, x = 0, y = 0;
  for (let k = 0; k < pad.width * pad.height; k++) {
    const v = data[4 * k], column = k % pad.width, row = Math.floor(k / pad.width);
    if (v === 0) continue;
    left = Math.min(left, column); right = Math.max(right, column);
    top = Math.min(top, row); bottom = Math.max(bottom, row);
    sum += v; x += v * column; y += v * row;
  }
  if (sum === 0) return;
  const box = Math.max(right - left, bottom - top) + 1, middle = document.createElement("canvas");
  const side = middle.width = middle.height = Math.ceil(box * 28 / 20);
  middle.getContext("2d").drawImage(pad, side / 2 - x / sum, side / 2 - y / sum);
  prepare(middle, side, side);
}

const place = event => {
  const box = pad.getBoundingClientRect();
  return { x: (event.clientX - box.left) * pad.width / box.width, y: (event.clientY - box.top) * pad.height / box.height };
};
pad.addEventListener("pointerdown", event => { pad.setPointerCapture(event.pointerId); at = null; stroke(place(event)); prepareDrawing(); });
pad.addEventListener("pointermove", event => { if (event.buttons & 1) { stroke(place(event)); prepareDrawing(); } });
pad.addEventListener("keydown", event => {
  const step = { ArrowLeft: [-10, 0], ArrowRight: [10, 0], ArrowUp: [0, -10], ArrowDown: [0, 10] }[event.key];
  if (step) {
    keys.x = Math.max(10, Math.min(pad.width - 10, keys.x + step[0]));
    keys.y = Math.max(10, Math.min(pad.height - 10, keys.y + step[1]));
  } else if (event.key === " ") {
    keys.down = !keys.down;
    at = null;
  } else if (event.key === "Delete" || event.key === "Backspace") {
    keys.down = false;
    clear();
  } else return;
  event.preventDefault();
  if (keys.down) { stroke({ x: keys.x, y: keys.y }); prepareDrawing(); }
});
$("clear").addEventListener("click", clear);

/* A picture: chosen, dropped or pasted. */
async function open(file) {
  if (!file) return;
  try {
    const picture = await createImageBitmap(file), canvas = $("picture"), scale = Math.max(280 / picture.width, 280 / picture.height);
    const context = canvas.getContext("2d");
    select("picture");
    context.clearRect(0, 0, 280, 280);
    context.drawImage(picture, (280 - picture.width * scale) / 2, (280 - picture.height * scale) / 2, picture.width * scale, picture.height * scale);
    $("drop").classList.add("filled");
    prepare(picture, picture.width, picture.height);
  } catch {
    $("drop").classList.remove("filled");
    $("picture").getContext("2d").clearRect(0, 0, 280, 280);
    $("drop-text").textContent = "This file is no picture that the browser can read. Drop or choose another.";
  }
}
$("file").addEventListener("change", event => open(event.target.files[0]));
document.addEventListener("paste", event => open([...event.clipboardData.files][0]));
document.addEventListener("dragover", event => { event.preventDefault(); $("drop").classList.add("over"); });
document.addEventListener("dragleave", () => $("drop").classList.remove("over"));
document.addEventListener("drop", event => { event.preventDefault(); $("drop").classList.remove("over"); open(event.dataTransfer.files[0]); });

/* The camera, four times a second. Browsers lend it to served pages only. */
let stream = null, timer = 0;

function stop() {
  clearInterval(timer);
  stream?.getTracks().forEach(track => track.stop());
  stream = null;
  $("video").srcObject = null;
  $("camera").textContent = "Start the camera";
}
$("camera").addEventListener("click", async () => {
  if (stream) return stop();
  try {
    const video = $("video");
    video.srcObject = stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    await video.play();
    $("camera").textContent = "Stop the camera";
    timer = setInterval(() => { if (video.videoWidth) prepare(video, video.videoWidth, video.videoHeight); }, 250);
  } catch {
    stop();
    $("camera-hint").textContent = "The browser gives this page no camera: there is none, it was refused, or the page is not served over https.";
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

/* index.html#test: the scores of an image of noise, for whoever compares them with another program's. */
if (location.hash === "#test") {
  const pixels = new Uint8Array(channels * height * width);
  let state = 1;
  for (let i = 0; i < pixels.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    pixels[i] = state >>> 24;
  }
  const start = performance.now(), result = network.run(pixels);
  $("test").textContent = JSON.stringify({ scores: result.scores, same: result.scores.every((score, i) => score === MODEL.testScores[i]) });
  view.putImageData(new ImageData(Uint8ClampedArray.from({ length: 4 * width * height }, (_, i) =>
    i % 4 === 3 ? 255 : pixels[Math.floor(i / 4) * channels + i % 4 % channels]), width, height), 0, 0);
  show(result, performance.now() - start);
}
