// Numbered writes with node-redis, speaking RESP3, through a proxy (see README.md).
//
// A command that was on its way when the connection broke is rejected, and this program writes its number again;
// later ones wait in the client's queue until its reconnect strategy, the one its documentation shows, succeeds.
import { setTimeout as pause } from "node:timers/promises";
import { createClient } from "redis";

const [prefix, , port] = process.argv.slice(2);
const reconnectStrategy = (retries) => Math.min(2 ** retries * 50, 2000) + Math.floor(Math.random() * 200);
const client = createClient({ RESP: 3, socket: { port: Number(port), reconnectStrategy } });
client.on("error", (error) => console.log(`event ${error.message || error.code} ${Date.now()}`));
await client.connect();

for (let number = 0; ; ) {
  try {
    await client.set(`${prefix}:${number}`, String(number));
    console.log(`ok ${number} ${Date.now()}`);
    number++;
  } catch (error) {
    console.log(`error ${error.message} ${Date.now()}`);
  }
  await pause(10);
}
