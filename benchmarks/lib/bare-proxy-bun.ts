import { bunRuntime } from "../../src/adapters/http-server/bun-api.ts";

/** The floor on Bun: `bun bare-proxy-bun.ts <upstream port>`. */
const upstream = `http://127.0.0.1:${process.argv[2]}`;

const server = bunRuntime().serve({
	hostname: "127.0.0.1",
	port: 0,
	async fetch(request) {
		const answer = await fetch(upstream + new URL(request.url).pathname, {
			method: request.method,
			headers: request.headers,
			body: await request.arrayBuffer(),
		});
		return new Response(answer.body, {
			status: answer.status,
			headers: answer.headers,
		});
	},
});
console.log(JSON.stringify({ port: server.port }));
