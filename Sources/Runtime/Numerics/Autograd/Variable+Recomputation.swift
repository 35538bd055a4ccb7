/// Calculations of which little is kept: they are done again, in the same way, when they are
/// differentiated.
///
/// Source: Chen et al., "Training deep nets with sublinear memory cost" (2016).
extension Variable {
  /// The results of a calculation on parts of the inputs' first axis, one after the other, of which
  /// only the inputs are kept where there are several.
  ///
  /// - Parameters:
  ///   - inputs: at least one, all of one first extent, which is at least one.
  ///   - size: of a part, but for the last one.
  ///   - body: makes as much of a range of indices and the inputs there, whose numbers it must not
  ///     change.
  public static func parts(
    of inputs: [Variable], size: Int, _ body: @escaping (Range<Int>, [Variable]) -> Variable
  ) -> Variable {
    let (count, tape) = (inputs[0].shape[0], inputs[0].tape)
    guard count > size else { return body(0..<count, inputs) }
    let ranges = (0..<(count + size - 1) / size).map { Kernels.panel($0, of: size, in: count) }
    let once = tape.map { Tape($0.dropout, isRecording: false) }
    let first = body(ranges[0], inputs.map { $0.part(ranges[0], on: once) })
    let output = Tensor(uninitialised: [count] + first.shape.dropFirst())
    output.narrowed(0, ranges[0]).copy(first.value)
    for range in ranges.dropFirst() {
      output.narrowed(0, range).copy(body(range, inputs.map { $0.part(range, on: once) }).value)
    }
    guard let tape, tape.isRecording, first.gradient != nil else {
      return Variable(output, tape: tape)
    }
    let (result, dropout) = (Gradient(output.shape), tape.dropout)
    tape.record(result) { change in
      let wholes = inputs.map { Tensor(repeating: 0, shape: $0.gradient == nil ? [0] : $0.shape) }
      for range in ranges {
        let inner = Tape(dropout: dropout)
        let parts = inputs.map { $0.part(range, on: inner) }
        body(range, parts).gradient?.accumulate(change.narrowed(0, range))
        inner.runBackward()
        for (part, whole) in zip(parts, wholes) {
          if let gradient = part.gradient?.take() { whole.narrowed(0, range).copy(gradient) }
        }
      }
      for (input, whole) in zip(inputs, wholes) { input.gradient?.accumulate(whole) }
    }
    return Variable(output, gradient: result, tape: tape)
  }

  /// Some indices of the first axis with a gradient of their own.
  private func part(_ range: Range<Int>, on tape: Tape?) -> Variable {
    let part = value.narrowed(0, range)
    return Variable(part, gradient: gradient.map { _ in Gradient(part.shape) }, tape: tape)
  }

  /// A residual connection, base + layer(activation(inner)), of whose making only the input is kept and
  /// what operations ask to keep; the input is given up.
  ///
  /// Layer and activation are not done again, since differentiating them takes what goes into them alone.
  ///
  /// - Parameters:
  ///   - keepsMore: whether operations may keep anything at all.
  ///   - body: makes base and inner of the input, whose numbers it may change where nothing is
  ///     recorded, and applies to inner the activation that it is given, the second time none.
  public func residual(
    _ layer: Linear, after activation: Activation = .none, keepsMore: Bool = true,
    of body: @escaping (Variable, Activation) -> (base: Variable, inner: Variable)
  ) -> Variable {
    guard let tape, tape.isRecording else {
      let parts = body(self, activation)
      return layer(parts.inner, addedTo: parts.base)
    }
    let keepsakes = keepsMore ? Keepsakes() : nil
    let once = Tape(tape.dropout, isRecording: false, keepsakes: keepsakes)
    let parts = body(Variable(value.copied(), gradient: gradient, tape: once), activation)
    let first = layer(parts.inner, addedTo: parts.base)
    guard first.gradient != nil else { return Variable(first.value, tape: tape) }
    let (input, result, dropout) = (self, Gradient(first.shape), tape.dropout)
    tape.record(result) { change in
      let again = body(input.on(Tape(dropout, isRecording: true, keepsakes: keepsakes)), .none)
      layer.differentiate(change, at: again.inner, after: activation)
      again.base.gradient?.accumulate(change)
      again.inner.tape?.runBackward()
    }
    return Variable(first.value, gradient: result, tape: tape)
  }
}
