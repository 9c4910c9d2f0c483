// Uploads what is dropped or chosen. A folder, or several files, become a tar that is made while it is sent: a Blob of headers and
// files, of which the browser reads only the slice that goes out next. Parts that fail are sent again from where the server is.
const PART = 8 << 20;
const PAUSES = [300, 1000, 2000, 4000, 8000, 15000, 15000, 30000, 30000];
const BLOCK = 512;
const encoder = new TextEncoder();

function octal(number, width) {
  const text = number.toString(8);
  if (text.length < width) return encoder.encode(text.padStart(width - 1, "0") + "\0");
  const bytes = new Uint8Array(width); // larger than octal digits can say: base 256, as GNU tar has it
  for (let at = width - 1, left = number; at > 0; at--, left = Math.floor(left / 256)) bytes[at] = left % 256;
  bytes[0] = 0x80;
  return bytes;
}

function header(name, size, modified, type) {
  const block = new Uint8Array(BLOCK);
  block.set(encoder.encode(name).slice(0, 100), 0);
  block.set(octal(0o644, 8), 100);
  block.set(octal(0, 8), 108);
  block.set(octal(0, 8), 116);
  block.set(octal(size, 12), 124);
  block.set(octal(Math.floor(modified / 1000), 12), 136);
  block.fill(32, 148, 156);
  block.set(encoder.encode(type), 156);
  block.set(encoder.encode("ustar\0" + "00"), 257);
  block.set(encoder.encode(block.reduce((sum, one) => sum + one, 0).toString(8).padStart(6, "0") + "\0 "), 148);
  return block;
}

const padding = (size) => new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);

function longName(name) {
  let length = name.length;
  const record = () => encoder.encode(`${length} path=${name}\n`);
  while (record().length !== length) length = record().length;
  return record();
}

function tar(files) {
  const parts = [];
  for (const { path, file } of files) {
    if (encoder.encode(path).length > 100) {
      const record = longName(path);
      parts.push(header("./PaxHeaders/long", record.length, 0, "x"), record, padding(record.length));
    }
    parts.push(header(path, file.size, file.lastModified, "0"), file, padding(file.size));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return new Blob(parts);
}

async function walk(entry, found) {
  if (entry.name.startsWith(".")) return;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ path: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const one of some) await walk(one, found);
  }
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const loose = [...transfer.files];
  const found = [];
  if (!entries.length) return loose.map((file) => ({ path: file.name, file }));
  for (const entry of entries) await walk(entry, found);
  return found;
}

function payload(files) {
  files = files.filter(({ path }) => !path.split("/").some((part) => part.startsWith(".")));
  if (!files.length) throw new Error("There is no file in it.");
  if (files.length === 1 && !files[0].path.includes("/")) {
    const { file } = files[0];
    if (!file.size) throw new Error(`${file.name} is empty.`);
    return { blob: file, filename: file.name, name: file.name };
  }
  files.sort((a, b) => (a.path < b.path ? -1 : 1));
  const tops = new Set(files.map(({ path }) => path.split("/")[0]));
  const folder = tops.size === 1 && files[0].path.includes("/") ? [...tops][0] : null;
  if (folder) files = files.map(({ path, file }) => ({ path: path.slice(folder.length + 1), file }));
  const name = folder || "images";
  return { blob: tar(files), filename: `${name}.tar`, name, files };
}

async function remembered(sent) {
  const told = (sent.files || [{ path: sent.filename, file: sent.blob }])
    .map(({ path, file }) => `${path} ${file.size} ${file.lastModified}`).join("\n");
  let mark = 0;
  for (let at = 0; at < told.length; at++) mark = (Math.imul(mark, 31) + told.charCodeAt(at)) | 0;
  return `pretext-upload ${sent.blob.size} ${mark >>> 0}`;
}

class Refused extends Error {}
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function call(method, path, body, signal) {
  const json = body !== undefined && !(body instanceof Blob);
  const answer = await fetch(path, {
    method, signal, body: json ? JSON.stringify(body) : body,
    headers: json ? { "Content-Type": "application/json" } : {},
  });
  if (answer.ok) return answer.json();
  const text = await answer.text();
  const passing = [408, 409, 423, 429, 460, 500, 502, 503, 504].includes(answer.status);
  throw new (passing ? Error : Refused)(text || `The server answered with status ${answer.status}.`);
}

