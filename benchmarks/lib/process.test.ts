import { describe, expect, it } from "vitest";
import {
	firstDocument,
	lastWords,
	memoryOf,
	readBusy,
	readCpu,
	readMemory,
	startCommand,
} from "./process.ts";

describe("the process table", () => {
	it("user and system time are counted from behind the name, whatever it holds", () => {
		const stat =
			"4242 (a (strange) name) S 1 4242 4242 0 -1 4194560 900 0 0 0 731 269 5 6 20 0 11 0 100 1 2";
		expect(readCpu(stat)).toBe(10_000_000);
	});

	it("memory is what is resident, in bytes", () => {
		expect(
			readMemory("Name:\tnode\nVmPeak:\t  99999 kB\nVmRSS:\t  45056 kB\n"),
		).toBe(45_056 * 1_024);
		expect(readMemory("Name:\tgone\nState:\tZ (zombie)\n")).toBeNaN();
	});

	it("a core is busy when it is neither idle nor waiting for a disk", () => {
		const stat =
			"cpu  9 9 9 9 9 9 9 9 0 0\ncpu0 100 2 30 4000 500 6 7 80 0 0\ncpu1 1 0 0 0 0 0 0 0 0 0\n";
		expect(readBusy(stat, 0)).toBe(2_250_000);
		expect(readBusy(stat, 1)).toBe(10_000);
		expect(readBusy(stat, 2)).toBeNaN();
	});

	it.skipIf(process.platform !== "linux")(
		"this process holds memory, and one that is not there none",
		() => {
			expect(memoryOf(process.pid)).toBeGreaterThan(1e6);
			expect(memoryOf(2 ** 30)).toBeNaN();
		},
	);
});

describe("a program that starts", () => {
	it("is ready at its first whole line of JSON", () => {
		expect(firstDocument('hello\n{"port":1')).toBeUndefined();
		expect(firstDocument('hello\n{not json}\n{"port":1}\n{"x":2}\n')).toEqual({
			port: 1,
		});
	});

	it("and is stopped, or killed", async () => {
		const args = [
			"-e",
			'console.log("{\\"port\\":7}"); setInterval(() => {}, 1000)',
		];
		const started = await startCommand({
			name: "a program",
			command: process.execPath,
			args,
		});
		expect(started.ready).toEqual({ port: 7 });
		await started.kill();
		expect(() => process.kill(started.pid, 0)).toThrow();
	});

	it("has last words without addresses, and short", () => {
		expect(
			lastWords("one\n  get https://registry.example/x: 403 Forbidden:\n\n"),
		).toBe("get its registry 403 Forbidden");
		expect(lastWords("x".repeat(500))).toHaveLength(200);
		expect(lastWords("\n")).toBe("nothing was said");
	});

	it("says what it printed when it ends before it was ready", async () => {
		await expect(
			startCommand({
				name: "a program",
				command: process.execPath,
				args: ["-e", 'console.error("no such port"); process.exit(3)'],
				foreign: true,
				answers: { port: 1, path: "/" },
			}),
		).rejects.toThrow(/a program ended with 3 .*no such port/s);
	});
});
