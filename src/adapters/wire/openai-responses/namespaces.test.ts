import { expect, it } from "vitest";
import { nameWithin } from "./namespaces.ts";

it("a tool's whole name begins with its namespace's, and every vendor takes it", () => {
	expect(nameWithin("mail", "search")).toBe("mail__search");
	expect(nameWithin("mcp__mail__", "search")).toBe("mcp__mail__search");
	const [one, other] = ["a", "b"].map((end) =>
		nameWithin("n".repeat(40), `${"t".repeat(40)}${end}`),
	);
	expect(one).toMatch(/^[a-zA-Z0-9_-]{64}$/);
	expect(one).not.toBe(other);
});
