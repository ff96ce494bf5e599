import { connect, createServer, type Socket } from "node:net";

/** Stands between replicas and their database, to cut them off. */
export interface CuttableProxy {
	readonly port: number;
	/** Ends every connection at once. */
	cut(): void;
	/** Lets nothing through, in either direction, until the returned function is called; no connection ends by it. */
	silence(): () => void;
	close(): Promise<void>;
}

export function openProxy(to: number): Promise<CuttableProxy> {
	const pairs = new Set<readonly [Socket, Socket]>();
	let silent = false;
	const server = createServer((near) => {
		const far = connect(to, "127.0.0.1");
		const pair = [near, far] as const;
		pairs.add(pair);
		for (const [from, into] of [pair, [far, near] as const]) {
			from.setNoDelay(true);
			from.pipe(into);
			from.on("error", () => into.destroy());
			from.on("close", () => {
				into.destroy();
				pairs.delete(pair);
			});
		}
		if (silent) hush(pair);
	});
	function hush(pair: readonly [Socket, Socket]): void {
		for (const socket of pair) {
			socket.unpipe();
			socket.pause();
		}
	}
	return new Promise((resolve, reject) => {
		server.once("error", reject);
		server.listen(0, "127.0.0.1", () =>
			resolve({
				port: (server.address() as { port: number }).port,
				cut() {
					for (const [near] of pairs) near.destroy();
				},
				silence() {
					silent = true;
					for (const pair of pairs) hush(pair);
					return () => {
						silent = false;
						for (const [near, far] of pairs) {
							near.pipe(far);
							far.pipe(near);
						}
					};
				},
				close: () =>
					new Promise((closed) => {
						server.close(() => closed());
						for (const [near] of pairs) near.destroy();
					}),
			}),
		);
	});
}
