/** Numbers as people read them: three significant digits, a unit that fits, and a dash for what nobody knows. */

export const UNKNOWN = "–";

export type Unit = "s" | "J" | "usd" | "share" | "count" | "factor" | "per_s" | "ms" | "plain" | "bytes";

export type Number = number | null | undefined;

const SI: readonly [number, string][] = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
];
const MINUS = "−";
const THIN = "\u202f";

/** Whether a number is known: neither left out nor NaN. */
export function known(value: Number): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

/** Three significant digits, without an exponent, and with no more than `most` decimals. */
export function digits(value: number, most = 3): string {
  if (value === 0) return "0";
  // Rounded first: 0.9999 has the decimals of 1.00.
  const size = Number(Math.abs(value).toPrecision(3));
  const decimals = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : Math.min(most, 2 - Math.floor(Math.log10(size)));
  const text = size.toFixed(Math.min(decimals, most));
  return Number(text) === 0 ? `<${(10 ** -most).toFixed(most)}` : text;
}

/** A whole number with thin spaces between thousands. */
export function whole(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
}

function scaled(size: number, unit: string): [string, string] {
  for (const [factor, prefix] of SI) if (size >= factor * 0.9995) return [digits(size / factor), prefix + unit];
  return [digits(size), unit];
}

function duration(size: number): [string, string] {
  if (size === 0) return ["0", "s"];
  if (size < 0.9995e-3) return [digits(size * 1e6), "µs"];
  if (size < 0.9995) return [digits(size * 1e3), "ms"];
  if (size < 99.95) return [digits(size), "s"];
  if (size < 5_970) return [digits(size / 60), "min"];
  if (size < 172_000) return [digits(size / 3_600), "h"];
  return [digits(size / 86_400), "d"];
}

/** The number and the unit, apart. */
export function parts(value: Number, unit: Unit): [string, string] {
  if (!known(value)) return [UNKNOWN, ""];
  const sign = value < 0 ? MINUS : "";
  const size = Math.abs(value);
  const [number, suffix] = ((): [string, string] => {
    switch (unit) {
      case "s":
        return duration(size);
      case "ms":
        return duration(size / 1e3);
      case "J":
        return size > 0 && size < 1 ? [digits(size * 1e3), "mJ"] : scaled(size, "J");
      case "bytes":
        return scaled(size, "B");
      case "usd":
        return size > 0 && size < 0.01 ? [digits(size * 1e3), "m$"] : [digits(size), "$"];
      case "share":
        return [digits(size * 100, 1), "%"];
      case "factor":
        return [digits(size), "×"];
      case "per_s":
        return scaled(size, "/s");
      case "count":
        return size < 1e6 ? [whole(size), ""] : scaled(size, "");
      case "plain":
        return [digits(size), ""];
    }
  })();
  return [sign + number, suffix];
}

/** One text, with a narrow space before the unit. */
export function format(value: Number, unit: Unit): string {
  const [number, suffix] = parts(value, unit);
  return suffix ? `${number}${THIN}${suffix}` : number;
}

/** A number at an axis: what is there to be read is round, so zeros at its end say nothing. */
export function tickText(value: Number, unit: Unit): string {
  // 100 minutes are round, 1.67 hours are not.
  if (unit === "s" && known(value) && value >= 60 && value < 172_000 && value % 60 === 0 && value % 3_600 !== 0) return `${whole(value / 60)}${THIN}min`;
  const [number, suffix] = parts(value, unit);
  const short = number.includes(".") ? number.replace(/\.?0+$/, "") : number;
  return suffix ? `${short}${THIN}${suffix}` : short;
}

/** Seconds at a logarithmic axis, which has powers of ten: 10 ms, 100 s, 1 ks. */
export function decadeText(seconds: number): string {
  const [factor, unit] = seconds < 0.9995e-3 ? [1e6, "µs"] : seconds < 0.9995 ? [1e3, "ms"] : seconds < 999.5 ? [1, "s"] : [1e-3, "ks"];
  return `${Number((seconds * factor).toPrecision(3))}${THIN}${unit}`;
}

/** Steps between ticks that are round in the unit that they are written in. */
export const TIME_STEPS_S: readonly number[] = [
  1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600,
  7_200, 14_400, 28_800, 43_200, 86_400, 172_800, 432_000, 864_000, 1_728_000, 4_320_000, 8_640_000,
];

/** How much more or less than another: a percentage, and a factor where that would have four digits. */
export function relative(difference: Number, base: Number): string {
  if (!known(difference) || !known(base) || base <= 0) return UNKNOWN;
  const share = difference / base;
  return share >= 9.995 ? format(share + 1, "factor") : signed(share, "share");
}

/** With a sign, for differences; the sign of nothing, or nearly nothing, is ±. */
export function signed(value: Number, unit: Unit): string {
  if (!known(value)) return UNKNOWN;
  const text = format(value, unit);
  if (text.includes("<")) return `±${text.replace(MINUS, "")}`;
  return value > 0 ? `+${text}` : value === 0 ? `±${text}` : text;
}

/** Simulated time as days and a clock: 0:00:00, 2 d 03:04:05. */
export function clock(time_s: Number): string {
  if (!known(time_s)) return UNKNOWN;
  const all = Math.floor(Math.max(time_s, 0));
  const days = Math.floor(all / 86_400);
  const two = (value: number): string => value.toString().padStart(2, "0");
  const text = `${two(Math.floor((all % 86_400) / 3_600))}:${two(Math.floor((all % 3_600) / 60))}:${two(all % 60)}`;
  return days ? `${whole(days)} d ${text}` : text;
}

/** A moment of the wall clock, in the reader's zone. */
export function moment(iso: string | null | undefined): string {
  if (!iso) return UNKNOWN;
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return UNKNOWN;
  const two = (value: number): string => value.toString().padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** A speed of the run: 20 ×, or max. */
export function speedText(speed: number | string | null | undefined): string {
  return typeof speed === "number" ? format(speed, "factor") : "max";
}
