(function () {
  var button = document.getElementById("copy"), token = document.getElementById("token");
  if (!button || !token) return;
  var label = button.textContent, timer;
  button.hidden = false;
  function say(done) {
    button.textContent = done ? button.dataset.done : button.dataset.failed;
    button.dataset.said = "1";
    clearTimeout(timer);
    timer = setTimeout(function () { button.textContent = label; delete button.dataset.said; }, 2000);
  }
  // Without https there is no navigator.clipboard; then the text is selected and copied with execCommand.
  function copySelected() {
    var range = document.createRange(), selection = window.getSelection();
    range.selectNodeContents(token);
    selection.removeAllRanges();
    selection.addRange(range);
    var done = false;
    try { done = document.execCommand("copy"); } catch (error) { done = false; }
    if (done) selection.removeAllRanges();
    say(done);
  }
  button.addEventListener("click", function () {
    if (navigator.clipboard && window.isSecureContext) {
      navigator.clipboard.writeText(token.textContent).then(function () { say(true); }, copySelected);
    } else {
      copySelected();
    }
  });
})();
