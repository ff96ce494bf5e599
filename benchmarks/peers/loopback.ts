import { Server } from "node:net";

/**
 * Loaded before a program of others that would listen on every address of the machine, on a port of
 * its own: makes it listen on this machine alone, on a free port, and say which in a line of JSON.
 */
const listen = Server.prototype.listen;
Server.prototype.listen = function (this: Server, ...asked: unknown[]) {
	this.once("listening", () =>
		console.log(`\n${JSON.stringify(this.address())}`),
	);
	const then = asked.find((value) => typeof value === "function");
	return listen.call(
		this,
		{ host: "127.0.0.1", port: 0 },
		then as (() => void) | undefined,
	);
} as typeof listen;
