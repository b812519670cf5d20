// An ask that goes out: the seconds until it leaves, new points for its curves, and what is read aloud.
// Figures come by hx-sse.
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
  if (!live) return;

  let spoken = Date.now();

  live.addEventListener("points", (event) => {
    curves.add(JSON.parse(event.detail.data));
    if (Date.now() - spoken < SPOKEN_EVERY) return;
    spoken = Date.now();
    const told = [...live.querySelectorAll(".card")].slice(0, 2).map((card) => card.innerText.replace(/\s+/g, " ").trim());
    document.getElementById("told").textContent = `${told.join(", ")}.`;
  });

  live.addEventListener("over", () => location.reload());
})();
