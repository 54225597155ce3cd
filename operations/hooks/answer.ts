/** Characters of an answer that are kept. */
const LONGEST = 300;

/**
 * What is kept of an answer: its first words in one line, or its last ones. It goes into the journal and to terminals, so
 * it has no control characters.
 */
export function kept(text: string, part: "start" | "end"): { readonly answer?: string } {
  const line = text.replaceAll(/[\s\p{C}]+/gu, " ").trim();
  if (line === "") return {};
  if (line.length <= LONGEST) return { answer: line };
  return { answer: part === "start" ? `${line.slice(0, LONGEST - 1)}…` : `…${line.slice(1 - LONGEST)}` };
}
