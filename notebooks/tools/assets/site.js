// What scrolls sideways can be reached with the keyboard, and has a name for those who do not see it.
const kinds = { pre: "Code or output", ".table-wrapper": "Table", ".math-wrapper": "Formula" };
function reachable() {
  for (const [selector, name] of Object.entries(kinds))
    for (const box of document.querySelectorAll(`article ${selector}`))
      if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) {
        box.tabIndex = 0;
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", `${name}, scrolls`);
      }
}
for (const event of ["load", "resize"]) addEventListener(event, reachable);
document.addEventListener("toggle", reachable, true); // a hint unfolds
document.fonts.ready.then(reachable); // formulas have their width
reachable();

// The controls of a picture swap it for the one drawn at their values. Where that was not drawn, those moved longest ago go back
// to where they started.
for (const box of document.querySelectorAll(".moves")) {
  const { start, positions } = JSON.parse(box.querySelector("script").textContent);
  const controls = [...box.querySelectorAll("input, select")];
  const image = box.querySelector("img"), words = box.querySelector("[role=status]");
  const named = control => control.labels[0].textContent;
  const texts = control => control.dataset.values ? JSON.parse(control.dataset.values) : [...control.options].map(o => o.text);
  const drawn = () => positions[controls.map(control => control.value).join("-")];
  let moved = []; // the controls, the last one first
  const show = () => {
    for (const control of controls.filter(control => control.type === "range")) {
      const text = texts(control)[control.value];
      control.setAttribute("aria-valuetext", text);
      control.nextElementSibling.textContent = text;
    }
  };
  const move = latest => {
    moved = [latest, ...moved.filter(control => control !== latest)];
    const back = [];
    for (const control of [...controls.filter(c => !moved.includes(c)), ...moved.slice(1).reverse()]) {
      const from = String(start[controls.indexOf(control)]);
      if (drawn()) break;
      if (control.value !== from) back.push(`${named(control)} is back at ${texts(control)[from]}`);
      control.value = from;
    }
    show();
    const [file, text] = drawn() ?? [image.getAttribute("src").split("/").pop(), "Nothing is recorded for these values."];
    image.src = `moves/${file}`;
    image.alt = text;
    words.textContent = [text, ...back].join("; ");
    box.querySelector(".back").textContent = back.join("; ");
  };
  for (const control of controls) control.addEventListener("input", () => move(control));
  show();
  box.querySelector(".controls").hidden = false;
}
