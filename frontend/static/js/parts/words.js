// How a text was read: its words, shaded by relevance.
import { el } from "../dom.js";

/**
 * The words of a text, and a note where some were not understood or not read.
 * @param {{text: string, known: boolean, relevance: number}[]} words
 * @param {number} [cut] words beyond the text tower's context
 * @returns {HTMLElement[]}
 */
export function readWords(words, cut = 0) {
  const line = el("p", { class: "words" }, words.map(wordSpan));
  return [line, ...notes(words, cut).map((text) => el("p", { class: "reading__note" }, text))];
}

function wordSpan({ text, known, relevance }) {
  const about = known ? `relevance ${relevance.toFixed(2)}` : "the text tower never learnt this word";
  const name = known ? "word" : "word word--unknown";
  return el("span", { class: name, style: `--relevance:${relevance.toFixed(3)}`, title: about }, text, !known && el("span", { class: "visually-hidden" }, " (unknown word)"));
}

function notes(words, cut) {
  const unknown = [...new Set(words.filter((word) => !word.known).map((word) => `“${word.text}”`))];
  const found = [];
  if (unknown.length) {
    found.push(`The text tower never learnt ${unknown.join(", ")} (dotted). It still reads ${unknown.length > 1 ? "them" : "it"}, but what it makes of ${unknown.length > 1 ? "them" : "it"} means little.`);
  }
  if (cut) found.push(`The last ${cut} word${cut === 1 ? " was" : "s were"} not read: the text is longer than the tower’s context.`);
  return found;
}
