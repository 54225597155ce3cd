import { describe, expect, it } from "vitest";
import { failureOf, isDown, isPooler } from "../../../images/reference-server/src/database/failure.ts";

const fatal = (code: string, message: string) => Object.assign(new Error(message), { code, severity: "FATAL" });

describe("a connection that fails", () => {
  it.each([
    // PgBouncer
    ["08P01", "query_wait_timeout", "pool-full"],
    ["08P01", "no more connections allowed (max_client_conn)", "pool-full"],
    ["08P01", "server login has been failing, try again later (server_login_retry)", "down"],
    ["08P01", "server conn crashed?", "down"],
    // Supavisor
    ["XX000", "Unable to check out process from the pool due to timeout", "pool-full"],
    ["XX000", "(EMAXCONN) max client connections reached, limit: 200", "pool-full"],
    ["XX000", "Max client connections reached", "pool-full"],
    ["XX000", "DbHandler exited", "down"],
  ])("by the pooler: %s %s is %s", (code, message, failure) => {
    const error = fatal(code, message);
    expect(isPooler(error)).toBe(true);
    expect(failureOf(error)).toBe(failure);
    expect(isDown(error)).toBe(true);
  });

  it.each([
    ["57P01", "terminating connection due to administrator command", "down"],
    ["53300", "sorry, too many clients already", "down"],
    ["28P01", 'password authentication failed for user "exai_server"', "wrong-login"],
  ])("by PostgreSQL: %s %s is %s", (code, message, failure) => {
    const error = fatal(code, message);
    expect(isPooler(error)).toBe(false);
    expect(failureOf(error)).toBe(failure);
  });

  it("by an answer that does not come is a full pool", () => {
    const error = new Error("Query read timeout");
    expect([isPooler(error), failureOf(error), isDown(error)]).toEqual([true, "pool-full", true]);
  });

  it("by the network is down", () => {
    for (const code of ["ECONNREFUSED", "ENOTFOUND", "ETIMEDOUT"]) {
      const error = Object.assign(new Error("connect"), { code });
      expect([failureOf(error), isDown(error)]).toEqual(["down", true]);
    }
  });
});

describe("a statement that fails", () => {
  it("says nothing about the connection", () => {
    for (const code of ["23503", "XX000"])
      expect(isDown(Object.assign(new Error("max client connections"), { code, severity: "ERROR" }))).toBe(false);
  });
});
