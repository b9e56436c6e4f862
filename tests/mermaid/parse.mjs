// What the real Mermaid makes of a source. Each line on stdin is a JSON list of Mermaid sources; the line
// written for it is a list of the same length:
// {"nodes": [[id, shown text, classes]], "edges": [[start, end, label, stroke]], "elements": [tag]}
// or {"error": text}. `elements` are the HTML elements that labels would bring into a page.

import { createInterface } from "node:readline";
import { JSDOM } from "jsdom";

const { window } = new JSDOM("<!doctype html><body></body>", { pretendToBeVisual: true });
for (const name of ["window", "document", "DOMParser", "Element", "HTMLElement", "Node", "SVGElement"]) {
  globalThis[name] = name === "window" ? window : window[name];
}

// Mermaid and its sanitiser look for a page while they are imported, so this must come after.
const { default: mermaid } = await import("mermaid");
mermaid.initialize({ startOnLoad: false, securityLevel: "strict", logLevel: "fatal" });

// What Mermaid does to a label just before it is drawn (decodeEntities in its utils.ts).
const decoded = (text) => text.replace(/ﬂ°°/g, "&#").replace(/ﬂ°/g, "&").replace(/¶ß/g, ";");

function shown(text, elements) {
  const page = document.createElement("div");
  page.innerHTML = decoded(text);
  for (const element of page.querySelectorAll("*")) {
    elements.add(element.tagName.toLowerCase());
  }
  for (const lineBreak of page.querySelectorAll("br")) {
    lineBreak.replaceWith("\n");
  }
  return page.textContent;
}

async function parsed(source) {
  try {
    const diagram = await mermaid.mermaidAPI.getDiagramFromText(source);
    const elements = new Set();
    const nodes = [...diagram.db.getVertices().values()].map((vertex) => [
      vertex.id, shown(vertex.text, elements), vertex.classes,
    ]);
    const edges = diagram.db.getEdges().map((edge) => [
      edge.start, edge.end, shown(edge.text, elements), edge.stroke,
    ]);
    return { nodes, edges, elements: [...elements].sort() };
  } catch (error) {
    return { error: String(error) };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const answers = [];
  for (const source of JSON.parse(line)) {
    answers.push(await parsed(source));
  }
  process.stdout.write(`${JSON.stringify(answers)}\n`);
}
