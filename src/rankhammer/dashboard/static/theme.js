// Runs before the page is drawn, so that it is not drawn in the wrong colours first.
(function () {
  "use strict";
  try {
    var kept = window.localStorage.getItem("rankhammer-theme");
    if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  } catch (error) { /* A file that is opened from a disk may have no storage: the system's theme is used. */ }
})();
