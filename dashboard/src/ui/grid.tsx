/* A plain table for lists that are short enough to be there as a whole. */

import type { ReactNode } from "react";

export interface Column<Row> {
  name: string;
  cell: (row: Row) => ReactNode;
  wide?: boolean;
  right?: boolean;
}

interface Props<Row> {
  label: string;
  columns: Column<Row>[];
  rows: Row[];
  id: (row: Row) => string;
}

/** `wide` columns are left out where the page is narrow. */
export function Grid<Row>({ label, columns, rows, id }: Props<Row>) {
  const look = (column: Column<Row>) => `${column.wide ? "max-md:hidden" : ""} ${column.right ? "text-right" : "text-left"} px-2 md:px-3 first:pl-4 last:pr-4 md:first:pl-5 md:last:pr-5`;
  return (
    <table aria-label={label} className="w-full border-collapse">
      <thead className="bg-panel text-xs text-dim">
        <tr className="h-8 border-b border-line">
          {columns.map((column) => (
            <th key={column.name} scope="col" className={`font-medium ${look(column)}`}>
              {column.name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={id(row)} className="border-b border-line hover:bg-raised">
            {columns.map((column) => (
              <td key={column.name} className={`py-2 align-middle ${look(column)}`}>
                {column.cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
