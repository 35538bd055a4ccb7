/// The arithmetic under everything, on pointers and extents; shapes are decided above.
///
/// Work is cut into pieces whose sizes do not depend on the number of threads, and every sum has one
/// order, so results are the same bit by bit however many threads there are.
public enum Kernels {
  /// Rows of a matrix product that one thread takes at once.
  static let panelRows = 512
  /// Columns of a matrix product that one thread takes at once.
  static let panelColumns = 768
}
