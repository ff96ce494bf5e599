/** What a person reads of an answer, in whichever of the protocols it came. */

/** The text of a whole answer. */
export function textOf(answer: unknown): string {
	const { choices, content } = answer as {
		choices?: readonly { message?: { content?: unknown } }[];
		content?: unknown;
	};
	if (Array.isArray(choices)) {
		const text = choices[0]?.message?.content;
		return typeof text === "string" ? text : "";
	}
	if (!Array.isArray(content)) return "";
	return content
		.map((part: { text?: unknown }) =>
			typeof part?.text === "string" ? part.text : "",
		)
		.join("");
}

/** Something that came on a stream: a piece of text, or the error that ended it. */
export type StreamPart =
	| { readonly text: string }
	| { readonly error: unknown };

/** Reads server-sent events, cut anywhere, into pieces of text. */
export async function* readStream(
	chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<StreamPart, void, undefined> {
	const decoder = new TextDecoder();
	let rest = "";
	for await (const chunk of chunks) {
		rest += decoder.decode(chunk, { stream: true });
		const lines = rest.split(/\r\n|\n|\r(?!$)/);
		rest = lines.pop() as string;
		for (const line of lines) {
			const part = partOf(line);
			if (part) yield part;
		}
	}
	const part = partOf(rest + decoder.decode());
	if (part) yield part;
}

function partOf(line: string): StreamPart | undefined {
	if (!line.startsWith("data:")) return undefined;
	const data = line.slice("data:".length).trim();
	if (data === "[DONE]") return undefined;
	let event: {
		error?: unknown;
		choices?: readonly { delta?: { content?: unknown } }[];
		delta?: { text?: unknown };
	};
	try {
		event = JSON.parse(data);
	} catch {
		return undefined;
	}
	if (typeof event !== "object" || event === null) return undefined;
	if (event.error !== undefined && event.error !== null)
		return { error: event.error };
	const text = event.choices?.[0]?.delta?.content ?? event.delta?.text;
	return typeof text === "string" && text !== "" ? { text } : undefined;
}
