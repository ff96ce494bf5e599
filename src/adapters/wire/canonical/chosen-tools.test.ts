import { describe, expect, it } from "vitest";
import type { CanonicalRequest, ToolChoice } from "../../../ports/canonical.ts";
import type { Warning } from "../../../ports/translator.ts";
import { spoken } from "../all.ts";

const tools = ["a", "b"].map((name) => ({
	type: "function" as const,
	name,
	schema: { type: "object" },
}));

/** What a vendor that cannot be told which tool to call is sent. */
function sent(protocol: string, toolChoice: ToolChoice) {
	const translator = spoken.find(
		({ wire }) => wire.id === protocol,
	)?.translator;
	const warnings: Warning[] = [];
	const request = {
		messages: [{ role: "user", parts: [{ type: "text", text: "Hi" }] }],
		tools,
		toolChoice,
	} as unknown as CanonicalRequest;
	const written = translator?.writeRequest(
		request,
		{
			model: "m",
			outputLimit: undefined,
			quirks: { lacks: ["tool_choice", "allowed_tools"] },
		},
		(warning) => warnings.push(warning),
	);
	if (!written?.ok) return written?.error.details?.field;
	const { body } = written.value;
	const names = (body.tools as { name?: string; function?: { name: string } }[])
		?.map((tool) => tool.function?.name ?? tool.name)
		.join();
	expect(body).not.toHaveProperty("tool_choice");
	return { tools: names, warned: warnings.map(({ field }) => field).join() };
}

describe.each(["openai-chat", "openai-responses"])(
	"a vendor of %s that takes no choice of tools",
	(protocol) => {
		it("is not told what it does anyway", () => {
			expect(sent(protocol, { mode: "auto" })).toEqual({
				tools: "a,b",
				warned: "",
			});
		});

		it("is not shown tools that must not be called, and that is said", () => {
			expect(sent(protocol, { mode: "none" })).toEqual({
				tools: undefined,
				warned: "toolChoice",
			});
			expect(
				sent(protocol, { mode: "allowed", names: ["b"], required: false }),
			).toEqual({
				tools: "b",
				warned: "toolChoice",
			});
		});

		it("is not asked where a tool has to be called", () => {
			for (const choice of [
				{ mode: "required" },
				{ mode: "tool", name: "a" },
				{ mode: "allowed", names: ["a"], required: true },
			] as const)
				expect(sent(protocol, choice)).toBe("toolChoice");
		});
	},
);
