import { accept, type Outcome } from "../../../kernel/outcome.ts";
import type {
	ForwardChange,
	Forwarded,
	RequestTarget,
	WireRequest,
} from "../../../ports/wire-protocol.ts";
import {
	type Edit,
	type Member,
	parseValue,
	type Scan,
	scanMembers,
	skipSpace,
	splice,
} from "../json-members.ts";
import {
	bodyOf,
	countKind,
	invalid,
	isRecord,
	kindOf,
	type Media,
	noMedia,
	type RequestBody,
	readMember,
	scanBody,
	setMember,
} from "../request-body.ts";
import { elementsOf, protoMembers } from "./proto-members.ts";

/** What follows the model's name in the address. */
export type Verb =
	| "generateContent"
	| "streamGenerateContent"
	| "countTokens"
	| "embedContent"
	| "batchEmbedContents";

/** What is needed again after reading. */
export interface Asked {
	readonly verb: Verb;
	readonly body: RequestBody;
	/** The members of the generation config, where there is one. */
	readonly config: ReadonlyMap<string, Member>;
	/** Names of the model in the body, which have to agree with the one in the address. */
	readonly models: readonly Member[];
	/** The client did not ask for events, so that it gets its stream as one JSON array. */
	readonly arrayForm: boolean;
	/** Tools that the client declares, and those of the vendor's. */
	readonly tools: number;
}

const generateMembers: ReadonlySet<string> = new Set([
	"model",
	"contents",
	"systemInstruction",
	"generationConfig",
	"tools",
	"cachedContent",
	"serviceTier",
]);
const configMembers: ReadonlySet<string> = new Set([
	"maxOutputTokens",
	"candidateCount",
	"responseSchema",
	"responseJsonSchema",
	"responseLogprobs",
	"thinkingConfig",
]);
const countMembers: ReadonlySet<string> = new Set([
	"model",
	"contents",
	"generateContentRequest",
]);
const embedMembers: ReadonlySet<string> = new Set(["model", "content"]);
const batchMembers: ReadonlySet<string> = new Set(["requests"]);
const modelMember: ReadonlySet<string> = new Set(["model"]);

const nested = 128;

export function readRequest(
	verb: Verb,
	operation: string,
	bytes: Uint8Array,
	target: RequestTarget | undefined,
): Outcome<WireRequest> {
	const model = readModel(target);
	if (!model.ok) return model;
	const scanned = scanBody(bytes);
	if (!scanned.ok) return scanned;
	const { bytes: buffer, scan, dos } = scanned.value;
	const members = protoMembers(scan, membersOf(verb));
	if (!members.ok) return members;
	const body = bodyOf(buffer, members.value, dos);
	const shape = refuseShape(verb, body);
	if (shape) return shape;
	const config = readConfig(body);
	if (!config.ok) return config;
	const limit = readWhole(body, config.value, "maxOutputTokens", 0);
	if (!limit.ok) return limit;
	const choices = readWhole(body, config.value, "candidateCount", 1, 128);
	if (!choices.ok) return choices;
	const models = readModels(body, model.value);
	if (!models.ok) return models;
	const media = readMedia(body);
	const generates = isGenerate(verb);
	const tools = readTools(body);
	const asked: Asked = {
		verb,
		body,
		config: config.value,
		models: models.value,
		arrayForm: verb === "streamGenerateContent" && !asksEvents(target?.query),
		tools: tools.count,
	};
	return accept({
		operation,
		body: buffer,
		model: model.value,
		stream: verb === "streamGenerateContent",
		outputLimit: generates ? limit.value : 0,
		choices: choices.value ?? 1,
		inputBytes: Math.max(0, buffer.length - media.bytes),
		mediaParts: media.parts,
		serverTools: generates ? tools.servers : [],
		dos,
		opaque: asked,
	});
}

export function forward(
	request: WireRequest,
	{ model, outputLimit }: ForwardChange,
): Forwarded {
	const { verb, body, config, models } = request.opaque as Asked;
	const edits: Edit[] = [];
	if (model !== request.model) {
		const text = JSON.stringify(resourceName(model));
		for (const { valueStart, valueEnd } of models)
			edits.push({ start: valueStart, end: valueEnd, text });
	}
	const limit = isGenerate(verb) ? outputLimit : undefined;
	if (limit !== undefined) edits.push(limitEdit(body, config, String(limit)));
	return {
		body: splice(body.bytes, edits),
		path: vendorPath(model, verb),
		usageAsked: false,
		outputLimit: limit ?? request.outputLimit,
	};
}

