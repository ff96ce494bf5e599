import { Agent, createServer, request } from "node:http";

/** The floor: what anyone would write on `node:http`. `node bare-proxy.ts <upstream port>` */
const port = Number(process.argv[2]);
const agent = new Agent({ keepAlive: true, maxSockets: 512 });

const server = createServer((incoming, outgoing) => {
	const upstream = request(
		{
			agent,
			host: "127.0.0.1",
			port,
			method: incoming.method,
			path: incoming.url,
			headers: incoming.headers,
		},
		(answer) => {
			outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
			answer.pipe(outgoing);
		},
	);
	upstream.on("error", () => outgoing.destroy());
	incoming.pipe(upstream);
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
	const address = server.address();
	if (address && typeof address === "object")
		console.log(JSON.stringify({ port: address.port }));
});
