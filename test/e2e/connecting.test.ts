import { createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { mockVendor, startStudio } from "../support/studio.ts";

it("a client that leaves while the vendor is still being connected to owes nothing", async () => {
	const sockets: Socket[] = [];
	// Takes connections and never answers TLS's greeting: no connection ever stands.
	const vendor = createServer((socket) => sockets.push(socket));
	await new Promise<void>((resolve) => vendor.listen(0, "127.0.0.1", resolve));
	const { port } = vendor.address() as { port: number };
	const studio = await startStudio(mockVendor(`https://127.0.0.1:${port}`));
	try {
		const abort = new AbortController();
		const key = await studio.key();
		const asked = fetch(`${studio.url}/v1/chat/completions`, {
			method: "POST",
			headers: {
				authorization: `Bearer ${key}`,
				"content-type": "application/json",
			},
			body: JSON.stringify({
				model: "mock/m",
				messages: [{ role: "user", content: "hi" }],
			}),
			signal: abort.signal,
		}).catch(() => {});
		await expect.poll(() => sockets.length, { timeout: 5_000 }).toBe(1);
		expect(studio.account().held).toBeGreaterThan(0);
		abort.abort();
		await asked;
		await expect.poll(() => studio.account().held, { timeout: 5_000 }).toBe(0);
		expect(studio.account().spent).toBe(0);
	} finally {
		for (const socket of sockets) socket.destroy();
		await studio.close();
		vendor.close();
	}
});
