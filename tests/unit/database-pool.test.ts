import { describe, expect, it } from "vitest";
import { networksOf, PATHS } from "../../components/core/paths.ts";
import { pgBouncerConfiguration, pgBouncerUsers } from "../../components/pool/docker.ts";
import { slotHost } from "../../contract/envoy/names.ts";
import { SLOTS } from "../../contract/slots.ts";

describe("the pool of the local database", () => {
  const lines = pgBouncerConfiguration({ database: { host: "postgres", port: 5432 }, poolSize: 7 }).split("\n");

  it("shares its connections between transactions, and takes those of both slots", () => {
    expect(lines).toContain("postgres = host=postgres port=5432");
    expect(lines).toContain("pool_mode = transaction");
    expect(lines).toContain("default_pool_size = 7");
    const clients = Number(/= (\d+)/.exec(lines.find((line) => line.startsWith("max_client_conn")) ?? "")?.[1]);
    expect(clients).toBeGreaterThanOrEqual(2 * 7);
  });

  it("takes no administrator and no other user", () => {
    expect(lines.filter((line) => /^(admin|stats)_users/.test(line))).toEqual([]);
    expect(pgBouncerUsers('a"b')).toBe('"exai_server" "a""b"\n');
  });

  it("is the only way from a slot to the database", () => {
    for (const { members } of networksOf(PATHS))
      for (const slot of SLOTS) if (members.includes(slotHost(slot))) expect(members).not.toContain("postgres");
    expect(networksOf(PATHS)).toContainEqual({
      name: "pgbouncer-postgres",
      members: ["pgbouncer", "postgres"],
      internal: true,
    });
  });
});
