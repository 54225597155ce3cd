import { connect } from "node:net";
import { RECORDING } from "../../../../contract/server.ts";

// Writes what the server of the same container asks its database to standard output: see RECORDING. Exit code 0: it has ended as asked;
// 1: it was refused, or there is nothing to record.
const [seconds = "", share = "1"] = process.argv.slice(2);

function fail(problem: string): never {
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}

const socket = connect({ path: process.env.EXAI_RECORDING_SOCKET ?? RECORDING.socket, allowHalfOpen: true });
socket.on("error", (error) => {
  fail(`the server does not record: ${(error as NodeJS.ErrnoException).code ?? error.message}`);
});
socket.write(`${seconds} ${share}\n`);
// The reader of the output is gone: so is the recording.
process.stdout.on("error", () => process.exit(1));
// The reader holds standard input open for as long as it lives.
process.stdin
  .resume()
  .on("error", () => socket.end())
  .on("end", () => socket.end());

let first = "";
socket.on("data", function look(chunk: Buffer) {
  first += chunk.toString();
  if (!first.includes("\n")) return;
  socket.off("data", look);
  const refused = /^\{"refused":"(.*)"\}/.exec(first)?.[1];
  if (refused !== undefined) fail(`the server does not record: ${refused}`);
  process.stdout.write(first);
  socket.pipe(process.stdout, { end: false });
});
socket.on("close", () => {
  // What is left is written first.
  process.stdout.write("", () => process.exit(0));
});