/** Where a vendor's model is asked, behind its base address. Streams always come as events. */
export function vendorPath(model: string, verb: Verb): string {
	const name = resourceName(model)
		.split("/")
		.map((each) => encodeURIComponent(each))
		.join("/");
	return `/${name}:${verb}${verb === "streamGenerateContent" ? "?alt=sse" : ""}`;
}

/** `models/x`; a model that has a collection of its own (`tunedModels/x`) keeps it. */
export function resourceName(model: string): string {
	return /^(?:models|tunedModels)\//.test(model) ? model : `models/${model}`;
}

function isGenerate(verb: Verb): boolean {
	return verb === "generateContent" || verb === "streamGenerateContent";
}

function membersOf(verb: Verb): ReadonlySet<string> {
	switch (verb) {
		case "countTokens":
			return countMembers;
		case "embedContent":
			return embedMembers;
		case "batchEmbedContents":
			return batchMembers;
		default:
			return generateMembers;
	}
}

function readModel(target: RequestTarget | undefined): Outcome<string> {
	const model = target?.parameters.model?.replace(/^models\//, "");
	if (model === undefined) return invalid("model", "is required");
	return model.trim() === "" || model.length > 512
		? invalid("model", "must have 1 to 512 characters")
		: accept(model);
}

function asksEvents(query: string | undefined): boolean {
	if (!query) return false;
	const asked = new URLSearchParams(query);
	return (asked.get("alt") ?? asked.get("$alt")) === "sse";
}

/** The vendor takes a single element where its schema has a list, and its own samples make use of that. */
function refuseShape(verb: Verb, body: RequestBody) {
	const field =
		verb === "embedContent"
			? "content"
			: verb === "batchEmbedContents"
				? "requests"
				: "contents";
	const kind = kindOf(body, field);
	const whole =
		verb === "countTokens" &&
		kindOf(body, "generateContentRequest") === "object";
	if (kind === "absent")
		return whole ? undefined : invalid(field, "is required");
	if (verb === "embedContent") {
		if (kind !== "object") return invalid(field, "must be an object");
	} else if (kind !== "array" && (kind !== "object" || field === "requests")) {
		return invalid(field, "must be an array");
	}
	const tools = kindOf(body, "tools");
	return tools === "array" || tools === "absent"
		? undefined
		: invalid("tools", "must be an array");
}

const noMembers: ReadonlyMap<string, Member> = new Map();

function readConfig(body: RequestBody): Outcome<ReadonlyMap<string, Member>> {
	const kind = kindOf(body, "generationConfig");
	if (kind === "absent") return accept(noMembers);
	if (kind !== "object")
		return invalid("generationConfig", "must be an object");
	const at = body.members.get("generationConfig") as Member;
	const scan = scanMembers(body.bytes, at.valueStart, nested);
	return typeof scan === "object"
		? protoMembers(scan, configMembers, "generationConfig.")
		: accept(noMembers);
}

function readWhole(
	{ bytes }: RequestBody,
	config: ReadonlyMap<string, Member>,
	name: string,
	least: number,
	most: number = Number.MAX_SAFE_INTEGER,
): Outcome<number | undefined> {
	const there = config.get(name);
	const number = there && (parseValue(bytes, there) ?? undefined);
	if (number === undefined) return accept(undefined);
	return Number.isSafeInteger(number) &&
		(number as number) >= least &&
		(number as number) <= most
		? accept(number as number)
		: invalid(
				`generationConfig.${name}`,
				most < Number.MAX_SAFE_INTEGER
					? `must be a whole number from ${least} to ${most}`
					: `must be a whole number of ${least} or more`,
			);
}

/** Each name of a model that the body says; all have to be the one in the address. */
function readModels(
	body: RequestBody,
	model: string,
): Outcome<readonly Member[]> {
	const { bytes, members } = body;
	const found: { field: string; scan: Scan }[] = [];
	const scanAt = (at: number) => scanMembers(bytes, at, nested);
	const requests = members.get("requests");
	if (requests) {
		let index = 0;
		for (const scan of elementsOf(bytes, requests, scanAt)) {
			if (!scan) return invalid(`requests.${index}`, "must be an object");
			found.push({ field: `requests.${index++}.`, scan });
		}
	}
	if (kindOf(body, "generateContentRequest") === "object") {
		const at = members.get("generateContentRequest") as Member;
		const scan = scanAt(at.valueStart);
		if (typeof scan === "object")
			found.push({ field: "generateContentRequest.", scan });
	}
	const models: Member[] = [];
	const check = (field: string, at: Member | undefined) => {
		const named = at && (parseValue(bytes, at) ?? undefined);
		if (named === undefined) return undefined;
		if (typeof named !== "string" || named.replace(/^models\//, "") !== model)
			return invalid(`${field}model`, "must be the model in the address");
		models.push(at as Member);
		return undefined;
	};
	const refused = check("", members.get("model"));
	if (refused) return refused;
	for (const { field, scan } of found) {
		const inner = protoMembers(scan, modelMember, field);
		if (!inner.ok) return inner;
		const wrong = check(field, inner.value.get("model"));
		if (wrong) return wrong;
	}
	return accept(models);
}

/** Writes the limit where it is, into the config that is there, or with a config of its own. */
function limitEdit(
	body: RequestBody,
	config: ReadonlyMap<string, Member>,
	text: string,
): Edit {
	const there = config.get("maxOutputTokens");
	if (there) return { start: there.valueStart, end: there.valueEnd, text };
	const at = body.members.get("generationConfig");
	if (!at || body.bytes[at.valueStart] !== 0x7b)
		return setMember(body, "generationConfig", `{"maxOutputTokens":${text}}`);
	const start = at.valueStart + 1;
	const empty = skipSpace(body.bytes, start) === at.valueEnd - 1;
	return {
		start,
		end: start,
		text: `"maxOutputTokens":${text}${empty ? "" : ","}`,
	};
}

/**
 * Images, audio, video and documents wherever they stand, and cached content, which costs tokens
 * that the body does not show either.
 */
function readMedia(body: RequestBody): Readonly<Media> {
	const media: Media = { ...noMedia };
	if (kindOf(body, "cachedContent") !== "absent") media.parts++;
	for (const name of [
		"contents",
		"systemInstruction",
		"generateContentRequest",
		"content",
		"requests",
	]) {
		const there = body.members.get(name);
		if (
			there &&
			mayHoldMedia(body.bytes.subarray(there.valueStart, there.valueEnd))
		)
			countMedia(readMember(body, name), media);
	}
	body.media = media;
	return media;
}

/** A name may be written with escapes, so that where there are any, only a parser knows. */
function mayHoldMedia(bytes: Buffer): boolean {
	return (
		bytes.includes('Data"') || bytes.includes('_data"') || bytes.includes("\\u")
	);
}

function countMedia(value: unknown, media: Media): void {
	if (Array.isArray(value)) {
		for (const each of value) countMedia(each, media);
		return;
	}
	if (!isRecord(value)) return;
	for (const [name, inner] of Object.entries(value)) {
		if (name === "fileData" || name === "file_data")
			countKind(media, mimeTypeOf(inner));
		else if (name === "inlineData" || name === "inline_data") {
			countKind(media, mimeTypeOf(inner));
			if (isRecord(inner) && typeof inner.data === "string")
				media.bytes += inner.data.length;
		} else if (name !== "args" && name !== "response") {
			countMedia(inner, media);
		}
	}
}

function mimeTypeOf(data: unknown): string {
	const type = isRecord(data) ? (data.mimeType ?? data.mime_type) : undefined;
	return typeof type === "string" ? type : "";
}

const noTools = { count: 0, servers: [] };

/** Each tool is named by its member: functions are the client's and come in lists, and all but `clientTools` run at the vendor. */
function readTools({ bytes, members }: RequestBody): {
	readonly count: number;
	readonly servers: readonly string[];
} {
	const tools = members.get("tools");
	if (!tools || bytes[tools.valueStart] !== 0x5b) return noTools;
	const servers: string[] = [];
	let count = 0;
	for (const scan of elementsOf(bytes, tools, (at) =>
		scanMembers(bytes, at, nested, functionLists),
	)) {
		// What is no object hides what comes after it.
		if (!scan) {
			servers.push("unknown");
			break;
		}
		for (const { name, elements } of scan.members) {
			count += functionLists.has(name) ? elements.length : 1;
			const kind = name.slice(0, 64);
			if (
				!clientTools.has(kind) &&
				!servers.includes(kind) &&
				servers.length < 32
			)
				servers.push(kind);
		}
	}
	return { count, servers };
}

const functionLists: ReadonlySet<string> = new Set([
	"functionDeclarations",
	"function_declarations",
]);
const clientTools: ReadonlySet<string> = new Set([
	"functionDeclarations",
	"function_declarations",
	"computerUse",
	"computer_use",
]);
