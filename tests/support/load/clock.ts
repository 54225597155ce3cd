/** Milliseconds since 1970 with fractions, comparable between the threads of a process. */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}
