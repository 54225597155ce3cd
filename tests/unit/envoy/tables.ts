import fc from "fast-check";
import { SLOTS } from "../../../contract/slots.ts";
import type { RouteTable } from "../../../contract/envoy/routes.ts";

/** Every table that a rollout may write: no slot is called emptied whose sessions are not sent away. */
export const tables: fc.Arbitrary<RouteTable> = fc
  .record({
    generation: fc.nat(),
    token: fc.nat(),
    weights: fc.integer({ min: 0, max: 100 }).map((blue) => ({ blue, green: 100 - blue })),
    evicted: fc.subarray([...SLOTS]),
  })
  .chain((table) => fc.subarray(table.evicted).map((emptied): RouteTable => ({ ...table, emptied })));
