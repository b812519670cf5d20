// The curves of an ask: first what was written down of it from minute to minute, then what the live page adds.
"use strict";
const curves = (() => {
  const HEIGHT = 220;
  const room = document.getElementById("curves");
  const boxes = room ? [...room.querySelectorAll("[data-of]")] : [];
  const points = []; // {at, rates, left, delivered}, earliest first; at in milliseconds, the others by channel
  const plots = []; // of each box: the channels that it shows, and what draws them
  let channels = [];

  const colour = (place) => `hsl(${(place * 137 + 350) % 360} 65% 50%)`;

  // As everywhere on our pages: UTC. `step` is how far apart the moments on the axis are, in seconds.
  function moment(second, step) {
    const text = new Date(second * 1000).toISOString();
    return step >= 21600 ? text.slice(5, 16).replace("T", " ") : text.slice(11, step < 60 ? 19 : 16);
  }

  function make(box, names) {
    const ink = getComputedStyle(document.body).color;
    const axis = { stroke: ink, grid: { stroke: "#8883" }, ticks: { stroke: "#8883" } };
    const moments = (_, seconds, __, ___, step) => seconds.map((second) => moment(second, step));
    const told = (_, second) => second == null ? "–" : `${moment(second, 1)} UTC`;
    box.replaceChildren();
    return new uPlot({
      width: box.clientWidth, height: HEIGHT, axes: [{ ...axis, space: 80, values: moments }, { ...axis, size: 60 }],
      scales: { y: { range: (_, __, most) => [0, Math.max(1, most)] } },
      series: [{ label: "By", value: told }, ...names.map((label) => (
        { label, stroke: colour(channels.indexOf(label)), width: 2, points: { show: false } }
      ))],
    }, [[], ...names.map(() => [])], box);
  }

  function draw() {
    channels = [...new Set(points.flatMap((point) => Object.keys(point.left)))].filter(Boolean).sort();
    if (!channels.length) return;
    room.hidden = false;
    const at = points.map((point) => point.at / 1000);
    boxes.forEach((box, place) => {
      const of = box.dataset.of;
      // Some channels never say that something arrived: no line, rather than one at nothing.
      const names = channels.filter((name) => points.some((point) => point[of][name]));
      const shown = plots[place];
      if (!shown || shown.names.join() !== names.join()) plots[place] = { names, plot: make(box, names) };
      plots[place].plot.setData([at, ...names.map((name) => points.map((point) => point[of][name] ?? 0))]);
    });
  }

  function add(more) {
    const last = points.length ? points[points.length - 1].at : -Infinity;
    points.push(...more.filter((point) => point.at > last));
    draw();
  }

  async function begin() {
    const answer = await fetch(room.dataset.past);
    if (!answer.ok) return;
    const past = await answer.json();
    const first = points.length ? points[0].at : Infinity;
    points.unshift(...past.filter((point) => point.at < first));
    draw();
  }

  // Where the line breaks off, the table below says the same.
  if (room) begin().catch((error) => console.warn(error));

  addEventListener("resize", () => {
    plots.forEach(({ plot }, place) => plot.setSize({ width: boxes[place].clientWidth, height: HEIGHT }));
  });

  return { add };
})();
