// A field onto which a file is dropped, or that is clicked to choose one; the file's bytes go to Python.
function render({ model, el }) {
  const zone = document.createElement("label");
  zone.className = "kit-drop";
  zone.tabIndex = 0;
  zone.style.cssText = "display:block;padding:1.6em 1em;border:2px dashed #8c959f;border-radius:8px;" +
    "text-align:center;cursor:pointer;font:15px/1.5 system-ui,sans-serif;color:#1f2328;background:#f6f8fa";
  const words = document.createElement("span");
  words.textContent = model.get("words");
  const input = document.createElement("input");
  input.type = "file";
  input.accept = model.get("accept");
  input.style.cssText = "position:absolute;opacity:0;width:1px;height:1px";
  zone.append(words, input);
  el.append(zone);

  const mark = (on) => { zone.style.background = on ? "#ddf4ff" : "#f6f8fa"; };
  async function take(file) {
    if (!file) return;
    model.set("name", file.name);
    model.set("size", file.size);
    const small = file.size <= model.get("limit");  // larger files are not sent
    model.set("content", new DataView(small ? await file.arrayBuffer() : new ArrayBuffer(0)));
    model.set("turn", model.get("turn") + 1);
    model.save_changes();
    input.value = "";
  }
  zone.addEventListener("dragover", (event) => { event.preventDefault(); mark(true); });
  zone.addEventListener("dragleave", () => mark(false));
  zone.addEventListener("drop", (event) => { event.preventDefault(); mark(false); take(event.dataTransfer.files[0]); });
  zone.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") input.click(); });
  input.addEventListener("change", () => take(input.files[0]));
}
export default { render };
