// Runs before the first paint: applies the saved theme and language.
{
  const theme = localStorage.getItem("wxbot-theme");
  if (theme) document.documentElement.dataset.theme = theme;
  const language = localStorage.getItem("wxbot-language");
  if (language) document.documentElement.lang = language === "en" ? "en" : "zh-CN";
}
