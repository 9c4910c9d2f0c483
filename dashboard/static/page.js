// What the page does by itself: theme, menu, times, focus. It runs before anything is painted, so that the theme does not flash.
// Everything else is in Python.
(() => {
  "use strict";
  const THEMES = ["auto", "light", "dark"];
  const root = document.documentElement;

  const cookie = (name) => document.cookie.split("; ").find((one) => one.startsWith(`${name}=`))?.split("=")[1];

  function apply(theme) {
    root.dataset.theme = theme;
    if (window.Quasar) Quasar.Dark.set(theme === "auto" ? "auto" : theme === "dark");
  }

  function ago(since) {
    const seconds = (Date.now() - since) / 1000;
    if (seconds < 5) return "just now";
    const [unit, length] = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]].find((one) => seconds >= one[1]);
    return `${Math.floor(seconds / length)} ${unit} ago`;
  }

  function refreshTimes() {
    for (const one of document.querySelectorAll("time[data-ago]")) {
      const text = ago(Date.parse(one.dateTime));
      if (one.textContent !== text) one.textContent = text;
    }
  }

  let visited = 0;
  let lastInMain = null;
  window.page = {
    theme() {
      const next = THEMES[(THEMES.indexOf(root.dataset.theme || "auto") + 1) % THEMES.length];
      document.cookie = `pretext_theme=${next}; path=/; max-age=31536000; samesite=lax`;
      apply(next);
      page.say(`Theme: ${next === "auto" ? "as the system" : next}`);
    },
    menu() {
      const open = document.body.classList.toggle("menu-open");
      document.querySelector(".menu-button").setAttribute("aria-expanded", String(open));
    },
    // For screen readers; and for eyes as a short note at the bottom.
    say(text) {
      const said = document.getElementById("said");
      if (!said) return;
      said.textContent = "";
      requestAnimationFrame(() => (said.textContent = text));
    },
    // The focus to where it was before a window came in front of the page; to the heading, if that is gone.
    back() {
      setTimeout(() => {
        if (document.activeElement !== document.body) return;
        const there = lastInMain?.isConnected && lastInMain.offsetParent;
        (there ? lastInMain : document.querySelector("main h1"))?.focus({ preventScroll: true });
      }, 100);
    },
    // To the clipboard, which browsers give only to pages that come over https, or from this machine; elsewhere by the old way.
    async copy(button) {
      const shown = button.closest(".code").querySelector("pre");
      const selection = getSelection();
      let done = false;
      try {
        await navigator.clipboard.writeText(shown.textContent);
        done = true;
      } catch {
        selection.selectAllChildren(shown);
        done = document.execCommand("copy");
      }
      if (done) {
        selection.removeAllRanges();
        button.classList.add("copied");
        setTimeout(() => button.classList.remove("copied"), 2000);
      }
      page.say(done ? "Copied" : "It is selected; copy it with the keyboard.");
    },
    // The first field that holds no good value: unfold what hides it, and put the focus there.
    toMistake() {
      setTimeout(() => {
        const bad = document.querySelector('[aria-invalid="true"]');
        bad?.closest("details")?.setAttribute("open", "");
        bad?.focus();
      }, 150);
    },
    // What stands at the pointer in a map of samples: the picture, its number and its class.
    pointed(point, base) {
      const box = document.createElement("div"), index = point.value[2];
      box.className = "pointed";
      if (base) {
        const image = document.createElement("img");
        image.src = `${base}${index}?size=192`;
        image.alt = "";
        box.append(image);
      }
      const words = document.createElement("span");
      words.textContent = point.name ? `${point.name} · ${index}` : `Sample ${index}`;
      box.append(words);
      return box;
    },
    // A page has appeared: its title, and the focus to its heading, as a page load would do.
    opened(title) {
      document.title = `${title} · Pretext Server`;
      if (!visited++) return;
      document.body.classList.remove("menu-open");
      document.querySelector(".menu-button")?.setAttribute("aria-expanded", "false");
      requestAnimationFrame(() => document.querySelector("main h1")?.focus({ preventScroll: true }));
    },
  };

  apply(cookie("pretext_theme") || "auto");
  setInterval(refreshTimes, 5000);
  document.addEventListener("DOMContentLoaded", () => {
    const popup = document.getElementById("popup");
    popup?.setAttribute("role", "alert");
  });
  document.addEventListener("focusin", (event) => {
    if (event.target.closest("main")) lastInMain = event.target;
  });
  // Small pictures are shown as they are, pixel by pixel.
  document.addEventListener("load", (event) => {
    const image = event.target;
    if (image.tagName === "IMG" && image.closest(".alike, .pointed") && Math.max(image.naturalWidth, image.naturalHeight) < 64) image.dataset.small = "";
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.body.classList.contains("menu-open")) {
      page.menu();
      document.querySelector(".menu-button").focus();
    }
  });
  window.addEventListener("load", () => apply(root.dataset.theme));
})();
