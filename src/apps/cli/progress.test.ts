import { expect, it } from "vitest";
import { openProgress } from "./progress.ts";

function watched(shown: boolean) {
	let now = 0;
	const written: string[] = [];
	const progress = openProgress({
		label: "Reading",
		write: (text) => written.push(text),
		shown,
		now: () => now,
	});
	return {
		progress,
		written,
		pass: (milliseconds: number) => {
			now += milliseconds;
		},
	};
}

it("is quiet within the first second, and leaves nothing to take away", () => {
	const { progress, written, pass } = watched(true);
	pass(999);
	progress.at(1, 2);
	progress.end();
	expect(written).toEqual([]);
});

it("then tells how far it is, ten times a second at most, and takes its line away", () => {
	const { progress, written, pass } = watched(true);
	pass(1_000);
	progress.at(1_500, 3_000);
	progress.at(1_501, 3_000);
	pass(100);
	progress.at(9_000);
	progress.end();
	progress.end();
	expect(written).toEqual([
		"\r\u001b[KReading 1,500 (50 %)",
		"\r\u001b[KReading 9,000",
		"\r\u001b[K",
	]);
});

it("writes nothing where nobody watches", () => {
	const { progress, written, pass } = watched(false);
	pass(5_000);
	progress.at(1);
	progress.end();
	expect(written).toEqual([]);
});
