/** Numbers from 0 to 1 of a fixed generator (Park and Miller's): a test must give the same answer every time. */
export function generator(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}
