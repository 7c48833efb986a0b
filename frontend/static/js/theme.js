// Runs before the first paint, so it is a classic script: puts the chosen theme on the page, and changes it.
// "auto" leaves color-scheme to the system; everything else follows from light-dark() in tokens.css.
(() => {
  const key = "sparc-theme";
  const themes = ["auto", "light", "dark"];
  const schemes = { auto: "light dark", light: "light", dark: "dark" };

  const stored = () => {
    try {
      return localStorage.getItem(key);
    } catch {
      return null; // storage may be forbidden; the theme then lasts as long as the page
    }
  };

  const show = (theme) => {
    document.documentElement.dataset.theme = theme;
    document.documentElement.style.colorScheme = schemes[theme];
  };

  const next = () => {
    const now = document.documentElement.dataset.theme;
    const theme = themes[(themes.indexOf(now) + 1) % themes.length];
    show(theme);
    try {
      localStorage.setItem(key, theme);
    } catch {
      // see stored()
    }
    document.dispatchEvent(new CustomEvent("themechange"));
    return theme;
  };

  show(themes.includes(stored()) ? stored() : "auto");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new CustomEvent("themechange")));
  window.sparcTheme = { next };
})();
