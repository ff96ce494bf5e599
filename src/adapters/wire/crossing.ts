import {
	accept,
	type Outcome,
	type Refusal,
	refuse,
} from "../../kernel/outcome.ts";
import type { AnswerEvent, CanonicalRequest } from "../../ports/canonical.ts";
import type {
	Crossings,
	Passage,
	PassingAnswer,
} from "../../ports/crossing.ts";
import type {
	Json,
	Naming,
	Translator,
	Warn,
	Warning,
	WrittenRequest,
} from "../../ports/translator.ts";
import type {
	ForwardChange,
	Forwarded,
	Meter,
	Metered,
	WireOperation,
	WireProtocol,
	WireRequest,
} from "../../ports/wire-protocol.ts";
import { inWords } from "./canonical/fields.ts";
import { spread } from "./canonical/gather.ts";
import { type TextTools, textToolsIn } from "./canonical/text-tools.ts";

/** A protocol with the translators that take it to and from the canonical form. */
export interface Spoken {
	readonly wire: WireProtocol;
	/** Absent: it is only ever passed through. */
	readonly translator?: Translator;
}

/** A whole answer is held to be translated: no vendor's is larger. */
const mostBytes = 64 * 1024 * 1024;

export function openCrossings(protocols: readonly Spoken[]): Crossings {
	const spoken = new Map(protocols.map((each) => [each.wire.id, each]));

	return {
		reaches(client, means, vendor) {
			const [from, to] = [spoken.get(client), spoken.get(vendor)];
			if (!from?.translator || !to?.translator) return false;
			if (!to.wire.operations.some((each) => each.means === means))
				return false;
			if (means === "generate") return true;
			return (
				means === "embed" &&
				from.translator.embeddings !== undefined &&
				to.translator.embeddings !== undefined
			);
		},
		open({ wire, operation, request, vendor, change, naming }) {
			const to = spoken.get(vendor);
			const from = spoken.get(wire.id);
			if (!from?.translator || !to?.translator)
				throw new Error(`There is no way from ${wire.id} to ${vendor}.`);
			const crossing: Crossing = {
				client: wire,
				from: from.translator,
				vendor: to.wire,
				to: to.translator,
				operation: operationOf(to.wire, operation.means),
				request,
				change,
				naming,
			};
			return operation.means === "embed"
				? crossEmbeddings(crossing)
				: crossAnswers(crossing);
		},
	};
}

function operationOf(wire: WireProtocol, means: string): WireOperation {
	return wire.operations.find((each) => each.means === means) as WireOperation;
}

/** A request on its way from one protocol to another. */
interface Crossing {
	readonly client: WireProtocol;
	readonly from: Translator;
	readonly vendor: WireProtocol;
	readonly to: Translator;
	/** The vendor's. */
	readonly operation: WireOperation;
	readonly request: WireRequest;
	readonly change: ForwardChange;
	readonly naming: Naming;
}

/** What differs between kinds of answers; the rest of the way is the same. */
interface Route {
	/** What reading the client's request warned of. */
	readonly warnings: readonly Warning[];
	write(change: ForwardChange, warn: Warn): Outcome<WrittenRequest>;
	/** A whole answer for the client. */
	finish(body: unknown, warn: Warn): Outcome<Uint8Array>;
	/** An answer that is to go on as it comes; absent: this kind never does. */
	readonly stream?: () => AnswerStream;
}

interface AnswerStream {
	/** What the answer lost so far. */
	readonly warnings: readonly Warning[];
	readonly contentType: string;
	push(chunk: Uint8Array): Uint8Array | undefined;
	end(): Uint8Array | undefined;
	refuse(refusal: Refusal): Uint8Array;
}

