/// Parameters in the layout that an operation wants them in.
///
/// Those that are fixed are brought into it once, those that are trained in every calculation.
public struct Prepared<Layout: Sendable>: Sendable {
  private enum State: Sendable {
    case fixed(Layout)
    case trained([Variable])
  }

  private let state: State
  private let prepare: @Sendable ([Variable]) -> Layout

  /// - Parameter prepare: operations only, so that gradients find their way back.
  public init(_ parameters: Variable..., prepare: @escaping @Sendable ([Variable]) -> Layout) {
    self.prepare = prepare
    let isTrained = parameters.contains { $0.gradient != nil }
    state = isTrained ? .trained(parameters) : .fixed(prepare(parameters))
  }

  /// What a calculation uses.
  public func on(_ tape: Tape?) -> Layout {
    switch state {
    case .fixed(let layout): layout
    case .trained(let parameters): prepare(parameters.map { $0.on(tape) })
    }
  }
}
