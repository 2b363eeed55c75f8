// What the page shows of everything that follows the controls, for a test to compare. Without the colours of a theme.
(() => {
  const heat = (what) => {
    const figure = document.getElementById(`fig-heat-${what}`);
    const boxes = [...figure.querySelectorAll('svg [data-mark$="-box"] path')];
    const framed = [...figure.querySelectorAll("svg g > rect")].map((rect) => {
      const [x, y] = [Number(rect.getAttribute("x")) + 1, Number(rect.getAttribute("y")) + 1];
      return boxes.findIndex((box) => { const at = box.getBBox(); return at.x < x && x < at.x + at.width && at.y < y && y < at.y + at.height; });
    });
    return {
      texts: boxes.map((_, at) => figure.querySelector(`[data-mark="${at}-text"] text`).textContent),
      fills: boxes.map((box) => box.style.fill),
      values: [...figure.querySelectorAll("table tbody tr")].map((row) => row.cells[3].dataset.v ?? null),
      framed,
      own: [...figure.querySelectorAll("[data-mark=best]")].filter((mark) => mark.style.display !== "none").length,
    };
  };
  const entry = (cell) => {
    const small = cell.querySelector("small");
    const line = small ? small.textContent : "";
    return [cell.textContent.slice(0, cell.textContent.length - line.length), line, cell.dataset.v ?? null, cell.classList.contains("good")];
  };
  const rows = [...document.querySelectorAll("#table-cells tbody tr")];
  return {
    moved: document.documentElement.classList.contains("moved"),
    goodput: heat("goodput_per_s"),
    attainment: heat("attainment"),
    cells: Object.fromEntries(rows.map((row) => [row.querySelector("a").hash, [entry(row.cells[2]), entry(row.cells[3])]])),
    lines: Object.fromEntries([...document.querySelectorAll("#each details.cell")].map((at) => [`#${at.id}`, at.querySelector("summary span").textContent])),
    answer: document.getElementById("judge-answer").textContent,
    best: document.querySelector("#judge-answer b")?.textContent ?? "",
    under: [...document.querySelectorAll("#judge-under tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent)),
    command: document.getElementById("judge-command").textContent,
    said: [...document.querySelectorAll(".when-moved .judged-by")].map((at) => at.textContent),
  };
})()
