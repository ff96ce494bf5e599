import { genaiPriceBook } from "../../../adapters/price-book/genai-prices.ts";
