import { EXIT, UserError, UserErrors } from "../../../contract/errors.ts";
import { readEnvironment, type Environment } from "./environment.ts";
import { createLog } from "./log.ts";
import { startServer } from "./server.ts";
import { VERSION } from "./version.ts";

/** Exit code of a process that a signal ended: 128 and the number of SIGTERM. */
const EXIT_SIGTERM = 143;

/** Writes each problem to standard error and ends the process. */
function refuse(errors: readonly UserError[]): never {
  for (const error of errors) process.stderr.write(`${error.render()}\n`);
  process.exit(EXIT.failed);
}

function readOrRefuse(): Environment {
  try {
    return readEnvironment(process.env);
  } catch (error) {
    if (error instanceof UserErrors) refuse(error.errors);
    throw error;
  }
}

const environment = readOrRefuse();
const { release, slot } = environment;
const log = createLog(environment.logLevel, { release, ...(slot === undefined ? {} : { slot }) });

process.on("uncaughtException", (error) => {
  log.error("uncaught error", { error: error.stack });
  process.exit(1);
});

// The event loop may be full of user requests, so the crash is an exit and not an exception that could be caught.
const server = await startServer(environment, VERSION, log, () => process.exit(1)).catch((error: unknown) => {
  if (error instanceof UserError) refuse([error]);
  throw error;
});
const cpu = process.cpuUsage();
log.info("serving", {
  http: environment.httpPort,
  webSocket: environment.wsPort,
  startSeconds: Math.round(process.uptime() * 1000) / 1000,
  startCpuSeconds: Math.round((cpu.user + cpu.system) / 1000) / 1000,
});

let leaving = false;
const leave = (signal: NodeJS.Signals) => {
  if (leaving) {
    log.warning("second signal: exiting at once", { signal });
    process.exit(EXIT_SIGTERM);
  }
  leaving = true;
  log.info("draining", { signal, graceSeconds: environment.graceSeconds });
  void server.drain().then((cut) => {
    if (cut.cutWebSockets + cut.cutRequests > 0)
      log.warning("the grace period is over: remaining connections were closed", { ...cut });
    log.info("stopped");
    process.exit(0);
  });
};
process.on("SIGTERM", leave);
process.on("SIGINT", leave);
