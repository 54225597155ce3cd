/** The newest lines that fit into a number of bytes; at least the last one. */
export function newestLines(lines: readonly string[], mostBytes: number): readonly string[] {
  let bytes = 0;
  const first = lines.findLastIndex((line, index) => {
    bytes += Buffer.byteLength(line) + 1;
    return bytes > mostBytes && index < lines.length - 1;
  });
  return lines.slice(first + 1);
}
