import type {
	CanonicalEmbedAnswer,
	CanonicalEmbedRequest,
} from "../../../ports/canonical.ts";
import type {
	EmbeddingsTranslator,
	Json,
	Warn,
	WrittenRequest,
} from "../../../ports/translator.ts";
import type {
	ForwardChange,
	WireRequest,
} from "../../../ports/wire-protocol.ts";
import {
	bodyFields,
	type Fields,
	isRecord,
	listOf,
	outcomeOf,
	present,
	unreadable,
	unsupported,
} from "../canonical/fields.ts";
import { inner, innerEach, protoFields } from "./proto-fields.ts";
import { type Asked, resourceName, vendorPath } from "./request.ts";
import { embedUsage } from "./usage.ts";

export const googleEmbeddings: EmbeddingsTranslator = {
	readRequest: (request, warn) => outcomeOf(() => readRequest(request, warn)),
	writeRequest: (request, change, warn) =>
		outcomeOf(() => writeRequest(request, change, warn)),
	readAnswer: (body) => outcomeOf(() => readAnswer(body)),
	writeAnswer: (answer, request) => writeAnswer(answer, request),
};

/** What is asked of one text. */
interface Manner {
	readonly dimensions?: number;
	readonly task?: string;
	readonly title?: string;
}

function readRequest(request: WireRequest, warn: Warn): CanonicalEmbedRequest {
	const body = protoFields(bodyFields(request.body, warn).record, "", warn);
	const single = (request.opaque as Asked).verb === "embedContent";
	const asked = single ? [body] : innerEach(body, "requests");
	const read = asked.map((each) => ({
		text: readText(each),
		...readManner(each),
	}));
	const [first] = read;
	for (const [index, each] of read.entries())
		for (const name of ["dimensions", "task", "title"] as const)
			if (each[name] !== first?.[name])
				unsupported(
					`requests.${index}.${mannerNames[name]}`,
					"differs between texts",
				);
	if (!single) body.done();
	const { text, ...manner } = first ?? { text: "" };
	return {
		model: request.model,
		inputs: read.map((each) => each.text),
		single,
		...manner,
		encoding: "float",
	};
}

const mannerNames = {
	dimensions: "outputDimensionality",
	task: "taskType",
	title: "title",
};

function readManner(asked: Fields): Manner {
	const manner = present({
		dimensions: asked.whole("outputDimensionality", 1),
		task: asked.text("taskType"),
		title: asked.text("title"),
	}) as Manner;
	asked.pass("model");
	asked.done();
	return manner;
}

function readText(asked: Fields): string {
	const content = asked.need("content", inner(asked, "content"));
	const texts = innerEach(content, "parts").map((part) => {
		const text =
			part.text("text") ??
			part.unsupported("text", "is missing: only texts have vectors elsewhere");
		part.done();
		return text;
	});
	content.pass("role");
	content.done();
	return texts.join("\n");
}

function writeRequest(
	request: CanonicalEmbedRequest,
	{ model }: ForwardChange,
	warn: Warn,
): WrittenRequest {
	if (request.user !== undefined)
		warn({
			kind: "dropped",
			field: "user",
			message: "The vendor knows no such member.",
		});
	const requests = request.inputs.map((input, index) =>
		typeof input === "string"
			? present({
					model: resourceName(model),
					content: { parts: [{ text: input }] },
					taskType: request.task,
					title: request.title,
					outputDimensionality: request.dimensions,
				})
			: unsupported(`inputs.${index}`, "is a list of another vendor's tokens"),
	);
	const [only] = requests;
	return request.single && only && requests.length === 1
		? { path: vendorPath(model, "embedContent"), body: only }
		: { path: vendorPath(model, "batchEmbedContents"), body: { requests } };
}

function readAnswer(body: unknown): CanonicalEmbedAnswer {
	if (!isRecord(body)) return unreadable("has no embeddings");
	const list = isRecord(body.embedding)
		? [body.embedding]
		: listOf(body.embeddings);
	const vectors = list.map((each) => {
		const values = isRecord(each) ? listOf(each.values) : [];
		return values.length > 0 &&
			values.every((value) => typeof value === "number")
			? (values as number[])
			: unreadable("has an embedding without numbers");
	});
	if (vectors.length === 0) return unreadable("has no embeddings");
	const reading =
		isRecord(body.usageMetadata) && embedUsage(body.usageMetadata);
	return {
		vectors,
		...(reading && "usage" in reading && { usage: reading.usage }),
	};
}

function writeAnswer(
	{ vectors, usage }: CanonicalEmbedAnswer,
	{ single }: CanonicalEmbedRequest,
): Json {
	const embeddings = vectors.map((values) => ({ values }));
	const promptTokenCount = usage?.input;
	return {
		...(single && embeddings.length === 1
			? { embedding: embeddings[0] }
			: { embeddings }),
		...(promptTokenCount !== undefined && {
			usageMetadata: { promptTokenCount, totalTokenCount: promptTokenCount },
		}),
	};
}
