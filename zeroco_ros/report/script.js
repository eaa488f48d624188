// Values under the pointer, one line of bags at a time, dark or light, pictures at full size.
// The page is complete without it.
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");

  // dark or light: as the system has it, until the button is pressed
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const theme = document.getElementById("theme");
  let chosen = null;
  const paint = () => {
    root.dataset.theme = (chosen === null ? dark.matches : chosen) ? "dark" : "light";
    theme.textContent = root.dataset.theme === "dark" ? "Light colors" : "Dark colors";
  };
  dark.addEventListener("change", paint);
  theme.addEventListener("click", () => {
    chosen = root.dataset.theme !== "dark";
    paint();
  });
  paint();

  // charts
  const SVG = "http://www.w3.org/2000/svg";
  const WIDTH = 1000, HEIGHT = 240;
  let only = -1; // the one group of lines that is shown; -1: all

  const part = (value, [low, high, log]) => {
    const p = log ? Math.log(Math.max(value, low) / low) / Math.log(high / low)
      : (value - low) / (high - low);
    return Math.min(Math.max(p, 0), 1);
  };
  const value = (p, [low, high, log]) => log ? low * (high / low) ** p : low + p * (high - low);
  const nearest = (xs, x) => {
    let low = 0, high = xs.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (xs[middle] < x) low = middle; else high = middle;
    }
    return Math.abs(xs[low] - x) <= Math.abs(xs[high] - x) ? low : high;
  };
  const stamp = (start, offset) => {
    const whole = BigInt(start) + BigInt(Math.round(offset));
    const text = String(whole).padStart(10, "0");
    return text.slice(0, -9) + "." + text.slice(-9);
  };
  const write = (node, ...parts) => {
    node.replaceChildren();
    parts.forEach((text, index) => {
      if (index) node.append(document.createElement("br"));
      node.append(text);
    });
  };

  const charts = [];
  class Chart {
    constructor(plot, block) {
      this.plot = plot;
      this.values = JSON.parse(block.textContent);
      this.svg = plot.querySelector(".drawing");
      this.marks = document.createElementNS(SVG, "path");
      this.marks.setAttribute("class", "cross");
      this.tip = document.createElement("div");
      this.tip.className = "tip hidden";
      this.tip.setAttribute("role", "status");
      plot.append(this.tip);
      plot.tabIndex = 0;
      plot.setAttribute("role", "group");
      const told = this.svg.getAttribute("aria-label");
      plot.setAttribute("aria-label", `${told} Left and right arrow keys read the values.`);
      this.at = null;
      this.svg.addEventListener("pointermove", (event) => this.hover(event));
      this.svg.addEventListener("pointerdown", (event) => this.hover(event));
      this.svg.addEventListener("pointerleave", () => clear());
      plot.addEventListener("blur", () => clear());
      plot.addEventListener("keydown", (event) => this.key(event));
    }
    lines() {
      return this.values.lines.filter((l) => l.x.length && (only < 0 || l.group === only));
    }
    hover(event) {
      const box = this.svg.getBoundingClientRect();
      const p = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
      this.show(value(p, this.values.x));
    }
    key(event) {
      if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
      const line = this.lines()[0];
      if (!line) return;
      event.preventDefault();
      const step = event.key === "ArrowRight" ? 1 : -1;
      const index = this.at === null ? 0 : nearest(line.x, this.at) + step;
      this.show(line.x[Math.min(Math.max(index, 0), line.x.length - 1)]);
    }
    show(x) {
      clear();
      this.draw(x, true);
      if (!this.values.time) return;
      for (const other of charts) if (other !== this && other.values.time) other.draw(x, false);
    }
    draw(x, told) {
      const lines = this.lines();
      if (!lines.length) return;
      this.at = x;
      const found = lines.map((line) => ({ line, index: nearest(line.x, x) }));
      found.sort((a, b) => Math.abs(a.line.x[a.index] - x) - Math.abs(b.line.x[b.index] - x));
      const first = found[0];
      const place = WIDTH * part(first.line.x[first.index], this.values.x);
      this.marks.setAttribute("d", `M${place} 0V${HEIGHT}`);
      this.svg.append(this.marks);
      if (told) this.tell(found.slice(0, 8), place / WIDTH);
    }
    tell(found, p) {
      const rows = found.map(({ line, index }) => {
        const row = document.createElement("span");
        if (line.texts) {
          row.textContent = line.texts[index];
          return row;
        }
        const swatch = document.createElement("span");
        swatch.className = `swatch s${line.slot}`;
        const number = document.createElement("b");
        number.textContent = `${line.y[index]} ${this.values.unit}`.trim();
        row.append(swatch, number, this.values.lines.length > 1 ? ` ${line.name}` : "");
        return row;
      });
      const { line, index } = found[0];
      if (line.start !== undefined) {
        const time = document.createElement("span");
        time.className = "quiet";
        time.textContent =
          `${(line.x[index] / 1e9).toFixed(3)} s · stamp ${stamp(line.start, line.x[index])}`;
        rows.push(time);
      }
      write(this.tip, ...rows);
      this.tip.classList.remove("hidden");
      const left = this.svg.getBoundingClientRect().left - this.plot.getBoundingClientRect().left;
      const room = this.plot.clientWidth - this.tip.offsetWidth;
      const wanted = left + p * this.svg.clientWidth;
      const side = wanted + 12 > room ? wanted - this.tip.offsetWidth - 12 : wanted + 12;
      this.tip.style.left = `${Math.min(Math.max(side, 0), Math.max(room, 0))}px`;
      this.tip.style.top = "0px";
    }
    clear() {
      this.marks.remove();
      this.tip.classList.add("hidden");
    }
  }
  const clear = () => charts.forEach((chart) => chart.clear());

  for (const block of document.querySelectorAll('.plot > script[type="application/json"]')) {
    charts.push(new Chart(block.parentElement, block));
  }

  // one bag of several
  const picks = [...document.querySelectorAll("[data-pick]")];
  for (const button of picks) {
    button.addEventListener("click", () => {
      only = Number(button.dataset.pick);
      root.classList.toggle("picked", only >= 0);
      for (const one of picks) one.setAttribute("aria-pressed", String(one === button));
      for (const node of document.querySelectorAll("[data-group]")) {
        node.classList.toggle("hidden", only >= 0 && Number(node.dataset.group) !== only);
      }
      clear();
    });
  }

  // pictures at full size
  const dialog = document.querySelector("dialog");
  if (dialog) {
    const picture = dialog.querySelector("img");
    for (const button of document.querySelectorAll("button.open")) {
      button.addEventListener("click", () => {
        const small = button.querySelector("img");
        picture.src = small.src;
        picture.alt = small.alt;
        dialog.showModal();
      });
    }
    dialog.addEventListener("click", () => dialog.close());
  }

  // everything is on paper
  window.addEventListener("beforeprint", () => {
    for (const node of document.querySelectorAll("details")) node.open = true;
  });
})();
