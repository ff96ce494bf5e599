import { accept, type Outcome, refuse } from "../../../kernel/outcome.ts";
import type {
	ForwardChange,
	Forwarded,
	WireRequest,
} from "../../../ports/wire-protocol.ts";
import {
	type Edit,
	parseValue,
	Spliced,
	scanMembers,
	skipSpace,
	splice,
} from "../json-members.ts";
import {
	countKind,
	invalid,
	isRecord,
	kindOf,
	type Media,
	type RequestBody,
	readBody,
	readFlag,
	readMedia,
	readMember,
	readModel,
	readWhole,
	refuseLists,
	setMember,
	vendorTools,
} from "../request-body.ts";
import { SplicedRequest } from "../spliced-request.ts";

const chatMembers: ReadonlySet<string> = new Set([
	"model",
	"messages",
	"stream",
	"stream_options",
	"max_tokens",
	"max_completion_tokens",
	"n",
	"tools",
	"functions",
	"web_search_options",
	"search_parameters",
	"plugins",
	"service_tier",
	"response_format",
	"reasoning_effort",
	"reasoning",
	"thinking",
	"logprobs",
]);

const embeddingsMembers: ReadonlySet<string> = new Set([
	"model",
	"input",
	"stream",
]);

export function readChat(bytes: Uint8Array): Outcome<WireRequest> {
	const read = readBody(bytes, chatMembers);
	if (!read.ok) return read;
	const body = read.value;
	const model = readModel(body);
	if (!model.ok) return model;
	const lists = refuseLists(body);
	if (lists) return lists;
	const stream = readFlag(body, "stream");
	if (!stream.ok) return stream;
	const options = refuseStreamOptions(body);
	if (options) return options;
	const maxTokens = readWhole(body, "max_tokens", 0);
	if (!maxTokens.ok) return maxTokens;
	const maxCompletionTokens = readWhole(body, "max_completion_tokens", 0);
	if (!maxCompletionTokens.ok) return maxCompletionTokens;
	// Vendors differ in which of the two they obey, so that two different ones name no limit at all.
	if (
		(maxTokens.value ?? maxCompletionTokens.value) !==
		(maxCompletionTokens.value ?? maxTokens.value)
	) {
		return invalid(
			"max_tokens",
			'must equal "max_completion_tokens" or be left out',
		);
	}
	const choices = readWhole(body, "n", 1, 128);
	if (!choices.ok) return choices;
	const media = readMedia(body, mediaTypes, countMedia);
	return accept({
		operation: "chat",
		body: body.bytes,
		model: model.value,
		stream: stream.value,
		outputLimit: maxCompletionTokens.value ?? maxTokens.value,
		choices: choices.value ?? 1,
		inputBytes: Math.max(0, body.bytes.length - media.bytes),
		mediaParts: media.parts,
		serverTools: serverTools(body),
		dos: body.dos,
		opaque: body,
	});
}

export function readEmbeddings(bytes: Uint8Array): Outcome<WireRequest> {
	const read = readBody(bytes, embeddingsMembers);
	if (!read.ok) return read;
	const body = read.value;
	const model = readModel(body);
	if (!model.ok) return model;
	const input = kindOf(body, "input");
	if (input !== "string" && input !== "array") {
		return invalid(
			"input",
			input === "absent" ? "is required" : "must be a string or an array",
		);
	}
	return accept({
		operation: "embeddings",
		body: body.bytes,
		model: model.value,
		stream: false,
		outputLimit: 0,
		choices: 1,
		inputBytes: body.bytes.length,
		mediaParts: 0,
		serverTools: [],
		dos: body.dos,
		opaque: body,
	});
}

export function forward(
	request: WireRequest,
	{ model, outputLimit, quirks }: ForwardChange,
): Forwarded {
	const body = request.opaque as RequestBody;
	const edits: Edit[] = [];
	if (model !== request.model)
		edits.push(setMember(body, "model", JSON.stringify(model)));
	if (request.operation !== "chat")
		return { body: splice(body.bytes, edits), usageAsked: false };
	edits.push(...limitEdits(body, outputLimit, quirks.maxTokensOnly ?? false));
	const asking =
		request.stream && !quirks.noStreamOptions ? askForUsage(body) : undefined;
	if (asking) edits.push(asking);
	return new SplicedRequest(
		new Spliced(body.bytes, edits),
		asking !== undefined,
		outputLimit ?? request.outputLimit,
	);
}

