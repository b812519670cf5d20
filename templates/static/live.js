// An ask that goes out: the curves, the seconds until it leaves, and what is read aloud. Figures come by hx-sse.
"use strict";
(() => {
  const SPOKEN_EVERY = 20000;

  for (const time of document.querySelectorAll("time[data-until]")) {
    const words = time.textContent;
    const count = () => {
      const seconds = Math.ceil((Number(time.dataset.until) - Date.now()) / 1000);
      time.textContent = seconds > 0 && seconds < 3600 ? `${words}, in ${seconds} s` : words;
    };
    count();
    setInterval(count, 1000);
  }

  const live = document.getElementById("live");
  const curves = document.getElementById("curves");
  if (!live || !curves) return;

  const points = [];
  let plots = null, channels = [], spoken = Date.now();

  const colour = (place) => `hsl(${(place * 137 + 350) % 360} 65% 50%)`;

  function make(id, names) {
    const box = document.getElementById(id);
    box.replaceChildren();
    const ink = getComputedStyle(document.body).color;
    const axis = { stroke: ink, grid: { stroke: "#8884" }, ticks: { stroke: "#8884" } };
    return new uPlot({
      width: box.clientWidth, height: 220, axes: [axis, { ...axis, size: 60 }], scales: { y: { range: (_, __, most) => [0, Math.max(1, most)] } },
      series: [{}, ...names.map((label, place) => ({ label, stroke: colour(place), width: 2 }))],
    }, [[], ...names.map(() => [])], box);
  }

  function draw() {
    const names = [...new Set(points.flatMap((point) => Object.keys(point.delivered)))].filter(Boolean).sort();
    if (!names.length) return;
    curves.hidden = false;
    if (!plots || names.join() !== channels.join()) {
      channels = names;
      plots = ["rates", "delivered"].map((id) => [id, make(id, names)]);
    }
    const at = points.map((point) => point.at / 1000);
    for (const [id, plot] of plots) plot.setData([at, ...names.map((name) => points.map((point) => point[id][name] ?? 0))]);
  }

  live.addEventListener("points", (event) => {
    for (const point of JSON.parse(event.detail.data)) {
      if (!points.length || point.at > points[points.length - 1].at) points.push(point);
    }
    draw();
    if (Date.now() - spoken < SPOKEN_EVERY) return;
    spoken = Date.now();
    const told = [...live.querySelectorAll(".card")].slice(0, 2).map((card) => card.innerText.replace(/\s+/g, " ").trim());
    document.getElementById("told").textContent = `${told.join(", ")}.`;
  });

  live.addEventListener("over", () => location.reload());

  addEventListener("resize", () => {
    for (const [id, plot] of plots ?? []) plot.setSize({ width: document.getElementById(id).clientWidth, height: 220 });
  });
})();
