import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { socketHttpClient } from "./sockets.ts";

/**
 * What a hostile or confused vendor may do to the calls that come after: nothing that it sends
 * beyond its answer, or after its client has gone, is ever heard by another call.
 */

const closing: (() => void)[] = [];
afterEach(() => {
	for (const close of closing.splice(0)) close();
});

/** A vendor that says what it wants to each request; how many connections it had. */
async function vendor(answer: (socket: Socket, request: number) => void) {
	const sockets = new Set<Socket>();
	const seen = { connections: 0, url: "" };
	let requests = 0;
	const server: Server = createServer((socket) => {
		seen.connections++;
		sockets.add(socket);
		socket.on("error", () => {});
		socket.on("data", () => answer(socket, ++requests));
	});
	await new Promise<void>((resolve) =>
		server.listen(0, "127.0.0.1", () => resolve()),
	);
	const address = server.address();
	if (address === null || typeof address === "string") throw new Error();
	seen.url = `http://127.0.0.1:${address.port}/`;
	closing.push(() => {
		for (const socket of sockets) socket.destroy();
		server.close();
	});
	return seen;
}

function client() {
	const made = socketHttpClient();
	closing.push(() => made.close());
	return made;
}

const timeouts = {
	connect: 5_000,
	firstByte: 5_000,
	idle: 5_000,
	total: 10_000,
};

/** What one call heard, or the code that it failed with. `abortAt` ends it at its head. */
function ask(
	by: ReturnType<typeof client>,
	url: string,
	{ abortAtHead = false, body = "x" } = {},
): Promise<string> {
	return new Promise((resolve) => {
		let text = "";
		const call = by.send(
			{ method: "POST", url, headers: {}, body: Buffer.from(body), timeouts },
			{
				head() {
					if (!abortAtHead) return;
					call.abort();
					resolve("aborted");
				},
				data(piece) {
					text += Buffer.from(piece).toString("latin1");
				},
				end: () => resolve(text),
				fail: ({ code }) => resolve(code),
			},
		);
	});
}

const ok = (text: string) =>
	`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
const later = () => new Promise((resolve) => setTimeout(resolve, 30));

describe("a connection to a vendor", () => {
	it.each([
		[
			"in one piece with it",
			(socket: Socket) => socket.write(ok("a") + ok("evil")),
		],
		[
			"while nobody asks",
			(socket: Socket) => {
				socket.write(ok("a"));
				setTimeout(() => socket.write(ok("evil")), 10);
			},
		],
		[
			"after an answer that has no body",
			(socket: Socket) => {
				socket.write("HTTP/1.1 204 None\r\nContent-Length: 4\r\n\r\n");
				setTimeout(() => socket.write(ok("evil")), 10);
			},
		],
	])(
		"that carries more than its answer, %s, is not used again",
		async (_, first) => {
			const there = await vendor((socket, request) =>
				request === 1 ? first(socket) : socket.write(ok("b")),
			);
			const by = client();
			expect(await ask(by, there.url)).toMatch(/^a?$/);
			await later();
			expect(await ask(by, there.url)).toBe("b");
			expect(there.connections).toBe(2);
		},
	);

	it("whose answer was broken off is not used again", async () => {
		const there = await vendor((socket, request) => {
			if (request > 1) return socket.write(ok("b"));
			socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
			return setTimeout(() => socket.write(ok("evil")), 10);
		});
		const by = client();
		expect(await ask(by, there.url, { abortAtHead: true })).toBe("aborted");
		await later();
		expect(await ask(by, there.url)).toBe("b");
		expect(there.connections).toBe(2);
	});

	it("that answered before it had the whole request is not used again", async () => {
		const large = "x".repeat(20_000_000);
		const there = await vendor((socket, request) => {
			// Reads no further, so that the rest of the request is still on its way when the answer is whole.
			if (request === 1) socket.pause();
			socket.write(ok(request === 1 ? "early" : "b"));
		});
		const by = client();
		expect(await ask(by, there.url, { body: large })).toBe("early");
		expect(await ask(by, there.url)).toBe("b");
		expect(there.connections).toBe(2);
	});

	it("that speaks before it is asked, and no HTTP, fails its call alone", async () => {
		const there = await vendor((socket, request) =>
			socket.write(request === 1 ? "220 mail ready\r\n\r\n" : ok("b")),
		);
		const by = client();
		expect(await ask(by, there.url)).toBe("upstream/protocol");
		expect(await ask(by, there.url)).toBe("b");
	});

	it("is heard no further than one answer, however many interim ones come first", async () => {
		const there = await vendor((socket) =>
			socket.write(`${"HTTP/1.1 103 Early\r\n\r\n".repeat(5_000)}${ok("a")}`),
		);
		const by = client();
		expect(await ask(by, there.url)).toBe("a");
		expect(await ask(by, there.url)).toBe("a");
		expect(there.connections).toBe(1);
	});
});
