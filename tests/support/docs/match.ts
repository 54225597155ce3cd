/** Characters of a line in a sample. */
const WIDTH = 116;

/** What differs between two runs, and what stands for it. The order matters: an identifier holds a time. */
const NOISE: readonly (readonly [pattern: RegExp, word: string])[] = [
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z?/g, "<instant>"],
  [/\d{8}T\d{6}Z-[0-9a-f]{6}/g, "<rollout>"],
  [/\d{8}-\d{6}F(?:_\d{8}-\d{6}[DI])?/g, "<backup>"],
  [/sha256:[0-9a-f]{12,64}/g, "<digest>"],
  [/\b\d+(?:\.\d+)? (?:ms|s|min|h|d)\b(?: \d+ s\b)?/g, "<time>"],
  [/\b\d+(?:\.\d+)? (?:B|KiB|MiB|GiB)\b/g, "<size>"],
  [/\bprocess \d+/g, "process <pid>"],
  [/\bp [≤=] [\d.e-]+/g, "p <p>"],
  [/\b\d+ of \d+\b/g, "<count>"],
  [/\b\d+ (probes|samples)\b/g, "<count> $1"],
  // The weights of slots and steps are the same in each run, other shares are measured.
  [/(?<!\b(?:shift|blue|green|has)\s+)(?<![\d.])\d+(?:\.\d+)? %/g, "<share>"],
  [/(?<![\w.:/-])\d+\.\d+(?![\w.:/-])/g, "<figure>"],
];

/** A line without what differs between two runs, and without the widths of its columns. */
export function normalised(line: string): string {
  if (/^[-\s]*---[-\s]*$/.test(line)) return "---";
  const words = NOISE.reduce((text, [pattern, word]) => text.replaceAll(pattern, word), line)
    .trim()
    .replaceAll(/\s{2,}/g, "  ");
  // The row of a slot: its load is that of the moment.
  return /^(?:blue|green)  /.test(words) ? words.replaceAll(/(?<=  )(?:-|\?|\d+|<\w+>)(?=  |$)/g, "<cell>") : words;
}

const isOmission = (line: string): boolean => line.trim() === "…";

/** The line, cut to the width of a sample where a reader sees what it is about. */
export function cut(line: string): string {
  if (line.length <= WIDTH) return line.trimEnd();
  for (let end = WIDTH - 1; end > WIDTH / 2; end -= 1) {
    const short = `${line.slice(0, end).trimEnd()}…`;
    if (sameLine(short, line)) return short;
  }
  return `${line.slice(0, WIDTH - 1)}…`;
}

function sameLine(sample: string, line: string): boolean {
  if (sample.endsWith("…") && normalised(line).startsWith(normalised(sample.slice(0, -1)))) return true;
  return normalised(sample) === normalised(line);
}

/**
 * Where the lines of a sample are in an output: for each of its lines the index, undefined for an omission. Undefined if the
 * sample does not fit.
 */
export function match(
  sample: readonly string[],
  output: readonly string[],
  from = { line: 0, place: 0 },
): readonly (number | undefined)[] | undefined {
  const { line, place } = from;
  const wanted = sample[line];
  if (wanted === undefined) return place === output.length ? [] : undefined;
  if (isOmission(wanted)) {
    for (let next = place; next <= output.length; next += 1) {
      const rest = match(sample, output, { line: line + 1, place: next });
      if (rest !== undefined) return [undefined, ...rest];
    }
    return undefined;
  }
  const found = output[place];
  if (found === undefined || !sameLine(wanted, found)) return undefined;
  const rest = match(sample, output, { line: line + 1, place: place + 1 });
  return rest === undefined ? undefined : [place, ...rest];
}
