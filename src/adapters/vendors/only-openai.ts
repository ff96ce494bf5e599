/**
 * What of Chat Completions is OpenAI's own, and what others who speak it do not document: a row's
 * `lacks` begins with it, where the vendor does not say otherwise.
 */
export const onlyOpenai: readonly string[] = [
	"developer",
	"custom",
	"allowed_tools",
	"verbosity",
	"service_tier",
	"prompt_cache_key",
	"web_search_options",
	"audio",
	"file",
];

/** The same for a vendor that documents some of it too. */
export function onlyOpenaiBut(...documented: readonly string[]): string[] {
	return onlyOpenai.filter((word) => !documented.includes(word));
}
