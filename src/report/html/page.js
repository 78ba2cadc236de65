
"use strict";
// What is nice to have: the values of all charts at a moment, and tables that can be sorted. The page is complete
// without it.
(() => {
  const pointAt = () => {
    const element = document.getElementById("data");
    if (!element) return;
    const charts = JSON.parse(element.textContent);
    // A line whose moments are those of the one before it does not repeat them.
    let times = [];
    for (const line of charts.flat()) times = line.t = line.t || times;

    const drawings = [...document.querySelectorAll("#charts svg[data-x]")].map((svg) => {
      // Moments and their places in turn: straight between two of them.
      const numbers = svg.dataset.x.split(" ").map(Number);
      const moments = numbers.filter((_, n) => n % 2 === 0);
      const places = numbers.filter((_, n) => n % 2 === 1);
      const hair = document.createElementNS("http://www.w3.org/2000/svg", "path");
      hair.setAttribute("class", "hair");
      hair.setAttribute("stroke", "#1b1f24");
      hair.setAttribute("visibility", "hidden");
      svg.append(hair);
      const box = svg.viewBox.baseVal;
      return { svg, moments, places, hair, width: box.width, height: box.height };
    });
    if (!drawings.length) return;
    const [from] = drawings[0].moments;
    const to = drawings[0].moments.at(-1);
    // Where a value lies among `from`, there in `to`.
    const between = (value, from, to) => {
      let n = 1;
      while (n < from.length - 1 && value > from[n]) n += 1;
      const part = (value - from[n - 1]) / (from[n] - from[n - 1]);
      return to[n - 1] + (to[n] - to[n - 1]) * Math.min(1, Math.max(0, part));
    };

    const row = document.getElementById("cursor");
    const label = document.createElement("label");
    label.textContent = "Moment";
    label.htmlFor = "moment";
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", id: "moment", min: Math.ceil(from), max: Math.floor(to), step: 1 });
    slider.value = Math.ceil(from);
    const shown = document.createElement("output");
    shown.textContent = "–";
    row.append(label, slider, shown);
    row.hidden = false;

    const clock = (seconds) => {
      const whole = Math.abs(Math.round(seconds));
      const text = Math.floor(whole / 60) + "m" + String(whole % 60).padStart(2, "0") + "s";
      return seconds < -0.5 ? "−" + text : text;
    };
    const digits = (value) => String(Number(value.toPrecision(3)));
    const units = {
      "ms": (v) => v < 1000 ? digits(v) + " ms" : digits(v / 1000) + " s",
      "fraction": (v) => digits(v * 100) + " %",
      "bytes": (v) => v < 1e6 ? digits(v / 1e3) + " kB" : digits(v / 1e6) + " MB",
      "cores": (v) => digits(v) + " cores",
    };
    const outputs = [...document.querySelectorAll("output[data-line]")].map((output) => {
      const [chart, line] = output.dataset.line.split("-").map(Number);
      return { output, line: charts[chart][line] };
    });
    // The last value at or before the moment.
    const valueAt = ({ t, v }, moment) => {
      let low = 0;
      let high = t.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (t[middle] <= moment) low = middle + 1; else high = middle;
      }
      return low ? v[low - 1] : null;
    };

    const show = (moment) => {
      slider.value = Math.round(moment);
      shown.textContent = clock(moment);
      slider.setAttribute("aria-valuetext", clock(moment));
      for (const it of drawings) {
        const x = between(moment, it.moments, it.places);
        it.hair.setAttribute("d", "M" + x.toFixed(1) + " 20V" + (it.height - 20));
        it.hair.setAttribute("visibility", "visible");
      }
      for (const { output, line } of outputs) {
        const value = valueAt(line, moment);
        output.textContent = value === null || value === undefined ? "–" : (units[line.u] || digits)(value);
      }
    };
    slider.addEventListener("input", () => show(Number(slider.value)));
    for (const it of drawings) {
      const follow = (event) => {
        const box = it.svg.getBoundingClientRect();
        const x = (event.clientX - box.left) * it.width / box.width;
        show(Math.round(between(x, it.places, it.moments)));
      };
      it.svg.addEventListener("pointermove", follow);
      it.svg.addEventListener("pointerdown", follow);
    }
  };

  const sort = (table) => {
    const body = table.tBodies[0];
    const heads = [...table.tHead.rows[0].cells];
    for (const head of heads.filter((it) => "sort" in it.dataset)) {
      const column = heads.indexOf(head);
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const isNumber = head.classList.contains("n");
        const before = head.getAttribute("aria-sort");
        const down = before ? before === "ascending" : isNumber;
        const key = (row) => isNumber ? Number(row.cells[column].dataset.v) : row.cells[column].textContent;
        const order = (a, b) => isNumber ? key(a) - key(b) : key(a).localeCompare(key(b), "en", { numeric: true });
        const rows = [...body.rows].sort((a, b) => down ? order(b, a) : order(a, b));
        body.append(...rows);
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
      });
    }
  };

  pointAt();
  document.querySelectorAll("table[data-sortable]").forEach(sort);
})();
