import { describe, expect, it } from "vitest";
import type { WireProtocol } from "../../ports/wire-protocol.ts";
import { openCallPaths } from "./call-paths.ts";

const wire = {
	id: "test",
	operations: ["/v1/chat", "/m/{model}:go", "/m/{model}:stop", undefined].map(
		(path, index) => ({ id: String(index), path }),
	),
} as unknown as WireProtocol;

describe("which path calls what", () => {
	const calls = openCallPaths([wire]);

	it.each([
		["/v1/chat", "0", {}],
		["/m/one:go", "1", { model: "one" }],
		["/m/one:stop", "2", { model: "one" }],
		["/m/vendor/one:two:go", "1", { model: "vendor/one:two" }],
		["/m/vendor%2Fone%20two:go", "1", { model: "vendor/one two" }],
	])("finds %s", (path, operation, parameters) => {
		const found = calls.find(path);
		expect(found?.operation.id).toBe(operation);
		expect(found?.parameters).toEqual(parameters);
	});

	it.each(["/v1/chat/", "/m/:go", "/m/one", "/m/%zz:go", "/", "m:go"])(
		"finds nothing at %s",
		(path) => expect(calls.find(path)).toBeUndefined(),
	);

	it("names what clients can call", () => {
		expect(calls.paths).toEqual([
			"/v1/chat",
			"/m/{model}:go",
			"/m/{model}:stop",
		]);
	});
});
