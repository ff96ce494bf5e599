import { accept, type Outcome } from "../../../kernel/outcome.ts";
import { invalid } from "../request-body.ts";
import { type Form, fieldOf } from "./form-data.ts";

/** The model that a form names, or the refusal. */
export function modelOf(form: Form): Outcome<string> {
	const field = fieldOf(form, "model");
	if (!field.ok) return field;
	const model = field.value;
	if (model === undefined) return invalid("model", "is required");
	if (model.trim() === "" || model.length > 512)
		return invalid("model", "must have 1 to 512 characters");
	// biome-ignore lint/suspicious/noControlCharactersInRegex: a name that holds them is none.
	if (/[\0-\x1f\x7f]/.test(model))
		return invalid("model", "must have no control characters");
	return accept(model);
}

/** Bytes of a form that are no file's: what may become input tokens. */
export function restBytes({ bytes, parts }: Form): number {
	let rest = bytes.length;
	for (const { isFile, start, end } of parts) if (isFile) rest -= end - start;
	return rest;
}

/** Whether a field says yes, in the words that vendors take for it. */
export function truth(field: string | undefined): boolean {
	return field !== undefined && /^(?:true|1|on|yes|y|t)$/i.test(field.trim());
}
