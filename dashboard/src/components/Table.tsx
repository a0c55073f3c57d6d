import { useMemo, useState, type ReactNode } from "react";
import { HelpTip } from "./HelpTip";

export interface Column<T> {
  readonly key: string;
  readonly label: string;
  readonly help?: ReactNode;
  readonly number?: boolean;
  readonly cell: (row: T) => ReactNode;
  /** What the column is sorted by; without it, it is not. Unknown values come last, whichever way. */
  readonly sort?: (row: T) => number | string | null;
  readonly width?: string;
  /** On narrow pages it is left out. */
  readonly wideOnly?: boolean;
}

export interface Sorting {
  readonly key: string;
  readonly down: boolean;
}

interface Props<T> {
  readonly caption: string;
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  readonly rowKey: (row: T) => string | number;
  readonly sorting?: Sorting;
  readonly onSorting?: (sorting: Sorting) => void;
  readonly onRow?: (row: T) => void;
  readonly selected?: (row: T) => boolean;
  readonly empty?: ReactNode;
}

export function sorted<T>(rows: readonly T[], columns: readonly Column<T>[], sorting: Sorting | undefined): readonly T[] {
  const by = columns.find((column) => column.key === sorting?.key)?.sort;
  if (!by || !sorting) return rows;
  const sign = sorting.down ? -1 : 1;
  return [...rows].sort((first, second) => {
    const [left, right] = [by(first), by(second)];
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    return left < right ? -sign : left > right ? sign : 0;
  });
}

export function Table<T>({ caption, columns, rows, rowKey, sorting, onSorting, onRow, selected, empty }: Props<T>): ReactNode {
  const [own, setOwn] = useState<Sorting | undefined>(undefined);
  const by = sorting ?? own;
  const shown = useMemo(() => sorted(rows, columns, by), [rows, columns, by]);
  const toggle = (key: string): void => {
    const next = { key, down: by?.key === key ? !by.down : false };
    if (onSorting) onSorting(next);
    else setOwn(next);
  };
  return (
    <div className="table-scroll" tabIndex={0} role="group" aria-label={caption}>
      <table className="table">
        <caption className="visually-hidden">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th
                key={column.key}
                scope="col"
                className={`${column.number ? "num" : ""} ${column.wideOnly ? "wide-only" : ""}`}
                style={column.width ? { width: column.width } : undefined}
                aria-sort={by?.key === column.key ? (by.down ? "descending" : "ascending") : undefined}
              >
                {column.sort ? (
                  <button type="button" className="table-sort" onClick={() => toggle(column.key)}>
                    {column.label}
                    <span className="table-arrow" aria-hidden="true">
                      {by?.key === column.key ? (by.down ? "↓" : "↑") : ""}
                    </span>
                  </button>
                ) : (
                  column.label
                )}
                {column.help ? <HelpTip label={column.label}>{column.help}</HelpTip> : null}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <tr
              key={rowKey(row)}
              className={onRow ? "table-click" : undefined}
              aria-selected={selected ? selected(row) : undefined}
              tabIndex={onRow ? 0 : undefined}
              onClick={onRow ? () => onRow(row) : undefined}
              onKeyDown={
                onRow
                  ? (event) => {
                      if (event.target === event.currentTarget && (event.key === "Enter" || event.key === " ")) {
                        event.preventDefault();
                        onRow(row);
                      }
                    }
                  : undefined
              }
            >
              {columns.map((column) => (
                <td key={column.key} className={`${column.number ? "num" : ""} ${column.wideOnly ? "wide-only" : ""}`}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
          {shown.length || !empty ? null : (
            <tr>
              <td colSpan={columns.length}>{empty}</td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}
