/// Rows of cells in columns, each as wide as its widest cell.
struct Table {
  private let rows: [[String]]

  init(_ rows: [[String]]) { self.rows = rows }

  /// The rows as lines, indented by two; the last cell of a row is not padded.
  var lines: [String] {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in
      rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
      let cells = row.enumerated().map { column, cell in
        let padding = column == row.count - 1 ? 0 : widths[column] - cell.count
        return cell + String(repeating: " ", count: padding)
      }
      return "  " + cells.joined(separator: "  ")
    }
  }
}
