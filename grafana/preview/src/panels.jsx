// A panel's picture, by its type; what Grafana's library cannot draw says so.
import { dateTime, getDisplayProcessor, getDisplayValueAlignmentFactors, getFieldDisplayName,
  getFieldDisplayValues, renderTextPanelMarkdown } from "@grafana/data";
import { BigValue, TimeSeries, VizRepeater } from "@grafana/ui";
import { TableNG } from "@grafana/ui/unstable";

function Empty({ panel }) {
  return <div className="empty">{panel.fieldConfig?.defaults?.noValue ?? "No data"}</div>;
}

function Stat({ panel, data, theme, width, height }) {
  const { reduceOptions, orientation, ...look } = panel.options;
  const getValues = () => getFieldDisplayValues({
    fieldConfig: panel.fieldConfig, reduceOptions, data, theme, timeZone: "browser",
    sparkline: look.graphMode !== "none", replaceVariables: (text) => text,
  });
  return (
    <VizRepeater
      {...{ width, height, getValues, orientation, source: data, renderCounter: 0, autoGrid: true }}
      getAlignmentFactors={(values) => getDisplayValueAlignmentFactors(values)}
      renderValue={({ value, ...given }) => (
        <BigValue {...given} {...look} value={value.display} sparkline={value.sparkline} theme={theme} />
      )}
    />
  );
}

/** As Grafana's own panel does it: a gap where there is no number. */
const gapped = (frame) => ({
  ...frame,
  fields: frame.fields.map((field) => (
    { ...field, values: field.values.map((value) => (Number.isFinite(value) ? value : null)) }
  )),
});

function Lines({ panel, data, time, width, height }) {
  const range = { from: dateTime(time.from * 1000), to: dateTime(time.to * 1000) };
  return (
    <TimeSeries frames={data.map(gapped)} width={width} height={height} timeRange={{ ...range, raw: range }}
      timeZone="browser" legend={panel.options.legend} options={panel.options} />
  );
}

function Rows({ panel, data, width, height }) {
  const { frameIndex, ...look } = panel.options;
  return <TableNG {...look} data={data[frameIndex ?? 0]} width={width} height={height} />;
}

function Text({ panel, filled }) {
  const html = renderTextPanelMarkdown(filled(panel.options.content));
  return <div className="markdown-html" dangerouslySetInnerHTML={{ __html: html }} />;
}

/** The values it has now, so that the place is not empty; what has ended has none. */
function Placeholder({ panel, data, time, theme }) {
  const lasts = ({ fields: [at] }) => at.values.at(-1) >= (time.to - 2 * time.step) * 1000;
  const now = data.filter(lasts).flatMap((frame) => frame.fields.slice(1).map((field) => {
    const display = field.display ?? getDisplayProcessor({ field, theme });
    return { name: getFieldDisplayName(field, frame, data), ...display(field.values.at(-1)) };
  }));
  return (
    <div className="placeholder">
      <p>A {panel.type}: Grafana draws it, its library does not. Now:</p>
      <ul>
        {now.map(({ name, text, suffix, color }) => (
          <li key={name}><i style={{ background: color }} />{name} <b>{text}{suffix}</b></li>
        ))}
      </ul>
    </div>
  );
}

const KINDS = { stat: Stat, timeseries: Lines, table: Rows };

export function Picture(given) {
  if (given.panel.type === "text") return <Text {...given} />;
  if (!given.data.some((frame) => frame.length)) return <Empty {...given} />;
  const Kind = KINDS[given.panel.type] ?? Placeholder;
  return <Kind {...given} />;
}
