import type { CanonicalEmbedRequest } from "../../../ports/canonical.ts";
import type { EmbeddingsTranslator } from "../../../ports/translator.ts";
import {
	bodyFields,
	type Fields,
	outcomeOf,
	present,
	recordOf,
	recordsOf,
	textOf,
	unreadable,
} from "../canonical/fields.ts";
import { readUsage } from "./answer-in.ts";
import { leaveOut } from "./request-out.ts";

export const embeddings: EmbeddingsTranslator = {
	readRequest: ({ body: bytes }, warn) =>
		outcomeOf(() => {
			const body = bodyFields(bytes, warn);
			const request: CanonicalEmbedRequest = present({
				model: body.need("model", body.text("model")),
				...readInput(body),
				dimensions: body.whole("dimensions", 1),
				encoding: body.oneOf("encoding_format", ["float", "base64"]) ?? "float",
				user: body.text("user"),
			});
			body.done();
			return request;
		}),

	writeRequest: (request, { model, quirks }, warn) =>
		outcomeOf(() => {
			for (const name of ["task", "title"] as const) {
				if (request[name] !== undefined)
					warn({
						kind: "dropped",
						field: name,
						message: "This protocol does not say what vectors are for.",
					});
			}
			const [first] = request.inputs;
			const body: Record<string, unknown> = present({
				model,
				input: request.single ? first : request.inputs,
				dimensions: request.dimensions,
				// Numbers, which every vendor sends, whatever form the client wants.
				encoding_format: "float",
				user: request.user,
			});
			for (const word of quirks.lacks ?? []) leaveOut(body, word, warn);
			return { path: "/embeddings", body };
		}),

	readAnswer: (body) =>
		outcomeOf(() => {
			const answer = recordOf(body) ?? unreadable("is no JSON object");
			const vectors: (readonly number[])[] = [];
			for (const [position, each] of recordsOf(answer.data).entries()) {
				const index = Number.isSafeInteger(each.index)
					? (each.index as number)
					: position;
				if (index < 0 || index > 100_000)
					unreadable("numbers its vectors wildly");
				vectors[index] = readVector(each.embedding);
			}
			if (vectors.length === 0 || Object.keys(vectors).length < vectors.length)
				unreadable("lacks some of the vectors");
			return present({
				model: textOf(answer.model) || undefined,
				vectors,
				usage: readUsage(answer),
			});
		}),

	writeAnswer(answer, request, naming) {
		const tokens = Object.values(answer.usage ?? {}).reduce(
			(sum, each) => sum + each,
			0,
		);
		return {
			object: "list",
			data: answer.vectors.map((vector, index) => ({
				object: "embedding",
				index,
				embedding: request.encoding === "base64" ? packed(vector) : vector,
			})),
			model: answer.model ?? naming.model,
			usage: { prompt_tokens: tokens, total_tokens: tokens },
		};
	},
};

/** A text, its tokens, or a list of either. */
function readInput(
	body: Fields,
): Pick<CanonicalEmbedRequest, "inputs" | "single"> {
	const input = body.need("input", body.value("input"));
	if (typeof input === "string") return { inputs: [input], single: true };
	const list = body.need("input", body.list("input"));
	if (list.length === 0) body.refuse("input", "must not be empty");
	if (isTokens(list)) return { inputs: [list], single: true };
	return {
		inputs: list.map((each, index) =>
			typeof each === "string" || isTokens(each)
				? each
				: body.refuse(`input.${index}`, "must be a string or token numbers"),
		),
		single: false,
	};
}

function isTokens(value: unknown): value is readonly number[] {
	return (
		Array.isArray(value) &&
		value.length > 0 &&
		value.every((each) => Number.isSafeInteger(each) && each >= 0)
	);
}

function readVector(embedding: unknown): readonly number[] {
	if (typeof embedding === "string") return unpacked(embedding);
	if (
		!Array.isArray(embedding) ||
		!embedding.every((each) => typeof each === "number")
	)
		unreadable("has a vector that is no list of numbers");
	return embedding as readonly number[];
}

/** Base64 of 32-bit floats, the lowest byte first. */
function packed(vector: readonly number[]): string {
	const bytes = Buffer.allocUnsafe(4 * vector.length);
	for (const [index, each] of vector.entries())
		bytes.writeFloatLE(each, 4 * index);
	return bytes.toString("base64");
}

function unpacked(text: string): number[] {
	const bytes = Buffer.from(text, "base64");
	if (bytes.length === 0 || bytes.length % 4 !== 0)
		unreadable("has a vector that is cut off");
	return Array.from({ length: bytes.length / 4 }, (_, index) =>
		bytes.readFloatLE(4 * index),
	);
}
