export {
	applySettings,
	type Change,
	readSetting,
	undoSettings,
} from "./settings.ts";
