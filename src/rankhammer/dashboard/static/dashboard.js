// Draws the plots with uPlot, and lets people choose light or dark. Values stand in the page, as data-plot.
(function () {
  "use strict";
  var DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 5], [1, 4], [12, 4], [4, 2, 1, 2]];
  var SHAPES = ["\u25cf", "\u25a0", "\u25b2", "\u25c6"];
  var LINES = ["\u2501\u2501", "\u2501 \u2501", "\u00b7\u00b7\u00b7\u00b7", "\u2501\u00b7\u2501", "- -", "\u00b7 \u00b7", "\u2501  \u2501", "-\u00b7-"];
  var STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 100000, 1000000];
  var HEIGHT = 320;
  var drawn = [];

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function shape(context, kind, x, y, size) {
    context.beginPath();
    if (kind % 4 === 0) context.arc(x, y, size, 0, 2 * Math.PI);
    else if (kind % 4 === 1) context.rect(x - size, y - size, 2 * size, 2 * size);
    else if (kind % 4 === 2) { context.moveTo(x, y - size * 1.3); context.lineTo(x + size * 1.2, y + size); context.lineTo(x - size * 1.2, y + size); context.closePath(); }
    else { context.moveTo(x, y - size * 1.4); context.lineTo(x + size * 1.4, y); context.lineTo(x, y + size * 1.4); context.lineTo(x - size * 1.4, y); context.closePath(); }
    context.fill();
  }

  // Intervals, and points of a shape of their own for each series.
  function marks(plot, u) {
    var context = u.ctx, ratio = window.devicePixelRatio || 1;
    context.save();
    context.beginPath();
    context.rect(u.bbox.left - 6 * ratio, u.bbox.top - 6 * ratio, u.bbox.width + 12 * ratio, u.bbox.height + 12 * ratio);
    context.clip();
    context.setLineDash([]);
    var n = plot.series.length;
    plot.series.forEach(function (one, k) {
      if (!u.series[k + 1].show) return;
      context.strokeStyle = context.fillStyle = colour("--c" + (k % 8));
      context.lineWidth = 1.5 * ratio;
      plot.at.forEach(function (at, place) {
        if (one.y[place] === null) return;
        // Intervals at one place stand beside each other.
        var x = u.valToPos(at, "x", true) + (one.low ? (k - (n - 1) / 2) * 7 * ratio : 0), y = u.valToPos(one.y[place], "y", true);
        if (one.low && one.low[place] !== null && one.low[place] !== undefined) {
          var low = u.valToPos(one.low[place], "y", true), high = u.valToPos(one.high[place], "y", true), end = 4 * ratio;
          context.beginPath();
          context.moveTo(x, low); context.lineTo(x, high);
          context.moveTo(x - end, low); context.lineTo(x + end, low);
          context.moveTo(x - end, high); context.lineTo(x + end, high);
          context.stroke();
        }
        if (one.mode !== "line" || plot.at.length === 1) shape(context, k, x, y, 4 * ratio);
      });
    });
    context.restore();
  }

  function range(plot) {
    var values = [];
    plot.series.forEach(function (one) {
      ["y", "low", "high"].forEach(function (part) {
        (one[part] || []).forEach(function (value) { if (value !== null && value !== undefined) values.push(value); });
      });
    });
    var low = Math.min.apply(null, values), high = Math.max.apply(null, values);
    var spare = (high - low) * 0.08 || Math.abs(high) * 0.08 || 0.1;
    return [low - spare, high + spare];
  }

  function spanOfX(plot) {
    var low = plot.at[0], high = plot.at[plot.at.length - 1];
    if (plot.log) return [low / 1.25, high * 1.25];
    var spare = (high - low) * 0.04 || (plot.time ? 43200 : 0.5);
    return [low - spare, high + spare];
  }

  // ISO 8601, in UTC: to the day where a plot spans some, else to the minute.
  function moment(span, at) {
    var text = new Date(at * 1000).toISOString();
    return span > 3 * 86400 ? text.slice(0, 10) : text.slice(5, 16).replace("T", " ");
  }

  function axis(label, size) {
    return { label: label, stroke: colour("--text"), grid: { stroke: colour("--grid"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 },
      size: size, labelSize: 26, font: "13px system-ui, sans-serif", labelFont: "13px system-ui, sans-serif" };
  }

  function options(plot, width) {
    var across = axis(plot.x, 44), up = axis(plot.y, 58);
    across.space = plot.time ? 96 : 48;
    if (plot.time) across.values = function (u, splits) { return splits.map(moment.bind(null, plot.at[plot.at.length - 1] - plot.at[0])); };
    if (!plot.time && !plot.log && plot.at.every(Number.isInteger)) across.incrs = STEPS;
    if (plot.log) {
      across.splits = function () { return plot.at.filter(function (at, place) { return place === 0 || Math.log(at / plot.at[place - 1]) > 0.28 * 800 / width; }); };
      across.values = function (u, splits) { return splits.map(String); };
      across.filter = function (u, splits) { return splits; };
    }
    var series = plot.series.map(function (one, k) {
      // Named by its shape or dash, too: not everybody tells the colours apart.
      var sign = one.mode === "line" ? LINES[k % 8] : SHAPES[k % 4];
      return { label: sign + " " + one.name, stroke: colour("--c" + (k % 8)), width: one.mode === "points" ? 0 : 2, dash: DASHES[k % 8], spanGaps: true,
        points: { show: false }, paths: one.mode === "points" ? function () { return null; } : undefined,
        value: function (u, value) { return value === null || value === undefined ? "-" : String(Math.round(value * 10000) / 10000); } };
    });
    return { width: width, height: HEIGHT, series: [{ label: plot.time ? "UTC" : "at", value: function (u, value) {
        return value === null || value === undefined ? "-" : plot.time ? moment(0, value) : String(value); } }].concat(series), axes: [across, up],
      scales: { x: { time: plot.time, distr: plot.log ? 3 : 1, range: function () { return spanOfX(plot); } }, y: { range: function () { return range(plot); } } },
      tzDate: function (at) { return window.uPlot.tzDate(new Date(at * 1000), "Etc/UTC"); },
      cursor: { points: { size: 10 } }, hooks: { draw: [marks.bind(null, plot)], init: [idle], setCursor: [idle] } };
  }

  // Values stand in the legend where somebody points at the plot, and nowhere else.
  function idle(made) {
    made.root.classList.toggle("idle", made.cursor.idx === null || made.cursor.idx === undefined);
  }

  function draw(figure) {
    var plot = JSON.parse(figure.getAttribute("data-plot")), target = figure.querySelector(".drawn");
    target.textContent = "";
    var data = [plot.at].concat(plot.series.map(function (one) { return one.y; }));
    var made = new window.uPlot(options(plot, target.clientWidth), data, target);
    drawn.push({ made: made, target: target });
    figure.setAttribute("data-drawn", "yes");
  }

  function drawAll() {
    drawn.splice(0).forEach(function (one) { one.made.destroy(); });
    document.querySelectorAll("figure[data-plot]").forEach(draw);
  }

  function isDark() {
    var chosen = document.documentElement.dataset.theme;
    return chosen ? chosen === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function nameButton(button) {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", "Show the pages " + (isDark() ? "light" : "dark"));
  }

  function choose(button) {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    try { window.localStorage.setItem("rankhammer-theme", document.documentElement.dataset.theme); } catch (error) { /* Nothing is kept. */ }
    nameButton(button);
    drawAll();
  }

  function start() {
    var button = document.getElementById("theme"), wait = null;
    button.hidden = false;
    nameButton(button);
    button.addEventListener("click", function () { choose(button); });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { nameButton(button); drawAll(); });
    window.addEventListener("resize", function () {
      clearTimeout(wait);
      wait = setTimeout(function () { drawn.forEach(function (one) { one.made.setSize({ width: one.target.clientWidth, height: HEIGHT }); }); }, 100);
    });
    drawAll();
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
