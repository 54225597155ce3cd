import { beforeAll, expect, it } from "vitest";
import { tryDocker } from "../../../operations/docker/cli.ts";
import { buildPostgresImage } from "../../support/postgres-stack.ts";

let image: string;
beforeAll(async () => {
  image = await buildPostgresImage();
});

/** Runs a script among eight copies without a server, of which each is a branch. */
async function amongEight(script: string): Promise<string> {
  const copies = `cd /var/lib/exai-branches
mkdir copies
for i in 1 2 3 4 5 6 7 8; do mkdir -p copies/$i/pgdata; echo 600$i > copies/$i/port; ln -s copies/$i branch-b$i; done
exec 2>&1
${script}`;
  const ports = `BRANCH_PORTS=${Array.from({ length: 10 }, (_, index) => String(6001 + index)).join(" ")}`;
  const { stdout } = await tryDocker([
    ...["run", "--rm", "--network", "none", "--volume", "/var/lib/exai-branches", "--env", ports],
    ...["--entrypoint", "bash", image, "-c", copies],
  ]);
  return stdout;
}

it("refuses a ninth branch and a second one of a name", async () => {
  const said = await amongEight(
    "for name in ninth b1; do echo password | exai-branches create $name; echo code $?; done; exai-branches list | wc -l",
  );
  expect(said.split("\n").slice(0, 5)).toEqual([
    ...["exai-branches: there are 8 branches already", "code 5", "exai-branches: branch b1 exists", "code 2", "8"],
  ]);
});

it("removes a copy with its link, and what follows the database without the branches", async () => {
  const said = await amongEight(`exai-branches delete b3
mkdir -p base/pgdata copies/9/pgdata; ln -s copies/9 spare
exai-branches forget
until [ -z "$(ls -d copies/gone-* 2> /dev/null)" ]; do sleep 0.1; done
ls -d base spare copies/3 copies/9 2> /dev/null; exai-branches list | wc -l`);
  expect(said.trim()).toBe("7");
});

it("makes a spare while another command removes a branch", async () => {
  const said = await amongEight(`for i in 1 2 3 4 5 6 7 8; do
  exai-branches delete b$i & exai-branches spare
  wait
done`);
  // There is no backup here to make it of, and it comes as far as that.
  expect(said.match(/restoring the base/g)).toHaveLength(8);
});

it("does not start a branch whose files another kernel has not written, nor keep a copy without a link", async () => {
  const said = await amongEight(`mkdir copies/9 copies/gone-1
touch copies/{1,2}/runs; echo another > copies/1/unwritten; cat /proc/sys/kernel/random/boot_id > copies/2/unwritten
exai-branches serve & until test -e /tmp/ready; do sleep 0.1; done
until [ ! -e copies/9 ] && [ ! -e copies/gone-1 ]; do sleep 0.1; done
exai-branches list | head -1`);
  expect(said).toMatch(/branch-b1 was made in the seconds before the machine stopped, and is not complete\n/);
  // It has no files of PostgreSQL here.
  expect(said).toMatch(/branch-b2 did not start: /);
  expect(said).toMatch(/^b1\|stopped\|6001\|/m);
});