async function send(sent, show, signal) {
  const mark = await remembered(sent);
  const size = sent.blob.size;
  let id = localStorage.getItem(mark), offset = 0, tries = 0;
  while (true) {
    try {
      if (id) {
        const there = await call("GET", `/uploads/${id}/offset`, undefined, signal);
        if (there.gone || there.length !== size) id = null;
        else offset = there.offset;
      }
      if (!id) {
        ({ id, offset } = await call("POST", "/uploads", { length: size, filename: sent.filename }, signal));
        localStorage.setItem(mark, id);
      }
      while (offset < size) {
        show(offset, size, "");
        const part = sent.blob.slice(offset, Math.min(size, offset + PART));
        ({ offset } = await call("PUT", `/uploads/${id}?offset=${offset}`, part, signal));
        tries = 0;
      }
      show(size, size, "");
      const made = await call("POST", `/uploads/${id}/dataset`, { name: sent.name }, signal);
      localStorage.removeItem(mark);
      return made.id;
    } catch (error) {
      if (error instanceof Refused || error.name === "AbortError" || error.name === "NotReadableError") throw error;
      if (tries >= PAUSES.length) throw error;
      show(offset, size, "The connection broke off; going on in a moment …");
      await wait(PAUSES[tries++]);
    }
  }
}

function sizeOf(bytes) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (bytes < 1000) return `${bytes < 99.5 && unit !== "B" ? bytes.toFixed(1) : Math.round(bytes)} ${unit}`;
    bytes /= 1000;
  }
  return `${bytes.toFixed(2)} TB`;
}

async function upload(zone, gathered) {
  const box = zone.querySelector(".drop-progress"), said = zone.querySelector(".drop-said"), bar = zone.querySelector(".bar");
  const stopping = new AbortController(), started = performance.now();
  let first = null;
  const show = (done, all, text) => {
    first ??= done;
    const share = Math.floor((100 * done) / all);
    bar.setAttribute("aria-valuenow", share);
    bar.style.setProperty("--share", `${share}%`);
    const speed = (done - first) / ((performance.now() - started) / 1000);
    const left = speed > 0 && done < all ? `, ${Math.ceil((all - done) / speed)} s left` : "";
    said.textContent = text || `${share}% · ${sizeOf(done)} of ${sizeOf(all)}${left}`;
  };
  const leaving = (event) => event.preventDefault();
  box.hidden = false;
  said.textContent = "Looking at the files …";
  zone.classList.add("busy");
  for (const input of zone.querySelectorAll("input")) input.disabled = true;
  zone.classList.remove("failed");
  zone.querySelector(".drop-stop").onclick = () => stopping.abort();
  window.addEventListener("beforeunload", leaving);
  // A page whose server was started again reloads itself when it finds it, and would lose the files: that has to wait.
  window.socket.io.reconnection(false);
  try {
    const id = await send(payload(await gathered), show, stopping.signal);
    window.removeEventListener("beforeunload", leaving);
    if (window.socket.connected) emitEvent("sub_pages_navigate", `/datasets/${id}`);
    else location.assign(`/datasets/${id}`);
  } catch (error) {
    zone.classList.add("failed");
    said.textContent = error.name === "AbortError"
      ? "Stopped. Drop the same again to go on from here."
      : error.name === "NotReadableError" ? "A file changed, or went away, while it was read. Drop it again." : error.message;
  } finally {
    zone.classList.remove("busy");
    for (const input of zone.querySelectorAll("input")) input.disabled = false;
    window.socket.io.reconnection(true);
    window.removeEventListener("beforeunload", leaving);
  }
}

export function attach() {
  for (const zone of document.querySelectorAll("[data-drop]:not([data-ready])")) {
    zone.dataset.ready = "";
    let depth = 0;
    const over = (by) => zone.classList.toggle("over", (depth = Math.max(0, depth + by)) > 0);
    zone.addEventListener("dragenter", (event) => { event.preventDefault(); over(1); });
    zone.addEventListener("dragover", (event) => event.preventDefault());
    zone.addEventListener("dragleave", () => over(-1));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      over(-depth);
      if (!zone.classList.contains("busy")) upload(zone, dropped(event.dataTransfer));
    });
    for (const input of zone.querySelectorAll("input[type=file]"))
      input.addEventListener("change", () => {
        const files = [...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
        input.value = "";
        if (files.length && !zone.classList.contains("busy")) upload(zone, files);
      });
  }
}
// What is dropped beside the field must not open in place of the page.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
