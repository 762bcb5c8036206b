// Before the first paint: the colours and the language somebody chose here.
{
  const theme = localStorage.getItem("wxbot-theme");
  if (theme) document.documentElement.dataset.theme = theme;
  const language = localStorage.getItem("wxbot-language");
  if (language === "en") document.documentElement.lang = "en";
}
