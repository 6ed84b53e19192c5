// A web application with sessions: Express, express-session and connect-redis, its store behind the proxy.
//
// Usage: session_app.mjs REDIS_PORT HTTP_PORT. POST /login?name=N, GET /visit, POST /logout; GET /ping has no session.
// A request during the failover fails with 503 or waits; nothing of the application knows which server is the primary.
import express from "express";
import session from "express-session";
import { RedisStore } from "connect-redis";
import { createClient } from "redis";

const [redisPort, httpPort] = process.argv.slice(2).map(Number);
const reconnectStrategy = (retries) => Math.min(retries * 50, 500);
const client = createClient({ socket: { port: redisPort, reconnectStrategy } });
client.on("error", (error) => console.log(`redis: ${error.message || error.code}`));
await client.connect();

const app = express();
app.get("/ping", (_, response) => response.json({}));
app.use(
  session({
    store: new RedisStore({ client, prefix: "sess:", ttl: 3600 }),
    secret: "a secret of the test",
    resave: false,
    saveUninitialized: false,
  }),
);
app.post("/login", (request, response) => {
  request.session.name = request.query.name;
  request.session.count = 0;
  response.json({ name: request.session.name, count: 0 });
});
app.get("/visit", (request, response) => {
  if (!request.session.name) return response.status(401).json({ error: "not logged in" });
  request.session.count++;
  response.json({ name: request.session.name, count: request.session.count });
});
app.post("/logout", (request, response, next) => {
  request.session.destroy((error) => (error ? next(error) : response.json({})));
});
app.use((error, _request, response, _next) => response.status(503).json({ error: error.message }));
app.listen(httpPort, "127.0.0.1", () => console.log(`listening on ${httpPort}`));
