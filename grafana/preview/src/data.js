// What a panel asks Prometheus for, as the data frames that Grafana's library draws.
import { FieldType, applyFieldOverrides, cacheFieldDisplayNames, standardFieldConfigEditorRegistry,
  standardTransformers, standardTransformersRegistry, transformDataFrame } from "@grafana/data";
import { firstValueFrom } from "rxjs";

const SCRAPED = 5; // seconds: timeInterval of the data source
const POINTS = 600; // at most, in a series

/** Grafana's own settings of a field, and those of each kind of panel, need no editor here. */
export function settle(boards) {
  const plain = (path, custom) => ({
    id: custom ? `custom.${path}` : path,
    path,
    name: path,
    isCustom: custom,
    process: (value) => value,
    shouldApply: () => true,
  });
  const usual = ["unit", "min", "max", "decimals", "displayName", "noValue", "color", "thresholds",
    "mappings", "links"];
  const custom = new Set();
  for (const { fieldConfig } of boards.flatMap((board) => board.panels)) {
    Object.keys(fieldConfig?.defaults?.custom ?? {}).forEach((name) => custom.add(name));
    const rules = (fieldConfig?.overrides ?? []).flatMap((each) => each.properties);
    rules.filter(({ id }) => id.startsWith("custom.")).forEach(({ id }) => custom.add(id.slice(7)));
  }
  standardFieldConfigEditorRegistry.setInit(() => [
    ...usual.map((name) => plain(name, false)),
    ...[...custom].map((name) => plain(name, true)),
  ]);
  const transformers = new Map(Object.values(standardTransformers).map((each) => [each.id, each]));
  standardTransformersRegistry.setInit(() =>
    [...transformers].map(([id, each]) => ({ id, name: each.name, transformation: async () => each })),
  );
}

/** The time shown, in seconds: from, to, and between two points. */
export function shownTime(seconds, now = Date.now() / 1000) {
  const step = Math.max(SCRAPED, Math.ceil(seconds / POINTS / SCRAPED) * SCRAPED);
  const to = Math.floor(now / step) * step;
  return { from: to - seconds, to, step };
}

/** Variables at "all", as a board opens. */
export function filled(text, board, time) {
  const rate = Math.max(time.step + SCRAPED, 4 * SCRAPED);
  const values = {
    __rate_interval: `${rate}s`,
    __interval: `${time.step}s`,
    __range: `${time.to - time.from}s`,
    __range_s: `${time.to - time.from}`,
    __url_time_range: "",
    __all_variables: "",
  };
  for (const each of board.templating?.list ?? []) {
    const chosen = [each.current?.value].flat().join("|");
    values[each.name] = chosen === "$__all" ? (each.allValue ?? ".*") : chosen;
  }
  return text.replace(/\$\{(\w+)(?::\w+)?\}|\$(\w+)/g, (whole, braced, bare) =>
    values[braced ?? bare] ?? whole);
}

async function ask(path, parameters) {
  const answer = await fetch(`api/v1/${path}`, { method: "POST", body: new URLSearchParams(parameters) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text.slice(0, 300));
  return JSON.parse(text).data.result;
}

function name(format, labels) {
  if (!format || format === "__auto") return undefined;
  return format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => labels[label] ?? "");
}

function frame(target, time, { metric, values }) {
  const displayNameFromDS = name(target.legendFormat, metric);
  return {
    refId: target.refId,
    length: values.length,
    fields: [
      { name: "Time", type: FieldType.time, config: { interval: time.step * 1000 },
        values: values.map(([at]) => at * 1000) },
      { name: "Value", type: FieldType.number, labels: metric, config: { displayNameFromDS },
        values: values.map(([, value]) => Number(value)) },
    ],
  };
}

function table(target, many, result) {
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const value = many ? `Value #${target.refId}` : "Value";
  return {
    refId: target.refId,
    length: result.length,
    fields: [
      { name: "Time", type: FieldType.time, config: {}, values: result.map((each) => each.value[0] * 1000) },
      ...labels.map((label) => ({ name: label, type: FieldType.string, config: {},
        values: result.map(({ metric }) => metric[label]) })),
      { name: value, type: FieldType.number, config: {}, values: result.map((each) => Number(each.value[1])) },
    ],
  };
}

async function frames(target, many, board, time) {
  const query = filled(target.expr, board, time);
  if (target.instant) {
    const result = await ask("query", { query, time: time.to });
    if (target.format === "table") return result.length ? [table(target, many, result)] : [];
    return result.map(({ metric, value }) => frame(target, time, { metric, values: [value] }));
  }
  const range = { query, start: time.from, end: time.to, step: time.step };
  return (await ask("query_range", range)).map((series) => frame(target, time, series));
}

/** All of a panel's series, with its settings applied. */
export async function series(panel, board, time, theme) {
  const targets = (panel.targets ?? []).filter((each) => !each.hide && each.expr);
  const asked = await Promise.all(targets.map((each) => frames(each, targets.length > 1, board, time)));
  const transformed = await firstValueFrom(
    transformDataFrame(panel.transformations ?? [], asked.flat(), { interpolate: (text) => text }),
  );
  const shown = applyFieldOverrides({
    data: transformed,
    fieldConfig: panel.fieldConfig,
    replaceVariables: (text) => text,
    theme,
    timeZone: "browser",
  });
  cacheFieldDisplayNames(shown);
  return shown;
}
