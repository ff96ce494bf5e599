import { describe, expect, it } from "vitest";
import { type Outcome, refuse } from "../../kernel/outcome.ts";
import type { WireRequest } from "../../ports/wire-protocol.ts";
import { spoken } from "./all.ts";
import { openCrossings } from "./crossing.ts";
import { openaiChat } from "./openai-chat/protocol.ts";
import { openaiResponses } from "./openai-responses/protocol.ts";

const dos = { needs: { callType: "extract" }, session: "s-1" };
const bodies: Readonly<Record<string, object>> = {
	"openai-chat": { model: "m", messages: [{ role: "user", content: "Hi" }] },
	"openai-responses": { model: "m", input: "Hi" },
	"anthropic-messages": {
		model: "m",
		max_tokens: 9,
		messages: [{ role: "user", content: "Hi" }],
	},
	"google-generate": { contents: [{ role: "user", parts: [{ text: "Hi" }] }] },
};

describe("what a body says to us", () => {
	const pairs = Object.keys(bodies).flatMap((client) =>
		spoken
			.filter(({ wire }) => wire.id !== client)
			.map(({ wire }) => [client, wire.id] as const),
	);

	it.each(pairs)(
		"crosses from %s to %s neither in the body nor in a warning",
		(client, vendor) => {
			const wire = spoken.find((each) => each.wire.id === client)?.wire;
			const operation = wire?.operations.find(
				({ means }) => means === "generate",
			);
			if (!wire || !operation) throw new Error(client);
			const request = accepted(
				wire.read(
					operation.id,
					Buffer.from(JSON.stringify({ dos, ...bodies[client] })),
					{ parameters: { model: "m" }, query: "", header: () => undefined },
				),
			);
			expect(request.dos).toEqual(dos);
			const passage = accepted(
				openCrossings(spoken).open({
					wire,
					operation,
					request,
					vendor,
					change: { model: "m", outputLimit: undefined, quirks: {} },
					naming: { call: "c", model: "m", time: 0 },
				}),
			);
			expect(passage.warnings.filter(({ field }) => /dos/.test(field))).toEqual(
				[],
			);
			const sent = Buffer.from(passage.forward(undefined).body).toString();
			expect(sent).toContain("Hi");
			expect(sent).not.toContain("dos");
		},
	);

	it("is still said where a request goes on from a kept response", () => {
		const read = (body: Uint8Array | string) =>
			accepted(openaiResponses.read("responses", Buffer.from(body)));
		const request = read(
			JSON.stringify({ ...bodies["openai-responses"], dos }),
		);
		const expanded = read(
			accepted(
				openaiResponses.state?.expand(request, []) ??
					refuse("test/stateless", "It keeps nothing."),
			),
		);
		expect(expanded.dos).toEqual(dos);
		expect(Buffer.from(expanded.body).toString()).toBe(
			JSON.stringify(bodies["openai-responses"]),
		);
	});
});

describe("what a form says to us", () => {
	const part = (name: string, content: string, more = "") =>
		`--B0\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${content}\r\n`;
	const parts = [
		part("model", "whisper-1"),
		part("file", "sound\r\n", '; filename="a.mp3"'),
		part("language", "en"),
	];
	const own = part("dos", JSON.stringify(dos));

	function read(...all: readonly string[]): Outcome<WireRequest> {
		return openaiChat.read(
			"transcriptions",
			Buffer.from(`${all.join("")}--B0--\r\n`),
			{
				parameters: {},
				query: "",
				header: () => "multipart/form-data; boundary=B0",
			},
		);
	}
	function sent(request: WireRequest, model: string): string {
		return Buffer.from(
			openaiChat.forward(request, {
				model,
				outputLimit: undefined,
				quirks: {},
			}).body,
		).toString();
	}

	it("is a field of JSON that goes no further, wherever it stands", () => {
		const without = accepted(read(...parts));
		for (let place = 0; place <= parts.length; place++) {
			const request = accepted(
				read(...parts.slice(0, place), own, ...parts.slice(place)),
			);
			expect(request.dos).toEqual(dos);
			for (const model of ["whisper-1", "another"])
				expect(sent(request, model)).toBe(sent(without, model));
			expect(request.order).toEqual(without.order);
			expect(request.inputBytes).toBe(without.inputBytes);
		}
		expect(without.dos).toBeUndefined();
	});

	it("is refused where it is no JSON, a file, there twice, or spelled otherwise", () => {
		for (const [bad, code] of [
			[part("dos", "{"), "request/invalid"],
			[part("dos", ""), "request/invalid"],
			[part("dos", "{}", '; filename="a"'), "request/invalid"],
			[own + own, "request/duplicate-member"],
			[part("DOS", "{}"), "request/invalid"],
			[part("dos[]", "{}"), "request/invalid"],
		])
			expect(read(...parts, bad as string)).toMatchObject({
				error: { code, details: { field: "dos" } },
			});
	});
});

function accepted<T>(outcome: Outcome<T>): T {
	if (!outcome.ok) throw new Error(outcome.error.message);
	return outcome.value;
}
