import type { CanonicalAnswer, Tool } from "../../ports/canonical.ts";
import type { Reading, Readings, ReadTool } from "../../ports/reading.ts";
import type { AskedForm, Translator } from "../../ports/translator.ts";
import type { WireRequest } from "../../ports/wire-protocol.ts";
import { gatherer } from "./canonical/gather.ts";
import type { Spoken } from "./crossing.ts";
import { asBuffer } from "./json-members.ts";
import { isEventStream } from "./openai-family.ts";

/** Clients' answers are in the form of vendors' answers: the translators that read those read these too. */
export function openReadings(protocols: readonly Spoken[]): Readings {
	const translators = new Map(
		protocols.map(({ wire, translator }) => [wire.id, translator]),
	);
	return {
		read(wire, request, contentType, body) {
			const translator = translators.get(wire.id);
			const bytes = asBuffer(body);
			// A look at the bytes spares nearly every answer that is text alone, which agents get at each end of their loops.
			const mark = marks.get(wire.id);
			const mayCall = mark === undefined || bytes.includes(mark);
			if (!mayCall && !wire.traits(request).schema) return undefined;
			const form = translator?.readForm?.(request);
			if (!translator || !form?.ok) return undefined;
			const answer = answerIn(
				translator,
				form.value,
				request,
				contentType,
				bytes,
			);
			return answer && readingOf(form.value, answer);
		},
	};
}

/** What stands in every call of a tool, by protocol, and in few other answers. */
const marks: ReadonlyMap<string, Buffer> = new Map(
	Object.entries({
		"openai-chat": "_call",
		"openai-responses": '_call"',
		"anthropic-messages": '"tool_use"',
		"google-generate": '"functionCall"',
	}).map(([protocol, mark]) => [protocol, Buffer.from(mark)]),
);

function answerIn(
	{ readAnswer, openReader }: Translator,
	form: AskedForm,
	{ model, choices }: WireRequest,
	contentType: string,
	bytes: Buffer,
): CanonicalAnswer | undefined {
	let stream = bytes;
	if (!isEventStream(200, contentType)) {
		const body = parsed(bytes);
		if (!Array.isArray(body)) {
			const answer = readAnswer(body);
			return answer.ok ? answer.value : undefined;
		}
		// A stream in the form of a list.
		stream = Buffer.from(
			body.map((each) => `data: ${JSON.stringify(each)}\n\n`).join(""),
		);
	}
	const reader = openReader({
		model,
		messages: [],
		...form,
		choices,
		stream: true,
		streamUsage: false,
	});
	const gathering = gatherer();
	gathering.push(reader.push(stream));
	gathering.push(reader.end());
	return gathering.error ? undefined : gathering.answer();
}

function parsed(bytes: Buffer): unknown {
	try {
		return JSON.parse(bytes.toString());
	} catch {
		return undefined;
	}
}

function readingOf(
	{ tools, output }: AskedForm,
	{ choices: [choice] }: CanonicalAnswer,
): Reading | undefined {
	if (!choice || !whole.has(choice.finish.reason)) return undefined;
	let text = "";
	const toolCalls: Reading["answer"]["toolCalls"][number][] = [];
	for (const part of choice.parts) {
		if (part.type === "refusal") return undefined;
		if (part.type === "text") text += part.text;
		if (part.type === "tool-call")
			toolCalls.push({ name: part.name, arguments: part.arguments });
	}
	return {
		asked: {
			...(output?.type === "json-schema" && { schema: output.schema }),
			...(tools && {
				tools: tools.flatMap(offered),
				others: tools.some(({ type }) => type === "server"),
			}),
		},
		answer: { text, toolCalls },
	};
}

/** How an answer ends that is all that it was to be. */
const whole: ReadonlySet<string> = new Set([
	"stop",
	"stop-sequence",
	"tool-calls",
]);

function offered(tool: Tool): ReadTool[] {
	switch (tool.type) {
		case "function":
			return [
				{
					name: tool.name,
					...(tool.schema && { schema: tool.schema }),
				},
			];
		case "custom":
			return [{ name: tool.name, text: true }];
		default:
			return [];
	}
}