function crossAnswers(crossing: Crossing): Outcome<Passage> {
	const { from, to, request, naming } = crossing;
	const { warnings, warn } = collect();
	const read = from.readRequest(request, warn);
	if (!read.ok) return read;
	const asked = read.value;
	const texts = to.takesText?.(crossing.change.quirks)
		? undefined
		: textToolsIn(asked, warn);
	const sent = texts?.request ?? asked;

	function finishWhole(body: unknown, warn: Warn): Outcome<Uint8Array> {
		const read = to.readAnswer(body);
		if (!read.ok) return read;
		const answer = texts ? texts.answer(read.value) : read.value;
		if (!asked.stream)
			return accept(json(from.writeAnswer(answer, asked, naming, warn)));
		// The vendor answered at once what the client wanted as a stream.
		const writer = from.openWriter(asked, naming, request, warn);
		return accept(join(writer.push(spread(answer)), writer.end()));
	}

	return cross(crossing, {
		warnings,
		write: (change, warn) => to.writeRequest(sent, change, warn),
		finish: finishWhole,
		...(asked.stream && { stream: () => openStream(crossing, asked, texts) }),
	});
}

function crossEmbeddings(crossing: Crossing): Outcome<Passage> {
	const { request, naming } = crossing;
	const { embeddings: from } = crossing.from;
	const { embeddings: to } = crossing.to;
	if (!from || !to)
		throw new Error(`${crossing.vendor.id} has no embeddings to translate.`);
	const { warnings, warn } = collect();
	const read = from.readRequest(request, warn);
	if (!read.ok) return read;
	return cross(crossing, {
		warnings,
		write: (change, warn) => to.writeRequest(read.value, change, warn),
		finish(body, warn) {
			const answer = to.readAnswer(body);
			if (!answer.ok) return answer;
			return accept(
				json(from.writeAnswer(answer.value, read.value, naming, warn)),
			);
		},
	});
}

function cross(crossing: Crossing, route: Route): Outcome<Passage> {
	const { client, from, vendor, to, operation, request, change } = crossing;
	const { warnings, warn } = collect(route.warnings);
	const words = from.words ?? {};
	const first = route.write(change, (warning) =>
		warn({ ...warning, field: inWords(words, warning.field) }),
	);
	if (!first.ok) return inTheirWords(first.error, words);
	const sent: WireRequest = { ...request, operation: operation.id };

	function written(outputLimit: number | undefined): WrittenRequest {
		if (outputLimit === change.outputLimit && first.ok) return first.value;
		const again = route.write({ ...change, outputLimit }, () => {});
		// What could be said before can be said with a smaller limit.
		if (!again.ok) throw new Error(again.error.message);
		return again.value;
	}

	return accept({
		passHeaders: [],
		path: operation.upstreamPath,
		warnings,
		forward(outputLimit): Forwarded {
			const { path, body, headers } = written(outputLimit);
			return {
				body: json(body),
				usageAsked: false,
				path,
				...(headers && { headers }),
				outputLimit: outputLimit ?? request.outputLimit,
			};
		},
		answer(forwarded, status, contentType): PassingAnswer {
			const inner = vendor.meter(sent, forwarded, status, contentType);
			const stream = route.stream?.();
			const late = !stream || isJson(contentType);
			return {
				contentType: stream?.contentType ?? "application/json",
				streaming: stream !== undefined,
				meter: late ? gathering(inner, route) : streaming(inner, stream),
			};
		},
		vendorError(status, body) {
			const { message, code } = to.readError(status, body);
			return client.refusal(status, {
				code: "vendor/error",
				message,
				...(code !== undefined && { details: { vendorCode: code } }),
			}).body;
		},
	});
}

/** A writer's refusal names the canonical field: the client is told its own. */
function inTheirWords(
	refusal: Refusal,
	words: Readonly<Record<string, string>>,
): { readonly ok: false; readonly error: Refusal } {
	const field = refusal.details?.field;
	return refuse(refusal.code, refusal.message, {
		...refusal.details,
		...(typeof field === "string" && { field: inWords(words, field) }),
	});
}

/** The vendor's answer is paid by its own protocol's meter, and translated beside it. */
function streaming(inner: Meter, stream: AnswerStream): Meter {
	return {
		pass(chunk) {
			inner.pass(chunk);
			return stream.push(chunk);
		},
		finish() {
			const metered = inner.finish();
			const rest = stream.end();
			return { ...metered, rest, warnings: stream.warnings.map(messageOf) };
		},
		refuse: stream.refuse,
	};
}

