// Fills the page, part after part.

byId("found").append(...report.summary.map((line) => element("li", {}, line)));
byId("caveats").hidden = !report.caveats.length;
byId("caveat-list").append(...report.caveats.map((line) => element("li", {}, line)));
fillSpeeds();
fillTypes();
fillMap();
fillMerges();
fillSongs();
fillMeasures();
fillGraph();
fillReach();
fillRepeats();
fillUnusual();
fillSpeech();
fillGroups();
fillGenerated();
fillHidden();
fillIdentity();
for (const section of document.querySelectorAll("main > section:not([hidden])")) {
  const heading = section.querySelector("h2").textContent;
  byId("sections").append(element("a", { href: `#${section.id}` }, heading));
}
