import { createServer, type ServerResponse } from "node:http";
import { plainAnswer, streamFrames } from "./answers.ts";

/**
 * A vendor that costs next to nothing: `node upstream.ts [first byte ms] [gap ms]`. Streams one
 * frame in each turn of the event loop, or paced. `GET /seen` counts what it served and what was
 * cancelled on it.
 */
const [firstByte = 0, gap = 0] = process.argv.slice(2).map(Number);
const answer = Buffer.from(plainAnswer);
const frames = streamFrames.map((text) => Buffer.from(text));
const seen = { calls: 0, streams: 0, cancelled: 0 };

const server = createServer((request, response) => {
	if (request.url === "/seen") {
		response.end(JSON.stringify(seen));
		return;
	}
	let text = "";
	request.on("data", (chunk: Buffer) => {
		text += chunk.toString("latin1");
	});
	request.on("end", () => {
		const reply = /"stream":\s*true/.test(text) ? stream : plain;
		if (firstByte > 0) setTimeout(reply, firstByte, response);
		else reply(response);
	});
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
	const address = server.address();
	if (address && typeof address === "object")
		console.log(JSON.stringify({ port: address.port }));
});

function plain(response: ServerResponse): void {
	seen.calls++;
	response.writeHead(200, {
		"content-type": "application/json",
		"content-length": answer.length,
	});
	response.end(answer);
}

function stream(response: ServerResponse): void {
	seen.streams++;
	response.writeHead(200, {
		"content-type": "text/event-stream",
		"cache-control": "no-cache",
	});
	response.on("close", () => {
		if (!response.writableFinished) seen.cancelled++;
	});
	let next = 0;
	const step = () => {
		if (response.destroyed) return;
		response.write(frames[next++]);
		if (next === frames.length) response.end();
		else if (gap > 0) setTimeout(step, gap);
		else setImmediate(step);
	};
	step();
}
