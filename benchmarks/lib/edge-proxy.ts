import { socketHttpClient } from "../../src/adapters/http-client/sockets.ts";

/** A proxy of our two HTTP adapters and nothing else: `edge-proxy.ts <upstream port> <node|bun>`. */
const upstream = `http://127.0.0.1:${process.argv[2]}`;
const client = socketHttpClient();
const server =
	process.argv[3] === "bun"
		? (await import("../../src/adapters/http-server/bun.ts")).bunHttpServer()
		: (await import("../../src/adapters/http-server/node.ts")).nodeHttpServer();

const timeouts = {
	connect: 10_000,
	firstByte: 120_000,
	idle: 60_000,
	total: 600_000,
};

const listening = await server.listen(
	{
		host: "127.0.0.1",
		port: 0,
		limits: {
			bodyBytes: 10_000_000,
			headerBytes: 16_384,
			connections: 10_000,
			headersTimeout: 10_000,
			requestTimeout: 60_000,
			keepAliveTimeout: 60_000,
		},
	},
	async (request, response) => {
		const body = await request.body();
		const headers: Record<string, string> = {
			"content-type": request.header("content-type") ?? "application/json",
		};
		let stream = false;
		let whole: Uint8Array | undefined;
		let told: Record<string, string> = {};
		const call = client.send(
			{
				method: request.method,
				url: upstream + request.path,
				headers,
				body,
				timeouts,
			},
			{
				head(status, header) {
					const type = header("content-type") ?? "";
					told = { "content-type": type };
					stream = type.startsWith("text/event-stream");
					response.head(status, told);
				},
				data(chunk) {
					if (stream) {
						if (!response.write(chunk)) call.pause();
					} else whole = whole ? Buffer.concat([whole, chunk]) : chunk;
				},
				end() {
					response.end(whole);
				},
				fail() {
					response.abort();
				},
			},
		);
		response.onGone(() => call.abort());
		response.onDrain(() => call.resume());
	},
);
console.log(JSON.stringify({ port: listening.port }));
