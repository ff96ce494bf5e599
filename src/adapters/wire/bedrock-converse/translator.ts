import { refuse } from "../../../kernel/outcome.ts";
import type { Translator } from "../../../ports/translator.ts";
import { outcomeOf } from "../canonical/fields.ts";
import { noClients } from "./protocol.ts";
import { openReader } from "./stream-in.ts";
import { readAnswer, readError } from "./translate-answer-in.ts";
import { writeRequest } from "./translate-request-out.ts";

/** Converse to and from the canonical form, on the vendor's side alone: the two directions of clients refuse or throw. */
export const bedrockConverseTranslator: Translator = {
	id: "bedrock-converse",
	readRequest: () => refuse("request/invalid", noClients),
	writeRequest: (request, change, warn) =>
		outcomeOf(() => writeRequest(request, change, warn)),
	readAnswer: (body) => outcomeOf(() => readAnswer(body)),
	writeAnswer: () => {
		throw new Error(noClients);
	},
	openReader,
	openWriter: () => {
		throw new Error(noClients);
	},
	readError,
};
