import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { runProgram } from "../../../operations/docker/process.ts";

/** Ports of Supabase's pooler: of sessions, and of transactions. */
const PORTS = [5432, 6543];

/** Codes that stand in the place of a protocol's version in a connection's first message. */
const TLS_REQUEST = 80877103;
const GSS_REQUEST = 80877104;

/** A server in the place of Supabase's pooler, in front of a PostgreSQL. */
export interface Pooler {
  /** Address of this machine that pods of a cluster on it reach. */
  readonly host: string;
  /** Its certificate, which vouches for itself. */
  readonly certificate: string;
  close(): Promise<void>;
}

/**
 * Takes connections on the pooler's own ports, by TLS alone, from users that are named `role.project`, as Supabase's does, and passes
 * each on to the PostgreSQL on a port of this machine. It shares no connection.
 *
 * @param upstream port of a project's PostgreSQL, or of all
 * @throws Error if one of the ports is taken
 */
export async function startPooler(upstream: number | ((project: string) => number)): Promise<Pooler> {
  const host = address();
  const identity = await selfSigned(host);
  const sockets = new Set<Socket>();
  const serve = (client: Socket) => {
    sockets.add(client);
    client.on("error", () => client.destroy());
    client.on("close", () => sockets.delete(client));
    const portOf = typeof upstream === "number" ? () => upstream : upstream;
    void greet(client, identity, portOf).catch(() => client.destroy());
  };
  const servers = await Promise.all(PORTS.map((port) => listening(createServer(serve), host, port)));
  return {
    host,
    certificate: identity.cert.toString(),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

async function greet(
  client: Socket,
  identity: { key: Buffer; cert: Buffer },
  portOf: (project: string) => number,
): Promise<void> {
  let code = (await message(client)).readInt32BE(4);
  if (code === GSS_REQUEST) {
    client.write("N");
    code = (await message(client)).readInt32BE(4);
  }
  if (code !== TLS_REQUEST) throw new Error("the client does not ask for TLS");
  client.write("S");
  const secure = new TLSSocket(client, { isServer: true, ...identity });
  secure.on("error", () => secure.destroy());
  const hello = await message(secure);
  const [startup, project] = withoutProject(hello);
  const server = connect(portOf(project), "127.0.0.1");
  server.on("error", () => secure.destroy());
  secure.on("close", () => server.destroy());
  server.write(startup);
  server.pipe(secure).pipe(server);
}

/** The first message of a connection, whose length is its first four bytes. */
async function message(socket: Socket): Promise<Buffer> {
  let bytes = Buffer.alloc(0);
  while (bytes.length < 4 || bytes.length < bytes.readInt32BE(0)) {
    const chunk = await new Promise<Buffer>((resolve, reject) => {
      const settle = () => {
        socket.off("data", take).off("close", gone).pause();
      };
      const take = (data: Buffer) => {
        settle();
        resolve(data);
      };
      const gone = () => {
        settle();
        reject(new Error("the connection was closed"));
      };
      socket.on("data", take).on("close", gone).resume();
    });
    bytes = Buffer.concat([bytes, chunk]);
  }
  return bytes;
}

/** A startup message with the role in the place of `role.project`, and the project; a request to cancel unchanged. */
function withoutProject(hello: Buffer): readonly [message: Buffer, project: string] {
  const words = hello.subarray(8).toString("utf8").split("\0");
  const at = words.findIndex((word, index) => index % 2 === 0 && word === "user") + 1;
  if (at === 0) return [hello, ""];
  const [, role = "", project = ""] = /^(.*)\.([^.]*)$/.exec(words[at] ?? "") ?? [];
  words[at] = role;
  const rest = Buffer.from(words.join("\0"));
  const head = Buffer.from(hello.subarray(0, 8));
  head.writeInt32BE(8 + rest.length, 0);
  return [Buffer.concat([head, rest]), project];
}

function listening(server: Server, host: string, port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      resolve(server);
    });
  });
}

/** The first address of this machine that is not its own loopback's. */
function address(): string {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const found = all.find(({ family, internal }) => family === "IPv4" && !internal);
  if (found === undefined) throw new Error("this machine has no address that pods could reach");
  return found.address;
}

async function selfSigned(host: string): Promise<{ key: Buffer; cert: Buffer }> {
  const folder = mkdtempSync(join(tmpdir(), "exai-pooler-"));
  try {
    const ran = await runProgram("openssl", [
      ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=pooler"],
      ...["-addext", `subjectAltName=IP:${host}`, "-keyout", join(folder, "key"), "-out", join(folder, "crt")],
    ]);
    if (ran.code !== 0) throw new Error(ran.stderr);
    return { key: readFileSync(join(folder, "key")), cert: readFileSync(join(folder, "crt")) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