/**
 * The limit under the name that the client used, or that this vendor knows: a limit sent under a
 * name that it passes over would be none.
 */
function limitEdits(
	body: RequestBody,
	limit: number | undefined,
	maxTokensOnly: boolean,
): Edit[] {
	const newer = body.members.get("max_completion_tokens");
	const older = body.members.get("max_tokens");
	const text = limit === undefined ? undefined : String(limit);
	const edits: Edit[] = [];
	if (newer && maxTokensOnly && !older) {
		edits.push({
			start: newer.nameStart,
			end: newer.nameEnd,
			text: '"max_tokens"',
		});
	}
	if (text === undefined) return edits;
	for (const each of [older, newer]) {
		// A null says nothing: it gets the number only where it is the one place to put it.
		const isNull = each && body.bytes[each.valueStart] === 0x6e;
		if (each && !(isNull && older && newer && each === newer)) {
			edits.push({ start: each.valueStart, end: each.valueEnd, text });
		}
	}
	if (!older && !newer)
		edits.push(
			setMember(
				body,
				maxTokensOnly ? "max_tokens" : "max_completion_tokens",
				text,
			),
		);
	return edits;
}

/** What makes a stream end with its usage; undefined when the client asked for it itself. */
function askForUsage(body: RequestBody): Edit | undefined {
	const options = readMember(body, "stream_options");
	const there = body.members.get("stream_options");
	if (!there || !isRecord(options))
		return setMember(body, "stream_options", '{"include_usage":true}');
	if (options.include_usage === true) return undefined;
	const [asked] = usageOptions(body);
	if (asked)
		return { start: asked.valueStart, end: asked.valueEnd, text: "true" };
	const start = there.valueStart + 1;
	const empty = skipSpace(body.bytes, start) === there.valueEnd - 1;
	return { start, end: start, text: `"include_usage":true${empty ? "" : ","}` };
}

function refuseStreamOptions(body: RequestBody) {
	const kind = kindOf(body, "stream_options");
	if (kind === "absent") return undefined;
	if (kind !== "object") return invalid("stream_options", "must be an object");
	const [asked, again] = usageOptions(body);
	if (again) {
		return refuse(
			"request/duplicate-member",
			'The request body has "include_usage" more than once.',
			{
				field: "stream_options.include_usage",
			},
		);
	}
	const value = asked && parseValue(body.bytes, asked);
	return value === undefined || value === null || typeof value === "boolean"
		? undefined
		: invalid("stream_options.include_usage", "must be true or false");
}

function usageOptions({ bytes, members }: RequestBody) {
	const options = members.get("stream_options");
	const scan = options && scanMembers(bytes, options.valueStart, 128);
	return typeof scan === "object"
		? scan.members.filter(({ name }) => name === "include_usage")
		: [];
}

/** Images, audio and files among the messages; data that is no base64 is the vendor's to refuse. */
function countMedia(messages: readonly unknown[], media: Media): void {
	for (const message of messages) {
		if (!isRecord(message) || !Array.isArray(message.content)) continue;
		for (const part of message.content) {
			if (
				!isRecord(part) ||
				typeof part.type !== "string" ||
				!mediaTypes.has(part.type)
			)
				continue;
			countKind(media, part.type);
			const detail = part[part.type];
			if (typeof detail === "string") media.bytes += inlineLength(detail);
			else if (isRecord(detail)) {
				media.bytes +=
					inlineLength(detail.url) +
					lengthOf(detail.data) +
					lengthOf(detail.file_data);
			}
		}
	}
}

const mediaTypes: ReadonlySet<string> = new Set([
	"image_url",
	"input_audio",
	"file",
	"audio_url",
	"video_url",
	"document_url",
]);

function inlineLength(url: unknown): number {
	return typeof url === "string" && url.startsWith("data:") ? url.length : 0;
}

function lengthOf(data: unknown): number {
	return typeof data === "string" ? data.length : 0;
}

/** What runs at the vendor and may add to the bill: every tool that is not the client's to call, and the search options. */
function serverTools(body: RequestBody): readonly string[] {
	const found = vendorTools(
		body,
		(type) => type === "function" || type === "custom",
	);
	for (const option of ["web_search_options", "search_parameters", "plugins"]) {
		if (kindOf(body, option) !== "absent") found.push(option);
	}
	return found;
}
