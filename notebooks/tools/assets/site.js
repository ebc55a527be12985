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
