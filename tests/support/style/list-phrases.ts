import { findPhrasesIn } from "./phrases.ts";

/** `npm run phrases -- PATH...`: lists the phrases of tests/unit/style/phrases.yaml; exit code 1 where there is one. */
const places = process.argv.slice(2).filter((argument) => argument !== "--count");
const findings = findPhrasesIn(places.length > 0 ? places : ["."]);

if (process.argv.includes("--count")) {
  const counts = new Map<string, number>();
  for (const { path } of findings) {
    const area = path.split("/").slice(0, -1).slice(0, 3).join("/") || ".";
    counts.set(area, (counts.get(area) ?? 0) + 1);
  }
  for (const [area, count] of [...counts].sort((a, b) => b[1] - a[1]))
    console.log(`${String(count).padStart(5)}  ${area}`);
} else {
  for (const { path, line, words, write } of findings) console.log(`${path}:${line}  "${words}"  write: ${write}`);
}
console.log(`${findings.length} phrases`);
process.exitCode = findings.length === 0 ? 0 : 1;
