import { expect, it } from "vitest";
import { connectionUri, connectionUrl } from "../../components/database/connection.ts";

const AT = { host: "db.example.com", port: 5432, name: "postgres" };

it("a connection is encrypted at the least", () => {
  expect(connectionUri({ ...AT, verified: false })).toBe("db.example.com:5432/postgres?sslmode=require");
});

it("a connection is verified, host name and all, where there is a certificate to do it by", () => {
  expect(connectionUri({ ...AT, verified: true })).toBe(
    "db.example.com:5432/postgres?sslmode=verify-full&sslrootcert=/run/secrets/exai/database-ca.pem",
  );
});

it("a URL keeps every character of a password", () => {
  const url = new URL(connectionUrl({ ...AT, verified: true }, "postgres.ref", "a@b:c/d?e#f%g"));
  expect(decodeURIComponent(url.password)).toBe("a@b:c/d?e#f%g");
  expect([url.username, url.hostname, url.pathname]).toEqual(["postgres.ref", "db.example.com", "/postgres"]);
});
