import type {
	AnswerEvent,
	AnswerPart,
	CanonicalAnswer,
	CanonicalRequest,
	Message,
	Tool,
	ToolCallPart,
} from "../../../ports/canonical.ts";
import type { Warn } from "../../../ports/translator.ts";
import { isRecord } from "./fields.ts";

/**
 * Tools that take plain text, for a vendor whose tools take JSON alone: there each is a function of
 * one string. To the client its calls are text as before; a stream's come whole, as a string in JSON
 * is only known at its end.
 */
export interface TextTools {
	/** For the vendor. */
	readonly request: CanonicalRequest;
	/** For the client. */
	answer(answer: CanonicalAnswer): CanonicalAnswer;
	events(events: readonly AnswerEvent[]): readonly AnswerEvent[];
}

/** Undefined when there is no such tool, as is nearly always so. */
export function textToolsIn(
	request: CanonicalRequest,
	warn: Warn,
): TextTools | undefined {
	const names = new Set(
		request.tools?.flatMap((tool) =>
			tool.type === "custom" ? [tool.name] : [],
		),
	);
	const said = request.messages.some(
		({ role, parts }) => role === "assistant" && parts.some(isTextCall),
	);
	if (names.size === 0 && !said) return undefined;
	/** Arguments that came so far of calls that are still open. */
	const open = new Map<string, string[]>();

	function isOurs(part: AnswerPart): part is ToolCallPart {
		return part.type === "tool-call" && !part.custom && names.has(part.name);
	}
	function shown<T extends AnswerPart>(part: T): T {
		return isOurs(part)
			? { ...part, custom: true, arguments: textIn(part.arguments) }
			: part;
	}
	function take(event: AnswerEvent): readonly AnswerEvent[] {
		if (!("part" in event)) return [event];
		const key = `${event.choice}.${event.part}`;
		if (event.type === "open" && isOurs(event.value)) {
			open.set(key, [event.value.arguments]);
			return [
				{ ...event, value: { ...event.value, custom: true, arguments: "" } },
			];
		}
		const pieces = open.get(key);
		if (!pieces) return [event];
		if (event.type === "delta") {
			pieces.push(event.text);
			return [];
		}
		if (event.type !== "close") return [event];
		open.delete(key);
		const { choice, part, value } = event;
		return [
			{ type: "delta", choice, part, text: textIn(pieces.join("")) },
			{ ...event, ...(value && { value: shown(value) }) },
		];
	}

	return {
		request: {
			...request,
			messages: request.messages.map(withFunctionCalls),
			...(request.tools && {
				tools: request.tools.map((tool, index) =>
					tool.type === "custom"
						? asFunction(tool, `tools.${index}`, warn)
						: tool,
				),
			}),
		},
		answer: (answer) => ({
			...answer,
			choices: answer.choices.map((choice) => ({
				...choice,
				parts: choice.parts.map(shown),
			})),
		}),
		events: (events) =>
			open.size === 0 && !events.some(({ type }) => type === "open")
				? events
				: events.flatMap(take),
	};
}

function isTextCall(part: AnswerPart): boolean {
	return part.type === "tool-call" && part.custom === true;
}

function asFunction(
	{ name, description, format }: Extract<Tool, { type: "custom" }>,
	field: string,
	warn: Warn,
): Tool {
	warn({
		kind: "changed",
		field,
		message:
			"The vendor's tools take JSON: this one takes its text as a string in it, and is only told its grammar.",
	});
	const grammar = grammarIn(format);
	const told = [
		...(description ? [description] : []),
		...(grammar ? [grammar] : []),
	];
	return {
		type: "function",
		name,
		...(told.length > 0 && { description: told.join("\n\n") }),
		schema,
	};
}

const schema = {
	type: "object",
	properties: {
		input: {
			type: "string",
			description: "The whole input of the tool, as plain text.",
		},
	},
	required: ["input"],
	additionalProperties: false,
};

function grammarIn(format: unknown): string | undefined {
	if (!isRecord(format) || format.type !== "grammar") return undefined;
	const { syntax, definition } = format;
	return typeof definition === "string"
		? `The input follows this ${syntax === "regex" ? "regular expression" : "Lark grammar"}:\n${definition}`
		: undefined;
}

function withFunctionCalls(message: Message): Message {
	if (message.role !== "assistant" || !message.parts.some(isTextCall))
		return message;
	return {
		...message,
		parts: message.parts.map((part) => {
			if (part.type !== "tool-call" || !part.custom) return part;
			const { custom: _, ...call } = part;
			return { ...call, arguments: JSON.stringify({ input: part.arguments }) };
		}),
	};
}

/** What a model wrote otherwise than it was told is the text. */
function textIn(json: string): string {
	try {
		const parsed: unknown = JSON.parse(json);
		if (isRecord(parsed) && typeof parsed.input === "string")
			return parsed.input;
	} catch {}
	return json;
}
