// The controls of "What if?": each place of the grid is looked up, nothing is computed (reports/what_if.py).
(() => {
  const section = document.getElementById("what-if");
  if (!section) return;
  const grid = JSON.parse(section.dataset.grid);
  const place = { ...grid.start };
  const control = (name) => document.getElementById(`what-if-${name}`);
  const rates = () => grid.kinds[place.kind].rates;
  const rows = [...control("table").tBodies[0].rows];

  const words = {
    kind: () => grid.kinds[place.kind].name,
    rate: () => rates()[place.rate].words,
    slots: () => grid.slots[place.slots].words,
    queue: () => grid.queues[place.queue].words,
  };
  const show = () => {
    control("rate").max = rates().length - 1;
    for (const name of Object.keys(place)) {
      const node = control(name);
      if (!node) continue;
      node.value = place[name];
      if (node.type !== "range") continue;
      node.setAttribute("aria-valuetext", words[name]());
      const seen = name === "rate" && rates()[place.rate].measured;
      control(`${name}-text`).textContent = words[name]() + (seen ? " · measured" : "");
    }
    const values = rates()[place.rate].points[place.slots][place.queue];
    values.forEach((value, at) => {
      const [, predicted, interval, measured] = rows[at].cells;
      const verdict = value.meets === null ? "" : value.meets ? " meets" : " misses";
      predicted.textContent = value.text + verdict;
      predicted.className = value.meets === null ? "n" : value.meets ? "n good" : "n bad";
      if (value.value === null) delete predicted.dataset.v;
      else predicted.dataset.v = value.value;
      interval.textContent = value.interval || "–";
      measured.textContent = value.measured || "–";
    });
    const at = `${words.kind()}, ${words.rate()}, MAX_ACTIVE ${words.slots()}, ${words.queue()}`;
    control("said").textContent = `Predicted for ${at}: ${values[0].text} served in SLO.`;
    const { load, workload } = { load: rates()[place.rate].load, workload: grid.kinds[place.kind].workload };
    const setting = `${grid.slots[place.slots].flags} ${grid.queues[place.queue].flags}`;
    control("command").textContent = `${grid.command} --load ${load} --workload ${workload} ${setting}`;
  };
  for (const name of Object.keys(place)) {
    const node = control(name);
    if (!node) continue;
    node.addEventListener("input", () => {
      place[name] = Number(node.value);
      // Another kind of load has other rates.
      place.rate = Math.min(place.rate, rates().length - 1);
      show();
    });
  }
  show();
})();
