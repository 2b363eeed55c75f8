"use strict";
// Light or dark: the system's choice until the button is used. A file opened from disk may have no storage.
(function () {
  const root = document.documentElement;
  const remembered = {
    get() { try { return localStorage.getItem("headroom-theme"); } catch { return null; } },
    set(value) { try { localStorage.setItem("headroom-theme", value); } catch { /* this page only */ } },
  };
  const asked = new URLSearchParams(location.search).get("theme") || remembered.get();
  if (asked === "light" || asked === "dark") root.dataset.theme = asked;
  const button = document.getElementById("theme");
  if (button) button.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remembered.set(root.dataset.theme);
  });
})();
