// Comfort alone: opens what a link leads into, and opens or closes everything.
(function () {
  "use strict";
  function reveal() {
    var found = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (found === null) { return; }
    for (var at = found; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") { at.open = true; }
    }
    found.scrollIntoView();
  }
  function all(open) {
    document.querySelectorAll("main details").forEach(function (one) { one.open = open; });
  }
  addEventListener("hashchange", reveal);
  var list = document.querySelector("nav ul");
  [["Open everything", true], ["Close everything", false]].forEach(function (kind) {
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = kind[0];
    button.addEventListener("click", function () { all(kind[1]); });
    var item = document.createElement("li");
    item.append(button);
    list.append(item);
  });
  reveal();
})();