function gathering(inner: Meter, route: Route): Meter {
	let chunks: Uint8Array[] = [];
	let size = 0;
	return {
		pass(chunk) {
			inner.pass(chunk);
			size += chunk.byteLength;
			if (size <= mostBytes) chunks.push(chunk);
			return undefined;
		},
		finish(): Metered {
			const metered = inner.finish();
			const body = Buffer.concat(chunks);
			chunks = [];
			// An answer that broke off, or is an error, has nothing whole to translate.
			if (!metered.complete || metered.vendorError !== undefined)
				return { ...metered, rest: undefined };
			const { warnings, warn } = collect();
			const translated =
				size > mostBytes ? tooLarge : finishParsed(route, body, warn);
			if (!translated.ok)
				return {
					...metered,
					rest: undefined,
					vendorError: translated.error.message,
				};
			return {
				...metered,
				rest: translated.value,
				warnings: warnings.map(messageOf),
			};
		},
	};
}

function finishParsed(
	route: Route,
	body: Buffer,
	warn: Warn,
): Outcome<Uint8Array> {
	let parsed: unknown;
	try {
		parsed = JSON.parse(body.toString());
	} catch {
		return refuse("vendor/garbled", "The vendor's answer is not JSON.");
	}
	return route.finish(parsed, warn);
}

const tooLarge = refuse(
	"vendor/garbled",
	"The vendor's answer is too large to translate.",
);

function openStream(
	{ client, from, to, request, naming }: Crossing,
	asked: CanonicalRequest,
	texts: TextTools | undefined,
): AnswerStream {
	const reader = to.openReader(texts?.request ?? asked);
	const { warnings, warn } = collect();
	const writer = from.openWriter(asked, naming, request, warn);
	let ending: "end" | "error" | undefined;

	function refuseWith(refusal: Refusal): Uint8Array {
		return writer.refuse?.(refusal) ?? client.streamRefusal(refusal);
	}

	function write(read: readonly AnswerEvent[]): Uint8Array | undefined {
		const events = texts ? texts.events(read) : read;
		if (ending || events.length === 0) return undefined;
		const last = events.at(-1);
		if (last?.type !== "end" && last?.type !== "error")
			return writer.push(events);
		ending = last.type;
		const said = writer.push(events.slice(0, -1));
		if (last.type === "end") return join(said, writer.end());
		return join(
			said,
			refuseWith({ code: "vendor/error", message: last.error.message }),
		);
	}

	return {
		warnings,
		refuse: refuseWith,
		contentType: writer.contentType ?? "text/event-stream",
		push: (chunk) => write(reader.push(chunk)),
		end: () => write(reader.end()),
	};
}

function messageOf({ message }: Warning): string {
	return message;
}

function isJson(contentType: string): boolean {
	return contentType.toLowerCase().startsWith("application/json");
}

function json(value: Json): Uint8Array {
	return Buffer.from(JSON.stringify(value));
}

function join(...pieces: readonly (Uint8Array | undefined)[]): Uint8Array {
	const there = pieces.filter((piece) => piece !== undefined);
	return there.length === 1 ? (there[0] as Uint8Array) : Buffer.concat(there);
}

/** Bodies can be made to be warned of a million times: so many warnings are kept of one call, and so long. */
const mostWarnings = 100;
const mostCharacters = 200;

const moreLost: Warning = {
	kind: "dropped",
	field: "…",
	message: "There is more that was dropped or changed than is listed here.",
};

/** Gathers warnings, the same kind and field once, up to a bound. */
function collect(before: readonly Warning[] = []): {
	readonly warnings: readonly Warning[];
	readonly warn: Warn;
} {
	const warnings = [...before];
	const seen = new Set(warnings.map(nameOf));
	return {
		warnings,
		warn(warning) {
			if (warnings.length > mostWarnings) return;
			// What is beyond the bound is not even looked at.
			const kept =
				warnings.length === mostWarnings ? moreLost : shortened(warning);
			const name = nameOf(kept);
			if (seen.has(name)) return;
			seen.add(name);
			warnings.push(kept);
		},
	};
}

function nameOf({ kind, field }: Warning): string {
	return `${kind} ${field}`;
}

function shortened({ kind, field, message }: Warning): Warning {
	return {
		kind,
		field: field.slice(0, mostCharacters),
		message: message.slice(0, mostCharacters),
	};
}
