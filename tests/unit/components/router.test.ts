import { expect, it } from "vitest";
import { envoyContainer } from "../../../components/routing/docker.ts";

it.each([
  [undefined, 1, "1"],
  [2, 2, "2"],
  [1.5, 1.5, "2"],
  [0.5, 0.5, "1"],
])("the router with %s as its CPUs has a limit of %d and %s worker threads", (given, limit, threads) => {
  const { cpus, command = [] } = envoyContainer({
    platform: { instance: "exai", stack: "test", networks: () => ["exai"] },
    ...{ webSocketPort: 8081, accessKeys: "{}", routesDirectory: "/routes" },
    ports: { http: 1, webSocket: 2, observe: 3 },
    ...(given === undefined ? {} : { cpus: given }),
  });
  expect(cpus).toBe(limit);
  expect(command[command.indexOf("--concurrency") + 1]).toBe(threads);
});
