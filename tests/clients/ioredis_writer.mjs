// Numbered writes with ioredis, through a proxy or by its Sentinel support (see README.md).
//
// Its defaults reconnect after min(50 ms * attempts, 2 s), send commands without an answer again, and give a command
// up after 20 attempts. The only option set is the documented one against servers that became replicas.
import { setTimeout as pause } from "node:timers/promises";
import Redis from "ioredis";

const [prefix, mode, ...rest] = process.argv.slice(2);
const common = { reconnectOnError: (error) => (error.message.startsWith("READONLY") ? 2 : false) };
const client =
  mode === "proxy"
    ? new Redis({ port: Number(rest[0]), ...common })
    : new Redis({
        name: rest[0],
        sentinels: rest.slice(1).map((port) => ({ host: "127.0.0.1", port: Number(port) })),
        ...common,
      });
// Connection errors are told here; the client retries by itself.
client.on("error", (error) => console.log(`event ${error.message || error.code} ${Date.now()}`));

for (let number = 0; ; ) {
  try {
    await client.set(`${prefix}:${number}`, number);
    console.log(`ok ${number} ${Date.now()}`);
    number++;
  } catch (error) {
    console.log(`error ${error.message} ${Date.now()}`);
  }
  await pause(10);
}
