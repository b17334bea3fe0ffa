// A picture that reports where it was clicked, as shares of its height and width. Arrow keys also move the place.
const STEP = 1 / 64;
const TALLEST = 85; // hundredths of the window's height
const ARROWS = { ArrowUp: [-STEP, 0], ArrowDown: [STEP, 0], ArrowLeft: [0, -STEP], ArrowRight: [0, STEP] };
const inside = (share) => Math.min(Math.max(share, 0), 1);

function render({ model, el }) {
  const image = document.createElement("img");
  image.className = model.get("kind");
  image.tabIndex = 0;
  image.draggable = false;
  image.style.cssText = "display: block; width: 100%; cursor: crosshair;";
  let url = null;

  const draw = () => {
    const old = url;
    url = URL.createObjectURL(new Blob([model.get("png")], { type: "image/png" }));
    image.onload = () => {
      // Full width, but at most TALLEST % of the window's height, so that a portrait photograph is visible as a whole.
      image.style.width = `min(100%, ${(TALLEST * image.naturalWidth) / image.naturalHeight}vh)`;
      if (old) URL.revokeObjectURL(old); // revoked earlier, the picture would flicker
    };
    image.src = url;
    image.alt = model.get("alt");
  };
  const put = (row, column) => {
    model.set("pixel", [inside(row), inside(column)]);
    model.save_changes();
  };
  image.addEventListener("click", (event) => {
    const box = image.getBoundingClientRect();
    put((event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width);
    image.focus({ preventScroll: true });
  });
  image.addEventListener("keydown", (event) => {
    const move = ARROWS[event.key];
    if (!move) return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab would go to another cell
    const [row, column] = model.get("pixel");
    put(row + move[0], column + move[1]);
  });

  model.on("change:png", draw);
  draw();
  el.appendChild(image);
  return () => {
    model.off("change:png", draw);
    URL.revokeObjectURL(url);
  };
}

export default { render };
